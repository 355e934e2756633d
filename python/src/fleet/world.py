"""A fleet of one's own: robots that are neither trained nor judged by `fleet`, but merged by it.

`Fleet` is what every such world derives from, whatever library it trains with. `TorchFleet` in
fleet.torch_world does all but a few lines of it for PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from fleet.spec import Network, Weights

Function = TypeVar("Function", bound=Callable[..., Any])
Doubles = NDArray[np.float64]
#: A sum of values of single samples, and the number of samples: parts add up to a mean.
Score = tuple[float, float]


def optional(function: Function) -> Function:
    """Marks what a fleet need not implement: methods that ask for it are refused."""
    function.is_absent = True  # type: ignore[attr-defined]
    return function


@dataclass(frozen=True)
class Cell:
    """What one cell of a sweep asks for."""

    settings: Mapping[str, Any]  # of [external.settings], defaults included
    robots: int = 1
    seed: int = 0
    common_start: bool = False  # fleet.initialization = "common": all robots start alike
    device: str = "cpu"  # run.device


@dataclass
class Robot:
    """A robot that lives in this process. Its weights are handed to it whenever it trains."""

    index: int
    role: str  # "own"; "joint", with everybody's data; "finetune", with what nobody trains on
    steps: int = 0  # that it has taken
    total_steps: int = 0  # that its training will come to

    @property
    def name(self) -> str:
        return f"robot {self.index}" if self.role == "own" else f"the {self.role} robot"


@dataclass
class Training:
    """What a robot is to do: arrays in memory shared with `fleet`, to be changed in place."""

    weights: Weights
    moments: Sequence[Weights]  # what Fleet.moments() names, where merges carry it
    steps: int
    fresh: bool  # the optimiser begins anew: at first, and after a merge
    moment_steps: int = (
        0  # that the moments have behind them, of whichever robot: Adam divides by it
    )


class Head:
    """A robot's samples as the last layer of its network sees them (`Fleet.head_data`)."""

    #: No second derivative of the loss with respect to a sample's outputs exceeds this.
    curvature: float = 1.0

    def moments(self, inputs: Doubles, targets: Doubles) -> float:
        """Writes sum x x^T and sum t x^T, towards labels or actions t; returns how many x."""
        raise NotImplementedError

    def change_basis(self, lower: Doubles) -> None:
        """From now on the layer sees L^-1 x of what it has seen so far."""
        raise NotImplementedError

    def gradient(self, head: Weights, into: Weights) -> None:
        """Writes the gradient of the summed loss with `head` as the last layer."""
        raise NotImplementedError


class Fleet:
    """The fleet of one cell. Override what stands above the line of `optional` functions.

    `fleet` starts one process per rank; each holds some of the robots, and which is not known
    beforehand. So whatever is drawn at random must come from a stream that the cell's seed, the
    robot and its step decide.
    """

    #: Settings with their defaults, which [external.settings] overwrites.
    settings: ClassVar[Mapping[str, Any]] = {}
    #: Names of what a test comes to; "accuracy", "success" and "reward" are better when higher.
    metrics: Sequence[str] = ("loss",)
    #: The test comes in so many parts, which ranks share.
    parts: int = 1
    #: Samples of a gradient in short rounds after a merge (merge.rounds_after).
    batch_size: int = 128

    def __init__(self, cell: Cell) -> None:
        self.cell = cell

    def network(self) -> Network:
        """The tensors of a policy, and what is known of them."""
        raise NotImplementedError

    def samples(self, robot: int) -> int:
        """Size of the robot's data, by which merges weigh it; 0: it neither trains nor merges."""
        return 1

    def steps_per_epoch(self, robot: int) -> int:
        """Steps in one local epoch (train.epochs, merge.every_epochs count epochs)."""
        return min(1, self.samples(robot))

    def labels(self) -> list[list[int]] | None:
        """Samples of each label in every robot's data, for the record; None: no labels."""
        return None

    def initialize(self, robot: Robot, weights: Weights) -> None:
        """Writes the weights with which the robot begins, the same at every call."""
        raise NotImplementedError

    def train(self, robot: Robot, training: Training) -> float:
        """Goes on training for so many steps; the sum of their losses.

        Two calls of k and m steps do what one of k + m does.
        """
        raise NotImplementedError

    def rest(self, robot: Robot) -> None:
        """It will not train for a while: lets go of memory that it can fill again."""

    def test(self, weights: Weights, part: int) -> dict[str, Score]:
        """For every metric its sum over this part's samples, and their number."""
        raise NotImplementedError

    def identity(self) -> str:
        """Names by content what decides the outcome besides code and settings, say the data."""
        return ""

    # What follows may be left out.

    @optional
    def loss_gradient(
        self, robot: Robot, at: Weights, batch: int, draw: int, into: Weights
    ) -> float:
        """Mean loss of a batch that `draw` draws, and its gradient.

        Asked by fleet-merge, fisher, sinkhorn-data, and rounds after a merge.
        """
        raise NotImplementedError

    @optional
    def held_out_score(self, robot: Robot, at: Weights) -> Score:
        """How weights do on what the robot holds out, higher is better.

        Asked by fleet-merge and sinkhorn-data.
        """
        raise NotImplementedError

    @optional
    def held_out_loss(self, robot: Robot, at: Weights) -> Score:
        """The loss there: regression, best-of."""
        raise NotImplementedError

    @optional
    def map_moments(
        self,
        robot: Robot,
        features: Weights,
        outputs: Weights,
        index: int,
        inputs: Doubles,
        targets: Doubles,
    ) -> float:
        """Second moments of what enters map `index` with weights `features`: regmean, regression.

        Writes sum x x^T into `inputs` and sum t x^T into `targets`, with t what leaves the same map
        of the network with weights `outputs`. Returns how many x.
        """
        raise NotImplementedError

    @optional
    def head_data(self, robot: Robot, body: Weights) -> Head:
        """The robot's data behind all layers but the last: regression."""
        raise NotImplementedError

    @optional
    def trials(self, robot: Robot, at: Weights, episodes: int, draw: int) -> Score:
        """How many of `episodes` trials succeed when weights act in the robot's own tasks.

        The same `draw` is the same trials. Asked where candidates are chosen by trials (auto).
        """
        raise NotImplementedError

    @optional
    def curvature(
        self, robot: Robot, at: Weights, draw: int, gradient: Weights, outputs: Sequence[Doubles]
    ) -> float:
        """How the loss curves at `at`: consolidated rounds after a merge (merge.after.kind).

        Writes the gradient of the summed loss over the robot's samples, and for each map the sum of
        g g^T, with g the gradient at what leaves the map (before a normalisation) of a loss whose
        targets are drawn, by `draw`, from the network's own outputs. Returns how many samples.
        """
        raise NotImplementedError

    @optional
    def joint(self, robot: Robot) -> int:
        """Called for the robot with everybody's data; its samples: merge.method joint."""
        raise NotImplementedError

    @optional
    def finetune(self, robot: Robot) -> int:
        """The same of the robot with what nobody trains on: instruments.finetune_steps."""
        raise NotImplementedError

    @optional
    def save(self, robot: Robot) -> bytes:
        """What decides how training goes on besides weights, moments and `steps`."""
        raise NotImplementedError

    @optional
    def load(self, robot: Robot, state: bytes) -> None:
        """Goes on from what save() has given."""
        raise NotImplementedError

    def moments(self) -> list[str] | None:
        """What an optimiser remembers, each "linear" or "square", in `Robot.moments`.

        None: merge.moments = "keep" and "average" are refused.
        """
        return None

    def is_quadratic(self) -> bool:
        """Whether the loss is a squared error."""
        return False

    def offers(self) -> list[str]:
        """Which of the optional functions are there."""
        names = ["loss_gradient", "held_out_score", "held_out_loss", "map_moments", "head_data"]
        names += ["trials", "curvature", "joint", "finetune", "save"]
        return [name for name in names if not hasattr(getattr(type(self), name), "is_absent")]


@dataclass(frozen=True)
class Merge:
    """What a method may know of a merge besides the weights."""

    network: Network
    robots: list[int]  # of the fleet, those that take part
    samples: Doubles  # of each of them
    round: int
    seed: int
    previous: Weights | None  # the last merged weights


class Method:
    """A way of merging of one's own (merge.method = "external")."""

    settings: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.chosen = settings

    def merge(self, models: Weights, about: Merge) -> Weights:
        """One vector for the participants' weights, [participants, weights]."""
        raise NotImplementedError

    def identity(self) -> str:
        """Names by content what decides the outcome besides code and settings."""
        return ""
