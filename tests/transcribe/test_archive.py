"""Many inputs: processes, shards, manifests, reports, and what a run that stops leaves to the next."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles_transcribe import ideal, notes
from processes import is_running

from symbolic.errors import NotebeamError
from symbolic.midi import read_midi
from symbolic.posteriorgram import Posteriorgram
from transcribe import stores
from transcribe.cli import main
from transcribe.manifest import shard_of
from transcribe.progress import Progress

MUSIC = notes((0.10, 0.90, 60, 64), (0.11, 0.90, 64, 80), (1.00, 1.21, 72, 100), (1.21, 1.50, 72, 90))


def command(*args: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    words = [sys.executable, "-m", "transcribe", *map(str, args)]
    return subprocess.run(words, capture_output=True, text=True, cwd=folder)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with five posteriorgrams and a bad one."""
    (tmp_path / "music").mkdir()
    for number in range(5):
        ideal(MUSIC.cut(0.0, 0.5 + number / 4)).save(tmp_path / "music" / f"{number}.npz")
    np.savez(
        tmp_path / "music" / "bad.npz", frame=np.full((9, 88), np.nan, dtype=np.float32), hop=0.02, first=0.0
    )
    return tmp_path


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines_of(report: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in report.read_text().splitlines()]


def test_processes_write_the_same_bytes_and_say_the_same(music: Path) -> None:
    ways = {"one": [], "two": ["--jobs", "2"]}
    lines_of = {}
    for name, words in ways.items():
        done = command(music / "music", "-o", music / name, "--csv", music / name, *words)
        assert done.returncode == 1 and done.stdout == ""
        lines_of[name] = done.stderr.splitlines()
    assert len(bytes_of(music / "one")) == 10
    assert bytes_of(music / "one") == bytes_of(music / "two")
    for lines in lines_of.values():
        assert lines[-1] == "transcribe: 1 of 6 inputs failed, the others are written"
        assert sum("bad.npz: frame frame 0 key 0: got nan" in line for line in lines) == 1
        counted = [line.split()[1] for line in lines if "->" in line]
        assert len(counted) == 5 and set(counted) < {f"{number}/6" for number in range(1, 7)}
        assert all("left)" in line or " left" in line for line in lines if "->" in line and "6/6" not in line)


def test_a_killed_process_costs_its_input_alone(music: Path) -> None:
    busy = ideal(MUSIC, duration=120.0)  # long enough to be met at work
    for number in range(6):
        busy.save(music / "music" / f"busy{number}.npz")
    (music / "music" / "bad.npz").unlink()
    words = [music / "music", "-o", music / "out", "--jobs", "2", "--report", music / "r.jsonl", "-q"]
    process = subprocess.Popen(
        [sys.executable, "-m", "transcribe", *map(str, words)], stderr=subprocess.PIPE, text=True
    )
    while not list((music / "out").glob("busy*.mid")):
        assert process.poll() is None
        time.sleep(0.01)
    children = Path(f"/proc/{process.pid}/task").glob("*/children")
    workers = [int(number) for path in children for number in path.read_text().split()]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    lines = errors.splitlines()
    assert process.returncode == 1 and len(lines) == 2, errors
    assert "its process was ended by SIGKILL (out of memory?)" in lines[0]
    assert lines[1] == "transcribe: 1 of 11 inputs failed, the others are written"
    report = lines_of(music / "r.jsonl")
    assert sorted(line["status"] for line in report) == ["done"] * 10 + ["failed"]
    (lost,) = [Path(line["input"]) for line in report if line["status"] == "failed"]
    # The killed process may have written its output just before it could say so, but no half a file.
    written = list((music / "out").glob("*.mid"))
    assert {path.stem for path in written} - {lost.stem} == {
        Path(line["input"]).stem for line in report if line["status"] == "done"
    }
    assert all(len(read_midi(path)) for path in written)  # whole, the lost one's too if it is there
    assert str(lost) in lines[0]
    # The next run does that input, and no other.
    again = command(*words, "--resume")
    assert (again.returncode, again.stderr) == (0, "")
    assert [Path(line["input"]) for line in lines_of(music / "r.jsonl")[11:]] == [lost]


def test_processes_end_with_the_command(music: Path) -> None:
    for number in range(4):
        ideal(MUSIC, duration=120.0).save(music / "music" / f"busy{number}.npz")
    process = subprocess.Popen(
        [sys.executable, "-m", "transcribe", str(music / "music"), "-o", str(music / "out"), "--jobs", "2"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list((music / "out").glob("*.mid")):
        assert process.poll() is None
        time.sleep(0.01)
    children = Path(f"/proc/{process.pid}/task").glob("*/children")
    workers = [int(number) for path in children for number in path.read_text().split()]
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.count("interrupted") == 1 and "Traceback" not in errors
    deadline = time.monotonic() + 10
    while any(is_running(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(is_running(worker) for worker in workers)
    assert {path.suffix for path in (music / "out").iterdir()} == {".mid"}


def test_shards_share_the_inputs_among_them(music: Path) -> None:
    ends = [main([str(music / "music"), "-o", str(music / "out"), "-q", "--shard", f"{i}/3"]) for i in (1, 2)]
    assert len(list((music / "out").iterdir())) == 4
    ends.append(main([str(music / "music"), "-o", str(music / "out"), "-q", "--shard", "3/3"]))
    assert len(list((music / "out").iterdir())) == 5
    assert sorted(ends) == [0, 0, 1]  # the bad one is in one of them


def test_a_shard_without_inputs_says_so(music: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(music / "music"), "-o", str(music / "out"), "--shard", "9/9"]) == 0
    count = len(list((music / "music").rglob("*.npz")))
    assert capsys.readouterr().err == f"transcribe: --shard 9/9: none of the {count} inputs is its own\n"
    assert not (music / "out").exists()


def test_a_short_first_input_foretells_no_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second for 44 bytes, and 10 recordings of a minute to go: by bytes alone 2.7 days would be left."""
    sources = [tmp_path / f"{i}.wav" for i in range(11)]
    for size, source in zip((44, *[1_000_000] * 10), sources, strict=True):
        with source.open("wb") as file:
            file.truncate(size)
    now = [0.0]
    monkeypatch.setattr("transcribe.progress.time.monotonic", lambda: now[0])
    progress = Progress(sources)
    now[0] = 1.0
    assert progress.after(str(sources[0])) == ("1/11 ", ", about 2 min left")  # 10 x 11 times as long


def test_a_shard_is_every_nth() -> None:
    assert [shard_of("abcdefg", (i, 3)) for i in (1, 2, 3)] == [tuple("adg"), tuple("be"), tuple("cf")]
    assert shard_of("abc", None) == tuple("abc")
    assert shard_of("ab", (3, 3)) == ()


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "1/0", "a/b", "1/2/3", "-1/2"])
def test_a_shard_out_of_range_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["music.npz", f"--shard={text}"])
    assert leaving.value.code == 2
    assert f"--shard: got '{text}', expected I/N with whole numbers" in capsys.readouterr().err


def test_a_manifest_is_as_people_have_them(music: Path) -> None:
    (music / "music" / "live").mkdir()
    (music / "music" / "0.npz").rename(music / "music" / "live" / "1.npz")
    names = [
        "music/1.npz",
        "music/live/1.npz",
        "",
        "music/1.npz ",
        "music/gone.npz",
        str(music / "music/2.npz"),
    ]
    (music / "list.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(names).encode())
    done = command("--manifest", "list.txt", "-o", "out", folder=music)
    assert done.returncode == 1
    assert "list.txt: 1 of 5 names come again" in done.stderr
    assert "music/gone.npz: got 'nothing there'" in done.stderr
    assert "1 of 4 inputs failed" in done.stderr
    # Folders are kept, so that two files of one name do not clash.
    absolute = str(music / "music" / "2.mid").lstrip("/")
    assert {path for path in bytes_of(music / "out")} == {"music/1.mid", "music/live/1.mid", absolute}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b" \r\n\n", "got 'no names in it', expected a text"),
        (b"\xff\xfe\x00", "got 'bytes that are not text"),
        (None, "got 'no such file'"),
    ],
)
def test_a_manifest_without_names_is_refused(
    content: bytes | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "list.txt").write_bytes(content)
    assert main(["--manifest", str(tmp_path / "list.txt")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "list.txt: " in line and message in line


def test_no_input_at_all_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (
        ([], "got no INPUT and no --manifest"),
        (["a.npz", "--resume"], "--resume: expected --report"),
        ([""], "INPUT: got an empty name, expected a file or folder"),
    ):
        with pytest.raises(SystemExit) as leaving:
            main(words)
        assert leaving.value.code == 2 and message in capsys.readouterr().err


def test_a_report_says_how_each_input_ended(music: Path) -> None:
    report = music / "reports" / "r.jsonl"
    assert main([str(music / "music"), "gone.npz", "-q", "--report", str(report)]) == 1
    lines = {Path(line["input"]).name: line for line in lines_of(report)}
    assert len(lines) == 7
    one = lines["4.npz"]
    assert one["status"] == "done" and one["notes"] == len(MUSIC) and one["error"] is None
    assert one["output"] == str(music / "music" / "4.mid")
    assert one["seconds"] == pytest.approx(Posteriorgram.load(music / "music" / "4.npz").duration, abs=0.02)
    # Onsets peak within half a frame of 0.97, which falls to 0 at two frames.
    assert 0.7 < one["mean_confidence"] <= 1.0
    assert one["elapsed_s"] > 0 and one["time"].endswith("+00:00")
    assert set(one["versions"]) == {"python", "notebeam", "torch", "numpy"}
    assert lines["bad.npz"]["status"] == lines["gone.npz"]["status"] == "failed"
    assert "got nan" in lines["bad.npz"]["error"]
    assert "nothing there" in lines["gone.npz"]["error"] and lines["gone.npz"]["notes"] is None


def test_resume_does_what_is_not_done_or_was_done_otherwise(music: Path) -> None:
    report, folder = music / "r.jsonl", music / "music"
    words = [str(folder), "-q", "--report", str(report), "--resume"]

    def done_again(*options: str) -> set[str]:
        """Names of the inputs that a further run did."""
        before = len(lines_of(report)) if report.exists() else 0
        main([*words, *options])
        return {Path(line["input"]).name for line in lines_of(report)[before:]}

    every = {"0.npz", "1.npz", "2.npz", "3.npz", "4.npz", "bad.npz"}
    assert done_again() == every
    assert done_again() == {"bad.npz"}
    assert done_again("--jobs", "2", "--threads", "1") == {"bad.npz"}
    (folder / "3.mid").unlink()
    assert done_again() == {"3.npz", "bad.npz"}
    ideal(MUSIC, duration=3.0).save(folder / "2.npz")
    assert done_again() == {"2.npz", "bad.npz"}
    assert done_again("--min-note", "50") == every
    assert done_again("--min-note", "50") == {"bad.npz"}
    # Another version did it: its line in the report is no longer this run's.
    report.write_text(report.read_text().replace('"torch": "', '"torch": "0.'))
    assert done_again("--min-note", "50") == every
    # A 0 is a number, and an option that is switched off is one.
    assert done_again("--note-penalty", "0") == every
    assert done_again("--onset-shift", "0") == every
    assert done_again("--no-bfloat16") == every


def test_a_report_knows_an_output_that_it_was_told_the_name_of(music: Path) -> None:
    report = music / "r.jsonl"
    words = [str(music / "music" / "1.npz"), "-o", str(music / "one.mid"), "-q", "--report", str(report)]
    for _ in range(2):
        assert main([*words, "--resume"]) == 0
    assert len(lines_of(report)) == 1


def test_a_report_that_a_crash_has_cut_goes_on(music: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = music / "r.jsonl"
    words = [str(music / "music"), "-q", "--report", str(report), "--resume"]
    assert main(words) == 1
    whole = report.read_bytes()
    report.write_bytes(whole[:-100])  # in the middle of the last line
    for _ in range(2):  # twice: what is appended must be read again
        assert main(words) == 1
    capsys.readouterr()
    last = report.read_bytes().splitlines()[-1]
    assert json.loads(last)["input"].endswith("bad.npz")
    (music / "letter.txt").write_text("this is a letter\nof two lines\n")
    assert main([str(music / "music" / "0.npz"), "--report", str(music / "letter.txt")]) == 2
    assert "letter.txt line 1: got 'no JSON', expected a report" in capsys.readouterr().err
    assert (music / "letter.txt").read_text() == "this is a letter\nof two lines\n"
    (music / "deep.txt").write_text("[" * 100_000 + "\n")
    assert main([str(music / "music" / "0.npz"), "--report", str(music / "deep.txt")]) == 2
    assert "deep.txt line 1: got 'no JSON', expected a report" in capsys.readouterr().err


def test_threads_are_the_network_s_alone_and_wait_without_spinning(music: Path) -> None:
    code = """
import os, sys
import transcribe.__main__ as command
assert "torch" not in sys.modules
import torch
from transcribe import pipeline
true_decode = pipeline.decode
def decode(*args):
    print("search", torch.get_num_threads(), os.environ["OMP_WAIT_POLICY"])
    return true_decode(*args)
pipeline.decode = decode
torch.set_num_threads(2)
assert command.main(sys.argv[1:]) == 0
print("after", torch.get_num_threads())
"""
    words = [sys.executable, "-c", code, str(music / "music" / "4.npz"), "-q"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["search 1 PASSIVE", "after 2"], done.stderr


@pytest.mark.parametrize(
    ("error", "got"), [(ImportError(), "ImportError"), (OSError("denied\nby the store"), "denied")]
)
def test_what_a_store_fails_with_is_one_line_even_without_words(
    error: Exception, got: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise error

    monkeypatch.setattr(stores, "_store", fail)
    with pytest.raises(NotebeamError, match=f"s3://bucket/a.wav: got '{got}', expected a URI"):
        stores.fetch(Path("s3://bucket/a.wav"), tmp_path / "copies" / "a.wav")
