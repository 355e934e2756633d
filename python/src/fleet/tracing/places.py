"""Where in the user's code something went wrong."""

from __future__ import annotations

import traceback


def last_line(error: BaseException) -> str:
    """What went wrong, with the file and line of the code that it went wrong in."""
    frames = traceback.extract_tb(error.__traceback__)
    others = ("/torch/", "importlib", "/fleet/tracing/", "/fleet/symmetry.py")
    own = [frame for frame in frames if not any(part in frame.filename for part in others)]
    place = f"{own[-1].filename}:{own[-1].lineno}: " if own else ""
    text = str(error).strip().splitlines()
    return f"{place}{type(error).__name__}: {text[0] if text else ''}"
