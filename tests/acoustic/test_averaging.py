"""The mean of two networks' weights: every weight, its card, and what is refused."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from acoustic.calibration import Scaling
from acoustic.features import FeatureOptions
from acoustic.loading import ModelCard, load_network, save_network
from acoustic.network import HarmonicNet, NetworkOptions
from acoustic.training.averaging import averaged, main
from symbolic.errors import NotebeamError

SIZES = NetworkOptions(channels=8, dilations=(1,))


def saved(path: Path, seed: int, sizes: NetworkOptions = SIZES) -> Path:
    """A random network with a card."""
    torch.manual_seed(seed)
    card = ModelCard(
        name="toy", network=sizes, scalings={"onset": Scaling(temperature=2.0)}, command=path.stem
    )
    save_network(path, HarmonicNet(FeatureOptions(), sizes), card)
    return path


def test_every_weight_is_the_weighted_mean(tmp_path: Path) -> None:
    before, after = saved(tmp_path / "a.safetensors", 0), saved(tmp_path / "b.safetensors", 1)
    network, card = averaged(before, after, 0.25)
    one, other = (load_network(path)[0].state_dict() for path in (before, after))
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            assert torch.allclose(tensor, 0.75 * one[name] + 0.25 * other[name], atol=1e-6), name
    assert not card.scalings and card.training["share"] == 0.25
    assert [card.training[when]["command"] for when in ("before", "after")] == ["a", "b"]


def test_the_command_writes_what_loads(tmp_path: Path) -> None:
    paths = [str(saved(tmp_path / f"{n}.safetensors", n)) for n in range(2)]
    command = [
        sys.executable,
        "-m",
        "acoustic.training.averaging",
        *paths,
        "-o",
        str(tmp_path / "mean.safetensors"),
    ]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    network, card = load_network(tmp_path / "mean.safetensors")
    expected = averaged(*paths)[0].state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())
    assert card.name == "toy" and "--share 0.5" in card.command


def test_what_cannot_be_averaged_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = saved(tmp_path / "a.safetensors", 0)
    wider = saved(tmp_path / "b.safetensors", 0, replace(SIZES, channels=12))
    with pytest.raises(NotebeamError, match=r"network of .*b\.safetensors"):
        averaged(before, wider)
    with pytest.raises(NotebeamError, match="share: got 1.5"):
        averaged(before, before, 1.5)
    assert main([str(before), "nobody", "-o", str(tmp_path / "c.safetensors")]) == 1
    assert "nobody" in capsys.readouterr().err and not (tmp_path / "c.safetensors").exists()
