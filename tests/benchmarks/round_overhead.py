"""What a round costs outside training, evaluation and alignment, and what a further rank costs in memory.

usage: round_overhead.py FLEET [MPIRUN]
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from runs import mnist_run, run_quietly, tell_ratio

ROUNDS = 30
ENDLESS = 100_000
SETTINGS = {
    "merge.method": "average",
    "merge.every_epochs": 1,
    "fleet.robots": 8,
    "fleet.partition": "iid",
    "data.held_out": 0.0,
    "data.samples": 8 * 2000,
    "evaluate.local": "never",
}


def round_shares(results: Path) -> None:
    with h5py.File(results) as file:
        rounds = file["rounds"][:]
    names = ["train", "wait", "merge", "evaluate", "other"]
    seconds = {name: np.median(rounds[f"seconds_{name}"]) for name in names}
    total = sum(seconds.values())
    print("a round of 8 robots on 2 ranks, 2,000 images each, medians over", len(rounds), "rounds:")
    for name in names:
        print(f"  {name:9s}{seconds[name] * 1e3:8.2f} ms {100 * seconds[name] / total:6.1f} %")
    overhead = seconds["merge"] + seconds["other"]
    tell_ratio("share of a round in training, evaluation and waiting", 1 - overhead / total)


def memory_mib(pid: int) -> dict[str, float]:
    """Of a process: resident set, proportional set, and the latter's private memory, files and shared memory."""
    fields = dict(
        line.split(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    )
    names = ["Rss", "Pss", "Pss_Anon", "Pss_File", "Pss_Shmem"]
    return {name: int(fields[name].split()[0]) / 1024 for name in names}


def rank_memory(fleet: str, mpirun: str, ranks: int, folder: Path) -> None:
    run = subprocess.Popen(
        mnist_run(
            fleet, mpirun, ranks, SETTINGS | {"train.epochs": ENDLESS}, folder / f"memory{ranks}"
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pids: list[int] = []
    deadline = time.monotonic() + 30
    while len(pids) < ranks and time.monotonic() < deadline:
        time.sleep(0.2)
        found = subprocess.run(
            ["pgrep", "-P", str(run.pid)], capture_output=True, text=True, check=False
        )
        pids = [int(pid) for pid in found.stdout.split()]
    time.sleep(4)  # well into training
    sizes = [memory_mib(pid) for pid in pids]
    run.terminate()
    run.wait()
    mean = {name: np.mean([size[name] for size in sizes]) for name in sizes[0]}
    total = {name: sum(size[name] for size in sizes) for name in sizes[0]}
    print(
        f"{ranks} ranks: resident {mean['Rss']:.0f} MiB, proportional {mean['Pss']:.0f} MiB a rank; in all "
        f"{total['Pss']:.0f} MiB: private {total['Pss_Anon']:.0f}, libraries {total['Pss_File']:.0f}, "
        f"shared memory {total['Pss_Shmem']:.0f}"
    )


def main() -> None:
    fleet = sys.argv[1]
    mpirun = sys.argv[2] if len(sys.argv) > 2 else "mpirun"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_quietly(
            mnist_run(fleet, mpirun, 2, SETTINGS | {"train.epochs": ROUNDS}, folder / "rounds")
        )
        round_shares(folder / "rounds.h5")
        for ranks in (1, 2, 4):
            rank_memory(fleet, mpirun, ranks, folder)


if __name__ == "__main__":
    main()
