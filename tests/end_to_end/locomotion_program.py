"""What tests of the bodies share: where their scenes lie, and the program with them."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import BINARY, ROOT, Fleet, Outcome

DATA = Path(os.environ.get("FLEET_DATA", ROOT / "data"))
ASSETS = Path(os.environ.get("LOCOMOTION_ASSETS", DATA / "locomotion"))


def require_bodies() -> None:
    """Skips where fleet lacks MuJoCo or the scenes are not to be had."""
    listing = subprocess.run([BINARY, "list"], capture_output=True, text=True).stdout
    if re.search(r"^ *locomotion +not built", listing, re.MULTILINE):
        pytest.skip("fleet is built without MuJoCo")
    if not (ASSETS / "hopper.xml").exists():
        pytest.skip(f"no scenes in {ASSETS}: fleet data fetch locomotion")


def run(fleet: Fleet, *arguments: str | Path, **options: Any) -> Outcome:
    environment = {"LOCOMOTION_ASSETS": str(ASSETS)}
    return fleet(*arguments, environment=environment, **options)
