"""Beats: the type, and the text files they come in."""

from pathlib import Path

import numpy as np
import pytest

from symbolic.errors import NotebeamError
from symbolic.metre import Beats, check_inside, read_beats_file


def test_bars_are_counted_from_downbeat_to_downbeat() -> None:
    beats = Beats(np.arange(9.0), np.isin(np.arange(9), [1, 4, 7]))
    assert beats.bars == [(1, 3), (4, 3), (7, 2)]
    assert beats.beats_a_bar == 3
    assert beats.tempo == 60.0


def test_a_file_comes_back(tmp_path: Path) -> None:
    beats = Beats(np.array([0.5, 1.1, 1.62, 2.25]), np.array([False, True, False, True]))
    beats.save(tmp_path / "beats.txt")
    assert (tmp_path / "beats.txt").read_text().splitlines()[1] == "1.1000\t1"
    times, downbeat = read_beats_file(tmp_path / "beats.txt")
    assert times.tolist() == beats.times.tolist()
    assert downbeat is not None and downbeat.tolist() == beats.downbeat.tolist()


@pytest.mark.parametrize(
    ("text", "downbeat"),
    [
        ("# by ear\n0.5\n\n1.0 # slow\r\n1.5\n", None),
        ("0.5 1\n1.0 2\n1.5 1\n", [True, False, True]),
        ("0.5,2\n1.0,1\n1.5,2\n", [False, True, False]),
        ("0.5\t0.5\tdb,3/4,-2\n1.0\t1.0\tb\n1.5\t1.5\tb\n", [True, False, False]),
        ("0.5 1\n1.0\n1.5 1\n", [True, False, True]),  # it suffices to mark first beats
        ("0.5\n1.0 2\n1.5 3\n", None),
    ],
)
def test_the_forms_of_a_file(tmp_path: Path, text: str, downbeat: list[bool] | None) -> None:
    (tmp_path / "beats.txt").write_text(text)
    times, found = read_beats_file(tmp_path / "beats.txt")
    assert times.tolist() == [0.5, 1.0, 1.5]
    assert (None if found is None else found.tolist()) == downbeat


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", r"b\.txt: got '0 beats', expected two at least"),
        ("1.0\n", r"b\.txt: got '1 beats', expected two at least"),
        ("1.0\n0.5\n", r"b\.txt line 2: got '0\.5', expected a beat after the one before, 1 s"),
        ("1.0\n1.0\n", r"b\.txt line 2: got '1\.0', expected a beat after"),
        ("1.0\n1.01\n", r"b\.txt line 2: got '1\.01', expected 0\.05 to 16 s after"),
        ("1.0\n99\n", r"b\.txt line 2: got '99', expected 0\.05 to 16 s after"),
        ("1.0\nnan\n", r"b\.txt line 2: got 'nan', expected seconds >= 0"),
        ("-1.0\n1\n", r"b\.txt line 1: got '-1\.0', expected seconds >= 0"),
        ("one\n", r"b\.txt line 1: got 'one', expected a beat's time in seconds"),
        ("1.0 first\n2.0 2\n", r"b\.txt line 1: got 'first', expected a beat's number in the bar"),
    ],
)
def test_what_is_no_file_of_beats_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "b.txt").write_text(text)
    with pytest.raises(NotebeamError, match=line):
        read_beats_file(tmp_path / "b.txt")


def test_beats_outside_the_recording_are_refused() -> None:
    check_inside(np.array([0.0, 10.5]), 0.0, 10.0, "b.txt")
    with pytest.raises(NotebeamError, match=r"b\.txt: got 'a beat at 12 s', expected .* 0 to 10 s"):
        check_inside(np.array([1.0, 12.0]), 0.0, 10.0, "b.txt")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"times": np.array([1.0])}, r"Beats\.times"),
        ({"times": np.array([1.0, 1.0])}, r"Beats\.times\[1\]: got 1\.0"),
        ({"downbeat": np.array([True])}, r"Beats\.downbeat"),
        ({"division": 4}, r"Beats\.division: got 4, expected 2 or 3"),
        ({"fifths": 8}, r"Beats\.fifths: got 8"),
    ],
)
def test_wrong_beats_are_refused(change: dict[str, object], line: str) -> None:
    good = {"times": np.array([1.0, 2.0]), "downbeat": np.array([True, False])}
    with pytest.raises(NotebeamError, match=line):
        Beats(**{**good, **change})  # type: ignore[arg-type]
