"""Rows, image and file of the picture."""

from pathlib import Path

import numpy as np
import pytest
from oracles_transcribe import ideal, notes

from symbolic.notes import Notes
from symbolic.picture import MOST_ROWS
from symbolic.posteriorgram import Posteriorgram
from transcribe.picture import pitch_range, row_edges, row_image, save_picture


def silent(seconds: float, start: float = 0.0) -> Posteriorgram:
    level = np.zeros((round(seconds / 0.02), 88), dtype=np.float32)
    return Posteriorgram(level, None, None, None, hop=0.02, start=start, duration=start + seconds)


@pytest.mark.parametrize(
    ("seconds", "rows", "length"),
    [(8.0, 1, 8.0), (50.0, 3, 20.0), (3600.0, MOST_ROWS, 150.0)],
)
def test_rows_hold_twenty_seconds_until_there_are_too_many(seconds: float, rows: int, length: float) -> None:
    edges = row_edges(silent(seconds))
    assert len(edges) == rows + 1
    assert np.diff(edges) == pytest.approx(length)
    assert edges[0] == 0.0


def test_rows_begin_where_the_excerpt_does() -> None:
    assert row_edges(silent(10.0, start=90.0))[0] == pytest.approx(89.99)


def test_a_short_note_does_not_fade_in_a_long_row() -> None:
    level = np.zeros((10_000, 88), dtype=np.float32)
    level[4321, 39] = 0.8
    image = row_image(Posteriorgram(level, None, None, None, hop=0.02, duration=200.0), 0.0, 200.0)
    assert image.shape[0] == 88
    assert image.shape[1] <= 2000
    assert image[39].max() == np.float32(0.8)
    assert image.argmax(axis=1)[39] == pytest.approx(4321 / 10_000 * image.shape[1], abs=1)


def test_a_row_past_the_end_is_blank() -> None:
    assert row_image(silent(10.0), 5.0, 25.0).shape == (88, 1000)
    assert not row_image(silent(10.0), 20.0, 40.0).any()


def test_all_pitches_are_shown() -> None:
    low, high = pitch_range(silent(1.0), notes((0.0, 0.5, 21, 64), (0.0, 0.5, 108, 64)))
    assert (low, high) == (21, 108)


@pytest.mark.parametrize("played", [notes((0.2, 0.6, 60, 50), (0.6, 21.0, 60, 90)), Notes.empty()])
def test_the_png_is_written_whole(tmp_path: Path, played: Notes) -> None:
    target = tmp_path / "picture.png"
    save_picture(target, ideal(played, duration=25.0), played, "$\\no{formula$.wav")
    data = target.read_bytes()
    assert data.startswith(b"\x89PNG") and data.rstrip().endswith(b"IEND\xaeB`\x82")
    assert list(tmp_path.iterdir()) == [target]


def test_the_picture_shows_the_notes(tmp_path: Path) -> None:
    from matplotlib.image import imread

    played = notes((1.0, 9.0, 60, 50))
    for name, shown in (("with", played), ("without", Notes.empty())):
        save_picture(tmp_path / f"{name}.png", silent(10.0), shown, "x")
    different = (imread(tmp_path / "with.png") != imread(tmp_path / "without.png")).any(axis=(0, 2))
    # A line of 8 of the 10 seconds, across about 1500 columns.
    assert different.sum() > 1000
