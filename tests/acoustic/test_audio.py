"""Reading audio: any rate, channel count and container in, mono blocks at one rate out."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from oracles_acoustic import sine

from acoustic.audio import BLOCK_SECONDS, RATE_HZ, duration, read_audio, read_blocks
from symbolic.errors import NotebeamError


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
@pytest.mark.parametrize("rate_hz", [8_000, 44_100])
def test_a_tone_keeps_its_pitch_level_and_length(tmp_path: Path, suffix: str, rate_hz: int) -> None:
    path = tmp_path / f"tone{suffix}"
    soundfile.write(path, sine(440, 2.0, rate_hz), rate_hz)
    audio = read_audio(path)
    assert audio.dtype == np.float32
    assert abs(len(audio) / RATE_HZ - 2.0) < 0.08  # mp3 pads
    middle = audio[8000:24000]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == 440  # one line a hertz in a second
    assert np.abs(middle).max() == pytest.approx(0.5, rel=0.1)  # mp3 at 8 kHz ripples


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "eight.wav"
    channels = np.arange(8)[None] / 16 * np.ones((4800, 1))
    soundfile.write(path, channels, 192_000, subtype="FLOAT")
    # Mean of 0, 1/16, ..., 7/16; the resampler's edges are left out.
    assert read_audio(path)[100:-100] == pytest.approx(3.5 / 16, abs=1e-3)


def test_blocks_joined_are_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, round(2.5 * BLOCK_SECONDS * 22_050))
    soundfile.write(path, noise, 22_050)
    blocks = list(read_blocks(path))
    assert len(blocks) >= 3
    import soxr

    stored, _ = soundfile.read(path, dtype="float32")
    whole = soxr.resample(stored, 22_050, RATE_HZ)
    joined = np.concatenate(blocks)
    assert len(joined) == len(whole)
    assert np.abs(joined - whole).max() < 1e-4


def test_start_and_stop_cut_in_seconds(tmp_path: Path) -> None:
    path = tmp_path / "ramp.wav"
    soundfile.write(path, np.linspace(0, 1, 4 * RATE_HZ), RATE_HZ, subtype="FLOAT")
    part = read_audio(path, start=1.0, stop=2.5)
    assert len(part) == 1.5 * RATE_HZ
    assert part[0] == pytest.approx(0.25, abs=1e-4)
    assert duration(path) == 4.0


def broken(folder: Path, kind: str) -> Path:
    """A file that is no recording, of one kind or another."""
    path = folder / f"{kind}.wav"
    if kind == "text":
        path.write_text("this is a text file, and a long one at that\n" * 40)
    elif kind == "empty":
        path.touch()
    elif kind == "no samples":
        soundfile.write(path, np.zeros(0), RATE_HZ)
    elif kind == "nan":
        soundfile.write(path, np.array([0.1, np.nan, 0.2]), RATE_HZ, subtype="FLOAT")
    elif kind == "folder":
        path.mkdir()
    elif kind == "cut":
        path = folder / "cut.mp3"
        soundfile.write(path, sine(440, 20.0), RATE_HZ)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file"),
        ("folder", "got 'a folder', expected a recording"),
        ("empty", "an empty file"),
        ("text", "not a format that can be read"),
        ("no samples", "no samples"),
        ("nan", "NaN or infinite"),
        ("cut", "the last frame is cut"),
    ],
)
def test_what_is_no_recording_is_refused_by_name(tmp_path: Path, kind: str, message: str) -> None:
    path = broken(tmp_path, kind)
    with pytest.raises(NotebeamError, match=message) as caught:
        read_audio(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pipe_is_refused_by_whoever_looks_at_it_first(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for look in (duration, read_audio):
        with pytest.raises(NotebeamError, match=r"pipe\.wav: got 'a pipe', expected a recording"):
            look(tmp_path / "pipe.wav")


def test_an_mp3_without_a_count_of_its_frames_is_read_whole(tmp_path: Path) -> None:
    path, seconds = tmp_path / "a.mp3", 120
    with soundfile.SoundFile(
        path, "w", 44_100, 1, format="MP3", bitrate_mode="CONSTANT", compression_level=0.9999
    ) as file:  # 32 kbit/s: too little for the header
        file.write(np.random.default_rng(0).normal(0, 0.1, seconds * 44_100))
    assert len(read_audio(path)) / RATE_HZ == pytest.approx(seconds, abs=0.1)


def test_a_part_beyond_the_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, sine(440, 1.0), RATE_HZ)
    with pytest.raises(NotebeamError, match=r"got '1\.0 s', expected audio between 5 s and its end"):
        read_audio(path, start=5.0)
