"""Prints the accuracy of a saved perceptron on MNIST's test.

python judge.py MODEL.safetensors MNIST
"""

import sys
from pathlib import Path

from common import accuracy, scaled
from deals import mnist_test
from merger import load, perceptron

import torch


def main() -> None:
    model, mnist = sys.argv[1:]
    images, labels = map(torch.from_numpy, mnist_test(Path(mnist)))
    print(accuracy(perceptron(load(model)), scaled(images), labels.long()))


if __name__ == "__main__":
    main()
