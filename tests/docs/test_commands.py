"""Every fenced command and program of the documentation is run as a reader would run it, or it
says here why not. Sweeps are cut short, on data of the same formats.

FLEET_BINARY names the program (build/release/fleet by default), MPIEXEC the launcher (mpirun).
"""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

from test_docs import BINARY, FENCE, PAGES, ROOT, fences

MPIEXEC = os.environ.get("MPIEXEC", "mpirun")
SECONDS = 300
#: Of fleets of one's own, and for what is traced.
WITH_PYTORCH = ROOT / ".venv-debian/bin/python"

SCENES = os.environ.get("METAWORLD_ASSETS", str(ROOT / "data/metaworld"))
BODIES = os.environ.get("LOCOMOTION_ASSETS", str(ROOT / "data/locomotion"))

#: What is not run, and why.
NOT_RUN = {
    r"make\b": "installs, builds or tests; that it has the target is checked",
    r"cmake\b": "builds for minutes; that it has the preset is checked",
    r"scripts/install-system.sh\b": "builds and installs: containers' recipes run it",
    r"ctest\b": "runs tests; that it has the preset is checked",
    r"\S*python3? -m (pytest|ruff)\b": "runs tests",
    r"(\w+=\S+ )?\S*python -m pytest\b": "runs tests",
    r"\S*fleet-analysis claims\b": "needs whole sweeps; tests of analysis/ make pages of others",
    r"\S*python tests/peers/run.py\b": "installs 8 GB",
    r"\S*python tests/benchmarks/bench.py\b": "measures for minutes",
    r"sudo \S+ \S*python tests/benchmarks/network.py\b": "takes minutes: tests/hosts is quicker",
    r"export\b": "is for the reader's shell",
    r"python3 -m venv\b": "makes a place to install in",
    r"pip install\b": "installs: the tests have the package in a place of their own",
    r"fleet data fetch cifar": "downloads 140 MB; tests/data fetches from places of its own",
    r"python -m fleet cifar\b": "needs CIFAR's pickles; tests of python/ convert some",
    r"python scripts/make_encoder.py\b": "downloads weights; tests of python/ do so",
    r"python -m fleet leaf\b": "needs LEAF's data; tests of python/ convert some",
    r"python -m fleet symmetry .*int64": "is for another module than the page's",
    r"(\w+=\S+ )?sbatch\b": "asks Slurm: tests/slurm submits these scripts to a cluster of its own",
}

#: Of a sweep, what makes it short: seconds in place of minutes or hours.
SHORT = {
    "quickstart": "data.samples=600 train.epochs=2 model.hidden=[8] sweep.grid.seed=[0,1] "
    "sweep.grid.fleet.alpha=[0.1,1.0] sweep.grid.merge.method=['average','regression']",
    "smoke": "data.samples=400",
    "barriers": "data.samples=400 train.epochs=1 instruments.points=3 model.hidden=[8] seed=0 "
    "merge.fleet-merge.epochs=1 merge.fleet-merge.steps=2",
    "shakespeare_one_shot": "run.data=plays.txt run.save_weights=true train.epochs=1 seed=0 "
    "fleet.robots=2 merge.method=average model.hidden=[8] data.window=20",
    "lqr_multi_task": "train.epochs=20 seed=0",
    "lqg_single_task": "train.epochs=20 seed=0",
    "lqg_multi_task": "train.epochs=20 seed=0",
    "lqg_sign_flips": "train.epochs=20 seed=0",
    "sines": "train.epochs=2 sweep.grid.seed=[0] sweep.grid.external.settings.spread=[1.0] "
    "sweep.grid.merge.method=['average','regression']",
    "tools_one_shot": "train.epochs=1 seed=0 fleet.alpha=1.0 evaluate.episodes=1 "
    "evaluate.max_steps=5 model.hidden=[8] merge.method=average",
    "control_online": "train.epochs=1 train.epoch_episodes=1 seed=0 merge.method=average "
    "merge.every_epochs=1 evaluate.episodes=1",
    "locomotion_snapshots": "train.epochs=2 train.directions=1 train.best=1 "
    "train.epoch_episodes=2 evaluate.episodes=1 evaluate.max_steps=30",
    "locomotion_transformers": "train.epoch_steps=2 seed=0 merge.method=average model.width=8 "
    "fleet.initialization=common evaluate.episodes=1 evaluate.max_steps=5 "
    "instruments.personal_steps=1 instruments.personal_every=1",
    "metaworld_pixels": "train.epochs=1 evaluate.episodes=1 evaluate.max_steps=5 model.hidden=[8]",
    "metaworld_mt10": "train.epochs=1 seed=0 fleet.alpha=1.0 evaluate.episodes=1 "
    "evaluate.max_steps=5 model.hidden=[8] merge.method=average run.save_models=merged",
}

#: What commands find in the reader's folder, and how it came there.
MADE_BY = {
    "results/quickstart": "mpirun -n 2 fleet run configs/quickstart.toml",
    "results/barriers": "mpirun -n 2 fleet run configs/barriers.toml",
    "results/shakespeare_one_shot": "fleet run configs/shakespeare_one_shot.toml",
    "results/heterogeneity.h5": "cp results/quickstart.h5 results/heterogeneity.h5",
    "before.h5": "cp results/quickstart.h5 before.h5",
    "after.h5": "cp results/quickstart.h5 after.h5",
    "robot-0.h5": "cp $(ls -d results/barriers/models/* | head -1)/*.h5 .",
    "demos.h5": "fleet metaworld demos --tasks mt10 --episodes 2 -o demos.h5",
    "results/locomotion_transformers": "fleet run configs/locomotion_snapshots.toml; "
    "mkdir -p data/trajectories; for body in hopper halfcheetah; do fleet locomotion demos "
    "--policies results/locomotion_snapshots/models --task $body --quality medium-expert "
    "--steps 1500 -o data/trajectories/$body-medium-expert.h5; done; "
    "fleet run configs/locomotion_transformers.toml",
    "lite0.pt": "python make_encoder.py",
    "tools.h5": "fleet tools demos --tasks all --episodes 2 -o tools.h5",
    "policy.h5": "test -f demos.h5 || fleet metaworld demos --tasks mt10 --episodes 2 -o demos.h5; "
    "fleet run configs/metaworld_mt10.toml -o results/before; "
    "cp results/before/models/*/merged*.h5 policy.h5",
    "policy.symmetry.json": "python -m fleet symmetry policy:make --input 1,39 "
    "-o policy.symmetry.json",
}

#: What stands for a reader's own, and what makes commands short.
STANDS_FOR = {
    r"fleet slurm CONFIG": "fleet run configs/smoke.toml && fleet slurm configs/smoke.toml",
    r"\bCONFIG\b": "configs/smoke.toml",
    r"--episodes \d+": "--episodes 2",
    r"--steps \d+": "--steps 1500",
    r"demos --tasks mt50": "demos --tasks mt10 --episodes 2",
}


def units(code: str) -> Iterator[str]:
    """The commands of a shell block, one by one; a loop is one."""
    lines: list[str] = []
    for line in code.splitlines():
        lines.append(line)
        whole = "\n".join(lines)
        whole_enough = subprocess.run(["bash", "-n", "-c", whole], capture_output=True, check=False)
        if whole_enough.returncode == 0 and not line.endswith("\\"):
            if line.strip() and not line.strip().startswith("#"):
                yield whole
            lines = []
    assert not lines, f"no command: {lines}"


def why_not(command: str) -> str | None:
    return next((why for what, why in NOT_RUN.items() if re.match(what, command)), None)


@dataclass
class Folder:
    """What a reader has: the repository's files, its program, data."""

    path: Path

    def run(self, command: str, makes: str = "") -> None:
        for what, text in STANDS_FOR.items():
            command = re.sub(what, text, command)
        self.make_ready(command, makes)
        if re.search(r"\bID\b", command):
            command = re.sub(r"\bID\b", self.some_cell(command), command)
        command = command.replace("--follow", "")
        environment = os.environ | {
            "PATH": f"{self.path / 'bin'}:{os.environ['PATH']}",
            "FLEET_DATA": str(self.path / "data"),
            "METAWORLD_ASSETS": SCENES,
            "LOCOMOTION_ASSETS": BODIES,
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1",
            "OMPI_MCA_mpi_yield_when_idle": "1",
            "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        ended = subprocess.run(
            ["bash", "-e", "-c", command.replace("mpirun", MPIEXEC)],
            cwd=self.path,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
        assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"

    def make_ready(self, command: str, makes: str = "") -> None:
        """What a command needs, but for what it makes itself."""
        for product, recipe in MADE_BY.items():
            made = self.path / product
            used = re.search(rf"(?<![\w/.-]){re.escape(product)}(?![\w-])", command)
            if used and product != makes and not made.exists() and f"-o {product}" not in command:
                self.run(recipe, product)

    def some_cell(self, command: str) -> str:
        name = re.search(r"results/\w+\.h5", command)
        assert name
        with h5py.File(self.path / name[0]) as file:
            return file["cells"][0]["id"].decode()


def write_digits(directory: Path) -> None:
    """Noisy patterns of ten classes, in MNIST's format."""
    directory.mkdir(parents=True)
    random = np.random.default_rng(7)
    patterns = random.integers(0, 160, (10, 8, 8))
    for name, count in (("train", 600), ("t10k", 200)):
        classes = (np.arange(count) % 10).astype(np.uint8)
        pixels = (patterns[classes] + random.integers(0, 95, (count, 8, 8))).astype(np.uint8)
        for stem, array in ((f"{name}-images-idx3", pixels), (f"{name}-labels-idx1", classes)):
            sizes = np.array(array.shape, dtype=">u4").tobytes()
            header = bytes([0, 0, 8, array.ndim]) + sizes
            (directory / f"{stem}-ubyte").write_bytes(header + array.tobytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    if not BINARY.exists():
        pytest.skip(f"there is no {BINARY}")
    path = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "configs", path / "configs")
    write_digits(path / "data" / "mnist")
    speech = "To be, or not to be, that is the question: whether 'tis nobler in the mind."
    plays = [f"{role}:\n{speech}\n{speech}\n" for role in ("HAMLET", "OPHELIA", "GHOST")]
    (path / "plays.txt").write_text("\n".join(plays * 12))
    for name in ("analysis", ".venv"):
        (path / name).symlink_to(ROOT / name)
    (path / "mine.toml").write_text(fences((ROOT / "docs/sweeps.md").read_text(), "toml")[1])
    (path / "sines.toml").write_text(fences((ROOT / "docs/own_fleet.md").read_text(), "toml")[0])
    (path / "sines.py").write_text(fences((ROOT / "docs/own_fleet.md").read_text(), "python")[0])
    for file in (ROOT / "tests/docs/reader").glob("*.py"):
        shutil.copy(file, path)
    # The program with what makes its sweep short.
    cases = ""
    for name, short in SHORT.items():
        options = " ".join(f"--set {shlex.quote(item)}" for item in short.split())
        cases += f'*{name}.toml*) set -- "$@" {options} ;;\n'
    script = (
        "#!/bin/bash\n"
        'case "$1" in run | plan | slurm) case "$*" in\n' + cases + "esac ;; esac\n"
        f'exec {BINARY} "$@"\n'
    )
    for place in ("bin/fleet", "build/release/fleet"):
        program = path / place
        program.parent.mkdir(parents=True)
        program.write_text(script)
        program.chmod(0o755)
    (path / "bin/fleet-analysis").symlink_to(ROOT / ".venv/bin/fleet-analysis")
    if WITH_PYTORCH.exists():
        for name in ("python", "python3"):
            launcher = path / "bin" / name
            launcher.write_text(f'#!/bin/sh\nexec {WITH_PYTORCH} "$@"\n')
            launcher.chmod(0o755)
        Folder(path).run("python make_models.py")
    return Folder(path)


def examples(language: str) -> list[object]:
    return [
        pytest.param(code, id=f"{page.relative_to(ROOT)}-{place}")
        for page in PAGES
        for place, (name, code) in enumerate(FENCE.findall(page.read_text()))
        if name == language
    ]


def missing(command: str, worlds: dict[str, str]) -> str | None:
    """What a command needs that is not there."""
    for world, reason in worlds.items():
        if reason and re.search(rf"fleet {world}\b|(configs|results)/{world}_", command):
            return reason
    if "film.mp4" in command and shutil.which("ffmpeg") is None:
        return "there is no ffmpeg"
    if re.search(
        r"python -m fleet|safetensors|lite0|sines|base/|import fleet\b(?!_)|fleet.symmetry", command
    ):
        return None if WITH_PYTORCH.exists() else f"there is no {WITH_PYTORCH}"
    return None


@pytest.fixture(scope="module")
def worlds() -> dict[str, str]:
    """Of each simulated world, why there is none, or nothing."""
    listed = subprocess.run([BINARY, "list"], capture_output=True, text=True, check=False).stdout
    reasons = {
        world: f"{world} is not built" if re.search(rf"^ *{world} +not built", listed, re.M) else ""
        for world in ("metaworld", "tools", "locomotion")
    }
    if not Path(SCENES).is_dir():
        reasons["metaworld"] = reasons["metaworld"] or f"there are no scenes in {SCENES}"
    if not Path(BODIES).is_dir():
        reasons["locomotion"] = reasons["locomotion"] or f"there are no scenes in {BODIES}"
    return reasons


@pytest.mark.parametrize("code", examples("sh"))
def test_the_commands_of_a_block_run_or_it_is_said_why_not(
    folder: Folder, worlds: dict[str, str], code: str
) -> None:
    left_out = []
    for command in units(code):
        reason = why_not(command) or missing(command, worlds)
        if reason is None:
            folder.run(command)
        else:
            left_out.append(f"{command.partition('  ')[0]}: {reason}")
    if left_out and len(left_out) == len(list(units(code))):
        pytest.skip("; ".join(left_out))


@pytest.mark.parametrize("code", examples("python"))
def test_programs_run(folder: Folder, code: str) -> None:
    if reason := missing(code, {}):
        pytest.skip(reason)
    script = folder.path / "example.py"
    script.write_text(code)
    for name in re.findall(r"results/[\w.]+", code):
        folder.make_ready(name)
    own = re.search(r"^(import|from) fleet\b(?!_)", code, re.MULTILINE)
    folder.run(f"{'python' if own else '.venv/bin/python'} example.py")


def test_other_blocks_are_no_commands() -> None:
    """A block without a language is not run: it shows a formula, or what a program prints."""
    for page in PAGES:
        for language, code in FENCE.findall(page.read_text()):
            assert language in ("sh", "python", "toml", "text", "json", "bibtex", "cpp"), (
                f"{page.relative_to(ROOT)}: a block in {language or 'no language'}:\n{code}"
            )
