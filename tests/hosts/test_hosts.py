"""Ranks on several hosts, with slow and lossy TCP between them: the same bits as on one rank."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import (
    BINARY,
    ENVIRONMENT,
    SECONDS,
    Fleet,
    descendants,
    digits,  # noqa: F401
    finish,
    fleet,  # noqa: F401
    program_of,
    wait_until,
)
from hosts import Hosts, Link, NoHosts

LINK = Link(delay=5e-4, rate=125e6, loss=0.01)
SWEEP = '\n[sweep.grid]\nmerge.method = ["average", "fleet-merge"]\nseed = [0, 1]\n'
SETTINGS = (
    *("--set", "run.save_weights=true"),
    *("--set", "train.epochs=4", "--set", "merge.every_epochs=1"),
)
OWNER = """
from hosts import Hosts, Link

with Hosts(2, Link(delay=1e-3)) as made:
    print(made.folder, flush=True)
    input()
"""

Outcomes = dict[str, dict[str, bytes]]


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    try:
        with Hosts(2, LINK) as made:
            yield made
    except NoHosts as error:
        pytest.skip(f"SKIPPED: {error}")


@pytest.fixture(scope="module")
def alone(
    tmp_path_factory: pytest.TempPathFactory,
    digits: Path,  # noqa: F811
) -> Outcomes:
    fleet = Fleet(tmp_path_factory.mktemp("alone"), digits)  # noqa: F811
    fleet.run(fleet.config(SWEEP), "out", *SETTINGS).expect(0)
    return fleet.cells("out").outcomes()


def start(
    hosts: Hosts,
    fleet: Fleet,  # noqa: F811
    ranks_each: int,
    ranks_per_cell: int,
) -> subprocess.Popen[str]:
    """The fixture of the fleet kills it, should it be left."""
    group = ("--set", f"run.ranks_per_cell={ranks_per_cell}")
    sweep = ["run", fleet.config(SWEEP), "-o", fleet.directory / "out"]
    process = subprocess.Popen(
        [*hosts.mpirun(ranks_each), *fleet.command([*sweep, *SETTINGS, *group], 0, True)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    fleet.started.append(process)
    return process


def ranks_on(hosts: Hosts, host: int, process: subprocess.Popen[str]) -> list[int]:
    network = subprocess.check_output(hosts.on(host, "readlink /proc/self/ns/net"), text=True)
    started = descendants(process.pid) + descendants(hosts.process.pid)
    ranks = [pid for pid in started if program_of(pid) == BINARY.name]
    return [pid for pid in ranks if str(Path(f"/proc/{pid}/ns/net").readlink()) == network.strip()]


def test_a_rank_on_each_host_gets_the_bits_of_one_rank(
    hosts: Hosts,
    alone: Outcomes,
    fleet: Fleet,  # noqa: F811
) -> None:
    finish(start(hosts, fleet, 1, 2)).expect(0)
    assert fleet.cells("out").outcomes() == alone


def test_news_to_stop_crosses_hosts_and_groups_on_each_of_them_go_on(
    hosts: Hosts,
    alone: Outcomes,
    fleet: Fleet,  # noqa: F811
) -> None:
    cells = fleet.cells("out")
    process = start(hosts, fleet, 2, 4)
    wait_until(lambda: bool(cells.files("*.running")), process)
    os.kill(ranks_on(hosts, 2, process)[0], signal.SIGUSR1)
    finish(process).expect(75)
    assert len(cells.done()) < len(alone)
    finish(start(hosts, fleet, 2, 2)).expect(0)
    assert cells.outcomes() == alone


def test_nothing_is_left_of_hosts_whose_owner_is_killed(hosts: Hosts) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        env=ENVIRONMENT | {"PYTHONPATH": str(Path(__file__).parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    folder = Path(owner.stdout.readline().strip())
    processes = descendants(owner.pid)
    assert folder.exists()
    owner.kill()
    owner.wait()
    end = time.monotonic() + SECONDS
    while folder.exists() or any(Path(f"/proc/{pid}").exists() for pid in processes):
        assert time.monotonic() < end, "they should be gone"
        time.sleep(0.01)
