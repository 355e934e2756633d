"""git-rebasin on models of ResNet18's size, and beside the public packages on models that they take.

    python rebasin_peers.py build/release/fleet mpirun

Needs torch and, for the comparison, `rebasin` or `sinkhorn-rebasin` (both call themselves rebasin:
one at a time). What is not installed is left out, and said.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from torch.nn import functional as F

import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python" / "src"), str(ROOT / "python" / "tests")]

import zoo
from fleet.safetensors import load, save
from fleet.symmetry import derive

ENVIRONMENT = os.environ | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                            "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip


def fleet_merge(
    fleet: list[str], files: list[Path], symmetry: Path, output: Path, *words: str
) -> float:
    begin = time.perf_counter()
    subprocess.run(
        [*fleet, "merge", *map(str, files), "--method", "git-rebasin", "--symmetry", str(symmetry),
         "-o", str(output), *words],
        check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - begin


def large_models(program: str, launcher: str) -> None:
    """Five of 11 million weights."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for seed in range(5):
            torch.manual_seed(seed)
            module = zoo.ResNet18(width=64, classes=1000)
            files.append(Path(folder) / f"{seed}.safetensors")
            save(module.state_dict(), files[-1])
        begin = time.perf_counter()
        found = derive(module, (torch.randn(1, 3, 64, 64),))
        print(
            f"symmetry of ResNet18: {found.free_units} units, {time.perf_counter() - begin:.1f} s"
        )
        found.network.write(Path(folder) / "s.symmetry.json")
        models = 5 * 4 * found.network.size / 1e9
        for ranks in (1, 2):
            line = [*launcher.split(), "-n", str(ranks), program]
            seconds = fleet_merge(
                line,
                files,
                Path(folder) / "s.symmetry.json",
                Path(folder) / f"m{ranks}.safetensors",
            )
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
            print(f"git-rebasin of five ResNet18, {ranks} ranks: {seconds:.1f} s; the largest rank's memory "
                  f"{memory:.2f} GB, {memory / models:.1f} x the models")  # fmt: skip


class Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(20, 128),
            nn.ReLU(),
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Linear(128, 10),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def samples(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ten classes that no plane divides: a teacher's choice."""
    stream = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 20, generator=stream)
    torch.manual_seed(99)
    teacher = nn.Sequential(nn.Linear(20, 40), nn.Tanh(), nn.Linear(40, 10))
    with torch.no_grad():
        return inputs, (4 * teacher(inputs)).argmax(1)


def trained(seed: int) -> Perceptron:
    inputs, labels = samples(8000, 1)
    torch.manual_seed(seed)
    module = Perceptron()
    optimizer = torch.optim.Adam(module.parameters(), 2e-3)
    for step in range(600):
        rows = torch.randint(
            8000, (256,), generator=torch.Generator().manual_seed(seed * 1000 + step)
        )
        optimizer.zero_grad()
        F.cross_entropy(module(inputs[rows]), labels[rows]).backward()
        optimizer.step()
    return module


def loss(weights: dict[str, torch.Tensor]) -> float:
    inputs, labels = samples(4000, 2)
    module = Perceptron()
    module.load_state_dict(weights)
    with torch.no_grad():
        return float(F.cross_entropy(module(inputs), labels))


def barrier(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    ends = (loss(one) + loss(other)) / 2
    mixed = [{k: (1 - t) * one[k] + t * other[k] for k in one} for t in torch.linspace(0, 1, 21)]
    return max(map(loss, mixed)) - ends


def small_models(program: str) -> None:
    one, other = trained(1), trained(2)
    print(
        f"two perceptrons of 128 units: barrier as they are {barrier(one.state_dict(), other.state_dict()):.4f}"
    )
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.safetensors" for name in "ab"]
        for file, module in zip(files, (one, other), strict=True):
            save(module.state_dict(), file)
        derive(one, (torch.zeros(1, 20),)).network.write(Path(folder) / "s.symmetry.json")
        seconds = fleet_merge(
            [program],
            files,
            Path(folder) / "s.symmetry.json",
            Path(folder) / "aligned",
            "--align-only",
        )
        aligned = [load(Path(folder) / "aligned" / file.name) for file in files]
        print(f"fleet {seconds:.2f} s: barrier {barrier(*aligned):.4f}")
    for package, peer in (
        ("rebasin", with_rebasin),
        ("sinkhorn-rebasin", with_sinkhorn),
    ):
        try:
            found = version(package)
        except PackageNotFoundError:
            print(f"{package} is not installed: left out")
            continue
        try:
            moved, seconds = peer(one, other)
        except (
            ImportError,
            RuntimeError,
            ValueError,
            TypeError,
            AttributeError,
            KeyError,
        ) as error:
            print(f"{package} {found} fails: {type(error).__name__}: {error}")
            continue
        print(f"{package} {found}, {seconds:.2f} s: barrier {barrier(one.state_dict(), moved):.4f}")


def copy_of(module: Perceptron) -> Perceptron:
    copy = Perceptron()
    copy.load_state_dict(module.state_dict())
    return copy


def with_rebasin(one: Perceptron, other: Perceptron) -> tuple[dict[str, torch.Tensor], float]:
    from rebasin import PermutationCoordinateDescent

    moved = copy_of(other)
    begin = time.perf_counter()
    PermutationCoordinateDescent(copy_of(one), moved, samples(64, 3)[0]).rebasin()
    return moved.state_dict(), time.perf_counter() - begin


def with_sinkhorn(one: Perceptron, other: Perceptron) -> tuple[dict[str, torch.Tensor], float]:
    """As in its README: towards the other model's weights."""
    from rebasin import RebasinNet
    from rebasin.loss import DistL2Loss

    begin = time.perf_counter()
    net = RebasinNet(copy_of(other), input_shape=(1, 20))
    criterion = DistL2Loss(copy_of(one))
    optimizer = torch.optim.AdamW(net.p.parameters(), lr=0.1)
    for _ in range(200):
        net.train()
        found = criterion(net())
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
    net.update_batchnorm(net.reparamnet.output) if hasattr(net, "update_batchnorm") else None
    net.eval()
    return net().state_dict(), time.perf_counter() - begin


def main() -> None:
    torch.set_num_threads(1)
    program, launcher = sys.argv[1:3]
    small_models(program)
    large_models(program, launcher)


if __name__ == "__main__":
    main()
