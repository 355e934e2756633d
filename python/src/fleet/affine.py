"""A PyTorch module as affine maps, for methods that merge layer by layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from fleet.layout import layout_of
from fleet.spec import AffineMap, BatchNorm, Network, Weights

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
EPSILON = 1e-5  # of normalisations, as `fleet` folds them into their map


def affine_maps(module: nn.Module, example: Any) -> tuple[AffineMap, ...]:
    """The module's layers in the order in which data pass them.

    Linear layers and convolutions, each followed by a batch normalisation or not, each used once.
    None at all for a module that holds any other weights: its layers cannot be merged one by one.
    """
    calls: list[tuple[str, nn.Module, Tensor, Tensor]] = []
    handles = [
        leaf.register_forward_hook(
            lambda leaf, inputs, output, name=name: calls.append((name, leaf, inputs[0], output))
        )
        for name, leaf in module.named_modules()
        if layout_of(leaf) and not list(leaf.children())
    ]
    training = module.training
    try:
        with torch.no_grad():
            module.eval()
            module(*example) if isinstance(example, (tuple, list)) else module(example)
    finally:
        module.train(training)
        for handle in handles:
            handle.remove()
    maps: list[AffineMap] = []
    made: list[Tensor] = []  # what each map has put out
    for name, leaf, entered, left in calls:
        if isinstance(leaf, NORMS) and maps and entered is made[-1] and _folds(leaf, maps[-1]):
            maps[-1] = AffineMap(maps[-1].name, maps[-1].weights, None, _norm(name), not maps[:-1])
            made[-1] = left
        elif _is_map(leaf):
            bias = f"{name}.bias" if leaf.bias is not None else None
            maps.append(AffineMap(name, (f"{name}.weight",), bias, sees_data=not maps))
            made.append(left)
        else:
            return ()
    covered = [tensor for each in maps for tensor in _tensors(each)]
    return tuple(maps) if sorted(covered) == sorted(layout_of(module)) else ()


def map_matrix(network: Network, index: int, tensors: dict[str, Weights]) -> Weights:
    """[W b], with a normalisation folded in."""
    each = network.maps[index]
    weight = tensors[each.weights[0]]
    matrix = weight.reshape(len(weight), -1)
    if each.bias is not None:
        return np.hstack([matrix, tensors[each.bias][:, None]])
    if each.norm is not None:
        scale = tensors[each.norm.scale] / np.sqrt(tensors[each.norm.variance] + EPSILON)
        shift = tensors[each.norm.shift] - scale * tensors[each.norm.mean]
        return np.hstack([matrix * scale[:, None], shift[:, None]])
    return matrix


class Capture:
    """While it lasts, notes what enters and leaves a map of a module."""

    def __init__(self, module: nn.Module, network: Network, index: int) -> None:
        self._map = network.maps[index]
        self._leaf = dict(module.named_modules())[self._map.name]
        self._entered: Tensor | None = None
        self._left: Tensor | None = None

    def __enter__(self) -> Capture:
        self._handle = self._leaf.register_forward_hook(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def _note(self, leaf: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self._entered, self._left = inputs[0], output

    def leaves_last(self, outputs: Any) -> bool:
        """Whether what leaves the map is what the module puts out, sample by sample."""
        return outputs is self._left and outputs.dim() == 2

    def rows(self) -> NDArray[np.float64]:
        """What the map's matrix multiplies, a row each, in double precision."""
        assert self._entered is not None
        entered = self._entered
        if isinstance(self._leaf, CONVOLUTIONS):
            entered = _patches(self._leaf, entered)
        rows = entered.reshape(-1, entered.shape[-1]).double().cpu().numpy()
        if self._map.bias is not None or self._map.norm is not None:
            rows = np.hstack([rows, np.ones((len(rows), 1))])
        return rows


class Probes:
    """While it lasts, zeros are added to what leaves each map of a module.

    The gradient with respect to them is that at the maps' outputs, whatever is done to these in
    place.
    """

    def __init__(self, module: nn.Module, network: Network) -> None:
        leaves = dict(module.named_modules())
        self._leaves = [leaves[each.name] for each in network.maps]
        self._zeros: dict[nn.Module, Tensor] = {}

    def __enter__(self) -> Probes:
        self._handles = [leaf.register_forward_hook(self._add) for leaf in self._leaves]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _add(self, leaf: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        self._zeros[leaf] = torch.zeros_like(output, requires_grad=True)
        return output + self._zeros[leaf]

    def gradients(self, value: Tensor) -> list[NDArray[np.float64]]:
        """Those of `value`, a matrix for each map: a row for each that leaves it."""
        zeros = [self._zeros[leaf] for leaf in self._leaves]
        slopes = torch.autograd.grad(value, zeros)
        return [
            _rows(leaf, slope).double().cpu().numpy()
            for leaf, slope in zip(self._leaves, slopes, strict=True)
        ]


def _rows(leaf: nn.Module, left: Tensor) -> Tensor:
    channels_last = left.movedim(1, -1) if isinstance(leaf, CONVOLUTIONS) else left
    return channels_last.reshape(-1, channels_last.shape[-1])


def _is_map(leaf: nn.Module) -> bool:
    if isinstance(leaf, CONVOLUTIONS):
        return (
            leaf.groups == 1 and leaf.padding_mode == "zeros" and not isinstance(leaf.padding, str)
        )
    return isinstance(leaf, nn.Linear)


def _folds(leaf: nn.Module, before: AffineMap) -> bool:
    known = leaf.affine and leaf.track_running_stats and leaf.eps == EPSILON
    return bool(known) and before.bias is None and before.norm is None


def _norm(name: str) -> BatchNorm:
    return BatchNorm(
        f"{name}.weight", f"{name}.bias", f"{name}.running_mean", f"{name}.running_var"
    )


def _tensors(each: AffineMap) -> list[str]:
    norm = [] if each.norm is None else list(vars(each.norm).values())
    return [*each.weights, *([] if each.bias is None else [each.bias]), *norm]


def _patches(leaf: Any, entered: Tensor) -> Tensor:
    """[samples, places, channels x kernel] of what a convolution sees."""
    if isinstance(leaf, nn.Conv1d):
        entered = entered.unsqueeze(2)
        kernel, dilation = (1, *leaf.kernel_size), (1, *leaf.dilation)
        padding, stride = (0, *leaf.padding), (1, *leaf.stride)
        return functional.unfold(entered, kernel, dilation, padding, stride).transpose(1, 2)
    unfolded = functional.unfold(
        entered, leaf.kernel_size, leaf.dilation, leaf.padding, leaf.stride
    )
    return unfolded.transpose(1, 2)
