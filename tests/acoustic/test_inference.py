"""Listening in chunks is listening to the whole."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from acoustic.audio import Samples
from acoustic.features import FeatureOptions, frame_count, margin_samples
from acoustic.inference import Listener, listen, posteriors
from acoustic.network import HarmonicNet, NetworkOptions


def small_network() -> HarmonicNet:
    """Random, with biases away from 0 so that the edges of the audio can be told from silence."""
    torch.manual_seed(3)
    network = HarmonicNet(FeatureOptions(), NetworkOptions(spectral_channels=3, channels=4, blocks=3)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def noise(samples: int) -> Samples:
    return np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)


def whole(audio: Samples, network: HarmonicNet) -> np.ndarray:
    """(4, T, 88) in one pass over the padded recording."""
    features = network.features
    frames, margin = frame_count(len(audio), features), margin_samples(features)
    wanted = 2 * margin + (frames - 1) * features.hop_samples
    padded = np.pad(audio, (margin, wanted - margin - len(audio)))
    return posteriors(torch.from_numpy(padded)[None], network)[0].numpy()


@pytest.mark.parametrize("samples", [1, 320, 5_000, 16_000, 51_234])
@pytest.mark.parametrize("chunk_seconds", [0.3, 1.0, 20.0])
@pytest.mark.parametrize("block", [700, 100_000])
def test_chunks_and_blocks_leave_no_trace(samples: int, chunk_seconds: float, block: int) -> None:
    network, audio = small_network(), noise(samples)
    blocks = [audio[first : first + block] for first in range(0, samples, block)]
    parts = list(listen(blocks, network, chunk_seconds))
    found = np.concatenate([planes for planes, _ in parts], axis=1)
    expected = whole(audio, network)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5
    assert parts[-1][1] == pytest.approx(samples / 16_000)


def test_a_part_of_a_recording_keeps_its_times(tmp_path: Path) -> None:
    path = tmp_path / "noise.wav"
    soundfile.write(path, noise(48_000), 16_000, subtype="FLOAT")
    told: list[float] = []
    heard = Listener(small_network(), "small").posteriorgram(path, start=1.0, stop=2.5, progress=told.append)
    assert heard.count == 75 and heard.times[0] == 1.0 and heard.hop == 0.02
    assert heard.duration == 3.0  # of the recording, not of the part
    assert told[-1] == 1.0 and heard.model == "small" and heard.source == "noise.wav"
    assert heard.onset is not None and heard.velocity is not None and heard.offset is not None
