"""Weights and cards: what is saved loads, what does not belong is refused in one line."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from acoustic.features import FeatureOptions
from acoustic.loading import ModelCard, list_models, load_network, save_network
from acoustic.network import HarmonicNet, NetworkOptions
from symbolic.errors import NotebeamError
from transcribe.presets import MODEL

SMALL = NetworkOptions(spectral_channels=2, channels=3, dilations=(1,))


def saved(folder: Path) -> Path:
    torch.manual_seed(0)
    path = folder / "small.safetensors"
    features = FeatureOptions(windows=(2048,))
    save_network(
        path, HarmonicNet(features, SMALL), ModelCard(name="small", features=features, network=SMALL)
    )
    return path


def test_what_is_saved_loads(tmp_path: Path) -> None:
    network, card = load_network(saved(tmp_path))
    torch.manual_seed(0)
    fresh = HarmonicNet(card.features, card.network)
    assert card.features.windows == (2048,) and card.network == SMALL
    for name, value in fresh.state_dict().items():
        assert torch.equal(value, network.state_dict()[name])
    assert not network.training


def test_every_shipped_model_loads_says_its_licence_and_is_small() -> None:
    assert MODEL in list_models()
    for name in list_models():
        network, card = load_network(name)
        assert card.licence and card.data and card.command
        assert sum(p.numel() for p in network.parameters()) * 4 < 10_000_000


def spoil(path: Path, kind: str) -> Path:
    card = path.with_suffix(".json")
    if kind == "no card":
        card.unlink()
    elif kind == "not JSON":
        card.write_text("{")
    elif kind == "another kind":
        card.write_text(json.dumps({"kind": "a prior"}))
    elif kind == "text":
        path.write_text("weights, honestly")
    elif kind == "other shape":
        save_file({"weight": torch.zeros(3)}, path)
    elif kind == "unknown option":
        card.write_text(json.dumps(json.loads(card.read_text()) | {"network": {"heads": 3}}))
    elif kind == "missing":
        path = path.with_name("absent.safetensors")
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no card", "no such file.*the card beside the weights"),
        ("not JSON", "not JSON"),
        ("another kind", "a prior"),
        ("text", "not a safetensors file"),
        ("other shape", "weights of another shape"),
        ("unknown option", "network.heads"),
        ("missing", "a .safetensors file or one of"),
    ],
)
def test_a_file_of_the_wrong_kind_is_refused(tmp_path: Path, kind: str, message: str) -> None:
    with pytest.raises(NotebeamError, match=message) as caught:
        load_network(spoil(saved(tmp_path), kind))
    assert "\n" not in str(caught.value)
