"""Recurrent layers, which some graphs keep whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleet.tracing.labels import Axes, Call, Traced, UnknownError, select, stack
from fleet.tracing.rules.table import rule
from fleet.tracing.units import Axis, Unit, axis_of, equate, fix, fixed, forbid_signs, free


@rule("lstm", "gru", "rnn_tanh", "rnn_relu")
def _recurrent(call: Call) -> Any:
    if "input" not in call.arguments or call.get("batch_sizes") is not None:
        raise UnknownError  # packed sequences
    params = [each.axes for each in call["params"]]
    directions = 2 if call["bidirectional"] else 1
    layers = int(call["num_layers"])
    biases = bool(call["has_biases"])
    states = call["hx"] if isinstance(call["hx"], (list, tuple)) else [call["hx"]]
    axes = call.axes("input")
    projects = call.name == "lstm" and len(params) == layers * directions * (3 + 2 * biases)
    features = axes[-1]
    hidden: list[Axis] = []
    cells: list[Axis] = []
    for _ in range(layers):
        outs: list[Axis] = []
        for _ in range(directions):
            own = [params.pop(0) for _ in range(2 + 2 * biases + projects)]
            out, cell = _cell(call.name, features, own, biases, projects)
            outs.append(out)
            hidden.append(out)
            cells.append(cell)
        features = outs[0] if directions == 1 else Axis((*outs[0].terms, *outs[1].terms))
    for state, units in zip(states, (hidden, cells), strict=False):
        _meet(state, units)
    output = (*axes[:-1], features)
    fix(axes[1 if call["batch_first"] else 0])  # time has an order
    batch = axes[0 if call["batch_first"] else 1]
    results: list[Any] = [output]
    for place, units in zip(range(1, len(call.result)), (hidden, cells), strict=False):
        results.append(stack([(batch, each) for each in units], 0) if call.used(place) else
                       (fixed(len(units)), batch, fixed(units[0].size)))  # fmt: skip
    return results


def _cell(
    kind: str, features: Axis, own: Sequence[Axes], biases: bool, projects: bool
) -> tuple[Axis, Axis]:
    """Units of one layer in one direction: what leaves it, and what it remembers."""
    gates = {"lstm": 4, "gru": 3}.get(kind, 1)
    size = own[0][0].size // gates
    units = free(size)
    out = units
    stacked = (
        units
        if gates == 1
        else axis_of(Unit(gates, fixed=True, odd=False), *units.terms[0].factors)
    )
    if projects:
        out = own[-1][0]
        equate(own[-1][1], units)
    for axis in (own[0][0], own[1][0], *(each[0] for each in own[2:4] if biases)):
        equate(axis, stacked)
    equate(own[0][1], features)
    equate(own[1][1], out)
    if kind != "rnn_tanh":
        forbid_signs(units)
        forbid_signs(out)
    return out, units


def _meet(state: Traced, units: Sequence[Axis]) -> None:
    """A first state that is handed over moves as the units do; zeros move anyhow."""
    if state.constant and not bool(state.tensor.any()):
        return
    for layer, axis in enumerate(units):
        equate(select(state.axes, 0, layer)[-1], axis)


@rule("mkldnn_rnn_layer")
def _mkldnn_layer(call: Call) -> Any:
    kind = {2: "lstm", 3: "gru"}.get(int(call["mode"]))
    if kind is None:
        raise UnknownError
    axes = call.axes("input")
    own = [call.axes(f"weight{i}") for i in range(4 if call["has_biases"] else 2)]
    out, units = _cell(kind, axes[-1], own, bool(call["has_biases"]), False)
    for name, each in (("hx_", out), ("cx_", units)):
        state = call.get(name)
        if isinstance(state, Traced) and not (state.constant and not bool(state.tensor.any())):
            equate(state.axes[-1], each)
    fix(axes[0])
    fix(axes[1])
    results: list[Any] = [(axes[0], axes[1], out)]
    for each in call.result[1:]:
        if each is None:  # a workspace, of which PyTorch 2.6 gives none
            results.append(None)
            continue
        shape = list(each.shape)
        known = len(shape) > 1 and shape[-1] == units.size
        results.append((*(fixed(n) for n in shape[:-1]), units if known else fixed(shape[-1])))
    return results
