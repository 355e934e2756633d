"""Our figures look the same whatever a user's own settings of matplotlib are, and leave them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from fleet_analysis.style import RC
from fleet_analysis.written import MAKER, replacing

MOST_PIXELS = 60_000  # along a side; Agg takes no more than 65,535


@contextmanager
def our_look(more: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Within, figures are made and saved in our style, and `more`."""
    own: Any = {**RC, **dict(more or {})}
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(own)
        yield


def save(figure: Figure, path: Path) -> None:
    """In the format that the path's suffix names; in fewer dots per inch where a figure of very
    many rows would be larger than a picture can be. Raises ResultsError where what has this name
    is none of our figures."""
    dpi = min(float(mpl.rcParams["savefig.dpi"]), MOST_PIXELS / max(figure.get_size_inches()))
    kind = path.suffix.removeprefix(".")
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format=kind, dpi=dpi, metadata=MAKER[kind])
