"""What ffmpeg may open: the file that it is given, by whatever name, and nothing else."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from acoustic import ffmpeg
from acoustic.audio import RATE_HZ, DamagedRecording, read_audio
from symbolic.errors import NotebeamError

pytestmark = pytest.mark.skipif(not ffmpeg.is_installed(), reason="no ffmpeg")
SECONDS = 0.5


def write_tone(path: Path) -> None:
    """Half a second of A4 as AAC, which ffmpeg alone can read."""
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ)
    wav = path.with_name("plain.wav")
    soundfile.write(wav, tone, RATE_HZ)
    assert os.spawnlp(os.P_WAIT, "ffmpeg", "ffmpeg", "-v", "error", "-i", str(wav), f"file:{path}") == 0
    wav.unlink()


NAMES = (
    "-i.m4a", "http:tone.m4a", "concat:a|b.m4a", "pipe:0.m4a", "data:x.m4a", "a%03d.m4a",
    "@file.m4a", "$(id).m4a",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_name_whatever_it_looks_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_tone(tmp_path / "tone.m4a")
    (tmp_path / "tone.m4a").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    samples = read_audio(Path(name))  # relative: nothing stands before the dash
    assert abs(len(samples) / RATE_HZ - SECONDS) < 0.1
    assert np.abs(samples).max() > 0.2


PLAYLISTS = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{secret}'\n",
    "m3u": "#EXTM3U\n{secret}\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" '
    'bandwidth="1"><BaseURL>{secret}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "lavfi": "amovie={secret}",
    "image": "{secret}",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_file_that_points_to_another_reads_nothing_else(tmp_path: Path, kind: str) -> None:
    write_tone(tmp_path / "secret.m4a")
    song = tmp_path / "song.m4a"
    for secret in ("secret.m4a", f"file:{tmp_path}/secret.m4a"):
        song.write_text(PLAYLISTS[kind].format(secret=secret) + "\n\x01")  # a byte that is no text
        with pytest.raises(NotebeamError, match=r"song\.m4a: got"):
            read_audio(song)


def test_the_other_file_would_be_read_without_the_restriction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above can fail: ffmpeg does follow a list of files where it may."""
    write_tone(tmp_path / "secret.m4a")
    (tmp_path / "song.m4a").write_text("ffconcat version 1.0\nfile 'secret.m4a'\n")
    monkeypatch.setattr(ffmpeg, "FORMATS", f"concat,{ffmpeg.FORMATS}")
    assert len(list(ffmpeg.blocks(tmp_path / "song.m4a", 0.0, None, []))) > 0


def test_no_format_that_is_allowed_points_to_other_files() -> None:
    followers = {
        "hls",
        "dash",
        "concat",
        "concatf",
        "image2",
        "lavfi",
        "sdp",
        "rtsp",
        "imf",
        "webm_dash_manifest",
    }
    assert not followers & set(ffmpeg.FORMATS.split(","))


def test_a_frame_whose_sum_is_wrong_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.tta"
    write_tone(path)
    read_audio(path)
    data = bytearray(path.read_bytes())
    data[-100:-60] = bytes(40)  # within the last frame, which ffmpeg would play
    path.write_bytes(data)
    with pytest.raises(DamagedRecording, match="ffmpeg: CRC error"):
        read_audio(path)


def test_the_complaint_is_the_line_and_not_how_often_it_came(tmp_path: Path) -> None:
    with (tmp_path / "complaints").open("w+b") as file:
        file.write(b"[alac @ 0x5] invalid element\n    Last message repeated 25 times\n")
        assert ffmpeg._complaint(file) == "invalid element"
        file.write(b"[au @ 0x5] Queue input is backward in time\n    Last message repeated 2 times\n")
        assert ffmpeg._complaint(file) == "invalid element"


def test_a_video_without_sound_has_no_audio_in_it(tmp_path: Path) -> None:
    words = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "color=black:s=64x64:d=1",
        str(tmp_path / "mute.mp4"),
    ]
    assert os.spawnvp(os.P_WAIT, "ffmpeg", words) == 0
    with pytest.raises(NotebeamError, match=r"mute\.mp4: got 'no audio in it', expected a recording"):
        read_audio(tmp_path / "mute.mp4")
