"""The arithmetic of the acoustic models' benchmarks."""

from pathlib import Path

import numpy as np
import pytest
from oracles_acoustic import sine

from acoustic.audio import RATE_HZ, read_audio
from acoustic.training.__main__ import SECTIONS
from benchmarks.ablations import VARIANTS, table_of
from benchmarks.calibration import struck
from benchmarks.robustness import clipped, detuned, moved, mp3, noisy, telephone, written
from symbolic.config import options_from
from symbolic.notes import Notes


def test_noise_is_as_far_below_as_it_says() -> None:
    audio = sine(440, 2.0)
    for snr_db in (30, 5):
        noise = noisy(audio, snr_db) - audio
        assert 10 * np.log10(np.mean(audio**2) / np.mean(noise**2)) == pytest.approx(snr_db, abs=0.1)


def test_clipping_cuts_one_sample_in_fifty_and_a_telephone_has_a_band() -> None:
    audio = np.random.default_rng(0).normal(0, 0.1, 50_000).astype(np.float32)
    assert np.mean(np.abs(clipped(audio)) > 0.98) == pytest.approx(0.02, abs=0.002)
    spectrum = np.abs(np.fft.rfft(telephone(audio)))  # 0.32 Hz a line
    inside, outside = (np.sqrt(np.mean(spectrum[a:b] ** 2)) for a, b in ((3_200, 9_000), (16_000, 25_000)))
    assert outside < 0.01 * inside


@pytest.mark.parametrize("kbits", [32, 64])
def test_mp3_comes_back_in_time(kbits: int, tmp_path: Path) -> None:
    audio = np.zeros(2 * RATE_HZ, dtype=np.float32)
    audio[RATE_HZ:] = sine(440, 1.0)
    found = read_audio(mp3(audio, tmp_path / "a", kbits))
    begins = int(np.argmax(np.abs(found) > 0.2))
    assert begins == pytest.approx(RATE_HZ, abs=0.005 * RATE_HZ)


def test_detuned_notes_move_with_their_sound(tmp_path: Path) -> None:
    audio = np.zeros(2 * RATE_HZ, dtype=np.float32)
    audio[RATE_HZ:] = sine(440, 1.0)
    notes = moved(Notes.make([1.0], [2.0], [69], [64]), 50.0)
    found = read_audio(detuned(audio, tmp_path / "a", 50.0))
    assert int(np.argmax(np.abs(found) > 0.2)) / RATE_HZ == pytest.approx(notes.onset[0], abs=0.002)
    pitch = np.argmax(np.abs(np.fft.rfft(found[-8000:]))) * 2
    assert pitch == pytest.approx(440 * 2 ** (50 / 1200), abs=2)
    assert len(read_audio(written(audio, tmp_path / "b", 8_000))) == len(audio)


def test_a_note_is_found_once_and_by_the_likeliest_peak() -> None:
    reference = Notes.make([1.0, 1.0], [2.0, 2.0], [60, 62], [64, 64])
    key = np.array([39, 39, 41, 43])
    seconds, prob = np.array([0.95, 1.02, 1.2, 1.0]), np.array([0.9, 0.3, 0.9, 0.9], dtype=np.float32)
    assert struck(key, seconds, prob, reference).tolist() == [True, False, False, False]


def test_every_ablation_is_a_config_of_its_own() -> None:
    tables = [table_of(overrides, 7) for overrides in VARIANTS.values()]
    for table in tables:
        options = {part: options_from(kind, table.get(part, {}), part) for part, kind in SECTIONS.items()}
        assert options["loop"].steps == 7
    assert all(tables.count(table) == 1 for table in tables)
