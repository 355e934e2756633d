"""Goes through a graph with the example input, and through its axes with the rules."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx import GraphModule, Interpreter, Node

from fleet.tracing.graph import Constant, Graph
from fleet.tracing.labels import Axes, Call, Traced, UnknownError, constant, traced_in
from fleet.tracing.rules import RULES
from fleet.tracing.units import Unit, find, fix, fixed, free, units_of

#: Make tensors that nobody has written to.
_EMPTY = (
    "empty",
    "empty_like",
    "empty_strided",
    "new_empty",
    "empty_permuted",
    "new_empty_strided",
)
#: Take the shape of another tensor, and nothing else of it.
_LIKE = ("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")
#: Run a graph within the graph.
_WRAPPERS = ("wrap_with_set_grad_enabled", "wrap_with_autocast")


@dataclass(frozen=True)
class Stop:
    """Where the trace lost sight: an operation without a rule, and the units that it fixes."""

    operation: str
    place: str  # in the user's code, where that is known
    units: frozenset[Unit]


@dataclass
class Outcome:
    """Axes of the weights, and of which the outputs are made."""

    weights: dict[str, Traced] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    stops: list[Stop] = field(default_factory=list)


def run(graph: Graph) -> Outcome:
    """Axes of all weights; those of inputs and outputs are fixed."""
    outcome = Outcome()
    values = [_value_of(name, value, outcome) for name, value in graph.placeholders]
    with torch.no_grad():
        outputs = _AxisInterpreter(graph.module, values, outcome).run()
    for traced in traced_in([outputs]):
        for axis in traced.axes:
            fix(axis)
    return outcome


def _value_of(name: str, value: Any, outcome: Outcome) -> Any:
    if isinstance(value, Constant):
        value = value.tensor
        return constant(value) if isinstance(value, torch.Tensor) else value
    if not isinstance(value, torch.Tensor):
        return value
    if not name:
        return Traced(value.detach().clone(), tuple(fixed(n) for n in value.shape))
    for known in outcome.weights.values():  # tied: one tensor under two names
        if _is_same(known.tensor, value):
            outcome.weights[name] = known
            return known
    outcome.weights[name] = Traced(value.detach(), tuple(free(n) for n in value.shape))
    return outcome.weights[name]


def _is_same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.numel() > 0 and one.data_ptr() == other.data_ptr() and one.shape == other.shape


class _AxisInterpreter(Interpreter):
    def __init__(self, module: GraphModule, values: Iterable[Any], outcome: Outcome) -> None:
        super().__init__(module)
        self._given = iter(values)
        self._outcome = outcome
        self._seen: list[Traced] = []

    def run_node(self, n: Node) -> Any:
        if n.op == "placeholder":
            value = next(self._given)
            if n.users and isinstance(value, Traced):
                self._note_use(value)
        elif n.op == "get_attr":
            value = self._attribute(str(n.target))
        elif n.op == "output":
            ((value,), _) = self.fetch_args_kwargs_from_env(n)
        else:
            args, kwargs = self.fetch_args_kwargs_from_env(n)
            value = self._call(n, args, kwargs)
        self._seen += traced_in([value])
        return value

    def _note_use(self, value: Traced) -> None:
        weights = self._outcome.weights.items()
        self._outcome.used.update(name for name, held in weights if held is value)

    def _attribute(self, name: str) -> Any:
        """A constant, a graph, or a weight that the module has got at past its parameters."""
        value = self.fetch_attr(name)
        if not isinstance(value, torch.Tensor):
            return value
        for known in self._outcome.weights.values():
            if _is_same(known.tensor, value):
                self._note_use(known)
                return known
        return constant(value.detach())

    def _call(self, node: Node, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if node.target is operator.getitem:
            return args[0][args[1]]
        target: Any = node.target
        name = str(getattr(target, "__name__", target)).split(".")[0]
        if name in _WRAPPERS:
            place = next(i for i, each in enumerate(args) if isinstance(each, GraphModule))
            return _AxisInterpreter(args[place], args[place + 1 :], self._outcome).run()
        result = target(*_plain(args), **_plain(kwargs))
        if not any(isinstance(each, torch.Tensor) for each in _leaves(result)):
            return result
        if not isinstance(target, torch._ops.OpOverload):
            return self._stop(node, str(target), list(traced_in([args, *kwargs.values()])), result)
        return self._aten(node, target, args, kwargs, result)

    def _aten(
        self, node: Node, target: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any
    ) -> Any:
        schema = target._schema
        name = schema.name.split("::")[1]
        writes = schema.arguments and schema.arguments[0].alias_info is not None
        writes = bool(writes and schema.arguments[0].alias_info.is_write)
        operands = list(traced_in([args, list(kwargs.values())]))
        if name in _EMPTY:
            return Traced(result, tuple(free(n) for n in result.shape), constant=True)
        if all(each.constant for each in operands) or name in _LIKE:
            if "rand" in name or "bernoulli" in name or "normal" in name:
                return _traced(result, lambda tensor: tuple(fixed(n) for n in tensor.shape))
            if not writes and not _is_view(result, operands):
                return _traced(result, None)
        arguments = dict(zip((each.name for each in schema.arguments), args, strict=False))
        arguments.update(kwargs)
        for each in schema.arguments:
            if each.has_default_value():
                arguments.setdefault(each.name, each.default_value)
        view = _is_view(result, operands)  # what is written to it is written to what it shows
        if not writes and not view:
            arguments = {key: _fresh(value) for key, value in arguments.items()}
        call = Call(name.rstrip("_") if writes else name, arguments, result, _use_of(node))
        rule = RULES.get(call.name)
        try:
            if rule is None:
                raise UnknownError
            axes = rule(call)
        except UnknownError:
            return self._stop(node, f"aten.{name}", operands, result)
        if writes:
            return self._written(operands[0], axes, result)
        still = view and all(each.constant for each in operands)
        if isinstance(result, torch.Tensor):
            return Traced(result, axes, constant=still)
        return [
            None if tensor is None else Traced(tensor, each, constant=still)
            for tensor, each in zip(result, axes, strict=True)
        ]

    def _written(self, target: Traced, axes: Axes, result: torch.Tensor) -> Traced:
        """An operation in place: whoever shares the memory is no constant any more."""
        where = _storage(result)
        for each in self._seen:
            if each.constant and _storage(each.tensor) == where:
                each.constant = False
        target.tensor, target.axes, target.constant = result, axes, False
        return target

    def _stop(self, node: Node, operation: str, operands: list[Traced], result: Any) -> Any:
        moving = {find(unit) for each in operands for axis in each.axes for unit in units_of(axis)
                  if not each.constant and not find(unit).fixed}  # fmt: skip
        for each in operands:
            for axis in each.axes:
                fix(axis)
        if moving:
            self._outcome.stops.append(Stop(operation, _place_of(node), frozenset(moving)))
        return _traced(result, lambda tensor: tuple(fixed(n) for n in tensor.shape))


def _fresh(value: Any) -> Any:
    """A constant may move in another way wherever it is used."""
    if isinstance(value, Traced):
        return constant(value.tensor) if value.constant else value
    if isinstance(value, (list, tuple)):
        return [_fresh(each) for each in value]
    return value


def _traced(result: Any, axes: Any) -> Any:
    if isinstance(result, torch.Tensor):
        return constant(result) if axes is None else Traced(result, axes(result))
    if isinstance(result, (list, tuple)):
        return [_traced(each, axes) for each in result]
    return result


def _plain(value: Any) -> Any:
    if isinstance(value, Traced):
        return value.tensor
    if isinstance(value, tuple):
        return tuple(_plain(each) for each in value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return value


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return [leaf for each in value for leaf in _leaves(each)]
    return [value]


def _storage(tensor: torch.Tensor) -> int:
    storage = tensor.untyped_storage() if hasattr(tensor, "untyped_storage") else tensor.storage()
    return int(storage.data_ptr())


def _is_view(result: Any, operands: list[Traced]) -> bool:
    """Whether it shares the memory of an operand."""
    shown = {_storage(each.tensor) for each in operands}
    return any(
        isinstance(each, torch.Tensor) and _storage(each) in shown for each in _leaves(result)
    )


def _use_of(node: Node) -> Any:
    places = {user.args[1] for user in node.users if user.target is operator.getitem and user.users}
    plain = any(user.target is not operator.getitem for user in node.users)
    return lambda place: plain or place in places


def _place_of(node: Node) -> str:
    """The last line of the user's code on the way to an operation."""
    trace = node.meta.get("stack_trace") or getattr(node, "stack_trace", None) or ""
    lines = [line.strip() for line in trace.splitlines() if line.strip().startswith("File ")]
    own = [line for line in lines if "/torch/" not in line]
    if not own:
        return ""
    file, line, *_ = own[-1].removeprefix("File ").split(", ")
    return f"{file.strip(chr(34))}:{line.removeprefix('line ')}"
