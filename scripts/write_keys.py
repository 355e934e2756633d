#!/usr/bin/env python3
"""Writes the pages of docs/ that list every setting, from the code: `make keys`.

usage: write_keys.py FLEET [DIRECTORY]
"""

import os
import subprocess
import sys
from pathlib import Path

#: Of each page: how it begins, and which settings it lists.
PAGES = {
    "settings.md": (
        """\
# Settings

This page lists every setting but those of merging methods and networks: what it means, what it may
be, and its default. [A sweep of your own](sweeps.md) says how to write them. Two more pages list
the [settings of merging methods](settings-methods.md) and those of
[networks and linear systems](settings-networks.md).
""",
        ["name", "workload", "seed", "fleet", "data", "train", "evaluate", "instruments", "run"],
    ),
    "settings-methods.md": (
        """\
# Settings of merging methods

This page lists the settings below `merge`. [Merging methods](methods.md) explains what the methods
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


def tables(fleet: str, prefixes: list[str]) -> str:
    """Those of all prefixes, each section once."""
    # As for a reader who has set nothing.
    environment = {name: text for name, text in os.environ.items() if name != "FLEET_DATA"}
    sections: dict[str, str] = {}
    for prefix in prefixes:
        line = [fleet, "keys", prefix, "--markdown"]
        said = subprocess.run(line, capture_output=True, text=True, check=True, env=environment)
        for section in said.stdout.split("\n## ")[1:]:
            title, _, table = section.partition("\n\n")
            head, rows = table.split("|---|\n")
            sections[title] = sections.get(title, f"{head}|---|\n") + rows.strip() + "\n"
    return "".join(f"\n## {title}\n\n{table}" for title, table in sections.items())


def main(fleet: str, directory: str = "docs") -> None:
    for name, (beginning, prefixes) in PAGES.items():
        text = f"{HEAD}\n{beginning}\n{READ}{tables(fleet, prefixes)}"
        Path(directory, name).write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
