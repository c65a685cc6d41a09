"""What somebody met who looked for faults of the command: one test for each."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from acoustic import ffmpeg, pyav
from acoustic.audio import RATE_HZ, read_audio
from acoustic.channels import FEWEST, Mixer
from symbolic.errors import NotebeamError
from symbolic.metre import Beats, read_beats_file
from symbolic.notes import Notes
from symbolic.picture import plain
from symbolic.posteriorgram import Posteriorgram
from transcribe.beat_steps import beats_of
from transcribe.cli import main
from transcribe.outputs import Wanted, folder_sources, plan

HERE = Path(__file__).parents[2]
needs_ffmpeg = pytest.mark.skipif(not ffmpeg.is_installed(), reason="ffmpeg is not installed")


def write_posteriorgram(path: Path) -> Path:
    frame = np.zeros((200, 88), dtype=np.float32)
    onset = frame.copy()
    for row in range(10, 190, 20):
        onset[row, 30 + row % 7], frame[row : row + 15, 30 + row % 7] = 0.95, 0.95
    Posteriorgram(frame=frame, onset=onset, hop=0.02, model="other").save(path)
    return path


@needs_ffmpeg
def test_a_part_of_what_ffmpeg_reads_is_where_it_is_in_the_whole(tmp_path: Path) -> None:
    clicks = np.zeros(20 * RATE_HZ, dtype=np.float32)
    clicks[np.arange(1, 20) * RATE_HZ + np.arange(1, 20) * 100] = 0.9
    soundfile.write(tmp_path / "a.wav", clicks, RATE_HZ)
    path = tmp_path / "late.mkv"  # its sound begins 2 s after its picture
    picture = [
        "-f",
        "lavfi",
        "-i",
        "color=s=16x16:d=22:r=5",
        "-itsoffset",
        "2",
        "-i",
        str(tmp_path / "a.wav"),
    ]
    words = [*picture, "-map", "0:v", "-map", "1:a", "-c:v", "mpeg4", "-c:a", "pcm_s16le", str(path)]
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", *words], check=True)
    whole = read_audio(path)
    for start, stop in ((8.0, 16.0), (8.5, None), (0.0, 12.25)):
        faults: list[str] = []
        blocks = list(ffmpeg.blocks(path, start, stop, faults))
        part, end = np.concatenate([block for _, block in blocks])[:, 0], len(whole)
        wanted = whole[round(start * RATE_HZ) : end if stop is None else round(stop * RATE_HZ)]
        assert np.array_equal(part, wanted) and not faults
        if pyav.is_installed():
            again = np.concatenate([block for _, block in pyav.blocks(path, start, stop, [])])[:, 0]
            assert np.array_equal(again, part)


def test_processes_run_no_modules_of_the_working_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_posteriorgram(tmp_path / f"{name}.npz")
    for name in ("queue", "random", "pickle"):
        (tmp_path / f"{name}.py").write_text("open('run', 'w').close()\nraise SystemExit(3)\n")
    words = ["a.npz", "b.npz", "-o", "out", "--jobs", "2", "--prior", "none"]
    script = (
        f"import sys; sys.path.insert(0, {str(HERE)!r}); from transcribe.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mid", "b.mid"]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "notes.mid", "--report", "notes.mid"], "--report notes.mid: got 'an output of p.npz'"),
        (["--report", "p.npz"], "--report p.npz: got 'the input p.npz', expected a name of its own"),
        (["-o", "out", "--report", "out"], "--report out: got 'a folder of outputs', expected"),
        (["--beats", "b.csv", "--csv", "b.csv"], "b.csv: got 'an output of p.npz and --beats'"),
        (["--beats", "b.csv", "--report", "b.csv"], "--report b.csv: got '--beats', expected"),
    ],
)
def test_nothing_is_written_over_what_is_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_posteriorgram(tmp_path / "p.npz")
    beats = "".join(f"{time}\n" for time in (0.2, 1.2, 2.2, 3.2))
    (tmp_path / "b.csv").write_text(beats)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(["p.npz", "--prior", "none", *words]) == 2
    assert message in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("option", ["-o", "--csv", "--save-posteriorgram", "--report"])
def test_a_uri_is_no_path_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_posteriorgram(tmp_path / "p.npz")
    assert main(["p.npz", "--prior", "none", option, "s3://bucket/out"]) == 2
    expected = f"{option} s3://bucket/out: got 'a URI', expected a path of this machine"
    assert expected in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["p.npz"]


def test_a_manifest_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_posteriorgram(tmp_path / "list.npz")
    (tmp_path / "list.csv").write_text("list.npz\n")
    assert main(["--manifest", "list.csv", "-o", "out", "--csv", ".", "--prior", "none"]) == 2
    assert "list.csv: got 'an output of list.npz and --manifest'" in capsys.readouterr().err


def test_sound_that_the_command_wrote_is_no_recording(tmp_path: Path) -> None:
    for name in ("a.flac", "a.html", "a.html.mp3", "b.html.mp3"):
        (tmp_path / name).write_bytes(b"")
    sources, _, _ = folder_sources(tmp_path, Wanted(page=tmp_path))
    assert [path.name for path in sources] == ["a.flac", "b.html.mp3"]
    with pytest.raises(
        NotebeamError, match="--sonify .*: got 'the folder of the recordings', expected another"
    ):
        plan([tmp_path], Wanted(sound=tmp_path / "."))
    assert plan([tmp_path], Wanted(sound=tmp_path / "both")).jobs


def test_names_of_pictures_may_be_no_text(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert plain(os.fsdecode(b"n\xff$")) == r"n?\$"
    for name in (os.fsdecode(b"n\xff.npz"), "日本.npz"):
        source = write_posteriorgram(tmp_path / "p.npz").rename(tmp_path / name)
        words = [str(source), "-q", "--prior", "none", "--picture", str(tmp_path / "a.png")]
        assert main([*words, "-o", str(tmp_path / "a.mid")]) == 0
        assert capfd.readouterr() == ("", "")


def test_quiet_tells_no_notices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tone = 0.3 * np.sin(np.arange(2 * RATE_HZ) * 0.1)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, -tone], axis=1), RATE_HZ)
    words = [str(tmp_path / "a.wav"), "--model", "piano-small", "--decoder", "threshold"]
    assert main([*words, "-o", str(tmp_path / "a.mid")]) == 0
    assert "channels that cancel" in capsys.readouterr().err
    assert main([*words, "-q", "-o", str(tmp_path / "a.mid")]) == 0
    assert capsys.readouterr().err == ""


def test_beats_that_midi_cannot_say_are_refused_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    path.write_text("1\n20\n40\n")
    with pytest.raises(NotebeamError, match="16 s after the beat before"):
        read_beats_file(path)


@pytest.mark.parametrize(
    "text", ["3,11\t1\n4,48\t2\n", "3,11;1\n4,48;2\n", "  3,11 db\n4,48 b\n", "3,11\n4,48\n"]
)
def test_a_decimal_comma_in_beats_is_no_column(tmp_path: Path, text: str) -> None:
    path = tmp_path / "b.txt"
    path.write_text(text)
    with pytest.raises(NotebeamError, match=r"line 1: got '3,11', expected seconds with a decimal point"):
        read_beats_file(path)


@pytest.mark.parametrize("text", ["3.5,1\n4.5,2\n", "3.5, 1\n4.5, 2\n", "3, 1\n4, 2\n", "3,1\n4,2\n"])
def test_commas_part_columns_of_beats(tmp_path: Path, text: str) -> None:
    path = tmp_path / "b.csv"
    path.write_text(text)
    times, first = read_beats_file(path)
    assert np.diff(times).tolist() == [1.0] and first is not None and first.tolist() == [True, False]


def test_of_given_beats_a_part_takes_its_own(tmp_path: Path) -> None:
    path, times = tmp_path / "b.txt", np.arange(0.6, 10, 0.6)
    path.write_text("".join(f"{time:.1f}\n" for time in times))
    notes = Notes.make(np.arange(3, 8, 0.3), np.arange(3, 8, 0.3) + 0.2, np.full(17, 60), np.full(17, 64))
    with pytest.raises(NotebeamError, match=r"got 'a beat at 0\.6 s', expected beats of the recording, 3 to"):
        beats_of(notes, path, 3.0, 7.98)
    given = Beats(times, np.arange(len(times)) % 4 == 0)
    for beats in (path, given):
        found = beats_of(notes, beats, 3.0, 7.98, is_part=True)
        assert found is not None
        assert found.times == pytest.approx(np.arange(3.0, 7.98, 0.6))
        assert len(found.downbeat) == len(found.times)
    with pytest.raises(NotebeamError, match="got '0 beats from 50 to 60 s', expected two at least"):
        beats_of(notes, given, 50.0, 60.0, is_part=True)


def test_a_model_that_is_none_is_refused_for_posteriorgrams_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_posteriorgram(tmp_path / "p.npz")
    assert main([str(path), "--model", "nosuch"]) == 2
    assert "--model: got 'nosuch', expected a .safetensors file or one of piano" in capsys.readouterr().err


def test_the_last_few_samples_do_not_tell_whether_channels_cancel() -> None:
    mixer = Mixer()
    draw = np.random.default_rng(0)
    music = draw.normal(0, 0.1, (2 * FEWEST, 1)).astype(np.float32)
    mixer(music + draw.normal(0, 0.05, (2 * FEWEST, 2)).astype(np.float32))
    mixer(np.array([[0.1, -0.1], [-0.1, 0.1]], dtype=np.float32))
    assert mixer.taken is None
    mixer(np.concatenate([music, -music], axis=1))
    assert mixer.taken == 0


def test_a_tuning_is_of_no_use_to_a_posteriorgram(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_posteriorgram(tmp_path / "p.npz")
    for words, told in (([], False), (["--tuning", "415"], True)):
        assert main([str(path), "--prior", "none", *words]) == 0
        assert ("no use for a tuning" in capsys.readouterr().err) == told


@pytest.mark.parametrize(
    ("option", "given", "model", "told"),
    [
        ("model", "piano-small", "piano", True),
        ("model", "piano-small", "piano-small", False),
        ("model", "piano-small", "", False),
        ("front end", "basic-pitch", "mine", True),
        ("front end", "basic-pitch", "basic-pitch", False),
        ("front end", "basic-pitch", "", False),
    ],
)
def test_a_model_or_front_end_is_of_no_use_to_what_another_heard(
    option: str, given: str, model: str, told: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.npz"
    replace(Posteriorgram.load(write_posteriorgram(path)), model=model).save(path)
    assert main([str(path), "--prior", "none", f"--{option.replace(' ', '')}", given]) == 0
    line = f"no use for the {option} {given}, as it is one of {model}"
    assert (line in capsys.readouterr().err) == told
