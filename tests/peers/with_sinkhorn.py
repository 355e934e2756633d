"""Merges by sinkhorn-rebasin, which aligns two models: each with the first, as its README does; then their mean."""

from merger import mean, merge_saved
from networks import PIXELS
from rebasin import RebasinNet
from rebasin.loss import DistL2Loss

import torch
from torch import nn

STEPS = 200


def aligned(module: nn.Module, target: nn.Module) -> nn.Module:
    rebasin = RebasinNet(module, input_shape=(1, PIXELS))
    distance = DistL2Loss(target)
    optimizer = torch.optim.AdamW(rebasin.p.parameters(), lr=0.1)
    rebasin.train()
    for _ in range(STEPS):
        optimizer.zero_grad()
        distance(rebasin()).backward()
        optimizer.step()
    rebasin.eval()
    return rebasin()


def merge(modules: list[nn.Module]) -> nn.Module:
    first, *others = modules
    return mean([first, *(aligned(module, first) for module in others)])


if __name__ == "__main__":
    merge_saved(merge, "sinkhorn-rebasin")
