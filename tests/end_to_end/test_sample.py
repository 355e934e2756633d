"""`fleet sample` prints text from what a sweep has merged, or says why it cannot."""

import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from conftest import Fleet, table

BASE = """\
workload = "shakespeare"

[data]
window = 20

[fleet]
robots = 2

[model]
kind = "gru"
hidden = [8]
embedding = 0

[train]
epochs = 2
batch_size = 4

[merge]
method = "average"
every_epochs = 0

[sweep.grid]
seed = [0, 1]
"""


@pytest.fixture
def speaking(fleet: Fleet) -> Fleet:
    """Two merged fleets of two robots, who say ab and ba."""
    fleet.data = fleet.directory / "play.txt"
    lines = [f"{role}:\n{line * 20}\n" for role, line in (("ANNE", "ab"), ("BEN", "ba"))]
    fleet.data.write_text("\n".join(lines * 20))
    config = fleet.config(base=BASE)
    fleet.run(config, "out", "--set", "run.save_weights=true").expect(0)
    return fleet


def test_text_follows_the_prompt_and_the_seed_decides_it(speaking: Fleet) -> None:
    joined = speaking.directory / "out.h5"
    cell = table(joined, "cells").id[1]

    def sample(source: Path, *options: str) -> str:
        return speaking("sample", source, "--prompt", "aba", "-n", "50", *options).expect(0).out

    text = sample(joined, "--cell", cell, "--seed", "3")
    assert text.startswith("aba")
    assert len(text) == len("aba") + 50 + 1
    assert sample(joined, "--cell", cell, "--seed", "3") == text
    assert sample(joined, "--cell", cell, "--seed", "4") != text
    own_file = speaking.directory / "out" / "cells" / f"{cell}.h5"
    assert sample(own_file, "--seed", "3") == text
    cold = [sample(own_file, "--temperature", "0", "--seed", seed) for seed in "12"]
    assert cold[0] == cold[1]


def test_what_cannot_be_sampled_is_named(speaking: Fleet) -> None:
    joined = speaking.directory / "out.h5"
    first, second = table(joined, "cells").id
    said = speaking("sample", joined).expect(1).text
    assert first in said
    assert second in said
    unknown = speaking("sample", joined, "--cell", "0123").expect(1).text
    assert "there are no weights of a cell 0123" in unknown
    assert str(speaking.data) in speaking("sample", speaking.data).expect(1).text
    for wrong in ("--temperature=-1", "--temperature=nan", "--length=0", "--prompt="):
        said = speaking("sample", joined, "--cell", first, wrong).expect(2).text
        assert wrong.partition("=")[0] in said


def test_a_file_that_was_only_opened_for_writing_speaks_as_before(speaking: Fleet) -> None:
    own_file = speaking.cells("out").done()[0]
    before = speaking("sample", own_file).expect(0).out
    h5py.File(own_file, "a").close()
    assert speaking("sample", own_file).expect(0).out == before
    with h5py.File(own_file, "a") as file:
        name = sorted(file["weights/0"])[0]
        file["weights/0"][name][...] += 1
    assert "has been changed by another program" in speaking("sample", own_file).expect(1).err


@pytest.mark.parametrize("strange", ["a group", "not finite", "no cells", "of no cell"])
def test_sealed_weights_that_are_strange_are_refused_by_name(speaking: Fleet, strange: str) -> None:
    own_file = speaking.cells("out").done()[0]
    with h5py.File(own_file, "a") as file:
        name = sorted(file["weights/0"])[0]
        cells = file["cells"][:]
        if strange == "a group":
            del file["weights/0"][name]
            file["weights/0"].create_group(name)
        elif strange == "not finite":
            file["weights/0"][name][...] = np.inf
        elif strange == "no cells":
            del file["cells"]
            file["cells"] = cells[:0]
        else:
            cells["cell"] = -1
            file["cells"][...] = cells
    content = own_file.read_bytes()
    own_file.write_bytes(content + b"fleet CRC-32 %08x\n" % zlib.crc32(content))
    refused = speaking("sample", own_file).expect(1)
    assert own_file.name in refused.err and "std::" not in refused.err


def test_policies_that_do_not_speak_are_refused(fleet: Fleet) -> None:
    config = fleet.config()
    fleet.run(config, "out", "--set", "run.save_weights=true", "--set", "train.epochs=1").expect(0)
    assert "learned mnist, not text" in fleet("sample", fleet.directory / "out.h5").expect(1).text
