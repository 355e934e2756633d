"""What robots at rest cost: memory, rounds and plans of fleets of which ten robots train in a round.

Logistic regression on MNIST (robots of 60 images, batches of 10, plain gradient descent, 100 rounds on two ranks) with
1,000, 100,000 and a million robots, in turn; then LEAF's LSTM with a robot for each of 698 roles, where `shakespeare`
has been fetched. Prints medians, and what was aimed at beside what was found.

usage: resting_fleets.py FLEET [MPIRUN]
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from runs import tell_ratio

ROBOTS = (1_000, 100_000, 1_000_000)
REPEATS = 3
ROUNDS = 100
TEN = 10  # robots of a round
AIMS = (700.0, 1.0, 2.6)  # MiB in all and seconds at 100,000 robots; milliseconds at 1,000
LEAF_AIMS = (300.0, 20.0)  # MiB of a rank, and of a checkpoint
SAMPLES = 60
LOGISTIC = {
    "fleet.partition": "drawn",
    "fleet.samples": SAMPLES,
    "fleet.initialization": "common",
    "data.held_out": 0.0,
    "model.hidden": "[]",
    "train.robots": "participants",
    "train.epochs": ROUNDS,
    "train.batch_size": 10,
    "train.optimizer": "sgd",
    "train.learning_rate": 0.03,
    "evaluate.local": "never",
    "evaluate.every_rounds": 0,
    "merge.method": "average",
    "run.ranks_per_cell": 2,
}
LEAF = Path(__file__).parents[2] / "configs" / "leaf_lstm.toml"


@dataclass
class Run:
    """Of one run with all its ranks."""

    seconds: float
    processor: float
    peak: float  # MiB, proportional, of all processes together
    rank: float  # MiB, of the largest process: private
    files: dict[str, int] = field(
        default_factory=dict
    )  # largest size of the files that came and went


def descendants(pid: int) -> list[int]:
    found = subprocess.run(
        ["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    return [pid, *(d for child in found for d in descendants(int(child)))]


def memory(pid: int) -> tuple[float, float]:
    """Proportional and private MiB of a process; nothing of one that has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0, 0.0
    sizes = {
        name: int(size) / 1024
        for name, size in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)
    }
    return sizes.get("Pss", 0.0), sizes.get("Private_Dirty", 0.0)


def watch(command: list[str], pattern: str = "") -> Run:
    """Runs a command, and looks at its processes and at files of this pattern every 20 ms."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    run = Run(0.0, 0.0, 0.0, 0.0)
    while process.poll() is None:
        sizes = [memory(pid) for pid in descendants(process.pid)]
        run.peak = max(run.peak, sum(size[0] for size in sizes))
        run.rank = max(run.rank, *(size[1] for size in sizes))
        for path in Path().glob(pattern) if pattern else ():
            run.files[path.suffix] = max(run.files.get(path.suffix, 0), path.stat().st_size)
        time.sleep(0.02)
    run.seconds = time.monotonic() - start
    if process.returncode != 0:
        sys.exit(
            f"{process.stdout.read() if process.stdout else ''}exit code {process.returncode} of: {command}"
        )
    return run


def settings(robots: int) -> list[str]:
    return [
        f"--set={key}={value}"
        for key, value in (
            LOGISTIC | {"fleet.robots": robots, "merge.participation": TEN / robots}
        ).items()
    ]


def round_ms(results: Path) -> float:
    """The median round, without those at either end."""
    with h5py.File(results) as file:
        rounds = file["rounds"][1:-1]
    names = [name for name in rounds.dtype.names if name.startswith("seconds_")]
    return float(np.median(sum(rounds[name] for name in names))) * 1e3


def logistic_regression(fleet: str, mpirun: list[str]) -> None:
    config = Path("logistic.toml")
    config.write_text('workload = "mnist"\n')
    runs: dict[int, list[Run]] = {robots: [] for robots in ROBOTS}
    rounds: dict[int, list[float]] = {robots: [] for robots in ROBOTS}
    plans: dict[int, list[float]] = {robots: [] for robots in ROBOTS}
    for repeat in range(REPEATS):
        for robots in ROBOTS:
            output = Path(f"{robots}-{repeat}")
            command = [
                *mpirun,
                "-n",
                "2",
                fleet,
                "run",
                str(config),
                "-o",
                str(output),
                *settings(robots),
            ]
            runs[robots].append(watch(command))
            rounds[robots].append(round_ms(output.with_suffix(".h5")))
            plans[robots].append(watch([fleet, "plan", str(config), *settings(robots)]).seconds)
    print("   robots   a round (ms)   whole job (s)   plan (s)   all ranks (MiB)")
    for robots in ROBOTS:
        print(
            f"{robots:9,d}{statistics.median(rounds[robots]):15.2f}"
            f"{statistics.median(r.seconds for r in runs[robots]):16.2f}{statistics.median(plans[robots]):11.2f}"
            f"{max(r.peak for r in runs[robots]):18.0f}"
        )
    few, many = ROBOTS[:2]
    ratio = statistics.median(a / b for a, b in zip(rounds[few], rounds[many], strict=True))
    tell_ratio(f"rounds of {many:,d} robots beside those of {few:,d}", ratio)
    found = {
        f"memory of {many:,d} robots": max(r.peak for r in runs[many]),
        f"a plan of {many:,d} robots": statistics.median(plans[many]),
        f"a round of {few:,d} robots": statistics.median(rounds[few]),
    }
    for (what, value), aim in zip(found.items(), AIMS, strict=True):
        tell_ratio(f"{what}, aim / found", aim / value)


def leaf_lstm(fleet: str, mpirun: list[str]) -> None:
    output = Path("leaf")
    three_rounds = [
        "--set=train.epochs=3",
        "--set=evaluate.every_rounds=0",
        "--set=run.checkpoint.every_rounds=1",
    ]
    command = [
        *mpirun,
        "-n",
        "2",
        fleet,
        "run",
        str(LEAF),
        "-o",
        str(output),
        *three_rounds,
    ]
    run = watch(command, f"{output}/**/*.checkpoint*")
    size = max(run.files.values(), default=0) / 2**20
    print(
        f"LEAF's LSTM, 698 robots: {run.rank:.0f} MiB private in a rank, a checkpoint of {size:.1f} MiB"
    )
    tell_ratio("LEAF's LSTM, memory of a rank, aim / found", LEAF_AIMS[0] / run.rank)
    tell_ratio("LEAF's LSTM, a checkpoint, aim / found", LEAF_AIMS[1] / size)


def main() -> None:
    fleet = str(Path(sys.argv[1]).resolve())
    mpirun = (sys.argv[2] if len(sys.argv) > 2 else "mpirun").split()
    data = Path(os.environ.setdefault("FLEET_DATA", str(Path("data").resolve())))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        logistic_regression(fleet, mpirun)
        if (data / "shakespeare").is_dir():
            leaf_lstm(fleet, mpirun)
        else:
            print("LEAF's LSTM is left out: fleet data fetch shakespeare")


if __name__ == "__main__":
    main()
