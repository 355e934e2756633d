"""Iterative merging (the paper's Fig. 4): against how often the fleet merges (a, d), heterogeneity
(b) and the share of robots that take part (c), with training on pooled data as the bound."""

from __future__ import annotations

from matplotlib.figure import Figure

from fleet_analysis.figures.accuracy import axis_figure, final_row
from fleet_analysis.figures.fig03d_one_shot import merged_once
from fleet_analysis.figures.page import page
from fleet_analysis.files import ResultsError
from fleet_analysis.load import Results
from fleet_analysis.schema import ALPHA, EVERY_EPOCHS, PARTICIPATION
from fleet_analysis.view import Panel, View

#: The letters of the panels; (d) is (a) of another workload, which the results name themselves.
PANELS = {"a": EVERY_EPOCHS, "b": ALPHA, "c": PARTICIPATION, "d": EVERY_EPOCHS}


def draw(results: Results, metric: str, split: str, letter: str = "") -> dict[str, Figure]:
    """One panel by its letter, in small multiples over the axis that matters most beside it; or all
    that were swept, side by side. Raises ResultsError where there is none."""
    views = _views(results, metric, split)
    if letter:
        key = PANELS[letter]
        if key not in views:
            raise ResultsError(f"{results.name}: {key} was not swept over cells that merged often")
        title = f"{results.name}: iterative merging"
        return {f"{results.name}-iterative": axis_figure(views[key], key, title)}
    if not views:
        keys = ", ".join(dict.fromkeys(PANELS.values()))
        raise ResultsError(f"{results.name}: none of {keys} was swept over cells that merged often")
    return {f"{results.name}-iterative": _together(views)}


def _views(results: Results, metric: str, split: str) -> dict[str, View]:
    """What each panel shows, of those that were swept: against the frequency, merging once is its
    far end."""
    view = View(results, metric, split)
    try:
        often = view.where(lambda rows: ~merged_once(rows), "merged more than once")
    except ResultsError:
        return {}
    views = {key: view if key == EVERY_EPOCHS else often for key in PANELS.values()}
    return {key: each for key, each in views.items() if key in each.axes}


def _together(views: dict[str, View]) -> Figure:
    """A panel against each axis, averaged over the others."""
    view = next(iter(views.values()))
    notes = view.notes()
    often = [f"({letter})" for letter in "bc" if PANELS[letter] in views]
    notes.shown = [f"{', '.join(often)}: merged more than once"] if often else []
    parts, tables = [], []
    for letter, key in PANELS.items():
        if letter != "d" and key in views:
            parts.append(Panel(f"({letter})", views[key].final))
            tables.append(views[key].summary(views[key].final, [key], notes))
    title = f"{view.name}: iterative merging, final {view.split} {view.metric}"
    figure, rows = page(len(parts), 1, title, notes.lines(), list(view.styles.values()))
    final_row(view, rows[0], parts, tables, list(views))
    return figure
