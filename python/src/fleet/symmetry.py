"""What leaves the function of a PyTorch module unchanged, derived from the module itself.

    from fleet.symmetry import derive
    found = derive(module, (torch.zeros(1, 39),))
    found.network.write("policy.symmetry.json")

As a command: `python -m fleet symmetry policy:make --input 1,39 -o policy.symmetry.json`.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleet.errors import FleetError
from fleet.spec import Network, Tensor
from fleet.torch_import import import_torch
from fleet.tracing.places import last_line

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Symmetry:
    """What was found of a module."""

    network: Network
    warnings: tuple[str, ...]  # where sight was lost
    tracer: str  # what made the graph
    error: float  # how far a random element moved the outputs, against their size

    @property
    def free_units(self) -> int:
        return sum(group.size for group in self.network.groups)


def derive(
    module: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    *,
    sign_flips: bool = False,
    tolerance: float = 1e-4,
) -> Symmetry:
    """The symmetry of `module`, as it computes in evaluation mode on inputs like these.

    What is found is tried on other weights, drawn around those of the module: FleetError if an
    element moves the outputs by more than `tolerance` of their size. The module is left as it was.
    With `sign_flips`, units of odd activations may be negated as well.
    """
    torch = import_torch()
    from fleet.tracing import graph as graphs
    from fleet.tracing import interpreter
    from fleet.tracing.groups import groups_of

    args, kwargs = tuple(args), dict(kwargs or {})
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        with torch.enable_grad():  # without it torch takes short cuts that cannot be seen into
            graph = graphs.trace(module, args, kwargs)
        outcome = interpreter.run(graph)
        if outcome.stops and graph.tracer == "torch.export":
            simpler = graphs.decomposed(module, args, kwargs)
            if simpler is not None:
                again = interpreter.run(simpler)
                if len(again.stops) < len(outcome.stops):
                    outcome = again
        saved = _saved_weights(module)
        aliases = _aliases(saved)
        used = {
            name: outcome.weights[name].axes
            for name in saved
            if name in outcome.used and name not in aliases
        }
        groups, actions = groups_of(used, sign_flips)
        network = Network(
            tuple(
                Tensor(name, tuple(tensor.shape))
                for name, tensor in saved.items()
                if name not in aliases
            ),
            groups,
            actions,
            aliases=aliases,
        )
        warnings = _warnings(outcome)
        error = _try(module, args, kwargs, network)
    finally:
        for each, training in modes:
            each.training = training
    if not error <= tolerance:
        raise FleetError(
            "what was found does not hold: a random element moves the outputs by "
            f"{error:.1e} of their size; please report this module"
        )
    return Symmetry(network, warnings, graph.tracer, error)


def trace(module: nn.Module, example_inputs: Any) -> Network:
    """What derive() finds, for inputs that are one tensor or a tuple of them."""
    inputs = example_inputs if isinstance(example_inputs, (tuple, list)) else (example_inputs,)
    return derive(module, tuple(inputs)).network


def _saved_weights(module: nn.Module) -> dict[str, torch.Tensor]:
    """What a checkpoint of the module holds of real numbers, tied weights under every name."""
    return {
        name: tensor
        for name, tensor in module.state_dict(keep_vars=True).items()
        if hasattr(tensor, "is_floating_point") and tensor.is_floating_point() and tensor.numel()
    }


def _aliases(saved: Mapping[str, torch.Tensor]) -> dict[str, str]:
    first: dict[tuple[int, tuple[int, ...]], str] = {}
    aliases = {}
    for name, tensor in saved.items():
        known = first.setdefault((tensor.data_ptr(), tuple(tensor.shape)), name)
        if known != name:
            aliases[name] = known
    return aliases


def _warnings(outcome: Any) -> tuple[str, ...]:
    from fleet.tracing.units import find, units_of

    lines = []
    for stop in outcome.stops:
        units = {find(unit) for unit in stop.units}
        names = [
            name
            for name, traced in outcome.weights.items()
            if any(unit in units for axis in traced.axes for unit in units_of(axis))
        ]
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        place = f"{stop.place}: " if stop.place else ""
        lines.append(
            f"{place}nothing is known of {stop.operation}: units of {shown or 'its operands'} that "
            "reach it are left where they are"
        )
    return tuple(dict.fromkeys(lines))


def _try(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], network: Network
) -> float:
    """The largest change of an output by a random element, against the outputs' size."""
    torch = import_torch()
    saved = _saved_weights(module)
    names = [tensor.name for tensor in network.tensors]
    kept = {name: saved[name].detach().clone() for name in names}
    stream = torch.Generator().manual_seed(20_240_501)
    worst = 0.0
    try:
        with torch.no_grad():
            for name, tensor in kept.items():
                saved[name].copy_(_drawn(tensor, stream))
            parts = [saved[name].detach().cpu().float().numpy().ravel() for name in names]
            flat = np.concatenate(parts) if parts else np.zeros(0, np.float32)
            before = _outputs(module, args, kwargs)
            for element in (network.random(7), _turned(network)):
                moved = network.views(network.apply(element, flat))
                for name in names:
                    saved[name].copy_(torch.from_numpy(np.ascontiguousarray(moved[name])))
                after = _outputs(module, args, kwargs)
                worst = max([worst, *map(_change, before, after)])
    finally:
        with torch.no_grad():
            for name, tensor in kept.items():
                saved[name].copy_(tensor)
    return worst


def _turned(network: Network) -> dict[str, Any]:
    """Every unit takes the place of the one before it: none stays, also where there are but two."""
    return {group.name: np.roll(np.arange(group.size), 1) for group in network.groups}


def _change(before: torch.Tensor, after: torch.Tensor) -> float:
    """Of numbers the largest difference against their size; of choices the share that differs."""
    torch = import_torch()
    if not before.is_floating_point():
        return float((before != after).double().mean()) if before.numel() else 0.0
    finite = torch.isfinite(before)
    if (finite != torch.isfinite(after)).any():
        return math.inf
    before, after = before[finite], after[finite]
    size = float(before.abs().max()) if before.numel() else 0.0
    return float((before - after).abs().max()) / size if size > 0 else 0.0


def _drawn(tensor: torch.Tensor, stream: Any) -> torch.Tensor:
    """Weights near those of the module, none of them the same: also where it has zeros or ones."""
    torch = import_torch()
    noise = torch.rand(tensor.shape, generator=stream).to(tensor)
    size = float(tensor.abs().mean()) or 0.1
    return tensor * (0.75 + 0.5 * noise) + (0.2 * size * noise)


def _outputs(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    torch = import_torch()
    from fleet.tracing.graph import tensors_in

    torch.manual_seed(1)  # for policies that draw their actions
    outputs = [out.detach() for out in tensors_in(module(*args, **kwargs))]
    outputs = [out.double() if out.is_floating_point() else out for out in outputs]
    if not any(torch.isfinite(out).any() for out in outputs):
        raise FleetError(
            "of these inputs the module makes no finite number, so that nothing can be tried; give "
            "others"
        )
    return outputs


# The command.


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "module",
        help="FILE_OR_MODULE:NAME of a torch.nn.Module, or of a function without arguments that "
        "makes one, or makes a module and its inputs (a tuple or a dict)",
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="SHAPE[:DTYPE[<HIGH]]",
        help="an example input, say 1,39, or 1,16:int64<50 for symbols below 50; one an argument",
    )
    parser.add_argument("--output", "-o", required=True, help="NAME.symmetry.json")
    parser.add_argument(
        "--sign-flips", action="store_true", help="units of odd activations may be negated as well"
    )


def run(arguments: argparse.Namespace) -> int:
    module, inputs = _load(arguments.module)
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}
    if arguments.input:
        args = tuple(_input_of(text) for text in arguments.input)
    elif isinstance(inputs, Mapping):
        kwargs = inputs
    elif inputs is not None:
        args = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    else:
        raise FleetError("say what goes into the module: --input 1,39")
    found = derive(module, args, kwargs, sign_flips=arguments.sign_flips)
    for warning in found.warnings:
        print(f"fleet: warning: {warning}", file=sys.stderr)
    found.network.write(arguments.output)
    _tell(found, arguments.output)
    return 0


def _tell(found: Symmetry, output: str) -> None:
    network = found.network
    print(
        f"traced by {found.tracer}; a random element moves the outputs by {found.error:.1e} "
        "of their size"
    )
    tops = [group for group in network.groups if group.parent is None]
    for top in tops:
        inside = [g.size for g in network.groups if g.parent == top.name and g.block == 0]
        within = f", each of {' and '.join(map(str, inside))} within" if inside else ""
        print(f"  {top.name}: {top.size} units{within}")
    print(
        f"{len(network.tensors)} tensors, {network.size} weights, {found.free_units} units that "
        f"can be exchanged: {output}"
    )


def _load(name: str) -> tuple[nn.Module, Any]:
    """A module, and what it is given, if that comes along."""
    torch = import_torch()
    where, colon, attribute = name.rpartition(":")
    if not colon or not where or not attribute:
        raise FleetError(f"{name}: expected FILE_OR_MODULE:NAME, say policy:make or policy.py:make")
    sys.path.insert(0, str(Path.cwd()))
    try:
        made = getattr(_imported(where), attribute)
        if not isinstance(made, torch.nn.Module) and callable(made):
            made = made()
    except FleetError:
        raise
    except Exception as error:
        raise FleetError(f"{name}: {last_line(error)}") from error
    finally:
        sys.path.remove(str(Path.cwd()))
    inputs = None
    if isinstance(made, tuple) and len(made) == 2:
        made, inputs = made
    if not isinstance(made, torch.nn.Module):
        raise FleetError(
            f"{name}: expected a torch.nn.Module, or what makes one; got a {type(made).__name__}"
        )
    return made, inputs


def _imported(where: str) -> Any:
    if not where.endswith(".py"):
        return importlib.import_module(where)
    path = Path(where)
    if not path.is_file():
        raise FleetError(f"{where}: there is no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _input_of(text: str) -> torch.Tensor:
    torch = import_torch()
    shape_text, _, kind = text.partition(":")
    name, _, high = kind.partition("<")
    dtype = getattr(torch, name or "float32", None)
    try:
        shape = [int(extent) for extent in shape_text.split(",") if extent]
        below = int(high) if high else 2
    except ValueError as error:
        raise FleetError(f"--input {text}: expected a shape, say 1,39 or 1,16:int64<50") from error
    if not isinstance(dtype, torch.dtype) or min([1, below, *shape]) < 1:
        raise FleetError(f"--input {text}: expected extents of 1 or more, and a dtype of torch")
    generator = torch.Generator().manual_seed(1)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=generator).to(dtype)
    return torch.randint(below, shape, generator=generator).to(dtype)
