"""What it costs that robots live in another process: 10^6 weights of each go there and come back every round.

usage: external_overhead.py FLEET PYTHON [MPIRUN]    (PYTHON: one that has PyTorch, or it is left out)
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
from runs import run_quietly

ROOT = Path(__file__).resolve().parents[2]
ROBOTS = 8
ROUNDS = 40

PLAIN = """
import fleet

class Still(fleet.Fleet):
    def network(self):
        return fleet.Network((fleet.Tensor("weights", (1000, 1000)),))

    def initialize(self, robot, weights):
        weights[:] = robot.index

    def train(self, robot, training):
        training.weights[0] += 1.0
        return 0.0

    def test(self, weights, part):
        return {"loss": (float(weights[0]), 1.0)}

fleet.serve(Still)
"""
TORCH = """
import torch
import fleet

class Still(fleet.TorchFleet):
    metrics = ("loss",)

    def module(self):
        layers = [torch.nn.Linear(250, 250) for _ in range(16)]
        return torch.nn.Sequential(*layers)

    def example_input(self):
        return torch.zeros(1, 250)

    def step(self, robot, learner):
        with torch.no_grad():
            next(learner.module.parameters()).add_(1.0)
        return 0.0

    def judge(self, module, part):
        return {"loss": float(next(module.parameters())[0, 0])}

fleet.serve(Still)
"""


def milliseconds(fleet: str, mpirun: str, python: str, program: str) -> float:
    """Of a robot's training, in which next to nothing is done: the median over rounds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "still.py").write_text(program)
        (folder / "still.toml").write_text(
            f'workload = "external"\nexternal.command = ["{python}", "{folder}/still.py"]\n'
            f'fleet.robots = {ROBOTS}\ntrain.epochs = {ROUNDS}\nmerge.method = "average"\n'
            'evaluate.every_rounds = 0\nevaluate.local = "never"\nrun.checkpoint.every_minutes = 0.0\n'
        )
        os.environ["PYTHONPATH"] = str(ROOT / "python" / "src")
        run_quietly(
            [
                *mpirun.split(),
                "-n",
                "1",
                fleet,
                "run",
                str(folder / "still.toml"),
                "-o",
                str(folder / "out"),
            ]
        )
        with h5py.File(folder / "out.h5") as file:
            rounds = file["rounds"][:]
    return 1e3 * float(np.median(rounds["seconds_train"][2:])) / ROBOTS


def main() -> None:
    fleet, python = sys.argv[1:3]
    mpirun = sys.argv[3] if len(sys.argv) > 3 else "mpirun"
    print(
        f"10^6 weights there and back, a robot and round: {milliseconds(fleet, mpirun, python, PLAIN):.2f} ms"
    )
    has_torch = (
        subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode
        == 0
    )
    if has_torch:
        print(f"the same of a PyTorch module: {milliseconds(fleet, mpirun, python, TORCH):.2f} ms")


if __name__ == "__main__":
    main()
