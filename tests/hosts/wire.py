"""A switch with slow links between network namespaces: what tc's netem does, for kernels that are built without it.

Every host has a TAP device; what it sends arrives `delay` later. Its link carries `rate` bytes a second each way, and a
share `loss` of what it sends is lost. The kernel hands over up to 64 KiB at once, as to netem.

usage: wire.py DELAY RATE LOSS PID ...    as root; says "ready"
"""

import contextlib
import ctypes
import fcntl
import gc
import heapq
import os
import random
import select
import struct
import sys
import time

TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
TAP, NO_HEADER, OFFLOAD_HEADER = 0x2, 0x1000, 0x4000
CHECKSUMS, SEGMENTS_OF_IPV4 = 0x1, 0x2
OFFLOAD_BYTES = 10  # of the header before each frame, which says how the kernel may cut it
NETWORK_NAMESPACE = 0x40000000
PR_SET_TIMERSLACK = 29
LIBC = ctypes.CDLL(None, use_errno=True)


def open_tap(pid: int) -> int:
    """A device eth0 in the network namespace of a process, which this one enters."""
    with open(f"/proc/{pid}/ns/net") as namespace:
        if LIBC.setns(namespace.fileno(), NETWORK_NAMESPACE) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network of process {pid}")
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    flags = TAP | NO_HEADER | OFFLOAD_HEADER
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"eth0", flags))
    fcntl.ioctl(tap, TUNSETOFFLOAD, CHECKSUMS | SEGMENTS_OF_IPV4)
    return tap


class Switch:
    def __init__(self, taps: list[int], delay: float, rate: float, loss: float) -> None:
        self.taps = taps
        self.delay, self.rate, self.loss = delay, rate, loss
        self.port_of: dict[bytes, int] = {}  # by the hosts' addresses, as they turn up
        self.sends_until = [0.0] * len(taps)
        self.receives_until = [0.0] * len(taps)
        self.under_way: list[tuple[float, int, int, bytes]] = []  # arrival, number, port, frame
        self.frames = 0

    def take(self, port: int) -> None:
        """All that a host has sent."""
        while True:
            try:
                frame = os.read(self.taps[port], 1 << 17)
            except BlockingIOError:
                return
            now = time.monotonic()
            to, sender = frame[OFFLOAD_BYTES:][:6], frame[OFFLOAD_BYTES + 6 :][:6]
            self.port_of[sender] = port
            takes = (len(frame) - OFFLOAD_BYTES) / self.rate
            self.sends_until[port] = max(now, self.sends_until[port]) + takes
            if random.random() < self.loss:
                continue
            others = [other for other in range(len(self.taps)) if other != port]
            for other in [self.port_of[to]] if to in self.port_of else others:
                self.send(frame, other, self.sends_until[port] + self.delay, takes)

    def send(self, frame: bytes, port: int, arrival: float, takes: float) -> None:
        """What arrives at a host from several at once waits for its link."""
        arrival = max(arrival, self.receives_until[port] + takes)
        self.receives_until[port] = arrival
        self.frames += 1
        heapq.heappush(self.under_way, (arrival, self.frames, port, frame))

    def deliver(self) -> float | None:
        """What has arrived; seconds until the next does."""
        while self.under_way:
            left = self.under_way[0][0] - time.monotonic()
            if left > 0:
                return left
            _, _, port, frame = heapq.heappop(self.under_way)
            try:
                os.write(self.taps[port], frame)
            except OSError:  # the host is not up yet
                continue
        return None

    def run(self) -> None:
        port_of = {tap: port for port, tap in enumerate(self.taps)}
        while True:
            ready, _, _ = select.select(self.taps, [], [], self.deliver())
            for tap in ready:
                self.take(port_of[tap])


def hurry() -> None:
    """Before all others, and without waking late: a link has no queue for a processor."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    LIBC.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
    gc.disable()


def main() -> None:
    delay, rate, loss = map(float, sys.argv[1:4])
    switch = Switch([open_tap(int(pid)) for pid in sys.argv[4:]], delay, rate, loss)
    hurry()
    print("ready", flush=True)
    switch.run()


if __name__ == "__main__":
    main()
