"""The networks of the jobs in PyTorch."""

from functools import singledispatch
from itertools import pairwise

from networks import CLASSES, PIXELS, SIDE, VOCABULARY, Convolutional, Lstm, Network, Perceptron

import torch
from torch import nn


@singledispatch
def module_of(network: Network) -> nn.Module:
    raise TypeError(f"{network} is not known in PyTorch")


@module_of.register
def _(network: Perceptron) -> nn.Module:
    return nn.Sequential(*dense(PIXELS, network.hidden))


@module_of.register
def _(network: Convolutional) -> nn.Module:
    layers: list[nn.Module] = [nn.Unflatten(1, (1, SIDE, SIDE))]
    for before, after in pairwise((1, *network.channels)):
        convolution = nn.Conv2d(before, after, network.kernel, padding=network.kernel // 2)
        layers += [convolution, nn.ReLU(), nn.MaxPool2d(2)]
    side = SIDE >> len(network.channels)
    flat = network.channels[-1] * side * side
    return nn.Sequential(*layers, nn.Flatten(), *dense(flat, network.hidden))


def dense(inputs: int, hidden: tuple[int, ...]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise((inputs, *hidden, CLASSES)):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return layers[:-1]


@module_of.register
def _(network: Lstm) -> nn.Module:
    return Speaker(network)


class Speaker(nn.Module):
    """Tells the character after each of a window's: lanes x characters to choose from x steps.

    PyTorch's LSTM adds two biases to every gate, which is as if one learned twice as fast. The second
    stays zero.
    """

    def __init__(self, network: Lstm) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), network.embedding)
        self.lstm = nn.LSTM(network.embedding, network.width, network.layers, batch_first=True)
        self.decoder = nn.Linear(network.width, len(VOCABULARY))
        for name, bias in self.lstm.named_parameters():
            if name.startswith("bias_hh"):
                nn.init.zeros_(bias)
                bias.requires_grad_(False)

    def forward(self, characters: torch.Tensor) -> torch.Tensor:
        outputs, _ = self.lstm(self.embedding(characters))
        return self.decoder(outputs).transpose(1, 2)
