"""Note values: a stretch of ticks as notes or rests, tied where one does not suffice."""

from dataclasses import dataclass

from symbolic.score.bars import QUARTER, Bar

TYPES = {96: "whole", 48: "half", 24: "quarter", 12: "eighth", 6: "16th", 3: "32nd"}
DOTTED = {ticks * 3 // 2: name for ticks, name in TYPES.items() if ticks % 2 == 0}
THIRDS = {ticks * 2 // 3: name for ticks, name in TYPES.items() if ticks in (24, 12, 6)}


@dataclass(frozen=True)
class Value:
    """One written note or rest."""

    start: int  # ticks
    stop: int  # ticks
    kind: str  # "whole" .. "32nd"; empty: a rest of a bar
    dots: int = 0
    is_third: bool = False  # of a triplet


def values_of(start: int, stop: int, bar: Bar, thirds: "set[int]", *, rest: bool = False) -> list[Value]:
    """The fewest readable values from tick to tick inside a bar.

    Args:
        thirds: ticks at which beats begin that are triplets in this voice.
        rest: rests show each beat, except where they fill the bar.
    """
    if rest and (start, stop) == (bar.start, bar.stop):
        return [Value(start, stop, "")]
    found: list[Value] = []
    while start < stop:
        value = next(
            value for end in range(stop, start, -1) if (value := _single(start, end, bar, thirds, rest=rest))
        )
        found.append(value)
        start = value.stop
    return found


def _single(start: int, stop: int, bar: Bar, thirds: "set[int]", *, rest: bool) -> Value | None:
    """One value for the stretch, if one can be read there."""
    beat = 36 if bar.unit == 8 else QUARTER
    length, place = stop - start, (start - bar.start) % beat
    beat_start = start - place
    if beat == QUARTER and (beat_start in thirds or stop - 1 - (stop - 1 - bar.start) % beat in thirds):
        within = stop <= beat_start + beat
        if beat_start in thirds and within and length in THIRDS:
            return Value(start, stop, THIRDS[length], is_third=True)
        whole_beats = place == 0 and (stop - bar.start) % beat == 0
        if not whole_beats:
            return None
    if length in TYPES:
        kind, dots = TYPES[length], 0
    elif length in DOTTED:
        kind, dots = DOTTED[length], 1
    else:
        return None
    return Value(start, stop, kind, dots) if _readable(start, stop, dots, bar, beat, rest=rest) else None


def _readable(start: int, stop: int, dots: int, bar: Bar, beat: int, *, rest: bool) -> bool:
    """Whether a value shows the beats that it crosses."""
    length, place = stop - start, (start - bar.start) % beat
    if place + length <= beat:
        return _readable_in_beat(place, length, dots, beat, rest=rest)
    if rest:
        # Two beats in the half of a bar of four, never across its middle.
        return place == 0 and length == 2 * beat and (start - bar.start) % (2 * beat) == 0 and not dots
    if place == 0:
        return True
    # A syncopation: half a beat off, for a whole one.
    return not dots and beat == QUARTER and place == beat // 2 and length == beat


def _readable_in_beat(place: int, length: int, dots: int, beat: int, *, rest: bool) -> bool:
    if dots and beat == 36 and length >= 18:  # the beat, or a half of it: a duplet
        return place % length == 0
    if dots:  # before or after the part that fills it up to a plain value
        part = length // 3
        return place % (4 * part) == 0 or (place % (4 * part) == part and not rest)
    if place % (length // 2 if beat == 36 and length == 24 else length) == 0:
        return True
    return not rest and length % 2 == 0 and place % (length // 2) == 0  # a syncopation
