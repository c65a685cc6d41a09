"""Recordings in, mono float32 at the model's rate out, block by block.

Is: opening, mixing down, resampling and checking of audio files.
Is not: spectra (features) or chunking for the network (inference).
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from symbolic.errors import NotebeamError

Samples = npt.NDArray[np.float32]

RATE_HZ = 16_000
BLOCK_SECONDS = 10.0
SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".m4a", ".mp4", ".aac", ".wma"}
)
# A container may announce a little more than it holds (mp3 padding); more than this is a cut file.
MISSING_SECONDS = 0.25
MISSING_SHARE = 0.02  # of an mp3: where no header counts its frames, its length is guessed from its bit rate
LOUDEST = 64.0  # float files go over 1, but not by 36 dB: those hold integers


def read_audio(path: Path, start: float = 0.0, stop: float | None = None, rate_hz: int = RATE_HZ) -> Samples:
    """Mono samples (S,) of a recording between `start` and `stop` seconds; see `read_blocks`."""
    blocks = list(read_blocks(path, start, stop, rate_hz))
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)


def read_blocks(
    path: Path, start: float = 0.0, stop: float | None = None, rate_hz: int = RATE_HZ
) -> Iterator[Samples]:
    """Mono blocks (S,) float32 of a recording at `rate_hz`, in order, a few seconds each.

    Any rate and channel count; channels are averaged. What libsndfile cannot open is piped
    through ffmpeg where that is installed. Memory does not grow with the file's length.

    Args:
        path: the recording.
        start: seconds to skip.
        stop: seconds at which to end; None reads to the end.
        rate_hz: rate of the samples returned.

    Raises:
        NotebeamError: no such file, not audio, cut short, without samples, or with NaN or infinite samples.
    """
    import soxr

    stream: soxr.ResampleStream | None = None
    found = False
    for native_hz, block in _native_blocks(path, start, stop):
        found = True
        mono = block.mean(axis=1, dtype=np.float32)
        if not np.isfinite(mono).all():
            raise NotebeamError(str(path), "NaN or infinite samples", "finite samples")
        peak = float(np.abs(mono).max(initial=0.0))
        if peak > LOUDEST:
            raise NotebeamError(str(path), f"samples up to {peak:.0f}", "samples whose full scale is 1")
        if native_hz == rate_hz:
            yield mono
            continue
        stream = stream or soxr.ResampleStream(native_hz, rate_hz, 1, dtype="float32")
        resampled = stream.resample_chunk(mono)
        if len(resampled):
            yield resampled
    if not found:
        raise NotebeamError(str(path), "no samples", f"audio between {start:g} s and {_named(stop)}")
    if stream is not None:
        yield stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def duration(path: Path) -> float | None:
    """Length that the file announces, seconds; None where only decoding could tell."""
    import soundfile

    try:
        info = soundfile.info(str(path))
    except (soundfile.LibsndfileError, TypeError):  # TypeError: headerless .raw
        return None
    return float(info.frames) / float(info.samplerate)


def _named(stop: float | None) -> str:
    return "its end" if stop is None else f"{stop:g} s"


def _native_blocks(path: Path, start: float, stop: float | None) -> Iterator[tuple[int, Samples]]:
    """(rate, block (S, channels)) in the file's own rate."""
    import soundfile

    if not path.exists():
        raise NotebeamError(str(path), "no such file", "a recording")
    if not path.is_file():
        raise NotebeamError(str(path), "not a file", "a recording")
    if path.stat().st_size == 0:
        raise NotebeamError(str(path), "an empty file", "a recording")
    try:
        file = soundfile.SoundFile(str(path))
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: headerless .raw
        if _is_text(path) or shutil.which("ffmpeg") is None:
            reason = "not a format that can be read"
            expected = "wav, flac, ogg, opus, mp3 or aiff (others through ffmpeg, where it is installed)"
            raise NotebeamError(str(path), reason, expected) from error
        yield from _ffmpeg_blocks(path, start, stop)
        return
    with file:
        yield from _sndfile_blocks(file, path, start, stop)


def _sndfile_blocks(
    file: object, path: Path, start: float, stop: float | None
) -> Iterator[tuple[int, Samples]]:
    import soundfile

    assert isinstance(file, soundfile.SoundFile)
    rate_hz, announced = int(file.samplerate), int(file.frames)
    last = announced if stop is None else min(announced, round(stop * rate_hz))
    position = min(round(start * rate_hz), announced)
    try:
        file.seek(position)
        while position < last:
            block = file.read(
                min(round(BLOCK_SECONDS * rate_hz), last - position), dtype="float32", always_2d=True
            )
            if len(block) == 0:
                break
            position += len(block)
            yield rate_hz, block
    except soundfile.LibsndfileError as error:
        raise _cut(path, position / rate_hz, announced / rate_hz) from error
    missing = MISSING_SECONDS * rate_hz
    if file.format == "MP3":
        missing = max(missing, MISSING_SHARE * announced)
    if last - position > missing:
        raise _cut(path, position / rate_hz, announced / rate_hz)


def _cut(path: Path, found: float, announced: float) -> NotebeamError:
    return NotebeamError(str(path), f"sound up to {found:.1f} s", f"{announced:.1f} s, as the file announces")


def _is_text(path: Path) -> bool:
    """Whether the file begins like text: no need to ask ffmpeg about it."""
    with path.open("rb") as file:
        head = file.read(512)
    return all(byte in b"\t\r\n\f" or byte >= 32 for byte in head)


def _ffmpeg_blocks(path: Path, start: float, stop: float | None) -> Iterator[tuple[int, Samples]]:
    """Decoded by ffmpeg to mono at the model's rate, through a pipe."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-ss", str(start)]
    if stop is not None:
        command += ["-to", str(stop)]
    command += ["-i", f"file:{path}", "-f", "f32le", "-ac", "1", "-ar", str(RATE_HZ), "-"]
    size = round(BLOCK_SECONDS * RATE_HZ) * 4
    # Complaints go to a file: a full pipe that nobody reads would stop ffmpeg.
    with tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints) as process:
            assert process.stdout is not None
            while data := process.stdout.read(size):
                yield RATE_HZ, np.frombuffer(data[: len(data) // 4 * 4], dtype="<f4").reshape(-1, 1)
        complaints.seek(0)
        complaint = complaints.read().decode(errors="replace").strip()
    if process.returncode:
        reason = complaint.splitlines()[-1] if complaint else f"ffmpeg exit code {process.returncode}"
        raise NotebeamError(str(path), reason, "a recording that ffmpeg can decode")
