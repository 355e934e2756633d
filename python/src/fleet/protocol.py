"""The other end of docs/protocol.md: answers requests of `fleet` about fleets and methods.

Requests are lines of JSON on a socket; weights and statistics lie in shared memory. `serve` runs in
a program that `fleet` has started.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import math
import mmap
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleet.errors import FleetError, SettingError
from fleet.settings import resolve
from fleet.spec import Network
from fleet.world import Cell, Fleet, Head, Merge, Method, Robot, Training

PROTOCOL = 1
PACKAGE = Path(__file__).resolve().parent

Message = Mapping[str, Any]
Reply = dict[str, Any]


class Memory:
    """The shared memory, as arrays over places in it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._map: mmap.mmap | None = None

    def resize(self, size: int) -> None:
        """Maps it anew; arrays over the old mapping still show the same memory."""
        self._map = mmap.mmap(self._descriptor, size)

    def floats(self, offset: int, *shape: int) -> NDArray[np.float32]:
        return self._array(np.float32, offset, shape)

    def doubles(self, offset: int, *shape: int) -> NDArray[np.float64]:
        return self._array(np.float64, offset, shape)

    def bytes(self, offset: int, size: int) -> NDArray[np.uint8]:
        return self._array(np.uint8, offset, (size,))

    def _array(self, kind: Any, offset: int, shape: tuple[int, ...]) -> NDArray[Any]:
        if self._map is None:
            raise FleetError("no memory is shared yet")
        return np.frombuffer(self._map, kind, math.prod(shape), offset).reshape(shape)


class OpenFleet:
    """One cell under way: its fleet, and what was made of it."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.network = fleet.network()
        self.robots: dict[int, Robot] = {}
        self.heads: dict[int, Head] = {}
        self.states: dict[int, bytes] = {}

    def map_shape(self, index: int) -> tuple[int, int]:
        """Outputs and inputs of a map, that of a constant included."""
        each = self.network.maps[index]
        shapes = {tensor.name: tensor.shape for tensor in self.network.tensors}
        outputs = shapes[each.weights[0]][0]
        inputs = sum(math.prod(shapes[name][1:]) for name in each.weights)
        return outputs, inputs + (each.bias is not None or each.norm is not None)


class Answers:
    """One function a request, named after it."""

    def __init__(
        self,
        memory: Memory,
        make_fleet: Callable[[Cell], Fleet] | None,
        method: type[Method] | None,
    ) -> None:
        self._memory = memory
        self._make_fleet = make_fleet
        self._method_class = method
        self._cells: dict[int, OpenFleet] = {}
        self._method: Method | None = None
        self._network: Network | None = None

    def __call__(self, message: Message) -> Reply:
        function = getattr(self, f"_{message.get('call')}", None)
        if function is None:
            raise FleetError(f"this package does not know the request {message.get('call')!r}")
        return function(message) or {}

    def _hello(self, message: Message) -> Reply:
        return {"protocol": PROTOCOL}

    def _resize_memory(self, message: Message) -> None:
        self._memory.resize(message["bytes"])

    # Worlds.

    def _describe(self, message: Message) -> Reply:
        fleet = self._fleet_of(message)
        moments = fleet.moments()
        reply = {
            "network": fleet.network().to_json(),
            "identity": identity_of(type(fleet), fleet.identity()),
            "offers": fleet.offers(),
            "quadratic": fleet.is_quadratic(),
            "batch": fleet.batch_size,
            "samples": sum(fleet.samples(robot) for robot in range(message["robots"])),
        }
        if type(fleet).settings is not None:
            reply["settings"] = dict(resolve(type(fleet).settings, message["settings"]))
        if moments is not None:
            reply["moments"] = moments
        return reply

    def _open(self, message: Message) -> Reply:
        fleet = self._fleet_of(message)
        self._cells[message["cell"]] = OpenFleet(fleet)
        robots = range(message["robots"])
        reply: Reply = {
            "samples": [fleet.samples(robot) for robot in robots],
            "steps_per_epoch": [fleet.steps_per_epoch(robot) for robot in robots],
            "parts": fleet.parts,
            "metrics": list(fleet.metrics),
        }
        labels = fleet.labels()
        if labels is not None:
            reply["labels"] = labels
        return reply

    def _fleet_of(self, message: Message) -> Fleet:
        if self._make_fleet is None:
            raise FleetError(
                "this program is a merging method, no fleet: see merge.external.command"
            )
        return self._make_fleet(
            Cell(
                settings=message["settings"],
                robots=message["robots"],
                seed=message.get("seed", 0),
                common_start=message.get("initialization") == "common",
                device=message.get("device", "cpu"),
            )
        )

    def _close(self, message: Message) -> None:
        del self._cells[message["cell"]]

    def _robot(self, message: Message) -> Reply:
        cell = self._cells[message["cell"]]
        robot = Robot(message["index"], message["role"])
        reply = {}
        if robot.role == "joint":
            reply["samples"] = cell.fleet.joint(robot)
        elif robot.role == "finetune":
            reply["samples"] = cell.fleet.finetune(robot)
        cell.robots[message["robot"]] = robot
        return reply

    def _initialize(self, message: Message) -> None:
        cell, robot = self._cell_and_robot(message)
        cell.fleet.initialize(robot, self._weights(cell, message["into"]))

    def _forget_robot(self, message: Message) -> None:
        del self._cells[message["cell"]].robots[message["robot"]]

    def _train(self, message: Message) -> Reply:
        cell, robot = self._cell_and_robot(message)
        robot.total_steps = message["total_steps"]
        training = Training(
            weights=self._weights(cell, message["weights"]),
            moments=[self._weights(cell, place) for place in message["moments"]],
            steps=message["steps"],
            fresh=message["fresh"],
            moment_steps=message.get("moment_steps", 0),
        )
        loss = cell.fleet.train(robot, training)
        robot.steps += message["steps"]
        return {"loss": loss}

    def _test(self, message: Message) -> Reply:
        cell = self._cells[message["cell"]]
        scores = cell.fleet.test(self._weights(cell, message["at"]), message["part"])
        names = list(cell.fleet.metrics)
        if sorted(scores) != sorted(names):
            raise FleetError(f"the test came to {sorted(scores)}; `metrics` says {sorted(names)}")
        return {"scores": [scores[name] for name in names]}

    def _loss_gradient(self, message: Message) -> Reply:
        cell, robot = self._cell_and_robot(message)
        loss = cell.fleet.loss_gradient(
            robot,
            self._weights(cell, message["at"]),
            message["batch"],
            message["draw"],
            self._weights(cell, message["into"]),
        )
        return {"loss": loss}

    def _held_out_score(self, message: Message) -> Reply:
        cell, robot = self._cell_and_robot(message)
        total, samples = cell.fleet.held_out_score(robot, self._weights(cell, message["at"]))
        return {"sum": total, "samples": samples}

    def _held_out_loss(self, message: Message) -> Reply:
        cell, robot = self._cell_and_robot(message)
        total, samples = cell.fleet.held_out_loss(robot, self._weights(cell, message["at"]))
        return {"sum": total, "samples": samples}

    def _map_moments(self, message: Message) -> Reply:
        cell, robot = self._cell_and_robot(message)
        outputs, inputs = cell.map_shape(message["map"])
        samples = cell.fleet.map_moments(
            robot,
            self._weights(cell, message["features"]),
            self._weights(cell, message["outputs"]),
            message["map"],
            self._memory.doubles(message["inputs"], inputs, inputs),
            self._memory.doubles(message["targets"], outputs, inputs),
        )
        return {"samples": samples}

    def _trials(self, message: Message) -> Reply:
        cell, robot = self._cell_and_robot(message)
        at = self._weights(cell, message["at"])
        total, samples = cell.fleet.trials(robot, at, message["episodes"], message["draw"])
        return {"sum": total, "samples": samples}

    def _curvature(self, message: Message) -> Reply:
        cell, robot = self._cell_and_robot(message)
        outputs = []
        for index, place in enumerate(message["outputs"]):
            size = cell.map_shape(index)[0]
            outputs.append(self._memory.doubles(place, size, size))
        samples = cell.fleet.curvature(
            robot,
            self._weights(cell, message["at"]),
            message["draw"],
            self._weights(cell, message["gradient"]),
            outputs,
        )
        return {"samples": samples}

    def _head(self, message: Message) -> Reply:
        cell, robot = self._cell_and_robot(message)
        head = cell.fleet.head_data(robot, self._weights(cell, message["at"]))
        cell.heads[message["head"]] = head
        return {"curvature": head.curvature}

    def _forget_head(self, message: Message) -> None:
        del self._cells[message["cell"]].heads[message["head"]]

    def _head_moments(self, message: Message) -> Reply:
        cell = self._cells[message["cell"]]
        outputs, inputs = cell.map_shape(-1)
        samples = cell.heads[message["head"]].moments(
            self._memory.doubles(message["inputs"], inputs, inputs),
            self._memory.doubles(message["targets"], outputs, inputs),
        )
        return {"samples": samples}

    def _head_basis(self, message: Message) -> None:
        cell = self._cells[message["cell"]]
        inputs = cell.map_shape(-1)[1]
        lower = self._memory.doubles(message["lower"], inputs, inputs)
        cell.heads[message["head"]].change_basis(lower)

    def _head_gradient(self, message: Message) -> None:
        cell = self._cells[message["cell"]]
        shape = cell.map_shape(-1)
        cell.heads[message["head"]].gradient(
            self._memory.floats(message["at"], *shape), self._memory.floats(message["into"], *shape)
        )

    def _rest(self, message: Message) -> None:
        cell, robot = self._cell_and_robot(message)
        cell.fleet.rest(robot)

    def _save(self, message: Message) -> Reply:
        cell, robot = self._cell_and_robot(message)
        state = robot.steps.to_bytes(8, "little") + cell.fleet.save(robot)
        cell.states[message["robot"]] = state
        return {"bytes": len(state)}

    def _take_state(self, message: Message) -> None:
        state = self._cells[message["cell"]].states.pop(message["robot"])
        into = self._memory.bytes(message["into"], len(state))
        into[:] = np.frombuffer(state, np.uint8)

    def _load(self, message: Message) -> None:
        cell, robot = self._cell_and_robot(message)
        state = self._memory.bytes(message["from"], message["bytes"]).tobytes()
        robot.steps = int.from_bytes(state[:8], "little")
        cell.fleet.load(robot, state[8:])

    def _cell_and_robot(self, message: Message) -> tuple[OpenFleet, Robot]:
        cell = self._cells[message["cell"]]
        return cell, cell.robots[message["robot"]]

    def _weights(self, cell: OpenFleet, offset: int) -> NDArray[np.float32]:
        return self._memory.floats(offset, cell.network.size)

    # Methods.

    def _describe_method(self, message: Message) -> Reply:
        method = self._method_of(message)
        settings = dict(resolve(type(method).settings, message["settings"]))
        return {"settings": settings, "identity": identity_of(type(method), method.identity())}

    def _open_method(self, message: Message) -> None:
        self._method = self._method_of(message)
        self._network = Network.from_json(message["network"])

    def _method_of(self, message: Message) -> Method:
        if self._method_class is None:
            raise FleetError("this program is a fleet, no merging method: see external.command")
        return self._method_class(resolve(self._method_class.settings, message["settings"]))

    def _merge(self, message: Message) -> None:
        if self._method is None or self._network is None:
            raise FleetError("no method is open")
        size = self._network.size
        previous = message.get("previous")
        about = Merge(
            network=self._network,
            robots=list(message["robots"]),
            samples=np.asarray(message["samples"], np.float64),
            round=message["round"],
            seed=message["seed"],
            previous=None if previous is None else self._memory.floats(previous, size),
        )
        models = self._memory.floats(message["models"], len(about.robots), size)
        merged = np.asarray(self._method.merge(models, about))
        if merged.shape != (size,):
            raise FleetError(f"merge() gave an array of shape {merged.shape}, expected ({size},)")
        self._memory.floats(message["into"], size)[:] = merged


def identity_of(kind: type, data: str) -> str:
    """Of a class: its own code, that of modules beside it, and what it says of its data."""
    digest = hashlib.sha256(data.encode())
    main = sys.modules.get(kind.__module__)
    file = getattr(main, "__file__", None)
    folder = Path(file).resolve().parent if file else None
    sources = set()
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if name and folder and folder in (path := Path(name).resolve()).parents:
            sources.add(path)
    for path in sorted(sources - set(PACKAGE.rglob("*.py"))):
        # Some of PyTorch's modules name files that there are not.
        if "site-packages" not in path.parts and path.suffix == ".py" and path.is_file():
            digest.update(path.relative_to(folder or path).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _finite(value: Any) -> Any:
    """As JSON can say it: null for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else None


def _complaint(error: BaseException) -> str:
    """The error with the last line of the user's code that it passed."""
    if isinstance(error, FleetError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if PACKAGE not in Path(f.filename).parents]
    outside = [
        f for f in own if "site-packages" not in f.filename and "dist-packages" not in f.filename
    ]
    where = (outside or own or frames)[-1:]
    at = "".join(f" ({frame.filename}:{frame.lineno})" for frame in where)
    return "".join(traceback.format_exception_only(type(error), error)).strip() + at


def answer_all(connection: socket.socket, answers: Callable[[Message], Reply]) -> None:
    """Answers requests until the other side closes the connection."""
    with connection, connection.makefile("rb") as requests:
        for line in requests:
            message = json.loads(line)
            reply: Reply = {"id": message.get("id")}
            try:
                reply.update(answers(message))
            except Exception as error:
                traceback.print_exc()
                reply = {"id": message.get("id"), "error": _complaint(error)}
                if isinstance(error, SettingError):
                    reply["key"] = error.key
            connection.sendall(json.dumps(_finite(reply), allow_nan=False).encode() + b"\n")


def _die_with_parent(connection: socket.socket) -> None:
    """However `fleet` ends, and however busy this process is, it does not outlive `fleet`."""
    if sys.platform == "linux":
        set_death_signal = 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
    closed = getattr(select, "POLLRDHUP", select.POLLHUP)

    def watch() -> None:
        poll = select.poll()
        poll.register(connection, closed)
        poll.poll()
        time.sleep(2.0)  # for an orderly end
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def serve(kind: type[Fleet] | type[Method] | Callable[[Cell], Fleet]) -> None:
    """Answers what `fleet` asks about a fleet or a method, until `fleet` has had enough.

    Started by hand, it tells what the fleet is, and tries it.
    """
    if "FLEET_SOCKET" not in os.environ:
        from fleet.rehearsal import rehearse

        rehearse(kind)
        return
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    connection = socket.socket(fileno=int(os.environ["FLEET_SOCKET"]))
    connection.setblocking(True)
    memory = Memory(int(os.environ["FLEET_MEMORY"]))
    _die_with_parent(connection)
    is_method = isinstance(kind, type) and issubclass(kind, Method)
    answers = Answers(memory, None if is_method else _maker(kind), kind if is_method else None)
    answer_all(connection, answers)


def _maker(kind: Any) -> Callable[[Cell], Fleet]:
    """Makes fleets whose settings are complete."""
    defaults = getattr(kind, "settings", None)

    def make(cell: Cell) -> Fleet:
        if defaults is None:
            return kind(cell)
        settings = resolve(defaults, cell.settings)
        return kind(Cell(settings, cell.robots, cell.seed, cell.common_start, cell.device))

    return make
