"""Weights come back from their files; files of PyTorch's own are read as weights, or refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from fleet import FleetError  # noqa: E402
from fleet.__main__ import main  # noqa: E402
from fleet.safetensors import load, save  # noqa: E402


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    shared = torch.randn(4, 3)
    return {
        "a.weight": shared,
        "tied": shared,
        "turned": shared.t(),
        "half": torch.randn(5).half(),
        "brain": torch.randn(2, 2).bfloat16(),
        "double": torch.randn(()).double(),
        "steps": torch.tensor([7, -1]),
        "mask": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
    }


def expect_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert list(one) == list(other)
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype and torch.equal(tensor, other[name]), name


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    save(tensors(), tmp_path / "a.safetensors", {"note": "a word"})
    expect_same(load(tmp_path / "a.safetensors"), tensors())
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


def test_the_public_package_reads_it_too(tmp_path: Path) -> None:
    public = pytest.importorskip("safetensors.torch")
    save(tensors(), tmp_path / "a.safetensors")
    read = public.load_file(tmp_path / "a.safetensors")
    expect_same({name: read[name] for name in tensors()}, tensors())


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff" * 20, b"\x02\0\0\0\0\0\0\0[]"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(FleetError, match=r"a\.safetensors: no safetensors file"):
        load(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (lambda state: state, ()),
        (lambda state: {"model_state_dict": state, "epoch": 3}, ()),
        (lambda state: {"ema": {"model": state}}, ("--key", "ema.model")),
    ],
)
def test_checkpoints_are_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content, key: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content(tensors()), "a.pt")
    assert main(["convert", "a.pt", "-o", "a.safetensors", *key]) == 0
    expect_same(load("a.safetensors"), tensors())


class Trap:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("trapped",)


@pytest.mark.parametrize(
    ("content", "arguments", "complaint"),
    [
        ({"a": Trap()}, ("a.pt",), "cannot be read as weights alone"),
        ({"epoch": 3}, ("a.pt",), "there are: epoch"),
        ([1, 2], ("a.pt",), "it holds a list"),
        ({"a": {}}, ("a.pt", "--key", "a.b"), "there is no a.b"),
        ({}, ("gone.pt",), "there is no such file"),
    ],
)
def test_what_holds_no_weights_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: object,
    arguments: tuple[str, ...],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, "a.pt")
    assert main(["convert", *arguments, "-o", "a.safetensors"]) == 2
    assert complaint in capsys.readouterr().err
    assert not Path("a.safetensors").exists() and not Path("trapped").exists()


def test_the_output_must_be_named_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "a.pt", "-o", str(tmp_path / "a.bin")]) == 2
    assert "ends in .safetensors" in capsys.readouterr().err
