"""A running sweep in a terminal: how far it is, its curves, its values so far."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from fleet_analysis.files import ResultsError
from fleet_analysis.load import Results
from fleet_analysis.names import visible
from fleet_analysis.output import printable
from fleet_analysis.schema import METHOD, is_share
from fleet_analysis.style import setting_label, value_labels
from fleet_analysis.sweep import SweepState
from fleet_analysis.table import final_table
from fleet_analysis.terminal import Curve, bar, chart, painted
from fleet_analysis.view import View

CHART, LEAST = 12, 6  # rows of curves; fewer in a low terminal, but not below
GOOD, BAD, BUSY = "#009E73", "#D55E00", "#56B4E9"
MAX_RUNNING, MAX_REASONS = 4, 3


def screen(
    results: Results | None,
    state: SweepState,
    metric: str | None,
    split: str,
    size: tuple[int, int],
    colour: bool,
) -> str:
    """What fits a terminal of `size`, columns and lines. The values are means over the cells that
    have finished; failures and running cells stand last."""
    columns, rows = size
    head = _progress(state, columns, colour)
    tail = [*_running(state, columns), *_failures(results, columns, colour)]
    room = rows - len(head) - len(tail) - 1
    middle: list[str] = []
    if results is not None and not results.done.empty:
        middle = _values(results, metric or results.headline, split, (columns, room), colour)
    elif not tail:
        middle = ["no cell has finished yet"]
    return "\n".join([*head, *middle, *tail])


def _progress(state: SweepState, columns: int, colour: bool) -> list[str]:
    done, failed = len(state.done), len(state.failed)
    running = len(state.running)
    counts = [f"{done} of {state.planned} cells done"]
    counts += [painted(f"{failed} failed", BAD, colour)] if failed else []
    counts += [painted(f"{running} running", BUSY, colour)] if running else []
    counts += [f"{state.pending} waiting"] if state.pending else []
    planned = max(state.planned, 1)
    shares = {"█": done / planned, "✗": failed / planned, "▒": running / planned}
    line = bar(shares, min(columns, 60))
    return [f"{visible(state.name)}: {', '.join(counts)}", painted(line, GOOD, colour), ""]


def _values(
    results: Results, metric: str, split: str, size: tuple[int, int], colour: bool
) -> list[str]:
    """Curves of the settings of which most is known, above the table of all of them."""
    columns, room = size
    try:
        view = View(results, metric, split)
    except ResultsError as error:
        return [visible(str(error))]
    table = final_table(results, metric=metric, split=split).spelled(printable).render()
    lines = table.splitlines()
    height = max(LEAST, min(CHART, room - len(lines) - 6))
    curves = _curves(view, columns, height, colour)
    left = max(3, room - len(curves))
    cut = [f"… {len(lines) - left + 1} lines more"] if len(lines) > left else []
    shown = lines[: left - len(cut)] + cut
    return [*curves, *(line[:columns] for line in shown), ""]


def _curves(view: View, columns: int, height: int, colour: bool) -> list[str]:
    """One setting's, so that methods are compared on the same; none where none has two points."""
    rows, words = _best_known(view)
    means = rows.groupby([METHOD, "epoch"], observed=True).value.mean().reset_index()
    scale = 100 if is_share(view.metric) else 1
    curves = [
        Curve(visible(name), style.colour, own.epoch.tolist(), (scale * own.value).tolist())
        for name, style in view.styles.items()
        if len(own := means[means[METHOD] == name]) > 1
    ]
    if not curves:
        return []
    unit = " (%)" if scale == 100 else ""
    heading = f"{view.split} {view.metric}{unit} by local epochs{words}, mean over seeds"
    return [visible(heading)[:columns], *chart(curves, columns, height, colour), ""]


def _best_known(view: View) -> tuple[pd.DataFrame, str]:
    """The curves of the settings that most cells have finished, and how to call those."""
    curves = view.curves
    if not view.axes:
        return curves, ""
    several = curves[curves.groupby("cell").epoch.transform("nunique") > 1]
    rows = several if len(several) else curves
    counts = rows.groupby(view.axes, observed=True).cell.nunique()
    if counts.empty:  # every cell lacks one of the axes
        return curves, ""
    best = counts.idxmax()
    values = best if isinstance(best, tuple) else (best,)
    words = ", ".join(
        setting_label(key, value, value_labels(key, rows[key].unique().tolist())[value])
        for key, value in zip(view.axes, values, strict=True)
    )
    for key, value in zip(view.axes, values, strict=True):
        rows = rows[rows[key] == value]
    return rows, f": {words}"


def _running(state: SweepState, columns: int) -> list[str]:
    lines = [
        visible(f"running: {state.labels[cell]}: {said}")[:columns]
        for cell, said in list(state.running.items())[:MAX_RUNNING]
    ]
    left = len(state.running) - MAX_RUNNING
    return [*lines, f"and {left} more"] if left > 0 else lines


def _failures(results: Results | None, columns: int, colour: bool) -> list[str]:
    if results is None:
        return []
    reasons = Counter(results.failed.reason).most_common(MAX_REASONS)
    said = [
        visible(f"failed ({n}): {reason or 'no reason given'}")[:columns] for reason, n in reasons
    ]
    return [painted(line, BAD, colour) for line in said]
