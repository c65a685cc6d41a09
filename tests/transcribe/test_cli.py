"""The command on posteriorgrams: options, files, messages, exit codes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from oracles_transcribe import assert_same_notes, ideal, notes

from symbolic.decoding.options import METHODS
from symbolic.midi import read_midi
from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram
from transcribe import arguments, models, pipeline, presets
from transcribe.cli import main

HOP = 0.02
MUSIC = notes((0.10, 0.90, 60, 64), (0.11, 0.90, 64, 80), (1.00, 1.21, 72, 100), (1.21, 1.50, 72, 90))


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with one posteriorgram, music.npz."""
    ideal(MUSIC).save(tmp_path / "music.npz")
    return tmp_path


def command(*args: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "transcribe", *map(str, args)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr; nothing on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("transcribe: ")
    return lines[0]


def test_help_is_fast_and_imports_nothing_heavy() -> None:
    code = """
import sys, time
begin = time.process_time()
from transcribe.cli import main
try:
    main(["--help"])
except SystemExit as leaving:
    assert leaving.code == 0
assert time.process_time() - begin < 0.3
heavy = [name for name in ("torch", "numpy", "librosa", "soundfile", "tqdm") if name in sys.modules]
assert not heavy, heavy
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--prior-weight W" in found.stdout and "exit codes" in found.stdout


def test_version_is_the_installed_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["--version"])
    assert leaving.value.code == 0
    assert capsys.readouterr().out.startswith("transcribe, notebeam ")


def test_the_lists_of_words_are_those_of_the_pipeline() -> None:
    assert arguments.DEVICES == models.DEVICES
    assert arguments.CLOCKS == pipeline.CLOCKS
    assert list(METHODS) == list(presets.PRESETS)


@pytest.mark.parametrize("decoder", ["threshold", "hmm", "greedy", "beam"])
def test_a_posteriorgram_in_midi_out(music: Path, decoder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(music / "music.npz"), "--decoder", decoder, "--prior", "none"]) == 0
    assert_same_notes(read_midi(music / "music.mid"), MUSIC, seconds=HOP)
    assert "music.mid: 4 notes" in complaint(capsys)


def test_every_output_is_written_and_nothing_else(music: Path) -> None:
    out = music / "out"
    options = ["--csv", out / "t.csv", "--picture", out / "p.png", "--save-posteriorgram", out / "h.npz"]
    options += ["--html", out / "p.html", "--sonify", out / "s.wav"]
    assert main([str(music / "music.npz"), "-o", str(out / "m.mid"), "-q", *map(str, options)]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "h.npz",
        "m.mid",
        "p.html",
        "p.png",
        "s.wav",
        "t.csv",
    ]
    rows = (out / "t.csv").read_text().splitlines()
    assert rows[0] == "start_time_s,end_time_s,pitch_midi,velocity,confidence"
    assert len(rows) == 1 + len(MUSIC)
    np.testing.assert_array_equal(Posteriorgram.load(out / "h.npz").frame, ideal(MUSIC).frame)
    assert (out / "p.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "p.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert (out / "s.wav").read_bytes().startswith(b"RIFF")


def test_a_recording_beside_its_page_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import soundfile

    from transcribe.page import page

    soundfile.write(tmp_path / "a.wav", np.zeros(32_000), 16_000)
    monkeypatch.setattr(page, "LONGEST_INSIDE", 1.0)
    options = ["--model", "piano-small", "--decoder", "threshold", "--html", str(tmp_path / "p.html")]
    assert main([str(tmp_path / "a.wav"), *options]) == 0
    size = (tmp_path / "p.html.mp3").stat().st_size
    said = capsys.readouterr().err.splitlines()
    wanted = (
        f"too long to be inside {tmp_path / 'p.html'}; it lies beside it in p.html.mp3, {size / 1e6:.1f} MB"
    )
    assert sum(wanted in line for line in said) == 1


def test_quiet_says_nothing(music: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(music / "music.npz"), "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_tempo_changes_the_bars_and_not_the_times(music: Path) -> None:
    import mido

    assert main([str(music / "music.npz"), "-q", "--tempo", "97"]) == 0
    tempos = [
        event.tempo for event in mido.MidiFile(music / "music.mid").tracks[0] if event.type == "set_tempo"
    ]
    assert tempos == [round(60e6 / 97)]
    assert_same_notes(read_midi(music / "music.mid"), MUSIC, seconds=HOP)


def test_start_and_stop_keep_the_recordings_times(music: Path) -> None:
    assert main([str(music / "music.npz"), "-q", "--start", "0:00.95", "--stop", "1.6"]) == 0
    assert_same_notes(read_midi(music / "music.mid"), MUSIC.cut(0.95, 1.6), seconds=HOP)


def test_min_note_is_in_milliseconds(music: Path) -> None:
    assert main([str(music / "music.npz"), "-q", "--min-note", "400"]) == 0
    assert read_midi(music / "music.mid").pitch.tolist() == [60, 64]


def count_of(music: Path, *options: str) -> int:
    """Notes that the command writes with these options, without a prior."""
    assert main([str(music / "music.npz"), "-q", *options]) == 0
    return len(read_midi(music / "music.mid"))


def test_what_a_note_must_cost_or_be_worth_is_told(music: Path) -> None:
    # The onset plane peaks at 0.97 at most: log(0.97 / 0.03) = 3.5 nats, halved at temperature 2.
    for decoder in ("hmm", "greedy", "beam"):
        alone = ["--decoder", decoder] + ([] if decoder == "hmm" else ["--prior", "none"])
        assert count_of(music, *alone, "--note-penalty", "0.5") == len(MUSIC)
        assert count_of(music, *alone, "--note-penalty", "5") == 0
        assert count_of(music, *alone, "--note-penalty", "2.5", "--temperature", "0.9") == len(MUSIC)
        assert count_of(music, *alone, "--note-penalty", "2.5", "--temperature", "2") == 0
    assert count_of(music, "--decoder", "threshold", "--threshold", "0.9") == len(MUSIC)
    assert count_of(music, "--decoder", "threshold", "--threshold", "0.98") == 0


def test_an_onset_shift_is_in_milliseconds(music: Path) -> None:
    assert count_of(music, "--onset-shift", "40") == len(MUSIC)
    found = read_midi(music / "music.mid")
    np.testing.assert_allclose(found.onset, MUSIC.onset + 0.04, atol=HOP)


def test_a_pipe_is_refused_as_input(music: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-"]) == 1
    assert "-: got 'stdin', expected a file: what comes through a pipe is to be saved" in complaint(capsys)


def test_silence_is_an_empty_file_and_a_notice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ideal(Notes.empty(), duration=3.0).save(tmp_path / "silence.npz")
    assert main([str(tmp_path / "silence.npz"), "--picture", str(tmp_path / "p.png")]) == 0
    assert len(read_midi(tmp_path / "silence.mid")) == 0
    assert "no notes found" in complaint(capsys)


def test_skip_existing_leaves_what_is_done(music: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ideal(MUSIC).save(music / "other.npz")
    (music / "music.mid").write_bytes(b"mine")
    inputs = [str(music / "music.npz"), str(music / "other.npz")]
    assert main([*inputs, "--skip-existing"]) == 0
    assert (music / "music.mid").read_bytes() == b"mine"
    assert len(read_midi(music / "other.mid")) == len(MUSIC)
    assert "1 of 2 inputs are done already" in capsys.readouterr().err
    # A table that is not there yet is a reason to do it again.
    assert main([*inputs, "--skip-existing", "-q", "--csv", str(music / "tables")]) == 0
    assert len(read_midi(music / "music.mid")) == len(MUSIC)


def test_a_failing_input_leaves_the_others(music: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (music / "bad.npz").write_text("no archive")
    inputs = [str(music / name) for name in ("gone.npz", "bad.npz", "music.npz")]
    assert main([*inputs, "-q"]) == 1
    assert len(read_midi(music / "music.mid")) == len(MUSIC)
    assert not (music / "bad.mid").exists()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "gone.npz: got 'nothing there'" in lines[0]
    assert "bad.npz: got 'another kind of file', expected arrays" in lines[1]
    assert lines[2] == "transcribe: 2 of 3 inputs failed, the others are written"


def test_a_posteriorgram_of_nonsense_is_named_with_its_key(
    music: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with np.load(music / "music.npz") as archive:
        arrays = dict(archive)
    np.savez(music / "music.npz", **(arrays | {"onset": arrays["onset"] * np.nan}))
    assert main([str(music / "music.npz")]) == 1
    assert "music.npz: onset frame 0 key 0: got nan, expected a number 0..1" in complaint(capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prior", "nobody/nothing"], "got 'nobody/nothing', expected a prior's name"),
        (["--prior-weight", "-1"], "--prior-weight: got -1.0, expected a number 0..1000000"),
        (["--prior-weight", "1e308"], "--prior-weight: got 1e+308, expected a number 0..1000000"),
        (["--tuning", "900"], "--tuning: got 900.0, expected Hz of A4, 370 to 523"),
        (["--prior", "none", "--prior-weight", "2"], "--prior-weight: got 2.0, expected a prior to weigh"),
        (["--decoder", "hmm", "--prior", "x/y"], "--prior: got 'x/y', expected none: hmm decides without"),
        (
            ["--decoder", "hmm", "--beam-width", "4"],
            "--beam-width: got 4, expected --decoder beam: hmm",
        ),
        (["--threshold", "0.4"], "--threshold: got 0.4, expected --decoder threshold: beam has no such"),
        (
            ["--decoder", "threshold", "--note-penalty", "1"],
            "--note-penalty: got 1.0, expected --decoder hmm or greedy or beam: threshold has no such",
        ),
        (["--decoder", "threshold", "--threshold", "2"], "--threshold: got 2.0, expected a prob"),
        (["--temperature", "0"], "--temperature: got 0.0, expected a number 1e-06..1000000"),
        (["-o", "-"], "-o -: got 'stdout', expected the name of a file or folder"),
        (["-o", "music.npz"], "-o music.npz: got 'an existing file', expected a folder or a name .mid"),
        (
            ["--save-posteriorgram", "music.npz"],
            "music.npz: output music.npz: got 'an input', expected a name that is no input",
        ),
        (["-o", "music.npz/out"], "-o: output"),
    ],
)
def test_wrong_settings_are_one_line_and_exit_2(
    music: Path,
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(music)
    assert main(["music.npz", *options]) == 2
    assert message in complaint(capsys)
    assert [path.name for path in music.iterdir()] == ["music.npz"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--clock", "onsets"], "--clock: invalid choice: 'onsets'"),
        (["--beats", "auto", "--tempo", "90"], "--tempo: got 90, expected none: the beats make"),
        (["--device", "tpu"], "--device: invalid choice: 'tpu'"),
        (["--start", "1:75"], "--start: got '1:75', expected seconds or m:ss"),
        (["--start", "-3"], "--start: got '-3', expected seconds or m:ss"),
        (["--start", "5", "--stop", "0:04"], "--stop: got 4 s, expected more than --start, 5 s"),
        (["--onset-shift", "2000"], "--onset-shift: got '2000', expected milliseconds, from -1000 to 1000"),
        (["--beam-width", "0"], "--beam-width: got '0', expected a whole number from 1"),
        (["--threads", "two"], "--threads: got 'two', expected a whole number from 1"),
        (["--threads", "100000"], "--threads: got '100000', expected a whole number from 1 to "),
        (["--jobs", "100000"], "--jobs: got '100000', expected a whole number from 1 to "),
        (["--tempo", "nan"], "--tempo: got 'nan', expected beats a minute"),
        (["--min-note", "-1"], "--min-note: got '-1', expected milliseconds"),
        (["--prior-weight", "inf"], "--prior-weight: got 'inf', expected a number"),
        (["--tuning", "high"], "--tuning: got 'high', expected a number"),
        (["--bogus"], "unrecognized arguments: --bogus"),
        (["--candidate", "3"], "unrecognized arguments: --candidate"),
    ],
)
def test_wrong_words_exit_2_at_once(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["music.npz", *options])
    assert leaving.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90.0), ("1:30", 90.0), ("0:00.5", 0.5), ("1:02:03.5", 3723.5), ("75.25", 75.25)],
)
def test_times_are_seconds_or_minutes_and_seconds(text: str, seconds: float) -> None:
    assert arguments.seconds(text) == seconds


def test_two_inputs_for_one_name_are_not_done_and_the_others_are(
    music: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (music / "sub").mkdir()
    ideal(MUSIC).save(music / "sub" / "music.npz")
    ideal(MUSIC).save(music / "other.npz")
    inputs = [str(music / name) for name in ("music.npz", "sub/music.npz", "other.npz")]
    assert main([*inputs, "-o", str(music / "out"), "-q"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [("music.npz.mid: got" in line, "2 of 3 inputs failed" in line) for line in lines] == [
        (True, False), (True, False), (False, True)
    ]  # fmt: skip
    assert [path.name for path in (music / "out").iterdir()] == ["other.mid"]


def test_an_unwritable_output_is_found_before_any_work(
    music: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ideal(MUSIC).save(music / "other.npz")
    (music / "music.mid").mkdir()
    assert main([str(music / "music.npz"), str(music / "other.npz"), "-q"]) == 1
    assert "music.npz: output" in capsys.readouterr().err
    assert (music / "other.mid").exists()


def test_a_disk_that_fails_leaves_no_half_file(
    music: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import mido

    def full(self: object, path: Path) -> None:
        path.write_bytes(b"MThd")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(mido.MidiFile, "save", full)
    assert main([str(music / "music.npz")]) == 1
    assert "No space left on device" in complaint(capsys)
    assert [path.name for path in music.iterdir()] == ["music.npz"]


def test_an_interrupt_exits_130_and_leaves_whole_files(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "decode", interrupted)
    assert main([str(music / "music.npz")]) == 130
    assert [path.name for path in music.iterdir()] == ["music.npz"]


def test_control_c_ends_the_process_with_130(music: Path) -> None:
    code = f"""
import sys, time
from transcribe import cli, pipeline

def endless(*_):
    print("decoding", flush=True)
    time.sleep(600)

pipeline.decode = endless
sys.exit(cli.main([{str(music / "music.npz")!r}]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "decoding\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.count("\n")) == (130, 1), err
    assert "interrupted" in err
    assert [path.name for path in music.iterdir()] == ["music.npz"]


def test_the_module_runs_as_the_command_does(music: Path) -> None:
    found = command(music / "music.npz", "--threads", "1")
    assert found.returncode == 0, found.stderr
    assert found.stdout == ""
    assert "4 notes" in found.stderr
    # No terminal, no bar.
    assert "%" not in found.stderr and "\r" not in found.stderr


def test_a_name_with_a_line_break_stays_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "two\nlines.wav")]) == 1
    assert "two\\nlines.wav" in complaint(capsys)


def test_a_failure_names_its_input_once(
    music: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = music / "two\nlines.npz"
    broken.write_bytes(b"no arrays")
    assert main([str(broken)]) == 1
    assert complaint(capsys).count("lines.npz") == 1

    def full(path: Path, notes: Notes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.chdir(music)
    monkeypatch.setattr("symbolic.notes.write_csv", full)
    assert main(["music.npz", "--csv", "music.npz.csv"]) == 1  # a name that holds the input's
    assert complaint(capsys).startswith(
        "transcribe: music.npz: [Errno 28] No space left on device: 'music.npz.csv'"
    )
