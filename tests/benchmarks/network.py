"""What a merge by averaging costs between hosts with real TCP between them, how it depends on the link, and which settings
of MPI change it.

One rank and one robot a host. Links are slow, so that they and not two cores decide. With levels = log2(hosts), d
weights, and the sum sent in blocks of 8,000 numbers, what the first rank sees of a merge is modelled by

    latency (fixed + levels (each_level + each_block (blocks - 1))) + 8 d levels / rate

where latency and rate are what plain sockets find of the link, and the other three are fitted. A block that is sent as
soon as it is summed makes each_block zero; one that is announced, and waits for an answer, costs latencies. The same
merges are fitted by the model of scaling.py, in which latencies do not depend on d.

usage: network.py FLEET    as root; with tests/hosts in PYTHONPATH; six minutes
"""

import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import scaling
from hosts import FOLDER, Hosts, Link
from runs import run_quietly
from scipy.optimize import nnls

HOSTS = (2, 4, 8)
WIDTHS = (4, 32, 128)  # of one hidden layer: 1, 4 and 13 blocks
ROUNDS = 16
LINKS = {
    "veth alone": Link(),
    "0.5 ms, 1 Gbit/s": Link(0.5e-3, 125e6),
    "5 ms, 1 Gbit/s": Link(5e-3, 125e6),
    "5 ms, 100 Mbit/s": Link(5e-3, 12.5e6),
    "0.5 ms, 1 Gbit/s, 0.1 % lost": Link(0.5e-3, 125e6, 1e-3),
}
SLOW = LINKS["5 ms, 1 Gbit/s"]
EAGER = "btl_tcp_eager_limit"  # bytes of a message, its header among them, up to which it is sent unasked
SETTINGS = {
    "as it is": {},
    "blocks announced first": {EAGER: str(1 << 15)},
    "the broadcast unasked, too": {EAGER: str(1 << 22)},
}
SWEEP = f"""\
workload = "mnist"
data = {{ held_out = 0.0 }}
train = {{ batch_size = 50, epochs = {ROUNDS} }}
merge = {{ method = "average", every_epochs = 1, moments = "reset" }}
evaluate = {{ local = "never", every_rounds = 0 }}

[sweep.grid]
model.hidden = {[[width] for width in WIDTHS]}
"""


@dataclass
class Merge:
    hosts: int
    weights: int
    seconds: float  # median of the first rank
    mean: float
    round: float  # median of a whole round, less training


def sweep_on(hosts: Hosts, fleet: str, mca: dict[str, str], folder: Path) -> list[Merge]:
    """Merges of every width, in one run of the program."""
    config = folder / "network.toml"
    config.write_text(SWEEP)
    settings = {
        "fleet.robots": hosts.count,
        "fleet.partition": "iid",
        "data.samples": 50 * hosts.count,
        "run.ranks_per_cell": hosts.count,
    }
    output = Path(tempfile.mkdtemp(dir=folder)) / "out"
    sets = [f"--set={key}={value}" for key, value in settings.items()]
    run_quietly([*hosts.mpirun(**mca), fleet, "run", str(config), "-o", str(output), *sets])
    with h5py.File(output.with_suffix(".h5")) as file:
        rounds = file["rounds"][:]
        hidden = [int(each.decode().strip("[]")) for each in file["cells"]["model.hidden"]]
    return [
        merge_of(hosts.count, width, rounds[rounds["cell"] == cell][1:-1])
        for cell, width in enumerate(hidden)
    ]


def merge_of(hosts: int, width: int, rounds: np.ndarray) -> Merge:
    merge = rounds["seconds_merge"]
    whole = merge + rounds["seconds_wait"] + rounds["seconds_other"]
    weights = scaling.weights_of(width)
    return Merge(hosts, weights, float(np.median(merge)), merge.mean(), float(np.median(whole)))


def probe(hosts: Hosts) -> tuple[float, float]:
    """Latency (s) and rate (bytes a second) of the link, by plain sockets."""
    program = [sys.executable, FOLDER / "probe.py"]
    listener = subprocess.Popen(hosts.on(1, *program, "listen"), stdout=subprocess.PIPE, text=True)
    listener.stdout.readline()
    said = subprocess.check_output(hosts.on(2, *program, "host1"), text=True)
    listener.communicate()
    latency, rate = map(float, said.split())
    return latency, rate


def terms(merge: Merge) -> list[float]:
    levels = math.log2(merge.hosts)
    return [1.0, levels, levels * (math.ceil(merge.weights / scaling.BLOCK) - 1)]


def on_the_wire(merge: Merge, rate: float) -> float:
    return 8 * merge.weights * math.log2(merge.hosts) / rate


def fit(merges: list[Merge], latency: float, rate: float) -> np.ndarray:
    """fixed, each_level, each_block >= 0 by least squares of relative errors."""
    seconds = np.array([merge.seconds for merge in merges])
    rows = np.array([terms(merge) for merge in merges]) * latency / seconds[:, None]
    sent = np.array([on_the_wire(merge, rate) for merge in merges])
    return nnls(rows, 1.0 - sent / seconds)[0]


def errors(said: list[float], merges: list[Merge]) -> str:
    each = [abs(seconds / merge.seconds - 1) for seconds, merge in zip(said, merges, strict=True)]
    return f"median {100 * np.median(each):.0f} %, largest {100 * max(each):.0f} %"


def without_blocks(merges: list[Merge]) -> str:
    """Errors of the model of scaling.py."""
    rounds = [
        scaling.Round(merge.hosts, merge.hosts, merge.weights, 0.0, merge.seconds)
        for merge in merges
    ]
    found = scaling.fit(rounds)
    rows = [scaling.terms(each.ranks, each.robots, each.weights) for each in rounds]
    return errors([float(np.dot(row, found)) for row in rows], merges)


def print_link(name: str, fleet: str, folder: Path) -> None:
    merges = []
    for count in HOSTS:
        with Hosts(count, LINKS[name]) as hosts:
            if count == HOSTS[0]:
                latency, rate = probe(hosts)
            merges += sweep_on(hosts, fleet, {}, folder)
    found = fit(merges, latency, rate)
    print(f"\n{name}; by plain sockets {latency * 1e6:.0f} us, {rate / 1e6:.0f} MB/s")
    print(f"latencies: {found[0]:.1f}, {found[1]:.1f} a level, {found[2]:.1f} a level and block")
    print(" hosts   weights   merge (ms)    mean    model")
    said = [
        latency * float(np.dot(terms(merge), found)) + on_the_wire(merge, rate) for merge in merges
    ]
    for merge, model in zip(merges, said, strict=True):
        times = f"{merge.seconds * 1e3:13.2f}{merge.mean * 1e3:8.2f}{model * 1e3:9.2f}"
        print(f"{merge.hosts:6d}{merge.weights:10,d}{times}")
    print(f"error of the model {errors(said, merges)}; of scaling.py's {without_blocks(merges)}")


def print_settings_of_mpi(fleet: str, folder: Path) -> None:
    """What other settings of Open MPI make of the same merges; whole rounds show the broadcast, too."""
    print(
        f"\n{HOSTS[-1]} hosts, {SLOW.delay * 1e3:.0f} ms: latencies that a merge and a round take"
    )
    for name, mca in SETTINGS.items():
        with Hosts(HOSTS[-1], SLOW) as hosts:
            merges = sweep_on(hosts, fleet, mca, folder)
        said = [
            f"{m.weights:,d}: {m.seconds / SLOW.delay:.0f} and {m.round / SLOW.delay:.0f}"
            for m in merges
        ]
        print(f"  {name:28s}{';  '.join(said)}")


def main() -> None:
    fleet = str(Path(sys.argv[1]).resolve())
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as name:
        for link in LINKS:
            print_link(link, fleet, Path(name))
        print_settings_of_mpi(fleet, Path(name))


if __name__ == "__main__":
    main()
