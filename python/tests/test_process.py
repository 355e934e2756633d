"""A program with a fleet, started and ended as `fleet` does it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
PROGRAM = """
import time
import fleets
import fleet

class Slow(fleets.Drift):
    def train(self, robot, training):
        print("training", flush=True)
        time.sleep(self.cell.settings["rate"])
        return super().train(robot, training)

fleet.serve(Slow)
"""


class Program:
    """The other end of a socket and of shared memory."""

    def __init__(self, wrapped: bool = False) -> None:
        self.ours, theirs = socket.socketpair()
        memory = os.memfd_create("test")
        os.ftruncate(memory, 1 << 16)
        path = os.pathsep.join([str(TESTS), str(TESTS.parent / "src")])
        command = [sys.executable, "-c", PROGRAM]
        self.process = subprocess.Popen(
            ["sh", "-c", '"$@"; true', "sh", *command] if wrapped else command,
            pass_fds=(theirs.fileno(), memory),
            env=os.environ
            | {
                "FLEET_SOCKET": str(theirs.fileno()),
                "FLEET_MEMORY": str(memory),
                "PYTHONPATH": path,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        os.close(memory)
        self.answers = self.ours.makefile("rb")

    def send(self, call: str, **fields: Any) -> None:
        self.ours.sendall(json.dumps({"call": call, "id": 1, **fields}).encode() + b"\n")

    def ask(self, call: str, **fields: Any) -> dict[str, Any]:
        self.send(call, **fields)
        return json.loads(self.answers.readline())

    def begin(self, rate: float) -> None:
        self.ask("resize_memory", bytes=1 << 16)
        cell = {"cell": 1, "robots": 1, "seed": 0, "initialization": "common", "device": "cpu"}
        assert "error" not in self.ask("open", settings={"rate": rate}, **cell)
        self.ask("robot", cell=1, robot=2, role="own", index=0)
        self.ask("initialize", cell=1, robot=2, into=0)
        task = {"weights": 0, "moments": [], "steps": 1, "total_steps": 1, "fresh": True}
        self.send("train", cell=1, robot=2, **task)


def below(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]


def ends(pid: int) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_a_program_answers_and_ends_with_its_socket() -> None:
    program = Program()
    assert program.ask("hello", protocol=1) == {"id": 1, "protocol": 1}
    facts = program.ask("describe", settings={}, robots=2, device="cpu")
    assert facts["settings"]["name"] == "drift"
    assert "error" in program.ask("no such request")
    program.answers.close()
    program.ours.close()
    err = program.process.communicate(timeout=30)[1]
    assert program.process.returncode == 0
    assert "does not know the request 'no such request'" in err


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_busy_program_does_not_outlive_its_socket(wrapped: bool) -> None:
    program = Program(wrapped)
    program.begin(rate=1000.0)
    assert program.process.stdout.readline() == "training\n"
    python = below(program.process.pid)[0] if wrapped else program.process.pid
    program.answers.close()
    program.ours.close()
    assert ends(python)
    program.process.kill()
    program.process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux")
def test_a_program_does_not_outlive_a_killed_wrapper() -> None:
    program = Program(wrapped=True)
    program.begin(rate=1000.0)
    assert program.process.stdout.readline() == "training\n"
    (python,) = below(program.process.pid)
    program.process.send_signal(signal.SIGKILL)
    assert ends(python)
    program.process.communicate()


def test_started_by_hand_it_tells_what_it_is() -> None:
    path = os.pathsep.join([str(TESTS), str(TESTS.parent / "src")])
    told = subprocess.run(
        [sys.executable, "-c", "import fleet, fleets; fleet.serve(fleets.Drift)"],
        env={k: v for k, v in os.environ.items() if k != "FLEET_SOCKET"} | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "1 tensors, 6 weights" in told
    assert "It works" in told
