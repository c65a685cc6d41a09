"""What is in a page: tiles, notes, recording, and nothing that a name could break or that is fetched."""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from oracles_transcribe import notes

from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram
from transcribe.page import page
from transcribe.page.page import write_page
from transcribe.page.tiles import COLUMNS, Layer, layers

FOLDER = Path(page.__file__).parent
MUSIC = notes((0.10, 0.90, 60, 64), (0.1104, 0.90, 64, 80), (1.00, 1.21, 72, 100))
HOSTILE = "</script><script>alert(1)</script><!--&amp;\"'\u2028\udcff.wav"


def noise(count: int, hop: float = 0.02, start: float = 0.0) -> Posteriorgram:
    frame = np.random.default_rng(0).random((count, 88), dtype=np.float32)
    return Posteriorgram(frame, hop=hop, start=start)


def silent(seconds: float, start: float = 0.0) -> Posteriorgram:
    return Posteriorgram(np.zeros((round(seconds * 50), 88), dtype=np.float32), hop=0.02, start=start)


def levels_of(layer: Layer) -> np.ndarray:
    """(T, 88) 0..15, as matplotlib reads the tiles."""
    from matplotlib.image import imread

    images = [imread(io.BytesIO(base64.b64decode(tile)), format="png") for tile in layer["tiles"]]
    assert all(image.shape[1] == COLUMNS for image in images[:-1])
    return np.rint(np.flipud(np.concatenate(images, axis=1)[:, :, 3]).T * 15).astype(int)


def data_of(path: Path) -> dict[str, Any]:
    """What the page's script reads."""
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"))
    assert len(found) == 1
    data: dict[str, Any] = json.loads(found[0])
    return data


def audio_of(path: Path) -> tuple[np.ndarray, int]:
    """Samples and rate of the recording inside."""
    text = path.read_text("utf-8").partition('<script type="text/plain" id="audio">')[2].partition("<")[0]
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(text)))
    return samples, rate


def clicks(path: Path, *times: float, seconds: float = 4.0, rate: int = 16_000) -> Path:
    """A recording, silent but for a short tone at each time."""
    samples = np.zeros(round(seconds * rate))
    for time in times:
        at = round(time * rate)
        samples[at : at + 800] = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(800) / rate)
    soundfile.write(path, samples, rate)
    return path


def test_tiles_hold_the_nearest_of_sixteen_levels() -> None:
    posteriorgram = noise(5001)
    fine, coarse = layers(posteriorgram)
    expected = np.rint(posteriorgram.frame * 15).astype(int)
    assert (fine["seconds"], fine["columns"], len(fine["tiles"])) == (0.02, 5001, 3)
    np.testing.assert_array_equal(levels_of(fine), expected)
    assert (coarse["seconds"], coarse["columns"]) == (0.08, 1251)
    np.testing.assert_array_equal(
        levels_of(coarse), [expected[4 * i : 4 * i + 4].max(axis=0) for i in range(1251)]
    )


def test_what_is_too_large_loses_its_finest_layer() -> None:
    posteriorgram = noise(9000)
    sizes = [sum(map(len, layer["tiles"])) for layer in layers(posteriorgram)]
    assert len(sizes) == 3
    kept = layers(posteriorgram, largest=sum(sizes) - 1)
    assert [layer["seconds"] for layer in kept] == [0.08, 0.32]
    assert len(layers(posteriorgram, largest=1)) == 1  # a picture there always is


def test_no_frames_are_no_layers() -> None:
    assert layers(noise(0)) == []


def test_markup_style_and_script_are_small_and_fetch_nothing(tmp_path: Path) -> None:
    target = tmp_path / "p.html"
    write_page(target, silent(1.0), Notes.empty(), "x")
    text = target.read_text("utf-8")
    assert len(text.encode()) < 150_000
    assert not re.findall(r"https?:|//\w+\.|@import|url\(", re.sub(r"(?m)^\s*//.*$", "", text))
    for address in re.findall(r'\b(?:src|href)="([^"]*)"', text):
        assert address == "data:,"


@pytest.mark.parametrize("name", [HOSTILE, "{{data}}{{audio}}", ""])
def test_no_title_breaks_out(tmp_path: Path, name: str) -> None:
    for title in ("plain", name):
        write_page(tmp_path / f"{len(title)}.html", silent(1.0), MUSIC, title)
    plain, other = ((tmp_path / f"{len(t)}.html").read_text("utf-8") for t in ("plain", name))
    for mark in ("<script", "</script", "<!--", "<b"):
        assert other.count(mark) == plain.count(mark)
    assert data_of(tmp_path / f"{len(name)}.html")["title"] == name


def test_the_notes_are_in_it_to_a_tenth_of_a_millisecond(tmp_path: Path) -> None:
    sure = Notes.make(MUSIC.onset, MUSIC.offset, MUSIC.pitch, MUSIC.velocity, [0.1234, 0.5, 1.0])
    write_page(tmp_path / "p.html", silent(2.0), sure, "x")
    found = data_of(tmp_path / "p.html")
    columns = found["notes"]
    assert [onset / columns["timeUnits"] for onset in columns["onset"]] == [0.1, 0.1104, 1.0]
    assert [length / columns["timeUnits"] for length in columns["length"]] == [0.8, 0.7896, 0.21]
    assert (columns["pitch"], columns["velocity"]) == ([60, 64, 72], [64, 80, 100])
    assert [sure / columns["confidenceUnits"] for sure in columns["confidence"]] == [0.123, 0.5, 1.0]
    assert found["recording"] is None and found["end"] == pytest.approx(2.02)


def test_notes_without_confidence_say_so(tmp_path: Path) -> None:
    write_page(tmp_path / "p.html", silent(2.0), MUSIC, "x")
    assert data_of(tmp_path / "p.html")["notes"]["confidence"] is None


def test_the_recording_inside_is_in_time(tmp_path: Path) -> None:
    source = clicks(tmp_path / "a.wav", 1.5, 3.25)
    assert write_page(tmp_path / "p.html", silent(2.0, start=1.0), MUSIC, "x", source) is None
    samples, rate = audio_of(tmp_path / "p.html")
    assert len(samples) / rate == pytest.approx(2.02, abs=0.05)
    assert data_of(tmp_path / "p.html")["begin"] == 1.0
    loud = np.flatnonzero(np.abs(samples) > 0.25) / rate
    # The tone of 3.25 s is past the part's end at 3 s.
    assert loud[0] == pytest.approx(0.5, abs=0.003) and loud[-1] == pytest.approx(0.55, abs=0.003)


def test_a_recording_over_full_scale_is_softer_in_the_page(tmp_path: Path) -> None:
    samples = 4.0 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)
    soundfile.write(tmp_path / "loud.wav", samples, 16_000, subtype="FLOAT")
    write_page(tmp_path / "p.html", silent(2.0), MUSIC, "x", tmp_path / "loud.wav")
    assert np.abs(audio_of(tmp_path / "p.html")[0]).max() == pytest.approx(1.0, abs=0.1)


def test_a_long_recording_lies_beside_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "LONGEST_INSIDE", 3.0)
    source = clicks(tmp_path / "a.wav", 1.5)
    beside = write_page(tmp_path / "a #1.html", silent(4.0), MUSIC, "x", source)
    assert beside == tmp_path / "a #1.html.mp3"
    assert data_of(tmp_path / "a #1.html")["recording"] == {"file": "a%20%231.html.mp3"}
    samples, rate = soundfile.read(tmp_path / "a #1.html.mp3")
    assert np.argmax(np.abs(samples) > 0.25) / rate == pytest.approx(1.5, abs=0.003)
    # 64 kbit/s, whatever there is to hear.
    assert (tmp_path / "a #1.html.mp3").stat().st_size == pytest.approx(4.0 * 8_000, rel=0.1)


def test_the_recording_itself_is_never_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "LONGEST_INSIDE", 0.5)
    source = clicks(tmp_path / "a.wav", 1.0).rename(tmp_path / "p.html.mp3")
    before = source.read_bytes()
    with pytest.raises(NotebeamError, match=r"p\.html\.mp3: got 'the recording itself', expected another"):
        write_page(tmp_path / "p.html", silent(2.0), MUSIC, "x", source)
    assert source.read_bytes() == before and list(tmp_path.iterdir()) == [source]


def test_of_a_cut_recording_what_is_there_is_in_it(tmp_path: Path) -> None:
    source = clicks(tmp_path / "a.wav", 0.5)
    source.write_bytes(source.read_bytes()[:64_044])
    write_page(tmp_path / "p.html", silent(2.0), MUSIC, "x", source)
    samples, rate = audio_of(tmp_path / "p.html")
    assert len(samples) / rate == pytest.approx(2.0, abs=0.05)


def test_every_part_of_the_page_is_in_the_wheel() -> None:
    import tomllib

    table = tomllib.loads((FOLDER.parents[1] / "pyproject.toml").read_text("utf-8"))
    patterns = table["tool"]["setuptools"]["package-data"]["*"]
    parts = [path for path in FOLDER.iterdir() if path.suffix not in (".py", "")]
    assert {path.name for path in parts} == {"page.html", "page.css", *page.SCRIPTS}
    assert all(any(path.match(pattern) for pattern in patterns) for path in parts)
