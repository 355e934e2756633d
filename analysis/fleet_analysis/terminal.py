"""Pictures in a terminal: curves in Braille dots, a bar, colours where they are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: The bit of each of a Braille sign's dots, by row and column.
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
BLANK = 0x2800


@dataclass(frozen=True)
class Curve:
    """A line to be drawn, with its name at the right end."""

    name: str
    colour: str
    x: Sequence[float]
    y: Sequence[float]


def chart(curves: Sequence[Curve], width: int, height: int, colour: bool) -> list[str]:
    """Lines of at most `width` signs, `height` of them curves, one scale below them. The curves
    share both axes; names stand where the curves end, moved apart where those meet."""
    xs = np.concatenate([np.asarray(curve.x, dtype=float) for curve in curves])
    ys = np.concatenate([np.asarray(curve.y, dtype=float) for curve in curves])
    ys = ys[np.isfinite(ys)]
    if not len(ys):
        return []
    left, right = float(xs.min()), float(xs.max())
    low, high = _padded(float(ys.min()), float(ys.max()))
    names = max(len(curve.name) for curve in curves)
    ticks = [f"{value:.3g}" for value in np.linspace(high, low, 3)]
    margin = max(map(len, ticks))
    columns = max(8, width - margin - names - 4)
    signs = np.zeros((height, columns), dtype=int)
    owner = np.full((height, columns), -1)
    ends: dict[str, float] = {}
    for number, curve in enumerate(curves):
        across = (np.asarray(curve.x) - left) / max(right - left, 1e-12) * (2 * columns - 1)
        down = (high - np.asarray(curve.y)) / (high - low) * (4 * height - 1)
        for column, row in _dots(across, down):
            signs[row // 4, column // 2] |= DOTS[row % 4][column % 2]
            owner[row // 4, column // 2] = number
        finite = down[np.isfinite(down)]
        ends[curve.name] = finite[-1] / 4 if len(finite) else height - 1
    labels = _apart(ends, height)
    marks = dict(zip((0, height // 2, height - 1), ticks, strict=False))
    lines = []
    for row in range(height):
        body = "".join(
            painted(chr(BLANK + sign), curves[own].colour if own >= 0 else "", colour)
            for sign, own in zip(signs[row], owner[row], strict=True)
        )
        name = labels.get(row, "")
        shade = next((curve.colour for curve in curves if curve.name == name), "")
        axis = "┤" if row in marks else "│"
        lines.append(f"{marks.get(row, ''):>{margin}} {axis}{body} {painted(name, shade, colour)}")
    first, last = f"{left:g}", f"{right:g}"
    scale = first + last.rjust(columns - len(first))
    return [*lines, f"{'':{margin}} └{'─' * columns}", f"{'':{margin}}  {scale}"]


def bar(shares: Mapping[str, float], width: int) -> str:
    """Signs in proportion to shares of 1; what is left over is light."""
    text = "".join(sign * round(share * width) for sign, share in shares.items())
    return text[:width].ljust(width, "░")


def painted(text: str, colour: str, wanted: bool) -> str:
    """In one of a terminal's 216 colours, the nearest to `#rrggbb`; plain where that is not
    wanted."""
    if not (wanted and colour and text.strip()):
        return text
    red, green, blue = (round(int(colour[i : i + 2], 16) / 51) for i in (1, 3, 5))
    return f"\x1b[38;5;{16 + 36 * red + 6 * green + blue}m{text}\x1b[0m"


def _padded(low: float, high: float) -> tuple[float, float]:
    room = 0.04 * (high - low) or 0.04 * abs(high) or 1.0
    return low - room, high + room


def _dots(across: np.ndarray, down: np.ndarray) -> list[tuple[int, int]]:
    """The dots of the straight lines from point to point."""
    known = np.isfinite(across) & np.isfinite(down)
    across, down = across[known], down[known]
    dots = [(round(x), round(y)) for x, y in zip(across[:1], down[:1], strict=True)]
    for i in range(1, len(across)):
        steps = int(max(abs(across[i] - across[i - 1]), abs(down[i] - down[i - 1]), 1))
        for t in np.linspace(0, 1, steps + 1):
            x = across[i - 1] + t * (across[i] - across[i - 1])
            y = down[i - 1] + t * (down[i] - down[i - 1])
            dots.append((round(x), round(y)))
    return dots


def _apart(ends: Mapping[str, float], height: int) -> dict[int, str]:
    """A row for every name, near where its curve ends, in their order from the top."""
    rows: dict[int, str] = {}
    ordered = sorted(ends, key=lambda name: ends[name])
    free = 0
    for place, name in enumerate(ordered):
        wanted = min(int(ends[name]), height - (len(ordered) - place))
        row = max(wanted, free)
        rows[row] = name
        free = row + 1
    return {row: name for row, name in rows.items() if row < height}
