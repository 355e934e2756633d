"""A robot's samples in PyTorch: tensors side by side, or a data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

#: Tensors of equal length, sample by sample, or a data set of torch.utils.data.
Data = Sequence[Tensor] | torch.utils.data.Dataset[Any]
Batch = Any


def count(data: Data) -> int:
    return len(data[0]) if isinstance(data, (tuple, list)) else len(data)  # type: ignore[arg-type]


def pick(data: Data, places: Tensor | slice) -> Batch:
    """Those samples, as one batch."""
    if isinstance(data, (tuple, list)):
        return tuple(part[places] for part in data)
    if isinstance(places, slice):
        places = torch.arange(count(data))[places]
    samples = [data[int(place)] for place in places]  # type: ignore[index]
    return torch.utils.data.default_collate(samples)


def join(parts: Iterable[Data]) -> Data:
    whole = [part for part in parts if count(part) > 0]
    if all(isinstance(part, (tuple, list)) for part in whole):
        return tuple(torch.cat(column) for column in zip(*whole, strict=True))  # type: ignore[arg-type]
    return torch.utils.data.ConcatDataset(whole)  # type: ignore[arg-type]
