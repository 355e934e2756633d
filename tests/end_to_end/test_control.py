"""`fleet control` and sweeps of robots that learn online, from episodes of their own."""

import json
import os
import re
import signal

import numpy as np
import pytest

from conftest import Fleet, finish, ranks_of, table, wait_until
from locomotion_program import require_bodies, run

SWEEP = """
workload = "control"
[data]
tasks = "cartpole"
[fleet]
robots = 3
initialization = "common"
[model]
hidden = [16]
[train]
epochs = 3
epoch_episodes = 4
batch_episodes = 2
learning_rate = 1e-2
[merge]
every_epochs = 1
[evaluate]
episodes = 4
max_steps = 60
"""


def test_experts_are_the_same_on_any_number_of_ranks(fleet: Fleet) -> None:
    listing = fleet("control", "tasks").expect(0).out.split()
    assert listing == ["cartpole", "pendulum", "acrobot", "cartpole-positions"]
    roll = ("control", "rollout", "cartpole,acrobot,pendulum,cartpole-positions", "--episodes", "7")
    alone = fleet(*roll).expect(0)
    assert re.search(r"cartpole +500", alone.out), alone.out
    for ranks in (2, 3):
        assert fleet(*roll, ranks=ranks).expect(0).out == alone.out


@pytest.mark.parametrize("gradient", ["reinforce", "search"])
def test_batch_norms_of_robots_that_learn_online_are_renewed(fleet: Fleet, gradient: str) -> None:
    """Over what robots remember of their own episodes, as all that they are asked."""
    text = SWEEP.replace("[train]", f'norm = "batch"\n[train]\ngradient = "{gradient}"')
    if gradient == "search":
        text = text.replace("batch_episodes = 2", "").replace(
            "epoch_episodes = 4", "epoch_episodes = 16"
        )
    config = fleet.config(
        text + '[sweep.grid]\nmerge.method = ["average", "regression"]\n', base=""
    )
    fleet("run", config, "-o", "one", data=False).expect(0)
    fleet("run", config, "-o", "two", ranks=2, data=False).expect(0)
    assert fleet.cells("two").outcomes() == fleet.cells("one").outcomes()


def test_robots_that_have_never_played_are_asked_nothing(fleet: Fleet) -> None:
    """Of five that are drawn one by one, some are not there yet when all go on alone."""
    text = SWEEP.replace("robots = 3", "robots = 5").replace(
        "[train]", '[train]\nrobots = "participants"'
    )
    config = fleet.config(text.replace("[merge]", "[merge]\nparticipants = 1"), base="")
    steps = ("--set", "instruments.personal_steps=10")
    fleet("run", config, "-o", "alone", *steps, data=False).expect(0)
    after = ("--set", 'merge.method="auto"', "--set", "merge.rounds_after=2")
    told = fleet("plan", config, *after, data=False).expect(2).err
    assert "merge.rounds_after = 2: expected 0" in told and "gathered no data" in told


METHODS = """
[sweep.grid]
merge.method = ["average", "git-rebasin", "fleet-merge", "regression", "auto", "local", "joint"]
"""


@pytest.mark.parametrize("task", ["cartpole", "pendulum"])
def test_a_sweep_is_the_same_bits_on_any_number_of_ranks_and_when_it_goes_on(
    fleet: Fleet, task: str
) -> None:
    text = SWEEP.replace("cartpole", task) + METHODS
    config = fleet.config(text.replace("robots = 3", "robots = 3\nspread = 0.3"), base="")
    fleet("run", config, "-o", "one", data=False).expect(0)
    expected = fleet.cells("one").outcomes()
    assert len(expected) == 7
    fleet("run", config, "-o", "three", ranks=3, data=False).expect(0)
    assert fleet.cells("three").outcomes() == expected
    for file in fleet.cells("three").done()[1:]:
        file.unlink()
    fleet("run", config, "-o", "three", ranks=2, data=False).expect(0)
    assert fleet.cells("three").outcomes() == expected


SEQUENCES = {
    "gru": 'kind = "gru"\nhidden = [8]',
    "rnn": 'kind = "rnn"\nhidden = [8, 8]',
    "transformer": 'kind = "transformer"\nlayers = 1\nwidth = 8\nheads = 2',
}


def sequence_sweep(kind: str) -> str:
    text = SWEEP.replace("hidden = [16]", SEQUENCES[kind]).replace(
        "max_steps = 60", "max_steps = 30"
    )
    return text.replace("[fleet]", "window = 5\n[fleet]") if kind == "transformer" else text


@pytest.mark.parametrize(
    ("kind", "task"),
    [("gru", "cartpole-positions"), ("rnn", "pendulum"), ("transformer", "cartpole-positions")],
)
def test_so_is_one_of_networks_that_see_sequences(fleet: Fleet, kind: str, task: str) -> None:
    """Whatever methods ask of the robots' episodes, and on 1, 2 and 4 ranks."""
    text = sequence_sweep(kind).replace("cartpole", task)
    text = text.replace("robots = 3", "robots = 4").replace("epochs = 3", "epochs = 2")
    methods = ["average", "fisher", "fleet-merge", "regression"]
    axis = f"[sweep.grid]\nmerge.method = {json.dumps(methods)}\n"
    config = fleet.config(text + axis, base="")
    fleet("run", config, "-o", "one", data=False).expect(0)
    expected = fleet.cells("one").outcomes()
    assert len(expected) == len(methods)
    fleet("run", config, "-o", "four", ranks=4, data=False).expect(0)
    assert fleet.cells("four").outcomes() == expected
    for file in fleet.cells("four").done()[1:]:
        file.unlink()
    fleet("run", config, "-o", "four", ranks=2, data=False).expect(0)
    assert fleet.cells("four").outcomes() == expected


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_a_cell_that_was_stopped_goes_on_in_the_middle(fleet: Fleet, kind: str) -> None:
    text = sequence_sweep(kind).replace("epochs = 3", "epochs = 60")
    config = fleet.config(text.replace("[merge]", '[merge]\nmethod = "average"'), base="")
    fleet("run", config, "-o", "whole", data=False).expect(0)
    cells = fleet.cells("cut")
    process = fleet.start("run", config, "-o", "cut", ranks=2, data=False)
    wait_until(
        lambda: any("round 2" in path.read_text() for path in cells.files("*.running")), process
    )
    for rank in ranks_of(process):
        os.kill(rank, signal.SIGTERM)
    finish(process).expect(75)
    assert cells.done() == []
    fleet("run", config, "-o", "cut", data=False).expect(0)
    assert cells.outcomes() == fleet.cells("whole").outcomes()


PROXIMAL = """
gradient = "ppo"
epoch_batches = 2
batch_steps = 100
passes = 3
minibatch_steps = 32
"""


@pytest.mark.parametrize("task", ["cartpole", "pendulum"])
def test_so_is_one_of_robots_that_learn_by_ppo(fleet: Fleet, task: str) -> None:
    text = SWEEP.replace("epoch_episodes = 4\nbatch_episodes = 2", PROXIMAL).replace(
        "cartpole", task
    )
    text = text.replace("[merge]", "[merge]\naverage.proximal = 0.1")
    methods = '["average", "regression", "local", "joint"]'
    config = fleet.config(text + f"[sweep.grid]\nmerge.method = {methods}\n", base="")
    fleet("run", config, "-o", "one", data=False).expect(0)
    expected = fleet.cells("one").outcomes()
    fleet("run", config, "-o", "two", ranks=2, data=False).expect(0)
    assert fleet.cells("two").outcomes() == expected


def test_robots_learn_to_balance(fleet: Fleet) -> None:
    """Five robots of 150 episodes each, merged every ten, stay up far longer than at first."""
    text = SWEEP.replace("max_steps = 60\n", "every_rounds = 1\n")
    text = text.replace("robots = 3", "robots = 5").replace("epochs = 3", "epochs = 15")
    text = text.replace("epoch_episodes = 4\nbatch_episodes = 2", "epoch_episodes = 10")
    text = text.replace("hidden = [16]", "hidden = [64]").replace("episodes = 4", "episodes = 10")
    text = text.replace("learning_rate = 1e-2", "learning_rate = 3e-2")
    fleet("run", fleet.config(text, base=""), "-o", "out", ranks=2, data=False).expect(0)
    metrics = table(fleet.directory / "out.h5", "metrics")
    merged = metrics[(metrics.robot == -1) & (metrics.metric == "return")]
    by_round = merged.groupby("round")["value"].mean()
    assert by_round.iloc[-1] > 150, by_round
    assert by_round.iloc[0] < 60, by_round


def test_bodies_that_differ_make_other_episodes(fleet: Fleet) -> None:
    config = fleet.config(SWEEP + "[sweep.grid]\nfleet.spread = [0, 0.5]\n", base="")
    fleet("run", config, "-o", "out", data=False).expect(0)
    metrics = table(fleet.directory / "out.h5", "metrics")
    last = metrics[(metrics["round"] == 3) & (metrics.metric == "return") & (metrics.robot >= 0)]
    values = [np.sort(cell.value.to_numpy()) for _, cell in last.groupby("cell")]
    assert len(values) == 2
    assert not np.array_equal(*values)


@pytest.mark.parametrize("kind", [None, "gru", "transformer"])
def test_a_saved_policy_acts_outside_of_its_sweep(fleet: Fleet, kind: str | None) -> None:
    text = sequence_sweep(kind) if kind else SWEEP
    config = fleet.config(text + '[run]\nsave_models = "merged"\n', base="")
    fleet("run", config, "-o", "out", data=False).expect(0)
    model = next((fleet.directory / "out").rglob("*merged*.h5"))
    roll = ("control", "rollout", "cartpole", "--policy", str(model), "--episodes", "5")
    alone = fleet(*roll).expect(0)
    assert re.search(r"cartpole +\d+", alone.out), alone.out
    assert fleet(*roll, ranks=2).expect(0).out == alone.out
    for other in ("acrobot", "pendulum", "cartpole,acrobot", "cartpole-positions"):
        refused = fleet(*roll[:2], other, *roll[3:]).expect(2)
        assert f"was trained on cartpole, and cannot act in {other.split(',')[-1]}" in refused.err


@pytest.mark.parametrize("kind", ["mlp", "gru"])
def test_saved_robots_have_no_episodes_to_be_asked_about(fleet: Fleet, kind: str) -> None:
    text = SWEEP.replace("[model]", f'[model]\nkind = "{kind}"')
    setting = ("--set", "merge.method='average'", "--set", "run.save_models='all'")
    fleet("run", fleet.config(text, base=""), "-o", "out", *setting, data=False).expect(0)
    robots = sorted((fleet.directory / "out" / "models").rglob("robot-*.h5"))[:2]
    for method in ("regression", "regmean"):
        merge = fleet("merge", *robots, "--method", method, "-o", "merged.h5").expect(1)
        assert "has not played yet" in merge.err
    fleet("merge", *robots, "--method", "average", "-o", "merged.h5").expect(0)
    fleet("barrier", *robots, "-o", "between").expect(0)


def test_a_target_of_a_task_that_is_not_played_fails_before_training(fleet: Fleet) -> None:
    once = ("--set", "merge.method='average'", "--set", "merge.every_epochs=0")
    endless = ("--set", "train.epochs=1000000", *once)
    target = ("--set", "evaluate.target=return_pendulum >= 400")
    config = fleet.config(SWEEP, base="")
    failed = fleet("run", config, "-o", "out", *endless, *target, data=False).expect(1)
    assert 'set for "return_pendulum", but what is tested is return' in failed.err


@pytest.mark.parametrize("workload", ["control", "locomotion"])
def test_without_a_number_there_are_five_robots_in_the_world_as_in_the_fleet(
    fleet: Fleet, workload: str
) -> None:
    if workload == "locomotion":
        require_bodies()
    task = "cartpole" if workload == "control" else "hopper"
    config = fleet.config(f'workload = "{workload}"\ndata.tasks = "{task}"\n', base="")
    plan = run(fleet, "plan", config, data=False).expect(0)
    assert re.search(r"robots +up to 5,", plan.out), plan.out
    resolved = run(fleet, "plan", config, "--resolved", data=False).expect(0)
    assert "\nfleet.robots = 5\n" in resolved.out


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.tasks='cartpol'", "did you mean cartpole?"),
        ("data.tasks='cartpole,acrobot'", "expected tasks that are alike in this"),
        ("data.demos='demos.h5'", "robots of this workload gather their own data"),
        ("fleet.alpha=0.1", "robots of this workload gather their own data"),
        ("train.batch_size=32", "robots of this workload gather their own data"),
        ("train.batch_episodes=3", "expected a multiple of 3, the episodes of a gradient step"),
        ("train.directions=3", 'it is of train.gradient = "search"'),
        ("train.deviation=0.1", "an action of this task is a choice"),
        ("train.passes=3", 'it is of train.gradient = "ppo"'),
        ("train.gradient='pppo'", 'expected one of "reinforce", "search", "ppo"'),
        ("model.kind='cnn'", "such data are for mlp, lstm, gru, rnn, transformer"),
        ("data.window=8", "an mlp sees one observation at a time"),
        ("instruments.finetune_steps=5", "finetune"),
    ],
)
def test_mistakes_are_named_before_anything_runs(fleet: Fleet, setting: str, message: str) -> None:
    said = fleet("plan", fleet.config(SWEEP, base=""), "--set", setting, data=False).expect(2)
    assert message in said.err


@pytest.mark.parametrize("kind", ["rnn", "transformer"])
@pytest.mark.parametrize("gradient", ["ppo", "search"])
def test_only_reinforce_is_for_sequences(fleet: Fleet, gradient: str, kind: str) -> None:
    text = SWEEP.replace("epoch_episodes = 4\nbatch_episodes = 2", f'gradient = "{gradient}"')
    text = text.replace("hidden = [16]", f'kind = "{kind}"')
    said = fleet("plan", fleet.config(text, base=""), data=False).expect(2)
    assert "model.kind" in said.err
    assert 'expected "mlp", or train.gradient = "reinforce"' in said.err


def test_a_recurrent_network_has_no_window(fleet: Fleet) -> None:
    text = SWEEP.replace("hidden = [16]", 'kind = "lstm"')
    said = fleet("plan", fleet.config(text, base=""), "--set", "data.window=8", data=False).expect(
        2
    )
    assert "rnn, lstm and gru all since an episode began" in said.err


def test_ppo_refuses_a_norm_by_the_batch(fleet: Fleet) -> None:
    text = SWEEP.replace("epoch_episodes = 4\nbatch_episodes = 2", PROXIMAL)
    chosen = ("--set", "model.norm='batch'")
    said = fleet("plan", fleet.config(text, base=""), *chosen, data=False).expect(2)
    assert 'expected "none" or "layer"' in said.err


def test_there_is_nothing_to_draw(fleet: Fleet) -> None:
    said = fleet("control", "rollout", "cartpole", "--render", "film").expect(2)
    assert "render" in said.err
