"""Fleets, worlds and merging methods of your own, written in Python, for the program `fleet`."""

from fleet.errors import FleetError
from fleet.spec import Action, AffineMap, BatchNorm, Group, Network, Tensor

__all__ = ["Action", "AffineMap", "BatchNorm", "FleetError", "Group", "Network", "Tensor"]
__version__ = "0.1.0"
