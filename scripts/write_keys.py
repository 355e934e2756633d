#!/usr/bin/env python3
"""Writes the pages of docs/ that list every setting, from the code: `make keys`.

usage: write_keys.py FLEET [DIRECTORY]
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

#: Of each page: how it begins, and which settings it lists: all below a prefix or, after "=", one section alone, which
#: then stands nowhere else.
PAGES = {
    "settings.md": (
        """\
# Settings

This page lists the settings of the sweep, the fleet, its data and the run: what each means, what it
may be, and its default. [A sweep of your own](sweeps.md) says how to write them. Further pages list
the settings of [training and tests](settings-training.md), of [merges](settings-merges.md), of
[merging methods](settings-methods.md), and of
[networks and linear systems](settings-networks.md).
""",
        [
            *("name", "workload", "seed", "fleet", "data", "privacy", "external", "run"),
        ],
    ),
    "settings-training.md": (
        """\
# Settings of training and tests

This page lists how robots train, how policies are tested, and what [instruments](instruments.md)
measure besides.
""",
        ["train", "evaluate", "instruments"],
    ),
    "settings-merges.md": (
        """\
# Settings of merges

This page lists the settings below `merge` that all methods have in common: when robots merge, who
takes part, by which method, and what follows.
""",
        ["=merge", "=merge.after"],
    ),
    "settings-methods.md": (
        """\
# Settings of merging methods

This page lists the options of each method. [Merging methods](methods.md) explains what the methods
do.
""",
        ["merge"],
    ),
    "settings-networks.md": (
        """\
# Settings of networks and linear systems

This page lists the settings of [networks](networks.md) and of [linear control](workloads/lqg.md).
""",
        ["model", "policy", "system", "tasks", "noise"],
    ),
}

HEAD = "<!-- Written by `make keys` from the code that reads the settings: do not edit. -->\n"
READ = """\
"Where" names the workloads that read a key, and what else must hold for it to be read. Where it is
empty every sweep reads it. `fleet keys PREFIX` prints the same in a terminal.
"""


class Row(NamedTuple):
    """A line of a section's table; a setting may have several."""

    title: str
    head: str
    key: str
    text: str


def listed(fleet: str) -> list[Row]:
    """Every setting that there is."""
    # As for a reader who has set nothing.
    environment = {name: text for name, text in os.environ.items() if name != "FLEET_DATA"}
    line = [fleet, "keys", "--markdown"]
    said = subprocess.run(line, capture_output=True, text=True, check=True, env=environment)
    rows: list[Row] = []
    for section in said.stdout.split("\n## ")[1:]:
        title, _, table = section.partition("\n\n")
        head, lines = table.split("|---|\n")
        for text in lines.strip().splitlines():
            named = re.match(r"\| `([^`]+)`", text)
            rows.append(Row(title, f"{head}|---|\n", named[1] if named else rows[-1].key, text))
    return rows


def tables(rows: list[Row], prefixes: list[str]) -> str:
    """Those of all prefixes, each section once."""
    alone = {prefix for _, listing in PAGES.values() for prefix in listing if prefix[0] == "="}
    sections: dict[str, str] = {}
    for prefix in prefixes:
        # What stands before all sections of a prefix, as `train` before `train.x`, comes first.
        for row in sorted(rows, key=lambda row: row.title):
            section = f"={row.title}"
            below = f"{row.key}.".startswith(f"{prefix}.") and section not in alone
            if section == prefix or below:
                sections[row.title] = sections.get(row.title, row.head) + f"{row.text}\n"
    return "".join(f"\n## {title}\n\n{table}" for title, table in sections.items())


def main(fleet: str, directory: str = "docs") -> None:
    rows = listed(fleet)
    prefixes = {prefix for _, listing in PAGES.values() for prefix in listing}
    forgotten = sorted({row.key for row in rows if row.key.partition(".")[0] not in prefixes})
    if forgotten:
        sys.exit(f"on no page of PAGES: {', '.join(forgotten)}")
    for name, (beginning, prefixes) in PAGES.items():
        text = f"{HEAD}\n{beginning}\n{READ}{tables(rows, prefixes)}"
        Path(directory, name).write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
