"""The page around the panels: title, notes and legend above, everything flush left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from fleet_analysis.style import MUTED, MethodStyle, line_look

# All in inches, but for the sizes of type, which are in points.
# By the number of panels side by side: a column of two, the text of one column, that of two.
WIDTHS = {1: 3.4, 2: 5.4, 3: 7.0, 4: 7.0}
ROW_HEIGHT = 2.1
MARGIN = 0.08
GAP = 0.06
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
    heading = _wrap(title.split(), room, TITLE_SIZE, bold=True)
    remarks = _wrap("; ".join(notes).split(), room, NOTE_SIZE)
    entries = _legend(styles, room)
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


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Of a line of type, in inches."""
    weight = "bold" if bold else "normal"
    font = FontProperties(family="DejaVu Sans", weight=weight, size=size)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def _wrap(words: Sequence[str], room: float, size: float, bold: bool = False) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and text_width(f"{lines[-1]} {word}", size, bold) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


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
