"""The runs that benchmarks measure, quiet unless they fail, and the line by which they tell a ratio."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def tell_ratio(name: str, value: float) -> None:
    """To bench.py: the larger, the better. A name has no " = "."""
    print(f"ratio: {name} = {value:.3f}", flush=True)


def run_quietly(command: list[str]) -> None:
    """Ends the benchmark with what the command has said, if it fails."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{done.stdout}exit code {done.returncode} of: {' '.join(command)}")


def said_by(command: list[str]) -> str:
    """What a command prints; ends the benchmark if it fails."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{done.stdout}exit code {done.returncode} of: {' '.join(command)}")
    return done.stdout


#: A process counts as its own the memory of the one that started it; so a small one does.
STARTER = """\
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def peak_memory_of(command: list[str]) -> float:
    """Bytes of the largest process that a command starts."""
    return 1024.0 * int(said_by([sys.executable, "-c", STARTER, *command]).split()[-1])


def mnist_run(
    fleet: str, mpirun: str, ranks: int, settings: Mapping[str, object], output: Path
) -> list[str]:
    return sweep_command("mnist", fleet, mpirun, ranks, settings, output)


def sweep_command(
    workload: str,
    fleet: str,
    mpirun: str,
    ranks: int,
    settings: Mapping[str, object],
    output: Path,
) -> list[str]:
    """The command of a sweep; its configuration is written beside its output."""
    config = output.with_suffix(".toml")
    config.write_text(f'workload = "{workload}"\n')
    overrides = [f"--set={key}={value}" for key, value in settings.items()]
    return [
        *mpirun.split(),
        "-n",
        str(ranks),
        fleet,
        "run",
        str(config),
        "-o",
        str(output),
        *overrides,
    ]
