"""Audio that libsndfile cannot open, decoded by the library PyAV where the program ffmpeg is missing.

PyAV (the extra `video`) brings the libraries of ffmpeg with it. Which formats a file may make them open is
limited as in `acoustic.ffmpeg`.
"""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from acoustic.ffmpeg import FORMATS, SECONDS, between
from symbolic.errors import NotebeamError, one_line

if TYPE_CHECKING:
    from av.container import InputContainer

Samples = npt.NDArray[np.float32]

EXTRA = "notebeam[video]"


def is_installed() -> bool:
    try:
        return find_spec("av") is not None
    except ValueError:  # something without a spec stands in its place
        return False


def blocks(path: Path, start: float, stop: float | None, faults: list[str]) -> Iterator[tuple[int, Samples]]:
    """(rate, block (S, channels)) between `start` and `stop` seconds, counted from the first sample.

    Args:
        faults: what cannot be decoded is appended; the rest is given.

    Raises:
        NotebeamError: there is no audio in the file, or nothing of it can be decoded.
    """
    import av

    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file,pipe"}
    try:
        container = av.open(f"file:{os.path.abspath(path)}", options=options, metadata_errors="ignore")
    except (av.FFmpegError, OSError) as error:
        raise _undecodable(path, _reason(error)) from error
    with container:
        if not container.streams.audio:
            raise _undecodable(path, "no audio in it")
        position = 0.0  # seconds
        for rate_hz, block in _joined(_pieces(container, faults)):
            part = between(block, rate_hz, start - position, None if stop is None else stop - position)
            position += len(block) / rate_hz
            if len(part):
                yield rate_hz, part
            if stop is not None and position >= stop:
                return
        if not position:
            raise _undecodable(path, faults[0] if faults else "no samples in it")


def _joined(pieces: Iterator[tuple[int, Samples]]) -> Iterator[tuple[int, Samples]]:
    """Pieces of a few milliseconds as blocks of `SECONDS`."""
    held: list[Samples] = []
    rate_hz, count = 0, 0
    for piece_hz, piece in pieces:
        is_other = bool(held) and (piece_hz, piece.shape[1]) != (rate_hz, held[0].shape[1])
        if held and (is_other or count >= SECONDS * rate_hz):
            yield rate_hz, np.concatenate(held)
            held, count = [], 0
        held.append(piece)
        rate_hz, count = piece_hz, count + len(piece)
    if held:
        yield rate_hz, np.concatenate(held)


def _pieces(container: "InputContainer", faults: list[str]) -> Iterator[tuple[int, Samples]]:
    """The first audio stream, frame by frame; what cannot be decoded is left out and, once, a fault."""
    import av

    packets = container.demux(container.streams.audio[0])
    bad = 0
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError) as error:
            faults.append(f"PyAV: {_reason(error)}")
            return
        if packet is None:
            break
        try:
            frames = packet.decode()
        except (av.FFmpegError, OSError) as error:
            if isinstance(error, av.EOFError):
                continue
            bad += 1
            if bad == 1:
                faults.append(f"PyAV: {_reason(error)}")
            continue
        for frame in frames:
            # One frame knows its own rate, layout and format: they may change in the middle of a file.
            resampler = av.AudioResampler(format="fltp", layout=frame.layout, rate=frame.rate)
            for plane in resampler.resample(frame):
                yield plane.rate, plane.to_ndarray().T.astype(np.float32, copy=False)


def _undecodable(path: Path, reason: str) -> NotebeamError:
    return NotebeamError(str(path), reason, "a recording that PyAV can decode")


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return one_line(text)[:300]
