"""How long 10,000 cells x 50 rounds take to load and to report (`make bench`)."""

import os
import resource
import tempfile
import time
from pathlib import Path

from synthetic import grid, write

import fleet_analysis
from fleet_analysis.cli import main

AXES = grid(
    merge__method=["average", "git-rebasin", "fleet-merge", "regression", "joint"],
    fleet__alpha=[0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0],
    fleet__robots=[5, 10],
    merge__participation=[0.2, 0.4, 0.6, 0.8, 1.0],
    seed=list(range(20)),
)


def timed(what: str, start: tuple[float, float]) -> tuple[float, float]:
    now = clocks()
    print(f"{what:42} {now[0] - start[0]:6.2f} s, {now[1] - start[1]:6.2f} s of processor time")
    return now


def clocks() -> tuple[float, float]:
    return time.perf_counter(), sum(os.times()[:2])


with tempfile.TemporaryDirectory() as directory:
    path = write(Path(directory) / "sweep.h5", AXES, epochs=50)
    start = clocks()
    results = fleet_analysis.load(path)
    tables = (results.metrics, results.rounds, results.shards)
    rows = sum(map(len, tables))
    start = timed(f"load {len(results.cells):,} cells, {rows:,} rows", start)
    del results, tables
    main(["report", str(path), "-o", f"{directory}/report.html"])
    timed("report", start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = os.path.getsize(f"{directory}/report.html") / 1e6  # noqa: PTH202
    print(f"page {size:.1f} MB, peak memory {peak:.0f} MiB")
