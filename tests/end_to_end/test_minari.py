"""Datasets of Minari are read, and ours are opened by it. Those parts that need the package are
skipped where it is not installed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from metaworld_program import h5py_demonstrations, metaworld, plan, plan_ids, require_scenes

#: The package warns of what a dataset lacks that ours have no use for.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True)
def built() -> None:
    require_scenes()


@pytest.fixture
def minari(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package, with a folder of its own for datasets: `tmp_path`/datasets."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    return pytest.importorskip("minari")


def collect(minari: Any, name: str, parts: bool = False) -> None:
    """Four episodes of twenty steps in an environment that says nothing of tasks, as Minari writes
    them."""
    from gymnasium.spaces import Box, Dict
    from minari.data_collector import EpisodeBuffer

    random = np.random.default_rng(0)
    end = np.arange(20) == 19
    states = Box(-np.inf, np.inf, (39,), np.float64)
    episodes = []
    for seed in range(4):
        observed = random.normal(size=(21, 39))
        episodes.append(
            EpisodeBuffer(
                id=seed,
                seed=seed,
                observations={"all": observed} if parts else observed,
                actions=random.uniform(-1, 1, (20, 4)).astype(np.float32),
                rewards=[3.5] * 20,
                terminations=list(end),
                truncations=[False] * 20,
                infos={"success": end.astype(float)},
            )
        )
    minari.create_dataset_from_buffers(
        dataset_id=name,
        buffer=episodes,
        observation_space=Dict({"all": states}) if parts else states,
        action_space=Box(-1, 1, (4,), np.float32),
    )


def test_what_minari_has_collected_is_read_by_any_of_its_names(tmp_path: Path, minari: Any) -> None:
    collect(minari, "arm/reach-v0")
    folder = tmp_path / "datasets" / "arm" / "reach-v0"
    nameless = plan(folder)
    assert nameless.returncode == 2
    assert "main_data.hdf5: episode_0 does not say which task it shows" in nameless.stderr
    assert 'data.task = "reach-v3"' in nameless.stderr
    names = [folder, folder / "data", folder / "data" / "main_data.hdf5"]
    ids = [plan_ids(name, settings=("data.task=reach-v3",)) for name in names]
    assert ids[0] and ids[0] == ids[1] == ids[2]
    assert plan_ids(folder, settings=("data.task=reach",)) != []


def test_a_space_of_several_parts_is_refused_by_name(tmp_path: Path, minari: Any) -> None:
    collect(minari, "parts-v0", parts=True)
    refused = plan(tmp_path / "datasets" / "parts-v0", "data.task=reach-v3")
    assert refused.returncode == 2
    assert "episode_0/observations is a group, as of a space of several parts" in refused.stderr


def test_minari_opens_what_is_recorded(tmp_path: Path, minari: Any) -> None:
    record = ("demos", "--tasks", "reach,push", "--episodes", "2", "--noise", "0.2", "-o")
    for output in ("datasets/experts-v0/", "demos.h5"):
        recorded = metaworld(*record, f"{tmp_path}/{output}")
        assert recorded.returncode == 0, recorded.stderr
    dataset = minari.load_dataset("experts-v0")
    assert list(minari.list_local_datasets()) == ["experts-v0"]
    episodes = list(dataset.iterate_episodes())
    assert dataset.total_episodes == len(episodes) == 4
    assert dataset.total_steps == sum(len(episode.actions) for episode in episodes)
    tasks = [data["task"].decode() for data in dataset.storage.get_episode_metadata(range(4))]
    assert tasks == ["reach-v3"] * 2 + ["push-v3"] * 2
    with h5py.File(tmp_path / "demos.h5") as file:
        for episode, group in zip(episodes, (file[f"episode_{k}"] for k in range(4)), strict=True):
            for name in ("observations", "actions", "rewards", "terminations", "truncations"):
                assert np.array_equal(getattr(episode, name), group[name][:])
            assert dataset.observation_space.contains(episode.observations[0])
            assert dataset.action_space.contains(episode.actions[0])
    assert plan_ids(tmp_path / "datasets/experts-v0") == plan_ids(tmp_path / "demos.h5")
    opened = "import minari; print(minari.load_dataset('experts-v0').total_episodes)"
    said = subprocess.run(
        [sys.executable, "-c", opened], capture_output=True, text=True, env=os.environ, check=True
    )
    assert said.stdout == "4\n" and said.stderr == "", "without a warning"


def dataset(folder: Path, metadata: object) -> Path:
    """As Minari lays it out, with this as its metadata."""
    (folder / "data").mkdir(parents=True)
    h5py_demonstrations(folder / "data" / "main_data.hdf5")
    with h5py.File(folder / "data" / "main_data.hdf5", "a") as file:
        file.attrs.clear()
    (folder / "data" / "metadata.json").write_text(
        metadata if isinstance(metadata, str) else json.dumps(metadata)
    )
    return folder


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        ({"total_episodes": 5, "total_steps": 80}, "holds 4 episodes, the metadata.json beside"),
        ({"total_episodes": 4, "total_steps": 81}, "holds 80 steps, the metadata.json beside"),
        ({"total_episodes": "many"}, "metadata.json: total_episodes is many; expected a number"),
        ({"total_episodes": -4}, "metadata.json: total_episodes is -4; expected a number"),
        ("{", "metadata.json is not JSON"),
    ],
)
def test_totals_that_are_not_so_are_refused(
    tmp_path: Path, metadata: object, complaint: str
) -> None:
    refused = plan(dataset(tmp_path / "demos-v0", metadata))
    assert refused.returncode == 2
    assert complaint in refused.stderr


def test_totals_need_not_be_known(tmp_path: Path) -> None:
    assert plan(dataset(tmp_path / "demos-v0", {})).returncode == 0


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused = plan(tmp_path / "empty")
    assert refused.returncode == 2
    assert "empty is a folder without data/main_data.hdf5" in refused.stderr


def test_a_task_is_named_only_where_it_is_needed_and_is_one(tmp_path: Path) -> None:
    path = h5py_demonstrations(tmp_path / "mine.h5")
    needless = plan(path, "data.task=reach-v3")
    assert needless.returncode == 2
    assert "data.task" in needless.stderr and "says which task it shows" in needless.stderr
    with h5py.File(path, "a") as file:
        del file["episode_2"].attrs["task"]
    assert plan(path, "data.task=reach-v3").returncode == 0
    assert "did you mean reach?" in plan(path, "data.task=reech-v3").stderr
    assert "expected one task" in plan(path, "data.task=mt10").stderr


def test_a_filter_that_is_missing_is_named(tmp_path: Path) -> None:
    path = h5py_demonstrations(tmp_path / "mine.h5")
    with h5py.File(path, "a") as file:
        rewards = file["episode_1/rewards"][:]
        del file["episode_1/rewards"]
        file["episode_1"].create_dataset("rewards", data=rewards, compression="lzf")
    refused = plan(path)
    assert refused.returncode == 2
    assert f"episode_1/rewards of {path} is compressed with lzf" in refused.stderr
    assert "No such file" not in refused.stderr


def test_folders_of_others_are_not_written_to(tmp_path: Path) -> None:
    record = ("demos", "--tasks", "reach", "--episodes", "1", "-o")
    wrong_name = metaworld(*record, f"{tmp_path / 'experts'}/")
    assert wrong_name.returncode == 2
    assert "NAME-v0" in wrong_name.stderr
    theirs = dataset(tmp_path / "theirs-v0", {})
    other = tmp_path / "other-v0"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    for folder in (theirs, other):
        before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        refused = metaworld(*record, str(folder))
        assert refused.returncode == 2
        assert f"{folder} holds something else" in refused.stderr
        assert before == {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    ours = str(tmp_path / "ours-v0") + "/"
    for _ in range(2):
        assert metaworld(*record, ours).returncode == 0, "again, in place of what it wrote before"
