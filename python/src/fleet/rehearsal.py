"""What a fleet is, told to who starts its program by hand, and a first try of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fleet.settings import resolve
from fleet.world import Cell, Fleet, Method, Robot, Training

ROBOTS = 3


def rehearse(kind: type[Fleet] | type[Method] | Callable[[Cell], Fleet]) -> None:
    """Prints what `fleet` would learn of it, and times a step of training and a test."""
    if isinstance(kind, type) and issubclass(kind, Method):
        print(f"{kind.__name__} is a merging method, which a configuration of fleet names:")
        print('  merge.method = "external"\n  merge.external.command = ["python3", "THIS_FILE"]')
        return
    settings: dict[str, Any] = resolve(getattr(kind, "settings", None) or {}, {})
    fleet = kind(Cell(settings, ROBOTS))  # type: ignore[operator]
    network = fleet.network()
    print(f"{type(fleet).__name__}, with {ROBOTS} robots and these settings: {settings}")
    print(f"network   {len(network.tensors)} tensors, {network.size} weights")
    print(f"symmetry  {', '.join(f'{g.name} ({g.size})' for g in network.groups) or 'none known'}")
    print(f"layers    {', '.join(each.name for each in network.maps) or 'none known'}")
    print(f"robots    answer {', '.join(fleet.offers()) or 'nothing beyond their weights'}")
    print(f"samples   {[fleet.samples(robot) for robot in range(ROBOTS)]}")
    weights = np.zeros(network.size, np.float32)
    robot = Robot(0, "own", total_steps=1)
    fleet.initialize(robot, weights)
    began = time.perf_counter()
    loss = fleet.train(robot, Training(weights, [], 1, True))
    print(f"one step  loss {loss:.4g}, {1e3 * (time.perf_counter() - began):.1f} ms")
    began = time.perf_counter()
    scores = fleet.test(weights, 0)
    shown = ", ".join(f"{name} {total / max(n, 1):.4g}" for name, (total, n) in scores.items())
    print(
        f"one test  {shown}, {1e3 * (time.perf_counter() - began):.1f} ms, part 1 of {fleet.parts}"
    )
    print("It works. Name it in a configuration:")
    print('  workload = "external"\n  external.command = ["python3", "THIS_FILE"]')
