"""The WAV to listen to: which tone is where, and the recording beside it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from oracles_transcribe import notes

from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram
from transcribe import sonify
from transcribe.sonify import RATE_HZ, write_sound


def silent(seconds: float, start: float = 0.0) -> Posteriorgram:
    return Posteriorgram(np.zeros((round(seconds * 50), 88), dtype=np.float32), hop=0.02, start=start)


def sound_of(path: Path, played: Notes, seconds: float = 4.0, start: float = 0.0) -> np.ndarray:
    """(S,) what is written of notes alone."""
    write_sound(path, silent(seconds, start), played)
    samples, rate = soundfile.read(path)
    assert rate == RATE_HZ and samples.ndim == 1
    return samples


def spectrum(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hz, and amplitudes of them."""
    window = np.hanning(len(samples))
    return np.fft.rfftfreq(len(samples), 1 / RATE_HZ), np.abs(np.fft.rfft(samples * window))


@pytest.mark.parametrize(("pitch", "frequency"), [(21, 27.5), (69, 440.0), (108, 4186.0)])
def test_a_note_sounds_at_its_pitch_and_time(tmp_path: Path, pitch: int, frequency: float) -> None:
    samples = sound_of(tmp_path / "s.wav", notes((1.0, 2.0, pitch, 90)))
    loud = np.flatnonzero(np.abs(samples) > 1e-3) / RATE_HZ
    assert loud[0] == pytest.approx(1.0, abs=0.005)
    assert loud[-1] <= 2.0 + sonify.RELEASE
    hertz, level = spectrum(samples[RATE_HZ : RATE_HZ * 2])
    assert hertz[level.argmax()] == pytest.approx(frequency, abs=1.0)


def test_nothing_sounds_beside_the_harmonics(tmp_path: Path) -> None:
    # What lies above half the rate would fold down between the harmonics.
    samples = sound_of(tmp_path / "s.wav", notes((0.0, 3.0, 106, 100)))
    hertz, level = spectrum(samples[RATE_HZ // 10 : RATE_HZ])
    frequency = 440 * 2 ** ((106 - 69) / 12)
    beside = np.abs(hertz / frequency - np.rint(hertz / frequency)) * frequency > 100
    assert level[beside].max() < level.max() * 10 ** (-60 / 20)
    assert (level[~beside & (hertz > 1.5 * frequency)].max()) > level.max() * 0.1  # there are some


def test_louder_notes_are_louder(tmp_path: Path) -> None:
    samples = sound_of(tmp_path / "s.wav", notes((0.0, 0.5, 60, 40), (2.5, 3.0, 60, 120)))
    half = len(samples) // 2
    ratio = np.abs(samples[half:]).max() / np.abs(samples[:half]).max()
    assert ratio == pytest.approx(3**1.5, rel=0.01)


def test_many_notes_do_not_clip(tmp_path: Path) -> None:
    onset = np.repeat(np.arange(0.0, 2.0, 0.1), 10)
    pitch = np.tile(np.arange(30, 100, 7), 20)
    samples = sound_of(tmp_path / "s.wav", Notes.make(onset, onset + 2.0, pitch, np.full(200, 127)))
    assert 0.1 < np.abs(samples).max() < 0.99


def test_blocks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = notes((0.05, 1.5, 40, 90), (0.6, 0.7, 72, 60), (1.0, 3.9, 55, 127))
    whole = sound_of(tmp_path / "s.wav", played)
    monkeypatch.setattr(sonify, "SAMPLES_AT_ONCE", 7001)
    np.testing.assert_array_equal(sound_of(tmp_path / "s.wav", played), whole)


def test_no_notes_are_silence(tmp_path: Path) -> None:
    assert not sound_of(tmp_path / "s.wav", Notes.empty()).any()


@pytest.mark.parametrize("block", [1000, 441_000])
def test_the_recording_is_left_and_in_time(
    tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sonify, "SAMPLES_AT_ONCE", block)
    samples = np.zeros(4 * RATE_HZ)
    samples[3 * RATE_HZ : 3 * RATE_HZ + 100] = 0.5
    soundfile.write(tmp_path / "a.flac", samples, RATE_HZ)
    # From second 2 on; the notes go on after the recording's end.
    write_sound(tmp_path / "s.wav", silent(2.0, 2.0), notes((3.0, 4.5, 69, 64)), tmp_path / "a.flac")
    left, right = soundfile.read(tmp_path / "s.wav")[0].T
    np.testing.assert_allclose(left[: 2 * RATE_HZ], samples[2 * RATE_HZ :], atol=1e-4)
    assert not left[2 * RATE_HZ :].any()
    assert np.argmax(np.abs(right) > 1e-3) == pytest.approx(RATE_HZ, abs=200)
    assert len(left) / RATE_HZ == pytest.approx(2.5 + sonify.RELEASE, abs=0.001)


def test_a_recording_over_full_scale_is_made_softer_and_not_clipped(tmp_path: Path) -> None:
    samples = 3.0 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE_HZ) / RATE_HZ)
    samples[:RATE_HZ] /= 3  # it is known for all of it how loud it gets
    soundfile.write(tmp_path / "loud.wav", samples, RATE_HZ, subtype="FLOAT")
    write_sound(tmp_path / "s.wav", silent(2.0), Notes.empty(), tmp_path / "loud.wav")
    left = soundfile.read(tmp_path / "s.wav")[0][: len(samples), 0]
    np.testing.assert_allclose(left, samples / 3, atol=1e-3)
