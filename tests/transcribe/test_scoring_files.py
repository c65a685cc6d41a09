"""Scores of files: formats, the pedal as asked for, the command on files, folders and bad input."""

import json
import subprocess
import sys
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from symbolic.drums import Strokes, write_drums
from symbolic.errors import NotebeamError
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes, read_csv, write_csv, write_tsv
from transcribe.scoring import Scores, mean, read_notes, score
from transcribe.scoring.__main__ import main

# The first note sounds on by the pedal for a second after its key; onsets and ends are exact in every format.
PLAYED = Notes.make(
    onset=[0.0, 1.0, 2.0, 2.5],
    offset=[1.5, 1.5, 2.25, 3.0],
    pitch=[60, 64, 67, 72],
    velocity=[40, 60, 80, 100],
    key_offset=[0.5, 1.5, 2.25, 3.0],
)
ESTIMATE = Notes.make(
    onset=[0.0, 1.02, 2.5], offset=[1.5, 1.5, 2.7], pitch=[60, 64, 72], velocity=[45, 60, 100]
)


def without_keys(notes: Notes) -> Notes:
    return Notes.make(notes.onset, notes.offset, notes.pitch, notes.velocity)


def test_a_file_of_any_format_scores_as_the_notes_do(tmp_path: Path) -> None:
    expected = score(without_keys(PLAYED), ESTIMATE)
    assert (expected.onset_precision, expected.onset_recall) == (1.0, 3 / 4)
    write_midi(tmp_path / "played.mid", PLAYED, pedal=True)
    write_tsv(tmp_path / "played.tsv", PLAYED)
    write_csv(tmp_path / "played.csv", PLAYED)
    write_csv(tmp_path / "estimate.csv", ESTIMATE)
    for name in ("played.mid", "played.tsv", "played.csv"):
        # MIDI rounds times to half a millisecond, which moves a score of frames a little.
        assert astuple(score(tmp_path / name, str(tmp_path / "estimate.csv"))) == pytest.approx(
            astuple(expected), abs=5e-3
        )


def test_the_pedal_decides_where_notes_end(tmp_path: Path) -> None:
    write_midi(tmp_path / "played.mid", PLAYED, pedal=True)
    keys = Notes.make(PLAYED.onset, PLAYED.key_offset, PLAYED.pitch, PLAYED.velocity)
    write_midi(tmp_path / "keys.mid", keys)
    assert score(tmp_path / "played.mid", tmp_path / "keys.mid", pedal="keys").onset_offset_f1 == 1.0
    # The first note is half a second long by its key and one and a half by its sound.
    assert score(tmp_path / "played.mid", tmp_path / "keys.mid").onset_offset_f1 == 3 / 4
    write_tsv(tmp_path / "played.tsv", PLAYED)
    assert score(tmp_path / "played.tsv", tmp_path / "keys.mid", pedal="keys").onset_offset_f1 == 1.0
    write_csv(tmp_path / "played.csv", PLAYED)
    with pytest.raises(NotebeamError, match=r"played\.csv: got 'no releases of keys"):
        score(tmp_path / "played.csv", tmp_path / "keys.mid", pedal="keys")
    with pytest.raises(NotebeamError, match=r"score\(pedal\): got 'ignore'"):
        score(PLAYED, PLAYED, pedal="ignore")  # type: ignore[arg-type]


def test_a_csv_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    sure = Notes.make(
        ESTIMATE.onset, ESTIMATE.offset, ESTIMATE.pitch, ESTIMATE.velocity, confidence=[0.25, 0.5, 1.0]
    )
    for notes in (ESTIMATE, sure, Notes.empty()):
        write_csv(tmp_path / "notes.csv", notes)
        again = read_csv(tmp_path / "notes.csv")
        for name in ("onset", "offset", "pitch", "velocity"):
            assert np.array_equal(getattr(again, name), getattr(notes, name))
    write_csv(tmp_path / "notes.csv", sure)
    found = read_csv(tmp_path / "notes.csv").confidence
    assert found is not None and found.tolist() == [0.25, 0.5, 1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1: got \[\], expected a header with the column 'start_time_s'"),
        ("start_time_s,end_time_s,pitch_midi,velocity\n0,1,60\n", "line 2: got '0,1,60', expected 4 cells"),
        ("start_time_s,end_time_s,pitch_midi,velocity\n0,1,x,9\n", "line 2 pitch_midi: got 'x'"),
        ("start_time_s,end_time_s,pitch_midi,velocity\n0,1,60,9\n2,1,60,9\n", "line 3 offset: got 1.0"),
        ("start_time_s,end_time_s,pitch_midi,velocity\n-1,1,60,9\n", "line 2 start_time_s: got -1.0"),
    ],
)
def test_a_damaged_csv_table_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "notes.csv").write_text(text)
    with pytest.raises(NotebeamError, match=message):
        read_notes(tmp_path / "notes.csv")


def test_columns_of_other_programs_are_not_read(tmp_path: Path) -> None:
    text = "start_time_s,end_time_s,pitch_midi,velocity,pitch_bend\n0.5,1,60,9,0,1,2\n"
    (tmp_path / "notes.csv").write_text(text)
    assert read_csv(tmp_path / "notes.csv").onset.tolist() == [0.5]


def test_the_mean_is_over_recordings() -> None:
    low, high = (Scores(**dict.fromkeys(Scores.__annotations__, value)) for value in (0.25, 0.75))
    assert set(asdict(mean([low, high])).values()) == {0.5}
    with pytest.raises(NotebeamError, match="no scores"):
        mean([])


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "transcribe.scoring", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_prints_a_table_of_two_files(tmp_path: Path) -> None:
    write_tsv(tmp_path / "played.tsv", PLAYED)
    write_csv(tmp_path / "estimate.csv", ESTIMATE)
    done = run(tmp_path / "played.tsv", tmp_path / "estimate.csv")
    assert (done.returncode, done.stderr) == (0, "")
    header, row, note = done.stdout.splitlines()
    assert header.split()[:3] == ["file", "onset", "P"]
    assert row.split()[:4] == ["estimate.csv", "1.000", "0.750", "0.857"]
    assert note == "1 recording; notes end with their sound (sustain pedal included)"


def folders(tmp_path: Path) -> tuple[Path, Path]:
    reference, estimate = tmp_path / "reference", tmp_path / "estimate"
    for folder in (reference, estimate):
        (folder / "part").mkdir(parents=True)
    write_tsv(reference / "a.tsv", PLAYED)
    write_midi(reference / "part" / "b.v2.mid", PLAYED)
    write_midi(estimate / "a.mid", ESTIMATE)
    write_csv(estimate / "part" / "b.v2.csv", PLAYED)
    return reference, estimate


def test_folders_are_scored_file_by_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference, estimate = folders(tmp_path)
    assert main([str(reference), str(estimate), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pedal"] == "extend"
    assert [row["file"] for row in found["files"]] == ["a", "part/b.v2"]
    assert [row["onset_recall"] for row in found["files"]] == [3 / 4, 1.0]
    assert found["mean"]["onset_recall"] == 7 / 8
    assert main([str(reference), str(estimate)]) == 0
    assert "mean" in capsys.readouterr().out


def test_nothing_is_left_out_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference, estimate = folders(tmp_path)
    write_tsv(reference / "missing.tsv", PLAYED)
    write_tsv(estimate / "extra.tsv", PLAYED)
    (estimate / "a.mid").write_bytes(b"no MIDI")
    assert main([str(reference), str(estimate), "--json"]) == 1
    printed = capsys.readouterr()
    assert [row["file"] for row in json.loads(printed.out)["files"]] == ["part/b.v2"]
    lines = printed.err.splitlines()
    assert len(lines) == 4
    assert lines[0].endswith(f"extra.tsv: no reference named extra in {reference}")
    assert lines[1].endswith(f"missing.tsv: no estimate named missing in {estimate}")
    assert "a.mid: got b'no M'" in lines[2]
    assert lines[3] == "scoring: 3 not scored, the mean is without them"


def test_a_name_with_a_line_break_is_one_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "two\nlines.tsv"
    write_tsv(path, PLAYED)
    assert main([str(path), str(path)]) == 0
    header, row, _ = capsys.readouterr().out.splitlines()
    assert row.startswith("two\\nlines.tsv  ") and len(row) == len(header)


def test_links_are_followed_and_those_to_nothing_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in folders(tmp_path):
        (folder / "part").rename(tmp_path / f"{folder.name} elsewhere")
        (folder / "part").symlink_to(tmp_path / f"{folder.name} elsewhere")
        (folder / "gone.mid").symlink_to("nothing.mid")
        (folder / "._a.mid").touch()  # macOS leaves it beside a.mid on foreign disks
    assert main([str(tmp_path / "reference"), str(tmp_path / "estimate"), "--json"]) == 1
    printed = capsys.readouterr()
    assert [row["file"] for row in json.loads(printed.out)["files"]] == ["a", "part/b.v2"]
    assert printed.err.splitlines()[:2] == [
        f"scoring: {tmp_path / name / 'gone.mid'}: got 'a link to nothing', expected a file of notes"
        for name in ("estimate", "reference")
    ]


def test_a_reference_without_notes_of_a_piano_is_a_notice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference, estimate = folders(tmp_path)
    for name in ("drums", "nothing"):
        write_csv(estimate / f"{name}.csv", ESTIMATE)
    write_drums(reference / "drums.mid", Strokes(np.array([0.0]), np.array([36]), np.array([90])))
    write_tsv(reference / "nothing.tsv", Notes.empty())
    write_csv(estimate / "part" / "b.v2.csv", Notes.empty())  # a transcription that found none is no notice
    assert main([str(reference), str(estimate)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"scoring: notice: {reference / name}: no notes of a piano (drums are none); its scores are 0"
        for name in ("drums.mid", "nothing.tsv")
    ]


@pytest.mark.parametrize(
    "error", [MemoryError("Unable to allocate 149. GiB"), RuntimeError("can't allocate memory")]
)
def test_a_pair_that_memory_has_no_room_for_is_one_line_that_names_it(
    error: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, estimate = folders(tmp_path)

    def refused(first: Path, second: Path, *, pedal: Literal["extend", "keys"]) -> Scores:
        if second.stem == "a":
            raise error
        return score(first, second, pedal=pedal)

    monkeypatch.setattr("transcribe.scoring.__main__.score", refused)
    assert main([str(reference), str(estimate), "--json"]) == 1
    printed = capsys.readouterr()
    assert [row["file"] for row in json.loads(printed.out)["files"]] == ["part/b.v2"]
    expected = f"scoring: {estimate / 'a.mid'}: not enough memory to compare it with {reference / 'a.tsv'}"
    assert printed.err.splitlines()[0] == expected


def test_what_cannot_be_paired_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference, estimate = folders(tmp_path)
    write_tsv(estimate / "a.tsv", PLAYED)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.wav").touch()
    for words, message in (
        ((reference, reference / "a.tsv"), "expected two files or two folders"),
        ((reference, estimate), "a.tsv: got 'beside a.mid', expected one file of each name"),
        ((tmp_path / "empty", reference), "empty: got 'no notes in it'"),
        ((tmp_path / "none.mid", reference), "none.mid: got 'no such file'"),
        ((reference / "a.tsv", tmp_path / "notes.wav"), "notes.wav: got '.wav', expected a file of .mid"),
    ):
        assert main([str(word) for word in words]) == 1
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.count("\n") == 1 and message in printed.err


def test_help_needs_no_torch() -> None:
    program = "import sys; from transcribe.scoring.__main__ import build_parser; build_parser(); "
    program += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ESTIMATE)
    words = [sys.executable, "-m", "transcribe.scoring", tmp_path / "a.csv", tmp_path / "a.csv"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert errors == b""
