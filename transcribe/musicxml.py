"""A transcription as MusicXML: bars, two staves for two hands, voices, ties and rests, through partitura."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from symbolic.errors import NotebeamError
from symbolic.files import replacing
from symbolic.hands import right_hand
from symbolic.metre import Beats
from symbolic.notes import Notes
from symbolic.score.bars import QUARTER, Timeline, timeline
from symbolic.score.grid import written_onsets
from symbolic.score.values import Value, values_of
from symbolic.score.voices import Chord, voices_of

if TYPE_CHECKING:
    from partitura.score import Part

STAVES = {True: (1, (1, 2)), False: (2, (5, 6))}  # staff and voices of the right hand, and of the left
CLEFS = {"G": 2, "F": 4}  # the line on which each stands
HIGH, LOW = 62, 57  # medians of a left hand from which on it is read in treble, of a right one in bass
STEPS = "FCGDAEB"  # by fifths
SHORTEST = 0.01  # seconds that a key is taken to be down at least


def write_score(path: str | PathLike[str], notes: Notes, beats: Beats, place: str = "write_score") -> None:
    """Write notes as a piano score.

    Onsets are moved to the grid that fits each beat best, lengths to what reads well: a key that is down for
    most of the time to the next chord of its hand is written as long as that. `key_offset` is used where it
    is known: notes that the pedal lets ring on are not written longer than they were held.

    Raises:
        NotebeamError: no notes, or partitura, of the extra `score`, is not installed.
    """
    if not len(notes):
        raise NotebeamError(place, "no notes", "a score's music")
    text = musicxml(notes, beats)
    with replacing(path) as temporary:
        temporary.write_bytes(text)


def check_installed(place: str) -> None:
    """Refuse where partitura is missing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what partitura imports
            import partitura  # noqa: F401
    except ImportError:
        expected = "partitura, of the extra score: pip install 'notebeam[score]'"
        raise NotebeamError(place, "no partitura", expected) from None


def musicxml(notes: Notes, beats: Beats) -> bytes:
    """The score as the text of a file."""
    check_installed("write_score")
    from partitura import save_musicxml

    released = notes.offset if notes.key_offset is None else np.minimum(notes.key_offset, notes.offset)
    released = np.maximum(released, notes.onset + SHORTEST)
    line = timeline(beats, *(float(time) for time in (notes.onset[0], notes.onset[-1], released.max())))
    right = right_hand(notes)
    onset, divisions = written_onsets(notes, right, line)
    voices = {}
    for hand in STAVES:
        rows = np.flatnonzero(right == hand)
        own = onset[rows], line.ticks_at(released[rows]), notes.pitch[rows], divisions[:, int(hand)]
        voices[hand] = [_renumbered(chords, rows) for chords in voices_of(*own, line)]
    stop = max(chord.stop for own in voices.values() for chords in own for chord in chords)
    line = replace(line, bars=tuple(bar for bar in line.bars if bar.start < stop))
    clefs = _clef(notes.pitch[right], "G"), _clef(notes.pitch[~right], "F")
    part, spelling = _empty_part(line, beats, clefs), _spelling(onset, notes, beats.fifths)
    starts = {}
    for hand, (staff, numbers) in STAVES.items():
        for number, chords in zip(numbers, voices[hand], strict=True):
            voice = _Voice(part, line, staff, number, spelling)
            starts[str(number)] = voice.write(chords, rests=number == numbers[0])
    found = save_musicxml(part)
    assert found is not None
    return _completed(found if isinstance(found, bytes) else found.encode("utf-8"), line, starts)


def _completed(text: bytes, line: Timeline, starts: Mapping[str, Sequence[int]]) -> bytes:
    """The file with what partitura leaves out.

    That is a `forward` wherever a second voice is silent within a bar, or what follows would be read too
    early, and the next voice too; and that a pickup is not counted, which its number 0 tells no program.

    Args:
        text: partitura's file.
        line: its bars.
        starts: by the name of each voice the ticks of its symbols, in order.
    """
    head, root = text[: text.index(b"<score-partwise")], ElementTree.fromstring(text)
    left = {name: deque(ticks) for name, ticks in starts.items()}
    for bar, measure in zip(line.bars, root.iter("measure"), strict=True):
        if measure.get("number") == "0":
            measure.set("implicit", "yes")
        now = bar.start
        for symbol in list(measure):
            length = int(symbol.findtext("duration") or 0)
            if symbol.tag == "note" and symbol.find("chord") is None:
                start = left[symbol.findtext("voice") or ""].popleft()
                if start > now:
                    gap = ElementTree.Element("forward")
                    ElementTree.SubElement(gap, "duration").text = str(start - now)
                    measure.insert(list(measure).index(symbol), gap)
                now = start + length
            elif symbol.tag in ("forward", "backup"):
                now += length if symbol.tag == "forward" else -length
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=False)
    return head + body


def _clef(pitches: NDArray[np.int64], usual: str) -> str:
    """The clef of a hand's staff: the usual one, or the other where most notes would need ledger lines."""
    middle = float(np.median(pitches)) if len(pitches) else (HIGH + LOW) / 2
    return "G" if middle >= HIGH else "F" if middle <= LOW else usual


def _empty_part(line: Timeline, beats: Beats, clefs: Sequence[str]) -> Part:
    """Clefs, the upper staff's first, key, bars and tempo."""
    from partitura import score

    part = score.Part("P1", part_name="Piano", quarter_duration=QUARTER)
    for staff, sign in enumerate(clefs, start=1):
        part.add(score.Clef(staff, sign, CLEFS[sign], 0), 0)
    if beats.fifths is not None:
        part.add(score.KeySignature(beats.fifths, None), 0)
    seconds = float(np.median(np.diff(line.beat_times))) * QUARTER / line.beat
    part.add(score.Tempo(round(60 / seconds), "q"), 0)
    before = None
    is_pickup = line.bars[0].stop < line.bars[0].beats * (QUARTER * 4 // line.bars[0].unit)
    for number, bar in enumerate(line.bars, start=0 if is_pickup else 1):
        part.add(score.Measure(number, str(number)), bar.start, bar.stop)
        if (bar.beats, bar.unit) != before:
            part.add(score.TimeSignature(bar.beats, bar.unit), bar.start)
        before = bar.beats, bar.unit
    return part


def _spelling(onset: NDArray[np.int64], notes: Notes, fifths: int | None) -> list[tuple[str, int, int]]:
    """Step, alteration and octave of each note, by Meredith's ps13 (2006), as the key signature spells them.

    ps13 spells notes in relation to the first one, a black key by a guess: A flat major that begins with its
    tonic comes out as G sharp. All notes are moved by the circles of fifths that bring them to the signature.
    """
    from partitura.musicanalysis import estimate_spelling

    rows = np.zeros(len(notes), dtype=[("onset_div", "i4"), ("duration_div", "i4"), ("pitch", "i4")])
    rows["onset_div"], rows["duration_div"], rows["pitch"] = onset, 1, notes.pitch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = estimate_spelling(rows)
    place = np.array([STEPS.index(str(step)) + len(STEPS) * int(alter) for step, alter, _ in found.tolist()])
    if fifths is not None:  # of a major scale the middle note is three fifths up in `STEPS`, D of C major
        place += 12 * round((fifths + STEPS.index("D") - place.mean()) / 12)
    alters = place // len(STEPS)
    octaves = (notes.pitch - alters) // 12 - 1
    steps = [STEPS[index] for index in place % len(STEPS)]
    return list(zip(steps, alters.tolist(), octaves.tolist(), strict=True))


def _renumbered(chords: Sequence[Chord], rows: NDArray[np.int64]) -> list[Chord]:
    """Chords of a hand's notes as chords of all notes."""
    return [replace(chord, rows=tuple(int(rows[row]) for row in chord.rows)) for chord in chords]


@dataclass(frozen=True, eq=False)
class _Voice:
    """Writes a voice into a part."""

    part: Part
    line: Timeline
    staff: int
    number: int
    spelling: Sequence[tuple[str, int, int]]  # of all notes

    def write(self, chords: Sequence[Chord], *, rests: bool) -> list[int]:
        """Write chords, with or without rests between them; the ticks at which symbols begin."""
        triplets = self._triplets(chords)
        now = 0
        written: list[tuple[Value, Any]] = []
        for chord in chords:
            if rests:
                written += self._rests(now, chord.start, triplets)
            tied: dict[int, Any] = {}
            for bar in self.line.bars_between(chord.start, chord.stop):
                start, stop = max(bar.start, chord.start), min(bar.stop, chord.stop)
                for value in values_of(start, stop, bar, triplets):
                    written.append((value, self._note(value, chord, tied)))
            now = chord.stop
        if rests:
            written += self._rests(now, self.line.bars[-1].stop, triplets)
        self._brackets(written)
        return [value.start for value, _ in written]

    def _triplets(self, chords: Sequence[Chord]) -> set[int]:
        """Ticks of the beats that are triplets in a voice: in which a chord begins or ends off the halves."""
        beat = self.line.beat
        if beat != QUARTER:
            return set()
        edges = [tick for chord in chords for tick in (chord.start, chord.stop)]
        return {tick // beat * beat for tick in edges if tick % 3}

    def _rests(self, start: int, stop: int, triplets: set[int]) -> list[tuple[Value, Any]]:
        from partitura import score

        written = []
        for bar in self.line.bars_between(start, stop):
            first, last = max(bar.start, start), min(bar.stop, stop)
            for value in values_of(first, last, bar, triplets, rest=True):
                rest = score.Rest(voice=self.number, staff=self.staff, symbolic_duration=_symbol(value))
                self.part.add(rest, value.start, value.stop)
                written.append((value, rest))
        return written

    def _note(self, value: Value, chord: Chord, tied: dict[int, Any]) -> Any:
        """Write one value of a chord, tied to the one before; its highest note, which is the first one."""
        from partitura import score

        added = []
        for row in chord.rows:
            step, alter, octave = self.spelling[row]
            note = score.Note(
                step=step, octave=octave, alter=alter or None, voice=self.number, staff=self.staff,
                symbolic_duration=_symbol(value),
            )  # fmt: skip
            self.part.add(note, value.start, value.stop)
            if row in tied:
                tied[row].tie_next, note.tie_prev = note, tied[row]
            tied[row] = note
            added.append(note)
        return added[-1]

    def _brackets(self, written: Sequence[tuple[Value, Any]]) -> None:
        """A bracket for each beat of thirds."""
        from partitura import score

        beats: dict[int, list[Any]] = {}
        for value, symbol in written:
            if value.is_third:
                beats.setdefault(value.start // QUARTER, []).append(symbol)
        for beat, symbols in beats.items():
            bracket = score.Tuplet(symbols[0], symbols[-1], 3, 2, "eighth", 0, "eighth", 0)
            self.part.add(bracket, beat * QUARTER, (beat + 1) * QUARTER)


def _symbol(value: Value) -> dict[str, object]:
    """partitura's words for a value; the length of a bar's rest says all."""
    symbol: dict[str, object] = {"type": value.kind or None, "dots": value.dots}
    if value.is_third:
        symbol |= {"actual_notes": 3, "normal_notes": 2}
    return symbol
