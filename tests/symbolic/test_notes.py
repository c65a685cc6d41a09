"""Notes: order, refusals, changes, tables."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbolic.errors import NotebeamError
from symbolic.notes import Notes, read_tsv, write_csv, write_tsv

GOOD: dict[str, list[Any]] = {
    "onset": [0.0, 1.0, 2.0],
    "offset": [1.0, 2.0, 3.0],
    "pitch": [60, 62, 64],
    "velocity": [1, 64, 127],
}


def test_notes_are_sorted_by_onset_then_pitch_with_all_columns() -> None:
    notes = Notes.make([1, 0, 0], [2, 3, 4], [60, 72, 48], [10, 20, 30], [0.1, 0.2, 0.3])
    assert notes.onset.tolist() == [0, 0, 1] and notes.offset.tolist() == [4, 3, 2]
    assert notes.pitch.tolist() == [48, 72, 60] and notes.velocity.tolist() == [30, 20, 10]
    assert notes.confidence is not None and notes.confidence.tolist() == np.float32([0.3, 0.2, 0.1]).tolist()
    assert (notes.onset.dtype, notes.pitch.dtype, notes.confidence.dtype) == (
        np.float64,
        np.int64,
        np.float32,
    )


def test_notes_cannot_be_changed_and_do_not_follow_their_source() -> None:
    onset = np.array([0.0])
    notes = Notes.make(onset, [1.0], [60], [64])
    with pytest.raises(ValueError, match="read-only"):
        notes.onset[0] = 1.0
    onset[0] = 0.5
    assert notes.onset[0] == 0.0


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("onset", float("nan"), r"notes row 1 onset: got nan, expected finite seconds"),
        ("onset", float("inf"), r"notes row 1 onset: got inf"),
        ("offset", 1.0, r"notes row 1 offset: got 1\.0, expected finite seconds after the onset"),
        ("offset", float("inf"), r"notes row 1 offset: got inf"),
        ("pitch", 20, r"notes row 1 pitch: got 20\.0, expected a MIDI pitch 21\.\.108"),
        ("pitch", 109, r"notes row 1 pitch: got 109"),
        ("pitch", 60.5, r"notes row 1 pitch: got 60\.5"),
        ("velocity", 0, r"notes row 1 velocity: got 0\.0, expected a whole number 1\.\.127"),
        ("velocity", 128, r"notes row 1 velocity: got 128"),
        ("confidence", 1.5, r"notes row 1 confidence: got 1\.5"),
        ("confidence", float("nan"), r"notes row 1 confidence: got nan"),
    ],
)
def test_a_bad_value_is_refused_with_its_row(column: str, value: float, message: str) -> None:
    columns = {key: list(values) for key, values in GOOD.items()} | {"confidence": [0.5, 0.5, 0.5]}
    columns[column][1] = value
    with pytest.raises(NotebeamError, match=message):
        Notes.make(**columns)


def test_columns_of_other_lengths_shapes_and_kinds_are_refused() -> None:
    with pytest.raises(NotebeamError, match=r"here\.pitch: got \(2,\), expected shape \(3,\) of onset"):
        Notes.make(**(GOOD | {"pitch": [60, 61]}), place="here")
    with pytest.raises(NotebeamError, match=r"notes\.onset: got \(1, 3\)"):
        Notes.make(**(GOOD | {"onset": [[0, 1, 2]]}))
    with pytest.raises(NotebeamError, match=r"notes\.velocity: got 'list of 3', expected a column"):
        Notes.make(**(GOOD | {"velocity": ["loud", "soft", "soft"]}))


def test_cut_keeps_notes_struck_inside_and_ends_them_at_the_stop() -> None:
    notes = Notes.make(**GOOD).cut(1.0, 2.0)
    assert (notes.onset.tolist(), notes.offset.tolist(), notes.pitch.tolist()) == ([1.0], [2.0], [62])
    assert Notes.make([0.0], [9.0], [60], [1]).cut(0, 2.5).offset.tolist() == [2.5]


def test_shifted_and_transposed_move_everything() -> None:
    notes = Notes.make(**GOOD, confidence=[0, 0.5, 1]).shifted(0.25).transposed(-12)
    assert notes.onset.tolist() == [0.25, 1.25, 2.25] and notes.offset.tolist() == [1.25, 2.25, 3.25]
    assert notes.pitch.tolist() == [48, 50, 52]
    assert notes.confidence is not None and notes.confidence.tolist() == [0, 0.5, 1]
    with pytest.raises(NotebeamError, match=r"row 2 pitch: got 109"):
        Notes.make(**GOOD).transposed(45)


def test_empty_notes_pass_everywhere() -> None:
    empty = Notes.empty()
    assert len(empty) == len(empty.cut(0, 1)) == len(empty.shifted(1)) == len(empty.transposed(1)) == 0


HEADER = "onset\toffset\tkey_offset\tpitch\tvelocity\n"


def test_a_table_has_two_kinds_of_offset(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(HEADER + "0.5220\t6.7070\t6.7020\t62\t74\n1.3800\t5.7440\t2.2400\t61\t69\n")
    notes = read_tsv(path)
    assert notes.onset.tolist() == [0.522, 1.38] and notes.offset.tolist() == [6.707, 5.744]
    assert notes.pitch.tolist() == [62, 61] and notes.velocity.tolist() == [74, 69]
    assert notes.key_offset is not None and notes.key_offset.tolist() == [6.702, 2.24]
    moved = notes.cut(0.5, 3.0).shifted(1.0)
    assert moved.key_offset is not None and moved.key_offset.tolist() == [4.0, 3.24]
    path.write_text("onset\toffset\tpitch\tvelocity\n0\t1\t60\t64\n")
    assert read_tsv(path).key_offset is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1: got \[\], expected a header with the column 'onset'"),
        ("onset\toffset\tpitch\n", r"line 1: .* 'velocity'"),
        (HEADER + "0\t1\t1\t60\t64\n0\t1\n", r"line 3: .*expected 5 cells"),
        (HEADER + "0\tsoon\t1\t60\t64\n", r"line 2 offset: got 'soon', expected a number"),
        (
            HEADER + "0\t1\t1\t60\t64\n2\t1\t1\t60\t64\n",
            r"line 3 offset: got 1\.0, expected .*after the onset",
        ),
        (HEADER + "0\t1\t1\t200\t64\n", r"line 2 pitch: got 200"),
        (HEADER + "nan\t1\t1\t60\t64\n", r"line 2 onset: got nan"),
        (HEADER + "-0.1\t1\t1\t60\t64\n", r"line 2 onset: got -0\.1, expected seconds >= 0"),
        (HEADER + "1\t2\t0.5\t60\t64\n", r"line 2 key_offset: got 0\.5, expected .*after the onset"),
    ],
)
def test_a_damaged_table_is_refused_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "damaged.tsv"
    path.write_text(text)
    with pytest.raises(NotebeamError, match=r"damaged\.tsv " + message):
        read_tsv(path)


def test_a_table_of_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"RIFF\xff\xfe\x00")
    with pytest.raises(NotebeamError, match=r"a\.tsv: got .*not text"):
        read_tsv(tmp_path / "a.tsv")


def test_the_csv_is_what_the_readme_of_formats_says(tmp_path: Path) -> None:
    notes = Notes.make([0.5, 0.25], [1, 2], [60, 61], [64, 65], [0.75, 1])
    write_csv(tmp_path / "a.csv", notes)
    assert (tmp_path / "a.csv").read_text() == (
        "start_time_s,end_time_s,pitch_midi,velocity,confidence\n"
        "0.2500,2.0000,61,65,1.0000\n"
        "0.5000,1.0000,60,64,0.7500\n"
    )
    write_csv(tmp_path / "b.csv", Notes.make([0.5], [1], [60], [64]))
    assert (tmp_path / "b.csv").read_text().splitlines()[1] == "0.5000,1.0000,60,64,"


def test_a_table_that_is_written_is_read_back(tmp_path: Path) -> None:
    notes = Notes.make([0.1234, 1.0], [0.5, 2.5], [60, 108], [1, 127])
    write_tsv(tmp_path / "notes.tsv", notes)
    found = read_tsv(tmp_path / "notes.tsv")
    assert found.onset.tolist() == [0.1234, 1.0] and found.offset.tolist() == [0.5, 2.5]
    assert found.pitch.tolist() == [60, 108] and found.velocity.tolist() == [1, 127]
    assert found.key_offset is not None and found.key_offset.tolist() == [0.5, 2.5]


def test_the_shortest_notes_survive_a_table(tmp_path: Path) -> None:
    onset = np.arange(2000) * 0.05005 + 0.00005
    notes = Notes.make(onset, onset + 1e-5, [60] * 2000, [64] * 2000, key_offset=onset + 1e-6)
    write_tsv(tmp_path / "notes.tsv", notes)
    assert len(read_tsv(tmp_path / "notes.tsv")) == 2000
