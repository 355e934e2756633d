"""A reader's trained models: the files that the pages name."""

from pathlib import Path

import torch
from fleet.safetensors import save
from policy import make

for seed, name in enumerate(["a", "b", "c", "base/model", "finetuned/model", "a/model", "b/model"]):
    torch.manual_seed(seed)
    weights = make().state_dict()
    Path(name).parent.mkdir(exist_ok=True)
    save(weights, f"{name}.safetensors")
torch.save(weights, "policy.pt")
torch.save({"ema": {"model": weights}}, "checkpoint.ckpt")
