"""`fleet tools` and sweeps in the world of tools; skipped where fleet lacks MuJoCo or NLopt."""

import re
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

from conftest import BINARY, ROOT, Fleet, Outcome, table

FAMILIES = ROOT / "configs" / "families"

SWEEP = """
workload = "tools"
[data]
demos = "demos.h5"
tasks = "{tasks}"
{data}
[fleet]
robots = 2
partition = "mixture"
[model]
hidden = [16]
[train]
epochs = 2
[merge]
every_epochs = 1
[evaluate]
episodes = 2
unseen = "hammer-held-out"
[sweep.grid]
merge.method = ["average", "regression"]
merge.participation = [0.5, 1.0]
"""


@pytest.fixture(autouse=True)
def built() -> None:
    listing = subprocess.run([BINARY, "tools", "tasks"], capture_output=True, text=True)
    if "hammer-0" not in listing.stdout:
        pytest.skip("fleet is built without MuJoCo or NLopt")


def record(fleet: Fleet, name: str, *arguments: str, ranks: int = 0) -> Path:
    fleet("tools", "demos", "--episodes", "2", "-o", name, *arguments, ranks=ranks).expect(0)
    return fleet.directory / name


def test_experts_succeed_and_are_the_same_on_any_number_of_ranks(fleet: Fleet) -> None:
    roll = ("tools", "rollout", "hammer-0,knife-2-held-out", "--episodes", "3")
    alone = fleet(*roll).expect(0)
    assert "mean success 100.0 %" in alone.out
    for ranks in (2, 3):
        assert fleet(*roll, ranks=ranks).expect(0).out == alone.out


@pytest.mark.parametrize("observation", ["keypoints", "cloud"])
def test_demonstrations_are_the_same_bytes_on_any_number_of_ranks(
    fleet: Fleet, observation: str
) -> None:
    options = ("--tasks", "wrench-1,spatula-0", "--noise", "0.3", "--observation", observation)
    files = [record(fleet, f"{ranks}.h5", *options, ranks=ranks) for ranks in (0, 2, 3)]
    assert files[0].read_bytes() == files[1].read_bytes() == files[2].read_bytes()
    with h5py.File(files[0]) as demos:
        tasks = [demos[f"episode_{k}"].attrs["task"] for k in range(demos.attrs["total_episodes"])]
        assert sorted(tasks) == [b"spatula-0"] * 2 + [b"wrench-1"] * 2
        for k in range(4):
            episode = demos[f"episode_{k}"]
            assert np.isfinite(episode["observations"][:]).all()
            assert np.abs(episode["actions"][:]).max() <= 1
            assert episode["terminations"][-1]


@pytest.mark.parametrize("data", ["", 'observation = "cloud"\npoints = 8\n'])
def test_a_sweep_is_the_same_bits_on_any_number_of_ranks_and_when_it_goes_on(
    fleet: Fleet, data: str
) -> None:
    options = ("--observation", "cloud", "--points", "8") if data else ()
    record(fleet, "demos.h5", "--tasks", "hammer-0,hammer-1", *options)
    text = SWEEP.format(tasks="hammer-0,hammer-1", data=data)
    text += "model.kind = ['pointnet']\n" if data else ""
    config = fleet.config(text, base="")
    fleet("run", config, "-o", "one", data=False).expect(0)
    expected = fleet.cells("one").outcomes()
    assert len(expected) == 4
    metrics = table(fleet.directory / "one.h5", "metrics")
    assert {"success", "success_hammer-0", "success_unseen"} <= set(metrics.metric)
    fleet("run", config, "-o", "three", ranks=3, data=False).expect(0)
    assert fleet.cells("three").outcomes() == expected
    for file in fleet.cells("three").done()[1:]:
        file.unlink()
    fleet("run", config, "-o", "three", ranks=2, data=False).expect(0)
    assert fleet.cells("three").outcomes() == expected


def test_every_task_and_set_can_be_named(fleet: Fleet) -> None:
    listing = fleet("tools", "tasks").expect(0).out
    for family in ("hammer", "wrench", "spatula", "knife"):
        assert len(re.findall(rf"\b{family}-\d\b(?!-)", listing)) == 4


def test_scenes_are_printed_as_mjcf(fleet: Fleet) -> None:
    scene = fleet("tools", "scene", "spatula-1").expect(0).out
    assert scene.startswith("<mujoco")
    assert fleet("tools", "scene", "spatula-1").out == scene
    assert fleet("tools", "scene", "spatula-1", "--episode", "2").expect(0).out != scene


def test_pictures_of_every_family_show_something(fleet: Fleet) -> None:
    image = pytest.importorskip("matplotlib.image")
    for family in ("hammer", "wrench", "spatula", "knife"):
        drawn = fleet("tools", "view", f"{family}-0", "-o", f"{family}.png")
        if "no off-screen OpenGL" in drawn.err:
            pytest.skip(drawn.err)
        drawn.expect(0)
        far = image.imread(fleet.directory / f"{family}.png")
        assert far[..., :3].std() > 0.1
    near = ("tools", "view", "knife-0", "--distance", "0.6", "-o", "near.png")
    fleet(*near).expect(0)
    assert np.abs(far - image.imread(fleet.directory / "near.png")).max() > 0.3


def test_a_family_of_a_user_s_is_done_by_its_expert_and_cloned(fleet: Fleet) -> None:
    """The documentation's worked example."""
    ours = ("--families", str(FAMILIES))
    rolled = fleet("tools", "rollout", "screwdriver", "--episodes", "10", *ours).expect(0)
    mean = re.search(r"mean success ([\d.]+) %", rolled.out)
    assert mean is not None, rolled.out
    assert float(mean[1]) >= 90
    known = ("tools", "scene", "hammer-0-held-out")
    assert fleet(*known, *ours).expect(0).out == fleet(*known).out, "others make no difference"
    record(fleet, "demos.h5", "--tasks", "screwdriver-0,hammer-0", *ours)
    text = SWEEP.format(tasks="screwdriver-0,hammer-0", data=f'families = "{FAMILIES}"')
    config = fleet.config(text, base="")
    fleet("run", config, "-o", "out", data=False).expect(0)
    metrics = table(fleet.directory / "out.h5", "metrics")
    assert "success_screwdriver-0" in set(metrics.metric)


def with_family(fleet: Fleet, before: str, after: str, name: str = "mine") -> Outcome:
    """A roll-out with a family in which one text stands for another."""
    folder = fleet.directory / "families"
    folder.mkdir(exist_ok=True)
    text = (FAMILIES / "screwdriver.toml").read_text()
    assert before in text
    (folder / f"{name}.toml").write_text(text.replace(before, after, 1))
    return fleet(
        "tools", "rollout", f"{name}-0", "--episodes", "2", "--families", "families", ranks=2
    )


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('place = "head"', 'place = "nose"', "there is no keypoint of a tool nose"),
        ("[tool.grip]", "[tool.gripp]", "tool.gripp"),
        ("steps = 70", 'steps = "many"', "steps"),
        ("{width/2}", "{breadth/2}", "there is no breadth"),
        ("{width/2}", "{width/}", "width/"),
        ("<geom type", "<gem type", "unrecognized element"),
        ("time = 4.48", "time = 7", "later time"),
        ('joint = "screw"', 'joint = "scrow"', "scrow"),
    ],
)
def test_a_mistake_in_a_family_is_named_with_its_file(
    fleet: Fleet, before: str, after: str, message: str
) -> None:
    said = with_family(fleet, before, after)
    assert said.code in (1, 2), said.text
    assert message in said.err
    assert "mine" in said.err
    assert said.err.count(message) == 1, "once, not from every rank"


def test_a_task_that_cannot_be_planned_is_a_failure_and_the_run_goes_on(fleet: Fleet) -> None:
    said = with_family(fleet, "offset = [0, 0, 0.001]", "offset = [0, 0, 3]").expect(0)
    assert "mean success 0.0 %" in said.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rollout", "hamer"], "did you mean hammer"),
        (["rollout", "hammer", "--observation", "pixels"], "pixels"),
        (["rollout", "hammer", "--points", "5"], "only observations of the kind cloud have points"),
        (["rollout", "hammer", "--families", "absent"], "there is no folder absent"),
        (["view", "hammer", "-o", "x.png"], "expected one task"),
        (["scene", "hammer-0", "--episode", "0"], "--episode 0: expected an integer from 1"),
    ],
)
def test_misuse_is_explained(fleet: Fleet, arguments: list[str], message: str) -> None:
    assert message in fleet("tools", *arguments).expect(2).err


def test_demonstrations_of_one_observation_are_refused_for_another(fleet: Fleet) -> None:
    record(fleet, "demos.h5", "--tasks", "hammer-0,hammer-1")
    text = SWEEP.format(tasks="hammer-0,hammer-1", data='observation = "state"')
    said = fleet("plan", fleet.config(text, base=""), data=False).expect(2)
    assert "observations is" in said.err
