"""Unknown permutations of the axes of tensors, and equations between them.

A *unit* stands for an axis, or a part of one, whose entries may be permuted in one common way
wherever the unit occurs. It starts out free. Operations put units equal, cut them into parts that
lie side by side, or divide them into an outer and an inner unit, as a reshape does. An inner unit
may move differently for every index of the outer one: it lies *over* it, as the dimensions of an
attention head lie over the heads. A unit that must not move is fixed.

Every step takes freedom away, never gives any: where these rules know no better they fix.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

_numbers = itertools.count()


@dataclass(eq=False)
class Unit:
    """One unknown permutation of `size` entries."""

    size: int
    over: tuple[Unit, ...] = ()  # may move differently for every index of these
    fixed: bool = False
    odd: bool = True  # whether its entries may be negated as well
    form: Axis | None = None  # what it consists of, once that is known
    same: Unit | None = None  # what it was found to be equal to
    members: dict[tuple[Unit, int], Axis] = field(default_factory=dict)  # within a part of `over`
    number: int = field(default_factory=_numbers.__next__)


@dataclass(frozen=True)
class Term:
    """The product of units, the outermost first."""

    factors: tuple[Unit | Axis, ...] = ()

    @property
    def size(self) -> int:
        return math.prod(factor.size for factor in self.factors)


@dataclass(frozen=True)
class Axis:
    """Terms that lie one behind the other."""

    terms: tuple[Term, ...]

    @property
    def size(self) -> int:
        return sum(term.size for term in self.terms)


#: A term and the way to it: which part was taken of every unit that consists of parts.
Piece = tuple[Term, tuple[tuple[Unit, int], ...]]


def axis_of(*factors: Unit | Axis) -> Axis:
    return Axis((Term(factors),))


def free(size: int, *, odd: bool = True) -> Axis:
    return axis_of(Unit(size, odd=odd))


def fixed(size: int) -> Axis:
    return axis_of(Unit(size, fixed=True, odd=False))


def find(unit: Unit) -> Unit:
    while unit.same is not None:
        unit = unit.same
    return unit


def pieces(axis: Axis) -> Iterator[Piece]:
    """The terms of an axis with all that is known of their units; size-1 factors left out."""
    for term in axis.terms:
        yield from _expand(list(term.factors), ())


def _expand(queue: list[Unit | Axis], path: tuple[tuple[Unit, int], ...]) -> Iterator[Piece]:
    out: list[Unit | Axis] = []
    while queue:
        factor = queue.pop(0)
        if factor.size == 1:
            continue
        unit = find(factor) if isinstance(factor, Unit) else None
        form = factor if isinstance(factor, Axis) else find(factor).form
        if form is None:
            out.append(unit or factor)
        elif len(form.terms) == 1:
            queue = [*form.terms[0].factors, *queue]
        elif out:
            out.append(unit or factor)  # a sum within a product stays one
        else:
            for index, term in enumerate(form.terms):
                rest = [_restricted(each, unit, index) if unit else each for each in queue]
                step = path if unit is None else (*path, (unit, index))
                yield from _expand([*term.factors, *rest], step)
            return
    yield Term(tuple(out)), path


def units_of(axis: Axis) -> Iterator[Unit]:
    """Every unit in an axis, also those that consist of others."""
    for term in axis.terms:
        for factor in term.factors:
            if isinstance(factor, Axis):
                yield from units_of(factor)
            elif factor.size > 1:
                unit = find(factor)
                yield unit
                if unit.form is not None:
                    yield from units_of(unit.form)


def leaves_of(axis: Axis) -> list[Unit]:
    """The units in an axis of which no more is known."""
    return [unit for unit in units_of(axis) if unit.form is None]


def over_of(unit: Unit) -> tuple[Unit, ...]:
    """What a unit lies over, as is known now."""
    found: list[Unit] = []
    for below in find(unit).over:
        root = find(below)
        form = root.form
        if form is not None and len(form.terms) == 1:
            parts = [find(f) for f in form.terms[0].factors if isinstance(f, Unit) and f.size > 1]
            parts = [each for part in parts for each in over_of_product(part)]
        else:
            parts = [root] if root.size > 1 else []
        found += [part for part in parts if part not in found]
    return tuple(found)


def over_of_product(unit: Unit) -> list[Unit]:
    form = unit.form
    if form is None or len(form.terms) > 1:
        return [unit]
    factors = (find(f) for f in form.terms[0].factors if isinstance(f, Unit) and f.size > 1)
    return [each for factor in factors for each in over_of_product(factor)]


def is_fixed(axis: Axis) -> bool:
    return all(
        isinstance(factor, Unit) and factor.fixed
        for term, _ in pieces(axis)
        for factor in term.factors
    )


def fix(axis: Axis) -> bool:
    """Lets nothing in an axis move any more; whether anything could have moved before."""
    changed = False
    for term in axis.terms:
        for factor in term.factors:
            changed = _fix_factor(factor) or changed
    return changed


def _fix_factor(factor: Unit | Axis) -> bool:
    if isinstance(factor, Axis):
        return fix(factor)
    unit = find(factor)
    if unit.fixed:
        return False
    unit.fixed = True
    unit.odd = False
    changed = unit.size > 1
    if unit.form is not None:
        fix(unit.form)
    for member in list(unit.members.values()):
        fix(member)
    return changed


def forbid_signs(axis: Axis) -> None:
    """The units of an axis may be permuted, but not negated."""
    for term in axis.terms:
        for factor in term.factors:
            if isinstance(factor, Axis):
                forbid_signs(factor)
                continue
            unit = find(factor)
            if unit.odd:
                unit.odd = False
                if unit.form is not None:
                    forbid_signs(unit.form)
                for member in list(unit.members.values()):
                    forbid_signs(member)


def member(unit: Unit, below: Unit, index: int) -> Axis:
    """What `unit` is within part `index` of `below`, which it lies over."""
    unit, below = find(unit), find(below)
    if unit.form is not None:
        return restricted(unit.form, below, index)
    if below not in over_of(unit):
        return axis_of(unit)
    if (below, index) not in unit.members:
        assert below.form is not None
        over = [f for f in below.form.terms[index].factors if isinstance(f, Unit)]
        for each in over_of(unit):
            if each is not below:
                over += leaves_of(member(each, below, index))
        new = Unit(unit.size, over=tuple(over), fixed=unit.fixed, odd=unit.odd)
        unit.members[below, index] = axis_of(new)
    return unit.members[below, index]


def restricted(axis: Axis, below: Unit, index: int) -> Axis:
    return Axis(
        tuple(
            Term(tuple(_restricted(factor, below, index) for factor in term.factors))
            for term in axis.terms
        )
    )


def _restricted(factor: Unit | Axis, below: Unit, index: int) -> Unit | Axis:
    if isinstance(factor, Axis):
        return restricted(factor, below, index)
    unit = find(factor)
    if unit.form is None and find(below) not in over_of(unit):
        return unit
    if unit.form is not None and not any(
        find(below) in over_of(each) for each in units_of(unit.form)
    ):
        return unit
    return member(unit, below, index)


def level(unit: Unit, below: Unit) -> None:
    """`unit` moves in the same way for every index of `below`."""
    unit, below = find(unit), find(below)
    if unit.form is not None:
        unit.over = tuple(each for each in over_of(unit) if each is not below)
        for each in list(units_of(unit.form)):
            if each is not below and each is not unit:
                level(each, below)
        return
    if below not in over_of(unit):
        return
    unit.over = tuple(each for each in over_of(unit) if each is not below)
    keys = [key for key in unit.members if find(key[0]) is below]
    for own in [unit.members.pop(key) for key in keys]:
        equate(own, axis_of(unit))


def _sync(unit: Unit) -> None:
    """What is known of a unit now holds for its members too."""
    assert unit.form is not None
    for (below, index), part in list(unit.members.items()):
        equate(part, restricted(unit.form, below, index))


def cut_unit(unit: Unit, sizes: Sequence[int]) -> None:
    """`unit`, of which no more is known, consists of parts of these sizes, side by side."""
    parts = [Unit(n, over=unit.over, fixed=unit.fixed, odd=unit.odd) for n in sizes]
    unit.form = Axis(tuple(Term((part,)) for part in parts))
    _sync(unit)


def divide_unit(unit: Unit, outer: int) -> None:
    """`unit`, of which no more is known, consists of `outer` blocks of equal size."""
    blocks = Unit(outer, over=unit.over, fixed=unit.fixed, odd=unit.odd)
    inside = Unit(unit.size // outer, over=(*unit.over, blocks), fixed=unit.fixed, odd=unit.odd)
    unit.form = axis_of(blocks, inside)
    _sync(unit)


def cut(axis: Axis, place: int) -> None:
    """Makes `place` a border between two pieces of an axis."""
    while True:
        begin = 0
        for term, _ in pieces(axis):
            if begin < place < begin + term.size:
                break
            begin += term.size
        else:
            return
        head = term.factors[0]
        if not isinstance(head, Unit):
            fix(axis)
            return
        block, rest = divmod(place - begin, term.size // head.size)
        sizes = [block, head.size - block] if rest == 0 else [block, 1, head.size - block - 1]
        cut_unit(head, [size for size in sizes if size > 0])


def part(axis: Axis, begin: int, end: int) -> tuple[Axis, tuple[tuple[Unit, int], ...] | None]:
    """Entries begin to end of an axis, and the way to them, or None if they span several parts."""
    cut(axis, begin)
    cut(axis, end)
    found: list[Piece] = []
    place = 0
    for piece in pieces(axis):
        if begin <= place < end:
            found.append(piece)
        place += piece[0].size
    taken = Axis(tuple(term for term, _ in found))
    if len(found) == 1:
        return taken, found[0][1]
    if begin == 0 and end == axis.size:
        return axis, ()
    return taken, None


def split(axis: Axis, sizes: Sequence[int]) -> list[Axis]:
    """An axis as several, of these sizes, the outermost first."""
    if len(sizes) == 1:
        return [axis]
    if is_fixed(axis):
        return [fixed(size) for size in sizes]
    outer, rest = sizes[0], sizes[1:]
    if outer == 1:
        return [fixed(1), *split(axis, rest)]
    if axis.size == outer:
        return [axis, *(fixed(1) for _ in rest)]
    found = list(pieces(axis))
    if len(found) > 1:
        head, inside = _as_product(axis, outer)
    else:
        head, inside = _split_term(found[0][0], outer)
        if head is None:
            fix(axis)
            return [fixed(size) for size in sizes]
    return [head, *split(inside, rest)]


def _split_term(term: Term, outer: int) -> tuple[Axis | None, Axis]:
    taken: list[Unit | Axis] = []
    factors = list(term.factors)
    while outer > 1:
        factor = factors.pop(0)
        if outer % factor.size == 0:
            taken.append(factor)
            outer //= factor.size
        elif factor.size % outer != 0:
            return None, Axis((term,))
        elif isinstance(factor, Axis) or factor.form is not None:
            head, inside = _as_product(axis_of(factor), outer)
            taken.append(head)
            factors.insert(0, inside)
            outer = 1
        else:
            divide_unit(factor, outer)
            assert factor.form is not None
            factors = [*factor.form.terms[0].factors, *factors]
    return axis_of(*taken), axis_of(*factors)


def _as_product(axis: Axis, outer: int) -> tuple[Axis, Axis]:
    """Parts of one size that lie side by side, as a unit of `outer` and one that lies over it."""
    size = axis.size // outer
    for index in range(1, outer):
        cut(axis, index * size)
    parts = []
    for index in range(outer):
        parts.append(part(axis, index * size, (index + 1) * size)[0])
    blocks = Unit(outer, fixed=True, odd=False)
    cut_unit(blocks, [1] * outer)
    over = [blocks]
    for each in parts:
        inner = {id(unit) for unit in units_of(each)}
        for unit in units_of(each):
            over += [o for o in over_of(unit) if id(o) not in inner and o not in over]
    inside = Unit(size, over=tuple(over), odd=True)
    for index, each in enumerate(parts):
        inside.members[blocks, index] = each
    if is_fixed(axis):
        inside.fixed = True
    return axis_of(blocks), axis_of(inside)


def equate(a: Axis, b: Axis) -> None:
    """Both axes move in the same way."""
    while True:
        if a.size != b.size:
            raise AssertionError(f"axes of {a.size} and {b.size} entries cannot be the same")
        one, two = _single(a), _single(b)
        if one is not None and two is not None:
            if one is two:
                return
            if one.form is None and two.form is None:
                _merge(one, two)
                return
            if (one.form is None) != (two.form is None):
                plain, other = (one, two) if one.form is None else (two, one)
                _absorb(plain, other)
                return
        left, right = list(pieces(a)), list(pieces(b))
        if [term for term, _ in left] == [term for term, _ in right]:
            return
        if len(left) == 1 and len(right) == 1:
            _equate_terms(left[0][0], right[0][0])
            return
        for plain, other in ((left, b), (right, a)):
            unit = _plain_unit(plain)
            if unit is not None:
                _assign(unit, other)
                return
        places = sorted({*_borders(left), *_borders(right)})
        for place in places:
            cut(a, place)
            cut(b, place)
        left, right = list(pieces(a)), list(pieces(b))
        if [term.size for term, _ in left] != [term.size for term, _ in right]:
            fix(a)
            fix(b)
            return
        for (one_term, _), (other_term, _) in zip(left, right, strict=True):
            equate(Axis((one_term,)), Axis((other_term,)))
        return


def _single(axis: Axis) -> Unit | None:
    factors = [f for term in axis.terms for f in term.factors if f.size > 1]
    if len(axis.terms) == 1 and len(factors) == 1 and isinstance(factors[0], Unit):
        return find(factors[0])
    return None


def _plain_unit(found: list[Piece]) -> Unit | None:
    if len(found) == 1 and len(found[0][0].factors) == 1:
        factor = found[0][0].factors[0]
        if isinstance(factor, Unit) and factor.form is None:
            return factor
    return None


def _borders(found: Iterable[Piece]) -> list[int]:
    return list(itertools.accumulate(term.size for term, _ in found))


def _equate_terms(a: Term, b: Term) -> None:
    if not a.factors or not b.factors:
        return
    for term, other in ((a, b), (b, a)):
        if len(term.factors) == 1:
            factor = term.factors[0]
            if isinstance(factor, Unit) and factor.form is None:
                if len(other.factors) > 1:
                    _assign(factor, Axis((other,)))
                else:
                    equate(Axis((term,)), Axis((other,)))
                return
    head, other_head = a.factors[0], b.factors[0]
    if head.size == other_head.size:
        equate(axis_of(head), axis_of(other_head))
        equate(axis_of(*a.factors[1:]), axis_of(*b.factors[1:]))
        return
    large, small = (head, other_head) if head.size > other_head.size else (other_head, head)
    if large.size % small.size == 0 and isinstance(large, Unit) and large.form is None:
        divide_unit(large, small.size)
        equate(Axis((a,)), Axis((b,)))
        return
    fix(Axis((a,)))
    fix(Axis((b,)))


def _merge(a: Unit, b: Unit) -> None:
    """Two units of which no more is known are one."""
    shared = [each for each in over_of(a) if each in over_of(b)]
    for unit in (a, b):
        for below in over_of(unit):
            if below not in shared:
                level(unit, below)
    a, b = find(a), find(b)
    if a is b:
        return
    if a.form is not None or b.form is not None:
        equate(axis_of(a), axis_of(b))
        return
    if a.number > b.number:
        a, b = b, a
    b.same = a
    a.over = tuple(shared)
    held, b.members = b.members, {}
    odd, is_fixed_now = a.odd and b.odd, a.fixed or b.fixed
    a.odd = b.odd = True
    if not odd:
        forbid_signs(axis_of(a))
    for key, other in held.items():
        own = a.members.setdefault(key, other)
        if own is not other:
            equate(own, other)
    if not odd:
        a.odd = True
        forbid_signs(axis_of(a))
    a.fixed = False
    if is_fixed_now:
        _fix_factor(a)


def _absorb(plain: Unit, other: Unit) -> None:
    """`plain` is the same as a unit that consists of others."""
    for below in over_of(plain):
        if below not in over_of(other):
            level(plain, below)
    _assign(plain, axis_of(other), link=other)


def _assign(unit: Unit, axis: Axis, link: Unit | None = None) -> None:
    """A unit of which no more is known consists of what is on an axis."""
    inside = {id(each) for each in units_of(axis)}
    if id(unit) in inside:  # it would contain itself
        fix(axis)
        _fix_factor(unit)
        return
    mine = over_of(unit)
    for each in list(units_of(axis)):
        for below in over_of(each):
            if id(below) not in inside and below not in mine:
                level(each, below)
    unit = find(unit)
    if unit.form is not None:
        equate(axis_of(unit), axis)
        return
    held, unit.members = unit.members, {}
    was_fixed, was_odd = unit.fixed, unit.odd
    if link is not None:
        unit.same = find(link)
    else:
        unit.form = axis
    for (below, index), own in held.items():
        equate(own, restricted(axis, find(below), index))
    if was_fixed:
        fix(axis)
    if not was_odd:
        forbid_signs(axis)


def settle(axes: Sequence[Axis]) -> None:
    """In a tensor, a unit may lie over another only where that is to be found without doubt."""
    present = [list(dict.fromkeys(units_of(axis))) for axis in axes]
    for place, axis in enumerate(axes):
        for unit in list(dict.fromkeys(units_of(axis))):
            for below in over_of(unit):
                if below in present[place]:
                    continue
                if sum(below in units for units in present) != 1:
                    level(unit, below)


def level_over(axes: Iterable[Axis], below: Axis) -> None:
    """No unit of `axes` lies over one of `below`, along which an operation mixes entries."""
    bases = list(dict.fromkeys(units_of(below)))
    for axis in axes:
        for unit in list(dict.fromkeys(units_of(axis))):
            for base in bases:
                if base in over_of(unit):
                    level(unit, base)


def lowest_first(rows: Sequence[Sequence[Axis]]) -> Iterator[Sequence[Axis]]:
    """Rows of axes, those first over whose units others lie: they are to be equated first."""
    left = list(rows)
    while left:
        below = [{unit for axis in row for unit in units_of(axis)} for row in left]
        over = [{o for units in each for o in over_of(units)} for each in below]
        chosen = 0
        for place in range(len(left)):
            others = (below[i] for i in range(len(left)) if i != place)
            if not any(over[place] & units for units in others):
                chosen = place
                break
        yield left.pop(chosen)
