"""What somebody met who looked for faults of files and reports: late music, changed inputs, odd names."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import symbolic.tempo_map
from acoustic.audio import RATE_HZ
from symbolic.console import ending_at_signals
from symbolic.errors import NotebeamError
from symbolic.metre import Beats
from symbolic.midi import read_midi
from symbolic.posteriorgram import Posteriorgram
from symbolic.tempo_map import TempoMap
from transcribe.cli import main
from transcribe.manifest import read_manifest
from transcribe.page import page
from transcribe.page.recording import write_mp3
from transcribe.pipeline import Transcriber
from transcribe.report import START, End, Outcome, Report
from transcribe.sound_files import opened
from transcribe.transcription import Transcription

HERE = Path(__file__).parents[2]
HOP = 0.02


def write_posteriorgram(path: Path, start: float = 0.0) -> Path:
    """A key at each half second, 16 of them."""
    frame = np.zeros((420, 88), dtype=np.float32)
    onset = frame.copy()
    for row in range(10, 410, 25):
        onset[row, 30 + row % 7], frame[row : row + 20, 30 + row % 7] = 0.95, 0.95
    Posteriorgram(frame=frame, onset=onset, hop=HOP, start=start, model="other").save(path)
    return path


def transcribed(*words: str | Path) -> int:
    return main([*map(str, words), "--prior", "none"])


def test_music_that_begins_late_has_bars(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onsets = []
    for start in (0.0, 300.0):
        path = write_posteriorgram(tmp_path / "p.npz", start)
        assert transcribed(path, "--beats", "auto") == 0, capsys.readouterr().err
        onsets.append(read_midi(tmp_path / "p.mid").onset - start)
    assert len(onsets[0]) == 16
    assert onsets[1] == pytest.approx(onsets[0], abs=1e-3)


def test_beats_that_midi_cannot_say_leave_the_notes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(beats: Beats) -> TempoMap:
        raise NotebeamError("beats", "a bar of 79 beats", "64 at most, for a MIDI file")

    monkeypatch.setattr(symbolic.tempo_map, "tempo_of_beats", refuse)
    path = write_posteriorgram(tmp_path / "p.npz")
    assert transcribed(path, "--beats", "auto") == 1
    assert "for a MIDI file; the notes are written without bars" in capsys.readouterr().err
    assert len(read_midi(tmp_path / "p.mid")) == 16


def test_an_input_that_changes_meanwhile_is_not_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, report = write_posteriorgram(tmp_path / "p.npz"), tmp_path / "r.jsonl"
    before, transcribe = path.stat(), Transcriber.__call__

    def change(*args: Any) -> Transcription:
        result = transcribe(*args)
        write_posteriorgram(path, 1.0)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(Transcriber, "__call__", change)
        assert transcribed(path, "--report", report) == 1
    assert "changed while it was read" in capsys.readouterr().err
    line = json.loads(report.read_text())
    assert line["status"] == "damaged" and line["file"] == [before.st_size, before.st_mtime_ns]
    for count in (2, 2):  # done once more, and then no more
        assert transcribed(path, "--report", report, "--resume") == 0
        assert len(report.read_text().splitlines()) == count


@pytest.mark.parametrize("tail", [b"\0" * 4096, b'{"input": "q', b"\0\0\n", b'"c": 3}'])
def test_a_torn_tail_of_a_report_is_left_out_each_time(tmp_path: Path, tail: bytes) -> None:
    path, report = write_posteriorgram(tmp_path / "p.npz"), tmp_path / "r.jsonl"
    assert transcribed(path, "--report", report) == 0
    for _ in range(3):
        with report.open("ab") as file:
            file.write(tail)
        assert transcribed(path, "--report", report, "--resume", "--min-note", "50") == 0
        assert transcribed(path, "--report", report, "--resume") == 0
    assert set(Report(report, {}).lines) == {str(path)}


@pytest.mark.parametrize(
    ("count", "found"), [(0, "no notes found, an empty file"), (1, "1 note"), (2, "2 notes")]
)
def test_what_was_found_is_said_in_english(count: int, found: str) -> None:
    outcome = Outcome(source="a", end=End.WHOLE, output="a.mid", seconds=2.0, elapsed=1.0, notes=count)
    assert outcome.line == f"a -> a.mid: {found} (2.0 s of music in 1.0 s)"


def test_a_line_is_not_glued_to_one_without_its_end(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    report = Report(path, {})
    for name in ("a", "b", "c"):
        report.add(Outcome(source=name, end=End.FAILED))
        path.write_bytes(path.read_bytes()[:-1])  # its last byte did not go on the full disk
    assert set(Report(path, {}).lines) == {"a", "b", "c"}
    path.write_bytes(START[:5])
    assert not Report(path, {}).lines
    path.write_text("a letter")
    with pytest.raises(NotebeamError, match=r"r\.jsonl line 1: got 'no JSON'"):
        Report(path, {})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_the_system_s_error_for_sound(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE_HZ), RATE_HZ)
    with pytest.raises(OSError, match="No space left"), opened(Path("/dev/full")) as target:
        write_mp3(tmp_path / "a.wav", target, 0.0, 1.0)
    for size in (10, 1_000_000):  # seen at the end, and on the way
        with (
            pytest.raises(OSError, match="No space left"),
            opened(Path("/dev/full")) as target,
            soundfile.SoundFile(target, "w", RATE_HZ, 1, format="WAV", subtype="PCM_16") as file,
        ):
            file.write(np.zeros(size))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("again", ["--resume", "--skip-existing"])
def test_a_recording_that_is_gone_from_beside_its_page_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    monkeypatch.setattr(page, "LONGEST_INSIDE", 1.0)
    soundfile.write(tmp_path / "a.wav", np.zeros(2 * RATE_HZ), RATE_HZ)
    words: list[str | Path] = [tmp_path / "a.wav", "--html", tmp_path / "a.html", "--model", "piano-small"]
    words += ["--report", tmp_path / "r.jsonl", again]
    beside, done = tmp_path / "a.html.mp3", []
    for _ in range(2):
        assert transcribed(*words) == 0 and beside.is_file()
        done.append(beside.stat().st_mtime_ns)
    assert done[0] == done[1]
    beside.unlink()
    assert transcribed(*words) == 0 and beside.is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text are Linux's")
def test_a_page_s_recording_may_have_a_name_that_is_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "LONGEST_INSIDE", 1.0)
    source = tmp_path / os.fsdecode(b"caf\xe9.wav")
    with open(source, "wb") as file:
        soundfile.write(file, np.zeros(2 * RATE_HZ), RATE_HZ, format="WAV")
    assert transcribed(source, "--html", tmp_path, "--model", "piano-small") == 0
    assert (tmp_path / os.fsdecode(b"caf\xe9.html.mp3")).is_file()
    text = (tmp_path / os.fsdecode(b"caf\xe9.html")).read_text("utf-8")
    assert 'id="data">{"recording":{"file":"caf%E9.html.mp3"}' in text


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_page_s_script_shows_an_address_that_is_no_text() -> None:
    script = (Path(page.__file__).parent / "sound.js").read_text("utf-8")
    begin = script.index("  function nameIn")
    function = script[begin : script.index("\n  }\n", begin) + 4]
    words = f"{function}\nconsole.log(nameIn('caf%E9.mp3'), nameIn('a%20b.mp3'))"
    done = subprocess.run(["node", "-e", words], capture_output=True, text=True, check=True)
    assert done.stdout == "caf%E9.mp3 a b.mp3\n"


def test_folders_of_a_manifest_keep_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("disk1", "disk2"):
        Path(name, "live").mkdir(parents=True)
        write_posteriorgram(Path(name, "live", "track01.npz"))
    Path("list.txt").write_text("disk1\n../" + tmp_path.name + "/disk2/\n")
    assert transcribed("--manifest", "list.txt", "-o", "out") == 0
    found = {str(path.relative_to("out")) for path in Path("out").rglob("*.mid")}
    assert found == {"disk1/live/track01.mid", f"{tmp_path.name}/disk2/live/track01.mid"}


def test_a_name_of_a_manifest_may_hold_any_line_end_of_unicode(tmp_path: Path) -> None:
    names = ["a\u2028b.wav", "c\x85d.wav", "e\x0cf.wav", "g.wav", "h.wav"]
    (tmp_path / "list.txt").write_bytes("{}\r\n{}\n{}\r{}\r\n\r\n{}".format(*names).encode())
    assert read_manifest(tmp_path / "list.txt") == ([Path(name) for name in names], [])


def test_a_name_that_stdout_cannot_take_is_escaped(tmp_path: Path) -> None:
    source = write_posteriorgram(tmp_path / "p.npz")
    assert transcribed(source, "-o", tmp_path / "\u65e5.mid") == 0
    words = [
        sys.executable,
        "-m",
        "transcribe.scoring",
        str(tmp_path / "\u65e5.mid"),
        str(tmp_path / "\u65e5.mid"),
    ]
    where = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(HERE)}
    done = subprocess.run(words, capture_output=True, text=True, env=where)
    assert done.returncode == 0 and "\\u65e5.mid" in done.stdout, done.stderr


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")
def test_what_nohup_has_begun_is_not_ended_with_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_at_signals("test"):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with ending_at_signals("test"):
            assert callable(signal.getsignal(signal.SIGHUP))
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
