"""How far a sweep is, as its directory says (docs/analysis/files.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fleet_analysis.files import ResultsError, planned

DONE, FAILED, RUNNING = ".h5", ".failed.h5", ".running"


@dataclass(frozen=True)
class SweepState:
    """The cells of a sweep by what has become of them: id and label, in the order of the plan.
    `running` maps to what the cell's own file says: host, process, round, time."""

    name: str
    labels: dict[str, str]
    done: frozenset[str]
    failed: frozenset[str]
    running: dict[str, str]

    @property
    def planned(self) -> int:
        """How many cells the sweep has in all."""
        return len(self.labels)

    @property
    def finished(self) -> bool:
        """Whether no cell is left to run; failed ones are not run again by themselves."""
        return len(self.done | self.failed) >= self.planned

    @property
    def pending(self) -> int:
        """How many cells have not been begun, or were interrupted."""
        return len(self.labels.keys() - self.done - self.failed - self.running.keys())


def is_sweep(path: Path) -> bool:
    """Whether this is a directory that `fleet run` works in."""
    return (path / "cells.tsv").is_file()


def sweep_state(path: Path) -> SweepState:
    """By one look at the directory. Raises ResultsError where it is no sweep's."""
    if not path.is_dir():
        reason = "not a directory" if path.exists() else "no such directory"
        raise ResultsError(f"{path}: {reason}; a sweep's directory is needed")
    labels = planned(path)
    if labels is None:
        raise ResultsError(f"{path}: not a sweep's directory (no cells.tsv)")
    names = [entry.name for entry in (path / "cells").glob("*")]
    failed = {name.removesuffix(FAILED) for name in names if name.endswith(FAILED)}
    done = {name.removesuffix(DONE) for name in names if name.endswith(DONE)} - {
        f"{name}.failed" for name in failed
    }
    under_way = {name.removesuffix(RUNNING) for name in names if name.endswith(RUNNING)}
    return SweepState(
        name=path.resolve().name,
        labels=labels,
        done=frozenset(done & labels.keys()),
        failed=frozenset((failed - done) & labels.keys()),
        running={name: _said(path / "cells" / f"{name}{RUNNING}") for name in labels
                 if name in under_way - done - failed},
    )  # fmt: skip


def _said(path: Path) -> str:
    """What a running cell's file says; nothing where the cell has just ended."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
