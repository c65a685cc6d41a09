"""Listening in chunks is listening to the whole."""

import json
import mmap
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from oracles_acoustic import sine

from acoustic import inference
from acoustic.audio import Samples
from acoustic.calibration import Scaling
from acoustic.features import FeatureOptions, frame_count, margin_samples
from acoustic.inference import (
    MEAN_VELOCITY,
    Listener,
    centre,
    listen,
    load_acoustic,
    multiplies_bfloat16,
    predicted_planes,
)
from acoustic.loading import ModelCard, save_network, update_card
from acoustic.network import HEADS, HarmonicNet, NetworkOptions
from symbolic import planes
from symbolic.errors import NotebeamError
from symbolic.pitch import hertz
from symbolic.posteriorgram import Posteriorgram

SMALL = NetworkOptions(spectral_channels=3, channels=4, dilations=(1, 2, 4))


def small_network(options: NetworkOptions = SMALL) -> HarmonicNet:
    """Random, with biases away from 0 so that the edges of the audio can be told from silence."""
    torch.manual_seed(3)
    network = HarmonicNet(FeatureOptions(), options).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def noise(samples: int) -> Samples:
    return np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)


def whole(audio: Samples, network: HarmonicNet) -> np.ndarray:
    """(5, T, 88) in one pass over the padded recording."""
    features = network.features
    frames, margin = frame_count(len(audio), features), margin_samples(features)
    wanted = 2 * margin + (frames - 1) * features.hop_samples
    padded = np.pad(audio, (margin, wanted - margin - len(audio)))
    return predicted_planes(torch.from_numpy(padded)[None], Listener(network, "small"))[0].numpy()


@pytest.mark.parametrize("samples", [1, 320, 5_000, 16_000, 51_234])
@pytest.mark.parametrize("chunk_seconds", [0.3, 1.0, 20.0])
@pytest.mark.parametrize("block", [700, 100_000])
def test_chunks_and_blocks_leave_no_trace(samples: int, chunk_seconds: float, block: int) -> None:
    network, audio = small_network(), noise(samples)
    blocks = [audio[first : first + block] for first in range(0, samples, block)]
    parts = list(listen(blocks, Listener(network, "small"), chunk_seconds))
    found = np.concatenate([planes for planes, _ in parts], axis=1)
    expected = whole(audio, network)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5
    assert parts[-1][1] == pytest.approx(samples / 16_000)


@pytest.mark.parametrize("chunk_seconds", [0.7, 2.0])
def test_chunks_leave_no_trace_in_a_recurrence(chunk_seconds: float) -> None:
    options = replace(SMALL, gathering=(1,), gathered_channels=2, recurrent=4)
    network, audio = small_network(options), noise(100_000)
    parts = [planes for planes, _ in listen([audio], Listener(network, "small"), chunk_seconds)]
    found, expected = np.concatenate(parts, axis=1), whole(audio, network)
    assert found.shape == expected.shape and np.abs(found - expected).max() < 1e-4


def test_a_part_of_a_recording_keeps_its_times(tmp_path: Path) -> None:
    path = tmp_path / "noise.wav"
    soundfile.write(path, noise(48_000), 16_000, subtype="FLOAT")
    progress: list[float] = []
    posteriorgram = Listener(small_network(), "small").file(
        path, start=1.0, stop=2.5, progress=progress.append
    )
    assert posteriorgram.count == 75 and posteriorgram.times[0] == 1.0 and posteriorgram.hop == 0.02
    assert posteriorgram.duration == 3.0  # of the recording, not of the part
    assert progress[-1] == 1.0 and posteriorgram.model == "small" and posteriorgram.source == "noise.wav"
    planes = (posteriorgram.onset, posteriorgram.velocity, posteriorgram.offset, posteriorgram.held)
    assert all(plane is not None for plane in planes)


@pytest.mark.parametrize(("start", "stop"), [(-1.0, None), (np.nan, None), (1.0, 1.0), (0.0, -2.0)])
def test_a_part_that_is_none_is_refused(tmp_path: Path, start: float, stop: float | None) -> None:
    path = tmp_path / "noise.wav"
    soundfile.write(path, noise(16_000), 16_000, subtype="FLOAT")
    with pytest.raises(NotebeamError, match=r"start, stop: got .*, expected seconds, 0 <= start < stop"):
        Listener(small_network(), "small").file(path, start=start, stop=stop)


def test_a_card_s_scalings_are_applied_and_a_loaded_model_is_fused(tmp_path: Path) -> None:
    network, path = small_network(), tmp_path / "noise.wav"
    soundfile.write(path, noise(16_000), 16_000, subtype="FLOAT")
    scaling = Scaling(temperature=2.0, bias=-1.0)
    card = ModelCard(name="small", network=network.options, scalings={"onset": scaling})
    save_network(tmp_path / "small.safetensors", network, card)
    listener = load_acoustic(tmp_path / "small.safetensors", bfloat16=False)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in listener.network.modules())
    warm, plain = listener.file(path), Listener(network, "small").file(path)
    assert warm.onset is not None and plain.onset is not None
    assert np.abs(warm.onset - scaling(plain.onset)).max() < 1e-4
    assert np.abs(warm.onset - plain.onset).max() > 0.01
    assert np.abs(warm.frame - plain.frame).max() < 1e-4
    update_card(tmp_path / "small.json", scalings={}, scores={"onset_f1": 0.5})
    cold = load_acoustic(tmp_path / "small.safetensors", bfloat16=False).file(path)
    assert cold.onset is not None and np.abs(cold.onset - plain.onset).max() < 1e-4
    for bad in (
        {"velocity": {}},
        {"onset": {"temperature": 0.0}},
        {"onset": {"bias": "hot"}},
        {"onset": {"bias": 1e3}},
    ):
        card_file = json.loads((tmp_path / "small.json").read_text()) | {"scalings": bad}
        (tmp_path / "small.json").write_text(json.dumps(card_file))
        with pytest.raises(NotebeamError, match="(?i)scaling"):
            load_acoustic(tmp_path / "small.safetensors", bfloat16=False)


def test_half_the_digits_hear_about_the_same() -> None:
    network, audio = small_network(), noise(16_000)
    listeners = (Listener(network, "small", bfloat16=half) for half in (False, True))
    (exact, _), (half, _) = (next(iter(listen([audio], listener))) for listener in listeners)
    difference = np.abs(exact - half)
    assert 0 < difference.max() < 0.05 and half.dtype == np.float32


def test_the_tuning_is_estimated_where_it_is_not_told(tmp_path: Path) -> None:
    path, network = tmp_path / "sharp.wav", small_network()
    chord = sum(sine(float(hertz(np.array(p))) * 2 ** (35 / 1200), 3.0) for p in (45, 60, 67))
    soundfile.write(path, 0.3 * chord, 16_000, subtype="FLOAT")
    estimated, given, ignored = (
        Listener(network, "small", cents=cents).file(path).frame for cents in (None, 35.0, 0.0)
    )
    difference, wanted = np.abs(estimated - given).mean(), np.abs(ignored - given).mean()
    assert difference < 0.1 * wanted


def test_velocities_are_relative_to_the_recording() -> None:
    draw = np.random.default_rng(0)
    velocity = draw.normal(0.1, 0.05, (50, 88)).astype(np.float32)
    onset = draw.random((50, 88)).astype(np.float32)
    found, louder, unsure = velocity.copy(), velocity + 3.0, velocity - 1.0
    centre(found, onset)
    centre(louder, onset)
    centre(unsure, onset * 0.4)  # nothing is sure: the likeliest say where the mean lies
    assert found[onset > 0.5].mean() == pytest.approx(MEAN_VELOCITY, abs=1e-3)
    assert np.abs(found - louder).max() < 1e-5
    assert np.diff(found[onset > 0.5]) == pytest.approx(np.diff(velocity[onset > 0.5]), abs=1e-5)
    assert np.abs(unsure - found).max() < 1e-5
    centre(velocity[:0], onset[:0])


@pytest.mark.parametrize("room", ["a file", "no room in a file"])
def test_a_long_recording_is_heard_alike_but_lies_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: str
) -> None:
    soundfile.write(tmp_path / "a.wav", noise(50 * 16_000), 16_000, subtype="FLOAT")
    listener = Listener(small_network(), "small", {"onset": Scaling(temperature=2.0, bias=-0.5)})
    short = listener.file(tmp_path / "a.wav")
    monkeypatch.setattr(planes, "IN_MEMORY", 0)
    monkeypatch.setattr(inference, "FRAMES_TO_FREE", 0)
    if room != "a file":

        def full(*_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "posix_fallocate", full)
    long = listener.file(tmp_path / "a.wav")
    below = long.frame
    while isinstance(below, np.ndarray):
        below = below.base
    assert isinstance(below, mmap.mmap) == (room == "a file")
    for name in HEADS:
        assert np.array_equal(getattr(short, name), getattr(long, name))
        assert not getattr(long, name).flags.writeable
    long.save(tmp_path / "long.npz")
    assert np.array_equal(
        Posteriorgram.load(tmp_path / "long.npz").part(100, 900).onset, short.onset[100:900]
    )


def test_samples_at_any_rate_and_a_file_are_heard_alike(tmp_path: Path) -> None:
    path, audio = tmp_path / "noise.wav", noise(33_075)
    soundfile.write(path, audio, 22_050, subtype="FLOAT")
    listener = Listener(small_network(), "small", cents=0.0)
    expected = listener.file(path)
    for samples in (audio, np.stack([audio, audio], axis=1).astype(np.float64)):
        found = listener(samples, rate=22_050)
        assert found.start == 0.0 and found.duration == pytest.approx(1.5, abs=1e-3)
        assert found.onset.shape == expected.onset.shape
        assert np.abs(found.frame - expected.frame).max() < 1e-3


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(0), 16_000, r"samples: got \(0,\)"),
        (np.zeros((2, 16_000)), 16_000, r"samples: got \(2, 16000\), expected \(S, channels\); "),
        (np.zeros((2, 2, 2)), 16_000, r"samples: got \(2, 2, 2\)"),
        (np.array([0.0, np.nan]), 16_000, "samples: got 'NaN or infinite'"),
        (np.array([0.0, 1e4]), 16_000, "samples: got 'up to 10000'"),
        (np.zeros(9, dtype=np.int16), 16_000, "samples: got 'int16'"),
        (np.zeros(9), 0, "rate: got 0"),
    ],
)
def test_samples_that_are_none_are_refused(samples: np.ndarray, rate: float, message: str) -> None:
    with pytest.raises(NotebeamError, match=message):
        Listener(small_network(), "small")(samples, rate=rate)


def test_half_the_digits_are_the_default_where_the_processor_multiplies_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    capabilities: dict[str, bool] = {}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    for name, found in (("avx2", False), ("avx512_bf16", True)):
        capabilities[name] = True
        assert load_acoustic("piano-small").bfloat16 is found
        assert load_acoustic("piano-small", bfloat16=not found).bfloat16 is not found
    assert not multiplies_bfloat16(torch.device("mps"))
