"""Operations along an axis: sums, extremes, orders, pools, pads."""

from __future__ import annotations

from typing import Any

from fleet.tracing.labels import Axes, Call, UnknownError, mix
from fleet.tracing.rules.entrywise import mixed
from fleet.tracing.rules.table import dims_of, first, rule, without_signs
from fleet.tracing.units import Axis, fix, fixed, free, level_over


def _reduced(call: Call, axes: Axes) -> Axes:
    dims = dims_of(call, len(axes))
    mix(axes, dims)
    keep = bool(call.get("keepdim", False))
    out = [free(1) if i in dims else axis for i, axis in enumerate(axes) if keep or i not in dims]
    return tuple(out)


@rule("sum", "mean", "nansum", "nanmean")
def _mean(call: Call) -> Any:
    return _reduced(call, call.axes("self"))


@rule("amax", "amin", "var", "std", "norm", "linalg_vector_norm", "logsumexp", "prod", "any", "all")
def _statistic(call: Call) -> Any:
    axes = without_signs(call.axes("self"))
    return _reduced(call, axes)


@rule("var_mean", "std_mean", "aminmax")
def _two_statistics(call: Call) -> Any:
    axes = _reduced(call, without_signs(call.axes("self")))
    return [axes, axes]


@rule("max", "min", "median", "mode")
def _extreme(call: Call) -> Any:
    others = call.traced()
    if len(others) == 2:
        return mixed(call)
    axes = without_signs(call.axes("self"))
    if not isinstance(call.result, (tuple, list)):
        return _reduced(call, axes)
    if call.used(1):  # places along the axis
        fix(axes[call.dim()])
    out = _reduced(call, axes)
    return [out, out]


@rule("argmax", "argmin")
def _place(call: Call) -> Any:
    axes = without_signs(call.axes("self"))
    dims = dims_of(call, len(axes))
    for dim in dims:
        fix(axes[dim])
    return _reduced(call, axes)


@rule("cumsum", "cumprod", "flip", "roll", "tril", "triu", "logcumsumexp")
def _ordered(call: Call) -> Any:
    """What depends on the order of the entries."""
    axes = first(call)
    if call.name in ("tril", "triu"):
        dims = [len(axes) - 2, len(axes) - 1]
    else:
        dims = (
            dims_of(call, len(axes))
            if "dims" not in call.arguments
            else [dim % len(axes) for dim in call["dims"]] or list(range(len(axes)))
        )
    mix(axes, dims)
    for dim in dims:
        fix(axes[dim])
    return axes


_POOLS = {
    "max_pool1d": 1, "max_pool2d": 2, "max_pool3d": 3, "max_pool2d_with_indices": 2,
    "max_pool3d_with_indices": 3, "avg_pool1d": 1, "avg_pool2d": 2, "avg_pool3d": 3,
    "adaptive_avg_pool1d": 1, "adaptive_avg_pool2d": 2, "_adaptive_avg_pool2d": 2,
    "adaptive_avg_pool3d": 3, "_adaptive_avg_pool3d": 3, "adaptive_max_pool1d": 1,
    "adaptive_max_pool2d": 2, "upsample_nearest1d": 1, "upsample_nearest2d": 2,
    "upsample_nearest3d": 3, "upsample_linear1d": 1, "upsample_bilinear2d": 2,
    "upsample_bicubic2d": 2, "upsample_trilinear3d": 3, "_upsample_nearest_exact2d": 2,
    "_upsample_bilinear2d_aa": 2, "reflection_pad1d": 1, "reflection_pad2d": 2,
    "replication_pad1d": 1, "replication_pad2d": 2, "mkldnn_max_pool2d": 2,
}  # fmt: skip


@rule(*_POOLS)
def _pool(call: Call) -> Any:
    """Places change, channels do not."""
    axes = first(call)
    spatial = _POOLS[call.name]
    mix(axes, range(len(axes) - spatial, len(axes)))
    for axis in axes[-spatial:]:
        fix(axis)
    if not call.name.startswith(("avg", "adaptive_avg", "_adaptive_avg", "upsample", "_upsample")):
        without_signs(axes)
    several = isinstance(call.result, (tuple, list))
    shape = list((call.result[0] if several else call.result).shape)
    out = (*axes[:-spatial], *(fixed(n) for n in shape[-spatial:]))
    if several and call.used(1):
        for axis in out:
            fix(axis)
    return [out, out] if several else out


@rule("constant_pad_nd", "pad")
def _pad(call: Call) -> Any:
    axes = list(call.axes("self"))
    if call.get("mode", "constant") != "constant":
        raise UnknownError
    value = call.get("value") or 0
    amounts = list(call["pad"])
    for place in range(len(amounts) // 2):
        before, behind = amounts[2 * place], amounts[2 * place + 1]
        dim = len(axes) - 1 - place
        if before == behind == 0:
            continue
        if min(before, behind) < 0:
            raise UnknownError
        mix(axes, [dim]) if value else None
        ends = [Axis(free(n, odd=value == 0).terms).terms if n else () for n in (before, behind)]
        level_over([axis for i, axis in enumerate(axes) if i != dim], axes[dim])
        axes[dim] = Axis((*ends[0], *axes[dim].terms, *ends[1]))
    return tuple(axes)
