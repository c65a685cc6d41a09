"""Where there is no ffmpeg, PyAV reads what libsndfile cannot: m4a and the sound of videos."""

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from oracles_acoustic import sine

from acoustic import ffmpeg, pyav
from acoustic.audio import RATE_HZ, DamagedRecording, read_audio
from symbolic.errors import NotebeamError
from symbolic.posteriorgram import Posteriorgram

NATIVE_HZ = 44_100


@pytest.fixture(autouse=True)
def no_ffmpeg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not ffmpeg.is_installed()


def tones(seconds: float) -> np.ndarray:
    """(S, 2) an octave apart: 440 Hz for a second, then 880 Hz, and so on; the right channel is silent."""
    parts = [sine(440 * (1 + second % 2), 1.0, NATIVE_HZ) for second in range(int(seconds))]
    left = np.concatenate(parts)
    return np.stack([left, np.zeros_like(left)], axis=1).astype(np.float32)


def saved(path: Path, samples: np.ndarray, *, video: bool = False) -> Path:
    """AAC in a container of the suffix's kind, maybe after a track of pictures."""
    with av.open(str(path), "w") as container:
        if video:
            pictures = container.add_stream("mpeg4", rate=5)
            pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
        sound = container.add_stream("aac", rate=NATIVE_HZ, layout="stereo")
        if video:
            for number in range(5 * len(samples) // NATIVE_HZ):
                picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8), format="rgb24")
                container.mux(pictures.encode(picture))
            container.mux(pictures.encode(None))
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
        frame.rate = NATIVE_HZ
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def loudest_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum)) * RATE_HZ / len(samples)


@pytest.mark.parametrize(("name", "video"), [("a.m4a", False), ("a.mp4", True), ("a.mkv", True)])
def test_a_container_s_sound_keeps_its_pitch_level_and_times(tmp_path: Path, name: str, video: bool) -> None:
    audio = read_audio(saved(tmp_path / name, tones(4.0), video=video))
    assert len(audio) / RATE_HZ == pytest.approx(4.0, abs=0.1)
    for second in range(4):
        middle = audio[second * RATE_HZ + 3200 : (second + 1) * RATE_HZ - 3200]
        assert loudest_hz(middle) == pytest.approx(440 * (1 + second % 2), abs=2)
        assert np.abs(middle).max() == pytest.approx(0.25, rel=0.1)  # the mean with a silent channel


def test_a_part_is_the_part_of_the_whole(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.m4a", tones(30.0))  # more than a block
    whole, part = read_audio(path), read_audio(path, start=8.5, stop=21.0)
    assert len(part) == pytest.approx(12.5 * RATE_HZ, abs=2)
    difference = whole[round(8.5 * RATE_HZ) :][: len(part)] - part
    assert np.abs(difference[100:-100]).max() < 0.01  # resampled from another sample on
    with pytest.raises(NotebeamError, match="expected audio between 40 s and its end"):
        read_audio(path, start=40.0)


def test_a_cut_file_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    # A stream of packets, of which half is there; an .m4a has its index at the end and would be lost.
    path = saved(tmp_path / "a.mkv", tones(6.0))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(3000) + whole[len(whole) // 2 + 3000 :])
    faults: list[DamagedRecording] = []
    audio = read_audio(path, damage=faults.append)
    assert 2.0 < len(audio) / RATE_HZ <= 6.1
    assert len(faults) == 1 and "PyAV" in str(faults[0])


def test_a_list_of_files_opens_none_of_them(tmp_path: Path) -> None:
    saved(tmp_path / "secret.m4a", tones(1.0))
    path = tmp_path / "list.ffconcat"
    path.write_text("ffconcat version 1.0\nfile secret.m4a\n")
    with pytest.raises(NotebeamError, match=r"list\.ffconcat"):
        list(pyav.blocks(path, 0.0, None, []))


def test_a_video_without_sound_and_no_video_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mute.mp4"
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=5)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(pictures.encode(picture))
        container.mux(pictures.encode(None))
    with pytest.raises(NotebeamError, match=r"mute\.mp4: got 'no audio in it', expected a recording"):
        read_audio(path)
    (tmp_path / "rubbish.mp4").write_bytes(b"\x00\x01\xff" * 3000)
    with pytest.raises(NotebeamError, match=r"rubbish\.mp4: got .*, expected a recording that PyAV can"):
        read_audio(tmp_path / "rubbish.mp4")


def test_without_both_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.m4a", tones(1.0))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(NotebeamError, match=r"a\.m4a: .*notebeam\[video\]"):
        read_audio(path)


def test_the_command_reads_a_video(tmp_path: Path) -> None:
    path = saved(tmp_path / "concert.mp4", tones(2.0), video=True)
    words = [str(path), "--model", "piano-small", "--decoder", "threshold", "--threads", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "transcribe", *words, "--save-posteriorgram", str(tmp_path / "p.npz")],
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    posteriorgram = Posteriorgram.load(tmp_path / "p.npz")
    assert posteriorgram.count * posteriorgram.hop == pytest.approx(2.0, abs=0.1)
    assert int(posteriorgram.frame[20:40].mean(axis=0).argmax()) == 69 - 21  # A4
