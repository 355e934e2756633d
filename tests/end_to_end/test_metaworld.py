"""`fleet metaworld` as a user runs it; skipped where fleet lacks MuJoCo, or there are no scenes."""

import shutil
import signal
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

from conftest import (
    BINARY,
    ENVIRONMENT,
    MPIEXEC,
    SECONDS,
    require_different_commands,
    wait_until,
)
from metaworld_program import ASSETS, h5py_demonstrations, metaworld, plan, plan_ids, require_scenes


@pytest.fixture(autouse=True)
def built() -> None:
    require_scenes()


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


def test_demonstrations_that_python_wrote_are_read(tmp_path: Path) -> None:
    planned = plan(h5py_demonstrations(tmp_path / "mine.h5"))
    assert planned.returncode == 0, planned.stderr
    refused = plan(h5py_demonstrations(tmp_path / "other.h5", observation_size=38))
    assert refused.returncode == 2
    assert "episode_0/observations is 21 x 38, expected 21 x 39" in refused.stderr
    with h5py.File(h5py_demonstrations(tmp_path / "nameless.h5"), "a") as file:
        del file["episode_2"].attrs["task"]
    with h5py.File(h5py_demonstrations(tmp_path / "bare.h5"), "a") as file:
        for k in range(4):
            file[f"episode_{k}"].attrs["task"] = "reach"
    bare = plan(tmp_path / "bare.h5")
    assert bare.returncode == 2
    assert "0 demonstrations of reach-v3" in bare.stderr
    assert "there are some of reach; data.tasks says which are to be learned\n" in bare.stderr
    with h5py.File(h5py_demonstrations(tmp_path / "uncounted.h5"), "a") as file:
        del file.attrs["total_episodes"]
        del file.attrs["total_steps"]
    assert plan_ids(tmp_path / "uncounted.h5") == plan_ids(tmp_path / "mine.h5")
    with h5py.File(h5py_demonstrations(tmp_path / "cut.h5"), "a") as file:
        del file["episode_3"]
    cut = plan(tmp_path / "cut.h5")
    assert cut.returncode == 2
    assert "cut.h5 holds 3 episodes, its header says 4" in cut.stderr
    with h5py.File(tmp_path / "results.h5", "w") as file:
        file["cells"] = np.zeros(3)
    results = plan(tmp_path / "results.h5")
    assert results.returncode == 2
    assert "results.h5 holds no demonstrations in Minari's layout" in results.stderr
    nameless = plan(tmp_path / "nameless.h5")
    assert nameless.returncode == 2
    assert "episode_2 does not say which task it shows" in nameless.stderr


def test_attributes_that_mean_something_else_to_others_do_no_harm(tmp_path: Path) -> None:
    path = h5py_demonstrations(tmp_path / "mine.h5")
    with h5py.File(path, "a") as file:
        file.attrs["seed"] = 7
        file["episode_1"].attrs["noise"] = np.full(4, 0.1)
    assert plan(path).returncode == 0
    with h5py.File(path, "a") as file:
        file["episode_1"].attrs["task"] = np.array(
            ["reach-v3", "push-v3"], dtype=h5py.string_dtype()
        )
    refused = plan(path)
    assert refused.returncode == 2
    assert f"attribute task of episode_1 in {path} holds 2 values; expected one" in refused.stderr
    with h5py.File(path, "a") as file:
        file["episode_1"].attrs["task"] = 3
    refused = plan(path)
    assert refused.returncode == 2
    assert f"attribute task of episode_1 in {path}: expected a text" in refused.stderr
    with h5py.File(path, "a") as file:
        file["episode_1"].attrs["task"] = "reach-v3"
        del file["episode_3"]["rewards"]
        file["episode_3"].create_group("rewards")
    refused = plan(path)
    assert refused.returncode == 2
    assert f"{path}: episode_3/rewards is a group" in refused.stderr


def test_networks_that_do_not_suit_demonstrations_are_refused(tmp_path: Path) -> None:
    convolutional = plan(h5py_demonstrations(tmp_path / "mine.h5"), "model.kind=cnn")
    assert convolutional.returncode == 2
    assert "such data are for mlp, lstm, gru, rnn, transformer" in convolutional.stderr


def test_moved_demonstrations_make_the_same_cells(tmp_path: Path) -> None:
    first = h5py_demonstrations(tmp_path / "mine.h5")
    ids = plan_ids(first)
    assert ids
    assert plan_ids(first.rename(tmp_path / "moved.h5")) == ids


def test_scenes_may_move_and_others_make_other_cells(tmp_path: Path) -> None:
    demonstrations = h5py_demonstrations(tmp_path / "mine.h5")
    scenes = tmp_path / "scenes"
    shutil.copytree(ASSETS, scenes)
    ids = plan_ids(demonstrations)
    assert plan_ids(demonstrations, scenes) == ids
    shutil.rmtree(scenes / "textures")
    assert plan_ids(demonstrations, scenes) == ids, "which nothing touches"
    with (scenes / "sawyer_xyz" / "sawyer_reach_v3.xml").open("a") as scene:
        scene.write("<!-- another -->")
    others = plan_ids(demonstrations, scenes)
    assert others and not set(others) & set(ids)


def test_models_are_merged_on_the_data_they_were_trained_on(tmp_path: Path) -> None:
    file = tmp_path / "demos.h5"
    record = ("demos", "--tasks", "reach,door-close", "--episodes", "4", "-o", str(file))
    assert metaworld(*record).returncode == 0
    config = tmp_path / "sweep.toml"
    config.write_text(
        f'workload = "metaworld"\ndata.demos = "{file}"\ndata.tasks = "reach,door-close"\n'
        'fleet.robots = 2\ntrain.epochs = 1\nmerge.method = "regression"\nevaluate.episodes = 1\n'
        'evaluate.max_steps = 5\nmodel.hidden = [16]\nrun.save_models = "all"\n'
    )
    fleet = [str(BINARY)]
    options = {
        "env": ENVIRONMENT | {"METAWORLD_ASSETS": str(ASSETS)},
        "capture_output": True,
        "text": True,
        "timeout": SECONDS,
        "check": False,
        "cwd": tmp_path,
    }
    sweep = subprocess.run([*fleet, "run", str(config), "-o", "out"], **options)
    assert sweep.returncode == 0, sweep.stderr
    models = sorted(str(p) for p in (tmp_path / "out" / "models").rglob("*robot*.h5"))
    assert len(models) == 2, list((tmp_path / "out").rglob("*"))
    merge = [*fleet, "merge", *models, "-m", "regression", "-o", "merged.h5"]
    merged = subprocess.run(merge, **options)
    assert merged.returncode == 0, merged.stderr
    assert metaworld(*record, "--seed", "1").returncode == 0
    refused = subprocess.run(merge, **options)
    assert refused.returncode == 1
    assert "other data than it was trained on: " in refused.stderr
    average = [*fleet, "merge", *models, "-m", "average", "-o", "average.h5"]
    assert subprocess.run(average, **options).returncode == 0, "which needs no data"


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


def test_pictures_of_others_are_not_drawn_over(tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    picture = frames / "000001.png"
    drawing = ("rollout", "reach", "--episodes", "1", "--steps", "2", "--render")
    for mine in (picture, frames / "notes.txt", frames / "1.png"):
        mine.write_bytes(b"precious")
        run = metaworld(*drawing, str(frames))
        if "no off-screen OpenGL" in run.stderr:
            pytest.skip(run.stderr)
        assert run.returncode == 2
        assert f"pictures of this program: {mine.name}" in run.stderr
        assert [(path, path.read_bytes()) for path in frames.iterdir()] == [(mine, b"precious")]
        mine.unlink()
    half = frames / "000009.png.fleet-host.7.tmp"
    half.write_bytes(b"half")
    assert metaworld(*drawing, str(frames)).returncode == 0
    assert not half.exists()
    film = tmp_path / "film.mp4"
    film.write_bytes(b"precious")
    assert "film.mp4 is there already" in metaworld(*drawing, str(film)).stderr
    assert film.read_bytes() == b"precious"


def test_demonstrations_are_written_over_demonstrations_alone(tmp_path: Path) -> None:
    path = tmp_path / "demos.h5"
    record = ("demos", "--tasks", "reach", "--episodes", "1", "-o", str(path))
    for _ in range(2):
        assert metaworld(*record).returncode == 0
    path.write_bytes(b"precious")
    run = metaworld(*record)
    assert run.returncode == 2
    assert f"{path} is there already" in run.stderr
    assert path.read_bytes() == b"precious"
    h5py_demonstrations(path)
    others = path.read_bytes()
    assert metaworld(*record).returncode == 2
    assert path.read_bytes() == others


def test_drawing_can_be_interrupted(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    command = [str(BINARY), "metaworld", "rollout", "reach", "--render", str(folder)]
    environment = ENVIRONMENT | {"METAWORLD_ASSETS": str(ASSETS)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as drawing:
        try:
            wait_until(lambda: drawing.poll() is not None or any(folder.glob("*.png")), drawing)
            drawing.send_signal(signal.SIGINT)
            _, said = drawing.communicate(timeout=30)
        finally:
            drawing.kill()
    if "no off-screen OpenGL" in said:
        pytest.skip(said)
    assert drawing.returncode == 75
    assert 0 < len(list(folder.glob("*.png"))) < 1000, "of fifty episodes"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rollout", "reech"], "did you mean reach?"),
        (["rollout", "reach", "--episodes", "0"], "--episodes 0: expected an integer from 1 to"),
        (["rollout", "reach", "--goals", "some"], "expected benchmark or random"),
        (
            ["rollout", "reach", "--policy", "mine"],
            "--policy mine: there is no such file; expected expert",
        ),
        (["demos", "--tasks", "reach"], "output"),
        (
            ["demos", "--encoder", "e.pt", "-o", "x.h5"],
            '--encoder: data.encoder = "e.pt": e.pt: there',
        ),
        (["demos", "--noise", "-1", "-o", "x.h5"], "--noise -1: expected a number from 0 to 2"),
        (["film"], "there is no command metaworld film"),
        (["rollout", "reach,push,reach"], "task reach is named twice"),
        (["demos", "--tasks", "mt10,reach", "-o", "x.h5"], "task reach is named twice"),
        (["rollout", "reach", "--episodes", "51"], "--episodes 51: the benchmark has 50 goals"),
        (
            ["rollout", "reach", "--seed", "-1"],
            "--seed -1: expected an integer from 0 to 4294967295",
        ),
        (["rollout", "reach", "--steps", "0"], "--steps 0: expected an integer from 1 to"),
        (["tasks", "--all"], "--all"),
        (["rollout", "reach", "--render", "film.gif"], "film.gif: a film's name ends in .mp4"),
    ],
)
def test_misuse_is_explained(arguments: list[str], message: str) -> None:
    run = metaworld(*arguments)
    assert run.returncode == 2
    assert message in run.stderr


def test_a_place_that_cannot_be_written_is_found_before_the_work(tmp_path: Path) -> None:
    target = tmp_path / "absent" / "demos.h5"
    record = ("demos", "--tasks", "mt50", "--episodes", "1000", "-o", str(target))
    run = metaworld(*record)  # would take an hour
    assert run.returncode == 1
    assert f"cannot create {target}" in run.stderr


def test_a_scene_that_is_missing_or_wrong_is_found_before_anything_is_learned(
    tmp_path: Path,
) -> None:
    scenes = tmp_path / "scenes"
    shutil.copytree(ASSETS, scenes)
    drawer = scenes / "sawyer_xyz" / "sawyer_drawer.xml"
    record = ("demos", "--tasks", "reach,drawer-open", "-o", str(tmp_path / "x.h5"))
    forever = (*record, "--episodes", "100000")
    for content, complaint in (
        ("<mujoco><worldbody>", "cannot be read"),
        ("<mujoco/>", "there is no body called hand; is it Meta-World 3.1.1's?"),
    ):
        drawer.write_text(content)
        run = metaworld(*forever, "--assets", str(scenes))
        assert run.returncode == 1
        assert str(drawer) in run.stderr
        assert complaint in run.stderr
    drawer.unlink()
    run = metaworld("rollout", "reach,drawer-open", "--assets", str(scenes))
    assert run.returncode == 1
    assert f"there is no {drawer}" in run.stderr
    demonstrations = h5py_demonstrations(tmp_path / "demos.h5", tasks="reach,drawer-open")
    both = "data.tasks=reach,drawer-open"
    assert plan(demonstrations, both).returncode == 0
    planned = plan(demonstrations, both, assets=scenes)
    assert planned.returncode != 0
    assert f"there is no {drawer}" in planned.stderr


def test_no_rank_is_left_waiting_for_one_that_lacks_the_policy(tmp_path: Path) -> None:
    require_different_commands()
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "policy.h5").write_text("no model, which is the lesser complaint")
    (tmp_path / "absent").mkdir()
    rollout = [str(BINARY), "metaworld", "rollout", "reach", "--episodes", "2", "--policy"]
    command = [*MPIEXEC.split(), "--bind-to", "none"]
    for folder in ("there", "absent"):
        command += ["-n", "1", "-wdir", str(tmp_path / folder), *rollout, "policy.h5", ":"]
    command.pop()
    environment = ENVIRONMENT | {"METAWORLD_ASSETS": str(ASSETS)}
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert run.returncode == 2
    assert "--policy policy.h5: there is no such file; expected expert" in run.stderr


def test_missing_scenes_are_explained(tmp_path: Path) -> None:
    run = metaworld("rollout", "reach", "--episodes", "1", "--assets", str(tmp_path))
    assert run.returncode == 1
    assert "fleet data fetch metaworld" in run.stderr
    assert str(tmp_path) in run.stderr
