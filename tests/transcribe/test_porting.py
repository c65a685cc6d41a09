"""docs/porting.md read to the letter: a port of it in plain Python gives the notes of the reference file."""

import json
from math import floor
from typing import Any

import pytest
from pages import TREE

from tools import porting_reference

REFERENCE = json.loads((TREE / "docs" / "porting.json").read_text(encoding="utf-8"))
Plane = list[float]


def ported(key: int, planes: dict[str, Plane], o: dict[str, float]) -> list[dict[str, Any]]:
    """Notes of one key, sentence by sentence of the page."""
    strokes = strokes_of(planes["onset"], o["hop"])
    notes: list[dict[str, Any]] = []
    for frame, time, value in strokes:
        if value <= o["threshold"]:
            continue
        onset = max(0.0, time + o["onset_shift"])
        end = end_of(frame, planes["frame"], planes["offset"], o)
        offset = time + o["shortest"] if end is None else end * o["hop"]
        velocity = min(127, max(1, round(127 * planes["velocity"][frame])))
        offset = max(offset, onset + o["shortest"])
        one = {"onset": onset, "offset": offset, "pitch": 21 + key, "velocity": velocity, "confidence": value}
        notes.append(one)
    for note, following in zip(notes, notes[1:], strict=False):
        note["offset"] = min(note["offset"], following["onset"])
    return [note for note in notes if note["offset"] > note["onset"]]


def strokes_of(onset: Plane, hop: float) -> list[tuple[int, float, float]]:
    """(frame, seconds, value) of the peaks, one for each step at most."""
    count = len(onset)

    def at(frame: int) -> float:
        return onset[frame] if 0 <= frame < count else -1.0

    last_step = floor((count - 1) * hop / 0.04 + 0.5)
    by_step: dict[int, tuple[int, float, float]] = {}
    a = 0
    while a < count:
        b = a
        while at(b + 1) == onset[a]:
            b += 1
        value = onset[a]
        before, after = max(at(a - 1), at(a - 2)), max(at(b + 1), at(b + 2))
        if value > 0 and value > before and value >= after:
            f = (a + b) // 2
            low = high = f
            while 0 < low and low > f - 3 and onset[low - 1] <= onset[low]:
                low -= 1
            while high < min(count - 1, f + 3) and onset[high + 1] <= onset[high]:
                high += 1
            around = range(low, high + 1)
            time = hop * sum(g * onset[g] for g in around) / sum(onset[g] for g in around)
            steps = [k for k in range(last_step + 2) if abs(time - 0.04 * k) <= 0.02 + 1e-6]
            step = steps[0]
            if step <= last_step and (step not in by_step or value > by_step[step][2]):
                by_step[step] = (f, time, value)
        a = b + 1
    return [by_step[step] for step in sorted(by_step)]


def end_of(f: int, level: Plane, offset: Plane, o: dict[str, float]) -> float | None:
    """In frames; None: it never lit up."""
    count, low = len(level), o["frame_threshold"]
    s = next((g for g in range(f, count) if level[g] >= low), None)
    if s is None or (s - f) * o["hop"] > o["lead"]:
        return None
    j = next(j for j in range(s + 1, count + 1) if all(level[g] < low for g in (j, j + 1) if g < count))
    end = count - 0.5
    if j < count:
        end = j - 1 + min(1.0, max(0.0, (level[j - 1] - low) / (level[j - 1] - level[j])))
    for g in range(s + 1, count):
        left, right = (offset[g - 1] if g else 0.0), (offset[g + 1] if g + 1 < count else 0.0)
        falls = level[min(g + 1, count - 1)] < level[max(g - 1, 0)]
        if offset[g] >= o["offset_threshold"] and offset[g] >= left and offset[g] > right and falls:
            return float(min(end, g))
    return end


def test_the_page_gives_the_notes_of_the_reference_file() -> None:
    planes = REFERENCE["planes"]
    found = [n for key in planes for n in ported(int(key), planes[key], REFERENCE["options"])]
    found.sort(key=lambda note: (note["onset"], note["pitch"]))
    expected = sorted(REFERENCE["notes"], key=lambda note: (note["onset"], note["pitch"]))
    assert len(found) == len(expected) > 10
    for one, other in zip(found, expected, strict=True):
        # Planes are float32 in the one and doubles in the other.
        assert one == pytest.approx(other, abs=1e-5)


def test_the_reference_file_is_what_the_command_makes() -> None:
    made = porting_reference.as_text(porting_reference.reference())
    assert json.loads(made)["planes"] == REFERENCE["planes"]
    assert json.loads(made)["options"] == REFERENCE["options"]
    for one, other in zip(json.loads(made)["notes"], REFERENCE["notes"], strict=True):
        assert one == pytest.approx(other, abs=1e-6)
