"""Records what gymnasium's classic control does, for system_test.cpp to compare with.

usage: python record_reference.py > reference.txt
in an environment with: pip install gymnasium==1.4.0

A line is a system, a kind, and numbers with all their digits, step after step:
  start SYSTEM, the state after reset;
  step SYSTEM, the action (a choice's number, or a torque as a share of the strongest), reward, 1 where the episode
       terminated, and the state after the step.
"""

import gymnasium as gym
import numpy as np

SYSTEMS = {"cartpole": "CartPole-v1", "pendulum": "Pendulum-v1", "acrobot": "Acrobot-v1"}
EPISODES = 4
STEPS = 60


def write(kind: str, name: str, *numbers: float) -> None:
    print(kind, name, *(repr(float(number)) for number in numbers))


def main() -> None:
    for name, title in SYSTEMS.items():
        env = gym.make(title).unwrapped
        rng = np.random.default_rng(7)
        for episode in range(EPISODES):
            env.reset(seed=episode)
            write("start", name, *env.state)
            for _ in range(STEPS):
                if name == "pendulum":
                    share = np.float32(rng.uniform(-1.2, 1.2))
                    action = np.array([2.0 * np.float64(share)])
                else:
                    share = action = int(rng.integers(env.action_space.n))
                _, reward, terminated, _, _ = env.step(action)
                write("step", name, share, reward, terminated, *env.state)
                if terminated:
                    break


if __name__ == "__main__":
    main()
