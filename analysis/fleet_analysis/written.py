"""What the program writes to files: whole or not at all, and over nothing but its own."""

from __future__ import annotations

import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleet_analysis.files import ResultsError

NAME = "fleet-analysis"  # who wrote a file, by its own words
NEAR = 1 << 16  # bytes from either end of a file within which its mark lies

#: How a file of each kind begins, and the mark in those that we wrote.
MARKS: tuple[tuple[bytes, bytes], ...] = (
    (b"<!doctype html>", f'<meta name="generator" content="{NAME}">'.encode()),
    (b"\x89PNG\r\n\x1a\n", b"tEXtSoftware\0" + NAME.encode()),
    (b"%PDF-", f"/Creator ({NAME})".encode()),
    (b"<?xml", f"<dc:title>{NAME}</dc:title>".encode()),
)
#: What a figure says of its maker, by the format that it is saved in.
MAKER: dict[str, dict[str, str]] = {
    "png": {"Software": NAME},
    "pdf": {"Creator": NAME},
    "svg": {"Creator": NAME},
}


def check_target(path: Path) -> None:
    """ResultsError, with what to do, where something has this name that is not ours to replace."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    otherwise = "remove it, or give another name with -o"
    if stat.S_ISLNK(mode):
        raise ResultsError(f"{path}: is a symbolic link, which is not replaced; {otherwise}")
    if not stat.S_ISREG(mode):
        raise ResultsError(f"{path}: is no regular file, and not replaced; {otherwise}")
    if not _is_ours(path):
        raise ResultsError(
            f"{path}: {NAME} did not write this file (it lacks the mark), so it stays; {otherwise}"
        )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file to write to, beside `path`, which then takes its place; after an error there is
    none. Raises ResultsError as `check_target` does."""
    check_target(path)
    unfinished = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.tmp")
    try:
        unfinished.touch(exist_ok=False)
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        near = file.read(NEAR)
        end = file.seek(0, 2)
        file.seek(max(end - NEAR, 0))
        last = file.read(NEAR)
    return any(near.startswith(begin) and (mark in near or mark in last) for begin, mark in MARKS)
