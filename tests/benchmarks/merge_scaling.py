"""How merges of ten MLPs of four hidden layers of 512 units scale with ranks: three sweeps of git-rebasin, and fleet-merge
with one epoch, its start and its two scores. Runs on one rank and on several take turns; of each the fastest counts.

usage: merge_scaling.py FLEET [MPIRUN [RANKS]]
"""

import sys
import tempfile
from pathlib import Path

import h5py
from runs import mnist_run, run_quietly, tell_ratio

ROUNDS = 2
METHODS = ("git-rebasin", "fleet-merge")
SETTINGS = {
    "merge.every_epochs": 0,
    "merge.git-rebasin.sweeps": 3,
    "merge.fleet-merge.epochs": 1,
    "model.hidden": "[512, 512, 512, 512]",
    "fleet.robots": 10,
    "fleet.alpha": 1.0,
    "fleet.initialization": "different",
    "data.samples": 20000,
    "train.epochs": 2,
    "evaluate.local": "never",
}


def merge_seconds(fleet: str, mpirun: str, method: str, ranks: int, output: Path) -> float:
    """Of the first rank, which leaves the merge when the last one does."""
    run_quietly(mnist_run(fleet, mpirun, ranks, SETTINGS | {"merge.method": method}, output))
    with h5py.File(output.with_suffix(".h5")) as file:
        return float(file["rounds"]["seconds_merge"].sum())


def main() -> None:
    fleet = sys.argv[1]
    mpirun = sys.argv[2] if len(sys.argv) > 2 else "mpirun"
    several = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    for method in METHODS:
        seconds: dict[int, list[float]] = {1: [], several: []}
        with tempfile.TemporaryDirectory() as folder:
            for trial in range(ROUNDS):
                for ranks, times in seconds.items():
                    output = Path(folder) / f"{ranks}-{trial}"
                    times.append(merge_seconds(fleet, mpirun, method, ranks, output))
        one, more = min(seconds[1]), min(seconds[several])
        print(f"{method:12s} 1 rank {one:.2f} s, {several} ranks {more:.2f} s")
        tell_ratio(f"{method} on {several} ranks beside one", one / more)


if __name__ == "__main__":
    main()
