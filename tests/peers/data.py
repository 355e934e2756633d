"""Deals MNIST to the clients of a job, once, for everybody.

    python data.py JOB MNIST FOLDER

MNIST is a folder with the four IDX files. FOLDER gets JOB.npz, which the peers read, and JOB.split.csv,
which says the same to fleet. Every client has equally many images, by a mixture of digits of its own from
Dirichlet(1). In the .npz they lie client after client, as bytes; whoever trains divides by 255.
"""

import sys
from pathlib import Path

import numpy as np
from jobs import CLASSES, JOBS, PIXELS, Job


def images(path: Path) -> np.ndarray:
    return np.fromfile(path, np.uint8)[16:].reshape(-1, PIXELS)


def labels(path: Path) -> np.ndarray:
    return np.fromfile(path, np.uint8)[8:]


def deal(job: Job, digits: np.ndarray) -> np.ndarray:
    """For each client the places of its images; no image goes to two of them."""
    stream = np.random.default_rng(0)
    left = [list(stream.permutation(np.flatnonzero(digits == digit))) for digit in range(CLASSES)]
    dealt = np.empty((job.clients, job.samples), np.int64)
    for client in dealt:
        mixture = stream.dirichlet(np.ones(CLASSES))
        for place in range(job.samples):
            share = mixture * [bool(pile) for pile in left] + 1e-9 * np.array([*map(len, left)])
            digit = stream.choice(CLASSES, p=share / share.sum())
            client[place] = left[digit].pop()
    return dealt


def write(job: Job, mnist: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    train_labels = labels(mnist / "train-labels-idx1-ubyte")
    dealt = deal(job, train_labels)
    places = dealt.reshape(-1)
    rows = [f"{image},{place // job.samples}" for place, image in enumerate(places)]
    (folder / f"{job.name}.split.csv").write_text("\n".join(["sample,robot", *rows, ""]))
    np.savez(
        folder / f"{job.name}.npz",
        images=images(mnist / "train-images-idx3-ubyte")[places],
        labels=train_labels[places],
        test_images=images(mnist / "t10k-images-idx3-ubyte"),
        test_labels=labels(mnist / "t10k-labels-idx1-ubyte"),
    )


def main() -> None:
    name, mnist, folder = sys.argv[1:4]
    write(JOBS[name], Path(mnist), Path(folder))


if __name__ == "__main__":
    main()
