"""Where the values of a swept axis stand on paper: linear, logarithmic, or side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from fleet_analysis.figures.words import all_fitted, text_width
from fleet_analysis.schema import EVERY_EPOCHS, ONE_SHOT
from fleet_analysis.style import TICK_SIZE, value_labels

LABEL = 1.0  # inches that the name of a category may have, however many there are
FARTHEST = 1e100  # a ratio of numbers beyond which no scale holds both
Kind = Literal["linear", "log", "category"]


@dataclass(frozen=True)
class Scale:
    """An axis and its values, in order; `positions[i]` is where `values[i]` stands.

    `apart` is the position of one-shot merging, which is on no scale of frequencies and stands
    beside it; None where there is none.
    """

    key: str
    kind: Kind
    values: list[Any]
    positions: list[float]
    apart: float | None = None

    def at(self, values: Iterable[Any]) -> np.ndarray:
        """Positions of values; NaN for one that is not on the axis."""
        known = dict(zip(self.values, self.positions, strict=True))
        return np.array([known.get(value, np.nan) for value in values], dtype=float)

    def shifted(self, positions: np.ndarray, share: float) -> np.ndarray:
        """Positions moved aside, so that points do not hide each other: by a share, from -0.5 to
        0.5, of the room that a category has."""
        if self.kind == "category":
            return np.asarray(positions + 0.7 * share)
        low, high = self.positions[0], self.positions[-1]
        if self.kind == "log":
            return np.asarray(positions * (high / low) ** (0.06 * share))
        return np.asarray(positions + 0.06 * share * (high - low))

    def apply(self, axes: Axes, width: float) -> None:
        """Scale, limits and ticks, at the values themselves: as many as `width` inches can hold."""
        left, right = (0.06, 0.06) if self.apart is None else (0.06, 0.15)
        first, last = self.positions[0], self.positions[-1]
        if self.kind == "category":
            axes.set_xlim(-0.6, len(self.values) - 0.4)
        elif self.kind == "log":
            axes.set_xscale("log")
            axes.set_xlim(first / (last / first) ** left, last * (last / first) ** right)
        else:
            axes.set_xlim(first - left * (last - first), last + right * (last - first))
        known = value_labels(self.key, self.values)
        room = max(width / len(self.values), LABEL) if self.kind == "category" else width
        labels = all_fitted([known[value] for value in self.values], room, TICK_SIZE)
        shown = _legible(self._fractions() * width, labels)
        axes.set_xticks([self.positions[i] for i in shown], [labels[i] for i in shown])
        axes.xaxis.set_minor_locator(NullLocator())

    def _fractions(self) -> np.ndarray:
        if self.kind == "category":
            return (np.array(self.positions) + 0.5) / len(self.positions)
        at = np.array(self.positions)
        at = np.log(at) if self.kind == "log" else at
        margins = 1.12 if self.apart is None else 1.21
        return np.asarray((at - at[0]) / (at[-1] - at[0]) / margins)


def scale_of(key: str, values: Sequence[Any]) -> Scale:
    """Logarithmic where all are positive and span more than tenfold, linear for other numbers, else
    categories. One-shot merging does not count: it stands apart."""
    numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    if not numeric:
        return _categories(key, list(values))
    ordered = sorted(values)
    once = [v for v in ordered if key == EVERY_EPOCHS and v == ONE_SHOT]
    numbers = [v for v in ordered if v not in once]
    far = len(numbers) > 1 and numbers[0] > 0 and numbers[-1] / FARTHEST > numbers[0]
    if len(numbers) < 2 or far or not np.isfinite([numbers[0], numbers[-1]]).all():
        return _categories(key, numbers + once)
    wide = numbers[0] > 0 and numbers[-1] > 10 * numbers[0]
    first, last = float(numbers[0]), float(numbers[-1])
    apart = last * (last / first) ** 0.4 if wide else last + (last - first) * 0.4
    positions = [float(v) for v in numbers] + [apart] * len(once)
    kind: Kind = "log" if wide else "linear"
    return Scale(key, kind, numbers + once, positions, apart if once else None)


def _categories(key: str, values: list[Any]) -> Scale:
    return Scale(key, "category", values, [float(i) for i in range(len(values))])


def _legible(places: np.ndarray, labels: Sequence[str]) -> list[int]:
    """Which ticks to label: from the last, all that keep clear of the one labelled before."""
    widths = [text_width(label, TICK_SIZE) for label in labels]
    shown: list[int] = []
    for i in reversed(range(len(labels))):
        clear = (widths[i] + widths[shown[-1]]) / 2 + 0.05 if shown else 0.0
        if not shown or places[shown[-1]] - places[i] >= clear:
            shown.append(i)
    return shown[::-1]
