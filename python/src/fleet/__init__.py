"""Fleets, worlds and merging methods of your own, written in Python, for the program `fleet`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleet.errors import FleetError, SettingError
from fleet.partition import deal
from fleet.protocol import serve
from fleet.spec import Action, AffineMap, BatchNorm, Group, Network, Tensor
from fleet.world import Cell, Fleet, Head, Merge, Method, Robot, Training

if TYPE_CHECKING:
    from fleet.session import Barrier, Report, align, barrier, merge
    from fleet.torch_world import Learner, TorchFleet

__all__ = [
    "Action",
    "AffineMap",
    "Barrier",
    "BatchNorm",
    "Cell",
    "Fleet",
    "FleetError",
    "Group",
    "Head",
    "Learner",
    "Merge",
    "Method",
    "Network",
    "Report",
    "Robot",
    "SettingError",
    "Tensor",
    "TorchFleet",
    "Training",
    "align",
    "barrier",
    "deal",
    "merge",
    "serve",
]
__version__ = "0.1.0"

#: What needs PyTorch, by module: it is imported when it is asked for.
_OF_TORCH = {
    "TorchFleet": "fleet.torch_world",
    "Learner": "fleet.torch_world",
    "Barrier": "fleet.session",
    "Report": "fleet.session",
    "align": "fleet.session",
    "barrier": "fleet.session",
    "merge": "fleet.session",
}


def __getattr__(name: str) -> Any:
    if name not in _OF_TORCH:
        raise AttributeError(f"module 'fleet' has no attribute {name!r}")
    import importlib

    try:
        return getattr(importlib.import_module(_OF_TORCH[name]), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise FleetError(f"fleet.{name} needs PyTorch: pip install torch") from error
