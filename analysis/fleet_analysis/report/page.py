"""The page: its sections in order, with style, script and figures inside it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from fleet_analysis.load import Results
from fleet_analysis.names import file_names
from fleet_analysis.report import sections
from fleet_analysis.report.cells import cells_section
from fleet_analysis.report.pictures import figures_section
from fleet_analysis.sweep import SweepState
from fleet_analysis.written import NAME, check_target, replacing

#: Nothing is fetched from anywhere, whatever a name in a results file may say.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def write_report(
    results: Results,
    path: Path,
    metric: str = "accuracy",
    split: str = "test",
    state: SweepState | None = None,
    refresh: int | None = None,
) -> Path:
    """Writes the page, whole or not at all, to a file, or as NAME.html to a directory; where it is.
    The same results give the same bytes. Only a page that was written so is replaced: raises
    ResultsError where anything else has the name.

    `state`: of a sweep's directory, how far it is. `refresh`: seconds after which a browser is to
    load the page anew.
    """
    if path.is_dir():
        path = path / f"{file_names([results.name])[0]}.html"
    check_target(path)  # before the work
    text = report_page(results, metric, split, state, refresh)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    return path


def report_page(
    results: Results,
    metric: str,
    split: str,
    state: SweepState | None = None,
    refresh: int | None = None,
) -> str:
    """The HTML. Where no cell has finished, what is left to say: how far, why not, the
    configuration."""
    parts: Sequence[sections.Section | None] = [
        sections.failures_section(results),
        sections.running_section(state),
        sections.outcome_section(results, metric, split),
        figures_section(results, metric, split),
        sections.costs_section(results),
        cells_section(results, metric, split),
        sections.config_section(results),
    ]
    present = [part for part in parts if part is not None]
    links = "".join(f'<a href="#{part.name}">{escape(part.title)}</a>' for part in present)
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    body = "\n".join(
        f'<section id="{part.name}"><h2>{escape(part.title)}</h2>\n{part.body}\n</section>'
        for part in present
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="{NAME}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">{again}
<title>{escape(results.name)}</title>
<link rel="icon" href="data:,">
<style>
{_asset("report.css")}</style>
</head>
<body>
{sections.heading(results, state)}
<nav>{links}</nav>
{body}
<script>
{_asset("report.js")}</script>
</body>
</html>
"""


def _asset(name: str) -> str:
    return files("fleet_analysis.report").joinpath(name).read_text(encoding="utf-8")
