"""Operations that normalise."""

from __future__ import annotations

from typing import Any

from fleet.tracing.labels import Axes, Call, mix
from fleet.tracing.rules.table import first, rule, without_signs
from fleet.tracing.units import equate, fix, fixed, forbid_signs, free, split


@rule("_weight_norm_interface", "_weight_norm")
def _weight_norm(call: Call) -> Any:
    """Directions, scaled to the length that each index along one axis has."""
    axes, lengths = call.axes("v"), call.axes("g")
    dim = call.dim()
    mix(axes, [i for i in range(len(axes)) if i != dim])
    equate(axes[dim], lengths[dim])
    forbid_signs(axes[dim])
    return [axes, lengths] if isinstance(call.result, (tuple, list)) else axes


@rule("native_layer_norm", "layer_norm", "rms_norm", "_fused_rms_norm")
def _layer_norm(call: Call) -> Any:
    axes = call.axes("input")
    count = len(call["normalized_shape"])
    for name in ("weight", "bias"):
        affine = call.get(name)
        if affine is not None:
            for one, other in zip(axes[-count:], affine.axes, strict=True):
                equate(one, other)
    mix(axes, range(len(axes) - count, len(axes)))
    without_signs(axes)
    return _with_statistics(call, axes)


def _with_statistics(call: Call, axes: Axes) -> Any:
    """Of a normalisation that returns its means and deviations too, which nothing goes on with."""
    if not isinstance(call.result, (tuple, list)):
        return axes
    rest = call.result[1:]
    if any(call.used(place) for place in range(1, len(call.result))):
        for axis in axes:
            fix(axis)
    return [axes, *(tuple(fixed(n) for n in each.shape) for each in rest)]


@rule("native_group_norm", "group_norm")
def _group_norm(call: Call) -> Any:
    axes = call.axes("input")
    groups = int(call.get("group", call.get("num_groups", 1)))
    blocks, inside = split(axes[1], [groups, axes[1].size // groups])
    for name in ("weight", "bias"):
        affine = call.get(name)
        if affine is not None:
            equate(axes[1], affine.axes[0])
    parts = (axes[0], blocks, inside, *axes[2:])
    mix(parts, range(2, len(parts)))
    without_signs(axes)
    return _with_statistics(call, axes)


@rule(
    "native_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "_batch_norm_no_update",
    "cudnn_batch_norm",
    "batch_norm",
)
def _batch_norm(call: Call) -> Any:
    axes = call.axes("input")
    for name in ("weight", "bias", "running_mean", "running_var"):
        affine = call.get(name)
        if affine is not None:
            equate(axes[1], affine.axes[0])
    if call.get("running_mean") is None:
        mix(axes, [0, *range(2, len(axes))])
    without_signs(axes)
    if not isinstance(call.result, (tuple, list)):
        return axes
    # What it returns besides is empty, or one number a channel.
    return [
        axes,
        *(
            (axes[1],) if list(each.shape) == [axes[1].size] else tuple(free(n) for n in each.shape)
            for each in call.result[1:]
        ),
    ]


@rule("instance_norm")
def _instance_norm(call: Call) -> Any:
    axes = call.axes("input")
    for name in ("weight", "bias"):
        affine = call.get(name)
        if affine is not None:
            equate(axes[1], affine.axes[0])
    mix(axes, range(2, len(axes)))
    return without_signs(axes)


@rule("_softmax", "softmax", "_log_softmax", "log_softmax", "_safe_softmax", "softmin")
def _softmax(call: Call) -> Any:
    axes = first(call)
    mix(axes, [call.dim()])
    return without_signs(axes)
