"""Several hosts on this machine, with real TCP between them: who starts them, and what runs on them."""

import math
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

FOLDER = Path(__file__).parent
MCA = {
    "pml": "ob1",
    "btl": "tcp,vader,self",  # vader: shared memory, between ranks of one host
    "btl_tcp_if_include": "eth0",
    "oob_tcp_if_include": "eth0",
    "mpi_yield_when_idle": "1",
    "hwloc_base_binding_policy": "none",
    "rmaps_base_oversubscribe": "1",
}


@dataclass(frozen=True)
class Link:
    """Between a host and the switch."""

    delay: float = 0.0  # seconds from one host to another
    rate: float = math.inf  # bytes a second, each way
    loss: float = 0.0  # share of what is sent


class NoHosts(Exception):
    """Why none can be made here."""


def require_means() -> None:
    if os.geteuid() != 0:
        raise NoHosts("hosts for tests need root")
    for program in ("ip", "unshare", "nsenter", "mpirun"):
        if shutil.which(program) is None:
            raise NoHosts(f"{program} is not installed (Debian: iproute2, util-linux, openmpi-bin)")
    launcher = subprocess.run(["mpirun", "--version"], capture_output=True, text=True, check=False)
    if "(Open MPI) 4." not in launcher.stdout:
        raise NoHosts("mpirun is not of Open MPI 4, whose way to other hosts is known here")
    if not Path("/dev/net/tun").exists():
        raise NoHosts("there is no /dev/net/tun")


class Hosts:
    """Hosts host1, host2 ... while the context lasts; nothing of them is left, even if this process is killed."""

    def __init__(self, count: int, link: Link = Link()) -> None:
        self.count = count
        self.link = link

    def __enter__(self) -> Self:
        require_means()
        apart = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        figures = map(str, (self.link.delay, self.link.rate, self.link.loss))
        wire = [] if self.link == Link() else [sys.executable, FOLDER / "wire.py", *figures]
        with tempfile.TemporaryFile("w+") as log:
            self.process = subprocess.Popen(
                [*apart, "bash", FOLDER / "hosts.sh", str(self.count), *wire],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            self.folder = self.process.stdout.readline().strip()
            if not self.folder:
                self.__exit__(None, None, None)
                log.seek(0)
                raise NoHosts(f"no hosts could be made here: {log.read().strip()[-500:]}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.communicate()

    def on(self, host: int, *command: str | Path) -> list[str]:
        """Runs a command on a host, counted from 1."""
        first = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        inside = ["nsenter", "--target", first.strip(), "--pid", "--mount"]
        return [*inside, f"{self.folder}/enter", f"host{host}", *map(str, command)]

    def mpirun(self, ranks_each: int = 1, **mca: str) -> list[str]:
        """The launcher, with so many ranks on each host."""
        names = ",".join(f"host{number + 1}:{ranks_each}" for number in range(self.count))
        settings = MCA | {"plm_rsh_agent": f"{self.folder}/enter"} | mca
        words = [word for name, value in settings.items() for word in ("--mca", name, value)]
        ranks = str(self.count * ranks_each)
        here = ["mpirun", "--allow-run-as-root", "-wdir", Path.cwd()]
        return self.on(1, *here, "--host", names, *words, "-n", ranks)
