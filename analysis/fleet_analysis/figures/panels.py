"""What stands inside a panel: lines with bands, points with intervals, reference lines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    StrMethodFormatter,
)

from fleet_analysis.figures.page import ROW_HEIGHT, WIDTHS
from fleet_analysis.figures.scale import Scale
from fleet_analysis.figures.words import fitted
from fleet_analysis.schema import METHOD, is_ratio, is_share
from fleet_analysis.style import MethodStyle, line_look

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MAX_MARKERS = 12


def draw_curves(axes: Axes, table: pd.DataFrame, styles: Mapping[str, MethodStyle]) -> None:
    """A line per method along `epoch`; a point where a method has but one."""
    for style, own in _by_method(table, styles):
        own = own.sort_values("epoch")
        x = own.epoch.to_numpy(dtype=float)
        if len(x) == 1:
            _points(axes, x, own, style)
        else:
            _line(axes, x, own, style)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))


def draw_final(
    axes: Axes,
    table: pd.DataFrame,
    scale: Scale,
    styles: Mapping[str, MethodStyle],
    width: float,
) -> None:
    """The value against a swept axis: lines on a scale, points with intervals beside each other
    where there is none. `width` is about that of the panel, in inches."""
    drawn = [style for style in styles.values() if not style.reference]
    for style, own in _by_method(table, styles):
        if scale.key == METHOD and style.reference:
            axes.axhline(own["mean"].iloc[0], **line_look(style))
            continue
        own = own.assign(x=scale.at(own[scale.key].tolist())).dropna(subset="x").sort_values("x")
        x = own.x.to_numpy()
        beside = np.full(len(x), scale.kind == "category") | (x == scale.apart)
        if style.reference and scale.kind == "category":
            _levels(axes, x, own, style)
        elif style.reference:
            _line(axes, x, own, style)
        else:
            _line(axes, x[~beside], own[~beside], style)
            spread = drawn.index(style) - (len(drawn) - 1) / 2
            shifted = x if scale.key == METHOD else scale.shifted(x, spread / len(drawn))
            _points(axes, shifted[beside], own[beside], style)
    scale.apply(axes, width)


def value_axis(axes: Axes, metric: str, split: str, prefix: str = "") -> None:
    """Percent for what is a share, a logarithmic scale for ratios, and a handful of ticks."""
    axes.set_ylabel(fitted(_words(metric, split, prefix), ROW_HEIGHT, 8))
    if is_ratio(metric):
        axes.set_yscale("log")
        ratio_ticks(axes.yaxis, axes.get_ylim()[1])
        return
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    if is_share(metric):
        percent_axis(axes.yaxis)
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -0.02), min(high, 1.02))


def value_axis_below(axes: Axes, metric: str, split: str, prefix: str = "") -> None:
    """The same for values along x."""
    axes.set_xlabel(fitted(_words(metric, split, prefix), WIDTHS[1] / 2, 8), loc="left")
    if is_ratio(metric):
        axes.set_xscale("log")
        ratio_ticks(axes.xaxis, axes.get_xlim()[1])
    elif is_share(metric):
        percent_axis(axes.xaxis)


def percent_axis(axis: XAxis | YAxis) -> None:
    """Shares in percent; along y padded to the width of "100", so that the panels of two rows begin
    at one place."""
    width = 3 if isinstance(axis, YAxis) else 0
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{100 * value:.4g}".rjust(width, "\u2007"))
    )


def ratio_ticks(axis: XAxis | YAxis, end: float) -> None:
    """Of a logarithmic axis from about 1 to `end`: 1, 2, 5, 10, ..., or powers of ten."""
    if end < 1000.0:
        few = MaxNLocator(5, steps=[1, 2, 5, 10])
        axis.set_major_locator(few if end < 4.0 else LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    else:
        axis.set_major_formatter(FuncFormatter(lambda value, _: _power(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _power(value: float) -> str:
    """A power of ten, in plain signs: mathematics is switched off, as a $ in a name is a $."""
    exponent = round(math.log10(value)) if value > 0 else 0
    if not math.isclose(value, 10.0**exponent, rel_tol=1e-9):
        return f"{value:g}"
    return f"10{str(exponent).translate(RAISED)}"


def _words(metric: str, split: str, prefix: str) -> str:
    return f"{prefix}{split} {metric}{' (%)' if is_share(metric) else ''}"


def _by_method(
    table: pd.DataFrame, styles: Mapping[str, MethodStyle]
) -> Iterator[tuple[MethodStyle, pd.DataFrame]]:
    """References first, so that they lie below."""
    for name in sorted(styles, key=lambda name: not styles[name].reference):
        own = table[table[METHOD] == name]
        if not own.empty:
            yield styles[name], own


def _line(axes: Axes, x: np.ndarray, own: pd.DataFrame, style: MethodStyle) -> None:
    every = 1 if len(x) <= MAX_MARKERS else len(x) // 6
    axes.plot(x, own["mean"], markevery=every, **line_look(style))
    shade = 0.12 if style.reference else 0.18
    axes.fill_between(x, own["low"], own["high"], color=style.colour, alpha=shade, linewidth=0)


def _points(axes: Axes, x: np.ndarray, own: pd.DataFrame, style: MethodStyle) -> None:
    look = {**line_look(style), "linestyle": "none"}
    if not style.marker:
        look |= {"marker": "_", "markersize": 9, "markeredgecolor": style.colour}
        look["markeredgewidth"] = look["linewidth"]
    axes.vlines(x, own["low"], own["high"], color=style.colour, alpha=0.4, linewidth=2.2)
    axes.plot(x, own["mean"], **look)


def _levels(axes: Axes, x: np.ndarray, own: pd.DataFrame, style: MethodStyle) -> None:
    """A reference over the width of each category."""
    look = line_look(style)
    axes.hlines(
        own["mean"],
        x - 0.42,
        x + 0.42,
        color=style.colour,
        linestyle=style.linestyle,
        linewidth=look["linewidth"],
    )
