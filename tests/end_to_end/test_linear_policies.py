"""Linear policies from configuration to results: the same bits on any ranks, infinite costs,
clear refusals."""

import numpy as np
import pytest

from conftest import ROOT, Fleet, table

BASE = """\
workload = "lqg"

[system]
a = [[1.1, 0.2], [0.0, 0.7]]
b = [[1.0], [0.5]]
observations = 6

[data]
horizon = 20
trajectories = 2

[tasks]
weights = [0.1, 1.0, 10.0]

[fleet]
robots = 5
partition = "mixture"
flipped = 0.4

[train]
epochs = 60

[merge]
every_epochs = 20
participation = 0.6
fleet-merge.epochs = 2
fleet-merge.steps = 3
fleet-merge.batch_size = 2
"""
METHODS = ["local", "average", "fisher", "git-rebasin", "fleet-merge", "gl", "joint"]
GRID = f"\n[sweep.grid]\nmerge.method = {METHODS}\n".replace("'", '"')


def test_outcomes_are_the_same_bits_on_1_2_and_4_ranks(fleet: Fleet) -> None:
    config = fleet.config(GRID, base=BASE)
    for ranks in (1, 2, 4):
        save = ("--set", "run.save_weights=true")
        fleet("run", config, "-o", f"on{ranks}", *save, ranks=ranks, data=False).expect(0)
    alone = fleet.cells("on1").outcomes()
    assert len(alone) == len(METHODS)
    assert fleet.cells("on2").outcomes() == alone
    assert fleet.cells("on4").outcomes() == alone
    fitted = [cell for cell in alone.values() if any(name.startswith("/bases") for name in cell)]
    assert len(fitted) == 1, "gl alone fits bases"
    assert sum(name.startswith("/bases") for name in fitted[0]) == 5, "one for every robot"


def test_unstable_policies_cost_without_bound_and_end_nothing(fleet: Fleet) -> None:
    scalar = BASE.replace("a = [[1.1, 0.2], [0.0, 0.7]]", "a = 1.1").replace(
        "b = [[1.0], [0.5]]", "b = 1"
    )
    settings = (
        *("fleet.flipped=0.5", "fleet.initialization=common"),
        *("merge.every_epochs=0", "merge.participation=1.0"),
    )
    changes = [word for setting in settings for word in ("--set", setting)]
    config = fleet.config(GRID, base=scalar.replace("robots = 5", "robots = 4"))
    said = fleet("run", config, "-o", "out", *changes, data=False).expect(0)
    assert "nan" not in said.text.lower()
    assert len(fleet.cells("out").done()) == len(METHODS)
    cells = table(fleet.directory / "out.h5", "cells")
    metrics = table(fleet.directory / "out.h5", "metrics").merge(
        cells[["cell", "merge.method"]], on="cell"
    )
    assert not metrics.value.isna().any()
    merged = metrics[(metrics.robot < 0) & (metrics.metric == "stationary_ratio")]
    last = merged.groupby("merge.method").value.last()
    assert last["average"] == np.inf
    assert last["gl"] < 10.0


REFUSALS = {
    "a matrix of the wrong size": (["system.b=[[1, 2]]"], ["system.b", "1 x 2", "2 x 2"]),
    "a mode that nothing controls": (
        ["system.b=[[0], [1]]", "system.a=[[1.1, 0], [0, 0.7]]"],
        ["modulus 1.1"],
    ),
    "a noise that is none": (["noise.process=-1"], ["noise.process", "positive semidefinite"]),
    "a static policy that cannot see": (["policy.kind=static"], ["policy.kind", "whole state"]),
    "a GPU": (["run.device=cuda"], ["run.device", '"cpu"']),
    "a method for layers": (["merge.method=regression"], ["merge.method", "layer by layer", "gl"]),
    "a term in their gradient": (["merge.method=scaffold"], ["merge.method", "gradient", "gl"]),
    "a proximal term": (
        ["merge.method=average", "merge.average.proximal=0.1"],
        ["merge.average.proximal", "gradient"],
    ),
    "rounds after the merge": (["merge.rounds_after=3"], ["merge.rounds_after", "layer by layer"]),
    "trials of what acts in no world": (
        [
            "merge.method=best-of",
            "merge.choose=trials",
            r'merge.best-of.candidates=["average", "gl"]',
        ],
        ["merge.choose", "do not act in a world"],
    ),
}


@pytest.mark.parametrize("changes, words", REFUSALS.values(), ids=REFUSALS.keys())
def test_mistakes_are_named_before_anything_runs(
    fleet: Fleet, changes: list[str], words: list[str]
) -> None:
    config = fleet.config(base=BASE)
    options = [word for change in changes for word in ("--set", change)]
    said = fleet("plan", config, *options, data=False).expect(2).err
    for word in words:
        assert word in said


def test_bases_are_not_fitted_where_units_can_only_be_permuted(fleet: Fleet) -> None:
    said = fleet("plan", fleet.config(), "--set", "merge.method=gl").expect(2).err
    assert "merge.method" in said and '"gl"' in said
    assert 'the units of the policies of workload "mnist" can only be permuted' in said


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("lq*.toml")), ids=lambda p: p.stem)
def test_the_experiments_with_linear_policies_are_well_formed(fleet: Fleet, path) -> None:
    fleet("plan", path, data=False).expect(0)
