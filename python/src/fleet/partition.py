"""Who gets which samples: shards that differ from robot to robot, reproducibly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def deal(labels: Any, robots: int, alpha: float, seed: int = 0) -> list[NDArray[np.int64]]:
    """Places of each robot's samples: as many for each, of classes by p_i ~ Dirichlet(alpha).

    Samples of a class are dealt from a shuffled deck, which is shuffled anew when it runs out, as
    fleet.partition = "mixture" does for the workloads of `fleet` (FLEET-MERGE, Section 5). A small
    alpha makes robots differ much.
    """
    stream = np.random.default_rng([seed, robots])
    labels = np.asarray(labels)
    classes = np.unique(labels)
    decks = [stream.permutation(np.flatnonzero(labels == each)) for each in classes]
    used = [0] * len(classes)
    shards = []
    for _ in range(robots):
        shares = stream.dirichlet(np.full(len(classes), alpha))
        counts = stream.multinomial(len(labels) // robots, shares)
        shard: list[NDArray[np.int64]] = []
        for k, wanted in enumerate(counts):
            while wanted > 0:
                if used[k] == len(decks[k]):
                    decks[k], used[k] = stream.permutation(decks[k]), 0
                taken = decks[k][used[k] : used[k] + wanted]
                used[k] += len(taken)
                wanted -= len(taken)
                shard.append(taken)
        shards.append(np.concatenate(shard))
    return shards
