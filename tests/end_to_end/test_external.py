"""Fleets and methods of the user's own: programs that ranks start and talk to."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from conftest import (
    BASE,
    ROOT,
    Fleet,
    Outcome,
    descendants,
    finish,
    ranks_of,
    table,
    wait_until,
)

PACKAGE = ROOT / "python" / "src"
EXAMPLES = ROOT / "python" / "examples"
TORCH_PYTHON = Path(os.environ.get("FLEET_TORCH_PYTHON", ROOT / ".venv-debian" / "bin" / "python"))
needs_torch = pytest.mark.skipif(
    not TORCH_PYTHON.exists(), reason=f"{TORCH_PYTHON}, a Python with PyTorch, is not there"
)

#: Robots that wander towards places of their own, and misbehave if asked to.
WORLD = """
import os, sys, time
import numpy as np
import fleet


class Drift(fleet.Fleet):
    settings = {"rate": 0.5, "fault": "", "pause": 0.0, "numbers": [1, 2]}

    def network(self):
        return fleet.Network((fleet.Tensor("weights", (7,)),))

    def samples(self, robot):
        return 10 + robot

    def steps_per_epoch(self, robot):
        return 5

    def initialize(self, robot, weights):
        weights[:] = np.random.default_rng([self.cell.seed, robot.index]).normal(size=7)

    def train(self, robot, training):
        fault = self.cell.settings["fault"] if robot.index == 2 else ""
        if fault == "die":
            print("about to die", file=sys.stderr, flush=True)
            os.kill(os.getpid(), 9)
        if fault == "hang":
            time.sleep(1000)
        if fault == "raise":
            weights = {}["no such key"]
        if fault == "chatter":
            os.write(3, b"hello?\\n")
        total = 0.0
        for step in range(robot.steps, robot.steps + training.steps):
            time.sleep(self.cell.settings["pause"])
            stream = np.random.default_rng([self.cell.seed, robot.index, step])
            target = stream.normal(size=7) + robot.index
            total += float(np.square(training.weights - target).mean())
            training.weights += self.cell.settings["rate"] * (target - training.weights)
        if fault == "nan":
            training.weights[3] = np.nan
        return total

    def test(self, weights, part):
        return {"loss": (float(np.square(weights).sum()), 7.0)}

    def save(self, robot):
        return b""

    def load(self, robot, state):
        pass


fleet.serve(Drift)
"""
METHOD = """
import numpy as np
import fleet


class Median(fleet.Method):
    settings = {"shrink": 1.0}

    def merge(self, models, about):
        assert about.previous is None or about.round > 1
        return self.chosen["shrink"] * np.median(models, axis=0)


fleet.serve(Median)
"""
CONFIG = """
workload = "external"
train.epochs = 4
merge.every_epochs = 2
merge.method = "average"
fleet.robots = 4
external.command = ["{python}", "world.py"]
run.external.time_limit = 60.0
"""
WITH_PACKAGE = {"PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def outside(fleet: Fleet) -> Fleet:
    (fleet.directory / "world.py").write_text(WORLD)
    (fleet.directory / "method.py").write_text(METHOD)
    return fleet


def sweep(outside: Fleet, text: str = "", name: str = "sweep") -> Path:
    return outside.config(text, name, base=CONFIG.format(python=sys.executable))


def run(outside: Fleet, config: Path, output: str, *arguments: str, ranks: int = 0) -> Outcome:
    return outside(
        "run", config, "-o", output, *arguments, ranks=ranks, data=False, environment=WITH_PACKAGE
    )


def plan(outside: Fleet, config: Path, *arguments: str) -> Outcome:
    return outside("plan", config, *arguments, data=False, environment=WITH_PACKAGE)


AXES = "\n[sweep.grid]\nexternal.settings.rate = [0.25, 0.5]\nseed = [0, 1]\n"


def test_a_fleet_of_ones_own_gives_the_same_bits_on_any_number_of_ranks(outside: Fleet) -> None:
    config = sweep(outside, 'run.save_weights = true\nevaluate.local = "every"\n' + AXES)
    for ranks in (1, 2, 5):
        run(outside, config, f"on{ranks}", ranks=ranks).expect(0)
    one = outside.cells("on1").outcomes()
    assert len(one) == 4
    assert outside.cells("on2").outcomes() == one
    assert outside.cells("on5").outcomes() == one
    cells = table(outside.directory / "on1.h5", "cells")
    assert set(cells["external.settings.rate"]) == {0.25, 0.5}
    shards = table(outside.directory / "on1.h5", "shards")
    assert list(shards[shards.cell == 0].samples) == [10, 11, 12, 13]


def test_an_interrupted_sweep_goes_on_to_the_same_bits(outside: Fleet) -> None:
    text = "external.settings.pause = 0.05\ntrain.epochs = 6\nrun.save_weights = true\n"
    config = sweep(outside, "")
    config.write_text(config.read_text().replace("train.epochs = 4\n", "") + text)
    run(outside, config, "whole", ranks=2).expect(0)
    process = outside.start("run", config, "-o", "parts", data=False, environment=WITH_PACKAGE)
    wait_until(lambda: any(outside.cells("parts").files("*.running")), process)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    finish(process).expect(75)
    assert not outside.cells("parts").done()
    run(outside, config, "parts", ranks=3).expect(0)
    assert outside.cells("parts").outcomes() == outside.cells("whole").outcomes()


RAISES = 1 + next(i for i, line in enumerate(WORLD.splitlines()) if "no such key" in line)
FAULTS = {
    "die": r'round 1: the program `.*world.py` was asked "train" and was ended by signal 9 '
    r"\(Killed\); its last words: about to die",
    "hang": r'"train" and gave no answer within 2 s \(run.external.time_limit\)',
    "raise": rf"KeyError: 'no such key' \(.*world.py:{RAISES}\)",
    "nan": r"round 1: robot 2: .* no longer finite",
    "chatter": r"answered with what is no JSON: hello\?",
}


def test_a_cell_whose_program_fails_ends_and_the_others_go_on(outside: Fleet) -> None:
    faults = ["", *FAULTS]
    config = sweep(outside, f"\n[sweep.grid]\nexternal.settings.fault = {faults}\n")
    arguments = ("--set", "run.external.time_limit=2")
    outcome = run(outside, config, "out", *arguments, ranks=2).expect(1)
    assert "1 cells done" in outcome.out
    cells = table(outside.directory / "out.h5", "cells")
    for fault, reason in zip(cells["external.settings.fault"], cells.reason, strict=True):
        assert re.search(FAULTS[fault], reason) if fault else reason == "", f"{fault}: {reason}"


def test_no_program_outlives_its_rank(outside: Fleet) -> None:
    config = sweep(outside, "external.settings.pause = 10.0\n")
    process = outside.start(
        "run", config, "-o", "out", ranks=2, data=False, environment=WITH_PACKAGE
    )
    wait_until(lambda: any(outside.cells("out").files("*.running")), process)
    time.sleep(1.0)
    programs = {
        pid
        for pid in descendants(process.pid)
        if b"world.py" in Path(f"/proc/{pid}/cmdline").read_bytes() and pid not in ranks_of(process)
    }
    assert len(programs) == 2
    for rank in ranks_of(process):
        os.kill(rank, signal.SIGKILL)
    finish(process)
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in programs):
        assert time.monotonic() < end, "a program is still there"
        time.sleep(0.05)


def test_what_is_wrong_is_said_before_anything_runs(outside: Fleet) -> None:
    cases = [
        ("external.settings.rat = 0.5\n", "unknown key; did you mean external.settings.rate?"),
        ('external.settings.rate = "fast"\n', "expected a number"),
        ("external.settings.numbers = 3\n", "expected a list"),
        ("train.learning_rate = 0.1\n", "below [external.settings]"),
        (
            'merge.method = "fisher"\n',
            "this asks robots for loss_gradient, which those of workload",
        ),
        ('merge.method = "joint"\n', "has no robot with everybody's data"),
        ('merge.method = "regmean"\n', "works layer by layer"),
        ('merge.moments = "keep"\n', "cannot be carried over a merge"),
        ('external.command = ["/no/such/program"]\n', "cannot start /no/such/program"),
        ("external.command = []\n", "expected a program and its arguments"),
        ('external.command = "python3"\n', "expected a list of strings"),
        ("instruments.finetune_steps = 5\n", "there are none"),
    ]
    for text, complaint in cases:
        config = sweep(outside)
        key = text.split(" =")[0]
        kept = [line for line in config.read_text().splitlines() if not line.startswith(key)]
        config.write_text("\n".join(kept) + "\n" + text)
        outcome = plan(outside, config).expect(2)
        assert complaint in outcome.err, f"{text}: {outcome.err}"
        assert f"sweep.toml:{len(kept) + 1}:" in outcome.err, outcome.err


def test_an_error_in_the_users_code_names_its_file_and_line(outside: Fleet) -> None:
    world = WORLD.replace('return fleet.Network((fleet.Tensor("weights", (7,)),))', "return 1 / 0")
    (outside.directory / "world.py").write_text(world)
    outcome = plan(outside, sweep(outside)).expect(2)
    assert re.search(r"ZeroDivisionError: division by zero \(.*world.py:11\)", outcome.err)


def test_a_cell_is_known_by_the_code_of_its_world(outside: Fleet) -> None:
    config = sweep(outside)
    before = plan(outside, config, "--cells").out.splitlines()[-1].split()[0]
    assert plan(outside, config, "--cells").out.splitlines()[-1].split()[0] == before
    (outside.directory / "world.py").write_text(WORLD.replace("robot.index\n", "2 * robot.index\n"))
    assert plan(outside, config, "--cells").out.splitlines()[-1].split()[0] != before


def test_saved_models_of_ones_own_merge_again(outside: Fleet) -> None:
    config = sweep(outside, 'run.save_models = "all"\n')
    run(outside, config, "out").expect(0)
    models = sorted((outside.directory / "out" / "models").rglob("robot*.h5"))
    assert len(models) >= 2
    merged = outside(
        "merge", *models, "--method", "average", "-o", "m.h5", environment=WITH_PACKAGE
    ).expect(0)
    assert "loss" in merged.out


def test_a_method_of_ones_own_merges_every_workload(outside: Fleet) -> None:
    command = f'["{sys.executable}", "method.py"]'
    method = f"merge.external.command = {command}\nrun.save_weights = true\n"
    grid = '\n[sweep.grid]\nmerge.method = ["average", "external"]\n'
    config = sweep(outside, "")
    config.write_text(config.read_text().replace('merge.method = "average"\n', "") + method + grid)
    run(outside, config, "on1").expect(0)
    run(outside, config, "on3", ranks=3).expect(0)
    assert outside.cells("on1").outcomes() == outside.cells("on3").outcomes()
    digits = outside.config(grid, "digits", base=BASE + f"external.command = {command}\n")
    outcome = outside("run", digits, "-o", "digits", ranks=2, environment=WITH_PACKAGE).expect(0)
    assert "2 cells done" in outcome.out
    metrics = table(outside.directory / "digits.h5", "metrics")
    assert np.isfinite(metrics.value).all()


def test_a_method_of_ones_own_is_checked_before_anything_runs(outside: Fleet) -> None:
    config = sweep(outside, "")
    text = config.read_text().replace('"average"', '"external"')
    config.write_text(text)
    assert "expected a program and its arguments" in plan(outside, config).expect(2).err
    config.write_text(
        text + f'merge.external.command = ["{sys.executable}", "method.py"]\n'
        "merge.external.settings.shrnk = 0.5\n"
    )
    assert "did you mean merge.external.settings.shrink?" in plan(outside, config).expect(2).err
    config.write_text(text + f'merge.external.command = ["{sys.executable}", "world.py"]\n')
    assert "no merging method" in plan(outside, config).expect(2).err


def test_rounds_after_the_merge_are_refused_by_what_they_ask_for(outside: Fleet) -> None:
    said = plan(outside, sweep(outside, "merge.rounds_after = 3\n")).expect(2).err
    assert "merge.rounds_after = 3: this works layer by layer" in said


@pytest.mark.parametrize("numbers", [("x", "4"), ("3", "99999"), ("3",)])
def test_attach_by_hand_says_who_starts_it(fleet: Fleet, numbers: tuple[str, ...]) -> None:
    said = fleet("attach", *numbers, data=False).expect(2).err
    assert "descriptor" in said


DIGITS = """
workload = "external"
fleet.robots = 3
fleet.initialization = "common"
train.epochs = 24
external.settings.learning_rate = 0.01
external.command = ["{python}", "{examples}/digits.py"]
external.settings.folder = "{digits}"
external.settings.hidden = 12

[merge]
every_epochs = 8
fleet-merge.epochs = 2
fleet-merge.steps = 3
fleet-merge.batch_size = 32

[sweep.grid]
merge.method = ["average", "fleet-merge", "git-rebasin", "fisher", "regmean", "regression", "joint"]
"""


@needs_torch
def test_digits_in_pytorch_go_through_every_method(fleet: Fleet) -> None:
    config = fleet.config(
        base=DIGITS.format(python=TORCH_PYTHON, examples=EXAMPLES, digits=fleet.data)
    )
    reduced = ("--set", "merge.fisher.samples=20")
    for ranks in (1, 3):
        fleet(
            "run", config, "-o", f"on{ranks}", *reduced,
            ranks=ranks, data=False, environment=WITH_PACKAGE,
        ).expect(0)  # fmt: skip
    assert fleet.cells("on1").outcomes() == fleet.cells("on3").outcomes()
    metrics = table(fleet.directory / "on1.h5", "metrics")
    last = metrics[(metrics.metric == "accuracy") & (metrics.robot == -1) & (metrics["round"] == 3)]
    assert len(last) == 7
    assert (last.value > 0.5).all()


@needs_torch
def test_cart_poles_learn_apart_and_merge(fleet: Fleet) -> None:
    config = fleet.config(
        base=f"""
workload = "external"
fleet.robots = 2
fleet.initialization = "common"
train.epochs = 6
merge.method = "average"
evaluate.local = "every"
external.command = ["{TORCH_PYTHON}", "{EXAMPLES}/cartpole.py"]
external.settings.test_episodes = 3

[sweep.grid]
merge.every_epochs = [2, 3]
"""
    )
    fleet("run", config, "-o", "out", ranks=2, data=False, environment=WITH_PACKAGE).expect(0)
    metrics = table(fleet.directory / "out.h5", "metrics")
    assert set(metrics.metric) == {"reward"}
    assert (metrics.value >= 8).all()
    assert set(metrics.robot) == {-1, 0, 1}
