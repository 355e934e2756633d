"""What is left free of the axes of weights, as groups of units and their actions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fleet.spec import Action, Group
from fleet.tracing.labels import Axes
from fleet.tracing.units import (
    Axis,
    Unit,
    axis_of,
    cut_unit,
    find,
    level,
    over_of,
    pieces,
    units_of,
)


def groups_of(
    weights: Mapping[str, Axes], sign_flips: bool
) -> tuple[tuple[Group, ...], tuple[Action, ...]]:
    """Groups and actions of these weights; units within blocks stand before their blocks."""
    _make_expressible(weights)
    writer = _Writer()
    for name, axes in weights.items():
        for place, axis in enumerate(axes):
            writer.write(name, place, axis)
    return writer.finish(sign_flips)


def _make_expressible(weights: Mapping[str, Axes]) -> None:
    """A unit may lie over one that is before it on the same axis, and itself lies over none."""
    changed = True
    while changed:
        changed = False
        for axes in weights.values():
            for axis in axes:
                for unit, before in _with_before(axis):
                    if unit.form is not None:
                        continue
                    moving = [o for o in over_of(unit) if not o.fixed]
                    for below in over_of(unit):
                        nested = any(not each.fixed for each in over_of(below))
                        if below not in before or (
                            not below.fixed and (nested or below is not moving[0])
                        ):
                            level(unit, below)
                            changed = True
                            break
                    if changed:
                        break
                _cut_fixed(axis)


def _with_before(axis: Axis) -> Iterator[tuple[Unit, list[Unit]]]:
    for term, _ in pieces(axis):
        before: list[Unit] = []
        for factor in term.factors:
            inside = list(units_of(axis_of(factor)))
            for unit in inside:
                yield unit, [*before, *(each for each in inside if each is not unit)]
            before += inside


def _cut_fixed(axis: Axis) -> None:
    """What may move differently in every part of a fixed unit is written part by part."""
    for unit in list(units_of(axis)):
        for below in over_of(unit):
            if below.fixed and below.form is None:
                cut_unit(below, [1] * below.size)


@dataclass
class _Block:
    """Units within one block of another unit."""

    parent: Unit
    index: int


@dataclass
class _Writer:
    actions: list[tuple[Unit, _Block | None, Action]] = field(default_factory=list)

    def write(self, tensor: str, place: int, axis: Axis) -> None:
        self._axis(tensor, place, axis, 0, None)

    def _axis(self, tensor: str, place: int, axis: Axis, offset: int, block: _Block | None) -> None:
        for term, _ in pieces(axis):
            self._product(tensor, place, list(term.factors), offset, 1, block)
            offset += term.size

    def _product(
        self,
        tensor: str,
        place: int,
        factors: Sequence[Unit | Axis],
        offset: int,
        outer: int,
        block: _Block | None,
    ) -> None:
        """`factors`, repeated `outer` times from `offset` on."""
        if not factors:
            return
        head, rest = factors[0], factors[1:]
        inner = 1
        for factor in rest:
            inner *= factor.size
        plain = isinstance(head, Unit) and find(head).form is None
        below = [u for f in rest for u in units_of(axis_of(f)) if plain and head in over_of(u)]
        if plain:
            assert isinstance(head, Unit)
            head = find(head)
            if not head.fixed:
                action = Action(tensor, place, "", outer=outer, inner=inner, offset=offset)
                self.actions.append((head, block, action))
            if not below and all(isinstance(f, Unit) and find(f).form is None for f in rest):
                self._product(tensor, place, rest, offset, outer * head.size, block)
                return
        for repeat in range(outer):
            begin = offset + repeat * head.size * inner
            if not plain:
                for term, _ in pieces(axis_of(head, *rest)):
                    self._product(tensor, place, list(term.factors), begin, 1, block)
                    begin += term.size
                continue
            assert isinstance(head, Unit)
            for index in range(head.size):
                inside = _Block(head, index) if below and not head.fixed else block
                self._axis(tensor, place, axis_of(*rest), begin, inside)
                begin += inner

    def finish(self, sign_flips: bool) -> tuple[tuple[Group, ...], tuple[Action, ...]]:
        names = _Names()
        order: dict[tuple[Unit, int | None], Group] = {}
        inside: dict[Unit, list[tuple[Unit, int]]] = {}
        tops: list[Unit] = []
        for unit, block, action in self.actions:
            names.suggest(unit, action)
            if block is None or block.parent not in over_of(unit):
                if unit not in tops:
                    tops.append(unit)
            elif (unit, block.index) not in inside.setdefault(block.parent, []):
                inside[block.parent].append((unit, block.index))
        for top in tops:
            held = inside.get(top, [])
            for unit, index in sorted(held, key=lambda each: each[1]):
                order[unit, index] = Group(
                    f"{names[unit]}.{index}", unit.size, parent=names[top], block=index
                )
            kind = "signed" if sign_flips and top.odd and not held else "permutation"
            order[top, None] = Group(names[top], top.size, kind)
        ranks = {key: rank for rank, key in enumerate(order)}
        actions: dict[Action, int] = {}
        for unit, block, action in self.actions:
            within = block is not None and block.parent in over_of(unit)
            key = (unit, block.index if within and block else None)
            named = Action(**{**vars(action), "group": order[key].name})
            actions.setdefault(named, ranks[key])
        by_tensor = {name: i for i, name in enumerate(dict.fromkeys(a.tensor for a in actions))}
        ordered = sorted(actions, key=lambda a: (by_tensor[a.tensor], a.axis, actions[a]))
        return tuple(order.values()), tuple(ordered)


class _Names:
    """Groups are named after the layer that computes their units."""

    def __init__(self) -> None:
        self._names: dict[Unit, str] = {}
        self._ranks: dict[Unit, int] = {}
        self._taken: set[str] = set()

    def suggest(self, unit: Unit, action: Action) -> None:
        rank = 0 if action.axis == 0 and action.tensor.rsplit(".", 1)[-1] != "bias" else 1
        if rank >= self._ranks.get(unit, 2):
            return
        name = action.tensor.rsplit(".", 1)[0] if "." in action.tensor else action.tensor
        number = 1
        unique = name
        self._taken.discard(self._names.get(unit, ""))
        while unique in self._taken:
            number += 1
            unique = f"{name}:{number}"
        self._taken.add(unique)
        self._names[unit], self._ranks[unit] = unique, rank

    def __getitem__(self, unit: Unit) -> str:
        return self._names[unit]
