"""The table of rules, and what many of them need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleet.tracing.labels import Axes, Call, UnknownError
from fleet.tracing.units import forbid_signs

#: Axes of the result, or of each result.
Rule = Callable[[Call], Any]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


def shape_of(call: Call) -> list[int]:
    return list(call.result.shape)


def first(call: Call) -> Axes:
    found = call.traced()
    if not found:
        raise UnknownError
    return found[0].axes


def operands_of(call: Call) -> list[Axes]:
    return [traced.axes for traced in call.traced()]


def without_signs(axes: Axes) -> Axes:
    for axis in axes:
        forbid_signs(axis)
    return axes


def dims_of(call: Call, rank: int) -> list[int]:
    dims = call.get("dim")
    if dims is None or dims == []:
        return list(range(rank))
    dims = [dims] if isinstance(dims, int) else list(dims)
    return [dim % max(rank, 1) for dim in dims]
