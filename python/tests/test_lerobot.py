"""Checkpoints of LeRobot's policies, made by the package itself, are merged and load again.

Skipped where LeRobot is not installed. FLEET_BINARY names the program (build/release/fleet).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lerobot")

from fleet.safetensors import load  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
FLEET = (ROOT / os.environ.get("FLEET_BINARY", "build/release/fleet")).resolve()


def act() -> torch.nn.Module:
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.act.modeling_act import ACTPolicy

    config = ACTConfig(
        input_features={
            "observation.state": PolicyFeature(FeatureType.STATE, (6,)),
            "observation.images.top": PolicyFeature(FeatureType.VISUAL, (3, 96, 96)),
        },
        output_features={"action": PolicyFeature(FeatureType.ACTION, (6,))},
        chunk_size=8,
        n_action_steps=8,
        dim_model=32,
        n_heads=4,
        dim_feedforward=64,
        latent_dim=8,
        pretrained_backbone_weights=None,
        device="cpu",
    )
    return ACTPolicy(config)


def diffusion() -> torch.nn.Module:
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig
    from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy

    config = DiffusionConfig(
        input_features={
            "observation.state": PolicyFeature(FeatureType.STATE, (2,)),
            "observation.image": PolicyFeature(FeatureType.VISUAL, (3, 96, 96)),
        },
        output_features={"action": PolicyFeature(FeatureType.ACTION, (2,))},
        crop_shape=(84, 84),
        down_dims=(32, 64),
        diffusion_step_embed_dim=16,
        device="cpu",
    )
    return DiffusionPolicy(config)


@pytest.mark.skipif(not FLEET.exists(), reason="the program is not built")
@pytest.mark.parametrize("make", [act, diffusion])
@pytest.mark.parametrize("words", [("average",), ("interpolate", "--weight", "0.25")])
def test_checkpoints_merge_and_load_again(tmp_path: Path, make, words: tuple[str, ...]) -> None:
    policies = []
    for seed, name in enumerate("ab"):
        torch.manual_seed(seed)
        policies.append(make())
        policies[-1].save_pretrained(tmp_path / name)
    two = [str(tmp_path / name) for name in "ab"]
    target = tmp_path / "c"
    subprocess.run([FLEET, "merge", *two, "--method", *words, "-o", target], check=True)
    assert {path.name for path in target.iterdir()} == {
        path.name for path in (tmp_path / "a").iterdir()
    }
    merged = type(policies[0]).from_pretrained(target).state_dict()
    share = 0.25 if len(words) > 1 else 0.5
    one, other = (policy.state_dict() for policy in policies)
    for name, tensor in load(target / "model.safetensors").items():
        assert torch.equal(merged[name].cpu(), tensor)
        if tensor.is_floating_point():
            expected = (1 - share) * one[name] + share * other[name]
            torch.testing.assert_close(tensor, expected.cpu(), atol=1e-6, rtol=1e-5)
