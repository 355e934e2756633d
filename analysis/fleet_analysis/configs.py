"""The configurations of several files, where their cells are to count as seeds of one another."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise

from fleet_analysis.names import path_text, visible

DATA = "# of data "  # begins the line that holds the digest of the data's content
CONTENT = "content of the data"  # what such lines are called
#: Of a configuration what does not change a cell, or is said by the axes.
ASIDE = ("run.", "sweep.")
MOST = 3  # keys named, and values of each
LONGEST = 40  # letters of a value


def differences(files: Iterable[tuple[str, str]], axes: Collection[str]) -> str:
    """In which settings that are no axis files of one workload differ, by path and configuration,
    in words; empty where they do not."""
    by_workload: dict[str, dict[str, dict[str, str]]] = {}
    for path, config in {config: (path, config) for path, config in reversed([*files])}.values():
        settings = _settings(config)
        by_workload.setdefault(settings.get("workload", ""), {})[path] = settings
    found: dict[str, str] = {}
    for known in by_workload.values():
        own = dict(reversed(known.items()))
        for key in dict.fromkeys(key for settings in own.values() for key in settings):
            aside = key == "name" or key.startswith(ASIDE) or key in axes
            if not aside and _differ(key, own):
                found.setdefault(key, f"{key} ({_listed(key, own)})")
    if not found:
        return ""
    more = f" and {len(found) - MOST} more" if len(found) > MOST else ""
    said = ", ".join([*found.values()][:MOST])
    return visible(f"files differ in settings that are no axis: {said}{more}")


def _settings(config: str) -> dict[str, str]:
    """The lines `key = value`, and what is said of the data, by key."""
    settings: dict[str, str] = {}
    section = ""
    data = sorted({line[len(DATA) :] for line in config.splitlines() if line.startswith(DATA)})
    for line in map(str.strip, config.splitlines()):
        key, equals, value = line.partition(" = ")
        if line.startswith("[") and line.endswith("]") and not equals:
            section = f"{line.strip('[]')}."
        elif equals and not line.startswith("#"):
            settings[section + key.strip()] = value.strip()
    return settings | ({CONTENT: " ".join(data)} if data else {})


def _differ(key: str, known: Mapping[str, Mapping[str, str]]) -> bool:
    """What one file lacks differs, but not what its methods do not read, nor what an older one did
    not say of its data; nor data of which one file has all of the other's and more."""
    values = [settings[key] for settings in known.values() if key in settings]
    if key == CONTENT:
        parts = sorted((set(value.split()) for value in values), key=len)
        return any(not a <= b for a, b in pairwise(parts))
    lacks = len(values) < len(known) and not key.startswith("merge.")
    return lacks or len(set(values)) > 1


def _listed(key: str, known: Mapping[str, Mapping[str, str]]) -> str:
    """A file of each value, with the value."""
    first: dict[str, str] = {}
    for path, settings in known.items():
        first.setdefault(settings.get(key, "none"), path)
    names = _short([*first.values()])
    parts = [f"{n}: {_cut(v)}" for n, v in zip(names, first, strict=True)]
    return ", ".join(parts[:MOST] + (["…"] if len(parts) > MOST else []))


def _short(paths: Sequence[str]) -> Sequence[str]:
    names = [path.rpartition("/")[2] for path in map(path_text, paths)]
    return names if len(set(names)) == len(names) else paths


def _cut(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"
