"""What a link does by itself: one small message there and back, and many bytes one way, by plain sockets.

usage: probe.py listen | probe.py ADDRESS    the latter prints half the round trip (s) and the rate (bytes a second)
"""

import socket
import statistics
import sys
import time

PORT = 5000
TRIPS = 50
BLOCK = bytes(1 << 16)
BLOCKS = 256


def read(peer: socket.socket, count: int) -> None:
    while count > 0:
        count -= len(peer.recv(min(count, 1 << 20)))


def listen() -> None:
    with socket.create_server(("", PORT)) as server:
        print("ready", flush=True)
        peer, _ = server.accept()
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(TRIPS):
        read(peer, 1)
        peer.sendall(b".")
    for _ in range(2):
        read(peer, BLOCKS * len(BLOCK))
        peer.sendall(b".")


def measure(address: str) -> tuple[float, float]:
    peer = socket.create_connection((address, PORT))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    trips = []
    for _ in range(TRIPS):
        begin = time.monotonic()
        peer.sendall(b".")
        read(peer, 1)
        trips.append(time.monotonic() - begin)
    trip = statistics.median(trips)
    for _ in range(2):  # the first opens TCP's window
        begin = time.monotonic()
        for _ in range(BLOCKS):
            peer.sendall(BLOCK)
        read(peer, 1)
        took = time.monotonic() - begin
    return trip / 2, BLOCKS * len(BLOCK) / (took - trip)


if __name__ == "__main__":
    if sys.argv[1] == "listen":
        listen()
    else:
        print(*measure(sys.argv[1]))
