"""Merges by rebasin: its MergeMany, which matches each model with the mean of the others until nothing changes."""

from jobs import MERGED
from merger import merge_saved
from modules import module_of
from networks import PIXELS
from rebasin import MergeMany

import torch
from torch import nn


def merge(modules: list[nn.Module]) -> nn.Module:
    return MergeMany(modules, module_of(MERGED), torch.zeros(1, PIXELS)).run()


if __name__ == "__main__":
    merge_saved(merge, "rebasin")
