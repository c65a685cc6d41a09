"""Which input becomes which file, and what is refused before any work."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from symbolic.errors import NotebeamError
from symbolic.posteriorgram import Posteriorgram
from transcribe.outputs import Wanted, plan


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_midi_lies_beside_its_input(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav")
    (job,) = plan([tmp_path / "a.wav"], Wanted()).jobs
    assert job.midi == tmp_path / "a.mid"
    assert job.outputs == (tmp_path / "a.mid",)


@pytest.mark.parametrize("name", ["out.mid", "out.MIDI"])
def test_one_input_and_a_midi_name_is_a_file(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "a.wav")
    (job,) = plan([tmp_path / "a.wav"], Wanted(midi=tmp_path / name, csv=tmp_path / "t.csv")).jobs
    assert (job.midi, job.csv) == (tmp_path / name, tmp_path / "t.csv")


def test_any_other_name_is_a_folder(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav")
    wanted = Wanted(midi=tmp_path / "out", picture=tmp_path / "pictures", posteriorgram=tmp_path / "p")
    (job,) = plan([tmp_path / "a.wav"], wanted).jobs
    assert job.midi == tmp_path / "out" / "a.mid"
    assert job.picture == tmp_path / "pictures" / "a.png"
    assert job.posteriorgram == tmp_path / "p" / "a.npz"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"midi": "waltz.musicxml"}, r"-o waltz\.musicxml: got 'another format', expected .* a name \.mid"),
        ({"midi": "notes.TXT"}, r"-o notes\.TXT: got 'another format'"),
        ({"picture": "notes.jpg"}, r"--picture notes\.jpg: got 'another format', .* a name \.png"),
        ({"score": "waltz.pdf"}, r"--score waltz\.pdf: got 'another format', .* a name \.musicxml"),
        ({"sound": "both.mp3"}, r"--sonify both\.mp3: got 'another format', .* a name \.wav"),
    ],
)
def test_a_files_name_of_another_format_makes_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path / "a.wav")
    paths = {name: Path(path) for name, path in wanted.items()}
    with pytest.raises(NotebeamError, match=message):
        plan([Path("a.wav")], Wanted(**paths))
    for path in paths.values():  # a folder that is there is one, whatever its name
        path.mkdir()
    assert len(plan([Path("a.wav")], Wanted(**paths)).jobs) == 1


def test_folders_are_walked_and_keep_their_subfolders(tmp_path: Path) -> None:
    music = tmp_path / "music"
    touch(
        music / "b.flac",
        music / "one" / "a.MP3",
        music / "notes.txt",
        music / "._b.wav",
        music / ".git" / "c.wav",
    )
    jobs = plan([music], Wanted(midi=tmp_path / "out")).jobs
    assert [job.source.relative_to(music).as_posix() for job in jobs] == ["b.flac", "one/a.MP3"]
    assert [job.midi.relative_to(tmp_path).as_posix() for job in jobs] == ["out/b.mid", "out/one/a.mid"]


@pytest.mark.parametrize(
    ("name", "midi"),
    [
        ("op. 10 no. 3.wav", "op. 10 no. 3.mid"),
        ("Op.9 No.2", "Op.9 No.2.mid"),
        ("take.v3", "take.v3.mid"),
        ("1986.12.24.FLAC", "1986.12.24.mid"),
        ("heard.npz", "heard.mid"),
    ],
)
def test_a_name_keeps_its_dots_and_loses_the_suffix_of_a_format(tmp_path: Path, name: str, midi: str) -> None:
    touch(tmp_path / name)
    (job,) = plan([tmp_path / name], Wanted(csv=tmp_path / "tables")).jobs
    assert job.midi.name == midi
    assert job.csv is not None and job.csv.name == midi.replace(".mid", ".csv")


def test_inputs_that_differ_by_their_suffix_keep_it(tmp_path: Path) -> None:
    names = ("a.wav", "a.mp3", "b.wav")
    touch(*(tmp_path / name for name in names))
    for inputs in ([tmp_path / name for name in names], [tmp_path]):
        found = plan(inputs, Wanted(csv=tmp_path / "out"))
        assert not found.failures
        assert {job.source.name: job.midi.name for job in found.jobs} == {
            "a.wav": "a.wav.mid",
            "a.mp3": "a.mp3.mid",
            "b.wav": "b.mid",
        }
        assert {job.csv for job in found.jobs} == {
            tmp_path / "out" / name for name in ("a.wav.csv", "a.mp3.csv", "b.csv")
        }


def test_two_inputs_for_one_name_are_refused(tmp_path: Path) -> None:
    touch(tmp_path / "one" / "a.wav", tmp_path / "two" / "a.wav", tmp_path / "b.wav")
    names = ("one/a.wav", "two/a.wav", "b.wav")
    found = plan([tmp_path / name for name in names], Wanted(midi=tmp_path / "out"))
    assert [job.source.name for job in found.jobs] == ["b.wav"]
    assert len(found.failures) == 2
    for failure in found.failures:
        assert re.search(r"a\.wav\.mid: got '.*one/a\.wav and .*two/a\.wav', expected one", str(failure))


def test_a_kept_suffix_that_is_taken_too_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav", tmp_path / "a.mp3", tmp_path / "a.wav.flac")
    found = plan([tmp_path / name for name in ("a.wav", "a.mp3", "a.wav.flac")], Wanted())
    assert [job.midi.name for job in found.jobs] == ["a.mp3.mid"]
    assert len(found.failures) == 2


def test_the_same_input_twice_is_done_once(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav")
    assert len(plan([tmp_path / "a.wav", tmp_path], Wanted()).jobs) == 1


def test_an_output_over_an_input_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a.npz")
    with pytest.raises(NotebeamError, match=r"a\.npz: output .*a\.npz: got 'an input', expected a name that"):
        plan([tmp_path / "a.npz"], Wanted(posteriorgram=tmp_path / "a.npz"))


def test_saved_posteriorgrams_are_no_inputs_of_their_folder_the_next_time(tmp_path: Path) -> None:
    names = ("take1.wav", "take1.flac", "b.mp3")
    touch(*(tmp_path / name for name in names))
    wanted = Wanted(posteriorgram=tmp_path)
    first = plan([tmp_path], wanted)
    for job in first.jobs:
        assert job.posteriorgram is not None
        Posteriorgram(frame=np.zeros((3, 88), dtype=np.float32), hop=0.02).save(job.posteriorgram)
    (tmp_path / "b.npz").rename(tmp_path / "b.NPZ")
    again = plan([tmp_path], wanted)
    assert (again.jobs, again.failures) == (first.jobs, ())
    assert {job.posteriorgram for job in first.jobs} == {
        tmp_path / name for name in ("take1.wav.npz", "take1.flac.npz", "b.npz")
    }


def test_an_output_over_one_of_several_inputs_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a.npz", tmp_path / "b.wav")
    found = plan([tmp_path / "a.npz", tmp_path / "b.wav"], Wanted(posteriorgram=tmp_path))
    assert [job.source.name for job in found.jobs] == ["b.wav"]
    assert "expected a name that is no input" in str(found.failures[0])


def test_several_inputs_need_a_folder(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav", tmp_path / "b.wav")
    with pytest.raises(NotebeamError, match=r"-o .*x\.mid: got 'a file for several inputs'"):
        plan([tmp_path / "a.wav", tmp_path / "b.wav"], Wanted(midi=tmp_path / "x.mid"))
    with pytest.raises(NotebeamError, match=r"-o .*x\.mid: got 'a file for several inputs'"):
        plan([tmp_path], Wanted(midi=tmp_path / "x.mid"))


def test_an_existing_file_is_no_folder(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav", tmp_path / "readme.txt")
    with pytest.raises(
        NotebeamError, match=r"--csv .*readme\.txt: got 'an existing file', expected a folder"
    ):
        plan([tmp_path / "a.wav"], Wanted(csv=tmp_path / "readme.txt"))


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav", tmp_path / "file")
    with pytest.raises(NotebeamError, match=r"-o: output .*file, no folder', expected a folder to write in"):
        plan([tmp_path / "a.wav"], Wanted(midi=tmp_path / "file" / "out"))


def test_loops_of_links_and_links_to_nothing_are_said(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav")
    for name, target in (("one", "two"), ("two", "one"), ("dead", "nothing")):
        (tmp_path / name).symlink_to(target)
    for name in ("one", "dead"):
        with pytest.raises(NotebeamError, match=r"-o: output .*, no folder', expected a folder to write in"):
            plan([tmp_path / "a.wav"], Wanted(midi=tmp_path / name / "out"))
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    (job,) = plan([tmp_path / "loop.wav"], Wanted()).jobs  # refused by whoever opens it
    assert job.midi == tmp_path / "loop.mid"


def test_a_pipe_is_no_output(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav")
    os.mkfifo(tmp_path / "a.mid")
    (failure,) = plan([tmp_path / "a.wav"], Wanted()).failures
    assert "a.mid: got 'a pipe or device', expected the name of a file" in str(failure)


def test_failures_leave_the_other_inputs(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    touch(tmp_path / "a.wav", tmp_path / "b.wav")
    (tmp_path / "b.mid").mkdir()
    found = plan([tmp_path / name for name in ("a.wav", "b.wav", "gone.wav", "empty")], Wanted())
    assert [job.source.name for job in found.jobs] == ["a.wav"]
    empty, gone, folder = sorted(map(str, found.failures), key=lambda line: "b.mid" in line)
    assert "gone.wav: got 'nothing there'" in empty
    assert "empty: got 'a folder without recordings'" in gone
    assert "b.wav: output" in folder and "got 'a folder', expected the name of a file" in folder


def test_planning_makes_no_folder(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav")
    plan([tmp_path / "a.wav"], Wanted(midi=tmp_path / "out"))
    assert not (tmp_path / "out").exists()
