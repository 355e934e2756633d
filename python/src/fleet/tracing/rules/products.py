"""Operations that sum products: matrices, convolutions, attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleet.tracing.labels import (
    Axes,
    Call,
    Traced,
    UnknownError,
    batch_letters,
    broadcast,
    contract,
    lacking,
    matrix_product,
    mix,
)
from fleet.tracing.rules.table import operands_of, rule, shape_of, without_signs
from fleet.tracing.units import axis_of, equate, fix, fixed, forbid_signs, split


@rule("mm", "bmm", "matmul", "mv", "dot")
def _matmul(call: Call) -> Any:
    one, other = operands_of(call)
    return matrix_product(one, other)


@rule("addmm", "addmv", "addbmm_", "baddbmm")
def _addmm(call: Call) -> Any:
    bias, one, other = operands_of(call)
    return _with_bias(matrix_product(one, other), bias, shape_of(call))


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
    return out if bias is None else _with_bias(out, bias.axes, shape_of(call))


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
    shape = shape_of(call)
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
    scores = without_signs(scores)
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
