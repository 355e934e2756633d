"""Breaks runs of a sweep in every way we know, resumes them, and compares with an undisturbed run.

    PYTHONPATH=tests/end_to_end python tests/chaos/chaos.py [--trials 50] [--seed 0] [--only kill]

After each fault: no finished cell is lost or written again, what is damaged is named, and the resumed sweep, on another
number of ranks, gives the same bits. Whoever looks on meanwhile (status, collect, fleet-analysis) sees what is there or
says why not. Prints a tally; exits with 1 if anything was otherwise.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import conftest
import pytest
from conftest import Fleet, Outcome, finish, kill_tree, ranks_of, write_digits

SWEEP = '\n[sweep.grid]\nmerge.method = ["average", "regression"]\nseed = [0, 1]\n'
SETTINGS = (
    *("--set", "train.epochs=12", "--set", "merge.every_epochs=2"),
    *("--set", "merge.regression.head_iterations=5"),
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
        return self.fleet.start("run", self.config, "-o", "out", *SETTINGS, ranks=ranks, **options)

    def moment(self) -> None:
        time.sleep(self.random.uniform(0.0, 1.1 * self.seconds))

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
    ranks = ranks_of(process)
    if ranks:
        send(trial.random.choice(ranks), signal.SIGKILL)
    trial.end(process)


def kill_the_launcher(trial: Trial) -> None:
    process = trial.start()
    trial.moment()
    ranks = ranks_of(process)
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
    ranks = ranks_of(process)
    if ranks:
        send(trial.random.choice(ranks), signal.SIGUSR1)
    code = trial.end(process).code
    # Before it listens, a process dies of the signal, 10: launchers make 138 or 10 of that.
    assert code in (0, 75, 138, 10), f"exit code {code}"


ANALYSIS = Path(sys.executable).with_name("fleet-analysis")


@contextmanager
def onlookers(trial: Trial) -> Iterator[None]:
    """Those who ask all the time how the sweep is getting on. What they are told is checked at the end."""
    over = threading.Event()
    wrong: list[str] = []
    binary, joined = str(conftest.BINARY), str(trial.fleet.directory / "looked.h5")
    questions = [
        [binary, "status", "out", "--all"],
        [binary, "collect", "out", "-o", joined],
        [str(ANALYSIS), "table", "out"],
        [str(ANALYSIS), "report", "out", "-o", str(trial.fleet.directory / "looked.html")],
    ]

    def ask(question: list[str]) -> None:
        while not over.is_set():
            done = subprocess.run(
                question,
                cwd=trial.fleet.directory,
                env=conftest.ENVIRONMENT,
                capture_output=True,
                text=True,
                check=False,
            )
            said = done.stdout + done.stderr
            untrue = any(word in said for word in ("Traceback", "damaged", "std::", "terminate"))
            if done.returncode not in (0, 1, 2) or untrue:
                wrong.append(f"{question[:2]}: exit code {done.returncode}: {said[-400:]}")

    asking = [threading.Thread(target=ask, args=(question,)) for question in questions]
    for each in asking:
        each.start()
    try:
        yield
    finally:
        over.set()
        for each in asking:
            each.join()
    assert not wrong, f"{len(wrong)} wrong answers, such as {wrong[0]}"


def share_the_directory(trial: Trial) -> None:
    """Two to four jobs at once, of which some are killed and started again."""
    with onlookers(trial):
        jobs = [trial.start() for _ in range(trial.random.randint(2, 4))]
        for _ in range(trial.random.randint(1, 3)):
            time.sleep(trial.random.uniform(0.0, 2.0 * trial.seconds))
            victim = trial.random.randrange(len(jobs))
            kill_tree(jobs[victim].pid)
            trial.end(jobs[victim])
            jobs[victim] = trial.start()
        for job in jobs:
            outcome = trial.end(job)
            assert outcome.code == 0, outcome.text


def on_a_small_disk(trial: Trial, disturb: Callable[[Path], None], size: str) -> None:
    """Runs on a file system of its own, keeps what is there in the end."""
    out = trial.fleet.directory / "out"
    out.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", out]
    mounted = subprocess.run(mount, check=False)
    if mounted.returncode != 0:
        raise NotTried("needs to mount a file system")
    copy = trial.fleet.directory / "copy"
    try:
        with onlookers(trial):
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
            refused = subprocess.run(
                [*remount, "remount,ro", out], check=False, capture_output=True
            )
            if refused.returncode == 0:
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
    share_the_directory,
]


def readable(cells: list[Path]) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in cells}


def attempt(fault: Callable[[Trial], None], trial: Trial, expected: object) -> str:
    """What went wrong, if anything."""
    try:
        fault(trial)
        return compare(trial, expected)
    except (AssertionError, pytest.fail.Exception) as error:
        return str(error)


def compare(trial: Trial, expected: object) -> str:
    """Resumes the sweep; what is wrong then, if anything."""
    cells = trial.fleet.cells("out")
    before = readable(cells.done())
    ranks = trial.random.randint(1, 4)
    resumed = trial.fleet.run(trial.config, "out", *SETTINGS, "--rerun", "failed", ranks=ranks)
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
    arguments.add_argument("--only", default="", help="faults whose names contain this")
    options = arguments.parse_args()
    faults = [fault for fault in FAULTS if options.only in fault.__name__]
    root = Path(tempfile.mkdtemp(prefix="fleet-chaos-"))
    digits = write_digits(root / "digits")

    def fleet_in(name: str) -> tuple[Fleet, Path]:
        (root / name).mkdir()
        fleet = Fleet(root / name, digits)
        return fleet, fleet.config(SWEEP)

    conftest.ENVIRONMENT["OMPI_MCA_mpi_yield_when_idle"] = "1"  # with more ranks than cores
    conftest.SECONDS = 300
    fleet, config = fleet_in("undisturbed")
    began = time.monotonic()
    fleet.run(config, "out", *SETTINGS, ranks=2).expect(0)
    seconds = time.monotonic() - began
    expected = fleet.cells("out").outcomes()

    tally: dict[str, Counter[str]] = {fault.__name__: Counter() for fault in faults}
    for number in range(options.trials):
        fault = faults[number % len(faults)]
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
