"""git-rebasin on models of ResNet18's size.

    python large_rebasin.py build/release/fleet mpirun

Needs torch.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from runs import peak_memory_of

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python" / "src"), str(ROOT / "python" / "tests")]

import zoo
from fleet.safetensors import save
from fleet.symmetry import derive

MODELS = 5


def main() -> None:
    """Five of 11 million weights."""
    torch.set_num_threads(1)
    os.environ |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                   "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
    program, launcher = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / f"{seed}.safetensors" for seed in range(MODELS)]
        for seed, file in enumerate(files):
            torch.manual_seed(seed)
            module = zoo.ResNet18(width=64, classes=1000)
            save(module.state_dict(), file)
        begin = time.perf_counter()
        found = derive(module, (torch.randn(1, 3, 64, 64),))
        print(
            f"symmetry of ResNet18: {found.free_units} units, {time.perf_counter() - begin:.1f} s"
        )
        symmetry = folder / "s.symmetry.json"
        found.network.write(symmetry)
        size = MODELS * 4 * found.network.size / 1e9
        for ranks in (1, 2):
            command = [*launcher.split(), "-n", str(ranks), program, "merge", *map(str, files)]
            command += ["--method", "git-rebasin", "--symmetry", str(symmetry)]
            begin = time.perf_counter()
            output = folder / f"m{ranks}.safetensors"
            memory = peak_memory_of([*command, "-o", str(output)]) / 1e9
            seconds = time.perf_counter() - begin
            print(f"git-rebasin of five ResNet18, {ranks} ranks: {seconds:.1f} s; the largest rank's memory "
                  f"{memory:.2f} GB, {memory / size:.1f} x the models")  # fmt: skip


if __name__ == "__main__":
    main()
