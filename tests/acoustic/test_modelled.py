"""Modelled pianos: each seed its own, in tune and on time, darker when played softly, damped at the end."""

from dataclasses import replace

import numpy as np
import pytest

from acoustic import instruments, modelled
from acoustic.audio import RATE_HZ
from acoustic.modelled import PianoModel, ringing
from acoustic.rendering import Touch
from acoustic.training import renderings
from symbolic.errors import NotebeamError
from symbolic.notes import Notes

TOUCH = Touch(dynamics=2.0, fade_seconds=0.1, level=0.5)
C4, A4 = 60 - 21, 69 - 21
SEEDS = range(5)


def quiet(seed: int, monkeypatch: pytest.MonkeyPatch) -> PianoModel:
    """A piano whose hammers and keys make no noise."""
    monkeypatch.setattr(PianoModel, "knock", lambda self, part: np.zeros(10))
    return PianoModel(seed)


def level(sound: np.ndarray, start: float, stop: float) -> float:
    """Root of the mean square between seconds."""
    part = sound[round(start * RATE_HZ) : round(stop * RATE_HZ)].astype(float)
    return float(np.sqrt((part**2).mean()))


def test_a_seed_is_one_piano_and_another_seed_another() -> None:
    notes = Notes.make([0.1, 0.4], [0.5, 0.9], [60, 67], [80, 50])
    first, again, other = (PianoModel(seed).render(notes, TOUCH) for seed in (3, 3, 4))
    assert len(first) == round(1.9 * RATE_HZ) and np.isfinite(first).all()
    assert (first == again).all()
    assert np.corrcoef(first, other)[0, 1] < 0.9


def test_ringing_is_the_sum_of_its_modes() -> None:
    draw = np.random.default_rng(0)
    phasors = draw.normal(size=7) + 1j * draw.normal(size=7)
    growth = -draw.uniform(1, 20, 7) + 2j * np.pi * draw.uniform(30, 7000, 7)
    found = ringing(phasors, growth, 0.3)
    time = np.arange(len(found)) / RATE_HZ
    expected = sum((p * np.exp(g * time)).real for p, g in zip(phasors, growth, strict=True))
    assert 0.3 * RATE_HZ <= len(found) < 0.3 * RATE_HZ + modelled.BLOCK
    assert np.abs(found - expected).max() < 1e-4


@pytest.mark.parametrize("seed", SEEDS)
def test_keys_sound_at_their_pitches_with_stretched_partials(seed: int) -> None:
    hertz = PianoModel(seed).hertz
    cents = 1200 * np.log2(hertz[:, 0] / (440 * 2 ** ((np.arange(88) - A4) / 12)))
    assert np.abs(cents).max() < 50 and abs(np.median(cents)) < 10
    assert (np.diff(hertz / np.arange(1, modelled.PARTIALS + 1), axis=1) > 0).all()  # of stiff strings
    sound = PianoModel(seed).string(C4, 100, 2.0, TOUCH, np.random.default_rng(0))[: 2 * RATE_HZ]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    for partial in hertz[C4, :3]:
        near = slice(round(2 * partial) - 20, round(2 * partial) + 21)
        assert abs(int(spectrum[near].argmax()) - 20) <= 2  # bins of half a hertz


@pytest.mark.parametrize("seed", SEEDS)
def test_a_soft_strike_is_softer_and_darker(seed: int) -> None:
    piano = PianoModel(seed)
    loud, soft = (piano.amplitudes(C4, velocity, TOUCH) for velocity in (127, 40))
    power = np.log(np.linalg.norm(loud) / np.linalg.norm(soft)) / np.log(127 / 40)
    assert 2 * 0.7 <= power <= 2 * 1.4  # of `dynamics`
    centroid = [float((a * piano.hertz[C4]).sum() / a.sum()) for a in (soft, loud)]
    assert centroid[0] < centroid[1]
    flat = piano.amplitudes(C4, 40, replace(TOUCH, dynamics=1e-9))
    assert np.linalg.norm(flat) == pytest.approx(np.linalg.norm(loud), rel=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_note_begins_at_its_time_and_ends_with_its_damper(seed: int) -> None:
    notes = Notes.make([0.5], [1.0], [69], [100])
    sound = PianoModel(seed).render(notes, TOUCH)
    assert not sound[: round(0.5 * RATE_HZ)].any()
    first = np.abs(sound[: round(0.7 * RATE_HZ)])
    assert 0.5 <= int((first > 0.1 * first.max()).argmax()) / RATE_HZ < 0.51
    assert level(sound, 1.3, 1.6) < 0.01 * level(sound, 0.55, 0.9)


def test_a_key_struck_again_adds_to_what_sounds(monkeypatch: pytest.MonkeyPatch) -> None:
    piano = quiet(1, monkeypatch)
    once = piano.render(Notes.make([0.0], [0.5], [48], [100]), TOUCH, tail=2.0)
    again = Notes.make([0.0, 0.5], [0.5, 1.5], [48, 48], [100, 1], key_offset=[0.5, 1.5])
    twice = piano.render(again, TOUCH, tail=1.0)
    assert level(once, 0.8, 1.2) < 0.01 * level(twice, 0.8, 1.2)  # which a strike of 1 cannot be


def test_all_strings_ring_while_the_pedal_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    piano = quiet(2, monkeypatch)
    by_key = Notes.make([0.0], [1.0], [60], [100], key_offset=[1.0])
    by_pedal = Notes.make([0.0], [1.0], [60], [100], key_offset=[0.2])
    ends = [level(piano.render(notes, TOUCH), 1.3, 1.8) for notes in (by_key, by_pedal)]
    assert ends[0] < 1e-6 < ends[1]


def test_instruments_play_them_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert instruments.instrument("modelled-7") == PianoModel(7)
    assert instruments.source("modelled-7").licence == "CC0"
    with pytest.raises(NotebeamError, match=r"modelled-x: got 'no licence'"):
        instruments.source("modelled-x")
    options = renderings.RenderOptions(asap=0, pop909=0, exercises=20, seconds=2.0, modelled_chance=0.5)
    names = [item.piano for item in renderings.plan(options)]
    chosen = [name for name in names if name.startswith("modelled-")]
    assert 4 < len(chosen) < 16 and len(set(chosen)) == len(chosen)
    kept = [item.piano for item in renderings.plan(replace(options, modelled_chance=0.0))]
    assert all(one == other for one, other in zip(kept, names, strict=True) if other not in chosen)
    with pytest.raises(NotebeamError, match="modelled_chance"):
        replace(options, modelled_chance=1.5)
