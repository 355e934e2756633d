"""The page around the panels: title, notes and legend above, everything flush left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from fleet_analysis.figures.words import all_fitted, fitted, legible, text_width
from fleet_analysis.style import MUTED, MethodStyle, line_look

# All in inches, but for the sizes of type, which are in points.
# By the number of panels side by side: a column of two, the text of one column, that of two.
WIDTHS = {1: 3.4, 2: 5.4, 3: 7.0, 4: 7.0}
ROW_HEIGHT = 2.1
MARGIN = 0.08
GAP = 0.06
PANEL_FRAME = 0.35  # of a panel's width what is no panel
TITLE_SIZE, NOTE_SIZE, LEGEND_SIZE = 10, 7, 8
TITLE_LINE, NOTE_LINE, LEGEND_LINE = 0.2, 0.14, 0.185
SAMPLE, SAMPLE_GAP, ENTRY_GAP = 0.24, 0.06, 0.15  # in the legend: a line, its distance to the words


def page(
    columns: int,
    rows: int,
    title: str,
    notes: Iterable[str],
    styles: Sequence[MethodStyle],
    row_height: float = ROW_HEIGHT,
) -> tuple[Figure, list[SubFigure]]:
    """A figure with its heading, and a subfigure per row, that many inches high, to put panels
    in."""
    width = WIDTHS[min(columns, 4)]
    room = width - 2 * MARGIN
    heading = _wrap(title, room, TITLE_SIZE, bold=True)
    remarks = _wrap("; ".join(notes), room, NOTE_SIZE)
    labels = all_fitted([s.label for s in styles], room - SAMPLE - SAMPLE_GAP, LEGEND_SIZE)
    shown = [replace(style, label=label) for style, label in zip(styles, labels, strict=True)]
    entries = _legend(shown, room)
    top = MARGIN + TITLE_LINE * len(heading) + NOTE_LINE * len(remarks) + GAP
    head = top + LEGEND_LINE * len(entries) + GAP
    height = head + row_height * rows
    engine = ConstrainedLayoutEngine(
        rect=(0, 0, 1, 1 - head / height), h_pad=0.04, w_pad=0.04, wspace=0.03
    )
    figure = Figure(figsize=(width, height), layout=engine)
    y = MARGIN
    for lines, step, size, weight, colour in (
        (heading, TITLE_LINE, TITLE_SIZE, "bold", None),
        (remarks, NOTE_LINE, NOTE_SIZE, "normal", MUTED),
    ):
        for line in lines:
            figure.text(
                MARGIN / width,
                1 - y / height,
                line,
                va="top",
                size=size,
                weight=weight,
                color=colour,
            )
            y += step
    for i, line_of_entries in enumerate(entries):
        _legend_line(figure, line_of_entries, top + LEGEND_LINE * (i + 0.5))
    return figure, list(np.ravel(figure.subfigures(rows, 1, squeeze=False)))


def row_of_panels(row: SubFigure, count: int, share_x: bool) -> list[Axes]:
    """Panels side by side on one scale of values, written at the first."""
    made = row.subplots(1, count, sharey=True, sharex=share_x, squeeze=False)
    return list(np.ravel(made))


def panel_title(axes: Axes, text: str) -> None:
    """Above a panel of a row, flush left, no wider than the panel."""
    row, place = axes.get_figure(root=False), axes.get_subplotspec()
    assert row is not None and place is not None
    room = row.bbox.width / row.dpi / place.get_gridspec().ncols - PANEL_FRAME
    axes.set_title(fitted(text, room, LEGEND_SIZE), loc="left")


def _wrap(text: str, room: float, size: float, bold: bool = False) -> list[str]:
    lines: list[str] = []
    words = [part for word in text.split() for part in _parts(legible(word), room, size)]
    for word in words:
        if lines and text_width(f"{lines[-1]} {word}", size, bold) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _parts(word: str, room: float, size: float) -> list[str]:
    """A word, broken where it is longer than a line."""
    longest = max(1, int(len(word) * 0.9 * room / max(text_width(word, size, True), 1e-9)))
    return [word[i : i + longest] for i in range(0, len(word), longest)]


def _legend(styles: Sequence[MethodStyle], room: float) -> list[list[tuple[float, MethodStyle]]]:
    """The lines of the legend, the references on one of their own where that costs none."""
    together = _flow(styles, room)
    apart = [
        line
        for part in (
            [style for style in styles if not style.reference],
            [style for style in styles if style.reference],
        )
        if part
        for line in _flow(part, room)
    ]
    return apart if len(apart) <= len(together) else together


def _flow(styles: Sequence[MethodStyle], room: float) -> list[list[tuple[float, MethodStyle]]]:
    """The entries of a legend line by line, each with its distance from the left."""
    lines: list[list[tuple[float, MethodStyle]]] = [[]]
    x = 0.0
    for style in styles:
        wide = SAMPLE + SAMPLE_GAP + text_width(style.label, LEGEND_SIZE)
        if lines[-1] and x + wide > room:
            lines.append([])
            x = 0.0
        lines[-1].append((x, style))
        x += wide + ENTRY_GAP
    return lines


def _legend_line(figure: Figure, entries: Iterable[tuple[float, MethodStyle]], y: float) -> None:
    width, height = figure.get_size_inches()
    for x, style in entries:
        left = MARGIN + x
        sample = np.array([left, left + SAMPLE / 2, left + SAMPLE]) / width
        line = Line2D(sample, np.full(3, 1 - y / height), markevery=[1], **line_look(style))
        line.set_transform(figure.transFigure)
        figure.add_artist(line)
        figure.text(
            (left + SAMPLE + SAMPLE_GAP) / width,
            1 - y / height,
            style.label,
            va="center_baseline",
            size=LEGEND_SIZE,
        )
