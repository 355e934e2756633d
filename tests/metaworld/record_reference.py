"""Records what the Python reference does, for reference_test.cpp to compare with.

usage: python record_reference.py > reference.txt
in an environment with: pip install metaworld==3.1.1 mujoco==3.3.0

A line is a kind, a task, and numbers with all their digits:
  mt50 TASK, the six numbers of the first goal of MT50(seed=42);
  episode TASK, the six numbers of the first goal of MT1(task, seed=42), steps to success under the expert or -1,
          the observation after reset, that at the end;
  action TASK, an observation of the expert's second episode, which noise disturbs, and its action.
"""

import pickle
import sys
import warnings

import metaworld
import numpy as np
from metaworld.policies import ENV_POLICY_MAP
from numpy.typing import NDArray

SEED = 42
STEPS = 500


def goal(task: metaworld.Task) -> list[float]:
    drawn = pickle.loads(task.data)["rand_vec"].tolist()
    return drawn + [0.0] * (6 - len(drawn))


def write(kind: str, name: str, *numbers: float) -> None:
    print(kind, name.removesuffix("-v3"), *(repr(float(number)) for number in numbers))


def act(policy: object, observation: NDArray[np.float64]) -> NDArray[np.float32]:
    # A copy, as some policies write into what they are given.
    return np.asarray(policy.get_action(observation.copy()), dtype=np.float32)


def main() -> None:
    warnings.filterwarnings("ignore")
    mt50 = metaworld.MT50(seed=SEED)
    for name in mt50.train_classes:
        write("mt50", name, *goal(next(t for t in mt50.train_tasks if t.env_name == name)))
        print(name, file=sys.stderr)
        mt1 = metaworld.MT1(name, seed=SEED)
        env, policy = mt1.train_classes[name](), ENV_POLICY_MAP[name]()
        env.set_task(mt1.train_tasks[0])
        first, _ = env.reset()
        observation, steps = first.copy(), -1
        for step in range(1, STEPS + 1):
            action = np.clip(act(policy, observation), -1, 1)
            observation, _, _, _, info = env.step(action)
            if info["success"]:
                steps = step
                break
        write("episode", name, *goal(mt1.train_tasks[0]), steps, *first, *observation)

        env.set_task(mt1.train_tasks[1])
        observation, _ = env.reset()
        random = np.random.default_rng(SEED)
        for step in range(60):
            action = act(policy, observation)
            if step % 20 == 10:
                write("action", name, *observation, *action)
            noisy = action + random.normal(0, 0.2, 4) * (step % 2)
            observation, *_ = env.step(np.clip(noisy, -1, 1).astype(np.float32))


if __name__ == "__main__":
    main()
