"""What sweeps with many cells and many robots cost: memory and open files of a rank over 500 cells, 1,000 robots on two
ranks, and what the commands take on 10,000 finished cells.

usage: long_sweeps.py FLEET [MPIRUN]
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from round_overhead import memory_mib
from runs import mnist_run

SMALL_CELLS = {
    "merge.method": "average",
    "fleet.robots": 3,
    "model.hidden": [8],
    "data.samples": 600,
    "data.held_out": 0.1,
    "train.epochs": 1,
    "run.ranks_per_cell": 1,
}
MANY_ROBOTS = {
    "merge.method": "average",
    "merge.participation": 0.01,
    "train.robots": "participants",
    "fleet.robots": 1000,
    "fleet.partition": "iid",
    "model.hidden": [],
    "data.held_out": 0.0,
    "train.epochs": 20,
    "evaluate.local": "never",
    "evaluate.every_rounds": 0,
}
TINY_CELLS = """\
workload = "lqg"
system.a = 1.1
system.b = 1.0
system.observations = 2
fleet.robots = 2
train.epochs = 1
merge.every_epochs = 0
merge.method = "average"
run.ranks_per_cell = 1
[sweep.grid]
train.learning_rate = {rates}
seed = {seeds}
"""


def ranks_of(run: subprocess.Popen[bytes], ranks: int) -> list[int]:
    """The processes of the ranks, once all are there."""
    while run.poll() is None:
        found = subprocess.run(
            ["pgrep", "-P", str(run.pid)], capture_output=True, text=True, check=False
        )
        pids = [int(pid) for pid in found.stdout.split()]
        if len(pids) == ranks:
            return pids
        time.sleep(0.05)
    raise SystemExit("the run ended before all ranks were there")


def watch(run: subprocess.Popen[bytes], ranks: int) -> list[tuple[float, float, int]]:
    """Until it ends, twice a second: seconds, private memory (MiB) and open files of the rank that has most."""
    began = time.monotonic()
    pids = ranks_of(run, ranks)
    seen = []
    while run.poll() is None:
        time.sleep(0.5)
        try:
            memory = max(memory_mib(pid)["Pss_Anon"] for pid in pids)
            files = max(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)
        except (OSError, KeyError, ValueError):  # a rank has ended
            continue
        seen.append((time.monotonic() - began, memory, files))
    return seen


def quiet(command: list[str], cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def many_cells(fleet: str, mpirun: str, folder: Path) -> None:
    command = mnist_run(fleet, mpirun, 2, SMALL_CELLS, folder / "cells")
    command += ["--set", f"sweep.grid.seed={list(range(500))}"]
    seen = watch(quiet(command, folder), 2)
    done = len(list((folder / "cells" / "cells").glob("*.h5")))
    print(f"{done} cells on 2 ranks, the rank that has most:")
    for share in (0.1, 0.25, 0.5, 0.75, 1.0):
        seconds, memory, files = seen[int(share * (len(seen) - 1))]
        print(f"  after {seconds:6.1f} s: private memory {memory:7.1f} MiB, {files} open files")


def many_robots(fleet: str, mpirun: str, folder: Path) -> None:
    began = time.monotonic()
    run = quiet(mnist_run(fleet, mpirun, 2, MANY_ROBOTS, folder / "robots"), folder)
    seen = watch(run, 2)
    memory = max(memory for _, memory, _ in seen)
    print(
        f"1,000 robots on 2 ranks, 20 rounds of 10: {time.monotonic() - began:.1f} s, "
        f"private memory of a rank {memory:.0f} MiB, exit code {run.returncode}"
    )


def many_results(fleet: str, mpirun: str, folder: Path) -> None:
    config = folder / "tiny.toml"
    rates = [round(0.001 * (1 + i), 6) for i in range(100)]
    config.write_text(TINY_CELLS.format(rates=rates, seeds=list(range(100))))
    run = [*mpirun.split(), "-n", "2", fleet, "run", str(config), "-o", "tiny", "--no-collect"]
    analysis = str(Path(sys.executable).with_name("fleet-analysis"))
    commands = {
        "run 10,000 cells": run,
        "run again, all done": run,
        "plan": [fleet, "plan", str(config), "-o", "tiny"],
        "status": [fleet, "status", "tiny"],
        "collect": [fleet, "collect", "tiny"],
        "fleet-analysis table, of the joined file": [
            analysis,
            "table",
            "tiny.h5",
            "--metric",
            "cost",
        ],
        "fleet-analysis table, of the directory": [analysis, "table", "tiny", "--metric", "cost"],
    }
    for name, command in commands.items():
        began = time.monotonic()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        print(
            f"  {name:42s} {time.monotonic() - began:8.2f} s, exit code {done.returncode}",
            flush=True,
        )
        if done.returncode != 0:
            print(done.stdout[-300:] + done.stderr[-600:])


def main() -> None:
    fleet = str(Path(sys.argv[1]).resolve())
    mpirun = sys.argv[2] if len(sys.argv) > 2 else "mpirun"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many_cells(fleet, mpirun, folder)
        many_robots(fleet, mpirun, folder)
        print("10,000 finished cells:")
        many_results(fleet, mpirun, folder)


if __name__ == "__main__":
    main()
