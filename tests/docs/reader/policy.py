"""A reader's policy."""

import torch
from torch import nn


def make() -> nn.Module:
    return nn.Sequential(nn.Linear(39, 16), nn.Tanh(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 4))


def make_with_inputs() -> tuple[nn.Module, tuple[torch.Tensor]]:
    return make(), (torch.zeros(1, 39),)
