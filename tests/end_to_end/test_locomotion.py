"""`fleet locomotion` and fleets of bodies that learn by themselves; skipped where fleet lacks
MuJoCo or the scenes are not to be had."""

import re

import numpy as np
import pytest

from conftest import Fleet, table
from locomotion_program import require_bodies, run

SWEEP = """
workload = "locomotion"
[data]
tasks = "hopper"
[fleet]
robots = 3
spread = 0.1
initialization = "common"
[model]
hidden = []
[train]
gradient = "search"
optimizer = "sgd"
learning_rate = 0.02
directions = 4
best = 2
epochs = 2
epoch_episodes = 16
[merge]
every_epochs = 1
[evaluate]
episodes = 3
"""


@pytest.fixture(autouse=True)
def built() -> None:
    require_bodies()


@pytest.mark.parametrize("version", ["v4", "v5"])
def test_every_body_moves_the_same_on_any_number_of_ranks(fleet: Fleet, version: str) -> None:
    bodies = run(fleet, "locomotion", "tasks").expect(0).out.split()
    assert bodies == ["halfcheetah", "hopper", "walker2d", "ant"]
    roll = (
        "locomotion",
        "rollout",
        ",".join(bodies),
        "--version",
        version,
        "--episodes",
        "2",
        "--steps",
        "100",
    )
    alone = run(fleet, *roll).expect(0)
    for ranks in (2, 3):
        assert run(fleet, *roll, ranks=ranks).expect(0).out == alone.out


PROXIMAL = """gradient = "ppo"
learning_rate = 3e-4
clip_norm = 0.5
batch_steps = 150
epoch_batches = 2
epochs = 2
"""


@pytest.mark.parametrize("gradient", ["search", "ppo"])
def test_a_sweep_is_the_same_bits_on_any_number_of_ranks_and_when_it_goes_on(
    fleet: Fleet, gradient: str
) -> None:
    methods = '[sweep.grid]\nmerge.method = ["average", "regression", "local", "joint"]\n'
    text = SWEEP + methods
    if gradient == "ppo":
        begin, end = text.index("gradient"), text.index("[merge]")
        text = text[:begin] + PROXIMAL + text[end:]
    config = fleet.config(text, base="")
    run(fleet, "run", config, "-o", "one", data=False).expect(0)
    expected = fleet.cells("one").outcomes()
    assert len(expected) == 4
    run(fleet, "run", config, "-o", "three", ranks=3, data=False).expect(0)
    assert fleet.cells("three").outcomes() == expected
    for file in fleet.cells("three").done()[1:]:
        file.unlink()
    run(fleet, "run", config, "-o", "three", ranks=2, data=False).expect(0)
    assert fleet.cells("three").outcomes() == expected


def test_a_hopper_learns_to_stand_longer(fleet: Fleet) -> None:
    text = SWEEP.replace("epochs = 2", "epochs = 12").replace("spread = 0.1", "spread = 0")
    text = text.replace("robots = 3", "robots = 2").replace("every_epochs = 1", "every_epochs = 2")
    run(fleet, "run", fleet.config(text, base=""), "-o", "out", ranks=2, data=False).expect(0)
    metrics = table(fleet.directory / "out.h5", "metrics")
    merged = metrics[(metrics.robot == -1) & (metrics.metric == "return")].sort_values("round")
    still = run(fleet, "locomotion", "rollout", "hopper", "--episodes", "5").expect(0)
    at_rest = float(re.search(r"hopper +(\d+)", still.out)[1])
    assert merged.value.iloc[-1] > 1.3 * at_rest, merged


def test_a_saved_policy_acts_and_is_drawn(fleet: Fleet) -> None:
    image = pytest.importorskip("matplotlib.image")
    config = fleet.config(SWEEP + '[run]\nsave_models = "merged"\n', base="")
    run(fleet, "run", config, "-o", "out", data=False).expect(0)
    model = next((fleet.directory / "out").rglob("*merged*.h5"))
    roll = ("locomotion", "rollout", "hopper", "--policy", str(model))
    run(fleet, *roll, "--episodes", "3").expect(0)
    drawn = run(fleet, *roll, "--episodes", "1", "--steps", "5", "--render", "film")
    if "no off-screen OpenGL" in drawn.err:
        pytest.skip(drawn.err)
    drawn.expect(0)
    pictures = sorted((fleet.directory / "film").glob("*.png"))
    assert len(pictures) == 6
    assert np.std(image.imread(pictures[0])[..., :3]) > 0.1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.tasks='hoper'", "did you mean hopper?"),
        ("data.tasks='hopper,ant'", "expected tasks that are alike in this"),
        ("data.version='v6'", 'expected one of "v4", "v5"'),
        ("train.discount=0.9", 'it is of train.gradient = "reinforce" or "ppo"'),
        ("train.environments=2", 'it is of train.gradient = "reinforce" or "ppo"'),
        ("train.best=9", "train.best"),
        ("train.epoch_episodes=10", "expected a multiple of 8, the episodes of a gradient step"),
    ],
)
def test_mistakes_are_named_before_anything_runs(fleet: Fleet, setting: str, message: str) -> None:
    said = run(fleet, "plan", fleet.config(SWEEP, base=""), "--set", setting, data=False).expect(2)
    assert message in said.err


def test_scenes_that_are_not_there_are_asked_for(fleet: Fleet) -> None:
    said = fleet(
        *("plan", fleet.config(SWEEP, base="")),
        data=False,
        environment={"LOCOMOTION_ASSETS": str(fleet.directory / "none")},
    ).expect(2)
    assert "`fleet data fetch locomotion` fetches it" in said.err
