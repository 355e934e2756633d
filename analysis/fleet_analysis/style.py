"""The look of the figures: sizes, type, colours and words, each in one place."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fleet_analysis.schema import EVERY_EPOCHS, METHOD, ONE_SHOT, REFERENCES, SEED

INK = "#222222"
MUTED = "#6b6b6b"
GRID = "#e6e6e6"
TICK_SIZE = 7.5  # points
DIGITS = (6, 9, 12)  # of a number in a label: the first, or more where values would look the same

#: A name, or an offset with the lengths of dashes and gaps.
LineStyle = str | tuple[float, tuple[float, ...]]

RC: Any = {  # matplotlib.rc_context wants a type that only its newest versions name
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "text.color": INK,
    "text.parse_math": False,  # a $ in a name is a $
    "axes.labelsize": 8,
    "axes.labelcolor": INK,
    "axes.titlesize": 8,
    "axes.titlepad": 5,
    "axes.edgecolor": "#9a9a9a",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.labelsize": TICK_SIZE,
    "ytick.labelsize": TICK_SIZE,
    "xtick.color": "#9a9a9a",
    "ytick.color": "#9a9a9a",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class MethodStyle:
    """How a method is drawn in every figure."""

    label: str
    colour: str
    marker: str
    linestyle: LineStyle = "-"
    reference: bool = False


#: Okabe and Ito's palette, which the colour-blind can tell apart. The order is that of the legends.
KNOWN: dict[str, MethodStyle] = {
    "average": MethodStyle("average", "#0072B2", "o"),
    "git-rebasin": MethodStyle("git-rebasin", "#009E73", "s"),
    "fleet-merge": MethodStyle("fleet-merge", "#D55E00", "D"),
    "regression": MethodStyle("regression", "#CC79A7", "^"),
    "auto": MethodStyle("auto", "#117733", "P"),
    "fisher": MethodStyle("fisher", "#E69F00", "v"),
    "gl": MethodStyle("gl", "#882255", "h"),
    "sinkhorn-data": MethodStyle("sinkhorn-data", "#56B4E9", "p"),
    "random": MethodStyle("random weights", "#a6761d", "x", (0, (3, 1.5))),
    "one-robot": MethodStyle("one robot's", "#666600", "+", (0, (3, 1.5))),
    "joint": MethodStyle("joint (pooled data)", "#555555", "", (0, (5, 2)), reference=True),
    "local": MethodStyle("local (no merging)", "#8c8c8c", "", (0, (1, 1.6)), reference=True),
}

#: What a cell spends its time on.
PHASE_COLOURS = {
    "train": "#0072B2",
    "merge": "#D55E00",
    "evaluate": "#009E73",
    "wait": "#b9b9b9",
    "other": "#CC79A7",
}

#: For methods not in the table above: colours far from those in it.
FALLBACK: tuple[tuple[str, str], ...] = (
    ("#332288", "<"),
    ("#999933", ">"),
    ("#661100", "H"),
    ("#000000", "d"),
    ("#7F6FC9", "8"),
)


def method_styles(methods: Iterable[str]) -> dict[str, MethodStyle]:
    """A style per method, in the order of the legend: known, unknown, then the references.

    An unknown method's colour depends on its name, so that it keeps it from figure to figure; only
    where two unknown ones would share a colour does the second in the alphabet move on.
    """
    present = set(methods)
    unknown: dict[str, MethodStyle] = {}
    taken: set[int] = set()
    for name in sorted(present - set(KNOWN)):
        slot = zlib.crc32(name.encode()) % len(FALLBACK)
        while slot in taken and len(taken) < len(FALLBACK):
            slot = (slot + 1) % len(FALLBACK)
        taken.add(slot)
        unknown[name] = MethodStyle(name, *FALLBACK[slot])
    styles = {name: style for name, style in KNOWN.items() if name in present} | unknown
    return dict(sorted(styles.items(), key=lambda item: item[0] in REFERENCES))


def line_look(style: MethodStyle) -> dict[str, Any]:
    """The properties of a method's line, in a panel as in the legend."""
    stroke = style.marker == "|"  # which is all edge
    return {
        "color": style.colour,
        "linestyle": style.linestyle,
        "linewidth": 1.2 if style.reference else 1.6,
        "marker": style.marker or "none",
        "markersize": 4.0 if style.marker == "D" else 6.0 if stroke else 4.8,
        "markeredgecolor": style.colour if stroke else "white",
        "markeredgewidth": 1.4 if stroke else 0.5,
    }


#: What an axis is called under a panel, and in running text.
AXIS_NAMES: dict[str, tuple[str, str]] = {
    "workload": ("workload", "workload"),
    "fleet.robots": ("robots in the fleet", "fleet size"),
    "fleet.alpha": ("Dirichlet α (small: skewed shards)", "α"),
    "fleet.partition": ("partition of the data", "partition"),
    EVERY_EPOCHS: ("local epochs between merges", "merge frequency"),
    "merge.participation": ("share of robots in a merge", "participation"),
    "noise.measurement": ("variance of the measurement noise", "measurement noise"),
    "data.trajectories": ("trajectories per robot", "trajectories"),
    "system.states": ("dimension of the state", "state dimension"),
    METHOD: ("", "method"),
    SEED: ("seed", "seed"),
}


def axis_label(key: str) -> str:
    """For under an axis."""
    return AXIS_NAMES[key][0] if key in AXIS_NAMES else key.replace("_", " ")


def axis_name(key: str) -> str:
    """For running text."""
    return AXIS_NAMES[key][1] if key in AXIS_NAMES else key.split(".")[-1].replace("_", " ")


def value_label(key: str, value: object) -> str:
    """A value of an axis as a tick says it; a list of equal entries by their number."""
    return _label(key, value, DIGITS[0])


def value_labels(key: str, values: Iterable[Any]) -> dict[Any, str]:
    """The label of each value, with as many digits as tell all of them apart."""
    distinct = [value for value in dict.fromkeys(values) if value == value]
    for digits in DIGITS:
        labels = {value: _label(key, value, digits) for value in distinct}
        if len(set(labels.values())) == len(labels):
            return labels
    return {value: str(value) for value in distinct}  # a number's is all of its digits


def setting_label(key: str, value: object, text: str | None = None) -> str:
    """An axis and its value, as the title of a panel; `text`: the value's label."""
    text = value_label(key, value) if text is None else text
    if key == EVERY_EPOCHS:
        plural = "epoch" if text == "1" else f"{text} epochs"
        return "one-shot merge" if value == ONE_SHOT else f"merge every {plural}"
    if key in ("workload", "fleet.partition"):
        return text
    if key == "fleet.robots":
        return f"{text} robots"
    return f"{axis_name(key)} = {text}"


def _label(key: str, value: object, digits: int) -> str:
    if key == EVERY_EPOCHS and value == ONE_SHOT:
        return "one-shot"
    if isinstance(value, str):
        entries = value.strip("[]").split(", ")
        if value.startswith("[") and len(entries) > 1 and len(set(entries)) == 1:
            return f"{len(entries)} × {entries[0]}"
        return value or "(none)"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:.{digits}g}"
    return str(value)
