"""The peers' environments of Python, which pip fills once."""

import platform
import subprocess
import sys
from pathlib import Path

BASE = ("base", "torch numpy")  # what all environments share
PACKAGES = {
    "torch": None,  # the base has it
    "pfl": "pfl[pytorch]",
    "flower": "flwr[simulation]",
    "appfl": "appfl",
    "blazefl": "blazefl",
    "rebasin": "rebasin",
    "sinkhorn": "sinkhorn-rebasin",
}


class Skipped(Exception):
    """Says why."""


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"


def why_not(complaint: str) -> str:
    """Of what pip complains."""
    if "Requires-Python" in complaint:
        needed = complaint.rpartition("Requires-Python ")[2].split(";")[0].split()[0]
        return f"has no release for Python {platform.python_version()}; its last needs {needed}"
    return last_line(complaint).removeprefix("ERROR: ")


def installed(folder: Path, packages: str, shared: Path | None = None) -> Path:
    """The Python of an environment, which is made where it is missing; it also sees what is in `shared`."""
    python = folder / "bin" / "python"
    if (folder / "installed").exists():
        return python
    tell(f"installing {packages} ...")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if shared is not None:
        (site_packages(folder) / "shared.pth").write_text(f"{site_packages(shared)}\n")
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, *packages.split()], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Skipped(f"{packages} {why_not(done.stderr)}")
    (folder / "installed").touch()
    return python


def site_packages(folder: Path) -> Path:
    return next((folder / "lib").glob("python*")) / "site-packages"


def python_of(name: str, folder: Path) -> Path:
    base = folder / BASE[0]
    python = installed(base, BASE[1])
    packages = PACKAGES[name]
    return python if packages is None else installed(folder / name, packages, base)
