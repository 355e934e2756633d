"""The same federated jobs with fleet and with its peers, one after the other, several times.

    python run.py [--jobs lr,mlp] [--peers torch,pfl,flower,appfl,blazefl] [--repeats 3] [-o peers.md]

Every peer is installed by pip into an environment of its own below build/peers; that takes minutes and
8 GB once. To have newer ones, delete that folder. Who cannot be installed, or fails, is said to be skipped.

All read one deal of the data (data.py): fleet as `run.split`, the peers as arrays. First weights, a
round's clients and the order of images come from streams of their own. fleet, bare
torch.distributed and pfl have two processes, Flower two actors of one core; APPFL's simulation is one
process. A process has one thread.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from pathlib import Path

import h5py
import numpy as np
from environments import PACKAGES, Skipped, last_line, python_of, tell
from jobs import FIRST_ROUNDS, JOBS, WORKERS, Job
from measure import Cost, cost_of

import data

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))

from runs import mnist_run

LIMIT = 3600.0  # seconds of a run
NEAR = 0.015  # accuracies of the same work
ENVIRONMENT = os.environ | {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Figures:
    seconds: float
    round_ms: float
    processor_seconds: float
    memory_mib: float
    accuracy: float


@dataclass
class Contender:
    name: str
    run: Callable[[Job], tuple[Figures, dict[str, str]]]
    figures: list[Figures] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    skipped: str = ""

    def measure(self, job: Job) -> None:
        if self.skipped:
            return
        try:
            found, self.versions = self.run(job)
            self.figures.append(found)
            tell(f"  {found.seconds:.1f} s, accuracy {100 * found.accuracy:.1f} %")
        except Skipped as why:
            self.skipped = str(why)
            tell(f"  skipped: {why}")

    def median(self) -> Figures:
        columns = zip(*map(astuple, self.figures), strict=True)
        return Figures(*map(statistics.median, columns))


def report_in(said: str) -> str:
    """Others may have the last word."""
    lines = [line for line in said.splitlines() if line.startswith('{"accuracy"')]
    if not lines:
        raise Skipped(f"it reports nothing: {last_line(said)}")
    return lines[-1]


def checked(cost: Cost) -> Cost:
    if cost.code != 0:
        raise Skipped(f"exit code {cost.code}: {last_line(cost.complained or cost.said)}")
    return cost


def peer_run(name: str, folder: Path) -> Callable[[Job], tuple[Figures, dict[str, str]]]:
    def run(job: Job) -> tuple[Figures, dict[str, str]]:
        python, script = python_of(name, folder), HERE / f"with_{name}.py"
        if not script.exists():
            raise Skipped(f"{script.name} is not written")
        command = [str(python), str(script), job.name, str(folder / "data" / f"{job.name}.npz")]
        with tempfile.TemporaryDirectory() as scratch:
            cost = checked(cost_of(command, ENVIRONMENT, Path(scratch), LIMIT))
        found = json.loads(report_in(cost.said))
        return figures_of(cost, found["round_ms"], found["accuracy"]), found["versions"]

    return run


def figures_of(cost: Cost, round_ms: float, accuracy: float) -> Figures:
    return Figures(cost.seconds, round_ms, cost.processor_seconds, cost.memory_mib, accuracy)


def settings(job: Job, mnist: Path, split: Path) -> dict[str, object]:
    """The job as fleet says it."""
    return {
        "run.data": mnist,
        "run.split": split,
        "run.checkpoint.every_minutes": 0.0,
        "data.held_out": 0.0,
        "data.standardize": "false",
        "fleet.robots": job.clients,
        "fleet.initialization": "common",
        "model.hidden": list(job.hidden),
        "train.epochs": job.rounds,
        "train.robots": "participants",
        "train.batch_size": job.batch,
        "train.optimizer": "sgd",
        "train.learning_rate": job.learning_rate,
        "evaluate.every_rounds": 0,
        "evaluate.local": "never",
        "merge.method": "average",
        "merge.every_epochs": 1,
        "merge.participants": job.cohort,
    }


def text_of(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def results(path: Path) -> tuple[float, float, dict[str, str]]:
    """Milliseconds of a round, the accuracy at the end, and versions."""
    with h5py.File(path) as file:
        rounds, metrics = file["rounds"][:], file["metrics"][:]
        told = {key: text_of(value) for key, value in file["provenance"].attrs.items()}
    parts = [name for name in rounds.dtype.names if name.startswith("seconds_")]
    seconds = np.sum([rounds[name] for name in parts], axis=0)
    reached = metrics[(metrics["metric"] == b"accuracy") & (metrics["robot"] == -1)]["value"][-1]
    versions = {
        "fleet": f"{told['fleet_version']} ({told['git_revision']})",
        "MPI": told["mpi"],
        "LibTorch": told["libtorch"],
        "BLAS": " ".join(told["blas"].split()[:2]),
    }
    return 1e3 * float(np.median(seconds[FIRST_ROUNDS:])), float(reached), versions


def fleet_run(
    program: str, mpirun: str, mnist: Path, folder: Path
) -> Callable[[Job], tuple[Figures, dict[str, str]]]:
    def run(job: Job) -> tuple[Figures, dict[str, str]]:
        chosen = settings(job, mnist, folder / "data" / f"{job.name}.split.csv")
        with tempfile.TemporaryDirectory() as scratch:
            output = Path(scratch) / job.name
            command = mnist_run(program, mpirun, WORKERS, chosen, output)
            cost = checked(cost_of(command, ENVIRONMENT, Path(scratch), LIMIT))
            round_ms, accuracy, versions = results(output.with_suffix(".h5"))
        return figures_of(cost, round_ms, accuracy), versions

    return run


def beside(value: float, fleet: float, digits: int) -> str:
    ratio = value / fleet
    return f"{value:,.{digits}f} ({ratio:.{0 if ratio >= 9.95 else 1}f} x)"


def row(contender: Contender, fleet: Figures) -> str:
    if contender.skipped:
        return f"| {contender.name} | skipped: {contender.skipped} | | | | |"
    own = contender.median()
    cells = [
        beside(own.seconds, fleet.seconds, 1),
        beside(own.round_ms, fleet.round_ms, 1),
        beside(own.processor_seconds, fleet.processor_seconds, 1),
        beside(own.memory_mib, fleet.memory_mib, 0),
        f"{100 * own.accuracy:.1f}",
    ]
    return f"| {contender.name} | {' | '.join(cells)} |"


def described(job: Job) -> str:
    return (
        f"{job.title}: {job.clients} clients of {job.samples} images, {job.cohort} a round, "
        f"batch {job.batch}, one local epoch, rate {job.learning_rate}, {job.rounds} rounds"
    )


def table(job: Job, contenders: list[Contender]) -> str:
    fleet = contenders[0].median()
    lines = [
        f"## {described(job)}",
        "",
        "| | whole job, s | a round, ms | processor, s | memory, MiB | accuracy, % |",
        "|---|---|---|---|---|---|",
        *(row(contender, fleet) for contender in contenders),
        "",
        *versions(contenders),
    ]
    reached = [contender.median().accuracy for contender in contenders if contender.figures]
    if max(reached) - min(reached) > NEAR:
        points = 100 * (max(reached) - min(reached))
        lines += [
            "",
            f"**The accuracies differ by {points:.1f} points: this was not the same work.**",
        ]
    return "\n".join([*lines, ""])


def versions(contenders: list[Contender]) -> list[str]:
    return [
        f"- {one.name}: " + ", ".join(f"{name} {found}" for name, found in one.versions.items())
        for one in contenders
        if one.versions
    ]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fleet", default=str(ROOT / "build" / "release" / "fleet"))
    parser.add_argument("--mpirun", default="mpirun")
    parser.add_argument("--mnist", type=Path, default=ROOT / "data" / "mnist")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "peers")
    parser.add_argument("--jobs", default=",".join(JOBS))
    parser.add_argument("--peers", default=",".join(PACKAGES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("-o", dest="output", type=Path, default=Path("peers.md"))
    return parser.parse_args()


def measured(job: Job, words: argparse.Namespace) -> str:
    folder = words.folder.resolve()
    program, mnist = str(Path(words.fleet).resolve()), words.mnist.resolve()
    contenders = [Contender("fleet", fleet_run(program, words.mpirun, mnist, folder))]
    contenders += [Contender(name, peer_run(name, folder)) for name in words.peers.split(",")]
    data.write(job, mnist, folder / "data")
    for repeat in range(words.repeats):
        for contender in contenders:
            tell(f"{job.name}, {repeat + 1} of {words.repeats}: {contender.name}")
            contender.measure(job)
            if contenders[0].skipped:
                sys.exit(f"fleet has not run: {contenders[0].skipped}")
    return table(job, contenders)


def main() -> None:
    words = arguments()
    words.folder.mkdir(parents=True, exist_ok=True)
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the beginning"
    heading = f"Medians of {words.repeats}, interleaved; in brackets: times fleet's. {load}."
    pages = [f"# fleet and its peers\n\n{heading}\n"]
    for name in words.jobs.split(","):
        pages.append(measured(JOBS[name], words))
        words.output.write_text("\n".join(pages))
    print("\n".join(pages))


if __name__ == "__main__":
    main()
