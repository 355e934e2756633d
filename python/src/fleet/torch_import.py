"""PyTorch, which only parts of this package need."""

from __future__ import annotations

import importlib
from typing import Any

from fleet.errors import FleetError


def import_torch() -> Any:
    """FleetError if it is not there."""
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise FleetError(
            f"PyTorch is needed for this, and cannot be imported ({error}): pip install torch"
        ) from error
