"""Deals the data of a job to its clients, once, for everybody.

fleet reads them as it reads data of its own, the peers from JOB.npz: samples and labels, client after
client. Images are bytes there; whoever trains divides them by 255. Clients have equally many samples.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jobs import Job
from networks import CLASSES, PIXELS, VOCABULARY

WINDOW = 80  # characters from which the next are told
TRAINED = 0.8  # share of a role's text that is not for the test
WORDS = set(VOCABULARY) - set(
    "[]}\n"
)  # characters of what is spoken: no directions, nothing unknown


def images(path: Path) -> np.ndarray:
    return np.fromfile(path, np.uint8)[16:].reshape(-1, PIXELS)


def labels(path: Path) -> np.ndarray:
    return np.fromfile(path, np.uint8)[8:]


def mnist_test(mnist: Path) -> tuple[np.ndarray, np.ndarray]:
    return images(mnist / "t10k-images-idx3-ubyte"), labels(mnist / "t10k-labels-idx1-ubyte")


class Digits:
    """MNIST, each client by a mixture of digits of its own from Dirichlet(1)."""

    unit = "images"

    def __init__(self, job: Job, source: Path, folder: Path) -> None:
        self._job, self._source = job, source
        self._split = folder / f"{job.name}.split.csv"

    def settings(self) -> dict[str, object]:
        return {
            "run.data": self._source,
            "run.split": self._split,
            "data.standardize": "false",
        }

    def samples_in(self, held: int) -> int:
        """Of a client of whom fleet says that it holds so much."""
        return held

    def write(self) -> dict[str, np.ndarray]:
        """What fleet reads; returns the arrays for the peers."""
        train_labels = labels(self._source / "train-labels-idx1-ubyte")
        places = self._deal(train_labels).reshape(-1)
        rows = [f"{image},{place // self._job.samples}" for place, image in enumerate(places)]
        self._split.write_text("\n".join(["sample,robot", *rows, ""]))
        test_images, test_labels = mnist_test(self._source)
        return {
            "samples": images(self._source / "train-images-idx3-ubyte")[places],
            "labels": train_labels[places],
            "test_samples": test_images,
            "test_labels": test_labels,
        }

    def _deal(self, digits: np.ndarray) -> np.ndarray:
        """For each client the places of its images; no image goes to two of them."""
        stream = np.random.default_rng(0)
        left = [
            list(stream.permutation(np.flatnonzero(digits == digit))) for digit in range(CLASSES)
        ]
        dealt = np.empty((self._job.clients, self._job.samples), np.int64)
        for client in dealt:
            mixture = stream.dirichlet(np.ones(CLASSES))
            for place in range(self._job.samples):
                share = mixture * [bool(pile) for pile in left] + 1e-9 * np.array([*map(len, left)])
                digit = stream.choice(CLASSES, p=share / share.sum())
                client[place] = left[digit].pop()
        return dealt


class Roles:
    """Shakespeare, each client one of the roles that say most, cut to as many windows of characters."""

    unit = f"windows of {WINDOW} characters"

    def __init__(self, job: Job, source: Path, folder: Path) -> None:
        self._job, self._source = job, source
        self._text = folder / f"{job.name}.txt"

    def settings(self) -> dict[str, object]:
        return {"run.data": self._text, "data.window": WINDOW, "data.train": TRAINED}

    def samples_in(self, held: int) -> int:
        return windows_in(held)

    def write(self) -> dict[str, np.ndarray]:
        """The first lines of each role, as a play that fleet reads; and the same windows for the peers."""
        size = next(n for n in range(10**9) if windows_in(trained(n)) > self._job.samples) - 1
        texts = [first_lines(text, size) for text in self._longest()]
        parts = [f"ROLE {client}:\n{text}\n" for client, text in enumerate(texts)]
        self._text.write_text("\n".join(parts))
        codes = [np.array([*map(VOCABULARY.index, text)]) for text in texts]
        train = np.concatenate([windows_of(one[: trained(len(one))]) for one in codes])
        test = np.concatenate([windows_of(one[trained(len(one)) :]) for one in codes])
        return {
            "samples": train[:, :-1],
            "labels": train[:, 1:],
            "test_samples": test[:, :-1],
            "test_labels": test[:, 1:],
        }

    def _longest(self) -> list[str]:
        spoken: dict[str, str] = defaultdict(str)
        for role, line in spoken_lines((self._source / "plays.md").read_text()):
            spoken[role] += f"{line}\n"
        return sorted(spoken.values(), key=len, reverse=True)[: self._job.clients]


def spoken_lines(plays: str) -> Iterator[tuple[str, str]]:
    """Out of Markdown: "# Title", and paragraphs of "**ROLE**" and the lines that it says."""
    title = ""
    for paragraph in plays.split("\n\n"):
        head, *lines = paragraph.strip().split("\n")
        if head.startswith("# "):
            title = head
        if head.startswith("**"):
            for line in map(str.strip, lines):
                if line and WORDS.issuperset(line):
                    yield title + head, line


def first_lines(text: str, size: int) -> str:
    return text[: text.rindex("\n", 0, size) + 1]


def trained(size: int) -> int:
    """Of a role's characters those before its test, as fleet counts them: by windows from every character on."""
    return max(1, int(TRAINED * (size - WINDOW))) + WINDOW


def windows_in(size: int) -> int:
    """Side by side; behind the last stands one more character."""
    return (size - 1) // WINDOW


def windows_of(codes: np.ndarray) -> np.ndarray:
    """Each with the character after it, which is the first of the next one."""
    starts = WINDOW * np.arange(windows_in(len(codes)))
    return codes[starts[:, None] + np.arange(WINDOW + 1)]


DEALS = {"mnist": Digits, "shakespeare": Roles}
