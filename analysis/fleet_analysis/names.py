"""Bytes, texts and paths, of which not every one is the other."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable

KEPT = frozenset(["\u00a0", *map(chr, range(0xDC80, 0xDD00))])
LONGEST = 200  # bytes of a file's name without its suffix, of which most systems take 255


def text_of(value: object) -> str:
    """A string as HDF5 gives it, decoded; what is no UTF-8 shows as escapes."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def path_text(path: str | os.PathLike[str]) -> str:
    """A path as text that every file and screen takes; what is no UTF-8 shows as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def escaped(text: str) -> str:
    """As a Python literal writes it, in ASCII."""
    return text.encode("unicode_escape").decode("ascii")


def visible(text: str) -> str:
    """With escapes for signs that are none, such as those that a terminal would obey; bytes of a
    file's name that are no text stay."""
    return "".join(s if s.isprintable() or s in KEPT else escaped(s) for s in text)


def file_names(names: Iterable[str]) -> list[str]:
    """A name for a file of each, without a suffix: what a file system does not take is replaced,
    and no two are the same."""
    taken: dict[str, None] = {}
    for name in names:
        plain = "".join("-" if sign in "/\\" or not sign.isprintable() else sign for sign in name)
        stem = _short(plain) if plain.strip(".") else f"figure{plain}"
        number = 2
        while stem in taken:
            stem = f"{_short(plain)}-{number}"
            number += 1
        taken[stem] = None
    return list(taken)


def _short(name: str) -> str:
    """In signs that this system has for files' names."""
    try:
        known = os.fsencode(name)
    except UnicodeEncodeError:
        known = name.encode("ascii", "backslashreplace").replace(b"\\", b"-")
    if len(known) <= LONGEST:
        return os.fsdecode(known)
    begin = os.fsdecode(known[: LONGEST - 10]).encode("utf-8", "ignore").decode("utf-8")
    return f"{begin}-{zlib.crc32(known):08x}"
