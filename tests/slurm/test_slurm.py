"""The job scripts on a real Slurm: a cluster of virtual nodes on this machine, where root and Slurm are there."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import BINARY, ENVIRONMENT, ROOT, Cells, Fleet, digits  # noqa: F401

CLUSTER = Path(__file__).with_name("cluster.sh")
LONG = '\n[sweep.grid]\nmerge.method = ["average", "fleet-merge"]\nseed = [0, 1]\n'
EPOCHS = ("--set", "train.epochs=40", "--set", "merge.every_epochs=10")


class Slurm:
    """Jobs of one test."""

    def __init__(self, environment: dict[str, str], fleet: Fleet) -> None:
        self.environment = environment | {"FLEET": str(BINARY), "FLEET_SLURM": str(ROOT / "slurm")}
        self.fleet = fleet

    def __call__(self, *command: str | Path, **more: str) -> str:
        return subprocess.run(
            [*map(str, command)],
            cwd=self.fleet.directory,
            env=self.environment | more,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def submit(self, script: str, *options: str, sbatch: tuple[str, ...] = (), **more: str) -> str:
        config = self.fleet.config(LONG)
        run = (config, "-o", "out", *EPOCHS, *options, "--set", f"run.data={self.fleet.data}")
        flags = ("--parsable", "--mem-per-cpu=200", *sbatch)
        return self("sbatch", *flags, ROOT / "slurm" / script, *run, **more)

    def field(self, job: str, name: str) -> str:
        fields = self("scontrol", "show", "job", "-o", job).splitlines()[0].split()
        return dict(field.partition("=")[::2] for field in fields)[name]

    def state(self, job: str) -> set[str]:
        shown = self("scontrol", "show", "job", "-o", job)
        return {word[9:] for word in shown.split() if word.startswith("JobState=")}

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + 90
        while not condition():
            assert time.monotonic() < end, f"{what} did not happen\n{self.logs()}"
            time.sleep(0.1)

    def wait_for_end(self, job: str, state: str = "COMPLETED") -> None:
        over = {"COMPLETED", "FAILED", "TIMEOUT", "NODE_FAIL", "CANCELLED"}
        self.wait(lambda: self.state(job) <= over, f"the end of job {job}")
        assert self.state(job) == {state}, self.logs()

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in self.fleet.directory.glob("fleet-*.log"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[dict[str, str]]:
    if os.geteuid() != 0:
        pytest.skip("SKIPPED: a Slurm cluster for tests needs root")
    if shutil.which("slurmctld") is None or shutil.which("munged") is None:
        pytest.skip("SKIPPED: Slurm is not installed (Debian: slurm-wlm, munge)")
    directory = Path(tempfile.mkdtemp(prefix="fleet-slurm-"))
    directory.chmod(0o755)  # munge wants its socket to be reachable
    try:
        # To a file: the daemons keep what they inherit, and a pipe would never end.
        with (directory / "start.log").open("w") as log:
            started = subprocess.run(
                [CLUSTER, "start", directory], check=False, stdout=log, stderr=log
            )
        if started.returncode != 0:
            said = (directory / "start.log").read_text().strip()
            pytest.skip(f"SKIPPED: no Slurm cluster could be started here: {said[-500:]}")
        set_up = f". {directory}/env.sh && env -0"
        raw = subprocess.run(
            ["bash", "-c", set_up], check=True, env=ENVIRONMENT, capture_output=True
        )
        pairs = (pair.partition("=") for pair in raw.stdout.decode().split("\0") if pair)
        environment = {name: value for name, _, value in pairs}
        environment.pop("OMPI_MCA_ess_singleton_isolated", None)
        yield environment
    finally:
        with (directory / "start.log").open("a") as log:
            subprocess.run([CLUSTER, "stop", directory], check=False, stdout=log, stderr=log)
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
    digits: Path,  # noqa: F811
) -> dict[str, dict[str, bytes]]:
    fleet = Fleet(tmp_path_factory.mktemp("undisturbed"), digits)
    fleet.run(fleet.config(LONG), "out", *EPOCHS, ranks=2).expect(0)
    return fleet.cells("out").outcomes()


@pytest.fixture
def slurm(cluster: dict[str, str], tmp_path: Path, digits: Path) -> Slurm:  # noqa: F811
    return Slurm(cluster, Fleet(tmp_path, digits))


def test_a_job_near_its_time_limit_is_requeued_and_goes_on(
    slurm: Slurm, undisturbed: dict[str, dict[str, bytes]]
) -> None:
    job = slurm.submit("sweep.sbatch", sbatch=("--nodes=2", "--ntasks=2"))
    cells = slurm.fleet.cells("out")
    slurm.wait(lambda: bool(cells.files("*.running")), "the first cell")
    slurm("scancel", "--batch", "--signal=USR1", job)  # what --signal=B:USR1 sends
    slurm.wait(lambda: slurm.field(job, "Restarts") == "1", "the requeueing")
    left = unfinished(cells)
    assert left, "it should have been interrupted before its end"
    assert cells.files("*.running") == []
    slurm.wait_for_end(job)
    log = slurm.logs()
    assert "exit code 75" in log
    assert "restart 1" in log
    assert log.rstrip().endswith("exit code 0")
    assert cells.outcomes() == undisturbed


def test_a_preempted_job_goes_on(slurm: Slurm, undisturbed: dict[str, dict[str, bytes]]) -> None:
    job = slurm.submit("sweep.sbatch", sbatch=("--nodes=1", "--ntasks=2"))
    cells = slurm.fleet.cells("out")
    slurm.wait(lambda: bool(cells.files("*.running")), "the first cell")
    slurm("scontrol", "requeue", job)  # TERM to everybody, KILL when KillWait is over
    slurm.wait_for_end(job)
    assert "restart 1" in slurm.logs()
    assert cells.outcomes() == undisturbed


def test_an_array_shares_a_sweep(slurm: Slurm, undisturbed: dict[str, dict[str, bytes]]) -> None:
    job = slurm.submit("array.sbatch", sbatch=("--array=0-1", "--ntasks=2"))
    slurm.wait_for_end(job)
    assert "4 cells" not in slurm.logs(), "each task has its own"
    slurm.fleet("collect", "out").expect(0)
    assert slurm.fleet.cells("out").outcomes() == undisturbed


def test_mpirun_will_do(slurm: Slurm, undisturbed: dict[str, dict[str, bytes]]) -> None:
    tasks = ("--nodes=1", "--ntasks=2")
    job = slurm.submit("sweep.sbatch", sbatch=tasks, FLEET_LAUNCHER="mpirun")
    slurm.wait_for_end(job)
    assert slurm.fleet.cells("out").outcomes() == undisturbed


def test_some_tasks_of_an_array_are_submitted_again_only_if_it_is_said_of_how_many(
    slurm: Slurm, undisturbed: dict[str, dict[str, bytes]]
) -> None:
    slurm.wait_for_end(
        slurm.submit("array.sbatch", sbatch=("--array=0", "--ntasks=2"), FLEET_SHARDS="2")
    )
    refused = slurm.submit("array.sbatch", sbatch=("--array=1", "--ntasks=2"))
    slurm.wait_for_end(refused, "FAILED")
    assert "say of how many they are" in slurm.logs()
    assert 0 < len(slurm.fleet.cells("out").done()) < len(undisturbed)
    slurm.wait_for_end(
        slurm.submit("array.sbatch", sbatch=("--array=1", "--ntasks=2"), FLEET_SHARDS="2")
    )
    assert slurm.fleet.cells("out").outcomes() == undisturbed


def unfinished(cells: Cells) -> set[str]:
    return set(cells.labels()) - {path.name.split(".")[0] for path in cells.done()}
