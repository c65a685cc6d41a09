"""Files read and written: `replacing` gives a whole file or none, `open_file` names what cannot be read."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from symbolic.errors import NotebeamError
from symbolic.files import (
    check_writable,
    open_file,
    remove_marked,
    remove_unfinished,
    replacing,
    temporary_folder,
)
from symbolic.notes import Notes
from symbolic.priors.loading import load_prior, save_prior


def test_the_file_appears_only_at_the_end_with_the_suffix_kept(tmp_path: Path) -> None:
    target = tmp_path / "notes.mid"
    with replacing(target) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".mid"
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new" and os.listdir(tmp_path) == ["notes.mid"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_no_rubbish(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "notes.mid"
    target.write_text("old")
    with pytest.raises(failure), replacing(target) as temporary:
        temporary.write_text("half")
        raise failure
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["notes.mid"]


def test_missing_folders_are_made_whatever_is_written(tmp_path: Path) -> None:
    target = tmp_path / "missing" / "too" / "notes.mid"
    with replacing(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
    check_writable(tmp_path / "none" / "yet" / "a.mid")
    assert not (tmp_path / "none").exists()
    Notes.empty().save(tmp_path / "notes" / "a.mid")
    save_prior(load_prior("lstm-nade/jsb"), tmp_path / "prior" / "a.safetensors")
    assert (tmp_path / "notes" / "a.mid").is_file() and (tmp_path / "prior" / "a.json").is_file()


def test_a_folder_that_cannot_be_made_is_named_by_the_target(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target in (tmp_path / "file" / "a.mid", tmp_path / "file" / "below" / "a.mid"):
        with pytest.raises(OSError, match="exists|Not a directory") as caught, replacing(target):
            pass
        assert caught.value.filename == str(target)
        with pytest.raises(NotebeamError, match=r"a\.mid: got '.*file, no folder', expected a folder to wri"):
            check_writable(target)


def test_errors_about_other_files_keep_their_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "out"):
        (tmp_path / "input").read_text()
    assert caught.value.filename == str(tmp_path / "input")


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(NotebeamError, match="expected the path of a plain file"), replacing(tmp_path):
        pass


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with replacing(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"


def test_a_temporary_folder_ends_with_its_block_whatever_happens_in_it(tmp_path: Path) -> None:
    with pytest.raises(KeyError), temporary_folder() as folder:
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "a" / "b" / "c").write_text("x")
        raise KeyError
    assert not folder.exists()
    with temporary_folder(tmp_path / "deep" / "own") as folder:
        assert folder == tmp_path / "deep" / "own" and folder.is_dir()
    assert os.listdir(tmp_path / "deep") == []


def test_a_program_that_ends_at_once_deletes_files_and_folders(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.mid") as temporary, temporary_folder(tmp_path / "own") as folder:
        temporary.write_text("half")
        (folder / "x").write_text("x")
        remove_unfinished()
        assert os.listdir(tmp_path) == []
        temporary.write_text("whole")  # what `replacing` renames, though nobody goes on after a signal


def test_a_folder_that_has_become_another_is_left(tmp_path: Path) -> None:
    with temporary_folder(tmp_path / "own") as folder:
        (folder / "x").write_text("x")
        folder.rename(tmp_path / "kept")
    assert (tmp_path / "kept" / "x").read_text() == "x"


def test_a_name_with_a_zero_in_it_and_one_without_end_are_short_lines() -> None:
    with pytest.raises(NotebeamError, match=r"^path: got 'notes/a\\x00\.mid', expected a path"):
        open_file(Path("notes/a\0.mid"), "a MIDI file")
    with pytest.raises(NotebeamError) as caught:
        open_file("first/" + "x" * 5000 + "/last.mid", "a MIDI file")
    assert re.match(r"first/x+\.\.\.x+/last\.mid: got 'a name too long for a file'", str(caught.value))
    assert len(str(NotebeamError("x" * 5000, "x" * 5000, "one of " + "x" * 5000))) < 2400


def test_what_a_killed_process_had_begun_can_be_found(tmp_path: Path) -> None:
    program = f"""
import time
from pathlib import Path
from symbolic.files import mark_temporaries, replacing
mark_temporaries("0123")
with replacing({str(tmp_path / "a.mid")!r}) as temporary:
    temporary.write_text("half")
    print("begun", flush=True)
    time.sleep(60)
"""
    with replacing(tmp_path / "b.mid") as other:  # of another process
        other.write_text("half")
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.kill()
        assert len(list(tmp_path.iterdir())) == 2
        remove_marked("0123", [tmp_path / "a.mid", tmp_path / "missing" / "a.csv"])
        assert list(tmp_path.iterdir()) == [other]


def test_a_link_into_a_missing_folder_is_followed_there(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(tmp_path / "missing" / "b.txt")
    check_writable(tmp_path / "a.txt")
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "missing" / "b.txt").read_text() == "whole" and (tmp_path / "a.txt").is_symlink()
    (tmp_path / "file").touch()
    (tmp_path / "c.txt").symlink_to(tmp_path / "file" / "d.txt")
    with pytest.raises(NotebeamError, match=r"file, no folder"):
        check_writable(tmp_path / "c.txt")
