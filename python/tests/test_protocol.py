"""The other end of the protocol, asked as `fleet` asks it."""

from __future__ import annotations

import json
import socket
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pytest
from fleets import SIZE, Drift, Talk, talk_to

import fleet
from fleet.protocol import Answers, _maker, answer_all, identity_of

OPEN = {"cell": 1, "robots": 3, "seed": 5, "initialization": "different", "device": "cpu"}


@pytest.fixture
def talk() -> Talk:
    talk = talk_to(_maker(Drift))
    talk("open", settings={"rate": 0.25}, **OPEN)
    yield talk
    talk.close()


def train(talk: Talk, robot: int, *steps: int, place: int = 0) -> list[float]:
    """The weights of a new robot after so many steps, in several goes."""
    talk("robot", cell=1, robot=robot, role="own", index=robot)
    talk("initialize", cell=1, robot=robot, into=place)
    for each in steps:
        talk(
            "train",
            cell=1,
            robot=robot,
            weights=place,
            moments=[],
            steps=each,
            total_steps=sum(steps),
            fresh=False,
        )
    return talk.memory.floats(place, SIZE).tolist()


def test_what_a_fleet_is(talk: Talk) -> None:
    facts = talk("describe", settings={"rate": 0.25}, robots=3, device="cpu")
    assert facts["settings"] == {"rate": 0.25, "name": "drift"}
    assert facts["offers"] == ["save"]
    assert facts["samples"] == 6
    assert facts["network"]["tensors"] == [{"name": "weights", "shape": [SIZE]}]
    assert "moments" not in facts
    opened = talk("open", settings={}, **OPEN)
    assert opened["samples"] == [1, 2, 3]
    assert opened["steps_per_epoch"] == [2, 2, 2]


def test_a_module_that_names_a_file_there_is_not_is_no_part_of_an_identity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path(sys.modules[Drift.__module__].__file__).parent
    before = identity_of(Drift, "")
    monkeypatch.chdir(folder)
    monkeypatch.setitem(
        sys.modules, "torch._classes", types.SimpleNamespace(__file__="_classes.py")
    )
    assert identity_of(Drift, "") == before


def test_training_in_two_goes_is_training_in_one(talk: Talk) -> None:
    once = train(talk, 1, 7)
    talk("forget_robot", cell=1, robot=1)
    assert train(talk, 1, 3, 4, place=1024) == once


def test_a_robot_goes_on_from_its_state(talk: Talk) -> None:
    once = train(talk, 2, 9)
    talk("forget_robot", cell=1, robot=2)
    train(talk, 2, 4)
    size = talk("save", cell=1, robot=2)["bytes"]
    talk("take_state", cell=1, robot=2, into=4096)
    talk("robot", cell=1, robot=3, role="own", index=2)
    talk("load", cell=1, robot=3, **{"from": 4096, "bytes": size})
    talk("train", cell=1, robot=3, weights=0, moments=[], steps=5, total_steps=9, fresh=False)
    assert talk.memory.floats(0, SIZE).tolist() == once


@pytest.mark.parametrize(
    ("settings", "key", "complaint"),
    [
        ({"rate": "fast"}, "rate", "expected a number"),
        ({"rate": True}, "rate", "expected a number"),
        ({"name": 3}, "name", "expected a string"),
    ],
)
def test_a_setting_of_another_type_is_named(settings: dict, key: str, complaint: str) -> None:
    talk = talk_to(_maker(Drift))
    with pytest.raises(fleet.SettingError, match=complaint) as caught:
        talk("describe", settings=settings, robots=2, device="cpu")
    assert caught.value.key == key


def test_metrics_that_are_not_announced_are_refused() -> None:
    class Odd(Drift):
        metrics = ("accuracy",)

    talk = talk_to(_maker(Odd))
    talk("open", settings={}, **OPEN)
    with pytest.raises(fleet.FleetError, match="accuracy"):
        talk("test", cell=1, at=0, part=0)


def test_a_method_gets_weights_and_gives_one_vector() -> None:
    class Median(fleet.Method):
        def merge(self, models: np.ndarray, about: fleet.Merge) -> np.ndarray:
            assert about.robots == [0, 2, 3]
            assert about.previous is None
            return np.median(models, axis=0)

    talk = Talk(lambda memory: Answers(memory, None, Median))
    network = Drift(fleet.Cell({})).network().to_json()
    talk("open_method", settings={}, network=network)
    models = np.arange(3 * SIZE, dtype=np.float32).reshape(3, SIZE)
    talk.memory.floats(0, 3, SIZE)[:] = models
    merge = {"models": 0, "samples": [1.0, 2.0, 3.0], "round": 1, "seed": 0, "into": 4096}
    talk("merge", robots=[0, 2, 3], **merge)
    assert talk.memory.floats(4096, SIZE).tolist() == models[1].tolist()


def test_a_method_that_gives_another_shape_is_named() -> None:
    class Odd(fleet.Method):
        def merge(self, models: np.ndarray, about: fleet.Merge) -> np.ndarray:
            return models

    talk = Talk(lambda memory: Answers(memory, None, Odd))
    talk("open_method", settings={}, network=Drift(fleet.Cell({})).network().to_json())
    with pytest.raises(fleet.FleetError, match=r"shape \(2, 6\), expected \(6,\)"):
        talk("merge", robots=[0, 1], models=0, samples=[1.0, 1.0], round=1, seed=0, into=4096)


def conversation(answers: object, *requests: dict) -> list[dict]:
    """The replies to requests on a socket."""
    ours, theirs = socket.socketpair()
    answering = threading.Thread(target=answer_all, args=(theirs, answers))
    answering.start()
    with ours, ours.makefile("rb") as replies:
        for request in requests:
            ours.sendall(json.dumps(request).encode() + b"\n")
        told = [json.loads(replies.readline()) for _ in requests]
        ours.shutdown(socket.SHUT_RDWR)
    answering.join()
    return told


def test_an_error_names_file_and_line_and_the_next_request_is_answered() -> None:
    def answers(message: dict) -> dict:
        return {"value": 1 / message["by"]}

    told = conversation(answers, {"id": 1, "by": 0}, {"id": 2, "by": 4})
    assert told[0]["id"] == 1
    assert "ZeroDivisionError" in told[0]["error"]
    assert "test_protocol.py:" in told[0]["error"]
    assert told[1] == {"id": 2, "value": 0.25}


def test_numbers_that_are_not_finite_cross_as_null() -> None:
    told = conversation(lambda _: {"loss": float("nan"), "scores": [[np.inf, 1]]}, {"id": 1})
    assert told[0] == {"id": 1, "loss": None, "scores": [[None, 1]]}
