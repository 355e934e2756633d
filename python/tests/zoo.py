"""Networks as people publish them, small, each with the number of units that can be exchanged.

A unit is counted once for every group that holds it: an attention head of d dimensions counts 1 for
itself, d for the dimensions of its queries and keys, and d for those of its values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[], nn.Module]
    inputs: Callable[[], tuple[Any, ...]]
    units: int
    groups: int  # those that lie in no block of another


def _normal(*shape: int) -> Callable[[], tuple[Any, ...]]:
    return lambda: (torch.randn(*shape),)


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(39, 24), nn.ReLU(), nn.Linear(24, 20), nn.Tanh(), nn.Linear(20, 4)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class Lenet(nn.Module):
    """Convolutions, pooling, and a flattening that leaves a channel's places side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 10, 5)
        self.fc1, self.fc2 = nn.Linear(10 * 4 * 4, 16), nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        out += x if self.downsample is None else self.downsample(x)
        return F.relu(out, inplace=True)


class ResNet18(nn.Module):
    """With torchvision's names; `width` is 64 there."""

    def __init__(self, width: int = 8, classes: int = 10, small: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3 if small else 7, 1 if small else 2, 1 if small else 3,
                               bias=False)  # fmt: skip
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        before = width
        for stage, stride in enumerate((1, 2, 2, 2)):
            channels = width * 2**stage
            blocks = nn.Sequential(
                BasicBlock(before, channels, stride), BasicBlock(channels, channels, 1)
            )
            self.add_module(f"layer{stage + 1}", blocks)
            before = channels
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(before, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class VisionTransformer(nn.Module):
    """With the fused projection of queries, keys and values that timm has."""

    def __init__(self, width: int = 12, heads: int = 3, layers: int = 2) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, width, 4, 4)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, 5, width) * 0.02)
        self.blocks = nn.Sequential(*(self.Block(width, heads) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 7)

    class Block(nn.Module):
        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.heads = heads
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            b, n, c = x.shape
            qkv = self.qkv(self.norm1(x)).reshape(b, n, 3, self.heads, c // self.heads)
            q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
            weights = (q * (c // self.heads) ** -0.5) @ k.transpose(-2, -1)
            x = x + self.proj((weights.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c))
            return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


class Gpt(nn.Module):
    """Causal attention, and the decoder's weights tied to the embedding's."""

    def __init__(self, width: int = 12, heads: int = 2) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(17, width), nn.Embedding(8, width)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.c_fc, self.c_out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, 17, bias=False)
        self.lm_head.weight = self.wte.weight
        self.heads, self.width = heads, width
        self.register_buffer("mask", torch.tril(torch.ones(8, 8)).view(1, 1, 8, 8), False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        b, t = tokens.shape
        x = self.wte(tokens) + self.wpe(torch.arange(t))
        parts = self.c_attn(self.ln_1(x)).split(self.width, dim=2)
        q, k, v = (p.view(b, t, self.heads, -1).transpose(1, 2) for p in parts)
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(k.size(-1))
        scores = scores.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
        y = (F.softmax(scores, -1) @ v).transpose(1, 2).contiguous().view(b, t, self.width)
        x = x + self.c_proj(y)
        x = x + self.c_out(F.gelu(self.c_fc(self.ln_2(x))))
        return self.lm_head(self.ln_f(x))


class Recurrent(nn.Module):
    def __init__(self, kind: str, layers: int = 1, both: bool = False) -> None:
        super().__init__()
        self.body = getattr(nn, kind)(5, 6, num_layers=layers, bidirectional=both, batch_first=True)
        self.head = nn.Linear(12 if both else 6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x)[0])


class LastState(nn.Module):
    """A recurrent policy that goes on with the last layer's last state."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.GRU(5, 6, num_layers=2, batch_first=True)
        self.head = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, states = self.body(x)
        return self.head(states[-1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(5, 12)
        self.attend = nn.MultiheadAttention(12, 3, batch_first=True)
        self.head = nn.Linear(12, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.embed(x))
        return self.head(torch.relu(x + self.attend(x, x, x, need_weights=False)[0]))


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(5, 12)
        layer = nn.TransformerEncoderLayer(12, 3, 20, activation="gelu", batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(12, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.embed(x)).mean(1))


class Act(nn.Module):
    """Action chunking (Zhao et al., 2023), its head: an encoder of state and image features, a
    decoder whose queries are learned, one an action of the chunk."""

    def __init__(self, width: int = 12, heads: int = 2, chunk: int = 4) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU())
        self.project = nn.Conv2d(6, width, 1)
        self.state, self.latent = nn.Linear(5, width), nn.Linear(4, width)
        self.positions = nn.Embedding(2, width)
        layer = nn.TransformerEncoderLayer(width, heads, 16)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(width, heads, 16), 1)
        self.queries = nn.Embedding(chunk, width)
        self.action_head = nn.Linear(width, 7)

    def forward(self, state: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        batch = state.shape[0]
        pixels = self.project(self.backbone(image)).flatten(2).permute(2, 0, 1)
        latent = self.latent(torch.zeros(batch, 4))
        tokens = torch.stack([latent, self.state(state)]) + self.positions.weight.unsqueeze(1)
        memory = self.encoder(torch.cat([tokens, pixels]))
        queries = self.queries.weight.unsqueeze(1).repeat(1, batch, 1)
        return self.action_head(self.decoder(queries, memory)).transpose(0, 1)


class DiffusionUnet(nn.Module):
    """The conditional one-dimensional U-Net of Diffusion Policy (Chi et al., 2023): group norms,
    scale and shift by the condition, skip connections that are concatenated."""

    def __init__(self, channels: int = 8, condition: int = 6, groups: int = 2) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(4, 10), nn.Mish(), nn.Linear(10, 4))
        wide = condition + 4
        self.down = self.Block(3, channels, wide, groups)
        self.shrink = nn.Conv1d(channels, channels, 3, 2, 1)
        self.middle = self.Block(channels, channels, wide, groups)
        self.grow = nn.ConvTranspose1d(channels, channels, 4, 2, 1)
        self.up = self.Block(2 * channels, channels, wide, groups)
        self.final = nn.Conv1d(channels, 3, 1)

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, condition: int, groups: int) -> None:
            super().__init__()
            self.conv1, self.norm1 = (
                nn.Conv1d(inputs, outputs, 5, padding=2),
                nn.GroupNorm(groups, outputs),
            )
            self.conv2, self.norm2 = (
                nn.Conv1d(outputs, outputs, 5, padding=2),
                nn.GroupNorm(groups, outputs),
            )
            self.film = nn.Sequential(nn.Mish(), nn.Linear(condition, 2 * outputs))
            self.skip = nn.Conv1d(inputs, outputs, 1)

        def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
            out = F.mish(self.norm1(self.conv1(x)))
            scale, shift = self.film(condition).unsqueeze(-1).chunk(2, dim=1)
            out = scale * out + shift
            return F.mish(self.norm2(self.conv2(out))) + self.skip(x)

    def forward(self, x: torch.Tensor, step: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        condition = torch.cat([self.time(step), condition], -1)
        x = self.down(x.transpose(1, 2), condition)
        skip = x
        x = self.middle(self.shrink(x), condition)
        x = self.up(torch.cat([self.grow(x), skip], 1), condition)
        return self.final(x).transpose(1, 2)


class Sac(nn.Module):
    """Actor with a squashed Gaussian, and two critics."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 10), nn.ReLU())
        self.mean, self.log_std = nn.Linear(10, 2), nn.Linear(10, 2)
        self.critics = nn.ModuleList(
            nn.Sequential(nn.Linear(7, 9), nn.ReLU(), nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 1))
            for _ in range(2)
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        hidden = self.trunk(x)
        mean, log_std = self.mean(hidden), self.log_std(hidden).clamp(-20, 2)
        action = torch.tanh(mean + log_std.exp())
        values = [critic(torch.cat([x, action], -1)) for critic in self.critics]
        return action, log_std, torch.min(values[0], values[1])


class StackedCritics(nn.Module):
    """An ensemble as one tensor a layer; to the minimum it makes no difference which is which."""

    def __init__(self, count: int = 3) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(count, 5, 8) * 0.3)
        self.b1 = nn.Parameter(torch.zeros(count, 1, 8))
        self.w2 = nn.Parameter(torch.randn(count, 8, 1) * 0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = F.relu(torch.baddbmm(self.b1, x.expand(self.w1.shape[0], -1, -1), self.w1))
        return torch.bmm(hidden, self.w2).min(dim=0).values


class SplitTrunk(nn.Module):
    """One layer whose outputs are cut into a value's and a policy's features, and put together."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.value, self.policy = nn.Linear(5, 10), nn.Linear(4, 1), nn.Linear(10, 2)
        self.extra = nn.Linear(5, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        value, policy = torch.relu(self.trunk(x)).split([4, 6], dim=-1)
        return self.value(value), self.policy(torch.cat([policy, F.elu(self.extra(x))], -1))


class MobileBlock(nn.Module):
    """Depthwise convolutions: one kernel a channel."""

    def __init__(self) -> None:
        super().__init__()
        self.expand, self.depthwise = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.norm, self.project = nn.BatchNorm2d(8), nn.Conv2d(8, 6, 1)
        self.head = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu6(self.norm(self.depthwise(F.relu6(self.expand(x)))))
        return self.head(F.silu(self.project(x)).mean((2, 3)))


class Grouped(nn.Module):
    """Two groups of channels that never meet within a convolution, but share its inputs' order."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(3, 8, 3), nn.Conv1d(8, 8, 3, groups=2)
        self.head = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.second(torch.relu(self.first(x)))).mean(-1))


class SharedKeys(nn.Module):
    """Grouped queries: two heads share one of keys and values; rotary positions fix dimensions."""

    def __init__(self, rotary: bool) -> None:
        super().__init__()
        self.rotary = rotary
        self.q, self.k, self.v = nn.Linear(6, 16), nn.Linear(6, 8), nn.Linear(6, 8)
        self.o, self.head = nn.Linear(16, 6), nn.Linear(6, 2)
        angles = torch.outer(torch.arange(5.0), torch.tensor([1.0, 0.1])).repeat(1, 2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def turned(self, x: torch.Tensor) -> torch.Tensor:
        if not self.rotary:
            return x
        one, two = x.chunk(2, -1)
        return x * self.cos + torch.cat([-two, one], -1) * self.sin

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, t, _ = x.shape
        q = self.turned(self.q(x).view(b, t, 4, 4).transpose(1, 2))
        k = self.turned(self.k(x).view(b, t, 2, 4).transpose(1, 2))
        v = self.v(x).view(b, t, 2, 4).transpose(1, 2)
        k = k[:, :, None].expand(b, 2, 2, t, 4).reshape(b, 4, t, 4)
        v = v[:, :, None].expand(b, 2, 2, t, 4).reshape(b, 4, t, 4)
        y = (q @ k.transpose(-2, -1) / 2).softmax(-1) @ v
        if hasattr(F, "scaled_dot_product_attention"):
            y = F.scaled_dot_product_attention(q, k, v)
        return self.head(torch.relu(self.o(y.transpose(1, 2).reshape(b, t, 16))))


class FourierTrunk(nn.Module):
    """An operation that the rules do not know: what goes in and comes out stays where it is."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 8), nn.Linear(8, 6)
        self.head = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.second(torch.fft.fft(torch.relu(self.first(x))).real)))


class WeightNormed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.utils.weight_norm(nn.Linear(5, 8))
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(F.softplus(self.norm(self.first(x))))


class Imagination(nn.Module):
    """A cell that is stepped by hand, with a state that starts as a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(5, 7), nn.Linear(7, 2)
        self.start = nn.Parameter(torch.zeros(7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = self.start.expand(x.shape[0], -1)
        outs = []
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
            outs.append(self.head(state))
        return torch.stack(outs, 1)


def _attention_units(heads: int, dims: int, layers: int = 1) -> int:
    return layers * heads * (1 + 2 * dims)


_RESNET = 8 * (1 + 2 + 4 + 8) * 3  # a stream and two blocks' insides a stage

CASES = (
    Case("mlp", Mlp, _normal(1, 39), 24 + 20, 2),
    Case("lenet", Lenet, _normal(1, 1, 28, 28), 6 + 10 + 16, 3),
    Case("resnet18", ResNet18, _normal(1, 3, 32, 32), _RESNET, 12),
    Case("vit", VisionTransformer, _normal(1, 3, 8, 8), 12 + _attention_units(3, 4, 2) + 2 * 48, 5),
    Case("gpt", Gpt, lambda: (torch.randint(17, (1, 8)),), 12 + _attention_units(2, 6) + 48, 3),
    Case("rnn", lambda: Recurrent("RNN"), _normal(2, 3, 5), 6, 1),
    Case("gru", lambda: Recurrent("GRU", 2), _normal(2, 3, 5), 12, 2),
    Case("lstm", lambda: Recurrent("LSTM", 2, both=True), _normal(2, 3, 5), 24, 4),
    Case("last state", LastState, _normal(2, 3, 5), 6 + 6 + 8, 3),
    Case("cell", Imagination, _normal(2, 3, 5), 7, 1),
    Case("attention", Attention, _normal(2, 3, 5), 12 + _attention_units(3, 4), 2),
    Case("encoder", Encoder, _normal(2, 3, 5), 12 + _attention_units(3, 4, 2) + 2 * 20, 5),
    Case("act", Act, lambda: (torch.randn(2, 5), torch.randn(2, 3, 6, 6)),
         4 + 6 + 12 + 3 * _attention_units(2, 6) + 2 * 16, 8),
    Case("diffusion", DiffusionUnet,
         lambda: (torch.randn(2, 4, 3), torch.randn(2, 4), torch.randn(2, 6)),
         10 + 4 + 6 * (2 + 8) + 2 * 8, 10),
    Case("sac", Sac, _normal(2, 5), 12 + 10 + 2 * (9 + 8), 6),
    Case("stacked critics", StackedCritics, _normal(2, 5), 3 + 8, 2),
    Case("split", SplitTrunk, _normal(2, 5), 4 + 6 + 4, 3),
    Case("mobile", MobileBlock, _normal(2, 3, 6, 6), 8 + 6, 2),
    Case("grouped", Grouped, _normal(2, 3, 9), 2 + 4 + 2 * 4, 2),
    Case("shared keys", lambda: SharedKeys(False), _normal(2, 5, 6), 2 * (1 + 2 + 4 + 4) + 6, 2),
    Case("rotary", lambda: SharedKeys(True), _normal(2, 5, 6), 2 * (1 + 2 + 4) + 6, 2),
    Case("weight norm", WeightNormed, _normal(2, 5), 8, 1),
    Case("fourier", FourierTrunk, _normal(2, 5), 6, 1),
)  # fmt: skip
