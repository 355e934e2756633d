"""What a results file holds: the version, the columns that must be there, the keys with a
meaning."""

VERSION = 1
OLDEST = 1  # that can still be read

METHOD = "merge.method"
SEED = "seed"
EVERY_EPOCHS = "merge.every_epochs"
ALPHA = "fleet.alpha"
PARTICIPATION = "merge.participation"
KIND = "model.kind"
ONE_SHOT = 0  # the value of EVERY_EPOCHS that stands for a single merge, at the end

#: How data are dealt: settings of workloads that deal them, and not of a program that has its own.
DEALT = (ALPHA, "fleet.partition")

#: Settings that /cells always holds, swept or not.
SETTINGS = ("workload", METHOD, SEED, "fleet.robots", EVERY_EPOCHS, PARTICIPATION)

#: Methods that merge nothing and serve as reference lines, with the settings that do not touch them
#: (a key, or a prefix that ends in a dot). Where such a setting is swept, one run of them serves
#: all.
REFERENCES: dict[str, tuple[str, ...]] = {
    "joint": ("merge.", *DEALT),
    "local": ("merge.",),
}

#: The columns that each table must have; it may have more.
COLUMNS: dict[str, tuple[str, ...]] = {
    "cells": ("cell", "id", "status", "reason", *SETTINGS),
    "metrics": ("cell", "round", "epoch", "robot", "split", "metric", "value"),
    "shards": ("cell", "robot", "label", "samples"),
    "rounds": ("cell", "round", "epoch", "participants", "bytes_moved", "merge_iterations"),
}

#: Tables that only files with something to put there have.
OPTIONAL: dict[str, tuple[str, ...]] = {
    "traffic": ("cell", "round", "cargo", "sent", "received"),
    "instruments": (
        *("cell", "round", "instrument", "subject", "split", "metric"),
        *("robot", "other", "at", "value"),
    ),
}

#: Of the columns above, those that hold strings; the others hold numbers.
STRINGS = frozenset(
    (
        *("id", "status", "reason", "workload", METHOD, "fleet.partition"),
        *("split", "metric", "instrument", "subject", "cargo"),
    )
)

#: Columns of /cells that say how a cell went, not what it was, and those of its wall seconds; of
#: these COUNTS and the seconds are numbers where they are there.
COUNTS = ("ranks", "rounds", "bytes_moved", "processor_seconds", "peak_memory_mib")
OUTCOMES = ("cell", "id", "status", "reason", *COUNTS)
SECONDS = "seconds_"

#: Strings that differ from row to row, and so are not categoricals.
PLAIN_STRINGS = ("id", "reason")

#: Metrics between 0 and 1, by their first word; others may follow after an underscore.
SHARES = ("accuracy", "success")
#: Metrics of which more is better.
RISING = (*SHARES, "score", "reward", "return")

#: Those of linear policies that are costs over the optimal cost, without bound where unstable.
RATIOS = ("cost_ratio", "stationary_ratio", "zero_ratio")

#: Where the wall seconds of a cell or a round go, in the order in which they are drawn.
PHASES = ("train", "merge", "evaluate", "wait", "other")


def is_share(metric: str) -> bool:
    """Whether a metric lies between 0 and 1 and is shown in percent."""
    return _begins(metric, SHARES)


def higher_is_better(metric: str) -> bool:
    """Whether more is better; all other metrics are losses or costs."""
    return _begins(metric, RISING)


def is_ratio(metric: str) -> bool:
    """Whether a metric is a cost over the optimal cost, over all tasks or of one."""
    return metric.partition(".")[0] in RATIOS


def _begins(metric: str, words: tuple[str, ...]) -> bool:
    return any(metric == word or metric.startswith(f"{word}_") for word in words)
