"""What is measured of a whole recording, and that the network sees it at one level, without offset."""

from collections.abc import Iterator

import numpy as np
import pytest
from oracles_acoustic import sine

from acoustic.inference import Listener, load_acoustic
from acoustic.survey import BLOCK_SAMPLES, LEVEL, MOST_GAIN, Survey

RATE_HZ = 16_000


OPEN: list[Survey] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().__exit__()


def surveyed(audio: np.ndarray, size: int = 7_000) -> Survey:
    survey = Survey(RATE_HZ, tuning=True)
    OPEN.append(survey)
    for first in range(0, len(audio), size):
        survey.add(audio[first : first + size])
    return survey


@pytest.fixture(scope="module")
def small() -> Listener:
    return load_acoustic("piano-small")


def struck(level: float = 0.3) -> np.ndarray:
    """Two decaying chords with partials."""
    times = np.arange(2 * RATE_HZ) / RATE_HZ
    envelope = np.exp(-3 * (times % 1.0)) * np.minimum(1, (times % 1.0) / 0.005)
    tones = sum(sine(262.0 * ratio * h, 2.0) / h for ratio in (1, 1.26) for h in (1, 2, 3, 4))
    return np.asarray(level * envelope * tones / 4, dtype=np.float32)


def test_the_level_is_that_of_what_sounds() -> None:
    tone = sine(440.0, 2.0, amplitude=0.1)
    assert surveyed(tone).level == pytest.approx(0.1 / np.sqrt(2), rel=0.01)
    behind = np.concatenate([np.zeros(20 * RATE_HZ, np.float32), tone])
    assert surveyed(behind).level == pytest.approx(surveyed(tone).level, rel=0.01)
    assert surveyed(tone + np.float32(0.3)).level == pytest.approx(surveyed(tone).level, rel=0.01)


@pytest.mark.parametrize("repeats", [10, 40])
def test_a_thump_does_not_set_the_level(small: Listener, repeats: int) -> None:
    quiet = np.tile(struck(0.01), repeats)
    times = np.arange(RATE_HZ // 7) / RATE_HZ
    thump = 0.9 * np.exp(-times / 0.04) * np.sin(2 * np.pi * 60 * times)
    loud = quiet.copy()
    loud[RATE_HZ // 2 : RATE_HZ // 2 + len(thump)] += thump.astype(np.float32)
    assert surveyed(loud).level == pytest.approx(surveyed(quiet).level, rel=1.5)
    clean, found = small(quiet, rate=RATE_HZ).onset, small(loud, rate=RATE_HZ).onset
    assert clean is not None and found is not None and clean[90:].max() > 0.5
    assert found[90:][clean[90:] > 0.5].min() > 0.3
    # Music that is loud for as long as a chord is no thump.
    late = np.concatenate([quiet, struck(0.5)])
    assert surveyed(late).level == pytest.approx(surveyed(struck(0.5)).level, rel=0.2)


@pytest.mark.parametrize("size", [1, 319, 7_000, 10**6])
def test_samples_come_back_in_order_at_one_level(size: int) -> None:
    audio = struck()[: 3_000 if size == 1 else BLOCK_SAMPLES + 5]
    survey = surveyed(audio + np.float32(0.2), size)
    found = np.concatenate(list(survey.blocks()))
    np.testing.assert_allclose(found, (audio - audio.mean()) * survey.gain, atol=1e-5)
    assert surveyed(found).level == pytest.approx(LEVEL, rel=1e-3)


def test_nothing_is_not_raised_to_music() -> None:
    faint = np.random.default_rng(0).normal(0, 2e-5, RATE_HZ).astype(np.float32)  # noise of 16 bits
    assert surveyed(faint).gain == MOST_GAIN
    assert surveyed(np.zeros(RATE_HZ, np.float32)).gain == 1.0
    assert list(surveyed(np.zeros(0, np.float32)).blocks()) == []


def test_level_offset_and_silence_before_change_nothing(small: Listener) -> None:
    clean = small(struck(), rate=RATE_HZ)
    assert clean.onset is not None and clean.onset.max() > 0.5
    for factor, offset in ((4e-3, 0.0), (3.0, 0.0), (1.0, 0.3), (0.01, 0.05)):
        found = small(factor * struck() + offset, rate=RATE_HZ)
        assert found.onset is not None
        # At an edge an offset is a step, which is no tone.
        assert np.abs(found.onset - clean.onset)[5:-10].max() < 0.05
    late = small(np.concatenate([np.zeros(130 * RATE_HZ, np.float32), struck()]), rate=RATE_HZ)
    assert late.onset is not None
    assert np.abs(late.onset[6_500:] - clean.onset)[5:].max() < 0.05


def test_tuning_is_that_of_the_music_behind_silence_and_applause() -> None:
    bent = sum(sine(220.0 * 2 ** (key / 12 + 40 / 1200), 30.0) for key in (0, 4, 7, 12))
    music = np.asarray(0.1 * bent, dtype=np.float32)
    for before in (np.zeros(125 * RATE_HZ), np.random.default_rng(3).normal(0, 0.1, 20 * RATE_HZ)):
        survey = surveyed(np.concatenate([before.astype(np.float32), music]), 160_000)
        assert survey.tuning is not None and survey.tuning.cents == pytest.approx(40, abs=2)


def test_a_tuning_between_two_keys_is_said(small: Listener) -> None:
    flat = np.asarray(0.2 * sum(sine(220.0 * 2 ** ((key - 0.47) / 12), 2.0) for key in (0, 4, 7)), np.float32)
    notices: list[str] = []
    small(flat, rate=RATE_HZ, notice=notices.append)
    # 47 cents below is 53 cents above the semitone below: A4 is then 440 Hz * 2^(53 / 1200).
    assert len(notices) == 1 and "47 cents below" in notices[0]
    named = float(notices[0].split("--tuning ")[1].split()[0])
    assert named == pytest.approx(440 * 2 ** (53 / 1200), abs=0.5)
    notices.clear()
    small(np.asarray(0.2 * sine(220.0, 2.0), np.float32), rate=RATE_HZ, notice=notices.append)
    assert notices == []
