"""What was measured, as Markdown."""

from math import isnan
from typing import Protocol

from contenders import Contender, Figures


class Measured(Protocol):
    """A job of some kind."""

    title: str
    part: str  # what the second column times

    def doubts(self, medians: list[Figures]) -> str: ...


def table(job: Measured, contenders: list[Contender]) -> str:
    """Beside the first contender."""
    first = contenders[0].median()
    lines = [
        f"## {job.title}",
        "",
        f"| | in all, s | {job.part}, ms | processor, s | memory, MiB | accuracy, % |",
        "|---|---|---|---|---|---|",
        *(row(contender, first) for contender in contenders),
        "",
        *versions(contenders),
    ]
    if doubts := job.doubts([one.median() for one in contenders if one.figures]):
        lines += ["", doubts]
    return "\n".join([*lines, ""])


def row(contender: Contender, first: Figures) -> str:
    if contender.skipped:
        return f"| {contender.name} | skipped: {contender.skipped} | | | | |"
    own = contender.median()
    cells = [
        beside(own.seconds, first.seconds, 1),
        beside(own.part_ms, first.part_ms, 1),
        beside(own.processor_seconds, first.processor_seconds, 1),
        beside(own.memory_mib, first.memory_mib, 0),
        f"{100 * own.accuracy:.1f}",
    ]
    return f"| {contender.name} | {' | '.join(cells)} |"


def beside(value: float, first: float, digits: int) -> str:
    if isnan(value):
        return ""
    told = f"{value:,.{digits}f}"
    ratio = value / first
    return told if isnan(ratio) else f"{told} ({ratio:.{0 if ratio >= 9.95 else 1}f} x)"


def versions(contenders: list[Contender]) -> list[str]:
    """A line for each program, which may have several rows."""
    told = {one.name.partition(":")[0]: one.versions for one in contenders if one.versions}
    return [
        f"- {name}: " + ", ".join(f"{part} {found}" for part, found in parts.items())
        for name, parts in told.items()
    ]
