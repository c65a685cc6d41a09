"""Spectra on the log-frequency axis, against an oracle and by what they must show."""

import librosa
import numpy as np
import numpy.typing as npt
import pytest
import torch
from oracles_acoustic import log_spectrum, sine

from acoustic.features import FeatureOptions, filterbank, frame_count, margin_samples, spectra
from symbolic.errors import NotebeamError
from symbolic.pitch import LOWEST, hertz

OPTIONS = FeatureOptions()


def bin_hertz(bins: int) -> npt.NDArray[np.float64]:
    """Three bins a semitone, the middle one of the lowest key at its frequency."""
    lowest = librosa.midi_to_hz(LOWEST - 1 / 3)
    return np.asarray(librosa.cqt_frequencies(bins, fmin=lowest, bins_per_octave=36))


def test_one_frame_equals_the_oracle() -> None:
    draw = np.random.default_rng(0)
    margin = margin_samples(OPTIONS)
    audio = draw.normal(0, 0.1, 2 * margin)  # one frame, centred on sample `margin`
    found = spectra(torch.from_numpy(audio).float()[None], OPTIONS)[0, :, 0]
    axis = bin_hertz(OPTIONS.bins)
    for plane, window in enumerate(OPTIONS.windows):
        frame = audio[margin - window // 2 : margin + window // 2]
        expected = log_spectrum(frame, axis, 16_000, 2 ** (1 / 36))
        assert np.abs(found[plane].numpy() - expected).max() < 2e-3


@pytest.mark.parametrize("pitch", [45, 60, 81, 100])
def test_a_tone_peaks_at_the_middle_bin_of_its_key(pitch: int) -> None:
    audio = sine(float(hertz(np.array(pitch))), 0.6)
    spectrum = spectra(torch.from_numpy(audio)[None], OPTIONS)[0, 0, 5]
    assert int(spectrum.argmax()) == 3 * (pitch - LOWEST) + 1
    if pitch <= 60:  # higher up a triangle spans more lines than a tone fills, and gives their mean
        assert float(spectrum.max()) == pytest.approx(3 + np.log10(0.5), abs=0.12)


@pytest.mark.parametrize("cents", [-40.0, 35.0, 100.0])
def test_keys_are_read_where_the_tuning_has_them(cents: float) -> None:
    # A spectrum of an axis moved by so much is that of the oracle's axis moved.
    audio = sine(330.0, 0.6)
    found = spectra(torch.from_numpy(audio)[None], OPTIONS, cents)[0, 0, 5]
    axis = bin_hertz(OPTIONS.bins) * 2 ** (cents / 1200)
    centre = margin_samples(OPTIONS) + 5 * OPTIONS.hop_samples
    expected = log_spectrum(audio[centre - 2048 : centre + 2048], axis, 16_000, 2 ** (1 / 36))
    assert np.abs(found.numpy() - expected).max() < 2e-3


def test_bins_above_half_the_rate_stay_empty() -> None:
    low = FeatureOptions(rate_hz=4_000, windows=(1024,))
    bank = filterbank(low, 1024)
    axis = bin_hertz(low.bins)
    assert (bank[:, axis > 2_000] == 0).all()
    assert (bank[:, axis < 1_900].sum(0) > 0).all()


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (320, 1), (321, 2), (16_000, 50)])
def test_a_frame_is_centred_on_each_multiple_of_the_hop(samples: int, frames: int) -> None:
    assert frame_count(samples, OPTIONS) == frames


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(NotebeamError, match="FeatureOptions"):
        FeatureOptions(hop_samples=0)
