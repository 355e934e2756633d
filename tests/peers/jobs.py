"""The jobs that are measured, as plain data."""

from dataclasses import dataclass

from networks import Convolutional, Lstm, Network, Perceptron

WORKERS = 2  # processes, of one thread
FIRST_ROUNDS = 10  # not among those whose time is told


@dataclass(frozen=True)
class Job:
    """Federated averaging: in every round some clients train, and their models are averaged."""

    name: str
    title: str
    workload: str  # whose data are dealt (deals.py)
    network: Network
    parameters: int  # that are trained, by fleet and by its peers
    clients: int
    samples: int  # of a client
    cohort: int  # clients of a round
    batch: int
    learning_rate: float  # of plain gradient descent, for one local epoch
    rounds: int


JOBS = {
    job.name: job
    for job in (
        Job(
            "lr",
            "Logistic regression 784-10",
            "mnist",
            Perceptron(hidden=()),
            parameters=7_850,
            clients=1000,
            samples=60,
            cohort=10,
            batch=10,
            learning_rate=0.03,
            rounds=100,
        ),
        Job(
            "mlp",
            "Perceptron 784-200-200-10",
            "mnist",
            Perceptron(hidden=(200, 200)),
            parameters=199_210,
            clients=100,
            samples=600,
            cohort=10,
            batch=10,
            learning_rate=0.1,
            rounds=50,
        ),
        Job(
            "cnn",
            "Convolutions of 16 and 32 channels, 64 units, 10",
            "mnist",
            Convolutional(channels=(16, 32), kernel=3, hidden=(64,)),
            parameters=105_866,
            clients=100,
            samples=600,
            cohort=10,
            batch=10,
            learning_rate=0.1,
            rounds=30,
        ),
        Job(
            "lstm",
            "LEAF's LSTM, two layers of 256",
            "shakespeare",
            Lstm(embedding=8, width=256, layers=2),
            parameters=817_872,
            clients=40,
            samples=60,
            cohort=4,
            batch=4,
            learning_rate=3.0,
            rounds=50,
        ),
    )
}

MERGED = Perceptron(hidden=(200, 200))  # of which some are merged once
