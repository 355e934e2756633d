"""The figures as pictures inside the page."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import Any

from matplotlib.figure import Figure

from fleet_analysis.figures import every_figure
from fleet_analysis.figures.look import our_look
from fleet_analysis.load import Results
from fleet_analysis.report.sections import Section

#: Letters as outlines, for a phone has not our typeface; names in the file that do not change.
SVG: Any = {"svg.fonttype": "path", "svg.hashsalt": "fleet"}
SCALE = 6.5  # rem on the screen for an inch on paper: type of one size in all pictures
WIDE = 5.5  # inches, above which a picture has the page's whole width


def figures_section(results: Results, metric: str, split: str) -> Section | None:
    """Every figure that the results can feed; the overview first."""
    if results.done.empty:
        return None
    with our_look(SVG):
        pictures = [
            _picture(name, figure) for name, figure in every_figure(results, metric, split).items()
        ]
    return Section("figures", "Figures", f'<div class="figures">{"".join(pictures)}</div>')


def _picture(name: str, figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None}, facecolor="none")
    data = base64.b64encode(file.getvalue()).decode("ascii")
    wide = ' class="wide"' if figure.get_figwidth() > WIDE else ""
    most = f"max-width:{SCALE * figure.get_figwidth():.1f}rem"
    return (
        f'<figure{wide}><div class="sheet"><img alt="{escape(name)}" style="{most}" '
        f'src="data:image/svg+xml;base64,{data}"></div></figure>'
    )
