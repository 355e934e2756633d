"""A model of what a round of averaging costs, fitted to this machine, and what it says of larger ones.

With N robots of d weights on P ranks a round takes

    train + c0 + c1 d ceil(N / P) + log2(P) (alpha + beta d)  seconds:

training, what every merge does, adding up and handing back a rank's own rows, and the levels of the tree sum and of the
broadcast, each a message of latency alpha and beta seconds a weight (8 bytes up, 4 down).

That is fitted in shared memory. Between hosts (network.py) a level costs several latencies, and a round gathers numbers
by log2(P) messages each (src/comm/gather.hpp): the extrapolation counts these, too.

usage: scaling.py FLEET [MPIRUN]
"""

import itertools
import math
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from runs import mnist_run, run_quietly
from scipy.optimize import nnls

ROUNDS = 30
IMAGES = 200  # of each robot
BATCH = 50
RANKS = (1, 2)
ROBOTS = (4, 16, 64)
WIDTHS = (32, 128, 1024)  # of one hidden layer

# For the extrapolation.
NETWORKS = {"2 us and 10 GB/s": (2e-6, 10e9), "50 us and 1.25 GB/s": (50e-6, 1.25e9)}
BLOCK = 8000  # weights of a sum that are sent at once
LATENCIES = 6.0  # a level, as network.py finds them: of the sum, and of a long broadcast
GATHERS = 4  # a round, of a number from every rank; counted on 4 to 16 ranks
MESSAGE = 1e-6  # seconds that a short message takes a rank's processor: an assumption


@dataclass
class Round:
    ranks: int
    robots: int
    weights: int
    train: float  # median seconds of the first rank
    merge: float


def weights_of(width: int) -> int:
    """Of a network for MNIST with one hidden layer."""
    return 785 * width + (width + 1) * 10


def measure(fleet: str, mpirun: str, ranks: int, robots: int, width: int, folder: Path) -> Round:
    output = folder / f"{ranks}-{robots}-{width}"
    settings = {
        "merge.method": "average",
        "merge.every_epochs": 1,
        "merge.moments": "reset",
        "model.hidden": f"[{width}]",
        "fleet.robots": robots,
        "fleet.partition": "iid",
        "data.held_out": 0.0,
        "data.samples": robots * IMAGES,
        "train.batch_size": BATCH,
        "train.epochs": ROUNDS,
        "evaluate.local": "never",
        "evaluate.every_rounds": 0,
    }
    run_quietly(mnist_run(fleet, mpirun, ranks, settings, output))
    with h5py.File(output.with_suffix(".h5")) as file:
        rounds = file["rounds"][:]
    seconds = {
        name: float(np.median(rounds[f"seconds_{name}"][1:-1])) for name in ("train", "merge")
    }
    return Round(ranks, robots, weights_of(width), **seconds)


def terms(ranks: int, robots: int, weights: int) -> list[float]:
    levels = math.log2(ranks)
    return [1.0, math.ceil(robots / ranks) * weights, levels, levels * weights]


def fit(rounds: list[Round]) -> np.ndarray:
    """c0, c1, alpha, beta >= 0 by least squares of relative errors."""
    rows = np.array([terms(r.ranks, r.robots, r.weights) for r in rounds])
    seconds = np.array([r.merge for r in rounds])
    scale = rows.max(axis=0)
    coefficients, _ = nnls(rows / scale / seconds[:, None], np.ones(len(rounds)))
    return coefficients / scale


def print_fit(rounds: list[Round], found: np.ndarray) -> None:
    print(f"c0 {found[0] * 1e6:.1f} us, c1 {found[1] * 1e9:.3f} ns a weight and robot, ", end="")
    print(f"alpha {found[2] * 1e6:.1f} us, beta {found[3] * 1e9:.3f} ns a weight")
    print(" ranks  robots    weights   merge (ms)    model   train (ms)")
    errors = []
    for r in rounds:
        said = float(np.dot(terms(r.ranks, r.robots, r.weights), found))
        errors.append(abs(said / r.merge - 1))
        print(
            f"{r.ranks:6d}{r.robots:8d}{r.weights:11,d}{r.merge * 1e3:13.3f}{said * 1e3:9.3f}{r.train * 1e3:13.2f}"
        )
    print(
        f"median error of the model {100 * np.median(errors):.0f} %, largest {100 * max(errors):.0f} %"
    )


@dataclass
class Extrapolated:
    """Seconds of a merge with one robot a rank."""

    latencies: float  # of the levels
    numbers: float  # that pass up and down them
    gathers: float


def extrapolate(
    ranks: int, weights: int, beta: float, network: tuple[float, float]
) -> Extrapolated:
    latency, bandwidth = network
    levels = math.log2(ranks)
    return Extrapolated(
        latencies=levels * latency * LATENCIES,
        numbers=levels * weights * max(beta, 12 / bandwidth),
        gathers=GATHERS * (levels * (latency + MESSAGE) + 8 * ranks / bandwidth),
    )


def print_extrapolation(rounds: list[Round], found: np.ndarray) -> None:
    """One robot a rank; a level of the tree costs what it did here, or what the network takes if that is more."""
    steps = IMAGES // BATCH
    step = np.median(
        [
            r.train / (math.ceil(r.robots / r.ranks) * steps * r.weights)
            for r in rounds
            if r.ranks == 1
        ]
    )
    for name, network in NETWORKS.items():
        print(f"\none robot a rank, {name}; ms")
        print("  ranks     weights  latencies  numbers  gathers    merge  steps for 95 % training")
        for ranks, weights in itertools.product((100, 1_000, 10_000), (100_000, 10_000_000)):
            costs = extrapolate(ranks, weights, found[3], network)
            parts = [costs.latencies, costs.numbers, costs.gathers]
            merge = found[0] + found[1] * weights + sum(parts)
            print(
                f"{ranks:7d}{weights:12,d}",
                *(f"{1e3 * each:9.2f}" for each in [*parts, merge]),
                end="",
            )
            print(f"{math.ceil(19 * merge / (step * weights)):12d}")


def main() -> None:
    fleet = sys.argv[1]
    mpirun = sys.argv[2] if len(sys.argv) > 2 else "mpirun"
    with tempfile.TemporaryDirectory() as name:
        cases = itertools.product(RANKS, ROBOTS, WIDTHS)
        rounds = [measure(fleet, mpirun, *case, Path(name)) for case in cases]
    found = fit(rounds)
    print_fit(rounds, found)
    print_extrapolation(rounds, found)


if __name__ == "__main__":
    main()
