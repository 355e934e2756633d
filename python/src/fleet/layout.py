"""The tensors of a PyTorch module as one flat vector, and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from fleet.errors import FleetError
from fleet.spec import Network, Weights


def layout_of(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of floating point by name, shared ones once.

    They stand as state_dict() orders them, and are what is merged. Integers, such as the number of
    batches that a normalisation has seen, stay with their module.
    """
    tensors: dict[str, Tensor] = {}
    known: set[int] = set()
    for name, tensor in module.state_dict(keep_vars=True).items():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or id(tensor) in known:
            continue
        known.add(id(tensor))
        tensors[name] = tensor
    return tensors


def write_weights(module: nn.Module, flat: Weights) -> None:
    """The module's weights, one after another."""
    offset = 0
    for tensor in layout_of(module).values():
        flat[offset : offset + tensor.numel()] = tensor.detach().float().cpu().numpy().ravel()
        offset += tensor.numel()
    if offset != len(flat):
        raise FleetError(f"module() has {offset} weights, and had {len(flat)} when it was traced")


@contextmanager
def bind(
    module: nn.Module, network: Network, flat: Weights, device: torch.device, writes: bool = False
) -> Iterator[None]:
    """For the time being `flat` holds the module's weights.

    On a CPU they are views of it. Elsewhere they are copied there, and back if they change
    (`writes`).
    """
    tensors = layout_of(module)
    views = network.views(flat)
    if list(tensors) != list(views):
        raise FleetError("module() has not the tensors that it had when it was traced")
    if device.type == "cpu":
        for name, tensor in tensors.items():
            tensor.data = torch.from_numpy(views[name])
        yield
        return
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(torch.from_numpy(views[name]))
    yield
    if writes:
        for name, tensor in tensors.items():
            views[name][...] = tensor.detach().cpu().numpy()
