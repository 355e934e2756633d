"""Records what gymnasium's bodies do, for environment_test.cpp to compare with.

usage: python record_reference.py > reference.txt
in an environment with: pip install gymnasium==1.4.0 mujoco==3.3.0

A line is a kind, a body with its version, and numbers with all their digits, step after step:
  start BODY, coordinates and speeds after reset, as deviations from the model's own start; the observation;
  step BODY, the action, the reward, 1 where the episode terminated, the observation.
"""

import gymnasium as gym
import numpy as np

BODIES = {"halfcheetah": "HalfCheetah", "hopper": "Hopper", "walker2d": "Walker2d", "ant": "Ant"}
EPISODES = 2
STEPS = 20


def write(kind: str, name: str, *numbers: float) -> None:
    print(kind, name, *(repr(float(number)) for number in numbers))


def main() -> None:
    for body, title in BODIES.items():
        for version in ("v4", "v5"):
            env = gym.make(f"{title}-{version}").unwrapped
            rng = np.random.default_rng(5)
            name = f"{body}-{version}"
            for episode in range(EPISODES):
                observation, _ = env.reset(seed=episode)
                write("start", name, *(env.data.qpos - env.init_qpos), *env.data.qvel, *observation)
                for _ in range(STEPS):
                    action = rng.uniform(-1, 1, env.action_space.shape[0]).astype(np.float32)
                    observation, reward, terminated, _, _ = env.step(action.astype(np.float64))
                    write("step", name, *action, reward, terminated, *observation)
                    if terminated:
                        break


if __name__ == "__main__":
    main()
