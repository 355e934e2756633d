"""`fleet data` says what is in a text, or why there is nothing in it."""

from pathlib import Path

import pytest

from conftest import Fleet

PLAY = "First Citizen:\nSpeak.\n\nALL:\nSpeak, speak.\n\nAll:\nResolved.\nResolved.\n"


def test_a_text_is_counted(fleet: Fleet) -> None:
    text = fleet.directory / "play.txt"
    text.write_text(PLAY)
    said = fleet("data", "show", text).expect(0).text
    assert "roles      2" in said
    assert "speeches   3" in said
    assert "lines      9: 4 of speech, 3 name a speaker" in said


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the text is empty"),
        (b"\x7fELF\x02\x01\x01\x00", "not a text: byte 127 at offset 0"),
        (b"Call me Ishmael.\n", "no play in it"),
    ],
)
def test_what_holds_no_play_is_refused_by_name(fleet: Fleet, content: bytes, why: str) -> None:
    text = fleet.directory / "play.txt"
    text.write_bytes(content)
    assert f"{text}: {why}" in fleet("data", "show", text).expect(1).text


def test_a_verb_that_does_not_exist_is_met_with_those_that_do(fleet: Fleet, tmp_path: Path) -> None:
    for arguments in (["data"], ["data", "eat", str(tmp_path)]):
        said = fleet(*arguments).expect(2).text
        assert "fleet data fetch mnist" in said
        assert "fleet data show FILE" in said
