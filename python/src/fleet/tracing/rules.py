"""One rule an operation of ATen: which axes of its operands move together, and how its result does.

A rule may take freedom away that there is; it must not leave any that there is not. What is not
listed here is UnknownError: then all that goes in is fixed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from fleet.tracing.labels import (
    Axes,
    Call,
    Traced,
    UnknownError,
    batch_letters,
    broadcast,
    concatenate,
    contract,
    lacking,
    matrix_product,
    mix,
    narrow,
    reshape,
    select,
    stack,
)
from fleet.tracing.units import (
    Axis,
    Unit,
    axis_of,
    equate,
    fix,
    fixed,
    forbid_signs,
    free,
    leaves_of,
    level_over,
    over_of,
    part,
    split,
)

#: Axes of the result, or of each result.
Rule = Callable[[Call], Any]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


def _shape(call: Call) -> list[int]:
    return list(call.result.shape)


def _first(call: Call) -> Axes:
    found = call.traced()
    if not found:
        raise UnknownError
    return found[0].axes


def _operands(call: Call) -> list[Axes]:
    return [traced.axes for traced in call.traced()]


# Entry by entry.

_SAME = (
    "alias alias_copy clone contiguous detach detach_copy dropout feature_dropout native_dropout "
    "lift_fresh lift_fresh_copy neg _to_copy to _conj positive identity type_as _assert_async "
    "lift conj resolve_conj resolve_neg alpha_dropout float double half"
)
_ODD = "tanh sin tan asin atan sinh asinh atanh erf sign softsign trunc round"
_UNEVEN = (
    "relu relu6 gelu silu mish sigmoid elu selu celu leaky_relu hardtanh hardswish hardsigmoid "
    "softplus log_sigmoid logsigmoid exp expm1 log log1p log2 log10 sqrt rsqrt abs cos cosh acos "
    "reciprocal floor ceil clamp clamp_min clamp_max square logical_not bitwise_not isnan isinf "
    "isfinite erfc threshold log_sigmoid_forward nan_to_num frac rrelu_with_noise "
    "logit _pow hardshrink softshrink exp2 sgn acosh deg2rad"
)
_SUMS = "add sub rsub lerp"
_PRODUCTS = "mul div multiply divide true_divide"
_MIXED = (
    "pow maximum minimum max_other min_other eq ne lt gt le ge logical_and logical_or logical_xor "
    "bitwise_and bitwise_or bitwise_xor where masked_fill addcmul addcdiv atan2 fmod remainder "
    "floor_divide floor_div fill copysign heaviside hypot xlogy greater less equal_ not_equal "
    "greater_equal less_equal __and__ __or__ __xor__"
)


@rule(*_SAME.split())
def _same(call: Call) -> Any:
    axes = _first(call)
    return [axes, axes] if isinstance(call.result, (tuple, list)) else axes


@rule(*_ODD.split())
def _odd(call: Call) -> Any:
    return _first(call)


@rule(*_UNEVEN.split())
def _uneven(call: Call) -> Any:
    axes = broadcast(
        _operands(call), call.result[0].shape if isinstance(call.result, tuple) else _shape(call)
    )
    for axis in axes:
        forbid_signs(axis)
    return [axes, axes] if isinstance(call.result, (tuple, list)) else axes


@rule(*_SUMS.split())
def _sum(call: Call) -> Any:
    operands = _operands(call)
    axes = broadcast(operands, _shape(call))
    scalar = len(operands) == 1
    for axis, lacks in zip(axes, lacking(operands, _shape(call)), strict=True):
        if lacks or scalar:
            forbid_signs(axis)
    return axes


@rule(*_PRODUCTS.split())
def _product(call: Call) -> Any:
    operands = _operands(call)
    axes = broadcast(operands, _shape(call))
    if call.get("rounding_mode") is not None:
        return _without_signs(axes)
    for place, axis in enumerate(axes):
        back = place - len(axes)
        if sum(len(each) >= -back and each[back].size > 1 for each in operands) > 1:
            forbid_signs(axis)
    return axes


@rule(*_MIXED.split())
def _mixed(call: Call) -> Any:
    return _without_signs(broadcast(_operands(call), _shape(call)))


def _without_signs(axes: Axes) -> Axes:
    for axis in axes:
        forbid_signs(axis)
    return axes


@rule("copy")
def _copy(call: Call) -> Any:
    operands = [call.axes("self"), call.axes("src")]
    axes = broadcast(operands, [axis.size for axis in operands[0]])
    for axis, lacks in zip(axes, lacking(operands, [a.size for a in axes]), strict=True):
        if lacks:
            forbid_signs(axis)
    return operands[0]


@rule("zero")
def _zero(call: Call) -> Any:
    return _first(call)


@rule("prelu", "_prelu_kernel")
def _prelu(call: Call) -> Any:
    axes, weight = call.axes("self"), call.axes("weight")
    if len(weight) == 1 and weight[0].size > 1 and len(axes) > 1:
        equate(axes[1], weight[0])
    elif len(weight) > 1:
        axes = broadcast([axes, weight], [axis.size for axis in axes])
    return _without_signs(axes)


@rule("glu")
def _glu(call: Call) -> Any:
    axes = call.axes("self")
    dim = call.dim()
    half = axes[dim].size // 2
    one, other = narrow(axes, dim, 0, half), narrow(axes, dim, half, 2 * half)
    return _without_signs(broadcast([one, other], [axis.size for axis in one]))


# Sums of products.


@rule("mm", "bmm", "matmul", "mv", "dot")
def _matmul(call: Call) -> Any:
    one, other = _operands(call)
    return matrix_product(one, other)


@rule("addmm", "addmv", "addbmm_", "baddbmm")
def _addmm(call: Call) -> Any:
    bias, one, other = _operands(call)
    return _with_bias(matrix_product(one, other), bias, _shape(call))


def _with_bias(axes: Axes, bias: Axes, shape: Sequence[int]) -> Axes:
    out = broadcast([axes, bias], shape)
    for axis, lacks in zip(out, lacking([axes, bias], shape), strict=True):
        if lacks:
            forbid_signs(axis)
    return out


@rule("linear")
def _linear(call: Call) -> Any:
    axes, weight = call.axes("input"), call.axes("weight")
    names, _ = batch_letters([axes[:-1]])
    out = contract([axes, weight], [names[0] + "k", "nk"], names[0] + "n")
    bias = call.get("bias")
    return out if bias is None else _with_bias(out, bias.axes, _shape(call))


@rule("einsum")
def _einsum(call: Call) -> Any:
    equation = str(call["equation"]).replace(" ", "")
    operands = [traced.axes for traced in call["tensors"]]
    if "..." in equation or "->" not in equation:
        raise UnknownError
    inputs, out = equation.split("->")
    letters = inputs.split(",")
    if any(len(set(names)) != len(names) for names in letters):
        raise UnknownError
    return contract(operands, letters, out)


@rule("convolution", "_convolution", "conv1d", "conv2d", "conv3d", "mkldnn_convolution")
def _convolution(call: Call) -> Any:
    return _convolve(call, bool(call.get("transposed", False)))


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _transposed(call: Call) -> Any:
    return _convolve(call, transposed=True)


def _convolve(call: Call, transposed: bool) -> Axes:
    axes, weight = call.axes("input"), call.axes("weight")
    if isinstance(call.get("padding"), str):
        raise UnknownError
    shape = _shape(call)
    spatial = len(weight) - 2
    if len(axes) != spatial + 2:  # no batch
        raise UnknownError
    groups = int(call.get("groups", 1))
    places = []
    for place in range(2, 2 + spatial):
        fix(weight[place])
        if weight[place].size == 1 and axes[place].size == shape[place]:
            places.append(axes[place])  # a kernel of one entry goes along it
            continue
        mix(axes, [place])
        fix(axes[place])
        places.append(fixed(shape[place]))
    inputs = split(axes[1], [groups, axes[1].size // groups])
    if transposed:
        kernel = [*split(weight[0], [groups, weight[0].size // groups]), weight[1]]
    else:
        kernel = [*split(weight[0], [groups, weight[0].size // groups]), weight[1]]
        kernel = [kernel[0], kernel[2], kernel[1]]
    letters = "PQRST"[:spatial]
    out = contract(
        [(axes[0], *inputs, *places), tuple(kernel)], ["bgi" + letters, "gio"], "bgo" + letters
    )
    channels = axis_of(out[1], out[2]) if groups > 1 else out[2]
    result = (out[0], channels, *out[3:])
    bias = call.get("bias")
    if bias is not None:
        equate(channels, bias.axes[0])
        for place, axis in enumerate(result):
            if place != 1:
                forbid_signs(axis)
    return result


@rule(
    "scaled_dot_product_attention",
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_attention_math",
    "_scaled_dot_product_attention_math_for_mps",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_flash_attention",
)
def _attention(call: Call) -> Any:
    query, key, value = (call.axes(name) for name in ("query", "key", "value"))
    mask = call.get("attn_mask")
    if mask is None:
        mask = call.get("attn_bias")
    if call.get("is_causal"):
        fix(query[-2])
        fix(key[-2])
    heads = query[:-2]
    grouped = len(query) > 2 and key[-3].size not in (1, query[-3].size)
    if grouped:  # several heads of queries share one of keys
        inner = split(query[-3], [key[-3].size, query[-3].size // key[-3].size])
        names, _ = batch_letters([query[:-3], key[:-3], value[:-3]])
        left, keys, values = names[0] + "gr", names[1] + "g", names[2] + "g"
        query = (*query[:-3], *inner, *query[-2:])
    else:
        names, _ = batch_letters([query[:-2], key[:-2], value[:-2]])
        left, keys, values = names
    scores = contract([query, key], [left + "td", keys + "sd"], left + "ts")
    scores = _without_signs(scores)
    if isinstance(mask, Traced) and not grouped:
        scores = broadcast([scores, mask.axes], [axis.size for axis in scores])
    elif isinstance(mask, Traced):
        for axis in mask.axes:
            fix(axis)
        fix(scores[-1])
        fix(scores[-2])
    mix(scores, [len(scores) - 1])
    out = contract([scores, value], [left + "ts", values + "se"], left + "te")
    if grouped:
        out = (*heads[:-1], axis_of(out[-4], out[-3]), *out[-2:])
    if not isinstance(call.result, (tuple, list)):
        return out
    return [out, *(tuple(fixed(n) for n in each.shape) for each in call.result[1:])]


# Normalisation.


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
    _without_signs(axes)
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
    _without_signs(axes)
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
    _without_signs(axes)
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
    return _without_signs(axes)


@rule("_softmax", "softmax", "_log_softmax", "log_softmax", "_safe_softmax", "softmin")
def _softmax(call: Call) -> Any:
    axes = _first(call)
    mix(axes, [call.dim()])
    return _without_signs(axes)


# Along an axis.


def _dims(call: Call, rank: int) -> list[int]:
    dims = call.get("dim")
    if dims is None or dims == []:
        return list(range(rank))
    dims = [dims] if isinstance(dims, int) else list(dims)
    return [dim % max(rank, 1) for dim in dims]


def _reduced(call: Call, axes: Axes) -> Axes:
    dims = _dims(call, len(axes))
    mix(axes, dims)
    keep = bool(call.get("keepdim", False))
    out = [free(1) if i in dims else axis for i, axis in enumerate(axes) if keep or i not in dims]
    return tuple(out)


@rule("sum", "mean", "nansum", "nanmean")
def _mean(call: Call) -> Any:
    return _reduced(call, call.axes("self"))


@rule("amax", "amin", "var", "std", "norm", "linalg_vector_norm", "logsumexp", "prod", "any", "all")
def _statistic(call: Call) -> Any:
    axes = _without_signs(call.axes("self"))
    return _reduced(call, axes)


@rule("var_mean", "std_mean", "aminmax")
def _two_statistics(call: Call) -> Any:
    axes = _reduced(call, _without_signs(call.axes("self")))
    return [axes, axes]


@rule("max", "min", "median", "mode")
def _extreme(call: Call) -> Any:
    others = call.traced()
    if len(others) == 2:
        return _mixed(call)
    axes = _without_signs(call.axes("self"))
    if not isinstance(call.result, (tuple, list)):
        return _reduced(call, axes)
    if call.used(1):  # places along the axis
        fix(axes[call.dim()])
    out = _reduced(call, axes)
    return [out, out]


@rule("argmax", "argmin")
def _place(call: Call) -> Any:
    axes = _without_signs(call.axes("self"))
    dims = _dims(call, len(axes))
    for dim in dims:
        fix(axes[dim])
    return _reduced(call, axes)


@rule("cumsum", "cumprod", "flip", "roll", "tril", "triu", "logcumsumexp")
def _ordered(call: Call) -> Any:
    """What depends on the order of the entries."""
    axes = _first(call)
    if call.name in ("tril", "triu"):
        dims = [len(axes) - 2, len(axes) - 1]
    else:
        dims = (
            _dims(call, len(axes))
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
    axes = _first(call)
    spatial = _POOLS[call.name]
    mix(axes, range(len(axes) - spatial, len(axes)))
    for axis in axes[-spatial:]:
        fix(axis)
    if not call.name.startswith(("avg", "adaptive_avg", "_adaptive_avg", "upsample", "_upsample")):
        _without_signs(axes)
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


# Shapes.


@rule(
    "view", "reshape", "_unsafe_view", "_reshape_alias", "view_copy", "flatten", "unflatten",
    "_reshape_copy", "reshape_as", "view_as",
)  # fmt: skip
def _view(call: Call) -> Any:
    return reshape(_first(call), _shape(call))


@rule("permute", "permute_copy")
def _permute(call: Call) -> Any:
    axes = call.axes("self")
    return tuple(axes[dim] for dim in call["dims"])


@rule("transpose", "transpose_copy", "swapaxes", "swapdims")
def _transpose(call: Call) -> Any:
    axes = list(call.axes("self"))
    names = [name for name in call.arguments if name != "self"]
    one, other = (int(call[name]) % len(axes) for name in names[:2])
    axes[one], axes[other] = axes[other], axes[one]
    return tuple(axes)


@rule("movedim")
def _movedim(call: Call) -> Any:
    axes = call.axes("self")
    rank = len(axes)
    pick = [[d % rank for d in ([v] if isinstance(v, int) else v)] for v in
            (call["source"], call["destination"])]  # fmt: skip
    order = [i for i in range(rank) if i not in pick[0]]
    for to, source in sorted(zip(pick[1], pick[0], strict=True)):
        order.insert(to, source)
    return tuple(axes[i] for i in order)


@rule("t", "t_copy", "numpy_T", "mT")
def _t(call: Call) -> Any:
    axes = call.axes("self")
    return axes[:-2] + axes[-2:][::-1]


@rule("unsqueeze", "unsqueeze_copy")
def _unsqueeze(call: Call) -> Any:
    axes = list(call.axes("self"))
    axes.insert(call.dim(rank=len(axes) + 1), free(1))
    return tuple(axes)


@rule("squeeze", "squeeze_copy")
def _squeeze(call: Call) -> Any:
    axes = call.axes("self")
    dims = _dims(call, len(axes))
    return tuple(axis for i, axis in enumerate(axes) if not (i in dims and axis.size == 1))


@rule("expand", "expand_copy", "expand_as", "broadcast_to")
def _expand(call: Call) -> Any:
    axes, shape = _first(call), _shape(call)
    padded = [None] * (len(shape) - len(axes)) + list(axes)
    # Where all is the same along an axis, it may be permuted differently for every other index.
    over = tuple(unit for axis in axes for unit in leaves_of(axis) if not over_of(unit))
    return tuple(
        axis if axis is not None and axis.size == n else axis_of(Unit(n, over=over, odd=False))
        for axis, n in zip(padded, shape, strict=True)
    )


@rule("repeat", "tile")
def _repeat(call: Call) -> Any:
    axes = call.axes("self")
    counts = list(call.get("repeats") or call["dims"])
    counts = [1] * (len(axes) - len(counts)) + counts
    padded = [free(1)] * (len(counts) - len(axes)) + list(axes)
    return tuple(
        axis if count == 1 else axis_of(free(count, odd=False), axis)
        for axis, count in zip(padded, counts, strict=True)
    )


@rule("repeat_interleave")
def _repeat_interleave(call: Call) -> Any:
    axes = list(call.axes("self"))
    count, dim = call["repeats"], call.get("dim")
    if not isinstance(count, int) or dim is None:
        raise UnknownError
    axes[dim % len(axes)] = axis_of(axes[dim % len(axes)], free(count, odd=False))
    return tuple(axes)


@rule("slice", "slice_copy", "narrow", "narrow_copy")
def _slice(call: Call) -> Any:
    axes = call.axes("self")
    dim = call.dim()
    size = axes[dim].size
    begin = call.get("start") or 0
    end = call.get("end")
    if call.name.startswith("narrow"):
        end = begin + call["length"]
    end = size if end is None else min(end + size if end < 0 else end, size)
    begin = begin + size if begin < 0 else min(begin, size)
    if call.get("step", 1) != 1 or begin >= end:
        level_over([axis for i, axis in enumerate(axes) if i != dim], axes[dim])
        fix(axes[dim])
        out = list(axes)
        out[dim] = fixed(_shape(call)[dim])
        return tuple(out)
    return narrow(axes, dim, begin, end)


@rule("select", "select_copy")
def _select(call: Call) -> Any:
    axes = call.axes("self")
    dim = call.dim()
    return select(axes, dim, int(call["index"]) % axes[dim].size)


@rule("unbind", "unbind_copy")
def _unbind(call: Call) -> Any:
    axes = call.axes("self")
    dim = call.dim()
    for place in range(1, axes[dim].size):  # all borders first: then parts are found as they stay
        part(axes[dim], place, place + 1)
    return [select(axes, dim, place) for place in range(axes[dim].size)]


@rule("split", "split_with_sizes", "unsafe_split", "chunk", "split_copy", "unsafe_chunk",
      "unsafe_split_with_sizes", "split_with_sizes_copy", "tensor_split")  # fmt: skip
def _split(call: Call) -> Any:
    axes = call.axes("self")
    dim = call.dim()
    sizes = [each.shape[dim] for each in call.result]
    borders = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    for begin, end in itertools.pairwise(borders):
        part(axes[dim], begin, end)
    return [narrow(axes, dim, b, e) for b, e in itertools.pairwise(borders)]


@rule("cat", "concat", "concatenate")
def _cat(call: Call) -> Any:
    operands = _operands(call)
    return concatenate(operands, call.dim(rank=len(operands[0])))


@rule("stack")
def _stack(call: Call) -> Any:
    operands = _operands(call)
    return stack(operands, call.dim(rank=len(operands[0]) + 1))


@rule("slice_scatter")
def _slice_scatter(call: Call) -> Any:
    axes, source = call.axes("self"), call.axes("src")
    dim = call.dim()
    size = axes[dim].size
    begin, end = call.get("start") or 0, call.get("end")
    end = size if end is None else min(end + size if end < 0 else end, size)
    begin = begin + size if begin < 0 else begin
    if call.get("step", 1) != 1:
        raise UnknownError
    level_over([axis for i, axis in enumerate(axes) if i != dim], axes[dim])
    for one, other in zip(narrow(axes, dim, begin, end), source, strict=True):
        equate(one, other)
    return axes


@rule("select_scatter")
def _select_scatter(call: Call) -> Any:
    axes, source = call.axes("self"), call.axes("src")
    dim = call.dim()
    level_over([axis for i, axis in enumerate(axes) if i != dim], axes[dim])
    place = int(call["index"]) % axes[dim].size
    for one, other in zip(select(axes, dim, place), source, strict=True):
        equate(one, other)
    return axes


@rule("embedding")
def _embedding(call: Call) -> Any:
    weight, indices = call.axes("weight"), call.axes("indices")
    fix(weight[0])
    level_over([weight[1]], weight[0])
    return (*indices, weight[1])


@rule("index_select")
def _index_select(call: Call) -> Any:
    axes = list(call.axes("self"))
    dim = call.dim()
    mix(axes, [dim])
    fix(axes[dim])
    fix(call.axes("index")[0])
    axes[dim] = fixed(_shape(call)[dim])
    return tuple(axes)


@rule("index")
def _index(call: Call) -> Any:
    axes = call.axes("self")
    indices = list(call["indices"])
    places = [i for i, index in enumerate(indices) if index is not None]
    given = [indices[i] for i in places]
    if any(str(each.tensor.dtype) in ("torch.bool", "torch.uint8") for each in given):
        raise UnknownError
    mix(axes, places)
    for place in places:
        fix(axes[place])
    for each in given:
        for axis in each.axes:
            fix(axis)
    rank = max(each.tensor.dim() for each in given)
    adjacent = places == list(range(places[0], places[0] + len(places)))
    begin = places[0] if adjacent else 0
    new = tuple(fixed(n) for n in _shape(call)[begin : begin + rank])
    rest = [axis for i, axis in enumerate(axes) if i not in places]
    return (*rest[:begin], *new, *rest[begin:])


# Recurrent layers, which some graphs keep whole.


@rule("lstm", "gru", "rnn_tanh", "rnn_relu")
def _recurrent(call: Call) -> Any:
    if "input" not in call.arguments or call.get("batch_sizes") is not None:
        raise UnknownError  # packed sequences
    params = [each.axes for each in call["params"]]
    directions = 2 if call["bidirectional"] else 1
    layers = int(call["num_layers"])
    biases = bool(call["has_biases"])
    states = call["hx"] if isinstance(call["hx"], (list, tuple)) else [call["hx"]]
    axes = call.axes("input")
    projects = call.name == "lstm" and len(params) == layers * directions * (3 + 2 * biases)
    features = axes[-1]
    hidden: list[Axis] = []
    cells: list[Axis] = []
    for _ in range(layers):
        outs: list[Axis] = []
        for _ in range(directions):
            own = [params.pop(0) for _ in range(2 + 2 * biases + projects)]
            out, cell = _cell(call.name, features, own, biases, projects)
            outs.append(out)
            hidden.append(out)
            cells.append(cell)
        features = outs[0] if directions == 1 else Axis((*outs[0].terms, *outs[1].terms))
    for state, units in zip(states, (hidden, cells), strict=False):
        _meet(state, units)
    output = (*axes[:-1], features)
    fix(axes[1 if call["batch_first"] else 0])  # time has an order
    batch = axes[0 if call["batch_first"] else 1]
    results: list[Any] = [output]
    for place, units in zip(range(1, len(call.result)), (hidden, cells), strict=False):
        results.append(stack([(batch, each) for each in units], 0) if call.used(place) else
                       (fixed(len(units)), batch, fixed(units[0].size)))  # fmt: skip
    return results


def _cell(
    kind: str, features: Axis, own: Sequence[Axes], biases: bool, projects: bool
) -> tuple[Axis, Axis]:
    """Units of one layer in one direction: what leaves it, and what it remembers."""
    gates = {"lstm": 4, "gru": 3}.get(kind, 1)
    size = own[0][0].size // gates
    units = free(size)
    out = units
    stacked = (
        units
        if gates == 1
        else axis_of(Unit(gates, fixed=True, odd=False), *units.terms[0].factors)
    )
    if projects:
        out = own[-1][0]
        equate(own[-1][1], units)
    for axis in (own[0][0], own[1][0], *(each[0] for each in own[2:4] if biases)):
        equate(axis, stacked)
    equate(own[0][1], features)
    equate(own[1][1], out)
    if kind != "rnn_tanh":
        forbid_signs(units)
        forbid_signs(out)
    return out, units


def _meet(state: Traced, units: Sequence[Axis]) -> None:
    """A first state that is handed over moves as the units do; zeros move anyhow."""
    if state.constant and not bool(state.tensor.any()):
        return
    for layer, axis in enumerate(units):
        equate(select(state.axes, 0, layer)[-1], axis)


@rule("mkldnn_rnn_layer")
def _mkldnn_layer(call: Call) -> Any:
    kind = {2: "lstm", 3: "gru"}.get(int(call["mode"]))
    if kind is None:
        raise UnknownError
    axes = call.axes("input")
    own = [call.axes(f"weight{i}") for i in range(4 if call["has_biases"] else 2)]
    out, units = _cell(kind, axes[-1], own, bool(call["has_biases"]), False)
    for name, each in (("hx_", out), ("cx_", units)):
        state = call.get(name)
        if isinstance(state, Traced) and not (state.constant and not bool(state.tensor.any())):
            equate(state.axes[-1], each)
    fix(axes[0])
    fix(axes[1])
    results: list[Any] = [(axes[0], axes[1], out)]
    for each in call.result[1:]:
        shape = list(each.shape)
        known = len(shape) > 1 and shape[-1] == units.size
        results.append((*(fixed(n) for n in shape[:-1]), units if known else fixed(shape[-1])))
    return results
