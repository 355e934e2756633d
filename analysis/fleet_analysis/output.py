"""What the program prints: in whatever encoding the output has, and where nobody reads on."""

from __future__ import annotations

import codecs
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper

from fleet_analysis.names import visible

CLOSED_PIPE = 141  # the exit code of a program that a closed pipe has ended
ERRORS = "fleet-analysis"  # the name of what follows, among Python's handlers of encoding errors

#: What stands for signs that an encoding lacks; dots of curves are told by their number.
PLAIN = {
    **{"±": "+-", "−": "-", "–": "-", "×": "x", "→": "->", "…": "...", "·": "-", "∞": "inf"},
    **{"α": "alpha", "λ": "lambda", "█": "#", "✗": "x", "▒": "=", "░": ".", "│": "|", "┤": "+"},
    **{"└": "+", "─": "-"},
    **{chr(0x2800 + dots): " .:+*##@@"[dots.bit_count()] for dots in range(256)},
}


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    sign = error.object[error.start]
    if 0xDC80 <= ord(sign) <= 0xDCFF:  # a byte of a file's name that is no text
        return bytes([ord(sign) - 0xDC00]), error.start + 1
    escaped = sign.encode("ascii", "backslashreplace").decode("ascii")
    return PLAIN.get(sign, escaped), error.start + 1


codecs.register_error(ERRORS, _plainly)


def printable(text: str) -> str:
    """As standard output can show it, on a line: for what is to be laid out in columns."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return visible(text).encode(encoding, ERRORS).decode(encoding, "surrogateescape")


def flush_output() -> None:
    """So that what cannot be written is known. Raises OSError."""
    if sys.stdout is not None:  # which it is where it was closed from the start
        sys.stdout.flush()


@contextmanager
def any_output() -> Iterator[None]:
    """Within, every text can be printed, and warnings of this package are lines on standard error,
    each said once. What a stream does not take any more is dropped at the end without a word."""
    streams = [each for each in (sys.stdout, sys.stderr) if isinstance(each, TextIOWrapper)]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors=ERRORS)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("fleet-analysis: note: %(message)s"))
    handler.addFilter(_Once())
    logger = logging.getLogger("fleet_analysis")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        for stream, errors in zip(streams, before, strict=True):
            try:
                stream.reconfigure(errors=errors)  # which writes what is left
            except OSError:
                _discard(stream)


class _Once(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        new = message not in self._said
        self._said.add(message)
        return new


def _discard(stream: TextIOWrapper) -> None:
    """Lets Python write the rest to nowhere when it ends, instead of complaining."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
