"""Our files in MuseScore, without a display: metre, staves, ties, and a page to print.

Needs MuseScore (Debian: musescore3, which .ci/run installs) and partitura; skipped where they are missing.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.lib.musescore import as_opened, convert, metre, musescore, ties
from symbolic.hands import right_hand
from symbolic.metre import Beats
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes
from transcribe.musicxml import write_score

pytest.importorskip("partitura", reason="needs partitura, of the extra score")
pytestmark = pytest.mark.skipif(musescore() is None, reason="needs MuseScore (Debian: musescore3)")

BEAT, BARS = 0.7, 8


def waltz() -> tuple[Notes, Beats]:
    """Eight bars of a waltz after a pickup, the tempo coming and going, each note a little off."""
    draw = np.random.default_rng(0)
    melody = [(-1.0, 1.0, 79)]
    for bar in range(BARS):
        melody += [(3.0 * bar, 1.0, 76 + bar % 3), (3.0 * bar + 1, 1.5, 79), (3.0 * bar + 2.5, 0.5, 77)]
    bass = [(3.0 * bar, 1.0, 43 + 5 * (bar % 2)) for bar in range(BARS)]
    chords = [(3.0 * bar + b, 1.0, p) for bar in range(BARS) for b in (1, 2) for p in (55, 59)]
    begin, length, pitch = (np.array(column) for column in zip(*melody, *bass, *chords, strict=True))
    place = np.arange(-1, 3 * BARS + 1)
    seconds = 1.0 + np.cumsum(BEAT * (1 + 0.05 * np.sin(place / 5)))
    onset = np.interp(begin, place, seconds) + draw.normal(0, 0.01, len(begin))
    offset = np.interp(begin + 0.9 * length, place, seconds)
    notes = Notes.make(onset, offset, pitch, np.full(len(onset), 64), key_offset=offset)
    return notes, Beats(seconds, place % 3 == 0, fifths=0)


def test_a_score_opens_as_it_was_written(tmp_path: Path) -> None:
    notes, beats = waltz()
    write_score(tmp_path / "waltz.musicxml", notes, beats)
    opened = as_opened(tmp_path / "waltz.musicxml")
    assert metre(opened) == "3/4" and len(set(re.findall(r"<beats>\d+", opened))) == 1
    assert opened.count("<score-part ") == 1 and "<staves>2</staves>" in opened
    assert len(re.findall("<pitch>", opened)) - ties(opened) == len(notes)
    # A pickup and eight bars, in which every note is one value.
    assert opened.count("<measure ") == BARS + 1
    numbers = re.findall(r'<measure number="(\w+)" (?:implicit="yes")?', opened)
    assert numbers[1:] == [str(number + 1) for number in range(BARS)]
    assert ties(opened) == 0
    convert(tmp_path / "waltz.musicxml", tmp_path / "waltz.pdf")
    assert (tmp_path / "waltz.pdf").read_bytes().startswith(b"%PDF")


def test_the_midi_opens_as_one_piano_with_the_musics_bars(tmp_path: Path) -> None:
    notes, beats = waltz()
    write_midi(tmp_path / "waltz.mid", notes, beats=beats, right=right_hand(notes))
    opened = as_opened(tmp_path / "waltz.mid")
    assert metre(opened) == "3/4"
    assert opened.count("<score-part ") == 1 and "<staves>2</staves>" in opened


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="MuseScore: "):
        convert(tmp_path / "a.musicxml", tmp_path / "a.pdf")
