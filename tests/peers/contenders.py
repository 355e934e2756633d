"""Who is measured: a program that does a job, what it has cost so far, or why it cannot."""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from math import nan
from pathlib import Path

from environments import Skipped, last_line, python_of, tell
from measure import Cost, cost_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))

LIMIT = 3600.0  # seconds of a run
os.environ |= {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Place:
    """Where programs and data are."""

    fleet: str
    mpirun: str
    sources: Path  # a folder for each data set
    folder: Path  # for environments of Python, and below data/ for what jobs read

    @property
    def data(self) -> Path:
        return self.folder / "data"


@dataclass(frozen=True)
class Figures:
    seconds: float
    part_ms: float  # of what the job's kind names; nan: not known
    processor_seconds: float
    memory_mib: float
    accuracy: float


Found = tuple[Figures, dict[str, str]]  # with versions


@dataclass
class Contender:
    name: str
    run: Callable[[], Found]
    figures: list[Figures] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    skipped: str = ""

    def measure(self) -> None:
        if self.skipped:
            return
        try:
            found, self.versions = self.run()
            self.figures.append(found)
            tell(f"  {found.seconds:.1f} s, accuracy {100 * found.accuracy:.1f} %")
        except Skipped as why:
            self.skipped = str(why)
            tell(f"  skipped: {why}")

    def median(self) -> Figures:
        columns = zip(*map(astuple, self.figures), strict=True)
        return Figures(*map(statistics.median, columns))


def figures_of(cost: Cost, accuracy: float, part_ms: float = nan) -> Figures:
    return Figures(cost.seconds, part_ms, cost.processor_seconds, cost.memory_mib, accuracy)


def checked_cost(command: list[str]) -> Cost:
    """Runs it in a folder of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        cost = cost_of(command, os.environ, Path(scratch), LIMIT)
    if cost.code != 0:
        raise Skipped(f"exit code {cost.code}: {last_line(cost.complained or cost.said)}")
    return cost


def report_in(said: str) -> dict[str, object]:
    """Others may have the last word."""
    lines = [line for line in said.splitlines() if line.startswith('{"versions"')]
    if not lines:
        raise Skipped(f"it reports nothing: {last_line(said)}")
    return json.loads(lines[-1])


def peer_cost(name: str, folder: Path, words: list[str]) -> tuple[Cost, dict[str, object]]:
    """Of a peer's script, with what it reports."""
    python, script = python_of(name, folder), HERE / f"with_{name}.py"
    if not script.exists():
        raise Skipped(f"{script.name} is not written")
    cost = checked_cost([str(python), str(script), *words])
    return cost, report_in(cost.said)
