"""Words as they can be drawn: in signs that the typeface has, and no longer than there is room."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

from fleet_analysis.names import escaped, visible

FAMILY = "DejaVu Sans"  # which comes with matplotlib
MOST_SIGNS = 400  # of a text, whatever the room


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Of a line of type, in inches."""
    font = FontProperties(family=FAMILY, weight=_weight(bold), size=size)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def legible(text: str) -> str:
    """With escapes for signs that the typeface lacks, so that other words look otherwise."""
    known = _signs()
    return "".join(sign if sign in known else escaped(sign) for sign in text)


def fitted(text: str, room: float, size: float) -> str:
    """Legible, and in the middle shortened to `room` inches."""
    text = legible(text)
    if len(text) <= MOST_SIGNS and text_width(text, size) <= room:
        return text
    shortest, longest = 0, MOST_SIGNS // 2
    while shortest < longest:
        kept = (shortest + longest + 1) // 2
        fits = 2 * kept < len(text) and text_width(_shortened(text, kept), size) <= room
        shortest, longest = (kept, longest) if fits else (shortest, kept - 1)
    return _shortened(text, max(shortest, 1))


def all_fitted(texts: Sequence[str], room: float, size: float) -> list[str]:
    """Each fitted; what would then look like another has a number behind it."""
    taken: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        short, number = fitted(text, room, size), 2
        while short in taken:
            mark = f" ({number})"
            short = fitted(text, room - text_width(mark, size), size) + mark
            number += 1
        taken[short] = text
    shown = {text: short for short, text in taken.items()}
    return [shown[text] for text in texts]


def _shortened(text: str, kept: int) -> str:
    return f"{text[:kept]}…{text[-kept:]}" if 2 * kept < len(text) else text


def _weight(bold: bool) -> str:
    return "bold" if bold else "normal"


@lru_cache(maxsize=1)
def _signs() -> frozenset[str]:
    """Those that the typeface has in both weights."""
    maps = [
        get_font(findfont(FontProperties(family=FAMILY, weight=_weight(bold)))).get_charmap()
        for bold in (False, True)
    ]
    signs = map(chr, maps[0].keys() & maps[1].keys())
    return frozenset(sign for sign in signs if visible(sign) == sign)
