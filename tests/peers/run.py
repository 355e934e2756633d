"""The same jobs with fleet and with its peers, one after the other, several times.

    python run.py [--jobs lr,cnn,merge] [--peers torch,pfl,rebasin] [--repeats 3] [-o peers.md]

Every peer is installed by pip into an environment of its own below build/peers; that takes minutes and
8 GB once. To have newer ones, delete that folder. Who cannot be installed, or fails, is said to be skipped.

All read one deal of the data (deals.py): fleet from files as users have them, the peers as arrays. First
weights, a round's clients and the order of samples come from streams of their own. fleet, bare
torch.distributed and pfl have two processes, Flower two actors of one core; APPFL's simulation is one
process. A process has one thread. merging.py says what is compared where models are merged once.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from contenders import ROOT, Place
from environments import PACKAGES, tell
from federated import Federated
from jobs import JOBS
from merging import Merging
from tables import table

HEADING = """\
# Beside other programs

This page has the same jobs run by `fleet` and by its peers, each installed by pip. `make peers` made it.

- All read one deal of the data. First weights, a round's clients and the order of samples come from streams of their own.
- `fleet`, bare `torch.distributed` and pfl have two processes, Flower two actors of one core; APPFL's simulation is one process. A
  process has one thread.
- **In all** is the whole command, from its start to its end; **a round** the median, the first ten left out; **memory** the peak of all
  processes together.
- Medians of {repeats}, interleaved; in brackets: times fleet's. {cores} cores, load {load:.1f} at the beginning.
"""

KINDS = {name: partial(Federated, job) for name, job in JOBS.items()} | {"merge": Merging}


def some_of(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Reads a list of names by commas."""

    def read(text: str) -> list[str]:
        found = text.split(",")
        for name in found:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r}: expected some of {','.join(known)}")
        return found

    return read


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fleet", default=str(ROOT / "build" / "release" / "fleet"))
    parser.add_argument("--mpirun", default="mpirun")
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="with mnist, shakespeare")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "peers")
    parser.add_argument("--jobs", type=some_of(KINDS), default=list(KINDS))
    parser.add_argument("--peers", type=some_of(PACKAGES), default=list(PACKAGES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("-o", dest="output", type=Path, default=Path("peers.md"))
    return parser.parse_args()


def measured(name: str, words: argparse.Namespace) -> str:
    place = Place(
        fleet=str(Path(words.fleet).resolve()),
        mpirun=words.mpirun,
        sources=words.data.resolve(),
        folder=words.folder.resolve(),
    )
    place.data.mkdir(parents=True, exist_ok=True)
    job = KINDS[name](place)
    job.prepare()
    contenders = job.contenders([peer for peer in job.peers if peer in words.peers])
    for repeat in range(words.repeats):
        for contender in contenders:
            tell(f"{name}, {repeat + 1} of {words.repeats}: {contender.name}")
            contender.measure()
            if contenders[0].skipped:
                sys.exit(f"fleet has not run: {contenders[0].skipped}")
    return table(job, contenders)


def main() -> None:
    words = arguments()
    load = os.getloadavg()[0]
    pages = [HEADING.format(repeats=words.repeats, cores=os.cpu_count(), load=load)]
    for name in words.jobs:
        pages.append(measured(name, words))
        words.output.write_text("\n".join(pages))
    print("\n".join(pages))


if __name__ == "__main__":
    main()
