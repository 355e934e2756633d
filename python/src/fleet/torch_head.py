"""The last layer of a PyTorch module under a loss that is known: cross-entropy or squares."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fleet.spec import Weights
from fleet.world import Doubles, Head


class TorchHead(Head):
    """The last layer's inputs in double precision, and what it is to say."""

    def __init__(self, inputs: Doubles, targets: Any, criterion: Any) -> None:
        self._inputs = inputs.astype(np.float32)
        self._targets = targets
        self._classifies = isinstance(criterion, nn.CrossEntropyLoss)
        # Cross-entropy of a softmax: 1/2 (Boehning, 1992); the mean of m squared errors: 2/m.
        self.curvature = 0.5 if self._classifies else 2.0 / max(1, math.prod(targets.shape[1:]))

    @staticmethod
    def suits(criterion: Any) -> bool:
        if isinstance(criterion, nn.CrossEntropyLoss):
            plain = criterion.weight is None and criterion.label_smoothing == 0.0
            return plain and criterion.reduction == "mean" and criterion.ignore_index < 0
        return isinstance(criterion, nn.MSELoss) and criterion.reduction == "mean"

    def moments(self, inputs: Doubles, targets: Doubles) -> float:
        rows = self._inputs.astype(np.float64)
        inputs[:] = rows.T @ rows
        targets[:] = self._wanted(targets.shape[0]).T @ rows
        return len(rows)

    def change_basis(self, lower: Doubles) -> None:
        rows = self._inputs.astype(np.float64)
        self._inputs = np.linalg.solve(lower, rows.T).T.astype(np.float32)

    def gradient(self, head: Weights, into: Weights) -> None:
        outputs = self._inputs @ head.T
        if self._classifies:
            shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            outputs = shifted / shifted.sum(axis=1, keepdims=True)
            slopes = outputs - self._wanted(len(head)).astype(np.float32)
        else:
            slopes = (outputs - self._wanted(len(head)).astype(np.float32)) * self.curvature
        into[:] = slopes.T @ self._inputs

    def _wanted(self, outputs: int) -> Doubles:
        if self._classifies and self._targets.ndim == 1:
            return np.eye(outputs)[self._targets]
        return self._targets.reshape(len(self._targets), -1).astype(np.float64)


def drawn_slopes(outputs: Tensor, criterion: Any, stream: torch.Generator) -> Tensor:
    """The gradient at the outputs of the loss of targets that are drawn from them."""
    drawn = outputs.detach()
    if isinstance(criterion, nn.CrossEntropyLoss):
        shares = functional.softmax(drawn, 1)
        labels = torch.multinomial(shares.cpu(), 1, generator=stream)[:, 0].to(drawn.device)
        return shares - functional.one_hot(labels, drawn.shape[1])
    # Of the mean of m squares; signs have the normal distribution's second moments.
    signs = torch.randint(2, drawn.shape, generator=stream).to(drawn) * 2.0 - 1.0
    return signs * math.sqrt(2.0 / drawn.shape[1])
