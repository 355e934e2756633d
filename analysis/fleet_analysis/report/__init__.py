"""One self-contained HTML page about a sweep: no network, readable on a phone."""

from fleet_analysis.report.page import write_report

__all__ = ["write_report"]
