"""A fleet of PyTorch modules: the user says what module, which data, how to judge.

All that `fleet` asks of robots follows from that: training, gradients at given weights, scores on
held-out data, second moments of what enters layers. Weights lie in memory shared with `fleet`, and
the modules' parameters are views of it: on a CPU nothing is copied.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fleet.affine import Capture, Probes, affine_maps, map_matrix
from fleet.errors import FleetError
from fleet.layout import bind, layout_of, write_weights
from fleet.spec import Network, Weights
from fleet.streams import name_seed, seed_all
from fleet.torch_data import Batch, Data, count, join, pick
from fleet.torch_head import TorchHead, drawn_slopes
from fleet.torch_moments import moment_kinds, read_moments, write_moments
from fleet.world import Cell, Doubles, Fleet, Head, Robot, Score, Training, optional

AT_ONCE = 1000  # samples that are judged together


@dataclass
class Learner:
    """What a robot has beside its weights."""

    module: nn.Module
    optimizer: torch.optim.Optimizer | None = None
    order: Tensor | None = None  # of its samples in an epoch
    epoch: int = -1  # of `order`
    own: dict[str, Any] = field(
        default_factory=dict
    )  # the user's, saved along; plain values and tensors


class TorchFleet(Fleet):
    """Override `module`, `data` and `test_data` or `judge`; then `criterion`, `loss`, or `step`."""

    batch_size: int = 128
    #: Loss of the module's outputs against targets, the second part of a batch. With one of
    #: PyTorch's own, CrossEntropyLoss or MSELoss, every merging method can be used.
    criterion: Callable[[Tensor, Tensor], Tensor] | None = None

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        self.device = torch.device(cell.device)
        self._learners: dict[int, Learner] = {}
        self._kept: dict[str, Any] = {}

    # What a user writes.

    def module(self) -> nn.Module:
        """A network. Its first weights are drawn from streams that are seeded beforehand."""
        raise NotImplementedError

    def data(self, robot: int) -> Data:
        """What a robot trains on: (inputs, targets) or a data set. Of robots that act, nothing."""
        raise NotImplementedError

    def held_out(self, robot: int) -> Data | None:
        """What it holds out; None: it is judged by what it trains on."""
        return None

    @optional
    def try_out(self, module: nn.Module, robot: int, episodes: int, seed: int) -> float:
        """Of robots that act: how many trials of its own tasks succeed, or the sum of rewards."""
        raise NotImplementedError

    def test_data(self) -> Data:
        """By which weights are judged, if `judge` is not overridden."""
        raise NotImplementedError

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        """The mean loss of a batch."""
        if self.criterion is None:
            raise FleetError("a TorchFleet needs a criterion, or loss() or step() overridden")
        inputs, targets = batch
        return self.criterion(module(inputs), targets)

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=self.cell.settings.get("learning_rate", 1e-3))

    def step(self, robot: Robot, learner: Learner) -> float:
        """One step of training: by default along the gradient of a batch of the robot's data."""
        learner.optimizer.zero_grad(set_to_none=True)  # type: ignore[union-attr]
        loss = self.loss(learner.module, self.next_batch(robot, learner))
        loss.backward()
        learner.optimizer.step()  # type: ignore[union-attr]
        return float(loss.detach())

    def judge(self, module: nn.Module, part: int) -> Mapping[str, float | Score]:
        """What weights come to on one part of the test: means, or (sum, samples).

        By default accuracy and loss under cross-entropy, and else the loss.
        """
        data = self._test_data()
        size = math.ceil(count(data) / self.parts)
        return self._judged(module, data, slice(part * size, (part + 1) * size))

    def example_input(self) -> Any:
        """For which the network is traced; by default the inputs of two samples of a robot."""
        for robot in range(self.cell.robots):
            data = self._data(robot)
            if count(data) > 0:
                return pick(data, slice(0, 2))[0]
        raise FleetError("no robot has any data; override example_input()")

    def network(self) -> Network:
        """Layout, symmetry and layers of module(), found by tracing it."""
        return self._keep("network", self._trace)

    # What follows from it.

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.judge is TorchFleet.judge:
            if "metrics" not in vars(cls):
                classifies = isinstance(cls.criterion, nn.CrossEntropyLoss)
                cls.metrics = ("accuracy", "loss") if classifies else ("loss",)
            if "parts" not in vars(cls):
                cls.parts = 10

    def samples(self, robot: int) -> int:
        if not self._is_supervised():
            return 1
        return count(self._data(robot))

    def steps_per_epoch(self, robot: int) -> int:
        if not self._is_supervised():
            return 1
        return math.ceil(self.samples(robot) / self.batch_size)

    def labels(self) -> list[list[int]] | None:
        if not isinstance(self.criterion, nn.CrossEntropyLoss):
            return None
        counts = []
        for robot in range(self.cell.robots):
            data = self._data(robot)
            if not isinstance(data, (tuple, list)) or data[1].dtype != torch.int64:
                return None
            counts.append(torch.bincount(data[1].flatten()))
        length = max(len(each) for each in counts)
        return [functional.pad(each, (0, length - len(each))).tolist() for each in counts]

    def initialize(self, robot: Robot, weights: Weights) -> None:
        origin = 0 if self.cell.common_start or robot.role != "own" else robot.index
        seed_all(name_seed(self.cell.seed, "initialize", origin))
        write_weights(self.module(), weights)

    def train(self, robot: Robot, training: Training) -> float:
        learner = self.learner(robot)
        learner.module.train()
        with self._weights(learner.module, training.weights, writes=True):
            self._set_up_optimizer(learner, training)
            total = 0.0
            for step in range(robot.steps, robot.steps + training.steps):
                seed_all(name_seed(self.cell.seed, robot.role, robot.index, step))
                loss = self.step(self._at(robot, step), learner)
                if not math.isfinite(loss):
                    raise FleetError(
                        f"{robot.name}: the training loss became {loss} at step {step + 1}"
                    )
                total += loss
            write_moments(
                learner.module, learner.optimizer, self._order(learner.module), training.moments
            )
        return total

    def test(self, weights: Weights, part: int) -> dict[str, Score]:
        seed_all(name_seed(self.cell.seed, "test", part))
        probe = self._probe()
        with torch.no_grad(), self._weights(probe, weights):
            judged = self.judge(probe, part)
        return {
            name: value if isinstance(value, tuple) else (float(value), 1.0)
            for name, value in judged.items()
        }

    def loss_gradient(
        self, robot: Robot, at: Weights, batch: int, draw: int, into: Weights
    ) -> float:
        data = self._data_of(robot)
        stream = torch.Generator().manual_seed(draw)
        places = torch.randint(count(data), (batch,), generator=stream)
        probe = self._probe()
        with self._weights(probe, at):
            loss = self.loss(probe, self._moved(pick(data, places)))
            probe.zero_grad(set_to_none=True)
            loss.backward()
            write_gradient(probe, self.network(), into)
        return float(loss.detach())

    def held_out_loss(self, robot: Robot, at: Weights) -> Score:
        return self._held_out(robot, at)[-1]

    def held_out_score(self, robot: Robot, at: Weights) -> Score:
        scores = self._held_out(robot, at)
        if len(scores) > 1:
            return scores[0]
        return -scores[0][0], scores[0][1]

    def map_moments(
        self,
        robot: Robot,
        features: Weights,
        outputs: Weights,
        index: int,
        inputs: Doubles,
        targets: Doubles,
    ) -> float:
        data = self._data_of(robot)
        network = self.network()
        inputs[:] = 0.0
        crossed = inputs if outputs is features or np.shares_memory(outputs, features) else None
        cross = np.zeros_like(inputs) if crossed is None else inputs
        samples = 0
        for begin in range(0, count(data), AT_ONCE):
            batch = self._moved(pick(data, slice(begin, begin + AT_ONCE)))
            entering = self._entering(features, index, batch)
            inputs += entering.T @ entering
            if crossed is None:
                cross += self._entering(outputs, index, batch).T @ entering
            samples += len(entering)
        targets[:] = map_matrix(network, index, network.views(outputs)).astype(np.float64) @ cross
        return samples

    def head_data(self, robot: Robot, body: Weights) -> Head:
        data = self._data_of(robot)
        last = len(self.network().maps) - 1
        entering, targets = [], []
        for begin in range(0, count(data), AT_ONCE):
            batch = self._moved(pick(data, slice(begin, begin + AT_ONCE)))
            entering.append(self._entering(body, last, batch))
            targets.append(batch[1].detach().cpu().numpy())
        return TorchHead(np.concatenate(entering), np.concatenate(targets), self.criterion)

    def trials(self, robot: Robot, at: Weights, episodes: int, draw: int) -> Score:
        seed = name_seed(self.cell.seed, "trials", robot.index, draw)
        seed_all(seed)
        probe = self._probe()
        with torch.no_grad(), self._weights(probe, at):
            return float(self.try_out(probe, robot.index, episodes, seed)), float(episodes)

    def curvature(
        self, robot: Robot, at: Weights, draw: int, gradient: Weights, outputs: Sequence[Doubles]
    ) -> float:
        data = self._data_of(robot)
        network = self.network()
        stream = torch.Generator().manual_seed(
            name_seed(self.cell.seed, "curvature", robot.index, draw)
        )
        for sum_of_squares in outputs:
            sum_of_squares[:] = 0.0
        probe = self._probe()
        probe.zero_grad(set_to_none=True)
        with self._weights(probe, at):
            for begin in range(0, count(data), AT_ONCE):
                batch = self._moved(pick(data, slice(begin, begin + AT_ONCE)))
                with Probes(probe, network) as left:
                    predicted = probe(batch[0])
                (self.criterion(predicted, batch[1]) * len(predicted)).backward(retain_graph=True)  # type: ignore[misc]
                slopes = left.gradients(
                    (drawn_slopes(predicted, self.criterion, stream) * predicted).sum()
                )
                for sum_of_squares, rows in zip(outputs, slopes, strict=True):
                    sum_of_squares += rows.T @ rows
            write_gradient(probe, network, gradient)
        return count(data)

    def joint(self, robot: Robot) -> int:
        return count(self._data_of(robot))

    def finetune(self, robot: Robot) -> int:
        return count(self._data_of(robot))

    def save(self, robot: Robot) -> bytes:
        learner = self.learner(robot)
        buffer = io.BytesIO()
        names = set(layout_of(learner.module))
        others = {k: v for k, v in learner.module.state_dict().items() if k not in names}
        optimizer = None if learner.optimizer is None else learner.optimizer.state_dict()
        torch.save({"optimizer": optimizer, "others": others, "own": learner.own}, buffer)
        return buffer.getvalue()

    def load(self, robot: Robot, state: bytes) -> None:
        learner = self.learner(robot)
        saved = torch.load(io.BytesIO(state), map_location=self.device)
        learner.module.load_state_dict(saved["others"], strict=False)
        learner.own = saved["own"]
        if saved["optimizer"] is not None:
            learner.optimizer = self.optimizer(learner.module.parameters())
            learner.optimizer.load_state_dict(saved["optimizer"])

    def moments(self) -> list[str] | None:
        return moment_kinds(self.optimizer(self._probe().parameters()))

    def is_quadratic(self) -> bool:
        return isinstance(self.criterion, nn.MSELoss)

    def offers(self) -> list[str]:
        offered = set(super().offers())
        if hasattr(type(self).try_out, "is_absent"):
            offered -= {"trials"}
        if not self._is_supervised():
            offered -= {"loss_gradient", "held_out_loss", "held_out_score", "map_moments"}
            offered -= {"head_data", "curvature", "joint", "finetune"}
            return sorted(offered)
        if not self.network().maps:
            offered -= {"map_moments", "head_data"}
        if not self._head_is_known():
            offered -= {"head_data", "curvature"}
        if all(self.held_out(robot) is None for robot in range(self.cell.robots)):
            offered -= {"finetune"}
        return sorted(offered)

    # For those who override step().

    def learner(self, robot: Robot) -> Learner:
        """The robot's module, optimiser and what it keeps, made at first use."""
        key = (robot.role, robot.index)
        if key not in self._learners:  # type: ignore[comparison-overlap]
            self._learners[key] = Learner(self.module().to(self.device))  # type: ignore[index]
        return self._learners[key]  # type: ignore[index]

    def next_batch(self, robot: Robot, learner: Learner) -> Batch:
        """The batch that the robot's step decides; an epoch has an order of its own."""
        data = self._data_of(robot)
        size = count(data)
        batch = min(self.batch_size, size)
        epoch, place = divmod(robot.steps, math.ceil(size / batch))
        if learner.order is None or learner.epoch != epoch:
            seed = name_seed(self.cell.seed, "order", robot.role, robot.index, epoch)
            learner.order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
            learner.epoch = epoch
        return self._moved(pick(data, learner.order[place * batch : (place + 1) * batch]))

    # Details.

    def _keep(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def _is_supervised(self) -> bool:
        return type(self).data is not TorchFleet.data

    def _data(self, robot: int) -> Data:
        return self._keep(f"data {robot}", lambda: self.data(robot))

    def _held_out_data(self, robot: int) -> Data:
        held_out = self._keep(f"held out {robot}", lambda: self.held_out(robot))
        return self._data(robot) if held_out is None or count(held_out) == 0 else held_out

    def _test_data(self) -> Data:
        return self._keep("test", self.test_data)

    def _data_of(self, robot: Robot) -> Data:
        robots = range(self.cell.robots)
        if robot.role == "joint":
            return self._keep("joint", lambda: join(self._data(each) for each in robots))
        if robot.role == "finetune":
            return self._keep("finetune", self._all_held_out)
        return self._data(robot.index)

    def _all_held_out(self) -> Data:
        parts = [self.held_out(robot) for robot in range(self.cell.robots)]
        return join(part for part in parts if part is not None)

    def _moved(self, batch: Batch) -> Batch:
        if self.device.type == "cpu":
            return batch
        if isinstance(batch, Tensor):
            return batch.to(self.device)
        return tuple(self._moved(part) for part in batch)

    def _trace(self) -> Network:
        from fleet.symmetry import trace

        seed_all(name_seed(self.cell.seed, "trace"))
        module = self.module()
        example = self.example_input()
        traced = trace(module, example)
        return Network(traced.tensors, traced.groups, traced.actions, affine_maps(module, example))

    def _order(self, module: nn.Module) -> list[str]:
        return [tensor.name for tensor in self.network().tensors]

    def _probe(self) -> nn.Module:
        """A module for any weights."""

        def make() -> nn.Module:
            seed_all(name_seed(self.cell.seed, "probe"))
            return self.module().to(self.device).eval()

        return self._keep("probe", make)

    def _weights(self, module: nn.Module, weights: Weights, writes: bool = False) -> Any:
        return bind(module, self.network(), weights, self.device, writes)

    def _set_up_optimizer(self, learner: Learner, training: Training) -> None:
        if training.fresh or learner.optimizer is None:
            learner.optimizer = self.optimizer(learner.module.parameters())
        read_moments(
            learner.module,
            learner.optimizer,
            self._order(learner.module),
            training.moments,
            training.moment_steps,
        )

    @staticmethod
    def _at(robot: Robot, step: int) -> Robot:
        return Robot(robot.index, robot.role, step, robot.total_steps)

    def _judged(self, module: nn.Module, data: Data, places: slice) -> dict[str, Score]:
        batch = self._moved(pick(data, places))
        samples = len(batch[1])
        if samples == 0:
            return dict.fromkeys(self._judged_names(), (0.0, 0.0))
        if self.criterion is None or type(self).loss is not TorchFleet.loss:
            return {"loss": (float(self.loss(module, batch)) * samples, samples)}
        outputs = module(batch[0])
        scores = {"loss": (float(self.criterion(outputs, batch[1])) * samples, float(samples))}
        if isinstance(self.criterion, nn.CrossEntropyLoss):
            hits = (outputs.argmax(1) == batch[1]).double()
            scores["accuracy"] = (float(hits.sum()) / hits.numel() * samples, float(samples))
        return scores

    def _judged_names(self) -> list[str]:
        own = type(self).loss is not TorchFleet.loss
        classifies = isinstance(self.criterion, nn.CrossEntropyLoss) and not own
        return ["accuracy", "loss"] if classifies else ["loss"]

    def _held_out(self, robot: Robot, at: Weights) -> list[Score]:
        data = self._held_out_data(robot.index) if robot.role == "own" else self._data_of(robot)
        names = self._judged_names()
        totals = {name: [0.0, 0.0] for name in names}
        probe = self._probe()
        with torch.no_grad(), self._weights(probe, at):
            for begin in range(0, count(data), AT_ONCE):
                judged = self._judged(probe, data, slice(begin, begin + AT_ONCE))
                for name, (total, samples) in judged.items():
                    totals[name][0] += total
                    totals[name][1] += samples
        return [(totals[name][0], totals[name][1]) for name in names]

    def _entering(self, weights: Weights, index: int, batch: Batch) -> Doubles:
        """What enters a map of the network with these weights: a row a sample or patch."""
        probe = self._probe()
        with (
            torch.no_grad(),
            self._weights(probe, weights),
            Capture(probe, self.network(), index) as seen,
        ):
            probe(batch[0])
        return seen.rows()

    def _head_is_known(self) -> bool:
        if type(self).loss is not TorchFleet.loss or not TorchHead.suits(self.criterion):
            return False
        maps = self.network().maps
        if not maps or maps[-1].norm is not None:
            return False
        with torch.no_grad(), Capture(self._probe(), self.network(), len(maps) - 1) as seen:
            example = self._moved(self.example_input())
            return seen.leaves_last(self._probe()(example))


def write_gradient(module: nn.Module, network: Network, into: Weights) -> None:
    """Gradients of the parameters, laid out as the weights are; of buffers zero."""
    slopes = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    for name, view in network.views(into).items():
        view[...] = slopes[name].detach().cpu().numpy() if name in slopes else 0.0
