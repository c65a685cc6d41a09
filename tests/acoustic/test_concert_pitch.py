"""How far off 440 Hz a recording is: chords, noise, silence, and music resampled."""

from pathlib import Path

import numpy as np
import pytest
import soxr
from oracles_acoustic import sine

from acoustic import concert_pitch
from acoustic.audio import read_audio
from acoustic.concert_pitch import Tuning, estimate_cents
from symbolic.pitch import hertz

RATE_HZ = 16_000
EXAMPLES = Path(__file__).parents[2] / "examples"


def chord(cents: float, seconds: float = 2.0) -> np.ndarray:
    tones = [sine(float(hertz(np.array(p))) * 2 ** (cents / 1200), seconds) for p in (50, 57, 66, 74)]
    return np.asarray(0.2 * sum(tones), dtype=np.float32)


@pytest.mark.parametrize("cents", [-49.0, -20.0, 0.0, 5.0, 45.0])
def test_chords_are_as_far_off_as_they_were_made(cents: float) -> None:
    assert estimate_cents(chord(cents), RATE_HZ) == pytest.approx(cents, abs=1.0)


def test_beyond_half_a_semitone_the_next_key_is_nearer() -> None:
    assert estimate_cents(chord(60.0), RATE_HZ) == pytest.approx(-40.0, abs=1.0)


@pytest.mark.parametrize("pitches", [(50, 57, 66), (28, 35)])
def test_partials_mislead_it_by_cents_alone(pitches: tuple[int, ...]) -> None:
    tones = [sine(float(hertz(np.array(p))) * h, 2.0) / h for p in pitches for h in range(1, 12)]
    audio = np.asarray(0.1 * sum(tones), dtype=np.float32)
    assert estimate_cents(audio, RATE_HZ) == pytest.approx(0.0, abs=6.0)
    offset = audio + np.float32(0.5)  # of a cheap sound card
    assert estimate_cents(offset, RATE_HZ) == pytest.approx(estimate_cents(audio, RATE_HZ), abs=0.5)


def test_music_played_faster_is_as_much_higher() -> None:
    music = read_audio(EXAMPLES / "gymnopedie.flac", 0.0, 20.0)
    straight = estimate_cents(music, RATE_HZ)
    assert abs(straight) < 8  # a piano's own stretch and tuning
    bent = soxr.resample(music, RATE_HZ * 2 ** (30 / 1200), RATE_HZ)
    assert estimate_cents(bent, RATE_HZ) == pytest.approx(straight + 30, abs=2.0)


def test_what_has_no_pitch_is_left_alone() -> None:
    draw = np.random.default_rng(0)
    assert estimate_cents(draw.normal(0, 0.1, 5 * RATE_HZ).astype(np.float32), RATE_HZ) == 0.0
    for samples in (0, 1, 50_000):
        assert estimate_cents(np.zeros(samples, dtype=np.float32), RATE_HZ) == 0.0
    fading = np.concatenate([chord(20.0), 1e-33 * chord(20.0)]).astype(np.float32)
    assert estimate_cents(fading, RATE_HZ) == pytest.approx(20.0, abs=1.0)


def test_another_rate_gives_the_same() -> None:
    audio = soxr.resample(chord(-30.0), RATE_HZ, 44_100)
    assert estimate_cents(audio, 44_100) == pytest.approx(-30.0, abs=1.0)


def test_samples_all_at_once_are_looked_at_in_pieces_as_blocks_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concert_pitch, "BLOCK_SECONDS", 1.0)
    looked_at: list[int] = []

    def spied(audio: np.ndarray, rate_hz: int) -> tuple[complex, float]:
        looked_at.append(len(audio))
        return agreed(audio, rate_hz)

    agreed = concert_pitch._agreed
    monkeypatch.setattr(concert_pitch, "_agreed", spied)
    audio = np.concatenate([chord(10.0, 1.0), chord(20.0, 1.5)])
    at_once, in_blocks = Tuning(RATE_HZ), Tuning(RATE_HZ)
    at_once.add(audio)
    for first in range(0, len(audio), RATE_HZ // 4):
        in_blocks.add(audio[first : first + RATE_HZ // 4])
    assert at_once.cents == in_blocks.cents
    assert sorted(looked_at) == [*2 * [RATE_HZ // 2], *4 * [RATE_HZ]]
