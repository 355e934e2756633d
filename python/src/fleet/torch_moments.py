"""What PyTorch's optimisers remember, laid out as the weights are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from fleet.layout import layout_of
from fleet.spec import Weights

#: Of optimisers: the names of what they remember of each parameter, and whether it is of squares.
REMEMBERED: dict[type, tuple[tuple[str, str], ...]] = {
    torch.optim.Adam: (("exp_avg", "linear"), ("exp_avg_sq", "square")),
    torch.optim.AdamW: (("exp_avg", "linear"), ("exp_avg_sq", "square")),
    torch.optim.SGD: (("momentum_buffer", "linear"),),
}


def moment_kinds(optimizer: torch.optim.Optimizer) -> list[str] | None:
    """As Fleet.moments(); None of an optimiser that is not known here."""
    names = REMEMBERED.get(type(optimizer))
    if names is None or any(group.get("amsgrad") for group in optimizer.param_groups):
        return None
    if isinstance(optimizer, torch.optim.SGD) and not any(
        g["momentum"] for g in optimizer.param_groups
    ):
        return []
    return [kind for _, kind in names]


def write_moments(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    order: list[str],
    moments: Sequence[Weights],
) -> None:
    """What the optimiser remembers, laid out as the weights are, into `moments`."""
    if not moments:
        return
    places = _places(module, order)
    for (name, _), flat in zip(REMEMBERED[type(optimizer)], moments, strict=True):
        flat[:] = 0.0
        for parameter, (begin, end) in places.items():
            value = optimizer.state.get(parameter, {}).get(name)
            if value is not None:
                flat[begin:end] = value.detach().cpu().numpy().ravel()


def read_moments(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    order: list[str],
    moments: Sequence[Weights],
    steps: int,
) -> None:
    """The inverse of write_moments(), of moments with `steps` steps behind them."""
    if not any(flat.any() for flat in moments):
        return
    places = _places(module, order)
    for parameter, (begin, end) in places.items():
        state = optimizer.state[parameter]
        if type(optimizer) is not torch.optim.SGD:
            state["step"] = torch.tensor(float(steps))
        for (name, _), flat in zip(REMEMBERED[type(optimizer)], moments, strict=True):
            value = torch.from_numpy(flat[begin:end].copy()).reshape(parameter.shape)
            state[name] = value.to(parameter.device)


def _places(module: nn.Module, order: list[str]) -> dict[nn.Parameter, tuple[int, int]]:
    sizes = {name: tensor.numel() for name, tensor in layout_of(module).items()}
    parameters = dict(module.named_parameters())
    places, offset = {}, 0
    for name in order:
        if name in parameters:
            places[parameters[name]] = (offset, offset + sizes[name])
        offset += sizes[name]
    return places
