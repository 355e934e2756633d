"""What a command costs: time, processor time and memory of all the processes that it starts."""

import ctypes
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLES_EVERY = 0.2  # seconds
PATIENCE = 10.0  # seconds that orphans have to end
SET_CHILD_SUBREAPER = 36  # of prctl
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    seconds: float
    processor_seconds: float
    memory_mib: float
    code: int
    said: str
    complained: str


@dataclass(frozen=True)
class Process:
    parent: int
    begun: int
    ticks: int


def processes() -> dict[int, Process]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        ticks = int(fields[11]) + int(fields[12])
        found[int(folder.name)] = Process(int(fields[1]), int(fields[19]), ticks)
    return found


def descendants(root: int, all_of_them: Mapping[int, Process]) -> set[int]:
    found: set[int] = set()
    newest = {root}
    while newest:
        newest = {pid for pid, process in all_of_them.items() if process.parent in newest} - found
        found |= newest
    return found


def proportional_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


class Sampler(threading.Thread):
    """Looks at all descendants of this process until it is told to stop."""

    def __init__(self, child: int) -> None:
        super().__init__()
        self.peak_kib = 0
        self._child = child
        self._ticks: dict[tuple[int, int], int] = {}
        self._enough = threading.Event()

    def run(self) -> None:
        while not self._enough.wait(SAMPLES_EVERY):
            now = processes()
            family = descendants(os.getpid(), now)
            for pid in family:
                self._ticks[pid, now[pid].begun] = now[pid].ticks
            self.peak_kib = max(self.peak_kib, sum(map(proportional_kib, family)))
            for pid in family - {self._child}:
                if now[pid].parent == os.getpid():
                    reap(pid)

    def stop(self) -> None:
        self._enough.set()
        self.join()

    @property
    def processor_seconds(self) -> float:
        return sum(self._ticks.values()) / TICKS


def reap(orphan: int) -> None:
    """If it has ended; those who started it may wait for it to vanish."""
    with suppress(ChildProcessError):
        os.waitpid(orphan, os.WNOHANG)


def reaped_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def adopt_orphans() -> None:
    """Processes whose parent ends become children of this one, so that their time is told to it."""
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_family() -> None:
    for pid in descendants(os.getpid(), processes()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def reap_orphans() -> None:
    deadline = time.monotonic() + PATIENCE
    killed = False
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            if not killed and time.monotonic() > deadline:
                kill_family()
                killed = True
            time.sleep(0.02)


def cost_of(command: list[str], environment: Mapping[str, str], folder: Path, limit: float) -> Cost:
    """Runs a command in a folder. No other child of this process may be alive.

    The kernel tells the processor time of children that were waited for. A parent that ignores its
    children's end (Ray's does) hides theirs; so what the samples add up to is taken where it is more.
    """
    adopt_orphans()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        before, begin = reaped_seconds(), time.perf_counter()
        child = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
        sampler = Sampler(child.pid)
        sampler.start()
        try:
            code = child.wait(limit)
        except subprocess.TimeoutExpired:
            kill_family()
            code = child.wait()
        finally:
            seconds = time.perf_counter() - begin
            sampler.stop()
            reap_orphans()
        output.seek(0)
        errors.seek(0)
        return Cost(
            seconds,
            max(reaped_seconds() - before, sampler.processor_seconds),
            sampler.peak_kib / 1024,
            code,
            output.read(),
            errors.read(),
        )
