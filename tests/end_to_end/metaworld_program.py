"""Runs `fleet metaworld` and plans sweeps on demonstrations, for the tests of both."""

import os
import re
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

from conftest import BINARY, ENVIRONMENT, MPIEXEC, ROOT, SECONDS

DATA = Path(os.environ.get("FLEET_DATA", ROOT / "data"))
ASSETS = Path(os.environ.get("METAWORLD_ASSETS", DATA / "metaworld"))


def metaworld(*arguments: str, ranks: int = 1) -> subprocess.CompletedProcess[str]:
    command = [str(BINARY), "metaworld", *arguments]
    if ranks > 1:
        command = [*MPIEXEC.split(), "--bind-to", "none", "-n", str(ranks), *command]
    environment = ENVIRONMENT | {"METAWORLD_ASSETS": str(ASSETS)}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def require_scenes() -> None:
    """Skips where the program cannot simulate."""
    listing = subprocess.run([BINARY, "list"], capture_output=True, text=True).stdout
    if re.search(r"^ *metaworld +not built", listing, re.MULTILINE):
        pytest.skip("fleet is built without MuJoCo")
    if not (ASSETS / "sawyer_xyz").exists():
        pytest.skip(f"no Meta-World scenes in {ASSETS}: fleet data fetch metaworld")


def h5py_demonstrations(path: Path, observation_size: int = 39, tasks: str = "reach") -> Path:
    """As a Python tool would write them: float64, and no attributes but those that are needed; four
    of each task."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        names = [name for name in tasks.split(",") for _ in range(4)]
        file.attrs.update(total_episodes=len(names), total_steps=20 * len(names))
        for k, name in enumerate(names):
            episode = file.create_group(f"episode_{k}")
            episode.attrs["task"] = f"{name}-v3"
            episode["observations"] = rng.normal(size=(21, observation_size))
            episode["actions"] = rng.uniform(-1, 1, size=(20, 4))
            episode["rewards"] = np.append(np.zeros(19), 1.0)
    return path


def plan(
    demonstrations: Path, *settings: str, cells: bool = False, assets: Path = ASSETS
) -> subprocess.CompletedProcess[str]:
    config = demonstrations.with_suffix(".toml")
    config.write_text(
        f'workload = "metaworld"\ndata.demos = "{demonstrations}"\ndata.tasks = "reach"\n'
    )
    command = [BINARY, "plan", config, *(word for s in settings for word in ("--set", s))]
    if cells:
        command.append("--cells")
    environment = ENVIRONMENT | {"METAWORLD_ASSETS": str(assets)}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def plan_ids(
    demonstrations: Path, assets: Path = ASSETS, settings: tuple[str, ...] = ()
) -> list[str]:
    planned = plan(demonstrations, *settings, cells=True, assets=assets)
    assert planned.returncode == 0, planned.stderr
    return re.findall(r"\b[0-9a-f]{16}\b", planned.stdout)
