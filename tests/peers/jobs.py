"""The federated jobs that are measured, as plain data."""

from dataclasses import dataclass

PIXELS = 784
CLASSES = 10
WORKERS = 2  # processes, of one thread
FIRST_ROUNDS = 10  # not among those whose time is told


@dataclass(frozen=True)
class Job:
    """Federated averaging: in every round some clients train, and their models are averaged."""

    name: str
    title: str
    hidden: tuple[int, ...]  # widths of the hidden layers; none: logistic regression
    clients: int
    samples: int  # of a client
    cohort: int  # clients of a round
    batch: int
    learning_rate: float  # of plain gradient descent, for one local epoch
    rounds: int

    @property
    def widths(self) -> tuple[int, ...]:
        return (PIXELS, *self.hidden, CLASSES)


JOBS = {
    job.name: job
    for job in (
        Job("lr", "Logistic regression 784-10", (), 1000, 60, 10, 10, 0.03, 100),
        Job("mlp", "Perceptron 784-200-200-10", (200, 200), 100, 600, 10, 10, 0.1, 50),
    )
}
