"""Models in safetensors files are merged to the same bits as others, in the types they came in."""

import json
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from conftest import Fleet
from test_models import robots, sweep, weights


def read(path: Path) -> dict[str, np.ndarray]:
    """By name; bfloat16 as bits."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    types = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8", "BF16": "<u2"}
    found = {}
    for name, entry in header.items():
        begin, end = (8 + length + place for place in entry["data_offsets"])
        found[name] = np.frombuffer(content[begin:end], types[entry["dtype"]]).reshape(
            entry["shape"]
        )
    return found


def write(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    types = {"f4": "F32", "f2": "F16", "f8": "F64", "i8": "I64"}
    header, data = {}, b""
    for name, tensor in tensors.items():
        begin = len(data)
        data += tensor.tobytes()
        header[name] = {
            "dtype": types[tensor.dtype.str[1:]],
            "shape": list(tensor.shape),
            "data_offsets": [begin, len(data)],
        }
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """Five models of a cell, and what git-rebasin made of them."""
    return sweep(Fleet(tmp_path_factory.mktemp("trained"), digits), "git-rebasin")


@pytest.fixture()
def exported(fleet: Fleet, trained: Path) -> list[str]:
    """The same models as safetensors files, with their symmetry beside them."""
    names = []
    for model in robots(trained):
        name = f"{Path(model).stem}.safetensors"
        said = fleet("export", model, "-o", name).expect(0).out
        assert said.split() == [name, f"{Path(model).stem}.symmetry.json"]
        names.append(name)
    return names


ALIGNED = ("--method", "git-rebasin", "--symmetry", "robot-0.symmetry.json")


def test_what_is_exported_is_the_model(fleet: Fleet, trained: Path, exported: list[str]) -> None:
    for model, name in zip(robots(trained), exported, strict=True):
        tensors = read(fleet.directory / name)
        assert {key: value.tobytes() for key, value in tensors.items()} == weights(Path(model))


@pytest.mark.parametrize("ranks", [0, 2])
def test_they_are_merged_to_the_bits_of_the_models_of_the_program(
    fleet: Fleet, trained: Path, exported: list[str], ranks: int
) -> None:
    fleet("merge", *exported, *ALIGNED, "-o", "merged.safetensors", ranks=ranks).expect(0)
    merged = read(fleet.directory / "merged.safetensors")
    assert {key: value.tobytes() for key, value in merged.items()} == weights(trained / "merged.h5")


def test_aligned_models_compute_the_same_and_average_to_the_merged(
    fleet: Fleet, exported: list[str]
) -> None:
    fleet(
        "merge", *exported, *ALIGNED, "-o", "merged.safetensors", "--weights", "1,1,1,1,1"
    ).expect(0)
    fleet("merge", *exported, *ALIGNED, "--align-only", "-o", "aligned").expect(0)
    moved = 0
    models = []
    for name in exported:
        before, after = read(fleet.directory / name), read(fleet.directory / "aligned" / name)
        models.append(after)
        moved += any(before[key].tobytes() != after[key].tobytes() for key in before)
        inputs = np.random.default_rng(1).normal(size=(3, before["layers.0.weight"].shape[1]))
        np.testing.assert_allclose(outputs(before, inputs), outputs(after, inputs), atol=1e-4)
    assert moved >= 4
    merged = read(fleet.directory / "merged.safetensors")
    for key, tensor in merged.items():
        mean = np.mean([model[key] for model in models], axis=0)
        np.testing.assert_allclose(tensor, mean, atol=1e-6)


def test_aligned_models_never_take_the_place_of_others(fleet: Fleet, exported: list[str]) -> None:
    other = fleet.directory / "other"
    other.mkdir()
    (other / exported[0]).write_bytes((fleet.directory / exported[1]).read_bytes())
    before = fleet.everything()
    here = fleet("merge", *exported[:2], *ALIGNED, "--align-only", "-o", ".").expect(2)
    assert f"{exported[0]} is one of the models to be merged" in here.err
    same = (exported[0], f"other/{exported[0]}")
    said = fleet("merge", *same, *ALIGNED, "--align-only", "-o", "aligned").expect(2).err
    assert "have the same; rename one of them" in said
    assert fleet.everything() == before


def outputs(model: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    layers = sorted({name.rpartition(".")[0] for name in model})
    for layer in layers:
        x = x @ model[f"{layer}.weight"].T + model[f"{layer}.bias"]
        x = x if layer == layers[-1] else np.maximum(x, 0)
    return x


def test_a_barrier_is_judged_by_a_command(fleet: Fleet, exported: list[str]) -> None:
    judge = fleet.directory / "judge.py"
    judge.write_text(
        "import sys, pathlib\n"
        "size = pathlib.Path(sys.argv[1]).stat().st_size\n"
        "print('loss', 0.5 if size > 100 else 'nan')\n"
    )
    words = ("--symmetry", "robot-0.symmetry.json", "--points", "3", "--judge", f"python3 {judge}")
    out = fleet("barrier", *exported[:2], *words).expect(0).out
    assert "as they are" in out and "git-rebasin" in out
    assert out.count("0.5000      0.5000      0.0000      0.0000") == 2
    judge.write_text("raise SystemExit('no data here')\n")
    assert "no data here" in fleet("barrier", *exported[:2], *words).expect(1).err


def models(directory: Path) -> None:
    stream = np.random.default_rng(3)
    for name in ("base", "a", "b"):
        write(
            directory / f"{name}.safetensors",
            {
                "w": stream.normal(size=(4, 3)).astype("<f4"),
                "half": stream.normal(size=5).astype("<f2"),
                "double": stream.normal(size=2).astype("<f8"),
                "steps": np.array([ord(name[0])], "<i8"),
            },
        )


def test_what_needs_no_alignment_is_arithmetic(fleet: Fleet) -> None:
    models(fleet.directory)
    a, b, base = (read(fleet.directory / f"{name}.safetensors") for name in ("a", "b", "base"))
    expected = {
        ("average", "--weights", "1,3"): lambda n: (a[n] + 3.0 * b[n]) / 4,
        ("interpolate", "--weight", "0.25"): lambda n: 0.75 * a[n] + 0.25 * b[n],
        ("task-arithmetic", "--base", "base.safetensors", "--scale", "0.5"): lambda n: (
            base[n] + 0.5 * (a[n] + b[n] - 2.0 * base[n])
        ),
        ("dare", "--base", "base.safetensors", "--density", "1"): lambda n: a[n] + b[n] - base[n],
        (
            "fisher",
            "--fisher",
            "b.fisher.safetensors",
            "--fisher",
            "a.fisher.safetensors",
        ): lambda n: (3.0 * a[n] + b[n]) / 4,
    }
    for name, value in (("a", 1.0), ("b", 3.0)):
        diagonal = {key: np.full_like(tensor, value) for key, tensor in a.items()}
        write(fleet.directory / f"{name}.fisher.safetensors", diagonal)
    for number, (words, mean) in enumerate(expected.items()):
        for ranks in (0, 2):
            target = f"merged-{number}-{ranks}.safetensors"
            two = ("a.safetensors", "b.safetensors")
            done = fleet("merge", *two, "--method", *words, "-o", target, ranks=ranks).expect(0)
            assert "whole numbers that differ are taken from a.safetensors: steps" in done.err
            merged = read(fleet.directory / target)
            assert merged["steps"] == a["steps"]
            for name in ("w", "half", "double"):
                assert merged[name].dtype == a[name].dtype
                np.testing.assert_allclose(merged[name], mean(name), rtol=2e-3, atol=2e-3)
        one, two = (fleet.directory / f"merged-{number}-{ranks}.safetensors" for ranks in (0, 2))
        assert one.read_bytes() == two.read_bytes()


def test_bad_input_is_refused_before_anything_is_done(fleet: Fleet, exported: list[str]) -> None:
    models(fleet.directory)
    two = ("a.safetensors", "b.safetensors")
    write(fleet.directory / "wide.safetensors", {"w": np.zeros((4, 4), "<f4")})
    (fleet.directory / "broken.safetensors").write_bytes(b"12345678{}")
    (fleet.directory / "mine.safetensors").write_bytes((fleet.directory / two[0]).read_bytes())
    cases = [
        ((*two, "-o", "c.safetensors"), "say how to merge"),
        ((*two, "--method", "average"), "-o merged.safetensors"),
        (("a.safetensors", "wide.safetensors", "--method", "average", "-o", "c.safetensors"),
         "different networks: double (F64 2) against no double"),
        ((exported[0], "a.safetensors", *ALIGNED, "-o", "c.safetensors"), "different networks"),
        ((*two, *ALIGNED, "-o", "c.safetensors"),
         "the symmetry is of another network than a.safetensors"),
        ((*two, "--method", "git-rebasin", "-o", "c.safetensors"), "python -m fleet symmetry"),
        ((*two, "--method", "regression", "-o", "c.safetensors"), "asks for the robots' data"),
        ((*two, "--method", "mean", "-o", "c.safetensors"), "--method mean: there are average"),
        ((*two, "--method", "ties", "-o", "c.safetensors"), "--base BASE"),
        ((*two, "--method", "average", "--base", "base.safetensors", "-o", "c.safetensors"),
         "--base is of no use to --method average"),
        ((*two, "--method", "average", *ALIGNED[2:], "-o", "c.safetensors"),
         "--symmetry is of no use to --method average: only git-rebasin aligns"),
        ((*two, "--method", "average", "--weights", "1", "-o", "c.safetensors"), "1 for 2 models"),
        ((*two, "--method", "average", "--weights", "1,x", "-o", "c.safetensors"),
         "expected a number"),
        ((*two, "--method", "fisher", "-o", "c.safetensors"), "--fisher FILE once for each of 2"),
        ((*two, "--method", "average", "-o", "a.safetensors"), "one of the models to be merged"),
        ((*two, "--method", "average", "-o", "mine.safetensors"), "is there already"),
        ((*two, "--method", "average", "-o", "c.pt"), "expected a name that ends so"),
        ((*two, *ALIGNED, "-o", "c.h5"), "expected a name that ends so"),
        (("a.pt", "b.pt", "--method", "average", "-o", "c.safetensors"),
         "python -m fleet convert a.pt"),
        (("a.safetensors", "broken.safetensors", "--method", "average", "-o", "c.safetensors"),
         "broken.safetensors: no safetensors file"),
        (("gone.safetensors", "a.safetensors", "--method", "average", "-o", "c.safetensors"),
         "gone.safetensors: cannot be opened: No such file"),
        (("a.safetensors", "--method", "average", "-o", "c.safetensors"), "two models or more"),
    ]  # fmt: skip
    before = fleet.everything()
    for words, complaint in cases:
        outcome = fleet("merge", *words).expect(2)
        assert complaint in outcome.err, (words, outcome.err)
    assert fleet.everything() == before
    assert "--base is of no use" in fleet("merge", "x.h5", "y.h5", "--base", "z").expect(2).err


def test_a_folder_is_merged_into_a_folder(fleet: Fleet) -> None:
    models(fleet.directory)
    for name in ("a", "b"):
        folder = fleet.directory / name
        folder.mkdir()
        (fleet.directory / f"{name}.safetensors").rename(folder / "model.safetensors")
        (folder / "config.json").write_text(f'{{"type": "{name}"}}')
    done = fleet("merge", "a", "b", "--method", "average", "-o", "c").expect(0)
    assert "config.json is taken from a; that of b is another" in done.err
    assert (fleet.directory / "c/config.json").read_text() == '{"type": "a"}'
    assert sorted(path.name for path in (fleet.directory / "c").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    assert (
        "is no empty folder"
        in fleet("merge", "a", "b", "--method", "average", "-o", "c").expect(2).err
    )


def test_a_checkpoint_laid_out_as_lerobot_does_comes_out_as_one(fleet: Fleet) -> None:
    """Its folder pretrained_model: weights, configurations, and the states of its processors."""
    models(fleet.directory)
    others = {
        "config.json": b'{"type": "act", "chunk_size": 100}',
        "train_config.json": b"{}",
        "policy_preprocessor.json": b'{"steps": []}',
        "policy_preprocessor_step_3_normalizer_processor.safetensors": (
            fleet.directory / "base.safetensors"
        ).read_bytes(),
    }
    for name in ("a", "b"):
        folder = fleet.directory / name / "pretrained_model"
        folder.mkdir(parents=True)
        (fleet.directory / f"{name}.safetensors").rename(folder / "model.safetensors")
        for file, content in others.items():
            (folder / file).write_bytes(content)
    paths = ("a/pretrained_model", "b/pretrained_model/")
    fleet("merge", *paths, "--method", "average", "-o", "c/pretrained_model").expect(0)
    merged = fleet.directory / "c/pretrained_model"
    assert {path.name for path in merged.iterdir()} == {"model.safetensors", *others}
    for file, content in others.items():
        assert (merged / file).read_bytes() == content
    one, two = (read(fleet.directory / path / "model.safetensors") for path in paths)
    np.testing.assert_allclose(
        read(merged / "model.safetensors")["w"], (one["w"] + two["w"]) / 2, atol=1e-6
    )


def test_a_model_of_another_kind_is_no_export(fleet: Fleet) -> None:
    with h5py.File(fleet.directory / "other.h5", "w") as file:
        file["x"] = 1
    fleet("export", "other.h5", "-o", "a.safetensors").expect(1)
    assert "ends in .safetensors" in fleet("export", "other.h5", "-o", "a.bin").expect(2).err
