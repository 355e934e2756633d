"""What other programs cost ranks that wait for each other: rounds on two ranks beside two busy loops, and without.

Logistic regression on MNIST, 1,000 robots of which ten train in a round: rounds of milliseconds, in which ranks wait
for each other a dozen times. Given two programs, it runs them in turn and compares them.

usage: polite_waiting.py FLEET [MPIRUN [OTHER_FLEET]]
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
from runs import mnist_run, run_quietly, tell_ratio

REPEATS = 3
RANKS = 2
SETTINGS = {
    "merge.method": "average",
    "merge.participation": 0.01,
    "train.robots": "participants",
    "train.epochs": 100,
    "train.batch_size": 10,
    "train.optimizer": "sgd",
    "fleet.robots": 1000,
    "fleet.partition": "iid",
    "data.held_out": 0.0,
    "model.hidden": "[]",
    "evaluate.local": "never",
    "evaluate.every_rounds": 0,
    "run.ranks_per_cell": RANKS,
}


def round_ms(fleet: str, mpirun: str, output: Path) -> float:
    run_quietly(mnist_run(fleet, mpirun, RANKS, SETTINGS, output))
    with h5py.File(output.with_suffix(".h5")) as file:
        rounds = file["rounds"][1:-1]
    names = [name for name in rounds.dtype.names if name.startswith("seconds_")]
    return float(np.mean(sum(rounds[name] for name in names))) * 1e3


def beside_busy_loops(fleet: str, mpirun: str, output: Path) -> float:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(RANKS)]
    try:
        return round_ms(fleet, mpirun, output)
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main() -> None:
    mpirun = sys.argv[2] if len(sys.argv) > 2 else "mpirun"
    programs = [sys.argv[1], *sys.argv[3:4]]
    alone: dict[str, list[float]] = {program: [] for program in programs}
    beside: dict[str, list[float]] = {program: [] for program in programs}
    with tempfile.TemporaryDirectory() as name:
        for repeat in range(REPEATS):
            for index, program in enumerate(programs):
                folder = Path(name)
                alone[program].append(round_ms(program, mpirun, folder / f"alone-{index}-{repeat}"))
                beside[program].append(
                    beside_busy_loops(program, mpirun, folder / f"beside-{index}-{repeat}")
                )
    print("mean round in ms, medians of", REPEATS, "runs in turn")
    for program in programs:
        a, b = statistics.median(alone[program]), statistics.median(beside[program])
        print(f"  alone {a:8.2f}   beside two busy loops {b:8.2f}   {program}")
        if program == programs[0]:
            tell_ratio("rounds beside two busy loops, beside rounds alone", a / b)


if __name__ == "__main__":
    main()
