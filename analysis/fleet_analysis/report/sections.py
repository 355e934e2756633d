"""The sections of the page but for figures and cells; each gives HTML, or None where there is
nothing to say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from fleet_analysis.layout import Table
from fleet_analysis.load import Results
from fleet_analysis.schema import METHOD, PHASES
from fleet_analysis.style import PHASE_COLOURS, axis_name, method_styles
from fleet_analysis.sweep import SweepState
from fleet_analysis.table import final_table
from fleet_analysis.view import View

MAX_ROWS = 40  # of the table of outcomes


@dataclass(frozen=True)
class Section:
    """A part of the page: its anchor, its title and its HTML."""

    name: str
    title: str
    body: str


def heading(results: Results, state: SweepState | None) -> str:
    """What was run, how far it is, when and where."""
    done, failed = len(results.done), len(results.failed)
    running = len(state.running) if state else 0
    planned = max(state.planned if state else 0, done + failed)
    parts = [f"{done} of {planned} cells done"]
    parts += [f'<a class="status-failed" href="#failures">{failed} failed</a>'] if failed else []
    parts += [f'<a href="#running">{running} running</a>'] if running else []
    waiting = planned - done - failed - running
    parts += [f"{waiting} waiting"] if waiting else []
    swept = [axis_name(key) for key in (METHOD, *results.swept, "seed")]
    workloads = ", ".join(results.cells.workload.astype(str).unique())
    shares = (("done", done), ("failed", failed), ("running", running))
    bar = "".join(
        f'<div class="{name}" style="width:{100 * count / planned:.3f}%"></div>'
        for name, count in shares
    )
    return f"""<header><h1>{escape(results.name)}</h1>
<p class="muted">{escape(workloads)}; swept: {escape(", ".join(swept))}{_when(results)}</p>
<div class="progress" role="img" aria-label="{done} of {planned} cells done">{bar}</div>
<p>{" · ".join(parts)}</p></header>"""


def failures_section(results: Results) -> Section | None:
    """Why cells failed: a row per reason, the most frequent first."""
    failed = results.failed
    if failed.empty:
        return None
    settings = [METHOD, *results.axes]
    keys = [key for key in dict.fromkeys(settings) if key in failed and key != "seed"]
    rows = []
    for reason, cells in sorted(failed.groupby("reason"), key=lambda item: -len(item[1])):
        common = [f"{key} = {cells[key].iloc[0]}" for key in keys if cells[key].nunique() == 1]
        rows.append(
            f"<tr><td>{len(cells)}</td>"
            f'<td class="label wrap">{escape(str(reason) or "no reason given")}</td>'
            f'<td class="label wrap">{escape("; ".join(common) or "various")}</td></tr>'
        )
    head = '<th>cells</th><th class="label">reason</th><th class="label">all of them had</th>'
    return Section("failures", "Failures", _table(head, rows))


def running_section(state: SweepState | None) -> Section | None:
    """The cells under way and what they say of themselves."""
    if state is None or not state.running:
        return None
    rows = [
        f'<tr><td class="label wrap">{escape(state.labels[cell])}</td>'
        f'<td class="label">{escape(said)}</td></tr>'
        for cell, said in state.running.items()
    ]
    head = '<th class="label">cell</th><th class="label">where it stands</th>'
    return Section("running", "Running", _table(head, rows))


def outcome_section(results: Results, metric: str, split: str) -> Section | None:
    """The final values, by as many settings as a reader can take in."""
    if results.done.empty:
        return None
    table = final_table(results, _legible_axes(View(results, metric, split)), metric, split)
    return Section("outcome", "Outcome", table_html(table))


def costs_section(results: Results) -> Section | None:
    """Per method: wall seconds of a cell by phase as a stacked bar, bytes moved, memory."""
    phases = [phase for phase in PHASES if f"seconds_{phase}" in results.cells]
    if results.done.empty or not phases:
        return None
    columns = [f"seconds_{phase}" for phase in phases]
    extra = [key for key in ("bytes_moved", "peak_memory_mib") if key in results.done]
    done = results.done.astype({METHOD: str})
    means = done.groupby(METHOD)[[*columns, *extra]].mean()
    known = means[columns].where(np.isfinite(means[columns]), 0.0)
    longest = max(float(known.sum(axis=1).max()), 1e-12)
    rows = [
        _cost_row(style.label, means.T[name], phases, longest)
        for name, style in method_styles(means.index).items()
    ]
    key = "".join(f'<span><i style="background:{PHASE_COLOURS[p]}"></i>{p}</span>' for p in phases)
    total = float(done[columns].to_numpy().sum())
    moved = float(done.bytes_moved.sum()) if "bytes_moved" in done else 0.0
    body = f"""<div class="key">{key}</div>
<div class="costs"><span class="head"></span><span class="head"></span>
<span class="head number">s a cell</span><span class="head number">MB moved</span>
<span class="head number">MiB a rank</span>{"".join(rows)}</div>
<p class="muted">Means over finished cells: wall seconds of the first rank of a cell's group, bytes
that all its ranks sent, memory of its largest. In all {duration(total)} and
{moved / 1e6:,.1f} MB.</p>"""
    return Section("costs", "Time and traffic", body)


def config_section(results: Results) -> Section:
    """The configuration, and what ran it."""
    files = "".join(_provenance(row) for row in results.provenance.head(20).to_dict("records"))
    left = len(results.provenance) - 20
    more = f'<p class="muted">and {left} more files</p>' if left > 0 else ""
    body = f"""<details><summary>The sweep's configuration</summary>
<pre>{escape(results.config)}</pre></details>
<details><summary>Versions and hosts</summary>{files}{more}</details>"""
    return Section("configuration", "Configuration", body)


def table_html(table: Table) -> str:
    """A table of words, its caption below."""

    def entry(text: str, place: tuple[int, int]) -> str:
        kind = ' class="label"' if place[1] < table.labels else ""
        words = escape(text)
        return f"<td{kind}>{f'<strong>{words}</strong>' if place in table.strong else words}</td>"

    head = "".join(
        f'<th scope="col"{" class=label" if i < table.labels else ""}>{escape(word)}</th>'
        for i, word in enumerate(table.header)
    )
    rows = [
        f"<tr>{''.join(entry(text, (r, c)) for c, text in enumerate(row))}</tr>"
        for r, row in enumerate(table.rows)
    ]
    return _table(head, rows, table.caption)


def duration(seconds: float) -> str:
    """As a person says it."""
    if not np.isfinite(seconds):
        return "an unknown time"
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _table(head: str, rows: Iterable[str], caption: str = "") -> str:
    under = f"<caption>{escape(caption)}</caption>" if caption else ""
    body = "\n".join(rows)
    return (
        f'<div class="scroll"><table>{under}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cost_row(label: str, means: pd.Series, phases: list[str], longest: float) -> str:
    seconds = {phase: float(means[f"seconds_{phase}"]) for phase in phases}
    parts = "".join(
        f'<span style="width:{100 * value / longest:.3f}%;background:{PHASE_COLOURS[phase]}" '
        f'title="{phase}: {value:.3g} s"></span>'
        for phase, value in seconds.items()
        if np.isfinite(value)
    )
    said = ", ".join(f"{phase} {value:.3g} s" for phase, value in seconds.items())
    moved, memory = means.get("bytes_moved", np.nan) / 1e6, means.get("peak_memory_mib", np.nan)
    return (
        f'<span class="name">{escape(label)}</span>'
        f'<div class="bar" role="img" aria-label="{said}">{parts}</div>'
        f'<span class="number">{sum(seconds.values()):.3g}</span>'
        f'<span class="number">{moved:,.2f}</span><span class="number">{memory:,.0f}</span>'
    )


def _when(results: Results) -> str:
    known = results.provenance
    if not {"started", "finished"} <= set(known):
        return ""
    times = known[["started", "finished"]].dropna()
    return (
        f"<br>{escape(times.started.min())} to {escape(times.finished.max())}" if len(times) else ""
    )


def _provenance(row: dict[object, object]) -> str:
    pairs = "".join(
        f"<dt>{escape(str(key).replace('_', ' '))}</dt><dd>{escape(str(value))}</dd>"
        for key, value in row.items()
        if value == value  # what another file has and this one has not is NaN
    )
    return f"<dl>{pairs}</dl>"


def _legible_axes(view: View) -> list[str]:
    """The axes that move the values most, as many as keep the table legible."""
    kept: list[str] = []
    rows = 1
    for key in sorted(view.axes, key=view.effect, reverse=True):
        rows *= view.final[key].nunique()
        if rows > MAX_ROWS:
            break
        kept.append(key)
    return [key for key in view.axes if key in kept]
