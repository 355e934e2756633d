"""A job in bare torch.distributed: two workers, each with half of a round's clients."""

import time

import numpy as np
from common import asked, dealt, network, report, train, two_workers
from jobs import WORKERS
from torch.nn.utils import parameters_to_vector, vector_to_parameters

import torch
from torch import distributed


def work(rank: int, port: int) -> None:
    job, file = asked()
    data, module = dealt(job.name, file), network(job)
    distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=WORKERS
    )
    everyone = np.random.default_rng(0)
    consensus = parameters_to_vector(module.parameters()).detach()
    torch.manual_seed(rank)
    ends = [time.perf_counter()]
    for _ in range(job.rounds):
        cohort = everyone.choice(job.clients, job.cohort, replace=False)
        total = torch.zeros_like(consensus)
        for client in cohort[rank::WORKERS]:
            vector_to_parameters(consensus.clone(), module.parameters())
            train(module, *data.client(client), job)
            total += parameters_to_vector(module.parameters()).detach()
        distributed.all_reduce(total)
        consensus = total / job.cohort
        ends.append(time.perf_counter())
    distributed.destroy_process_group()
    if rank == 0:
        vector_to_parameters(consensus, module.parameters())
        report(module, data, ends)


if __name__ == "__main__":
    with two_workers() as (rank, port):
        work(rank, port)
