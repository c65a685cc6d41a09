"""Data sets: the readers on tiny sets made here, and the published sizes of the real ones."""

import gzip
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbolic.datasets import cache_folder, root, unpacked
from symbolic.datasets.asap import Performance, read_annotation, read_asap
from symbolic.datasets.classic import read_classic
from symbolic.datasets.maps import read_maps
from symbolic.datasets.pop909 import read_pop909
from symbolic.errors import NotebeamError
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes, read_tsv

NOTE = Notes.make([0.5], [1.0], [60], [64])

needs = {
    name: pytest.mark.skipif(
        not (root() / name).is_dir(), reason=f"no data at {root() / name} (NOTEBEAM_DATA)"
    )
    for name in ("symbolic", "asap", "pop909", "maps")
}


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, so that no test sees what another run unpacked."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("NOTEBEAM_CACHE", str(folder))
    return folder


def pack(archive: Path, content: Path) -> None:
    with tarfile.open(archive, "w:xz") as tar:
        for path in sorted(content.iterdir()):
            tar.add(path, path.name)


def test_folders_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTEBEAM_DATA", str(tmp_path))
    assert root() == tmp_path
    monkeypatch.delenv("NOTEBEAM_DATA")
    assert root().parts[-2:] == ("shared", "data")
    monkeypatch.delenv("NOTEBEAM_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "notebeam"


def test_an_archive_is_unpacked_once_and_anew_when_it_changes(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("first")
    pack(tmp_path / "set.tar.xz", tmp_path / "in")
    folder = unpacked(tmp_path / "set.tar.xz")
    assert (folder / "a.txt").read_text() == "first" and cache in folder.parents
    (folder / "a.txt").write_text("still here")
    assert (unpacked(tmp_path / "set.tar.xz") / "a.txt").read_text() == "still here"
    os.utime(tmp_path / "set.tar.xz", (0, 0))
    assert (unpacked(tmp_path / "set.tar.xz") / "a.txt").read_text() == "first"


@pytest.mark.parametrize("keep", [0, 10, 100])
def test_a_damaged_archive_is_refused_and_leaves_nothing(tmp_path: Path, cache: Path, keep: int) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.bin").write_bytes(np.random.default_rng(0).bytes(5000))
    pack(tmp_path / "set.tar.xz", tmp_path / "in")
    (tmp_path / "set.tar.xz").write_bytes((tmp_path / "set.tar.xz").read_bytes()[:keep])
    with pytest.raises(NotebeamError, match=r"set\.tar\.xz: got 'damage .*expected a whole tar archive"):
        unpacked(tmp_path / "set.tar.xz")
    assert not [path for path in cache.rglob("*") if path.is_file() or path.name.startswith(".")]


def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "evil").write_text("out")
    with tarfile.open(tmp_path / "set.tar.xz", "w:xz") as tar:
        tar.add(tmp_path / "evil", "../../../evil")
    with pytest.raises(NotebeamError, match=r"set\.tar\.xz: got 'damage"):
        unpacked(tmp_path / "set.tar.xz")
    assert not list(cache.rglob("evil"))


def test_asap_reads_its_table_and_archive(tmp_path: Path) -> None:
    (tmp_path / "in" / "Bach").mkdir(parents=True)
    write_midi(tmp_path / "in" / "Bach" / "One.mid", NOTE)
    pack(tmp_path / "performances.tar.xz", tmp_path / "in")
    table = tmp_path / "metadata.csv"
    table.write_text("composer,title,folder,midi,split\nBach,Fugue,Bach,Bach/One.mid,train\n")
    (performance,) = read_asap(tmp_path)
    assert (performance.name, performance.composer, performance.title) == ("Bach/One", "Bach", "Fugue")
    assert performance.split == "train" and performance.notes.pitch.tolist() == [60]
    assert performance.path.is_file()
    table.write_text("composer,title,folder,midi\nBach,Fugue,Bach,Bach/One.mid\n")
    with pytest.raises(NotebeamError, match=r"metadata\.csv line 1: .*expected also the columns split"):
        read_asap(tmp_path)
    table.write_text("composer,title,folder,midi,split\nBach,Fugue,Bach,,train\n")
    with pytest.raises(NotebeamError, match=r"metadata\.csv line 2 midi: got ''"):
        read_asap(tmp_path)


def test_a_missing_set_says_where_it_was_sought(tmp_path: Path) -> None:
    for read in (read_asap, read_pop909, lambda folder: read_maps("synth", folder)):
        with pytest.raises(NotebeamError, match=rf"{tmp_path}.*no such file.*NOTEBEAM_DATA"):
            read(tmp_path)


def write_classic(folder: Path, content: Any) -> None:
    (folder / "jsb.json.gz").write_bytes(gzip.compress(json.dumps(content).encode()))


def test_a_classic_set_becomes_rolls(tmp_path: Path) -> None:
    write_classic(tmp_path, {"train": [[[21, 108], [], [60]]], "valid": [], "test": [[[]]]})
    content = read_classic("jsb", tmp_path)
    (piece,) = content.train
    assert piece.dtype == np.bool_ and [tuple(cell) for cell in np.argwhere(piece)] == [
        (0, 0),
        (0, 87),
        (2, 39),
    ]
    assert content.valid == [] and content.test[0].shape == (1, 88)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], r"train: got 'no such list'"),
        ({"train": [], "valid": []}, r"test: got 'no such list'"),
        (
            {"train": [[[20]]], "valid": [], "test": []},
            r"train piece 0: got 20, expected MIDI pitches 21\.\.108",
        ),
        ({"train": [[60]], "valid": [], "test": []}, r"train piece 0: got 'something else'"),
        (
            {"train": [[[60]]], "valid": [[[60]], []], "test": []},
            r"valid piece 1: got 'an empty piece', expected at least one step",
        ),
    ],
)
def test_a_wrong_classic_set_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    write_classic(tmp_path, content)
    with pytest.raises(NotebeamError, match=r"jsb\.json\.gz: " + message):
        read_classic("jsb", tmp_path)


def test_damage_and_unknown_names_are_refused(tmp_path: Path) -> None:
    (tmp_path / "jsb.json.gz").write_bytes(gzip.compress(b'{"train": []}')[:-9])
    with pytest.raises(NotebeamError, match=r"jsb\.json\.gz: got 'damage .*expected gzipped JSON"):
        read_classic("jsb", tmp_path)
    with pytest.raises(
        NotebeamError, match=r"read_classic\(name\): got 'bach', expected one of piano_midi, "
    ):
        read_classic("bach")  # type: ignore[arg-type]
    with pytest.raises(
        NotebeamError, match=r"read_maps\(part\): got 'test', expected one of real-dev, synth"
    ):
        read_maps("test")  # type: ignore[arg-type]


# Pieces and steps of train, valid, test; notes a step and share of silent steps in test; lowest and
# highest pitch; keys never on in train. Printed in the project's reference sheet, section 1.
SIZES: list[Any] = [
    ("piano_midi", (87, 12, 25), (75911, 8540, 19036), 2.945, 0.034, (21, 108), 0),
    ("nottingham", (694, 173, 170), (176561, 45513, 44463), 3.990, 0.0004, (31, 93), 31),
    ("musedata", (524, 135, 124), (245202, 82755, 64339), 3.293, 0.078, (21, 105), 12),
    ("jsb", (229, 76, 77), (13807, 4602, 4725), 3.887, 0.004, (43, 96), 37),
]


@needs["symbolic"]
@pytest.mark.parametrize(("name", "pieces", "steps", "notes", "silent", "span", "never"), SIZES)
def test_the_classic_sets_have_the_published_sizes(
    name: Any, pieces: Any, steps: Any, notes: float, silent: float, span: Any, never: int
) -> None:
    content = read_classic(name)
    splits = (content.train, content.valid, content.test)
    assert tuple(len(split) for split in splits) == pieces
    assert tuple(sum(len(piece) for piece in split) for split in splits) == steps
    test, train = np.concatenate(content.test), np.concatenate(content.train)
    assert test.sum() / len(test) == pytest.approx(notes, abs=0.0006)
    assert (~test.any(axis=1)).mean() == pytest.approx(silent, abs=0.0006)
    keys = np.flatnonzero(np.concatenate([train, test, *content.valid]).any(axis=0))
    assert (keys[0] + 21, keys[-1] + 21) == span
    assert (~train.any(axis=0)).sum() == never


def test_annotated_beats_rise_whatever_the_order_of_the_lines(tmp_path: Path) -> None:
    performance = Performance("p", "c", "t", "train", NOTE, tmp_path / "p.mid")
    table = tmp_path / "p_annotations.txt"
    lines = ("1.0\t1.0\tdb,6/8,-2", "2.0\t2.0\tb", "1.5\t1.5\tdb", "1.8\t1.8\tb,3/4", "2.5\t2.5\tdb,,1")
    table.write_text("\n".join(lines))
    found = read_annotation(performance)
    assert found.times.tolist() == [1.0, 2.0, 2.5] and found.downbeat.tolist() == [True, False, True]
    assert found.thirds.tolist() == [True, True, False] and found.fifths.tolist() == [-2, -2, 1]
    for text, message in (
        ("", "got 'no beats', expected a beat"),
        ("1.0 1.0 db", "line 1: got '1.0 1.0 db'"),
    ):
        table.write_text(text)
        with pytest.raises(NotebeamError, match=message):
            read_annotation(performance)


@needs["asap"]
def test_asap_is_whole_and_its_splits_share_no_composition() -> None:
    performances = read_asap()
    assert len(performances) == 474 == len({performance.name for performance in performances})
    homes: dict[tuple[str, str], set[str]] = {}
    for performance in performances:
        homes.setdefault((performance.composer, performance.title), set()).add(performance.split)
    assert all(len(splits) == 1 for splits in homes.values())
    assert min(len(performance.notes) for performance in performances) > 50


@needs["pop909"]
def test_pop909_is_whole() -> None:
    songs = read_pop909()
    assert [song.name for song in songs] == [f"{number:03d}" for number in range(1, 910)]
    assert min(len(song.notes) for song in songs) > 100


@needs["maps"]
def test_maps_is_whole_and_its_parts_share_no_composition() -> None:
    real, synth = read_maps("real-dev"), read_maps("synth")
    assert (len(real), len(synth)) == (15, 121)
    assert len({recording.composition for recording in real}) == 11
    assert not {recording.composition for recording in real} & {recording.composition for recording in synth}
    assert sum(len(read_tsv(recording.table)) for recording in real) == 16002
    assert sum(len(read_tsv(recording.table)) for recording in synth) == 173893
    assert sum(recording.seconds for recording in real) == pytest.approx(33 * 60, abs=30)
