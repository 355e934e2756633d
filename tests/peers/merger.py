"""What the peers share that merge saved perceptrons once."""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python" / "src"))

from common import say
from fleet.safetensors import load, save
from jobs import MERGED
from modules import module_of

import torch
from torch import nn


def perceptron(weights: Mapping[str, torch.Tensor]) -> nn.Module:
    module = module_of(MERGED)
    module.load_state_dict(dict(zip(module.state_dict(), weights.values(), strict=True)))
    return module


def mean(modules: list[nn.Module]) -> nn.Module:
    states = [module.state_dict() for module in modules]
    return perceptron(
        {name: sum(each[name] for each in states) / len(states) for name in states[0]}
    )


def merge_saved(merge: Callable[[list[nn.Module]], nn.Module], package: str) -> None:
    """On the command line stand the file to write, and those to merge."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    output, *files = sys.argv[1:]
    modules = [perceptron(load(file)) for file in files]
    begin = time.perf_counter()
    merged = merge(modules)
    taken = time.perf_counter() - begin
    save(merged.state_dict(), output)
    say({"part_ms": 1e3 * taken}, package)
