"""Whether `fleet plan --time` is right: what it says of some small sweeps, and how long they then take, in turn.

usage: plan_time.py FLEET [MPIRUN]
"""

import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from runs import mnist_run, run_quietly, said_by, tell_ratio

REPEATS = 3
RANKS = 2
COMMON = {"data.samples": 10_000, "run.ranks_per_cell": RANKS, "train.epochs": 40}
SWEEPS: dict[str, dict[str, object]] = {
    "local": {"merge.method": "local", "fleet.robots": 6},
    "averaged every epoch": {"merge.method": "average", "fleet.robots": 6},
    "aligned every other epoch": {"merge.method": "git-rebasin", "merge.every_epochs": 2},
    "regression, once": {"merge.method": "regression", "merge.every_epochs": 0},
    "ten robots of a hundred": {
        "merge.method": "average",
        "fleet.robots": 100,
        "merge.participants": 10,
        "train.robots": "participants",
        "train.epochs": 400,
        "evaluate.every_rounds": 50,
        "evaluate.local": "never",
    },
}
UNITS = {"d": 86_400, "h": 3600, "min": 60, "s": 1}


def seconds_of(text: str) -> float:
    """Of "2 min 5 s"."""
    parts = re.findall(r"(\d+(?:\.\d+)?) (d|h|min|s)\b", text)
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def predicted(fleet: str, config: Path, overrides: list[str]) -> float:
    text = said_by([fleet, "plan", str(config), "-n", str(RANKS), "--time", *overrides])
    found = re.search(r"^time +about (.*?) for", text, re.MULTILINE)
    if found is None:
        sys.exit(f"no time in:\n{text}")
    return seconds_of(found[1])


def main() -> None:
    fleet = sys.argv[1]
    mpirun = sys.argv[2] if len(sys.argv) > 2 else "mpirun"
    worst = 1.0
    with tempfile.TemporaryDirectory() as name:
        for label, settings in SWEEPS.items():
            ratios = []
            for repeat in range(REPEATS):
                output = Path(name) / f"{label.replace(' ', '-').replace(',', '')}-{repeat}"
                command = mnist_run(fleet, mpirun, RANKS, COMMON | settings, output)
                overrides = [word for word in command if word.startswith("--set=")]
                said = predicted(fleet, output.with_suffix(".toml"), overrides)
                start = time.monotonic()
                run_quietly(command)
                ratios.append((time.monotonic() - start) / said)
            ratio = statistics.median(ratios)
            worst = max(worst, ratio, 1 / ratio)
            print(f"{label:28s}takes {ratio:.2f} times what was said")
    tell_ratio("time foretold by a plan, at worst of five sweeps", 1 / worst)


if __name__ == "__main__":
    main()
