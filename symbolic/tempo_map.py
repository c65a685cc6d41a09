"""Tempo, metre and key of a MIDI file, and the ticks of seconds by them.

Is: a constant tempo; a map in which every given beat falls on a beat of the file.
Is not: notes (symbolic.midi_writing) or reading (symbolic.midi).
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from symbolic.errors import NotebeamError
from symbolic.metre import Beats

if TYPE_CHECKING:
    import mido

TICKS = 480  # a quarter note, or a multiple of it
TICKS_PER_SECOND = 960  # at least, so that rounding to a tick is at most 0.52 ms
MOST_TICKS = 32767  # a quarter note: MIDI has 15 bits
SLOWEST_QUARTER = 16.0  # seconds: MIDI has 24 bits for its microseconds
FASTEST_QUARTER = 0.02  # seconds; a beat that begins sooner after 0 begins the file
LONGEST_BAR = 64  # beats
LONGEST_LEAD = 16  # quarters of one bar before the music; more of them are bars of 4/4
SIGNATURES = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")

Ticks = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TempoMap:
    """Linear between its P points, the last tempo for ever."""

    ticks_a_quarter: int
    ticks: Ticks  # (P,) increasing, from 0
    seconds: NDArray[np.float64]  # (P,)
    microseconds: NDArray[np.int64]  # (P,) a quarter note, from that point on
    signatures: tuple[tuple[int, int, int], ...]  # tick, beats, their unit: 3, 4 is 3/4
    fifths: int | None = None  # sharps or (below 0) flats

    def ticks_at(self, seconds: NDArray[np.float64]) -> Ticks:
        """(N,) nearest ticks of seconds (N,); what lies before 0 is at 0."""
        seconds = np.maximum(seconds, 0)
        point = np.searchsorted(self.seconds, seconds, side="right") - 1
        a_second = self.ticks_a_quarter * 1e6 / self.microseconds[point]
        # Rounded, never cut off: int() would begin every note half a tick early on average.
        return np.rint(self.ticks[point] + (seconds - self.seconds[point]) * a_second).astype(np.int64)

    def append_to(self, track: "mido.MidiTrack") -> None:
        """Write metre, key and tempo into a track, each only where it changes."""
        import mido

        events: list[tuple[int, int, mido.MetaMessage]] = []
        for tick, upper, lower in self.signatures:
            message = mido.MetaMessage("time_signature", numerator=upper, denominator=lower)
            events.append((tick, 1, message))
        if self.fifths is not None:
            events.append((0, 2, mido.MetaMessage("key_signature", key=SIGNATURES[self.fifths + 7])))
        before = 0
        for tick, tempo in zip(self.ticks.tolist(), self.microseconds.tolist(), strict=True):
            if tempo != before:
                events.append((tick, 0, mido.MetaMessage("set_tempo", tempo=tempo)))
            before = tempo
        now = 0
        for tick, _, message in sorted(events, key=lambda event: event[:2]):
            track.append(message.copy(time=tick - now))
            now = tick


def constant_tempo(microseconds: int) -> TempoMap:
    """A tempo in microseconds a quarter note, in 4/4."""
    ticks = _ticks_a_quarter(microseconds / 1e6)
    zero = np.zeros(1, dtype=np.int64)
    return TempoMap(ticks, zero, np.zeros(1), np.array([microseconds]), ((0, 4, 4),))


def tempo_of_beats(beats: Beats) -> TempoMap:
    """A map in which each beat is a quarter note, or a dotted one if it is three thirds; tick 0 is second 0.

    From 0 to the first beat there are as many quarters as it lasts at the usual tempo, in a bar of their own
    or several (`_lead_in`); beats before the first downbeat make one too. A bar gets a signature where its
    number of beats changes.

    Raises:
        NotebeamError: beats farther apart than a MIDI file can say.
    """
    quarters_a_beat = 1.5 if beats.division == 3 else 1.0
    times = beats.times[beats.times >= FASTEST_QUARTER]
    if not len(times):
        raise NotebeamError("beats", f"the last at {beats.times[-1]:g} s", "some after the file's beginning")
    dropped = len(beats) - len(times)  # beats at 0: the file begins with the last of them
    usual = float(np.median(np.diff(beats.times))) / quarters_a_beat
    lead = 0
    if not dropped:
        lead = max(1, round(times[0] / usual), math.ceil(times[0] / SLOWEST_QUARTER))
    lengths = np.full(len(times), quarters_a_beat)  # quarters of the stretch before each beat
    if lead:
        lengths[0] = lead
    if lead > LONGEST_LEAD:
        # A tempo's rounding counts once a quarter: the last one alone takes back that of all the others.
        times, lengths = np.append(times[0] * (lead - 1) / lead, times), np.append(lead - 1, lengths)
        lengths[1] = 1
    slowest = float((np.diff(times, prepend=0.0) / lengths).max(initial=0.0))
    ticks_a_quarter = _ticks_a_quarter(slowest)
    if slowest > SLOWEST_QUARTER or ticks_a_quarter > MOST_TICKS:
        got, expected = f"{slowest:.1f} s a quarter note", f"at most {SLOWEST_QUARTER:g} s from beat to beat"
        raise NotebeamError("beats", got, f"{expected}, for a MIDI file")
    ticks = np.append(0, np.cumsum(lengths * ticks_a_quarter)).astype(np.int64)
    seconds, tempi = _tempi(times, lengths)
    bars = _signatures(beats, dropped, lead, ticks, ticks_a_quarter)
    return TempoMap(ticks_a_quarter, ticks, seconds, tempi, bars, beats.fifths)


def _ticks_a_quarter(slowest: float) -> int:
    """The usual 480, unless a quarter lasts so many seconds that a tick would be too coarse."""
    return TICKS * math.ceil(TICKS_PER_SECOND * slowest / TICKS)


def _tempi(
    times: NDArray[np.float64], lengths: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Seconds (P,) from 0 at which tempi (P,), whole microseconds a quarter, begin; the last one goes on.

    Each stretch takes back what the roundings before it lost, so that no beat is off by more than its own.
    """
    now, seconds, tempi = 0.0, [0.0], []
    for time, quarters in zip(times.tolist(), lengths.tolist(), strict=True):
        tempi.append(max(1, round((time - now) / quarters * 1e6)))
        now += tempi[-1] * quarters / 1e6
        seconds.append(now)
    return np.array(seconds), np.array([*tempi, tempi[-1]], dtype=np.int64)


def _signatures(
    beats: Beats, dropped: int, lead: int, ticks: Ticks, ticks_a_quarter: int
) -> tuple[tuple[int, int, int], ...]:
    """Time signatures, each only where it changes."""
    kept = beats.downbeat[max(0, dropped - 1) :]  # the last of the beats at 0 is the file's first
    lower, factor = (8, 3) if beats.division == 3 else (4, 1)
    first = np.flatnonzero(kept)
    begins = first.tolist() if len(first) and first[0] == 0 else [0, *first.tolist()]
    counts = np.diff([*begins, len(kept)]).tolist()
    usual = beats.beats_a_bar
    if len(counts) == 1 or counts[-1] < usual:  # cut by the end, or no bar at all
        counts[-1] = usual if len(counts) == 1 else counts[-2]
    offset = len(ticks) - len(kept)  # points of the map before the first beat
    found = _lead_in(lead, ticks_a_quarter)
    for begin, count in zip(begins, counts, strict=True):
        if count > LONGEST_BAR:
            raise NotebeamError("beats", f"a bar of {count} beats", f"{LONGEST_BAR} at most, for a MIDI file")
        signature = (int(ticks[begin + offset]), count * factor, lower)
        if not found or signature[1:] != found[-1][1:]:
            found.append(signature)
    return tuple(found)


def _lead_in(lead: int, ticks_a_quarter: int) -> list[tuple[int, int, int]]:
    """Time signatures of the quarters before the music: one bar; of many, what 4 leaves over, then 4/4."""
    if not lead:
        return []
    if lead <= LONGEST_LEAD:
        return [(0, lead, 4)]
    rest = lead % 4
    return [*([(0, rest, 4)] if rest else []), (rest * ticks_a_quarter, 4, 4)]
