"""Breaks runs of a sweep in every way we know, resumes them, and compares with an undisturbed run.

    PYTHONPATH=tests/end_to_end python tests/chaos/chaos.py [--trials 50] [--seed 0]

After each fault: no finished cell is lost or written again, what is damaged is named, and the resumed sweep, on another
number of ranks, gives the same bits. Prints a tally; exits with 1 if anything was otherwise.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from conftest import Fleet, Outcome, children, finish, kill_tree, write_digits

SWEEP = '\n[sweep.grid]\nmerge.method = ["average", "regression"]\nseed = [0, 1]\n'
SETTINGS = (
    *("--set", "train.epochs=12", "--set", "merge.every_epochs=2"),
    *("--set", "merge.participation=0.6", "--set", "evaluate.local=every"),
    *("--set", "run.checkpoint.every_rounds=1", "--set", "run.save_weights=true"),
)


class NotTried(Exception):
    """This machine cannot produce the fault."""


@dataclass
class Trial:
    fleet: Fleet
    config: Path
    random: random.Random
    seconds: float  # that an undisturbed run takes

    def start(self, **options: object) -> subprocess.Popen[str]:
        ranks = self.random.randint(2, 3)
        return self.fleet.start(
            "run", self.config, "-o", "out", *SETTINGS, ranks=ranks, **options
        )

    def moment(self) -> None:
        time.sleep(self.random.uniform(0.0, 1.1 * self.seconds))

    def ranks_of(self, process: subprocess.Popen[str]) -> list[int]:
        return [
            child
            for child in children(process.pid)
            if Path(f"/proc/{child}/exe").resolve().name == "fleet"
        ]

    def end(self, process: subprocess.Popen[str]) -> Outcome:
        return finish(process)

    def run(self, **options: object) -> Outcome:
        return self.end(self.start(**options))


def send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:  # it has ended by itself
        pass


def kill_a_rank(trial: Trial) -> None:
    process = trial.start()
    trial.moment()
    ranks = trial.ranks_of(process)
    if ranks:
        send(trial.random.choice(ranks), signal.SIGKILL)
    trial.end(process)


def kill_the_launcher(trial: Trial) -> None:
    process = trial.start()
    trial.moment()
    ranks = trial.ranks_of(process)
    send(process.pid, signal.SIGKILL)
    trial.end(process)
    time.sleep(0.2)
    for rank in ranks:  # those that a launcher without a daemon leaves behind
        if Path(f"/proc/{rank}/exe").exists():
            send(rank, signal.SIGKILL)


def kill_the_job(trial: Trial) -> None:
    process = trial.start()
    trial.moment()
    kill_tree(process.pid)
    trial.end(process)


def terminate_with_a_second_of_grace(trial: Trial) -> None:
    process = trial.start()
    trial.moment()
    send(process.pid, signal.SIGTERM)
    time.sleep(1.0)
    kill_tree(process.pid)
    trial.end(process)


def signal_one_rank(trial: Trial) -> None:
    process = trial.start()
    trial.moment()
    ranks = trial.ranks_of(process)
    if ranks:
        send(trial.random.choice(ranks), signal.SIGUSR1)
    code = trial.end(process).code
    # Before it listens, a process dies of the signal: 128 + 10.
    assert code in (0, 75, 138), f"exit code {code}"


def on_a_small_disk(trial: Trial, disturb: Callable[[Path], None], size: str) -> None:
    """Runs on a file system of its own, keeps what is there in the end."""
    out = trial.fleet.directory / "out"
    out.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", out])
    if mounted.returncode != 0:
        raise NotTried("needs to mount a file system")
    copy = trial.fleet.directory / "copy"
    try:
        process = trial.start()
        disturb(out)
        trial.end(process)
        shutil.copytree(out, copy)
    finally:
        subprocess.run(["umount", out], check=True)
    shutil.copytree(copy, out, dirs_exist_ok=True)
    shutil.rmtree(copy)


def fill_the_disk(trial: Trial) -> None:
    on_a_small_disk(trial, lambda _: None, size=f"{trial.random.randint(16, 200)}k")


def make_the_disk_read_only(trial: Trial) -> None:
    def disturb(out: Path) -> None:
        trial.moment()
        remount = ["mount", "-o"]
        # Refused as long as a file is open for writing: then the moment comes a little later.
        for _ in range(50):
            if subprocess.run([*remount, "remount,ro", out], capture_output=True).returncode == 0:
                break
            time.sleep(0.01)
        time.sleep(0.3)
        subprocess.run([*remount, "remount,rw", out], check=True)

    on_a_small_disk(trial, disturb, size="8m")


def damage(path: Path, chance: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    if chance.random() < 0.5:
        raw = raw[: chance.randrange(len(raw))]
    else:
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes(raw))


def damage_a_result(trial: Trial) -> None:
    trial.run().expect(0)
    path = trial.random.choice(trial.fleet.cells("out").done())
    damage(path, trial.random)
    told = trial.run()
    assert told.code == 1 and path.name in told.err, f"{path.name} is damaged: {told.text}"
    path.unlink()


def damage_a_checkpoint(trial: Trial) -> None:
    process = trial.start()
    cells = trial.fleet.cells("out")
    while process.poll() is None and not cells.files("*.checkpoint.old"):
        time.sleep(0.005)
    kill_tree(process.pid)
    trial.end(process)
    for path in cells.files("*.checkpoint"):
        damage(path, trial.random)


def turn_the_clock_back(trial: Trial) -> None:
    if shutil.which("faketime") is None:
        raise NotTried("needs faketime")
    kill_the_job(trial)
    with_clock = {"FAKETIME": "-3d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    found = list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    trial.run(environment=with_clock | {"LD_PRELOAD": str(found[0])})


def start_two_jobs(trial: Trial) -> None:
    jobs = [trial.start()]
    time.sleep(trial.random.uniform(0.0, trial.seconds))
    jobs.append(trial.start())
    for job in jobs:
        outcome = trial.end(job)
        assert outcome.code == 0, outcome.text


FAULTS = [
    kill_a_rank,
    kill_the_launcher,
    kill_the_job,
    terminate_with_a_second_of_grace,
    signal_one_rank,
    fill_the_disk,
    make_the_disk_read_only,
    damage_a_result,
    damage_a_checkpoint,
    turn_the_clock_back,
    start_two_jobs,
]


def readable(cells: list[Path]) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in cells}


def attempt(fault: Callable[[Trial], None], trial: Trial, expected: object) -> str:
    """What went wrong, if anything."""
    try:
        fault(trial)
    except AssertionError as error:
        return str(error)
    cells = trial.fleet.cells("out")
    before = readable(cells.done())
    ranks = trial.random.randint(1, 4)
    resumed = trial.fleet.run(
        trial.config, "out", *SETTINGS, "--rerun", "failed", ranks=ranks
    )
    if resumed.code != 0:
        return f"exit code {resumed.code} of the resumed run: {resumed.text[-800:]}"
    if {name: stamp for name, stamp in readable(cells.done()).items() if name in before} != before:
        return "a finished cell was written again"
    if cells.outcomes() != expected:
        return "the outcome differs from that of the undisturbed run"
    left = [path.name for path in cells.files() if not path.name.endswith((".h5", ".tmp"))]
    return f"left behind: {left}" if left else ""


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--trials", type=int, default=50)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    root = Path(tempfile.mkdtemp(prefix="fleet-chaos-"))
    digits = write_digits(root / "digits")

    def fleet_in(name: str) -> tuple[Fleet, Path]:
        (root / name).mkdir()
        fleet = Fleet(root / name, digits)
        return fleet, fleet.config(SWEEP)

    fleet, config = fleet_in("undisturbed")
    began = time.monotonic()
    fleet.run(config, "out", *SETTINGS, ranks=2).expect(0)
    seconds = time.monotonic() - began
    expected = fleet.cells("out").outcomes()

    tally: dict[str, Counter[str]] = {fault.__name__: Counter() for fault in FAULTS}
    for number in range(options.trials):
        fault = FAULTS[number % len(FAULTS)]
        name = fault.__name__
        fleet, config = fleet_in(f"{number}")
        trial = Trial(fleet, config, random.Random(f"{options.seed}/{number}"), seconds)
        try:
            wrong = attempt(fault, trial, expected)
            tally[name]["wrong" if wrong else "fine"] += 1
            if wrong:
                print(f"trial {number}, {name}: {wrong}", flush=True)
                continue
        except NotTried as reason:
            tally[name][f"not tried: {reason}"] += 1
        shutil.rmtree(fleet.directory)

    wrong = sum(counts["wrong"] for counts in tally.values())
    print(f"{'fault':34} outcome")
    for name, counts in tally.items():
        said = ", ".join(f"{count} {what}" for what, count in counts.items()) or "no trial"
        print(f"{name.replace('_', ' '):34} {said}")
    print(f"{options.trials} faults, {wrong} of them with a wrong outcome")
    if wrong == 0:
        shutil.rmtree(root)
    else:
        print(f"what is left of them: {root}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
