"""Our assignment solver beside those that Python can call, on the same matrices in one process.

Scores are uniform random numbers, or how alike the hidden units of two networks are that were trained apart on MNIST,
as weight matching makes them. Rounds go through all solvers in turn; of each the median counts. Solvers take costs, and
numbers of a kind of their own: neither conversion is timed. Processor time.

usage: assignment.py FLEET LIBRARY [MPIRUN]
"""

import ctypes
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import lap
import lapjv
import numpy as np
from runs import mnist_run, run_quietly, tell_ratio
from scipy.optimize import linear_sum_assignment

SIZES = {64: 51, 512: 9, 2048: 5}  # units, and how often each solver is timed
SETTINGS = {
    "merge.method": "average",
    "merge.every_epochs": 0,
    "fleet.robots": 2,
    "fleet.alpha": 1.0,
    "fleet.initialization": "different",
    "data.samples": 10000,
    "train.epochs": 1,
    "evaluate.every_rounds": 0,
    "run.save_models": "all",
}
Solver = Callable[[np.ndarray], np.ndarray]


def ours(library: str) -> Solver:
    function = ctypes.CDLL(library).fleet_maximum_assignment

    def solve(score: np.ndarray) -> np.ndarray:
        columns = np.empty(len(score), dtype=np.int32)
        function(
            score.ctypes.data_as(ctypes.c_void_p),
            len(score),
            columns.ctypes.data_as(ctypes.c_void_p),
        )
        return columns

    return solve


def likeness(fleet: str, mpirun: str, units: int, folder: Path) -> np.ndarray:
    """<a_i, b_j> over all weights of the hidden units i and j of two networks."""
    settings = SETTINGS | {"model.hidden": f"[{units}]"}
    run_quietly(mnist_run(fleet, mpirun, 1, settings, folder / str(units)))
    networks = []
    for robot in range(2):
        with h5py.File(next((folder / str(units)).glob(f"models/*/robot-{robot}.h5"))) as file:
            weights = file["weights"]
            into, bias, out = (
                weights[f"layers.{name}"][:] for name in ("0.weight", "0.bias", "1.weight")
            )
        networks.append(np.hstack([into, bias[:, None], out.T]))
    return networks[0] @ networks[1].T


def compare(
    solvers: dict[str, tuple[Solver, np.ndarray]], score: np.ndarray, rounds: int
) -> dict[str, float]:
    """Median seconds of each; AssertionError where one finds less than the best."""
    seconds: dict[str, list[float]] = {name: [] for name in solvers}
    reached = {}
    for _ in range(rounds):
        for name, (solve, matrix) in solvers.items():
            start = time.process_time()
            columns = solve(matrix)
            seconds[name].append(time.process_time() - start)
            reached[name] = score[np.arange(len(score)), columns].sum(dtype=np.float64)
    best = max(reached.values())
    for name, value in reached.items():
        assert value >= best - 1e-5 * abs(best), f"{name} found {value}, the best is {best}"
    return {name: float(np.median(times)) for name, times in seconds.items()}


def main() -> None:
    fleet, library = sys.argv[1:3]
    mpirun = sys.argv[3] if len(sys.argv) > 3 else "mpirun"
    generator = np.random.default_rng(1)
    others = {
        "scipy": lambda cost: linear_sum_assignment(cost)[1],
        "lap": lambda cost: lap.lapjv(cost)[1],
        "lapjv": lambda cost: lapjv.lapjv(cost)[0],
    }
    print(
        "   units  scores     ours (ms)",
        *(f"{name} (ms)".rjust(12) for name in others),
    )
    for size, rounds in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            kinds = {
                "uniform": generator.random((size, size), dtype=np.float32),
                "networks": likeness(fleet, mpirun, size, Path(folder)),
            }
        for kind, score in kinds.items():
            cost = -score.astype(np.float64)
            solvers = {"ours": (ours(library), score)} | {
                name: (solve, cost) for name, solve in others.items()
            }
            times = compare(solvers, score, rounds)
            milliseconds = (f"{1e3 * seconds:12.3f}" for seconds in times.values())
            print(f"{size:8d}  {kind:8s}", *milliseconds)
            fastest = min(times[name] for name in others)
            tell_ratio(
                f"assignment of {size}, {kind}, beside the fastest other", fastest / times["ours"]
            )


if __name__ == "__main__":
    main()
