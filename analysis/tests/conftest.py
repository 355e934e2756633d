from pathlib import Path

import pandas as pd
import pytest
from synthetic import METHOD, SMALL, write

import fleet_analysis

# As where there is no pyarrow, which only one form of `export` needs. Commands that tests run as
# programs keep their texts as pandas likes.
pd.options.mode.string_storage = "python"


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
