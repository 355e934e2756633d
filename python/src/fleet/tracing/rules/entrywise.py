"""Operations entry by entry."""

from __future__ import annotations

from typing import Any

from fleet.tracing.labels import Call, broadcast, lacking, narrow
from fleet.tracing.rules.table import first, operands_of, rule, shape_of, without_signs
from fleet.tracing.units import equate, forbid_signs

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
    axes = first(call)
    return [axes, axes] if isinstance(call.result, (tuple, list)) else axes


@rule(*_ODD.split())
def _odd(call: Call) -> Any:
    return first(call)


@rule(*_UNEVEN.split())
def _uneven(call: Call) -> Any:
    axes = broadcast(
        operands_of(call),
        call.result[0].shape if isinstance(call.result, tuple) else shape_of(call),
    )
    for axis in axes:
        forbid_signs(axis)
    return [axes, axes] if isinstance(call.result, (tuple, list)) else axes


@rule(*_SUMS.split())
def _sum(call: Call) -> Any:
    operands = operands_of(call)
    axes = broadcast(operands, shape_of(call))
    scalar = len(operands) == 1
    for axis, lacks in zip(axes, lacking(operands, shape_of(call)), strict=True):
        if lacks or scalar:
            forbid_signs(axis)
    return axes


@rule(*_PRODUCTS.split())
def _product(call: Call) -> Any:
    operands = operands_of(call)
    axes = broadcast(operands, shape_of(call))
    if call.get("rounding_mode") is not None:
        return without_signs(axes)
    for place, axis in enumerate(axes):
        back = place - len(axes)
        if sum(len(each) >= -back and each[back].size > 1 for each in operands) > 1:
            forbid_signs(axis)
    return axes


@rule(*_MIXED.split())
def mixed(call: Call) -> Any:
    return without_signs(broadcast(operands_of(call), shape_of(call)))


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
    return first(call)


@rule("prelu", "_prelu_kernel")
def _prelu(call: Call) -> Any:
    axes, weight = call.axes("self"), call.axes("weight")
    if len(weight) == 1 and weight[0].size > 1 and len(axes) > 1:
        equate(axes[1], weight[0])
    elif len(weight) > 1:
        axes = broadcast([axes, weight], [axis.size for axis in axes])
    return without_signs(axes)


@rule("glu")
def _glu(call: Call) -> Any:
    axes = call.axes("self")
    dim = call.dim()
    half = axes[dim].size // 2
    one, other = narrow(axes, dim, 0, half), narrow(axes, dim, half, 2 * half)
    return without_signs(broadcast([one, other], [axis.size for axis in one]))
