"""A job in APPFL: its own simulation of synchronous rounds, which is one process.

Its collection of garbage after every step of the server is off (`optimize_memory`): it costs more than
the training.
"""

import time

import numpy as np
from appfl.agent.sim_client import SimClientAgent
from appfl.agent.sim_server import SimServerAgent
from appfl.vsim import ClientProfile, SyncSimDriver, VsimLogger
from common import Dealt, asked, dealt, network, report
from jobs import Job
from omegaconf import DictConfig, OmegaConf
from torch.utils.data import TensorDataset


def share_correct(labels: np.ndarray, scores: np.ndarray) -> float:
    return float((scores.argmax(1) == labels).mean())


def training(job: Job) -> dict[str, object]:
    return {
        "trainer": "VanillaTrainer",
        "mode": "epoch",
        "num_local_epochs": 1,
        "train_batch_size": job.batch,
        "optim": "SGD",
        "optim_args": {"lr": job.learning_rate},
        "loss_fn": "CrossEntropyLoss",
        "device": "cpu",
        "logging_output_filename": "",
        "optimize_memory": False,
    }


def serving(job: Job) -> DictConfig:
    counts = {"num_clients": job.clients, "num_clients_per_round": job.cohort}
    lean = {"optimize_memory": False}
    server = {
        "num_global_epochs": job.rounds,
        "scheduler": "SyncScheduler",
        "scheduler_kwargs": counts | lean,
        "aggregator": "FedAvgAggregator",
        "aggregator_kwargs": lean,
    }
    return OmegaConf.create(
        {
            "client_configs": {"train_configs": training(job)},
            "server_configs": counts | lean | server,
        }
    )


class Server(SimServerAgent):
    """Notes when a round has ended."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.ends: list[float] = []
        super().__init__(serving(job))

    def _load_model(self) -> None:
        self.model = network(self.job)

    def global_update(self, *words: object, blocking: bool = False, **names: object) -> object:
        found = super().global_update(*words, blocking=blocking, **names)
        if blocking:  # for a round's last client
            self.ends.append(time.perf_counter())
        return found


class Client(SimClientAgent):
    def __init__(self, index: int, data: Dealt) -> None:
        self.job = data.job
        self.metric = share_correct
        config = {"optimize_memory": False, "train_configs": training(data.job)}
        super().__init__(config, str(index), TensorDataset(*data.client(index)))

    def _load_model(self) -> None:
        self.model = network(self.job)


def main() -> None:
    job, file = asked()
    data, server = dealt(job.name, file), Server(job)
    clients = [Client(index, data) for index in range(job.clients)]
    profiles = {client.get_id(): ClientProfile() for client in clients}
    simulation = SyncSimDriver(
        server, clients, profiles, job.cohort, VsimLogger(), target_rounds=job.rounds
    )
    server.ends.append(time.perf_counter())
    simulation.run()
    module = network(job)
    module.load_state_dict(server.get_parameters(serial_run=True))
    report(module, data, server.ends, "appfl")


if __name__ == "__main__":
    main()
