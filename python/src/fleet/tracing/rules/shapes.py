"""Operations that move entries about."""

from __future__ import annotations

import itertools
from typing import Any

from fleet.tracing.labels import (
    Call,
    UnknownError,
    concatenate,
    mix,
    narrow,
    reshape,
    select,
    stack,
)
from fleet.tracing.rules.table import dims_of, first, operands_of, rule, shape_of
from fleet.tracing.units import (
    Unit,
    axis_of,
    equate,
    fix,
    fixed,
    free,
    leaves_of,
    level_over,
    over_of,
    part,
)


@rule(
    "view", "reshape", "_unsafe_view", "_reshape_alias", "view_copy", "flatten", "unflatten",
    "_reshape_copy", "reshape_as", "view_as",
)  # fmt: skip
def _view(call: Call) -> Any:
    return reshape(first(call), shape_of(call))


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
    dims = dims_of(call, len(axes))
    return tuple(axis for i, axis in enumerate(axes) if not (i in dims and axis.size == 1))


@rule("expand", "expand_copy", "expand_as", "broadcast_to")
def _expand(call: Call) -> Any:
    axes, shape = first(call), shape_of(call)
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
        out[dim] = fixed(shape_of(call)[dim])
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
    operands = operands_of(call)
    return concatenate(operands, call.dim(rank=len(operands[0])))


@rule("stack")
def _stack(call: Call) -> Any:
    operands = operands_of(call)
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
    axes[dim] = fixed(shape_of(call)[dim])
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
    new = tuple(fixed(n) for n in shape_of(call)[begin : begin + rank])
    rest = [axis for i, axis in enumerate(axes) if i not in places]
    return (*rest[:begin], *new, *rest[begin:])
