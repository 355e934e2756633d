"""Robots that read digits: the MNIST workload of `fleet`, in plain PyTorch."""

import gzip
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

import fleet


@cache
def read(folder: str, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Images as the network sees them, and labels, of the files of MNIST."""

    def values(name: str, header: int) -> np.ndarray:
        path = Path(folder, name)
        packed = not path.exists()
        content = gzip.decompress(Path(f"{path}.gz").read_bytes()) if packed else path.read_bytes()
        return np.frombuffer(content, np.uint8, offset=header)

    labels = values(f"{part}-labels-idx1-ubyte", 8)
    images = values(f"{part}-images-idx3-ubyte", 16).reshape(len(labels), -1)
    pixels = (images.astype(np.float32) / 255 - 0.1307) / 0.3081
    return torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64))


class Digits(fleet.TorchFleet):
    settings = {"folder": "data/mnist", "hidden": 128, "alpha": 1.0, "learning_rate": 1e-3}
    criterion = nn.CrossEntropyLoss()

    def images(self, part):
        return read(self.cell.settings["folder"], part)

    def module(self):
        inputs, hidden = self.images("train")[0].shape[1], self.cell.settings["hidden"]
        return nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 10),
        )

    def data(self, robot):
        images, labels = self.images("train")
        shards = fleet.deal(labels, self.cell.robots, self.cell.settings["alpha"], self.cell.seed)
        shard = torch.from_numpy(shards[robot])
        return images[shard], labels[shard]

    def test_data(self):
        return self.images("t10k")


if __name__ == "__main__":
    fleet.serve(Digits)
