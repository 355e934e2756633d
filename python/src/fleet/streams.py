"""Streams of random numbers that depend on a name alone."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import torch


def name_seed(*name: int | str) -> int:
    """A seed that depends on all parts of a name and on nothing else."""
    digest = hashlib.sha256(repr(name).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def seed_all(seed: int) -> None:
    """The streams that user code may draw from without naming one."""
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002
    torch.manual_seed(seed)
