"""Audio that libsndfile cannot open, decoded by the program ffmpeg through a pipe.

ffmpeg opens what a file tells it to open, so it is held to the file that was given: no protocol but plain
files, no container that can point to other files (playlists, concatenations, image sequences, filter graphs),
and a name that is a path, whatever it looks like.
"""

import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from symbolic.errors import NotebeamError, one_line

# Demuxers that read one file and nothing else. Not NUT, in which ffmpeg leaps over holes without a word.
FORMATS = (
    "aac,ac3,aiff,alaw,amr,amrnb,amrwb,ape,apm,asf,ast,au,avi,caf,dff,dsf,dts,dtshd,eac3,flac,flv,gsm,iff,ircam,"
    "loas,matroska,webm,mlp,mmf,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpc,mpc8,mpeg,mpegts,mulaw,mxf,nsv,ogg,oma,"
    "osq,qcp,rm,sox,tak,truehd,tta,voc,w64,wav,wtv,wv,xwma"
)
LARGEST_BLOCK = 256 << 20  # bytes that ffmpeg may ask for at once
LONGEST_COMPLAINT = 65_536  # bytes at the end of all that it writes
SECONDS = 10.0  # of a block
NO_AUDIO = "does not contain any stream"  # what ffmpeg says of its output for a video without sound
# What ffmpeg says about timestamps concerns nobody who reads samples.
HARMLESS = (
    "non monotonically increasing dts",
    "Timestamps are unset",
    "Queue input is backward in time",
    "Last message repeated",
)


def is_installed() -> bool:
    return shutil.which("ffmpeg") is not None


def blocks(
    path: Path, start: float, stop: float | None, faults: list[str]
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """(rate, block (S, channels)) between `start` and `stop` seconds, counted from the first sample.

    ffmpeg itself would seek by timestamps, which need not begin at 0, nor go on without holes.

    Args:
        faults: what ffmpeg complains about is appended, even where it goes on.

    Raises:
        NotebeamError: ffmpeg cannot decode the file at all.
    """
    url = f"file:{os.path.abspath(path)}"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-max_alloc", str(LARGEST_BLOCK)]
    command += ["-err_detect", "crccheck"]  # of formats with sums, damage would be played
    command += ["-protocol_whitelist", "file,pipe", "-format_whitelist", FORMATS]
    command += ["-i", url, "-vn", "-sn", "-dn", "-f", "au", "-c:a", "pcm_f32be", "-"]
    found = False
    # Complaints go to a file: a full pipe that nobody reads would stop ffmpeg.
    with tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints) as process:
            assert process.stdout is not None
            position, ended = 0.0, False  # seconds
            for rate_hz, block in _au_blocks(process.stdout):
                found = True
                part = between(block, rate_hz, start - position, None if stop is None else stop - position)
                position += len(block) / rate_hz
                if len(part):
                    yield rate_hz, part
                if stop is not None and position >= stop:
                    ended = True
                    process.kill()
                    break
        complaint = _complaint(complaints).replace(f"{url}: ", "")
    if process.returncode and not found:
        if NO_AUDIO in complaint:
            complaint = "no audio in it"
        reason = "; ".join([*faults, complaint or f"ffmpeg exit code {process.returncode}"])
        raise NotebeamError(str(path), reason, "a recording that ffmpeg can decode")
    if complaint or (process.returncode and not ended):
        faults.append(f"ffmpeg: {complaint or process.returncode}")


def between(
    block: npt.NDArray[np.float32], rate_hz: int, start: float, stop: float | None
) -> npt.NDArray[np.float32]:
    """The samples of a block (S, channels) between `start` and `stop` seconds from its first."""
    last = len(block) if stop is None else max(0, round(stop * rate_hz))
    return block[max(0, round(start * rate_hz)) : last]


def _au_blocks(stream: IO[bytes]) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Blocks of an .au of big-endian float32, which tells its rate and channels."""
    head = stream.read(24)
    if len(head) < 24:
        return
    body, _, _, rate_hz, channels = struct.unpack(">4x5I", head)
    stream.read(body - 24)
    size = max(1, min(round(SECONDS * rate_hz), LARGEST_BLOCK // 4 // max(channels, 1) // 4)) * channels * 4
    while data := stream.read(size):
        whole = data[: len(data) // (4 * channels) * 4 * channels]
        yield rate_hz, np.frombuffer(whole, dtype=">f4").astype(np.float32).reshape(-1, channels)


def _complaint(file: IO[bytes]) -> str:
    """The last line that ffmpeg wrote, without its own addresses in memory."""
    begin = max(0, file.seek(0, os.SEEK_END) - LONGEST_COMPLAINT)
    file.seek(begin)
    lines = file.read().decode(errors="replace").splitlines()[1 if begin else 0 :]
    lines = [line for line in lines if line.strip() and not any(word in line for word in HARMLESS)]
    return one_line(lines[-1].rpartition("] ")[2])[:300] if lines else ""
