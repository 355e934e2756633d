"""What `fleet-analysis` makes of what `fleet` leaves behind, finished or not."""

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Fleet

AXES = """
[sweep.grid]
merge.method = ["local", "joint", "average", "git-rebasin"]
merge.every_epochs = [1, 0]
fleet.alpha = [0.1, 10.0]
"""

ONCE = """
[[sweep.exclude]]
merge.method = ["local", "joint"]
merge.every_epochs = 1
"""


def analysis(directory: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "fleet_analysis.cli", *arguments]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def sweeps(fleet: Fleet) -> Path:
    """The same sweep without a launcher and on three ranks."""
    config = fleet.config(AXES)
    for ranks in (0, 3):
        fleet.run(config, f"on-{ranks}", "--set", "run.save_models=merged", ranks=ranks).expect(0)
    return fleet.directory


def test_a_sweep_can_be_reported_watched_tabulated_and_compared(sweeps: Path) -> None:
    for source in ("on-0", "on-0.h5"):
        analysis(sweeps, "report", source, "-o", "page.html")
        assert "16 of 16 cells done" in (sweeps / "page.html").read_text()
    assert "16 of 16 cells done" in analysis(sweeps, "watch", "on-3", "--once")
    assert "git-rebasin" in analysis(sweeps, "table", "on-0.h5", "--ranks")
    same = analysis(sweeps, "compare", "on-0.h5", "on-3.h5", "--check")
    methods = same.split("\n\n")[2].splitlines()[2:]
    assert [line.split()[1:3] for line in methods] == [["4", "4"]] * 4, "the same to the bit"
    for name in ("3d", "4"):
        drawn = analysis(sweeps, "figure", name, "on-0.h5", "-o", "paper").splitlines()
        assert len(drawn) == 2 and all((sweeps / path).stat().st_size > 2000 for path in drawn)

    for path in sorted((sweeps / "on-0" / "cells").glob("*.h5"))[3:]:  # as if it were still running
        path.unlink()
    assert "3 of 16 cells done, 13 waiting" in analysis(sweeps, "watch", "on-0", "--once")
    analysis(sweeps, "report", "on-0", "-o", "page.html")
    assert "3 of 16 cells done" in (sweeps / "page.html").read_text()


def test_references_that_are_run_once_stand_beside_every_value(fleet: Fleet) -> None:
    thin = fleet.config(AXES + ONCE)
    plan = fleet("plan", thin, "-o", "thin").expect(0).out
    assert "cells     12 (0 done; 4 left out)" in plan
    assert '  without merge.every_epochs = 1, merge.method = "local" "joint"\n' in plan
    for name, axes in (("thin", AXES + ONCE), ("whole", AXES)):
        fleet.run(fleet.config(axes), name, "--set", "train.epochs=8", ranks=2).expect(0)
    assert len(set(fleet.cells("whole").labels()) - set(fleet.cells("thin").labels())) == 4
    outcomes = [analysis(fleet.directory, "table", f"{name}.h5") for name in ("thin", "whole")]
    assert outcomes[0] == outcomes[1]
    for figure in ("3d", "4"):
        analysis(fleet.directory, "figure", figure, "thin.h5", "-o", "thin")
