"""Results files that are right but unusual: what every command has to cope with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from synthetic import changed, grid, write

SEEDS = [0, 1, 2]
LONG = "a_long_label_" * 12
TWO = grid(merge__method=["average", "fleet-merge", "joint"], seed=SEEDS)
Make = Callable[[Path], Path]


def _sweep(path: Path, axes: dict[str, Any], **how: Any) -> Path:
    return write(path, axes, epochs=3, **how)


def _with_values(values: list[float], metric: str = "accuracy") -> Make:
    def make(path: Path) -> Path:
        with changed(_sweep(path, TWO)) as file:
            rows = file["metrics"][:]
            rows["value"], rows["metric"] = np.resize(values, len(rows)), metric
            file["metrics"][:] = rows
        return path

    return make


def _without_metrics(path: Path) -> Path:
    with changed(_sweep(path, TWO)) as file:
        none = file["metrics"][:0]
        del file["metrics"]
        file["metrics"] = none
    return path


def _named(name: str, axes: dict[str, Any]) -> Make:
    def make(path: Path) -> Path:
        with changed(_sweep(path, axes)) as file:
            file.attrs["name"] = name
        return path

    return make


ODD: dict[str, Make] = {
    "a single cell": partial(_sweep, axes=grid()),
    "nothing finished": partial(_sweep, axes=grid(seed=SEEDS), failed=lambda _: True),
    "no values": _without_metrics,
    "NaN": _with_values([np.nan]),
    "infinite": _with_values([np.inf, 1.0, -np.inf, 2.0], "loss"),
    "ratios without bound": _with_values([1.5, np.inf, 1e9], "cost_ratio"),
    "one value": _with_values([0.5]),
    "many methods": partial(_sweep, axes=grid(merge__method=[f"m{i}" for i in range(40)])),
    "long labels": partial(
        _sweep,
        axes=grid(
            merge__method=[f"{LONG}{i}" for i in range(8)], data__demos=[f"{LONG}x", f"{LONG}y"]
        ),
    ),
    "signs": _named(
        "名 $x$ <script>/..\n\x1b[31m",
        grid(
            merge__method=["平 均", "é$x^2$", "a|b\\"],
            data__demos=["日", "本", "$a_$", "a\nb", '<b>&"', "%{}_~^\\#", "\u202e"],
        ),
    ),
    "a long name": _named("n" * 300, grid(seed=SEEDS)),
    "dots for a name": _named("..", grid(**{"a/b": [1, 2], "a-b": [1, 2]})),
    "many values": partial(_sweep, axes=grid(fleet__alpha=list(np.geomspace(1e-3, 10, 60)))),
    "far values": partial(_sweep, axes=grid(train__x=[1e-300, 1e300, -1.0], seed=SEEDS)),
    "options of frequent merging": partial(
        _sweep,
        axes=grid(**{"merge.method": ["average", "m"], "merge.m.k": [1, 2], "seed": SEEDS}),
    ),
    "instruments": partial(_sweep, axes=TWO, instruments=True),
}
