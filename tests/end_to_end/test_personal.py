"""Robots that keep a part of their weights to themselves: merge.parameters."""

import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest

from conftest import Fleet, finish, ranks_of, table, wait_until

METHODS = [
    "average",
    "git-rebasin",
    "fleet-merge",
    "fisher",
    "regmean",
    "regression",
    "random",
    "one-robot",
]
PERSONAL = """
[evaluate]
local = "last"
[instruments]
personal_steps = 6
personal_every = 3
"""


def sweep(parameters: str, methods: list[str], more: str = "") -> str:
    listed = ", ".join(f'"{method}"' for method in methods)
    return (
        PERSONAL
        + more
        + f'\n[sweep.grid]\nmerge.method = [{listed}]\nmerge.parameters = ["{parameters}"]\n'
    )


def test_robots_with_heads_of_their_own_are_the_same_bits_on_any_number_of_ranks_and_when_resumed(
    fleet: Fleet,
) -> None:
    config = fleet.config(sweep("!layers.2", METHODS))
    fleet("run", config, "-o", "one").expect(0)
    expected = fleet.cells("one").outcomes()
    assert len(expected) == len(METHODS)
    fleet("run", config, "-o", "three", ranks=3).expect(0)
    assert fleet.cells("three").outcomes() == expected
    for file in fleet.cells("three").done()[1:]:
        file.unlink()
    fleet("run", config, "-o", "three", ranks=2).expect(0)
    assert fleet.cells("three").outcomes() == expected


def test_a_cell_that_is_stopped_goes_on_with_the_same_bits(fleet: Fleet) -> None:
    config = fleet.config(sweep("!layers.2", ["git-rebasin"]))
    longer = ("--set", "train.epochs=300", "--set", "evaluate.every_rounds=0")
    fleet("run", config, "-o", "one", *longer).expect(0)
    process = fleet.start("run", config, "-o", "two", *longer, ranks=2)
    cells = fleet.cells("two")

    def is_on_its_way() -> bool:
        rounds = [re.search(r"round (\d+) of", read(path)) for path in cells.files("*.running")]
        return any(found is not None and int(found[1]) >= 3 for found in rounds)

    wait_until(is_on_its_way, process)
    for rank in ranks_of(process):
        os.kill(rank, signal.SIGTERM)
    finish(process).expect(75)
    assert cells.files("*.checkpoint*")
    fleet("run", config, "-o", "two", *longer, ranks=3).expect(0)
    assert cells.outcomes() == fleet.cells("one").outcomes()


def read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def test_all_by_name_is_all(fleet: Fleet) -> None:
    """The same merge, seen through the part that is everything."""
    methods = ["average", "git-rebasin", "regmean", "regression"]
    fleet("run", fleet.config(sweep("layers", methods)), "-o", "named").expect(0)
    fleet("run", fleet.config(sweep("all", methods)), "-o", "all").expect(0)
    named, whole = (table(fleet.directory / f"{name}.h5", "metrics") for name in ("named", "all"))
    keys = ["cell", "round", "metric"]
    merged = [
        frame[(frame.robot == -1) & (frame.split == "test")].set_index(keys).value.sort_index()
        for frame in (named, whole)
    ]
    # The fleet's value is the mean over robots here, and of the one policy there.
    assert np.allclose(merged[0], merged[1], rtol=1e-6)


def test_only_what_is_shared_travels(fleet: Fleet) -> None:
    shared = 12 * 64 + 12 + 8 * 12 + 8
    fleet("run", fleet.config(sweep("!layers.2", ["average"])), "-o", "out").expect(0)
    traffic = table(fleet.directory / "out.h5", "traffic")
    weights = traffic[traffic.cargo == "weights"]
    assert set(weights.sent) == {5 * 4 * shared}
    assert set(weights.received) == {5 * 4 * shared}


def test_the_fleet_is_as_good_as_its_robots_in_the_mean(fleet: Fleet) -> None:
    config = fleet.config(sweep("!layers.2", ["average"]))
    fleet("run", config, "-o", "out", "--set", "fleet.alpha=0.1").expect(0)
    metrics = table(fleet.directory / "out.h5", "metrics")
    last = metrics[(metrics["round"] == 2) & (metrics.metric == "loss")]
    personal = last[last.split == "personal"]
    assert sorted(personal.robot) == [0, 1, 2, 3, 4]
    assert personal.value.nunique() > 1
    assert personal.value.mean() == pytest.approx(last[last.robot == -1].value.iloc[0])


def test_after_the_merge_what_is_shared_is_frozen_and_the_rest_learns(fleet: Fleet) -> None:
    text = sweep("!layers.2", ["random"]).replace("personal_steps = 6", "personal_steps = 60")
    text = text.replace("personal_every = 3", "personal_every = 60")
    fleet("run", fleet.config(text), "-o", "out", "--set", "fleet.alpha=10").expect(0)
    rows = table(fleet.directory / "out.h5", "instruments")
    rows = rows[(rows.subject == "fleet") & (rows.metric == "loss")].sort_values("at")
    assert list(rows["at"]) == [0, 60]
    assert rows.value.iloc[1] < rows.value.iloc[0]


def test_the_course_does_not_depend_on_how_often_it_is_looked_at(fleet: Fleet) -> None:
    ends = []
    for every in (50, 100):
        text = sweep("!layers.2", ["average"]).replace("personal_steps = 6", "personal_steps = 100")
        config = fleet.config(text.replace("personal_every = 3", f"personal_every = {every}"))
        fleet("run", config, "-o", f"out{every}").expect(0)
        rows = table(fleet.directory / f"out{every}.h5", "instruments")
        ends.append(rows[(rows["at"] == 100) & (rows.subject == "robot")].value.to_numpy())
    assert np.array_equal(*ends)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["merge.parameters='layer.2'"], 'did you mean "layers.2"?'),
        (["merge.parameters='attention'"], "layers.0.weight"),
        (["merge.parameters='!layers'"], "leave no tensor of the network to merge"),
        (["merge.parameters=''"], "expected"),
        (
            ["merge.parameters='layers.0.weight'", "merge.method='regression'"],
            'such as "layers.0.weight, layers.0.bias"',
        ),
        (["merge.parameters='!layers.2'", "merge.method='auto'"], "merge.rounds_after"),
        (["merge.parameters='!layers.2'", "merge.moments='average'"], "merge.moments"),
        (["merge.parameters='!layers.2'", "privacy.secure=true"], "privacy.secure"),
        (["merge.parameters='!layers.2'", "instruments.finetune_steps=5"], "personal_steps"),
        (["merge.parameters='!layers.2'", "instruments.alignment=true"], "instruments.alignment"),
    ],
)
def test_mistakes_are_named_before_anything_runs(
    fleet: Fleet, settings: list[str], message: str
) -> None:
    chosen = [part for setting in settings for part in ("--set", setting)]
    said = fleet("plan", fleet.config(""), "--set", "merge.method='average'", *chosen).expect(2)
    assert message in said.err


def test_files_of_robots_that_share_a_part_are_not_merged_whole_unawares(fleet: Fleet) -> None:
    text = sweep("!layers.2", ["average"]) + '[run]\nsave_models = "all"\n'
    fleet.run(fleet.config(text), "out").expect(0)
    robots = sorted((fleet.directory / "out" / "models").rglob("robot-*.h5"))[:2]
    merge = ("merge", *robots, "--method", "average", "-o", "merged.h5")
    refused = fleet(*merge).expect(2)
    assert f"{robots[0]}: its robots have only a part" in refused.err
    assert 'merge.parameters = "!layers.2"' in refused.err
    fleet(*merge, "--set", "merge.parameters='all'").expect(0)
