"""Runs all benchmarks, and sets their ratios beside stored ones: those that fell are marked.

    bench.py BUILD [--mpirun COMMAND] [--only NAME,...] [--store]

BUILD is a build folder with FLEET_BENCHMARKS on. What a benchmark prints is passed on; its lines
"ratio: NAME = VALUE" go into the table at the end. The larger a ratio, the better. Stored ratios, of
ratios.json, were measured on one machine: on another the table shows where it differs.
`--store` writes those of this run there, and keeps what was not run.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STORED = HERE / "ratios.json"
FELL = 0.85  # of the stored ratio, and no more: what two runs on a shared machine may differ by
RATIO = re.compile(r"ratio: (.*) = (\S+)$")
PYTHON = sys.executable
DEBIAN = "/usr/bin/python3"  # its PyTorch runs on the LibTorch that fleet is built against


@dataclass(frozen=True)
class Benchmark:
    name: str
    command: list[str]

    def missing(self) -> str:
        """What keeps it from running here."""
        return next(
            (word for word in self.command[:2] if "/" in word and not Path(word).exists()), ""
        )


def google(build: Path, name: str, repetitions: int, seconds: float) -> Benchmark:
    """A program of Google Benchmark; so many seconds for each repetition."""
    options = [
        f"--benchmark_repetitions={repetitions}",
        f"--benchmark_min_time={seconds}",
        "--benchmark_enable_random_interleaving=true",
        "--benchmark_report_aggregates_only=true",
    ]
    return Benchmark(name, [str(build / "tests/benchmarks" / f"{name}_benchmark"), *options])


def benchmarks(build: Path, mpirun: str) -> list[Benchmark]:
    fleet, programs = str(build / "fleet"), build / "tests/benchmarks"

    def script(name: str, *arguments: str, python: str = PYTHON) -> Benchmark:
        return Benchmark(name, [python, str(HERE / f"{name}.py"), *arguments])

    return [
        google(build, "training", 9, 0.2),
        google(build, "sequence", 5, 0.2),
        google(build, "sinkhorn", 9, 0.1),
        google(build, "lqg", 3, 0.05),
        Benchmark("metaworld", [str(programs / "metaworld_benchmark")]),
        google(build, "locomotion", 5, 0.5),
        google(build, "tools", 5, 0.3),
        script("python_steps", str(programs), python=DEBIAN),
        script("assignment", fleet, str(programs / "libassignment_library.so"), mpirun),
        script("round_overhead", fleet, mpirun),
        script("resting_fleets", fleet, mpirun),
        script("polite_waiting", fleet, mpirun),
        script("plan_time", fleet, mpirun),
        script("external_overhead", fleet, str(ROOT / ".venv-debian/bin/python"), mpirun),
        script("merge_scaling", fleet, mpirun),
        script("scaling", fleet, mpirun),
        script("long_sweeps", fleet, mpirun),
        Benchmark("reports", [PYTHON, str(ROOT / "analysis/tests/benchmark.py")]),
    ]


def run(benchmark: Benchmark) -> tuple[dict[str, float], int]:
    """Its ratios and its exit code."""
    print(f"\n== {benchmark.name}", flush=True)
    began = time.monotonic()
    process = subprocess.Popen(benchmark.command, stdout=subprocess.PIPE, text=True)
    ratios = {}
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        if found := RATIO.match(line.rstrip()):
            ratios[found[1]] = float(found[2])
    code = process.wait()
    print(
        f"== {benchmark.name} took {time.monotonic() - began:.0f} s, exit code {code}", flush=True
    )
    return ratios, code


def table(ratios: dict[str, float], stored: dict[str, float]) -> str:
    lines = ["| the larger, the better | stored | now | |", "|---|---|---|---|"]
    for name, value in ratios.items():
        before = stored.get(name)
        mark = "FELL" if before is not None and value < FELL * before else ""
        known = "new" if before is None else f"{before:.2f}"
        lines.append(f"| {name} | {known} | {value:.2f} | {mark} |")
    return "\n".join(lines)


def chosen(everything: list[Benchmark], only: str) -> list[Benchmark]:
    if not only:
        return everything
    wanted = only.split(",")
    names = [benchmark.name for benchmark in everything]
    if unknown := [name for name in wanted if name not in names]:
        sys.exit(f"no benchmark is called {unknown[0]}; there are {', '.join(names)}")
    return [benchmark for benchmark in everything if benchmark.name in wanted]


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=Path, help="a build folder with FLEET_BENCHMARKS on")
    parser.add_argument("--mpirun", default="mpirun", help="the launcher and its options")
    parser.add_argument("--only", default="", help="names of benchmarks, by commas")
    parser.add_argument("--store", action="store_true", help="the ratios as those to compare with")
    return parser.parse_args()


def main() -> None:
    arguments = asked()
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    ratios: dict[str, float] = {}
    failed = []
    began = time.monotonic()
    for benchmark in chosen(
        benchmarks(arguments.build.resolve(), arguments.mpirun), arguments.only
    ):
        if missing := benchmark.missing():
            print(f"\n== {benchmark.name} is left out: there is no {missing}", flush=True)
        else:
            found, code = run(benchmark)
            ratios |= found
            failed += [benchmark.name] if code != 0 else []
    print(f"\n{table(ratios, stored)}\n\nin all {(time.monotonic() - began) / 60:.0f} min")
    if arguments.store:
        STORED.write_text(json.dumps(stored | ratios, indent=1) + "\n")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
