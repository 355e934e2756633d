"""Merging, aligning and comparing PyTorch modules that this process holds.

The program `fleet` does the work: it is started for each call, gets the weights through shared
memory, and asks this process about the modules' data (docs/protocol.md).
"""

from __future__ import annotations

import copy
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fleet.errors import FleetError
from fleet.layout import layout_of, write_weights
from fleet.protocol import Answers, Memory, Message, Reply, answer_all
from fleet.spec import Network, Weights
from fleet.torch_data import Data
from fleet.torch_world import TorchFleet
from fleet.world import Cell, Robot

#: A criterion of outputs and targets, or the mean loss of a module on a batch.
Loss = nn.Module | Callable[[nn.Module, Any], Tensor]


@dataclass(frozen=True)
class Report:
    """How a merge or an alignment went."""

    method: str
    iterations: int
    objective: list[float]  # the method's own measure of progress
    #: Of each module what brings it into the common basis: an order of each group's units, as
    #: `Network.apply` takes it. Empty of methods that leave units where they are.
    elements: list[dict[str, NDArray[np.int64]]]
    network: Network


@dataclass(frozen=True)
class Barrier:
    """What lies between two modules, along the segment between their weights."""

    at: NDArray[np.float64]  # places on the segment, 0 to 1
    #: By alignment ("none", "git-rebasin") and metric: values at these places.
    curves: dict[str, dict[str, NDArray[np.float64]]]
    #: By the same, the worst value less the mean of those at both ends; 0 is best.
    heights: dict[str, dict[str, float]]


def merge(
    modules: Sequence[nn.Module],
    example_input: Any,
    method: str = "git-rebasin",
    data: Sequence[Any] | None = None,
    loss: Loss | None = None,
    seed: int = 0,
    **options: Any,
) -> tuple[nn.Module, Report]:
    """One module for several of the same kind, and how the method came to it.

    `data` and `loss`, of each module its own training data (tensors, a data set, or a DataLoader),
    are needed by methods that ask for them. `options` are those of the method: epochs=10 for
    fleet-merge is merge.fleet-merge.epochs. Raises FleetError.
    """
    fleet = _fleet_of(modules, example_input, data, loss, seed)
    result = _run(fleet, {"task": "merge", "method": method, "options": options})
    merged = copy.deepcopy(modules[0])
    _read_weights(merged, result.weights[0])
    return merged, _report(method, result, fleet.network())


def align(
    modules: Sequence[nn.Module],
    example_input: Any,
    method: str = "git-rebasin",
    data: Sequence[Any] | None = None,
    loss: Loss | None = None,
    seed: int = 0,
    **options: Any,
) -> tuple[list[nn.Module], Report]:
    """The modules with their units in a common order: each computes what it did."""
    fleet = _fleet_of(modules, example_input, data, loss, seed)
    result = _run(fleet, {"task": "merge", "method": method, "options": options})
    report = _report(method, result, fleet.network())
    if not report.elements:
        raise FleetError(f"the method {method} aligns nothing")
    aligned = [copy.deepcopy(module) for module in modules]
    for module, weights, element in zip(aligned, fleet.models, report.elements, strict=True):
        _read_weights(module, fleet.network().apply(element, weights))
    return aligned, report


def barrier(
    first: nn.Module,
    second: nn.Module,
    example_input: Any,
    data: Any,
    loss: Loss,
    points: int = 21,
    align: str = "git-rebasin",
) -> Barrier:
    """Loss, and accuracy where there is one, between two modules, as they are and aligned."""
    fleet = _fleet_of([first, second], example_input, None, loss, 0, test=_as_data(data))
    result = _run(fleet, {"task": "barrier", "align": align, "points": points})
    curves: dict[str, dict[str, list[float]]] = {}
    heights: dict[str, dict[str, float]] = {}
    for row in result.fields["measured"]:
        if row["instrument"] == "interpolation":
            curves.setdefault(row["subject"], {}).setdefault(row["metric"], []).append(row["value"])
        elif row["instrument"] == "barrier":
            heights.setdefault(row["subject"], {})[row["metric"]] = row["value"]
    return Barrier(
        at=np.linspace(0.0, 1.0, points),
        curves={a: {m: np.array(v) for m, v in by.items()} for a, by in curves.items()},
        heights=heights,
    )


class Modules(TorchFleet):
    """Modules that are there already, as the robots of a fleet."""

    def __init__(
        self,
        modules: Sequence[nn.Module],
        example: Any,
        data: list[Data | None],
        test: Data | None,
        seed: int,
    ) -> None:
        super().__init__(Cell({}, robots=len(modules), seed=seed))
        self._modules = modules
        self._example = example
        self._given = data
        self._test = test
        self.models = [self._weights_of(module) for module in modules]

    def module(self) -> nn.Module:
        return copy.deepcopy(self._modules[0])

    def example_input(self) -> Any:
        return self._example

    def data(self, robot: int) -> Data:
        given = self._given[robot]
        if given is None:
            raise FleetError("this method asks for data: give data=[...] and loss=")
        return given

    def test_data(self) -> Data:
        if self._test is None:
            raise FleetError("there are no data to test on")
        return self._test

    def samples(self, robot: int) -> int:
        return super().samples(robot) if self._given[robot] is not None else 1

    def steps_per_epoch(self, robot: int) -> int:
        return 1

    def labels(self) -> None:
        return None

    def initialize(self, robot: Robot, weights: Weights) -> None:
        weights[:] = self.models[robot.index]

    def offers(self) -> list[str]:
        if any(each is None for each in self._given):
            return []
        return sorted(set(super().offers()) - {"joint", "finetune", "save"})

    def _weights_of(self, module: nn.Module) -> Weights:
        weights = np.zeros(sum(t.numel() for t in layout_of(module).values()), np.float32)
        write_weights(module, weights)
        return weights


def _fleet_of(
    modules: Sequence[nn.Module],
    example: Any,
    data: Sequence[Any] | None,
    loss: Loss | None,
    seed: int,
    test: Data | None = None,
) -> Modules:
    _check_alike(modules)
    if data is not None and len(data) != len(modules):
        raise FleetError(f"there are {len(modules)} modules, and data for {len(data)}")
    if data is not None and loss is None:
        raise FleetError("data are of use with a loss: give loss=, say nn.CrossEntropyLoss()")
    body: dict[str, Any] = {"batch_size": 128}
    if isinstance(loss, nn.Module):
        body["criterion"] = loss
    elif loss is not None:
        body["loss"] = lambda self, module, batch: loss(module, batch)
    kind = type("Modules", (Modules,), body)
    given = [None] * len(modules) if data is None else [_as_data(each) for each in data]
    return kind(modules, example, given, test, seed)


def _check_alike(modules: Sequence[nn.Module]) -> None:
    if len(modules) < 2:
        raise FleetError("it takes two modules or more")
    first = {name: tuple(t.shape) for name, t in layout_of(modules[0]).items()}
    for place, module in enumerate(modules[1:], start=1):
        other = {name: tuple(t.shape) for name, t in layout_of(module).items()}
        for name in {**first, **other}:
            if first.get(name) != other.get(name):
                raise FleetError(
                    f"modules of different shapes: {name!r} is {first.get(name)} in module 0 and "
                    f"{other.get(name)} in module {place}"
                )


def _as_data(given: Any) -> Data:
    """Of a DataLoader what it loads, batch after batch."""
    if not isinstance(given, torch.utils.data.DataLoader):
        return given
    batches = [batch for batch in given]
    return tuple(torch.cat(column) for column in zip(*batches, strict=True))


def _read_weights(module: nn.Module, weights: Weights) -> None:
    offset = 0
    with torch.no_grad():
        for tensor in layout_of(module).values():
            part = weights[offset : offset + tensor.numel()]
            tensor.copy_(torch.from_numpy(part.copy()).reshape(tensor.shape))
            offset += tensor.numel()


def _report(method: str, result: _Result, network: Network) -> Report:
    names = [group.name for group in network.groups]
    elements = [
        {name: np.array(order) for name, order in zip(names, each, strict=True)}
        for each in result.fields["elements"]
    ]
    return Report(
        method, result.fields["iterations"], result.fields["objective"], elements, network
    )


class _Result:
    """What the program has come to."""

    def __init__(self) -> None:
        self.fields: Mapping[str, Any] = {}
        self.weights: list[Weights] = []


class _Session(Answers):
    """A fleet's answers, the task that it is about, and the result."""

    def __init__(self, memory: Memory, fleet: Modules, task: Reply) -> None:
        super().__init__(memory, lambda cell: fleet, None)
        self._task_at_hand = task
        self._size = fleet.network().size
        self.result = _Result()
        self.error: Exception | None = None

    def __call__(self, message: Message) -> Reply:
        try:
            return super().__call__(message)
        except Exception as error:
            self.error = error
            raise

    def _task(self, message: Message) -> Reply:
        return self._task_at_hand

    def _result(self, message: Message) -> None:
        self.result.fields = message
        if "merged" in message:
            self.result.weights = [self._memory.floats(message["merged"], self._size).copy()]


def _run(fleet: Modules, task: Reply) -> _Result:
    """Has the program do the task, and answers what it asks."""
    fleet.network()  # what is wrong with the modules is wrong before anything is started
    ours, theirs = socket.socketpair()
    descriptor = os.memfd_create("fleet")
    session = _Session(Memory(descriptor), fleet, {**task, "robots": len(fleet.models)})
    try:
        with tempfile.TemporaryFile() as complaints:
            process = subprocess.Popen(
                [_program(), "attach", str(theirs.fileno()), str(descriptor)],
                pass_fds=(theirs.fileno(), descriptor),
                stdin=subprocess.DEVNULL,
                stderr=complaints,
                env={"OMPI_MCA_ess_singleton_isolated": "1", **os.environ},
            )
            theirs.close()
            answer_all(ours, session)
            if process.wait() != 0:
                complaints.seek(0)
                said = complaints.read().decode(errors="replace").strip()
                told = said.rpartition("fleet: ")[2]  # a line, and those that explain it
                raise FleetError(told or "it said nothing") from session.error
    finally:
        os.close(descriptor)
    return session.result


def _program() -> str:
    """FLEET_BINARY, or `fleet` on the PATH."""
    named = os.environ.get("FLEET_BINARY")
    found = named if named and Path(named).exists() else shutil.which("fleet")
    if found is None:
        raise FleetError("the program fleet is not on the PATH; FLEET_BINARY may name it")
    return found
