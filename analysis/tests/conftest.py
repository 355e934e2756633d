from pathlib import Path

import pytest
from synthetic import METHOD, SMALL, write

import fleet_analysis


@pytest.fixture
def small(tmp_path: Path) -> fleet_analysis.Results:
    """Five methods, two axes, three seeds; git-rebasin failed once."""
    return fleet_analysis.load(
        write(
            tmp_path / "small.h5",
            SMALL,
            epochs=4,
            failed=lambda cell: (
                cell[METHOD] == "git-rebasin" and cell["fleet.alpha"] == 0.1 and cell["seed"] == 2
            ),
        )
    )
