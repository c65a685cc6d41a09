"""Settings of a front end: fitted to posteriorgrams whose faults are known, written, read, refused."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles_transcribe import ideal, notes

from benchmarks.lib.front_ends import fit, read_clips
from benchmarks.tuning import main
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.loading import load_prior
from transcribe.pipeline import Transcriber
from transcribe.scoring import score
from transcribe.settings import read_settings

LATE = 0.03  # seconds, of the front end


def faulty(played: Notes, seed: int) -> Posteriorgram:
    """What was played, heard late, with onsets that no sound follows on other keys."""
    right = ideal(played.shifted(LATE), hop=0.01)
    assert right.onset is not None
    onset = right.onset.copy()
    random = np.random.default_rng(seed)
    for frame in range(20, right.count - 5, 25):
        onset[frame, random.integers(60, 88)] = random.uniform(0.7, 0.95)
    return replace(right, onset=onset, model="late")


def music(seed: int) -> Notes:
    random = np.random.default_rng(seed)
    onset = np.arange(0.2, 6.0, 0.25)
    pitch = random.integers(40, 75, len(onset))
    return notes(*((t, t + 0.2, int(p), 64) for t, p in zip(onset, pitch, strict=True)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("front_end")
    for seed in range(3):
        faulty(music(seed), seed).save(folder / f"piece{seed}.npz")
        music(seed).save(folder / f"piece{seed}.mid")
    return folder


def tuning(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.tuning", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_finds_lateness_and_silent_onsets(folder: Path, tmp_path: Path) -> None:
    where = ("--posteriorgrams", folder, "--references", folder, "-o", tmp_path / "t.json")
    done = tuning(*where, "--save-settings", tmp_path / "late.json")
    assert done.returncode == 0, done.stderr
    settings = read_settings(tmp_path / "late.json")
    assert settings.front_end == "late" and settings.onset_shift == pytest.approx(-LATE, abs=0.003)
    assert settings.sounding > 0 and settings.scores["onset_f1, cross-validated"] > 0.97
    assert "benchmarks.tuning" in settings.command and "3 recordings of 3 compositions" in settings.data
    # What the file says, the pipeline does; the safe defaults leave out silent onsets, but shift nothing.
    unseen, played = faulty(music(7), 7), music(7)
    tuned = Transcriber(settings=tmp_path / "late.json").transcribe_posteriorgram(unseen)
    safe = Transcriber().transcribe_posteriorgram(unseen)
    bare = Transcriber(settings=replace(settings, sounding=0.0, onset_shift=0.0)).transcribe_posteriorgram(
        unseen
    )
    f = [score(played, one.notes).onset_f1 for one in (tuned, safe, bare)]
    assert f[0] == 1.0 and f[1] > 0.95 and f[2] < 0.9
    assert np.median(safe.notes.onset - played.onset) == pytest.approx(LATE, abs=0.005)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--posteriorgrams", "{folder}"), "--posteriorgrams and --references go together"),
        (("--save-settings", "a.json"), "--compositions and --save-settings go with --posteriorgrams"),
        (("--posteriorgrams", "{none}", "--references", "{folder}"), "got '0 posteriorgrams', expected"),
        (("--posteriorgrams", "{folder}", "--references", "{none}"), r"piece0.npz: got 'no notes in "),
    ],
)
def test_what_cannot_be_fitted_is_one_line(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    given = [word.format(folder=folder, none=tmp_path) for word in words]
    with pytest.raises(SystemExit) as leaving:
        main([*given, "-o", str(tmp_path / "t.json")])
    assert leaving.value.code == 2 and message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "t.json").exists()


def test_a_users_own_files_in_the_checkout_are_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without -o nothing goes to benchmarks/results, so code that differs from its commit does not matter."""
    monkeypatch.setattr("benchmarks.reporting.form.origin", lambda: {"commit": "1234567+"})
    with pytest.raises(SystemExit):
        main(["--posteriorgrams", str(tmp_path), "--references", str(tmp_path)])
    assert "got '0 posteriorgrams', expected" in capsys.readouterr().err


def test_settings_for_a_composition_know_nothing_of_it(folder: Path) -> None:
    prior = load_prior("event-rnn-nade/piano")
    clips = read_clips(folder, folder, None)
    everything, others = fit(clips, prior, "late")
    p = clips[0].posteriorgram
    assert p.onset is not None
    noisy = np.where(np.random.default_rng(0).random(p.onset.shape) < 0.01, 0.65, p.onset).astype(np.float32)
    worse = replace(clips[0], posteriorgram=replace(p, onset=noisy))
    other, now = fit([worse, *clips[1:]], prior, "late")
    assert now[worse.composition] == others[worse.composition]
    assert other != everything


@pytest.mark.parametrize("fault", ["silent", "of other music"])
def test_nothing_is_fitted_to_posteriorgrams_without_a_right_onset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    for number in range(2):
        heard = music(number).transposed(20) if fault == "of other music" else Notes.empty()
        replace(ideal(heard, hop=0.01), model="own").save(tmp_path / f"{number}.npz")
        music(number).save(tmp_path / f"{number}.mid")
    where = ("--posteriorgrams", tmp_path, "--references", tmp_path, "-o", tmp_path / "t.json")
    with pytest.raises(SystemExit):
        main([*map(str, where), "--save-settings", str(tmp_path / "s.json")])
    expected = "posteriorgrams: got 'no onset probability near a note in 2 recordings', expected those of"
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "s.json").exists() and not (tmp_path / "t.json").exists()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"name,composition\nx,y\n", "got 'no row for piece0', expected one for each posteriorgram"),
        (b"name,composition\n", "got 'no rows', expected one for each"),
        (b"name,composition\npiece0,a\xff\n", "a comma-separated table"),
        (b"name,composition\npiece0\npiece1,a\n", "line 2 composition: got None, expected a value"),
        (b"name,piece\npiece0,a\n", "expected also the columns composition"),
    ],
)
def test_a_table_of_compositions_that_says_too_little(
    folder: Path, tmp_path: Path, table: bytes, message: str
) -> None:
    (tmp_path / "c.csv").write_bytes(table)
    with pytest.raises(NotebeamError, match=message):
        read_clips(folder, folder, tmp_path / "c.csv")


def test_settings_that_cannot_be_written_are_said_before_the_work(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--posteriorgrams", str(folder), "--references", str(folder), "-o", str(tmp_path / "t.json")]
    with pytest.raises(SystemExit):
        main([*where, "--save-settings", str(folder / "piece0.mid" / "s.json")])
    assert "piece0.mid, no folder', expected a folder to write in" in capsys.readouterr().err
    assert not (tmp_path / "t.json").exists()


def test_clips_of_two_front_ends_or_one_composition_are_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        music(0).save(tmp_path / f"{name}.mid")
        replace(faulty(music(0), 0), model=name).save(tmp_path / f"{name}.npz")
    with pytest.raises(
        NotebeamError, match=r"b\.npz: got \"a posteriorgram of 'b'\", expected all of one model"
    ):
        read_clips(tmp_path, tmp_path, None)
    (tmp_path / "c.csv").write_text("name,composition\n" + "".join(f"piece{i},one\n" for i in range(3)))
    with pytest.raises(NotebeamError, match=r"c\.csv: got 'one composition', expected two or more"):
        read_clips(folder, folder, tmp_path / "c.csv")
