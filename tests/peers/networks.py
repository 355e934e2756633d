"""The networks of the jobs, as plain data and as fleet's settings; modules.py has them in PyTorch."""

from dataclasses import dataclass

SIDE = 28  # of an image
PIXELS = SIDE * SIDE
CLASSES = 10
VOCABULARY = "\n !\"&'(),-.0123456789:;>?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]abcdefghijklmnopqrstuvwxyz}"


@dataclass(frozen=True)
class Perceptron:
    """Linear layers with ReLU between them; without hidden ones it is logistic regression."""

    hidden: tuple[int, ...]

    def settings(self) -> dict[str, object]:
        return {"model.kind": "mlp", "model.hidden": list(self.hidden)}


@dataclass(frozen=True)
class Convolutional:
    """Convolutions that keep the image's size, each with ReLU and 2 x 2 max pooling; then a perceptron."""

    channels: tuple[int, ...]
    kernel: int
    hidden: tuple[int, ...]

    def settings(self) -> dict[str, object]:
        return {
            "model.kind": "cnn",
            "model.channels": list(self.channels),
            "model.kernel": self.kernel,
            "model.hidden": list(self.hidden),
        }


@dataclass(frozen=True)
class Lstm:
    """Embedded characters, layers of LSTM of one width, and a linear layer that tells the next character."""

    embedding: int
    width: int
    layers: int

    def settings(self) -> dict[str, object]:
        return {
            "model.kind": "lstm",
            "model.embedding": self.embedding,
            "model.hidden": [self.width] * self.layers,
            "train.carry_state": "false",
        }


Network = Perceptron | Convolutional | Lstm
