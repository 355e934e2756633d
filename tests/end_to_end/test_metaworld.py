"""`fleet metaworld` as a user runs it; skipped where fleet lacks MuJoCo, or there are no scenes."""

import os
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


@pytest.fixture(autouse=True)
def built() -> None:
    if "not built" in subprocess.run([BINARY, "list"], capture_output=True, text=True).stdout:
        pytest.skip("fleet is built without MuJoCo")
    if not (ASSETS / "sawyer_xyz").exists():
        pytest.skip(f"no Meta-World scenes in {ASSETS}: fleet data fetch metaworld")


def test_rollouts_succeed_and_are_the_same_on_two_ranks() -> None:
    alone = metaworld("rollout", "reach,drawer-close", "--episodes", "3")
    assert alone.returncode == 0, alone.stderr
    assert "mean success 100.0 %" in alone.stdout
    assert (
        metaworld("rollout", "reach,drawer-close", "--episodes", "3", ranks=2).stdout
        == alone.stdout
    )


def test_demonstrations_have_minaris_layout_and_the_same_bytes_on_any_number_of_ranks(
    tmp_path: Path,
) -> None:
    files = [tmp_path / f"demos{ranks}.h5" for ranks in (1, 3)]
    for ranks, file in zip((1, 3), files, strict=True):
        run = metaworld(
            *("demos", "--tasks", "reach,push", "--episodes", "2"),
            *("--noise", "0.5", "-o", str(file)),
            ranks=ranks,
        )
        assert run.returncode == 0, run.stderr
    assert files[0].read_bytes() == files[1].read_bytes()
    with h5py.File(files[0]) as demos:
        assert demos.attrs["total_episodes"] == 4
        assert (
            sum(demos[f"episode_{k}"].attrs["total_steps"] for k in range(4))
            == demos.attrs["total_steps"]
        )
        for k in range(4):
            episode = demos[f"episode_{k}"]
            steps = episode.attrs["total_steps"]
            assert episode["observations"].shape == (steps + 1, 39)
            assert episode["actions"].shape == (steps, 4)
            assert np.abs(episode["actions"][:]).max() <= 1
            assert episode["terminations"].dtype == bool
            assert np.flatnonzero(episode["terminations"][:]).tolist() == [steps - 1]
            assert not episode["truncations"][:].any()
            assert episode["rewards"][:].sum() == 1


def h5py_demonstrations(path: Path, observation_size: int = 39) -> Path:
    """As a Python tool would write them: float64, and no attributes but those that are needed."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.attrs.update(total_episodes=4, total_steps=80)
        for k in range(4):
            episode = file.create_group(f"episode_{k}")
            episode.attrs["task"] = "reach-v3"
            episode["observations"] = rng.normal(size=(21, observation_size))
            episode["actions"] = rng.uniform(-1, 1, size=(20, 4))
            episode["rewards"] = np.append(np.zeros(19), 1.0)
    return path


def plan(demonstrations: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    config = demonstrations.with_suffix(".toml")
    config.write_text(
        f'workload = "metaworld"\ndata.demos = "{demonstrations}"\ndata.tasks = "reach"\n'
    )
    command = [BINARY, "plan", config, *(word for s in settings for word in ("--set", s))]
    environment = ENVIRONMENT | {"METAWORLD_ASSETS": str(ASSETS)}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def test_demonstrations_that_python_wrote_are_read(tmp_path: Path) -> None:
    planned = plan(h5py_demonstrations(tmp_path / "mine.h5"))
    assert planned.returncode == 0, planned.stderr
    refused = plan(h5py_demonstrations(tmp_path / "other.h5", observation_size=38))
    assert refused.returncode == 2
    assert "episode_0/observations is 21 x 38, expected 21 x 39" in refused.stderr
    with h5py.File(h5py_demonstrations(tmp_path / "nameless.h5"), "a") as file:
        del file["episode_2"].attrs["task"]
    convolutional = plan(tmp_path / "mine.h5", "model.kind=cnn")
    assert convolutional.returncode == 2
    assert "such data are for mlp, lstm, gru, rnn, transformer" in convolutional.stderr
    nameless = plan(tmp_path / "nameless.h5")
    assert nameless.returncode == 2
    assert "episode_2 does not say which task it shows" in nameless.stderr


def test_pictures_show_something(tmp_path: Path) -> None:
    run = metaworld("rollout", "reach", "--episodes", "1", "--render", str(tmp_path / "frames"))
    if "no off-screen OpenGL" in run.stderr:
        pytest.skip(run.stderr)
    assert run.returncode == 0, run.stderr
    frames = sorted((tmp_path / "frames").glob("*.png"))
    assert len(frames) > 10
    plt = pytest.importorskip("matplotlib.image")
    first, last = plt.imread(frames[0]), plt.imread(frames[-1])
    assert first.shape[:2] == (480, 480)
    assert first.std() > 0.1
    assert np.abs(first - last).max() > 0.3, "nothing has moved"
    first_steps = metaworld(
        "rollout", "reach", "--episodes", "1", "--steps", "6", "--render", str(tmp_path / "frames")
    )
    assert first_steps.returncode == 0, first_steps.stderr
    assert len(list((tmp_path / "frames").glob("*.png"))) == 4, "the first, and every second"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rollout", "reech"], "did you mean reach?"),
        (["rollout", "reach", "--episodes", "0"], "--episodes 0: expected 1 or more"),
        (["rollout", "reach", "--goals", "some"], "expected benchmark or random"),
        (["rollout", "reach", "--policy", "mine"], "--policy mine: expected expert"),
        (["demos", "--tasks", "reach"], "output"),
        (["demos", "--noise", "-1", "-o", "x.h5"], "--noise -1: expected 0 to 2"),
        (["film"], "there is no command film"),
        (["rollout", "reach,push,reach"], "task reach is named twice"),
        (["demos", "--tasks", "mt10,reach", "-o", "x.h5"], "task reach is named twice"),
        (["rollout", "reach", "--episodes", "51"], "--episodes 51: the benchmark has 50 goals"),
        (["rollout", "reach", "--seed", "-1"], "--seed -1: expected 0 to 4294967295"),
        (["rollout", "reach", "--steps", "0"], "--steps 0: expected 1 or more"),
        (["tasks", "--all"], "usage: fleet metaworld tasks"),
    ],
)
def test_misuse_is_explained(arguments: list[str], message: str) -> None:
    run = metaworld(*arguments)
    assert run.returncode == 2
    assert message in run.stderr


def test_missing_scenes_are_explained(tmp_path: Path) -> None:
    run = metaworld("rollout", "reach", "--episodes", "1", "--assets", str(tmp_path))
    assert run.returncode == 1
    assert "fleet data fetch metaworld" in run.stderr
    assert str(tmp_path) in run.stderr
