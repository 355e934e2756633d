"""CIFAR in its official layout: residual networks, images that are varied, and batch norms."""

import re
from pathlib import Path

import numpy as np
import pytest

from conftest import Fleet, table

METHODS = ["average", "git-rebasin", "regression", "auto"]
SWEEP = """\
workload = "cifar10"

[data]
held_out = 0.1

[fleet]
robots = 3
alpha = 1.0

[model]
kind = "resnet"
channels = [4, 8]

[train]
epochs = 2
batch_size = 16
shift = 2
mirror = true

[merge]
method = "average"
every_epochs = 0
after.steps = 2
rounds_after = 1
"""


def records(count: int, seed: int, *, labels: int = 1, classes: int = 10) -> bytes:
    """Noisy colours, another for each class: `labels` of them, of which the last is the class."""
    random = np.random.default_rng(seed)
    classes_of = np.arange(count) % classes
    colours = np.random.default_rng(0).integers(0, 200, (classes, 3, 1))
    pixels = colours[classes_of] + random.integers(0, 55, (count, 3, 1024))
    columns = [classes_of % 20] * (labels - 1) + [classes_of]
    return np.column_stack([*columns, pixels.reshape(count, -1)]).astype(np.uint8).tobytes()


@pytest.fixture
def photographs(fleet: Fleet) -> Fleet:
    """A fleet that finds small sets of both kinds."""
    ten = fleet.directory / "cifar-10-batches-bin"
    hundred = fleet.directory / "cifar-100-binary"
    for folder in (ten, hundred):
        folder.mkdir()
    for i in range(1, 6):
        (ten / f"data_batch_{i}.bin").write_bytes(records(10 + i, i))
    (ten / "test_batch.bin").write_bytes(records(20, 9))
    (hundred / "train.bin").write_bytes(records(200, 1, labels=2, classes=100))
    (hundred / "test.bin").write_bytes(records(100, 2, labels=2, classes=100))
    fleet.data = fleet.directory
    return fleet


def sweep(more: str = "") -> str:
    listed = ", ".join(f'"{method}"' for method in METHODS)
    return SWEEP + more + f"\n[sweep.grid]\nmerge.method = [{listed}]\n"


def write(fleet: Fleet, text: str) -> Path:
    path = fleet.directory / "sweep.toml"
    path.write_text(text)
    return path


def test_residual_networks_are_the_same_bits_on_any_number_of_ranks_and_when_resumed(
    photographs: Fleet,
) -> None:
    config = write(photographs, sweep())
    photographs("run", config, "-o", "one").expect(0)
    expected = photographs.cells("one").outcomes()
    assert len(expected) == len(METHODS)
    photographs("run", config, "-o", "three", ranks=3).expect(0)
    assert photographs.cells("three").outcomes() == expected
    for file in photographs.cells("three").done()[1:]:
        file.unlink()
    photographs("run", config, "-o", "three", ranks=2).expect(0)
    assert photographs.cells("three").outcomes() == expected


def test_images_that_are_varied_and_norms_that_are_renewed_change_what_is_learned(
    photographs: Fleet,
) -> None:
    text = SWEEP.replace("rounds_after = 1\n", "").replace("after.steps = 2\n", "")
    for name, more in [
        ("as it is", ()),
        ("still", ("--set", "train.shift=0")),
        ("unmirrored", ("--set", "train.mirror=false")),
        ("stale", ("--set", "merge.renew_norms=false")),
        ("plain", ("--set", 'model.norm="layer"')),
        ("plain, stale", ("--set", 'model.norm="layer"', "--set", "merge.renew_norms=false")),
    ]:
        photographs("run", write(photographs, text), "-o", name, *more).expect(0)
    losses = {
        name: tuple(frame[(frame.robot == -1) & (frame.metric == "loss")].value)
        for name in ("as it is", "still", "unmirrored", "stale", "plain", "plain, stale")
        for frame in [table(photographs.directory / f"{name}.h5", "metrics")]
    }
    assert losses["plain"] == losses["plain, stale"]  # it has no batch norm to renew
    ids = {name: [path.name for path in photographs.cells(name).done()] for name in losses}
    assert ids["plain"] == ids["plain, stale"]
    assert ids["as it is"] != ids["stale"]
    assert len(set(losses.values())) == 5


def test_a_hundred_classes_or_twenty(photographs: Fleet) -> None:
    config = write(photographs, SWEEP.replace('"cifar10"', '"cifar100"'))
    weights = {}
    for labels in ("fine", "coarse"):
        choice = ("--set", f'data.labels="{labels}"')
        planned = photographs("plan", config, *choice, "-o", labels).expect(0).out
        found = re.search(r"\((\d+) weights per robot\)", planned)
        assert found is not None
        weights[labels] = int(found[1])
        photographs("run", config, "-o", labels, *choice).expect(0)
    assert weights["fine"] - weights["coarse"] == 80 * (8 + 1)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("remove", "no such file in this directory: looked for data_batch_3.bin"),
        ("cut", "data_batch_3.bin: truncated record"),
        ("label", "the training labels hold a label 77; there are 10 classes"),
    ],
)
def test_what_is_wrong_with_the_files_is_said_before_anything_runs(
    photographs: Fleet, change: str, complaint: str
) -> None:
    path = photographs.directory / "cifar-10-batches-bin" / "data_batch_3.bin"
    whole = path.read_bytes()
    if change == "remove":
        path.unlink()
    else:
        path.write_bytes(whole[:-5] if change == "cut" else bytes([77]) + whole[1:])
    refused = photographs("run", write(photographs, sweep()), "-o", "out").expect(2)
    assert complaint in refused.err
    assert "fleet data fetch cifar10" in refused.err
    assert not (photographs.directory / "out").exists()


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("model.norm_groups=3", "it must divide all of model.channels, of which one is 4"),
        ("model.channels=[4,4,4,4,4,4,4]", "images of 32 x 32 cannot be halved 6 times"),
        ("privacy.clip=1.0", "merge.renew_norms"),
        ("train.shift=-1", "train.shift"),
    ],
)
def test_settings_that_do_not_fit_are_named(
    photographs: Fleet, setting: str, complaint: str
) -> None:
    text = SWEEP.replace("rounds_after = 1\n", "").replace("after.steps = 2\n", "")
    more = ["--set", setting]
    if setting.startswith("model.norm_groups"):
        more += ["--set", 'model.norm="group"']
    if setting.startswith("privacy"):
        more += ["--set", "merge.average.weighted=false"]
    refused = photographs("run", write(photographs, text), "-o", "out", *more).expect(2)
    assert complaint in refused.err
