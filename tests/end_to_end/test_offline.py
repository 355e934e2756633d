"""`workload = "locomotion-offline"`: Decision Transformers of several bodies on recorded
trajectories, and `fleet locomotion demos`; skipped where fleet lacks MuJoCo or the scenes."""

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from conftest import Fleet, Outcome, table
from locomotion_program import require_bodies
from locomotion_program import run as run_with_bodies

SIZES = {"hopper": (11, 3), "halfcheetah": (17, 6), "walker2d": (17, 6)}

SWEEP = """
workload = "locomotion-offline"
[data]
tasks = "hopper, halfcheetah"
demos = "{task}.hdf5"
window = 4
[fleet]
robots = 3
[model]
width = 16
heads = 2
layers = 1
[train]
batch_size = 16
epochs = 2
epoch_steps = 5
[merge]
parameters = "attention, mlp"
every_epochs = 1
fleet-merge.epochs = 1
fleet-merge.steps = 2
[evaluate]
episodes = 3
max_steps = 25
[instruments]
personal_steps = 4
personal_every = 4
"""


@pytest.fixture(autouse=True)
def built() -> None:
    require_bodies()


def run(fleet: Fleet, *arguments: str | Path, **options: Any) -> Outcome:
    return run_with_bodies(fleet, *arguments, data=False, **options)


def write_d4rl(path: Path, body: str, lengths: tuple[int, ...] = (20, 30, 12, 25, 40)) -> None:
    """As D4RL has it: one flat table, truths as h5py writes them."""
    states, actions = SIZES[body]
    random = np.random.default_rng(len(body))
    steps = sum(lengths)
    ends = np.cumsum(lengths) - 1
    with h5py.File(path, "w") as file:
        file["observations"] = random.normal(size=(steps, states)).astype(np.float32)
        file["actions"] = random.uniform(-1, 1, (steps, actions)).astype(np.float32)
        file["rewards"] = random.normal(size=steps).astype(np.float32)
        file["terminals"] = np.isin(np.arange(steps), ends[::2])
        file["timeouts"] = np.isin(np.arange(steps), ends[1::2])
        file["infos/action_log_probs"] = np.zeros(steps)


def write_minari(folder: Path, flat: Path) -> None:
    """The same episodes in Minari's layout; their last states are the ones before them."""
    (folder / "data").mkdir(parents=True)
    with h5py.File(flat) as source, h5py.File(folder / "data" / "main_data.hdf5", "w") as file:
        ends = np.flatnonzero(source["terminals"][:] | source["timeouts"][:])
        for number, (begin, end) in enumerate(zip([0, *ends[:-1] + 1], ends + 1, strict=True)):
            group = file.create_group(f"episode_{number}")
            states = source["observations"][begin:end].astype(np.float64)
            group["observations"] = np.concatenate([states, states[-1:]])
            group["actions"] = source["actions"][begin:end]
            group["rewards"] = source["rewards"][begin:end]
            group["terminations"] = source["terminals"][begin:end]
            group["truncations"] = source["timeouts"][begin:end]


@pytest.fixture
def bodies(fleet: Fleet) -> Fleet:
    for body in SIZES:
        write_d4rl(fleet.directory / f"{body}.hdf5", body)
    return fleet


METHODS = """
[sweep.grid]
merge.method = ["average", "git-rebasin", "fleet-merge", "fisher", "regmean", "regression",
                "random", "local", "joint"]
"""


def test_a_sweep_is_the_same_bits_on_any_number_of_ranks_and_when_it_goes_on(
    bodies: Fleet,
) -> None:
    config = bodies.config(SWEEP + METHODS, base="")
    run(bodies, "run", config, "-o", "one").expect(0)
    expected = bodies.cells("one").outcomes()
    assert len(expected) == 9
    run(bodies, "run", config, "-o", "three", ranks=3).expect(0)
    assert bodies.cells("three").outcomes() == expected
    for file in bodies.cells("three").done()[1:]:
        file.unlink()
    run(bodies, "run", config, "-o", "three", ranks=2).expect(0)
    assert bodies.cells("three").outcomes() == expected


def test_a_plan_says_how_long_it_will_take(bodies: Fleet) -> None:
    said = run(bodies, "plan", bodies.config(SWEEP + METHODS, base=""), "--time").expect(0)
    assert "for 9 cells on 1 rank" in said.out


def test_every_robot_is_tested_in_its_own_body(bodies: Fleet) -> None:
    config = bodies.config(SWEEP + '[run]\nsave_models = "merged"\n', base="")
    said = run(bodies, "run", config, "-o", "out", "--set", "merge.method='average'").expect(0)
    assert "return" in said.out
    metrics = table(bodies.directory / "out.h5", "metrics")
    last = metrics[(metrics["round"] == 2) & (metrics.split == "personal")]
    by_robot = {robot: set(rows.metric) for robot, rows in last.groupby("robot")}
    assert {"return", "score", "return_hopper"} <= by_robot[0] == by_robot[2]
    assert "return_halfcheetah" in by_robot[1] and "return_hopper" not in by_robot[1]
    models = sorted(path.name for path in (bodies.directory / "out").rglob("personal-*.h5"))
    assert models == ["personal-0.h5", "personal-1.h5", "personal-2.h5"]
    model = next((bodies.directory / "out").rglob("personal-1.h5"))
    roll = ("locomotion", "rollout", "halfcheetah", "--policy", str(model), "--episodes", "2")
    assert re.search(r"halfcheetah +-?\d+", run(bodies, *roll).expect(0).out)


def test_files_of_minari_are_the_same_data_as_those_of_d4rl(bodies: Fleet) -> None:
    for body in ("hopper", "halfcheetah"):
        write_minari(bodies.directory / "minari" / body, bodies.directory / f"{body}.hdf5")
    chosen = ("--set", "merge.method='regression'")
    config = bodies.config(SWEEP, base="")
    run(bodies, "run", config, "-o", "flat", *chosen).expect(0)
    run(
        bodies, "run", config, "-o", "other", *chosen, "--set", "data.demos='minari/{task}'"
    ).expect(0)
    assert bodies.cells("flat").outcomes() == bodies.cells("other").outcomes()


def test_robots_start_from_a_model_and_are_pulled_back_to_it(bodies: Fleet) -> None:
    config = bodies.config(SWEEP, base="")
    saved = ("--set", "merge.method='joint'", "--set", "run.save_models='merged'")
    run(bodies, "run", config, "-o", "first", *saved).expect(0)
    model = next((bodies.directory / "first").rglob("merged.h5"))
    chosen = ("--set", "merge.method='average'", "--set", "run.save_models='all'")
    chosen += ("--set", f"model.start='{model}'")
    moved = []
    for pull in ("0", "1e6"):
        # Plain gradient descent: Adam does not know how large a gradient is.
        more = ("--set", f"train.pull={pull}", "--set", "train.learning_rate=1e-9")
        more += ("--set", "train.optimizer='sgd'")
        run(bodies, "run", config, "-o", f"pull{pull}", *chosen, *more).expect(0)
        robot = next((bodies.directory / f"pull{pull}").rglob("robot-0.h5"))
        with h5py.File(model) as start, h5py.File(robot) as end:
            names = [name for name in start["weights"] if name.startswith("blocks")]
            moved.append(
                max(np.abs(start["weights"][n][:] - end["weights"][n][:]).max() for n in names)
            )
    assert moved[0] < 1e-4 and moved[1] < 2e-3, moved


def test_robots_choose_by_trials_in_their_own_bodies(bodies: Fleet) -> None:
    config = bodies.config(SWEEP, base="")
    chosen = ("--set", "merge.method='best-of'", "--set", "merge.choose='trials'")
    chosen += ("--set", "merge.trials=3", "--set", "merge.best-of.candidates=['random', 'regmean']")
    run(bodies, "run", config, "-o", "one", *chosen).expect(0)
    rounds = table(bodies.directory / "one.h5", "rounds")
    merged = rounds[rounds["merge_episodes"] > 0]
    assert (merged["merge_episodes"] == 3 * 3 * 2).all()  # robots, episodes, candidates
    assert len(merged) > 0
    run(bodies, "run", config, "-o", "two", *chosen, ranks=2).expect(0)
    assert bodies.cells("two").outcomes() == bodies.cells("one").outcomes()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"merge.parameters": "all"}, "robots of different bodies see and do different things"),
        ({"merge.parameters": "blocks, head"}, "expected names without embedding.actions"),
        ({"merge.parameters": "atention"}, 'did you mean "attention"?'),
        ({"data.demos": "hopper.hdf5"}, "expected {task} in it"),
        ({"data.demos": "none/{task}.h5"}, "fleet locomotion demos"),
        ({"data.tasks": "hopper, ant"}, "fleet locomotion demos"),
        ({"model.start": "none.h5"}, "model.start"),
        ({"model.kind": "mlp"}, "the data are trajectories, which these take: decision-trans"),
    ],
)
def test_mistakes_are_named_before_anything_runs(
    bodies: Fleet, settings: dict[str, str], message: str
) -> None:
    chosen = [part for key, value in settings.items() for part in ("--set", f"{key}='{value}'")]
    said = run(bodies, "plan", bodies.config(SWEEP, base=""), *chosen).expect(2)
    assert message in said.err


def test_numbers_that_do_not_fit_are_named(bodies: Fleet) -> None:
    config = bodies.config(SWEEP, base="")
    few = run(bodies, "plan", config, "--set", "fleet.robots=1").expect(2)
    assert "one at least for each of the 2 bodies" in few.err
    returns = run(bodies, "plan", config, "--set", "evaluate.returns=[1, 2, 3]").expect(2)
    assert "one for each of the 2 bodies" in returns.err
    long = run(bodies, "plan", config, "--set", "data.window=35").expect(2)
    assert "episodes of hopper with 35 steps or more" in long.err
    with h5py.File(bodies.directory / "hopper.hdf5", "a") as file:
        del file["rewards"]
    assert "has no rewards" in run(bodies, "plan", config).expect(2).err
    write_d4rl(bodies.directory / "hopper.hdf5", "walker2d")
    said = run(bodies, "plan", config).expect(2).err
    assert "hopper.hdf5: observations is 127 x 17, expected N x 11" in said


SNAPSHOTS = """
workload = "locomotion"
[data]
tasks = "hopper"
[fleet]
robots = 1
[model]
hidden = []
[train]
gradient = "search"
optimizer = "sgd"
learning_rate = 0.02
directions = 2
best = 1
epochs = 3
epoch_episodes = 4
[merge]
method = "average"
every_epochs = 1
[evaluate]
episodes = 1
[run]
save_models = "rounds"
"""


def test_graded_data_are_the_same_on_any_number_of_ranks(fleet: Fleet) -> None:
    run(fleet, "run", fleet.config(SNAPSHOTS, base=""), "-o", "out").expect(0)
    names = {path.name for path in (fleet.directory / "out").rglob("merged*.h5")}
    assert names == {"merged-1.h5", "merged-2.h5", "merged-3.h5", "merged.h5"}
    demos = ("locomotion", "demos", "--policies", "out/models", "--steps", "300")
    for quality in ("low", "medium", "medium-replay", "medium-expert", "expert"):
        files = []
        for ranks in (1, 3):
            files.append(fleet.directory / f"{quality}-{ranks}.h5")
            chosen = ("--quality", quality, "-o", files[-1].name)
            said = run(fleet, *demos, *chosen, ranks=ranks).expect(0)
            assert re.search(r"score -?\d+: ", said.out), said.out
        assert files[0].read_bytes() == files[1].read_bytes()
    plan = fleet.config(SWEEP.replace("robots = 3", "robots = 1"), base="")
    chosen = ("--set", "data.tasks='hopper'", "--set", "data.demos='{task}.h5'")
    (fleet.directory / "medium-1.h5").rename(fleet.directory / "hopper.h5")
    run(fleet, "plan", plan, *chosen).expect(0)
    assert (
        "--policies"
        in run(fleet, "locomotion", "demos", "--policies", "no", "-o", "x").expect(2).err
    )
    version = run(fleet, *demos, "--version", "v5", "-o", "x.h5").expect(2).err
    assert "--version: policies say themselves what they were trained with" in version
    said = run(fleet, *demos, "--task", "ant", "-o", "x.h5").expect(2).err
    assert "--task ant: --policies out/models are of hopper" in said
