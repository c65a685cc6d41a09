"""Channels as one: the mean, but for channels that cancel."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from oracles_acoustic import sine

from acoustic.audio import read_blocks
from acoustic.channels import CANCELLED, Mixer
from acoustic.inference import load_acoustic

RATE_HZ = 16_000


def stereo(correlation: float, samples: int = 20_000) -> np.ndarray:
    draw = np.random.default_rng(1).normal(0, 0.1, (samples, 2))
    draw[:, 1] = correlation * draw[:, 0] + np.sqrt(1 - correlation**2) * draw[:, 1]
    return draw.astype(np.float32)


@pytest.mark.parametrize("correlation", [1.0, 0.5, 0.0, -0.4])
def test_channels_that_do_not_cancel_are_averaged(correlation: float) -> None:
    block, mixer = stereo(correlation), Mixer()
    np.testing.assert_allclose(mixer(block), block.mean(axis=1), atol=1e-6)
    assert mixer.taken is None


@pytest.mark.parametrize("right", [-1.0, -0.9, -0.6])
def test_of_an_inverted_pair_the_louder_is_taken(right: float) -> None:
    left, mixer = stereo(0.0)[:, 0], Mixer()
    offset = np.array([0.3, -0.2], dtype=np.float32)  # says nothing about what sounds
    block = np.stack([left, np.float32(right) * left], axis=1) + offset
    np.testing.assert_array_equal(mixer(block), block[:, 0])
    assert mixer.taken == 0
    # It stays: a switch to and fro would click.
    np.testing.assert_array_equal(mixer(stereo(0.9)), stereo(0.9)[:, 0])


def test_one_channel_or_six_that_know_nothing_of_each_other_do_not_cancel() -> None:
    draw = np.random.default_rng(2).normal(0, 0.1, (20_000, 6)).astype(np.float32)
    mixer = Mixer()
    np.testing.assert_allclose(mixer(draw), draw.mean(axis=1), atol=1e-6)
    np.testing.assert_array_equal(mixer(draw[:, :1]), draw[:, 0])
    silent = np.zeros((100, 2), dtype=np.float32)
    np.testing.assert_array_equal(mixer(silent), silent[:, 0])
    alone = np.stack([draw[:, 0], np.zeros(20_000, np.float32)], axis=1)
    np.testing.assert_allclose(mixer(alone), draw[:, 0] / 2, atol=1e-7)
    assert mixer.taken is None


def test_a_file_with_an_inverted_channel_is_read_and_said(tmp_path: Path) -> None:
    tone = 0.2 * sine(440.0, 1.0)
    soundfile.write(tmp_path / "x.wav", np.stack([tone, -tone], axis=1), RATE_HZ, subtype="FLOAT")
    notices: list[str] = []
    samples = np.concatenate(list(read_blocks(tmp_path / "x.wav", notice=notices.append)))
    np.testing.assert_allclose(samples, tone, atol=1e-6)
    assert notices == [CANCELLED]
    notices.clear()
    load_acoustic("piano-small")(np.stack([tone, -tone], axis=1), rate=RATE_HZ, notice=notices.append)
    assert notices == [CANCELLED]
