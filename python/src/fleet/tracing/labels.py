"""Tensors of a graph with the axes by which they move, and what operations are built from."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from fleet.tracing.units import (
    Axis,
    Unit,
    axis_of,
    cut_unit,
    equate,
    find,
    fixed,
    forbid_signs,
    free,
    level_over,
    lowest_first,
    over_of,
    part,
    pieces,
    restricted,
    settle,
    split,
    units_of,
)

Axes = tuple[Axis, ...]


@dataclass(eq=False)
class Traced:
    """A tensor as it came out for the example input, and how its axes move."""

    tensor: torch.Tensor
    axes: Axes
    constant: bool = False  # depends on neither inputs nor weights

    def __post_init__(self) -> None:
        sizes = [axis.size for axis in self.axes]
        if sizes != list(self.tensor.shape):
            raise AssertionError(f"axes of {sizes} for a tensor of {list(self.tensor.shape)}")


def axes_by_value(tensor: torch.Tensor) -> Axes:
    """Those of a constant: along an axis on which all entries are the same they may be permuted."""
    axes = []
    zero = not bool(tensor.any()) if tensor.numel() else True
    for dim, size in enumerate(tensor.shape):
        same = size == 0 or bool((tensor == tensor.narrow(dim, 0, 1)).all())
        axes.append(free(size, odd=zero) if same else fixed(size))
    return tuple(axes)


def constant(tensor: torch.Tensor) -> Traced:
    return Traced(tensor, axes_by_value(tensor), constant=True)


class UnknownError(Exception):
    """There is no rule for an operation, or for one called like this."""


@dataclass(frozen=True)
class Call:
    """One operation: its arguments by name, tensors among them traced, and what came out."""

    name: str
    arguments: Mapping[str, Any]
    result: Any
    used: Callable[[int], bool]  # whether the graph goes on with the result of this place

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def get(self, name: str, otherwise: Any = None) -> Any:
        return self.arguments.get(name, otherwise)

    def axes(self, name: str) -> Axes:
        value = self.arguments[name]
        if not isinstance(value, Traced):
            raise UnknownError
        return value.axes

    def dim(self, name: str = "dim", rank: int | None = None) -> int:
        value = int(self.arguments[name])
        if rank is None:
            rank = len(self.axes(next(iter(self.arguments))))
        return value % max(rank, 1)

    def traced(self) -> list[Traced]:
        return list(traced_in(self.arguments.values()))


def traced_in(values: Iterable[Any]) -> Iterable[Traced]:
    for value in values:
        if isinstance(value, Traced):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from traced_in(value)


def broadcast(operands: Sequence[Axes], shape: Sequence[int]) -> Axes:
    """Axes of what is computed entry by entry: those of all operands move alike."""
    rank = len(shape)
    rows: list[list[Axis]] = [[] for _ in range(rank)]
    for axes in operands:
        for back, axis in enumerate(reversed(axes), 1):
            if axis.size == shape[rank - back] and axis.size > 1:
                rows[rank - back].append(axis)
    for row in lowest_first(rows):
        for other in row[1:]:
            equate(row[0], other)
    out = tuple(row[0] if row else free(n) for row, n in zip(rows, shape, strict=True))
    settle(out)
    return out


def lacking(operands: Sequence[Axes], shape: Sequence[int]) -> list[bool]:
    """Per axis, whether some operand has only one entry, or none, along it."""
    rank = len(shape)
    sizes = [[1] * (rank - len(axes)) + [axis.size for axis in axes] for axes in operands]
    return [any(row[i] != n for row in sizes) for i, n in enumerate(shape)]


def mix(axes: Sequence[Axis], places: Iterable[int]) -> None:
    """An operation mixes all entries along these axes, whatever their order."""
    places = set(places)
    for place in places:
        level_over([axis for i, axis in enumerate(axes) if i != place], axes[place])
        forbid_signs(axes[place])


def contract(operands: Sequence[Axes], letters: Sequence[str], out: str) -> Axes:
    """Sums of products, as einsum writes them: letters name the axes of each operand."""
    axes: dict[str, Axis] = {}
    found: dict[str, set[int]] = {}
    pairs: list[tuple[Axis, Axis]] = []
    for number, (operand, names) in enumerate(zip(operands, letters, strict=True)):
        for axis, name in zip(operand, names, strict=True):
            if name in axes:
                pairs.append((axes[name], axis))
            axes.setdefault(name, axis)
            found.setdefault(name, set()).add(number)
    for one, other in lowest_first(pairs):
        equate(one, other)
    for name, axis in axes.items():
        if name in out:
            if len(found[name]) > 1:
                forbid_signs(axis)
            continue
        if len(found[name]) == 1:
            forbid_signs(axis)
        for other, other_axis in axes.items():
            if other != name and found[other] & found[name] and not found[name] <= found[other]:
                level_over([axis], other_axis)
        level_over([axes[other] for other in out], axis)
    result = tuple(axes[name] for name in out)
    settle(result)
    return result


def batch_letters(batches: Sequence[Axes]) -> tuple[list[str], str]:
    """Letters for axes that are broadcast against each other, per operand and for the outcome."""
    rank = max(len(batch) for batch in batches)
    names = [""] * len(batches)
    out = ""
    for back in range(rank, 0, -1):
        letter = chr(ord("A") + rank - back)
        sizes = [batch[-back].size if back <= len(batch) else 0 for batch in batches]
        out += letter
        for number, size in enumerate(sizes):
            if size:  # one entry against many has a letter of its own
                single = size == 1 and max(sizes) > 1
                names[number] += chr(0x100 + 16 * number + rank - back) if single else letter
    return names, out


def matrix_product(a: Axes, b: Axes) -> Axes:
    """torch.matmul()."""
    batches, out = batch_letters([a[:-2], b[:-2]])
    rows = "m" if len(a) > 1 else ""
    columns = "n" if len(b) > 1 else ""
    return contract(
        [a, b], [batches[0] + rows + "k", batches[1] + "k" + columns], out + rows + columns
    )


def select(axes: Axes, dim: int, index: int) -> Axes:
    _, path = part(axes[dim], index, index + 1)
    rest = [axis for i, axis in enumerate(axes) if i != dim]
    return tuple(_along(axis, path or ()) for axis in rest)


def narrow(axes: Axes, dim: int, begin: int, end: int) -> Axes:
    if begin == 0 and end == axes[dim].size:
        return axes
    taken, path = part(axes[dim], begin, end)
    if path is None:
        level_over([axis for i, axis in enumerate(axes) if i != dim], axes[dim])
    return tuple(taken if i == dim else _along(axis, path or ()) for i, axis in enumerate(axes))


def _along(axis: Axis, path: Iterable[tuple[Unit, int]]) -> Axis:
    for unit, index in path:
        axis = restricted(axis, unit, index)
    return axis


def reshape(axes: Axes, shape: Sequence[int]) -> Axes:
    """The same entries in the same order, with other axes."""
    out: list[Axis] = []
    left = [axis for axis in axes if axis.size != 1]
    right = [size for size in shape if size != 1]
    groups: list[Axis] = []
    while left or right:
        taken, sizes = [left.pop(0)], [right.pop(0)]
        have, want = taken[0].size, sizes[0]
        while have != want:
            if have < want:
                taken.append(left.pop(0))
                have *= taken[-1].size
            else:
                sizes.append(right.pop(0))
                want *= sizes[-1]
        whole = taken[0] if len(taken) == 1 else axis_of(*taken)
        groups += split(whole, sizes)
    for size in shape:
        out.append(free(1) if size == 1 else groups.pop(0))
    return tuple(out)


def stack(operands: Sequence[Axes], dim: int) -> Axes:
    """The operands one behind the other along a new axis; each may move in its own way."""
    count = len(operands)
    if count == 1:
        return (*operands[0][:dim], free(1), *operands[0][dim:])
    blocks = Unit(count, fixed=True, odd=False)
    cut_unit(blocks, [1] * count)
    axes = [family(blocks, row) for row in zip(*operands, strict=True)]
    axes.insert(dim, axis_of(blocks))
    settle(axes)
    return tuple(axes)


def family(blocks: Unit, axes: Sequence[Axis]) -> Axis:
    """One axis that is axes[i] in part i of `blocks`."""
    roots = [{find(unit) for unit in units_of(axis)} for axis in axes]
    known = [[term for term, _ in pieces(axis)] for axis in axes]
    if all(each == known[0] for each in known):
        return axes[0]
    over = [blocks]
    for inner in roots:
        for unit in inner:
            over += [o for o in over_of(unit) if o not in inner and o not in over]
    unit = Unit(axes[0].size, over=tuple(over))
    for index, axis in enumerate(axes):
        unit.members[blocks, index] = axis
    return axis_of(unit)


def concatenate(operands: Sequence[Axes], dim: int) -> Axes:
    operands = [axes for axes in operands if axes[dim].size > 0] or list(operands[:1])
    for first, *others in itertools.islice(zip(*operands, strict=True), 0, None):
        if first is operands[0][dim]:
            continue
        for other in others:
            equate(first, other)
    terms = tuple(term for axes in operands for term in axes[dim].terms)
    out = tuple(Axis(terms) if i == dim else axis for i, axis in enumerate(operands[0]))
    settle(out)
    return out
