"""Looks at a running sweep again and again, until it has finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fleet_analysis.files import Reader, ResultsError
from fleet_analysis.load import Results, load
from fleet_analysis.sweep import SweepState, sweep_state

Sleep = Callable[[float], None]


def looks(
    directory: Path, seconds: float, sleep: Sleep = time.sleep
) -> Iterator[tuple[Results | None, SweepState]]:
    """The sweep's results, None before its first cell has ended, and its state: now, and every so
    many seconds until it has finished. Raises ResultsError where it cannot be read twice running;
    once may be, since cells come and go meanwhile."""
    read = Reader()
    unread: ResultsError | None = None
    while True:
        state = sweep_state(directory)
        try:
            yield _results(directory, state, read), state
        except ResultsError as error:
            if unread is not None:
                raise
            unread = error
        else:
            unread = None
            if state.finished:
                return
        sleep(seconds)


def _results(directory: Path, state: SweepState, read: Reader) -> Results | None:
    return load(directory, read) if state.done or state.failed else None
