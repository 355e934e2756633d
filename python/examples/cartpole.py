"""Robots that balance a pole, each with seeds of its own: REINFORCE, after the paper's Fig. 11.

A step of training is an episode, and so is a local epoch: merge.every_epochs counts episodes.
"""

import gymnasium
import numpy as np
import torch
from torch import nn

import fleet

#: Places, speeds and angles at the ends of an episode.
SCALE = torch.tensor([2.4, 3.0, 0.21, 3.0])


class CartPole(fleet.TorchFleet):
    settings = {"hidden": 32, "learning_rate": 1e-2, "discount": 0.99, "test_episodes": 20}
    metrics = ("reward",)

    def __init__(self, cell):
        super().__init__(cell)
        self.parts = cell.settings["test_episodes"]
        self.world = gymnasium.make("CartPole-v1")

    def module(self):
        hidden = self.cell.settings["hidden"]
        return nn.Sequential(nn.Linear(4, hidden), nn.Tanh(), nn.Linear(hidden, 2))

    def example_input(self):
        return torch.zeros(1, 4)

    def episode(self, module, seed, greedy):
        """What was seen, done and earned."""
        seen, done, earned = [], [], []
        state, ended = self.world.reset(seed=seed)[0], False
        while not ended:
            seen.append(torch.from_numpy(state) / SCALE)
            with torch.no_grad():
                scores = module(seen[-1])
            chosen = scores.argmax() if greedy else torch.multinomial(scores.softmax(-1), 1)
            done.append(int(chosen))
            state, reward, failed, over, _ = self.world.step(done[-1])
            earned.append(float(reward))
            ended = failed or over
        return torch.stack(seen), torch.tensor(done), earned

    def step(self, robot, learner):
        seed = 100_000 * self.cell.seed + 10_000 * robot.index + robot.steps
        seen, done, earned = self.episode(learner.module, seed, greedy=False)
        gains = np.zeros(len(earned) + 1)
        for t in reversed(range(len(earned))):
            gains[t] = earned[t] + self.cell.settings["discount"] * gains[t + 1]
        gains = (gains[:-1] - gains[:-1].mean()) / (gains[:-1].std() + 1e-6)
        chosen = learner.module(seen).log_softmax(-1)[range(len(done)), done]
        loss = -(torch.from_numpy(gains).float() * chosen).mean()
        learner.optimizer.zero_grad()
        loss.backward()
        learner.optimizer.step()
        return float(loss.detach())

    def judge(self, module, part):
        return {"reward": sum(self.episode(module, 10**9 + part, greedy=True)[2])}


if __name__ == "__main__":
    fleet.serve(CartPole)
