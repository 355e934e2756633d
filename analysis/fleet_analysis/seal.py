"""The seals of a file of ours: its last line is a CRC-32 of every byte before it.

HDF5 itself does not notice a flipped bit. It does not see that line either, since it stands behind
its own end of the file; a program that opens the file for writing cuts it off, even if it changes
nothing. Then an attribute tells, which holds the CRC-32 of the other bytes, with zeros for its own
digits; earlier files have none.
"""

from __future__ import annotations

import zlib
from enum import Enum
from pathlib import Path
from typing import BinaryIO

MARK = b"fleet CRC-32 "
INNER = b"fleet bytes CRC-32 "  # the first in the file, followed by the digits
LENGTH = len(MARK) + len("01234567\n")
BLOCK = 1 << 20
SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: By the version of HDF5's superblock, where the size of its addresses stands, and which of them is
#: the end of the file.
ENDS = {0: (13, 24, 2), 1: (13, 28, 2), 2: (9, 12, 2), 3: (9, 12, 2)}


class Seal(Enum):
    """What a file's end says of its bytes."""

    INTACT = "as they were written"
    BROKEN = "other than they were written"
    MISSING = "nothing"


def seal_of(content: bytes) -> bytes:
    """The line to put behind a file's content."""
    return _line(zlib.crc32(content))


def read_seal(path: Path) -> Seal:
    """What the file's end says. Raises OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(64)
        file.seek(max(0, size - LENGTH))
        line = file.read()
        if not line.startswith(MARK):
            # Bytes behind HDF5's own end were a seal once, or are not ours.
            end = _end_of_hdf5(head)
            return Seal.BROKEN if end is not None and size > end else _inner_seal(path)
        file.seek(0)
        return Seal.INTACT if line == _line(_checksum(file, size - LENGTH)) else Seal.BROKEN


def inner_sealed(content: bytes) -> bytes:
    """The content with the checksum in its place, where that holds zeros."""
    start, end = _inner_digits(content)
    return content[:start] + b"%08x" % zlib.crc32(content) + content[end:]


def _inner_seal(path: Path) -> Seal:
    content = path.read_bytes()
    start, end = _inner_digits(content)
    if start < 0:
        return Seal.MISSING
    plain = content[:start] + bytes(b"0" * (end - start)) + content[end:]
    return Seal.INTACT if inner_sealed(plain) == content else Seal.BROKEN


def _inner_digits(content: bytes) -> tuple[int, int]:
    """Where they begin and end; -1 where there are none."""
    at = content.find(INNER)
    start = at + len(INNER)
    return (start, start + 8) if 0 <= at <= len(content) - len(INNER) - 8 else (-1, -1)


def _checksum(file: BinaryIO, size: int) -> int:
    checksum = 0
    for start in range(0, size, BLOCK):
        checksum = zlib.crc32(file.read(min(BLOCK, size - start)), checksum)
    return checksum


def _line(checksum: int) -> bytes:
    return MARK + b"%08x\n" % checksum


def _end_of_hdf5(head: bytes) -> int | None:
    """Where HDF5's part of the file ends by its first bytes; None where they do not say."""
    if not head.startswith(SIGNATURE) or len(head) < 64 or head[8] not in ENDS:
        return None
    at_width, first, place = ENDS[head[8]]
    width = head[at_width]
    base, end = (head[first + i * width :][:width] for i in (0, place))
    return int.from_bytes(end, "little") if width in (4, 8) and not any(base) else None
