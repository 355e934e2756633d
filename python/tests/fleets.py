"""Small fleets for tests, and the other side of the protocol without a process."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fleet import Cell, Fleet, Network, Robot, Tensor, Training
from fleet.protocol import Answers, Memory

SIZE = 6


class Drift(Fleet):
    """Weights that wander towards their robot's own place; no library of learning is needed."""

    settings = {"rate": 0.5, "name": "drift"}

    def network(self) -> Network:
        return Network((Tensor("weights", (SIZE,)),))

    def samples(self, robot: int) -> int:
        return robot + 1

    def steps_per_epoch(self, robot: int) -> int:
        return 2

    def initialize(self, robot: Robot, weights: np.ndarray) -> None:
        weights[:] = robot.index

    def train(self, robot: Robot, training: Training) -> float:
        loss = 0.0
        for step in range(robot.steps, robot.steps + training.steps):
            target = np.sin(robot.index + step)
            loss += float(np.abs(training.weights - target).mean())
            training.weights += self.cell.settings["rate"] * (target - training.weights)
        return loss

    def test(self, weights: np.ndarray, part: int) -> dict[str, tuple[float, float]]:
        return {"loss": (float(np.square(weights).sum()), SIZE)}

    def save(self, robot: Robot) -> bytes:
        return b"state"

    def load(self, robot: Robot, state: bytes) -> None:
        assert state == b"state"


class Talk:
    """Asks an Answers as `fleet` would, with memory of its own."""

    def __init__(self, answers: Any, size: int = 1 << 22) -> None:
        self._descriptor = os.memfd_create("test")
        os.ftruncate(self._descriptor, size)
        self.memory = Memory(self._descriptor)
        self.memory.resize(size)
        self._answers = answers(self.memory)

    def __call__(self, call: str, **fields: Any) -> dict[str, Any]:
        return self._answers({"call": call, "id": 1, **fields})

    def close(self) -> None:
        os.close(self._descriptor)


def talk_to(make: Any) -> Talk:
    return Talk(lambda memory: Answers(memory, make, None))


def cell(settings: dict[str, Any] | None = None, **fields: Any) -> Cell:
    return Cell(settings or {}, **fields)
