"""Steps a second of gymnasium's environments in processor time, for locomotion_benchmark to be read
beside: pip install gymnasium==1.4.0 mujoco==3.3.0. The same slow swings, an episode at a time."""

import statistics
import time

import gymnasium
import numpy as np

STEPS = 100
REPEATS = 15

for name in ("HalfCheetah-v4", "Hopper-v4", "Walker2d-v4", "Ant-v4"):
    environment = gymnasium.make(name).unwrapped
    motors = np.arange(environment.action_space.shape[0])
    actions = [
        (0.5 * np.sin(0.3 * step + motors)).astype(environment.action_space.dtype)
        for step in range(STEPS)
    ]
    rates = []
    for _ in range(REPEATS):
        environment.reset(seed=1)
        began = time.process_time()
        for action in actions:
            environment.step(action)
        rates.append(STEPS / (time.process_time() - began))
    print(f"{name:15} {statistics.median(rates):6.0f} steps/s")
