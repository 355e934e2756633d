"""The graph of a module's operations: by torch.export or, where that fails, by torch.fx."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule

from fleet.errors import FleetError
from fleet.tracing.places import last_line


@dataclass(frozen=True)
class Graph:
    """Operations of ATen on placeholders."""

    module: GraphModule
    placeholders: Sequence[tuple[str, torch.Tensor | Any]]  # name of the weight, or "", and value
    tracer: str


def state_of(module: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers by the first name that each has, also what no checkpoint holds."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def trace(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Graph:
    """FleetError if neither way leads to a graph."""
    complaints = []
    for name, way in (("torch.export", _export), ("torch.fx", _make_fx)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _without_dead(way(module, args, kwargs))
        except Exception as error:
            complaints.append(f"{name}: {last_line(error)}")
    raise FleetError("the module cannot be traced; " + "; ".join(complaints))


def decomposed(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Graph | None:
    """The same in fewer kinds of operations, where that can be had."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _without_dead(_export(module, args, kwargs, decompose=True))
    except Exception:
        return None


def _without_dead(graph: Graph) -> Graph:
    """Without operations whose results are of no use, unless they write to their operands."""
    for node in reversed(list(graph.module.graph.nodes)):
        if node.op != "call_function" or node.users or _writes(node.target):
            continue
        graph.module.graph.erase_node(node)
    return graph


def _writes(target: Any) -> bool:
    if target is operator.getitem:
        return False
    if not isinstance(target, torch._ops.OpOverload):
        return True
    return any(each.alias_info is not None and each.alias_info.is_write
               for each in target._schema.arguments)  # fmt: skip


def _export(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], decompose: bool = False
) -> Graph:
    export = getattr(torch, "export", None)
    if export is None or not hasattr(export, "export"):
        raise FleetError(f"torch {torch.__version__} has none; it came with 2.1")
    program = export.export(module, args, dict(kwargs), strict=False)
    if decompose:
        program = program.run_decompositions()
    state, saved = state_of(module), module.state_dict()
    inputs = iter(torch.utils._pytree.tree_leaves((args, dict(kwargs))))
    placeholders: list[tuple[str, Any]] = []
    for spec in program.graph_signature.input_specs:
        kind = spec.kind.name
        if kind in ("PARAMETER", "BUFFER"):
            value = state.get(spec.target)
            if value is None:
                value = program.state_dict.get(spec.target, program.constants.get(spec.target))
            known = spec.target in saved
            placeholders.append((spec.target, value) if known else ("", Constant(value)))
        elif kind == "USER_INPUT":
            placeholders.append(("", next(inputs)))
        else:
            placeholders.append(("", Constant(program.constants[spec.target])))
    return Graph(program.graph_module, placeholders, "torch.export")


@dataclass(frozen=True)
class Constant:
    """A tensor that the graph holds, which is no part of the weights."""

    tensor: Any


def _make_fx(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Graph:
    from torch.fx.experimental.proxy_tensor import make_fx

    try:
        from torch.func import functional_call
    except ImportError:  # before 2.0
        from torch.nn.utils.stateless import functional_call

    state, saved = state_of(module), module.state_dict()
    names = list(state)
    leaves, shape = torch.utils._pytree.tree_flatten((args, dict(kwargs)))
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]

    def run(weights: list[torch.Tensor], inputs: list[torch.Tensor]) -> Any:
        given = iter(inputs)
        filled = [next(given) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        own_args, own_kwargs = torch.utils._pytree.tree_unflatten(filled, shape)
        by_name = dict(zip(names, weights, strict=True))
        out = functional_call(module, by_name, own_args, own_kwargs)
        return tensors_in(out)

    graph = make_fx(run)(list(state.values()), tensors)
    weights = [
        (name, value) if name in saved else ("", Constant(value)) for name, value in state.items()
    ]
    placeholders = [*weights, *(("", tensor) for tensor in tensors)]
    return Graph(graph, placeholders, "torch.fx")


def tensors_in(value: Any) -> list[torch.Tensor]:
    """All tensors in what a module returns, whatever holds them."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, Mapping):
        return [tensor for each in value.values() for tensor in tensors_in(each)]
    if isinstance(value, (list, tuple)):
        return [tensor for each in value for tensor in tensors_in(each)]
    if hasattr(value, "__dict__"):  # a distribution, or a dataclass
        return [tensor for each in vars(value).values() for tensor in tensors_in(each)]
    return []
