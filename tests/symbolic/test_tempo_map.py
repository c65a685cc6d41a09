"""MIDI files whose bars are the music's: times stay, beats of the music are beats of the file."""

from pathlib import Path

import mido
import numpy as np
import pytest
import symusic

from symbolic.errors import NotebeamError
from symbolic.metre import Beats
from symbolic.midi import read_beats, read_midi
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes
from symbolic.tempo_map import tempo_of_beats


def played(first: float, count: int, seed: int, beat: float = 0.6) -> Beats:
    """Beats of a player who hurries and drags, in bars of three."""
    draw = np.random.default_rng(seed)
    times = first + np.cumsum(beat * 2 ** draw.normal(0, 0.3, count)) - beat
    return Beats(np.maximum.accumulate(times) + 1e-3 * np.arange(count), np.arange(count) % 3 == 1, fifths=-3)


def random_notes(until: float, seed: int) -> Notes:
    draw = np.random.default_rng(seed)
    onset = np.sort(draw.uniform(0, until, 300))
    pitch = 21 + np.arange(300) % 88  # no key twice at once
    return Notes.make(onset, onset + draw.uniform(0.05, 0.5, 300), pitch, draw.integers(1, 128, 300))


def seconds_of_events(path: Path, kind: str) -> list[tuple[float, mido.MetaMessage]]:
    """Seconds of the first track's events of a kind, by its own tempi: mido's arithmetic, not ours."""
    file, now, tempo, found = mido.MidiFile(path), 0.0, 500_000, []
    for message in file.tracks[0]:
        now += mido.tick2second(message.time, file.ticks_per_beat, tempo)
        if message.type == "set_tempo":
            tempo = message.tempo
        if message.type == kind:
            found.append((now, message))
    return found


@pytest.mark.parametrize(
    ("first", "beat"),
    [(0.9, 0.6), (3.0, 0.3), (0.005, 2.0), (40.0, 0.4), (0.05, 6.0), (301.0, 0.4), (3600.0, 0.47)],
)
def test_times_come_back_whatever_the_beats(tmp_path: Path, first: float, beat: float) -> None:
    beats = played(first, 40, 0, beat)
    notes = random_notes(float(beats.times[-1]) + 5, 1)
    write_midi(tmp_path / "with.mid", notes, beats=beats)
    back = read_midi(tmp_path / "with.mid")
    assert back.pitch.tolist() == notes.pitch.tolist()
    assert np.abs(back.onset - notes.onset).max() < 6e-4
    assert np.abs(back.offset - notes.offset).max() < 6e-4


def test_the_beats_are_the_files_quarters(tmp_path: Path) -> None:
    beats = played(1.1, 30, 2)
    write_midi(tmp_path / "bars.mid", random_notes(20.0, 3), beats=beats)
    quarters = read_beats(tmp_path / "bars.mid")  # from 0 on; two of the lead-in
    distance = np.abs(quarters[:, None] - beats.times[None]).min(axis=0)
    assert distance[beats.times <= quarters[-1]].max() < 1e-5


def test_a_lead_in_a_pickup_then_bars_and_the_key(tmp_path: Path) -> None:
    beats = Beats(np.array([1.2, 1.8, 2.4, 3.0, 3.6, 4.2, 4.8, 5.4]), np.arange(8) % 3 == 1, fifths=-3)
    write_midi(tmp_path / "a.mid", random_notes(6.0, 0), beats=beats)
    metres = seconds_of_events(tmp_path / "a.mid", "time_signature")
    # 1.2 s at 0.6 s a beat: two quarters; one beat before the first bar; then bars of three.
    assert [(m.numerator, m.denominator) for _, m in metres] == [(2, 4), (1, 4), (3, 4)]
    assert [round(at, 4) for at, _ in metres] == [0.0, 1.2, 1.8]
    assert [m.key for _, m in seconds_of_events(tmp_path / "a.mid", "key_signature")] == ["Eb"]


@pytest.mark.parametrize(
    ("first", "bars"),
    [
        # 301 s at 0.5 s a beat: 602 quarters, 2 and 150 bars of 4/4; then three beats a bar.
        (301.0, [(0.0, 2, 4), (1.0, 4, 4), (301.0, 3, 4)]),
        # 7200 quarters, which 4 divides.
        (3600.0, [(0.0, 4, 4), (3600.0, 3, 4)]),
        (8.0, [(0.0, 16, 4), (8.0, 3, 4)]),
        (8.5, [(0.0, 1, 4), (0.5, 4, 4), (8.5, 3, 4)]),
    ],
)
def test_before_music_that_begins_late_there_are_bars(
    tmp_path: Path, first: float, bars: list[tuple[float, int, int]]
) -> None:
    beats = Beats(first + 0.5 * np.arange(12), np.arange(12) % 3 == 0)
    notes = Notes.make(beats.times, beats.times + 0.4, np.full(12, 60), np.full(12, 64))
    write_midi(tmp_path / "a.mid", notes, beats=beats)
    metres = seconds_of_events(tmp_path / "a.mid", "time_signature")
    assert [(round(at, 4), m.numerator, m.denominator) for at, m in metres] == bars
    score = symusic.Score(tmp_path / "a.mid")
    ends = [signature.time for signature in score.time_signatures][1:]
    begins = score.time_signatures[: len(ends)]
    whole = [4 * score.tpq * bar.numerator // bar.denominator for bar in begins]
    assert all((end - bar.time) % ticks == 0 for end, bar, ticks in zip(ends, begins, whole, strict=True))
    onsets = [note.start for note in score.to("second").tracks[0].notes]
    assert onsets == pytest.approx(beats.times.tolist(), abs=6e-4)


def test_an_hour_of_roundings_of_the_tempo_is_taken_back_before_the_music() -> None:
    beats = Beats(3600.1 + 0.31 * np.arange(12), np.arange(12) % 3 == 0)
    assert np.abs(tempo_of_beats(beats).seconds[-12:] - beats.times).max() < 2e-6


def test_thirds_make_eighths_and_a_longer_bar_its_own_signature(tmp_path: Path) -> None:
    downbeat = np.isin(np.arange(11), [0, 2, 4, 7, 9])
    beats = Beats(0.01 + 0.5 * np.arange(11), downbeat, division=3)
    write_midi(tmp_path / "a.mid", random_notes(6.0, 0), beats=beats)
    metres = seconds_of_events(tmp_path / "a.mid", "time_signature")
    assert [(m.numerator, m.denominator) for _, m in metres] == [(6, 8), (9, 8), (6, 8)]
    # The first beat, at 10 ms, is the file's begin.
    assert [round(at, 4) for at, _ in metres] == [0.0, 2.01, 3.51]
    assert not seconds_of_events(tmp_path / "a.mid", "key_signature")


def test_roundings_of_the_tempo_do_not_add_up() -> None:
    times = np.arange(1, 20_000) / 3.0
    tempi = tempo_of_beats(Beats(times, np.arange(len(times)) % 4 == 0))
    assert np.abs(tempi.seconds[1:] - times).max() < 2e-6


@pytest.mark.parametrize(
    ("times", "downbeat", "line"),
    [
        ([1.0, 20.0], [True, False], r"beats: got '19.0 s a quarter note'"),
        (np.arange(1.0, 80.0), np.arange(79) == 0, r"beats: got 'a bar of 79 beats'"),
    ],
)
def test_what_midi_cannot_say_is_refused(times: object, downbeat: object, line: str) -> None:
    with pytest.raises(NotebeamError, match=line):
        tempo_of_beats(Beats(np.array(times), np.array(downbeat)))
