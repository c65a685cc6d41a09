"""What somebody met who looked for faults of the acoustic trainings: a test for each."""

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from oracles_acoustic import sine
from training_corpus import SCALE, recorded

from acoustic.audio import RATE_HZ
from acoustic.frontends import posteriorgram_of_notes
from acoustic.frontends.basic_pitch import BasicPitch
from acoustic.loading import weights_path
from acoustic.training import posteriorgrams, recordings, renderings
from acoustic.training.corpus import load_track
from acoustic.training.exercises import exercise
from acoustic.training.posteriorgrams import write_all
from acoustic.training.renderings import RenderOptions
from symbolic.datasets import pop909
from symbolic.datasets.pop909 import Song
from symbolic.errors import NotebeamError
from symbolic.notes import write_tsv
from symbolic.posteriorgram import Posteriorgram
from symbolic.training.labelled_onsets import read

YEAR_2001 = 1_000_000_000  # seconds


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"model": "piano"}, "--model piano-small"),
        ({"model": None}, "--model piano-small"),
        ({"seconds": 2.0}, r"--seconds 1\.0"),
        ({"seed": 1}, "--seed 0"),
        ({"free": True}, "no --free"),
    ],
)
def test_a_folder_is_not_filled_on_with_other_settings(
    change: dict[str, Any], found: str, tmp_path: Path
) -> None:
    item, into = recorded(tmp_path), tmp_path / "made"
    asked: dict[str, Any] = {"model": "piano-small", "seconds": 1.0, "seed": 0, "free": False}
    write_all([item], into=into, **asked)
    before = {path: path.read_bytes() for path in into.iterdir()}
    with pytest.raises(NotebeamError, match=f"made: got '{found}', expected the same settings .*folder$"):
        write_all([item, replace(item, name="other")], into=into, **asked | change)
    assert {path: path.read_bytes() for path in into.iterdir()} == before
    write_all([item, replace(item, name="other")], into=into, **asked)  # more of the same is no fault
    assert [part.name for part in read(into)] == ["piece", "other"]


def test_a_folder_is_not_filled_on_by_other_weights_of_the_name(tmp_path: Path) -> None:
    item, into = recorded(tmp_path), tmp_path / "made"
    weights = tmp_path / "mine.safetensors"
    for suffix in (".safetensors", ".json"):
        shutil.copy(weights_path("piano-small").with_suffix(suffix), weights.with_suffix(suffix))
    write_all([item], str(weights), into, 1.0)
    write_all([item], str(weights), into, 1.0)
    shutil.copy(weights_path("piano-free"), weights)
    with pytest.raises(NotebeamError, match=r"made: got 'weights [0-9a-f]{12}', expected the same settings"):
        write_all([item], str(weights), into, 1.0)


def test_a_folder_of_recordings_does_not_become_one_of_posteriorgrams(tmp_path: Path) -> None:
    item, into = recorded(tmp_path), tmp_path / "made"
    write_all([item], None, into, 1.0)
    with pytest.raises(NotebeamError, match=r"made: got '--audio', expected .*--model piano-small"):
        write_all([item], "piano-small", into, 1.0)
    (into / "settings.json").write_text("[]")
    with pytest.raises(NotebeamError, match=r"settings\.json: got 'list of 0', expected the settings"):
        write_all([item], None, into, 1.0)


def test_a_folder_of_an_older_version_is_gone_on_with_by_the_same_model_alone(tmp_path: Path) -> None:
    item, into = recorded(tmp_path), tmp_path / "made"
    write_all([item], "piano-small", into, 1.0)
    (into / "settings.json").unlink()
    for model in ("piano", None):
        with pytest.raises(NotebeamError, match=r"piece\.npz: got '--model piano-small', expected .*folder"):
            write_all([item], model, into, 1.0)
    before = (into / "piece.npz").stat().st_mtime_ns
    write_all([item], "piano-small", into, 1.0)
    assert (into / "piece.npz").stat().st_mtime_ns == before and (into / "settings.json").exists()


def test_recordings_of_an_older_version_are_gone_on_with_whatever_listened_to_them(tmp_path: Path) -> None:
    item, into = recorded(tmp_path), tmp_path / "made"
    write_all([item], None, into, 1.0)
    Posteriorgram(np.zeros((50, 88)), hop=0.02, model="mine").save(into / "piece.npz")
    (into / "settings.json").unlink()
    with pytest.raises(NotebeamError, match=r"piece\.flac: got '--audio', expected --model piano-small"):
        write_all([item], "piano-small", into, 1.0)
    write_all([item], None, into, 1.0)


def data_folder(folder: Path) -> None:
    """A piano of one sample, and archives that nobody opens."""
    for name in ("pianos/toy.wav", "pianos/other.wav", "asap/performances.tar.xz", "pop909/songs.tar.xz"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")
        os.utime(path, (YEAR_2001, YEAR_2001))
    (folder / "pianos" / "samples.csv").write_text("piano,file\ntoy,toy.wav\nother,other.wav\n")
    (folder / "pianos" / "licences.csv").write_text("piano,credit,licence\ntoy,nobody,CC0\n")


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("pianos/toy.wav", True),
        ("asap/performances.tar.xz", True),
        ("pop909/songs.tar.xz", True),
        ("pianos/other.wav", False),  # of a piano that does not play
    ],
)
def test_renderings_of_other_samples_or_music_lie_elsewhere(
    name: str, other: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("NOTEBEAM_DATA", str(tmp_path))
    data_folder(tmp_path)
    options = RenderOptions(pianos=("toy", "fluid-grand"))
    first = renderings.folder(options)
    assert renderings.folder(options) == first
    os.utime(tmp_path / name, (YEAR_2001, YEAR_2001 + 1))  # of the same size, a second later
    second = renderings.folder(options)
    (tmp_path / name).write_bytes(b"more content")
    os.utime(tmp_path / name, (YEAR_2001, YEAR_2001 + 1))
    third = renderings.folder(options)
    assert len({first, second, third}) == (3 if other else 1)
    (tmp_path / name).unlink()
    renderings.folder(options)  # whose lack the rendering itself will say


def tone(folder: Path, hertz: float) -> Path:
    """One second of a tone, in a file of 2001."""
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / "a.wav", sine(hertz, 1.0), RATE_HZ)
    write_tsv(folder / "a.tsv", SCALE)
    os.utime(folder / "a.wav", (YEAR_2001, YEAR_2001))
    return folder / "a.wav"


def heard(audio: Path) -> int:
    """Frequency of a track of one second."""
    samples = load_track(audio, audio.with_suffix(".tsv")).samples
    return int(np.abs(np.fft.rfft(samples)).argmax())


def test_a_track_is_decoded_from_its_own_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTEBEAM_CACHE", str(tmp_path / "cache"))
    one, two = tone(tmp_path / "one" / "synth", 440.0), tone(tmp_path / "two" / "synth", 880.0)
    assert [heard(one), heard(two), heard(one)] == [440, 880, 440]
    assert len(list((tmp_path / "cache" / "decoded").iterdir())) == 2
    os.utime(tone(one.parent, 660.0), (YEAR_2001, YEAR_2001 - 9))  # an older file in its place
    assert heard(one) == 660


@pytest.mark.parametrize(
    ("main", "words", "place"),
    [
        (renderings.main, ["--jobs", "0"], "--jobs: got 0"),
        (renderings.main, ["--seed", "-1"], "--seed: got -1"),
        (renderings.main, ["--seconds", "nan"], "--seconds: got nan"),
        (renderings.main, ["--seconds", "inf"], "--seconds: got inf"),
        (renderings.main, ["--seconds", "0"], r"--seconds: got 0\.0"),
        (renderings.main, ["--asap", "-1"], r"RenderOptions: got \(-1, "),
        (posteriorgrams.main, ["--seed", "-1"], "--seed: got -1"),
        (posteriorgrams.main, ["--seconds", "nan"], r"--seconds, --jobs: got \(240, nan, 1\)"),
    ],
)
def test_numbers_that_are_none_are_one_line(
    main: Callable[[list[str]], int],
    words: list[str],
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NOTEBEAM_CACHE", str(tmp_path))
    monkeypatch.setenv("NOTEBEAM_DATA", str(tmp_path / "none"))
    assert main(words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(place, line)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.5, 1.0])
def test_exercises_may_be_short(seconds: float) -> None:
    for seed in range(60):
        notes = exercise(seconds, np.random.default_rng(seed))
        assert (notes.onset >= 0).all() and (notes.onset < seconds).all()


def test_a_free_plan_of_short_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pop909, "read_pop909", lambda: [Song(f"{n:03d}", SCALE) for n in range(400)])
    assert len(recordings.plan(30, 0.01, free=True)) == 30


@pytest.mark.parametrize(
    "duration", [float("nan"), float("inf"), -1.0, 1e12, None, "10", np.array([1.0, 2.0])]
)
def test_a_duration_of_notes_that_is_none_is_one_line(duration: Any) -> None:
    with pytest.raises(NotebeamError, match=r"posteriorgram_of_notes\(duration\): got .*expected seconds"):
        posteriorgram_of_notes(SCALE, duration=duration)


@pytest.mark.parametrize("hop", [1e-9, 9e-4, 0.11, float("nan"), None])
def test_a_hop_of_notes_that_would_take_all_memory_is_one_line(hop: Any) -> None:
    with pytest.raises(NotebeamError, match=r"posteriorgram_of_notes\(hop\): got .*from 0\.001 to 0\.1"):
        posteriorgram_of_notes(SCALE, hop=hop)
    assert posteriorgram_of_notes(SCALE, hop=0.001, duration=12.0).duration == 12.0


def test_no_path_for_basic_pitch_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nmp.onnx").touch()
    monkeypatch.setattr(BasicPitch, "_open", lambda _: None)
    with pytest.raises(NotebeamError, match="path: got None, expected a recording's path"):
        BasicPitch(tmp_path / "nmp.onnx").file(None)  # type: ignore[arg-type]
