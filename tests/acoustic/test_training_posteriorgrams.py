"""What a join is fitted to: which recordings, through which chains, and that they are made once."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from training_corpus import SCALE, recorded

from acoustic.instruments import MODELLED
from acoustic.training import recordings
from acoustic.training.posteriorgrams import main, write_all
from acoustic.training.recordings import plan, sound
from acoustic.training.renderings import HELD_OUT, Excerpt, RenderOptions, spread_over
from symbolic.datasets import asap, pop909
from symbolic.datasets.asap import Performance
from symbolic.datasets.maps import Recording
from symbolic.datasets.pop909 import Song
from symbolic.notes import read_tsv
from symbolic.posteriorgram import Posteriorgram


@dataclass(frozen=True)
class Music:
    """Stand-ins for the three data sets."""

    songs: list[Song]
    performances: list[Performance]
    recordings: list[Recording]


@pytest.fixture
def music(monkeypatch: pytest.MonkeyPatch) -> Music:
    splits = ("train", "valid", "test")
    made = Music(
        [Song(f"{n:03d}", SCALE) for n in range(600)],
        [
            Performance(str(n), "Bach", f"{splits[n % 3]}-{n}", splits[n % 3], SCALE, Path())
            for n in range(60)
        ],
        [Recording(f"piece{n}", f"piece{n}", "StbgTGd2", 10.0, Path(), Path()) for n in range(9)],
    )
    monkeypatch.setattr(asap, "read_asap", lambda: made.performances)
    monkeypatch.setattr(pop909, "read_pop909", lambda: made.songs)
    monkeypatch.setattr(recordings, "read_maps", lambda part: made.recordings)
    return made


def test_a_plan_is_the_beginning_of_a_longer_one(music: Music) -> None:
    long = plan(60, 5.0)
    assert len({item.name for item in long}) == 60
    assert [item.row() for item in plan(20, 5.0)] == [item.row() for item in long[:20]]


def test_a_plan_leaves_out_what_benchmarks_test_on(music: Music) -> None:
    items = plan(70, 5.0)
    assert not {item.instrument for item in items} & set(HELD_OUT)
    assert not [item for item in items if item.composition.startswith("Bach test")]
    assert [item for item in items if item.composition.startswith("Bach train")]
    rendered = {song.name for _, song in spread_over(music.songs, RenderOptions().pop909)}
    songs = {item.composition.removeprefix("pop909-") for item in items if "pop909" in item.name}
    assert songs and not songs & rendered
    chains = [item.chain for item in items if item.chain is not None]
    assert not [c for c in chains if c.loudspeaker_chance and c.microphone_chance]
    assert [c for c in chains if c.loudspeaker_chance] and [c for c in chains if c.microphone_chance]
    assert 0.1 < 1 - len(chains) / len(items) < 0.45


def test_modelled_pianos_are_each_another_and_none_of_the_acoustic_models_own(music: Music) -> None:
    seeds = [
        int(item.instrument.removeprefix(MODELLED))
        for item in plan(240, 5.0)
        if item.instrument.startswith(MODELLED)
    ]
    given = RenderOptions()
    assert len(seeds) >= 10 and len(set(seeds)) == len(seeds)
    assert (
        min(seeds) >= given.asap + given.pop909 + given.exercises
    )  # the acoustic model's are numbered from 0


def test_a_free_plan_has_nothing_of_asap_and_maps(music: Music) -> None:
    items = plan(30, 5.0, free=True)
    kinds = [item.composition.split("-")[0] for item in items]
    assert set(kinds) == {"pop909", "exercise"}
    assert 0.15 < kinds.count("exercise") / len(kinds) < 0.35
    assert all(len(item.source.notes) for item in items if isinstance(item.source, Excerpt))
    assert [item.row() for item in plan(10, 5.0, free=True)] == [item.row() for item in items[:10]]


def test_a_cut_has_the_notes_and_the_sound_of_its_seconds(tmp_path: Path) -> None:
    item = recorded(tmp_path)
    audio, notes = sound(item, 4.0, seed=0)
    whole, _ = soundfile.read(tmp_path / "piece.wav", dtype="float32")
    np.testing.assert_allclose(audio, whole[48_000:112_000], atol=1e-6)
    assert notes.onset.tolist() == pytest.approx([0.5 * n for n in range(8)])
    assert notes.pitch.tolist() == list(range(56, 64))


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    item, into = recorded(tmp_path), tmp_path / "made"
    write_all([item], "piano-small", into, 2.0)
    first = Posteriorgram.load(into / "piece.npz")
    assert (first.model, first.source, first.count) == ("piano-small", "piece", 100)
    assert len(read_tsv(into / "piece.tsv")) == 4
    assert (into / "recordings.csv").read_text().splitlines()[1] == "piece,piece,StbgTGd2,none,maps"
    before = (into / "piece.npz").stat().st_mtime_ns
    write_all([item], "piano-small", into, 2.0)
    assert (into / "piece.npz").stat().st_mtime_ns == before


def test_several_processes_make_the_same(tmp_path: Path) -> None:
    item = recorded(tmp_path)
    items = [replace(item, name=f"piece{number}", start=number / 4) for number in range(9)]
    for jobs in (1, 2):
        write_all(items, "piano-small", tmp_path / str(jobs), 1.0, jobs)
    for item in items:
        one, other = (Posteriorgram.load(tmp_path / jobs / f"{item.name}.npz") for jobs in "12")
        np.testing.assert_array_equal(one.frame, other.frame)
        assert one.source == other.source == item.name


def test_the_recordings_themselves_for_other_systems(tmp_path: Path) -> None:
    item, into = recorded(tmp_path), tmp_path / "made"
    write_all([item], None, into, 2.0)
    found, rate = soundfile.read(into / "piece.flac", dtype="float32")
    np.testing.assert_allclose(found, sound(item, 2.0, seed=0)[0], atol=1e-4)
    assert rate == 16_000 and np.abs(found).max() > 0.01
    assert len(read_tsv(into / "piece.tsv")) == 4
    names = ["piece.flac", "piece.tsv", "recordings.csv", "settings.json"]
    assert sorted(path.name for path in into.iterdir()) == names


def test_a_name_that_is_no_model_is_said_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--model", "nothing", "-o", str(tmp_path / "made")]) == 1
    error = capsys.readouterr().err
    assert "--model: got 'nothing'" in error and "piano-small" in error and "basic-pitch" in error
    assert not (tmp_path / "made").exists()
