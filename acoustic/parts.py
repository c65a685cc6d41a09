"""The parts of an audio file, each read as a file of its own; small reads for whoever looks for them.

Is not: where the parts of a format lie (acoustic.chunks, ogg, mpeg, containers).
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

UNKNOWN_SIZES = (0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x7FFFF000, 2_000_000_000)  # sizes that mean "not known"
NEAR = 64  # bytes by which writers miss these, because a header is counted or not
WINDOW = 1 << 20  # bytes read at once


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stretch of a file that is a whole audio file, but for what its header claims."""

    start: int = 0  # byte
    stop: int | None = None  # byte; None: the file's end
    patches: Mapping[int, bytes] = field(default_factory=dict)  # bytes to read instead, from `start` on
    is_estimated: bool = False  # the decoder would guess the length from the size, and stop there

    @property
    def is_plain(self) -> bool:
        """The whole file as it is."""
        return self == Part()


@dataclass(frozen=True)
class Layout:
    """The parts that were joined to a file (nearly always one), and what is wrong with it ("" = nothing)."""

    parts: tuple[Part, ...] = (Part(),)
    fault: str = ""


class View:
    """A part of a file as the file object that libsndfile reads."""

    FAR = 64  # an estimate from the size is off by 320 / 8 kbit/s at most

    def __init__(self, path: Path, part: Part) -> None:
        self.file = open(path, "rb")  # noqa: SIM115, closed by `close`
        self.part, self.position = part, 0
        end = os.fstat(self.file.fileno()).st_size
        self.length = max(0, (end if part.stop is None else min(part.stop, end)) - part.start)
        self.claim = self.length * self.FAR if part.is_estimated else self.length

    def close(self) -> None:
        self.file.close()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self.claim}[whence]
        self.position = base + offset
        return self.position

    def tell(self) -> int:
        return self.position

    def readinto(self, buffer: memoryview) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, count: int = -1) -> bytes:
        if self.claim > self.length and self.position >= self.claim - 1024:
            # Where tags may stand: a decoder that looks for them must find nothing, not an error.
            data = bytes(max(0, min(count, self.claim - self.position)))
        else:
            self.file.seek(self.part.start + self.position)
            data = self.file.read(max(0, min(count, self.length - self.position)))
        for offset, patch in self.part.patches.items():
            first = max(offset, self.position)
            last = min(offset + len(patch), self.position + len(data))
            if first < last:
                at = first - self.position
                data = data[:at] + patch[first - offset : last - offset] + data[at + last - first :]
        self.position += len(data)
        return data


def id3_length(head: bytes) -> int:
    """Bytes of an ID3 tag of version 2 by its first ten; 0: it is none."""
    if head[:3] != b"ID3":
        return 0
    a, b, c, d = head[6:10].ljust(4, b"\0")
    return 10 + ((a & 127) << 21 | (b & 127) << 14 | (c & 127) << 7 | d & 127)


def bytes_at(file: BinaryIO, place: int, count: int) -> bytes:
    """Bytes from a place on; fewer at the file's end."""
    file.seek(place)
    return file.read(count)


def places_of(file: BinaryIO, size: int, mark: bytes, place: int = 0) -> Iterator[int]:
    """Places of `mark` from `place` on, found window by window."""
    while place < size:
        window = bytes_at(file, place, WINDOW + len(mark) - 1)
        at = window.find(mark)
        while at >= 0 and at < WINDOW:
            yield place + at
            at = window.find(mark, at + 1)
        place += WINDOW


def is_unknown(length: int) -> bool:
    """Whether a size is one of those that writers leave when they do not know it."""
    return length == 0 or any(abs(length - known) <= NEAR for known in UNKNOWN_SIZES)


def beyond(claimed: int, size: int) -> str:
    """What is wrong with a file that should be longer."""
    return f"{size} of {claimed} bytes" if claimed > size + NEAR else ""
