"""Drives the built program as a user would, on a small data set in MNIST's format.

FLEET_BINARY names the program (build/release/fleet by default) and MPIEXEC the launcher (mpirun).
"""

import atexit
import functools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
BINARY = (ROOT / os.environ.get("FLEET_BINARY", "build/release/fleet")).resolve()
MPIEXEC = os.environ.get("MPIEXEC", "mpirun")
SECONDS = 300  # a hang, on a machine however busy


def blas_core() -> dict[str, str]:
    """The kernels that the program would choose; named beforehand, it need not start twice."""
    flags = Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split()
    if {"avx512f", "avx512dq"} <= set(flags):
        return {"OPENBLAS_CORETYPE": "SkylakeX"}
    return {"OPENBLAS_CORETYPE": "Haswell"} if "avx2" in flags else {}


def own_folder() -> str:
    """For what MPI writes while it runs: programs without a launcher remove each other's."""
    folder = tempfile.mkdtemp(prefix="fleet-mpi-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


ENVIRONMENT = (
    blas_core()
    | os.environ
    | {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        # Faster to start: no search for a network, no daemon for a program without launcher.
        "OMPI_MCA_pml": "ob1",
        "OMPI_MCA_ess_singleton_isolated": "1",
        "OMPI_MCA_orte_tmpdir_base": own_folder(),
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "XDG_CACHE_HOME": str(BINARY.parent / "cache"),
    }
)

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"

BASE = """\
workload = "mnist"

[data]
held_out = 0.1

[fleet]
robots = 5
alpha = 1.0

[model]
hidden = [12, 8]

[train]
epochs = 2
batch_size = 32

[merge]
fleet-merge.epochs = 2
fleet-merge.steps = 3
fleet-merge.batch_size = 32
"""


def idx(array: NDArray[np.uint8]) -> bytes:
    """The bytes of an IDX file."""
    header = bytes([0, 0, 8, array.ndim])
    return header + np.array(array.shape, dtype=">u4").tobytes() + array.tobytes()


def write_digits(directory: Path, seed: int = 7) -> Path:
    """Ten classes of noisy 8x8 patterns; enough test images for three parts of the test set."""
    directory.mkdir(parents=True)
    random = np.random.default_rng(seed)
    patterns = random.integers(0, 160, (10, 8, 8))
    for images, labels, count in [
        (TRAIN_IMAGES, TRAIN_LABELS, 600),
        (TEST_IMAGES, TEST_LABELS, 2100),
    ]:
        classes = (np.arange(count) % 10).astype(np.uint8)
        random.shuffle(classes)
        pixels = patterns[classes] + random.integers(0, 95, (count, 8, 8))
        (directory / images).write_bytes(idx(pixels.astype(np.uint8)))
        (directory / labels).write_bytes(idx(classes))
    return directory


@functools.cache
def starts_different_commands() -> bool:
    """Whether the launcher can: that of Open MPI 5.0.7 dies of it, whatever it starts."""
    command = [*MPIEXEC.split(), "-n", "1", "true", ":", "-n", "1", "true"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=False)
    return done.returncode == 0


def require_different_commands() -> None:
    """Skips where `mpirun COMMAND : COMMAND` does not work."""
    if not starts_different_commands():
        pytest.skip(f"{MPIEXEC} cannot start ranks with different command lines")


@dataclass
class Outcome:
    """How a run of the program ended."""

    code: int
    out: str
    err: str

    def __post_init__(self) -> None:
        self.text = self.out + self.err

    def expect(self, code: int) -> "Outcome":
        assert self.code == code, f"exit code {self.code}, expected {code}\n{self.text}"
        return self


@dataclass
class Fleet:
    """The program, run in a directory of its own."""

    directory: Path
    data: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def config(self, text: str = "", name: str = "sweep", base: str = BASE) -> Path:
        path = self.directory / f"{name}.toml"
        path.write_text(base + text)
        return path

    def command(self, arguments: Sequence[str | Path], ranks: int, data: bool) -> list[str]:
        line = [] if ranks == 0 else [MPIEXEC, "-n", str(ranks)]
        line += [str(BINARY), *map(str, arguments)]
        return [*line, "--set", f"run.data={self.data}"] if data else line

    def start(
        self,
        *arguments: str | Path,
        ranks: int = 0,
        data: bool | None = None,
        before: Callable[[], None] | None = None,
        environment: dict[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """`ranks` 0: without the launcher. `data`: say where the data is; for run and plan."""
        wants_data = arguments[0] in ("run", "plan") if data is None else data
        process = subprocess.Popen(
            self.command(arguments, ranks, wants_data),
            cwd=self.directory,
            env=ENVIRONMENT | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,
        )
        self.started.append(process)
        return process

    def __call__(self, *arguments: str | Path, **options: Any) -> Outcome:
        return finish(self.start(*arguments, **options))

    def run(self, config: Path, output: str, *arguments: str, ranks: int = 0) -> Outcome:
        return self("run", config, "-o", output, *arguments, ranks=ranks)

    def cells(self, output: str) -> "Cells":
        return Cells(self.directory / output)

    def everything(self) -> set[Path]:
        return set(self.directory.rglob("*"))


def finish(process: subprocess.Popen[str]) -> Outcome:
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        kill_tree(process.pid)
        out, err = process.communicate()
        pytest.fail(f"no end after {SECONDS} s:\n{out}{err}")
    return Outcome(process.returncode, out, err)


def children(pid: int) -> list[int]:
    """Processes that `pid` started and that are still there."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == pid:
            found.append(int(entry.name))
    return sorted(found)


def descendants(pid: int) -> list[int]:
    return [each for child in children(pid) for each in [child, *descendants(child)]]


def ranks_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes of the program that the launcher started, itself or by a helper of its own."""
    return [pid for pid in descendants(process.pid) if program_of(pid) == BINARY.name]


def program_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/exe").readlink().name
    except OSError:  # it has ended meanwhile
        return ""


def kill_tree(pid: int) -> None:
    for process in [pid, *descendants(pid)]:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Polls; fails when the process ends or the time is up before."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, f"ended early: {finish(process).text}"
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


class Cells:
    """A sweep's directory as it lies on the disk."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def files(self, pattern: str = "*") -> list[Path]:
        return sorted((self.directory / "cells").glob(pattern))

    def done(self) -> list[Path]:
        return [path for path in self.files("*.h5") if not path.name.endswith(".failed.h5")]

    def failed(self) -> list[Path]:
        return self.files("*.failed.h5")

    def labels(self) -> dict[str, str]:
        lines = (self.directory / "cells.tsv").read_text().splitlines()
        return dict(line.split("\t", 1) for line in lines)

    def stamps(self) -> dict[str, tuple[int, int]]:
        """Changes for a file that is written again."""
        return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in self.files("*.h5")}

    def outcomes(self) -> dict[str, dict[str, bytes]]:
        """Cell id -> all that must not depend on how the cell was run, byte for byte."""
        return {path.name.split(".")[0]: outcome(path) for path in self.files("*.h5")}


def outcome(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with h5py.File(path) as file:
        for table in ("metrics", "shards", "traffic", "instruments"):
            if table in file:  # only of cells that have some
                found[table] = file[table][:].tobytes()
        rounds = file["rounds"][:]
        for column in ("round", "epoch", "participants", "merge_iterations"):
            found[f"rounds.{column}"] = rounds[column].tobytes()
        found["reason"] = file["cells"][0]["reason"].tobytes()

        def keep(name: str, item: h5py.Dataset | h5py.Group) -> None:
            if isinstance(item, h5py.Dataset):
                found[item.name] = repr(item.shape).encode() + item[()].tobytes()

        for group in ("weights", "permutations", "bases"):
            if group in file:
                file[group].visititems(keep)
    return found


def table(path: Path, name: str) -> pd.DataFrame:
    """As the documentation says: pandas straight from h5py; texts decoded."""
    with h5py.File(path) as file:
        frame = pd.DataFrame(file[name][:])
    for column in frame.columns:
        if frame[column].dtype == object or str(frame[column].dtype).startswith("bytes"):
            frame[column] = frame[column].str.decode("utf-8")
    return frame


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_digits(tmp_path_factory.mktemp("data") / "digits")


@pytest.fixture
def fleet(tmp_path: Path, digits: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, digits)
    yield fleet
    for process in fleet.started:
        if process.poll() is None:
            kill_tree(process.pid)
            process.communicate()


@pytest.fixture(scope="session")
def methods() -> list[str]:
    """Every merging method for networks with hidden units that needs no program of one's own."""
    listing = subprocess.run(
        [BINARY, "list"], env=ENVIRONMENT, capture_output=True, text=True, check=True
    ).stdout
    names: list[str] = []
    section = ""
    for line in listing.splitlines():
        if not line.startswith(" "):
            section = line
        elif section.startswith("methods") and not re.search("linear policies|your own", line):
            names.append(line.split()[0])
    assert {"average", "fleet-merge", "local", "joint"} <= set(names)
    return names
