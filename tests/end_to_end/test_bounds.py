"""Sizes are checked where they are read: planning ends soon and in bounded memory, whatever a
configuration asks for."""

import re
import resource
from pathlib import Path

import pytest

from conftest import BASE, Fleet, Outcome

TEXT = 'workload = "shakespeare"\n[data]\nwindow = 20\n[fleet]\nrobots = 2\n'
WORKLOADS = {
    "images": BASE,
    "convolutions": BASE.replace("[model]", '[model]\nkind = "cnn"'),
    "texts": TEXT + "[model]\nhidden = [8]\nembedding = 4\n",
    "transformer": TEXT + '[model]\nkind = "transformer"\nwidth = 8\nheads = 2\n',
    "linear policies": 'workload = "lqg"\nsystem.source = "random"\nmerge.method = "gl"\n',
}


def bounded() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@pytest.fixture
def speaking(fleet: Fleet) -> Fleet:
    """Its data are digits and, in the same place, a play."""
    lines = [f"{role}:\n{line * 20}\n" for role, line in (("ANNE", "ab"), ("BEN", "ba"))]
    (fleet.directory / "play.txt").write_text("\n".join(lines * 20))
    return fleet


def plan(fleet: Fleet, workload: str, *settings: str) -> Outcome:
    data = fleet.directory / "play.txt" if "shakespeare" in WORKLOADS[workload] else fleet.data
    if "lqg" not in WORKLOADS[workload]:
        settings = (f"run.data={data}", *settings)
    arguments = [word for setting in settings for word in ("--set", setting)]
    config = fleet.directory / f"{workload}.toml"
    return fleet("plan", config, "--resolved", *arguments, data=False, before=bounded)


@pytest.mark.parametrize(
    ("workload", "settings", "key"),
    [
        ("images", ["model.hidden=[1000000, 1000000]"], "model.hidden"),
        ("images", [f"model.hidden={[1] * 1001}"], "model.hidden"),
        ("images", ["model.hidden=[40000, 40000]", "fleet.robots=1000000"], "fleet.robots"),
        ("convolutions", ["model.channels=[1000000, 1000000]"], "model.channels"),
        ("texts", ["model.hidden=[1000000]"], "model.hidden"),
        ("transformer", ["model.width=100000", "model.layers=256"], "model.width"),
        ("transformer", ["model.width=65536", "model.feedforward=1000000"], "model.width"),
        ("linear policies", ["data.trajectories=1000000", "data.horizon=100000"], "fleet.robots"),
    ],
)
def test_products_are_bounded_as_well(
    speaking: Fleet, workload: str, settings: list[str], key: str
) -> None:
    (speaking.directory / f"{workload}.toml").write_text(WORKLOADS[workload])
    outcome = plan(speaking, workload, *settings).expect(2)
    assert re.search(rf"^fleet: (--set|default): {re.escape(key)} = ", outcome.err), outcome.err


def test_the_largest_linear_system_is_planned_with_any_spectral_radius(speaking: Fleet) -> None:
    (speaking.directory / "linear policies.toml").write_text(WORKLOADS["linear policies"])
    for radius in ("0.95", "2.0"):
        sizes = ["system.states=200", "system.inputs=2", f"system.radius={radius}"]
        plan(speaking, "linear policies", *sizes).expect(0)


def many_cells(directory: Path) -> Path:
    axes = {"seed": 100, "fleet.alpha": 10, "train.learning_rate": 10, "train.beta1": 10}
    config = directory / "many.toml"
    lines = [
        f"{key} = [{', '.join(str(i if key == 'seed' else (i + 1) / 16) for i in range(count))}]"
        for key, count in axes.items()
    ]
    config.write_text(BASE + "[sweep.grid]\n" + "\n".join(lines))
    return config


def test_a_hundred_thousand_cells_are_planned_in_a_gibibyte(fleet: Fleet) -> None:
    def a_gibibyte() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))

    config = many_cells(fleet.directory)
    outcome = fleet("plan", config, before=a_gibibyte).expect(0)
    assert "cells     100000 " in outcome.out


def test_plan_warns_of_what_this_machine_cannot_hold(fleet: Fleet) -> None:
    config = fleet.config()
    assert "warning" not in fleet("plan", config).expect(0).out
    large = ["--set", "model.hidden=[40000, 40000]", "--set", "fleet.robots=500"]
    assert re.search(
        r"^warning   that is more than this machine has",
        fleet("plan", config, *large).expect(0).out,
        re.M,
    )
