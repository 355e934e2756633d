"""What the program writes to files: whole or not at all, and over nothing but its own."""

from __future__ import annotations

import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


@contextmanager
def filling(directory: Path) -> Iterator[Path]:
    """A directory to write to, inside `directory`, which gets all that is in it in the end; after
    an error it is as it was. Raises ResultsError where there is something in it, or no place for
    it."""
    new = not directory.exists()
    if new and not directory.parent.is_dir():
        raise ResultsError(f"{directory}: there is no directory {directory.parent}; make it first")
    if not new and not directory.is_dir():
        raise ResultsError(f"{directory}: is no directory; give another name with -o")
    if not new and any(directory.iterdir()):
        raise ResultsError(f"{directory}: is not empty; remove it, or give another name with -o")
    directory.mkdir(exist_ok=True)
    unfinished = directory / f".{secrets.token_hex(8)}.tmp"
    try:
        unfinished.mkdir()
        yield unfinished
        for written in sorted(unfinished.iterdir()):
            written.rename(directory / written.name)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        if new:
            with suppress(OSError):  # which says that it is not empty
                directory.rmdir()


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        near = file.read(NEAR)
        end = file.seek(0, 2)
        file.seek(max(end - NEAR, 0))
        last = file.read(NEAR)
    return any(near.startswith(begin) and (mark in near or mark in last) for begin, mark in MARKS)
