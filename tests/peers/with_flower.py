"""A job in Flower: its own simulation with Ray, two actors of one core."""

import os
import tempfile
import time

os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0"}

from common import asked, dealt, network, report, train
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
from jobs import WORKERS


class Clocked(FedAvg):
    """Notes when a round has ended."""

    ends: list[float]

    def aggregate_train(self, *words: object) -> tuple[ArrayRecord | None, MetricRecord | None]:
        found = super().aggregate_train(*words)
        self.ends.append(time.perf_counter())
        return found


def clients(name: str, file: str) -> ClientApp:
    app = ClientApp()

    @app.train()
    def answer(message: Message, context: Context) -> Message:
        data = dealt(name, file)
        module = network(data.job)
        module.load_state_dict(message.content["arrays"].to_torch_state_dict())
        samples, labels = data.client(int(context.node_config["partition-id"]))
        train(module, samples, labels, data.job)
        trained = {
            "arrays": ArrayRecord(module.state_dict()),
            "metrics": MetricRecord({"num-examples": len(labels)}),
        }
        return Message(content=RecordDict(trained), reply_to=message)

    return app


def main() -> None:
    job, file = asked()
    module = network(job)
    strategy = Clocked(
        fraction_train=job.cohort / job.clients,
        fraction_evaluate=0.0,
        min_train_nodes=job.cohort,
        min_available_nodes=job.clients,
    )
    server = ServerApp()

    @server.main()
    def serve(grid: Grid, context: Context) -> None:
        strategy.ends = [time.perf_counter()]
        found = strategy.start(grid, ArrayRecord(module.state_dict()), num_rounds=job.rounds)
        module.load_state_dict(found.arrays.to_torch_state_dict())

    with tempfile.TemporaryDirectory() as folder:
        backend = {
            "init_args": {"num_cpus": WORKERS, "_temp_dir": folder},
            "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
        }
        run_simulation(server, clients(job.name, file), job.clients, backend_config=backend)
    report(module, dealt(job.name, file), strategy.ends, "flwr")


if __name__ == "__main__":
    main()
