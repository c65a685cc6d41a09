"""Written music: bars, the grid of each beat, note values, voices."""

import numpy as np
import pytest

from symbolic.metre import Beats
from symbolic.notes import Notes
from symbolic.score.bars import QUARTER, Bar, Timeline, timeline
from symbolic.score.grid import written_onsets
from symbolic.score.values import DOTTED, THIRDS, TYPES, values_of
from symbolic.score.voices import Chord, voices_of

COMMON, WALTZ, COMPOUND = Bar(0, 96, 4, 4), Bar(0, 72, 3, 4), Bar(0, 72, 6, 8)


def steady(count: int, first: int, division: int = 2, usual: int = 4, begin: float = 1.0) -> Beats:
    """Beats half a second apart, of which the beat `first` begins a bar."""
    times = begin + 0.5 * np.arange(count)
    return Beats(times, (np.arange(count) - first) % usual == 0, 3 if division == 3 else 2)


def spans(line: Timeline) -> list[tuple[int, int, int, int]]:
    return [(bar.start, bar.stop, bar.beats, bar.unit) for bar in line.bars]


def test_bars_hold_the_music_and_a_pickup_is_short() -> None:
    # Beats from 1.0 s on, a bar from the second one on; music in the first beat until 5 s.
    line = timeline(steady(12, first=1), first=1.0, last_onset=4.0, last=5.0)
    assert spans(line) == [(0, 24, 4, 4), (24, 120, 4, 4), (120, 216, 4, 4)]
    assert line.beat_times[[0, 1]].tolist() == [1.0, 1.5]
    assert line.ticks_at(np.array([1.0, 1.25, 3.5])).tolist() == [0, 12, 120]


def test_bars_without_music_before_it_are_left_out() -> None:
    line = timeline(steady(16, first=0), first=5.2, last_onset=5.2, last=6.0)
    assert spans(line) == [(0, 96, 4, 4)]
    assert line.beat_times[0] == 5.0


def test_beats_go_on_where_the_music_does() -> None:
    line = timeline(steady(4, first=0, usual=2), first=0.1, last_onset=4.0, last=4.2)
    # From 0 (two beats before the first) to 5 s.
    assert line.beat_times[0] == 0.0 and line.beat_times[-1] == pytest.approx(5.0)
    assert spans(line) == [(48 * i, 48 * i + 48, 2, 4) for i in range(5)]


def test_a_longer_bar_has_its_own_signature_and_thirds_are_eighths() -> None:
    downbeat = np.isin(np.arange(9), [0, 2, 5, 7])
    line = timeline(Beats(0.5 * np.arange(9), downbeat, division=3), 0.0, 3.9, 4.0)
    assert spans(line)[:3] == [(0, 72, 6, 8), (72, 180, 9, 8), (180, 252, 6, 8)]
    assert [bar.start for bar in line.bars_between(71, 181)] == [0, 72, 180]
    assert [bar.start for bar in line.bars_between(72, 180)] == [72]


@pytest.mark.parametrize("bar", [COMMON, WALTZ, COMPOUND, Bar(24, 120, 4, 4)])
def test_values_fill_every_stretch_with_what_they_last(bar: Bar) -> None:
    for start in range(bar.start, bar.stop, 3):
        for stop in range(start + 3, bar.stop + 1, 3):
            for rest in (False, True):
                values = values_of(start, stop, bar, set(), rest=rest)
                assert [v.start for v in values] == [start, *(v.stop for v in values[:-1])]
                assert values[-1].stop == stop
                for value in values:
                    fills = rest and (value.start, value.stop) == (bar.start, bar.stop)
                    table = DOTTED if value.dots else TYPES
                    assert value.kind == ("" if fills else table[value.stop - value.start])


@pytest.mark.parametrize("parts", [(8, 16), (4, 8, 12, 16, 20)])
def test_triplets_stay_inside_their_beat(parts: tuple[int, ...]) -> None:
    edges = [0, 24, *(24 + part for part in parts), 48, 96]
    for start in edges:
        for stop in (edge for edge in edges if edge > start):
            values = values_of(start, stop, COMMON, {24})
            assert (values[0].start, values[-1].stop) == (start, stop)
            for value in values:
                assert value.is_third == ((value.stop - value.start) in THIRDS)
                if value.is_third:
                    assert 24 <= value.start < value.stop <= 48


@pytest.mark.parametrize(
    ("bar", "start", "stop", "written"),
    [
        (COMMON, 0, 96, ["whole"]),
        (COMMON, 24, 96, ["half."]),
        (COMMON, 12, 36, ["quarter"]),  # a syncopation
        (COMMON, 12, 48, ["quarter", "eighth"]),
        (COMMON, 6, 24, ["eighth."]),
        (COMMON, 0, 60, ["half", "eighth"]),
        (COMPOUND, 0, 72, ["half."]),
        (COMPOUND, 12, 36, ["quarter"]),
        (COMPOUND, 24, 60, ["eighth", "quarter"]),  # across the middle
    ],
)
def test_values_that_are_read_easily(bar: Bar, start: int, stop: int, written: list[str]) -> None:
    assert [v.kind + "." * v.dots for v in values_of(start, stop, bar, set())] == written


def grid_of(beat_parts: list[list[float]], division: int = 2) -> tuple[list[list[int]], list[int]]:
    """Ticks within each beat, and its division, of right-hand chords at these parts of beats."""
    place = [index + part for index, parts in enumerate(beat_parts) for part in parts]
    onset = 1.0 + 0.5 * np.array(place)
    notes = Notes.make(onset, onset + 0.05, 60 + np.arange(len(onset)) % 12, [64] * len(onset))
    line = timeline(steady(len(beat_parts) + 1, 0, division), 1.0, onset[-1], onset[-1] + 0.05)
    ticks, divisions = written_onsets(notes, np.ones(len(onset), dtype=np.bool_), line)
    beats = [[int(t) for t in ticks if t // line.beat == i] for i in range(len(beat_parts))]
    return [[t - i * line.beat for t in own] for i, own in enumerate(beats)], divisions[:, 1].tolist()


def test_each_beat_is_divided_as_its_chords_are_played() -> None:
    ticks, divisions = grid_of([[0.02, 0.49], [0, 0.35, 0.65], [0.01, 0.24, 0.52, 0.74], [0.0], [0, 0.76]])
    assert ticks == [[0, 12], [0, 8, 16], [0, 6, 12, 18], [0], [0, 18]]
    assert divisions[:5] == [2, 3, 4, 1, 4]
    ticks, divisions = grid_of([[0.02, 0.34, 0.65], [0, 0.68]], division=3)
    assert ticks == [[0, 12, 24], [0, 24]]
    assert divisions[:2] == [3, 3]


def test_hands_that_strike_together_are_written_together() -> None:
    # The left hand has a chord alone at 0.31 s of the beat; the right one plays triplets with it.
    onset = 1.0 + 0.5 * np.array([0, 0, 1 / 3 - 0.03, 1 / 3 - 0.03, 2 / 3])
    notes = Notes.make(onset, onset + 0.1, [48, 72, 50, 74, 76], [64] * 5)
    right = notes.pitch > 60
    ticks, _ = written_onsets(notes, right, timeline(steady(4, 0), 1.0, 1.4, 2.0))
    assert ticks.tolist() == [0, 0, 8, 8, 16]


def voices(*notes: tuple[int, float, int]) -> tuple[list[Chord], list[Chord]]:
    """Voices of notes (onset, release, pitch), in ticks, in bars of four."""
    onset, released, pitch = (np.array(column) for column in zip(*notes, strict=True))
    line = timeline(steady(9, 0), 1.0, 4.8, 4.9)
    return voices_of(onset, released.astype(float), pitch, np.full(len(line.beat_times) - 1, 2), line)


def test_detached_notes_last_until_the_next_and_short_ones_are_followed_by_rests() -> None:
    first, second = voices((0, 20.0, 60), (24, 27.0, 62), (48, 96.0, 64))
    assert [(c.start, c.stop) for c in first] == [(0, 24), (24, 36), (48, 96)]
    assert second == []


def test_a_bass_held_under_moving_notes_is_a_voice_of_its_own() -> None:
    moving = [(t, t + 10.0, p) for t, p in ((0, 60), (12, 64), (24, 67), (36, 64))]
    first, second = voices((0, 47.0, 48), *moving, (48, 95.0, 60))
    assert [(c.start, c.stop, len(c.rows)) for c in second] == [(0, 48, 1)]
    assert [(c.start, c.stop) for c in first] == [(0, 12), (12, 24), (24, 36), (36, 48), (48, 96)]
    # A melody that is held above them is the upper voice.
    first, second = voices((0, 47.0, 72), *moving, (48, 95.0, 60))
    assert [(c.start, c.stop) for c in first] == [(0, 48), (48, 96)]
    assert [c.start for c in second] == [0, 12, 24, 36]


@pytest.mark.parametrize("seed", range(5))
def test_voices_hold_every_note_once_and_never_overlap(seed: int) -> None:
    draw = np.random.default_rng(seed)
    onset = np.sort(draw.integers(0, 32, 60)) * 6
    pitch, released = draw.integers(40, 80, 60), onset + draw.uniform(1, 80, 60)
    rows = {(int(o), int(p)) for o, p in zip(onset, pitch, strict=True)}
    line = timeline(steady(9, 0), 1.0, 4.8, 4.9)
    found = voices_of(onset, released, pitch, np.full(len(line.beat_times) - 1, 4), line)
    for chords in found:
        assert all(before.stop <= after.start for before, after in zip(chords, chords[1:], strict=False))
        assert all(chord.start < chord.stop <= line.bars[-1].stop for chord in chords)
    written = [(chord.start, int(pitch[row])) for chords in found for chord in chords for row in chord.rows]
    assert sorted(written) == sorted(rows)


def test_a_quarter_has_room_for_halves_and_thirds() -> None:
    assert all(QUARTER % part == 0 for part in (2, 3, 4, 6, 8))
