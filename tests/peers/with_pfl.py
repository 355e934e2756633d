"""A job in pfl: its own simulation on two workers."""

import os
import time

from common import Dealt, asked, dealt, network, report, two_workers
from jobs import WORKERS, Job
from torch.nn import functional as F

import torch
from torch import nn


class Classifier(nn.Module):
    """Says its loss, as pfl asks."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return self.layers(samples)

    def loss(self, samples: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(self(samples), labels)

    def metrics(self, samples: torch.Tensor, labels: torch.Tensor) -> dict[str, object]:
        from pfl.metrics import Weighted

        return {"loss": Weighted(float(self.loss(samples, labels)) * len(labels), len(labels))}


def federated(job: Job, data: Dealt) -> object:
    """The clients as pfl has them, their samples in another order every time."""
    from pfl.data.dataset import Dataset
    from pfl.data.federated_dataset import FederatedDataset
    from pfl.data.sampling import get_user_sampler

    def shuffled(client: int) -> Dataset:
        samples, labels = data.client(client)
        order = torch.randperm(len(labels))
        return Dataset([samples[order], labels[order]], user_id=str(client))

    return FederatedDataset(shuffled, get_user_sampler("random", list(range(job.clients))))


def work(rank: int, job: Job, file: str) -> None:
    import numpy as np
    from pfl.aggregate.simulate import SimulatedBackend
    from pfl.algorithm.base import NNAlgorithmParams
    from pfl.algorithm.federated_averaging import FederatedAveraging
    from pfl.callback.base import TrainingProcessCallback
    from pfl.hyperparam.base import NNTrainHyperParams
    from pfl.metrics import Metrics
    from pfl.model.pytorch import PyTorchModel

    class Clock(TrainingProcessCallback):
        def after_central_iteration(self, *_: object, **__: object) -> tuple[bool, Metrics]:
            ends.append(time.perf_counter())
            return False, Metrics()

    np.random.seed(0)  # its workers agree on clients by it
    data, classifier = dealt(job.name, file), Classifier(network(job))
    torch.manual_seed(rank)
    clients = federated(job, data)
    model = PyTorchModel(
        classifier, torch.optim.SGD, torch.optim.SGD(classifier.parameters(), lr=1.0)
    )
    ends = [time.perf_counter()]
    FederatedAveraging().run(
        NNAlgorithmParams(job.rounds, job.rounds + 1, job.cohort, None),
        SimulatedBackend(clients, clients),
        model,
        NNTrainHyperParams(
            local_num_epochs=1, local_learning_rate=job.learning_rate, local_batch_size=job.batch
        ),
        callbacks=[Clock()],
    )
    if rank == 0:
        report(classifier, data, ends, "pfl")


def main() -> None:
    with two_workers() as (rank, port):
        os.environ["PFL_WORKER_RANK"] = str(rank)
        os.environ["PFL_WORKER_ADDRESSES"] = ",".join([f"127.0.0.1:{port}"] * WORKERS)
        work(rank, *asked())


if __name__ == "__main__":
    main()
