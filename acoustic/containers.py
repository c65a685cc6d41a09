"""What the bytes of an audio file say about it: where its audio lies, and whether the file is cut or damaged.

A header that is wrong must not cost music: recorders and pipes leave sizes at 0 or at the largest number, mp3
files count frames that others have added to, and files are joined by plain copying. `layout` looks at the
structure alone (chunks, pages, frame headers) in one pass of small, bounded reads, and decodes nothing.
"""

import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from acoustic.mpeg import scan
from symbolic.files import open_file

UNKNOWN_SIZES = (0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x7FFFF000, 2_000_000_000)  # sizes that mean "not known"
NEAR = 64  # bytes by which writers miss these, because a header is counted or not
WINDOW = 1 << 20  # bytes read at once
EXPECTED = "a recording"


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


def layout(path: Path) -> Layout:
    """Where the audio of a file lies; of a format that is not known here, the file as it is.

    Raises:
        NotebeamError: no plain file that can be read.
    """
    with open_file(path, EXPECTED) as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(64)
        for magic, read in _READERS:
            if magic.match(head):
                return read(file, size)
    return Layout()


def looks_like_audio(head: bytes) -> bool:
    """Whether a file that begins with these bytes (64 are enough) is one of the usual containers of audio."""
    return any(magic.match(head) for magic, _ in _READERS)


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


def _riff(file: BinaryIO, size: int) -> Layout:
    """WAV and AVI; several in one file were joined."""
    parts: list[Part] = []
    start = 0
    while start + 12 <= size and _at(file, start, 4) == b"RIFF":
        form = _at(file, start + 8, 4)
        if form != b"WAVE":  # AVI: ffmpeg's affair
            claimed = 8 + int.from_bytes(_at(file, start + 4, 4), "little")
            return Layout(fault=_beyond(claimed, size))
        part, stop, fault = _wave(file, start, size)
        parts.append(part)
        if fault:
            return Layout(tuple(parts), fault)
        start = stop
    if len(parts) == 1 and not parts[0].patches:
        parts = [Part()]
    return Layout(tuple(parts) or (Part(),))


def _wave(file: BinaryIO, start: int, size: int) -> tuple[Part, int, str]:
    """(part, its end, what is wrong) of one RIFF/WAVE from `start` on."""
    claimed_stop = start + 8 + int.from_bytes(_at(file, start + 4, 4), "little")
    place = start + 12
    while place + 8 <= size:
        name, length = _at(file, place, 4), int.from_bytes(_at(file, place + 4, 4), "little")
        if name == b"data":
            body, stop = place + 8, place + 8 + length
            fault = ""
            if stop > size and not _is_unknown(length):
                fault = _beyond(stop, size)
            joined = _at(file, claimed_stop, 4) == b"RIFF" and claimed_stop >= stop
            if stop <= size and (_is_chunk(file, stop + length % 2, size) or joined):
                stop = claimed_stop if joined else size
                return Part(start=start, stop=stop), stop, ""
            # The sizes are wrong: "not known" makes libsndfile read to the end of what it is given.
            patches = {4: b"\xff" * 4, body - 4 - start: b"\xff" * 4}
            return Part(start=start, patches=patches), size, fault
        place += 8 + length + length % 2
    return Part(start=start), size, ""


def _is_chunk(file: BinaryIO, place: int, size: int) -> bool:
    """Whether the file ends here (but for padding), or goes on with a chunk that fits into it."""
    if place >= size - 1:
        return True
    name, length = _at(file, place, 4), int.from_bytes(_at(file, place + 4, 4), "little")
    return bool(re.fullmatch(rb"[A-Za-z0-9_ ~\-]{4}", name)) and place + 8 + length <= size + 1


def _aiff(file: BinaryIO, size: int) -> Layout:
    place = 12
    while place + 8 <= size:
        name, length = _at(file, place, 4), int.from_bytes(_at(file, place + 4, 4), "big")
        if name == b"SSND":
            stop = place + 8 + length
            is_open = length <= 8 or _is_unknown(length)
            fault = "" if is_open or stop <= size else _beyond(stop, size)
            if stop > size or (length <= 8 and size > stop + 8):
                return Layout(
                    (Part(patches={4: b"\x7f" + b"\xff" * 3, place + 4: b"\x7f" + b"\xff" * 3}),), fault
                )
            joined = size > stop + 12 and _at(file, 8 + int.from_bytes(_at(file, 4, 4), "big"), 4) == b"FORM"
            return Layout(fault="more data after its end" if joined else "")
        place += 8 + length + length % 2
    return Layout(fault=_beyond(place, size) if place > size + 1 else "")


def _au(file: BinaryIO, size: int) -> Layout:
    order = "big" if _at(file, 0, 4) == b".snd" else "little"
    body, length = (int.from_bytes(_at(file, place, 4), order) for place in (4, 8))  # type: ignore[arg-type]
    if _is_unknown(length) or body + length == size:
        return Layout()
    fault = _beyond(body + length, size) if body + length > size else ""
    return Layout((Part(patches={8: b"\xff" * 4}),), fault)


def _flac(file: BinaryIO, size: int) -> Layout:
    """Several streams in one file were joined: players stop after the first."""
    starts = [place for place in _find(file, size, b"fLaC\0\0\0\x22")]
    if len(starts) < 2:
        return Layout()
    stops = [*starts[1:], size]
    return Layout(tuple(Part(start=a, stop=b) for a, b in zip(starts, stops, strict=True)))


def _ogg(file: BinaryIO, size: int) -> Layout:
    """Pages: links of a chain become parts, each with its streams' ends.

    Decoders leap over a page that is lost or damaged without a word; its number and its sum tell.
    """
    starts: list[int] = []
    opened: dict[bytes, int] = {}  # the next page's number of streams of the present link that have not ended
    begins, fault, place = False, "", 0
    while place + 27 <= size:
        page = _at(file, place, 27)
        if page[:4] != b"OggS":
            resumed = next(_find(file, size, b"OggS", place), size)
            fault, place = fault or "bytes between its pages that are no audio", resumed
            continue
        first, last = bool(page[5] & 2), bool(page[5] & 4)
        length = 27 + page[26] + sum(_at(file, place + 27, page[26]))
        if place + length > size:
            break
        if first and not begins:
            fault = fault or ("a stream without its end" if opened else "")
            starts.append(place)
            opened = {}
        begins = first
        stream, number = page[14:18], int.from_bytes(page[18:22], "little")
        if _ogg_sum(_at(file, place, length)) != page[22:26]:
            fault = fault or "a damaged page"
        elif number != opened.get(stream, number):
            fault = fault or "a page is missing"
        if first or stream in opened:
            opened[stream] = number + 1
        if last:
            opened.pop(stream, None)
        place += length
    if place < size:
        fault = fault or "the last page is cut"
    elif opened:
        fault = fault or "a stream without its end"
    if len(starts) < 2:
        return Layout(fault=fault)
    stops = [*starts[1:], size]
    return Layout(tuple(Part(start=a, stop=b) for a, b in zip(starts, stops, strict=True)), fault)


def _ogg_sum(page: bytes) -> bytes:
    """The checksum of a page: a CRC whose bits run the other way than zlib's, and which begins with 0."""
    turned = (page[:22] + bytes(4) + page[26:]).translate(_TURNED)
    value = zlib.crc32(turned, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return value.to_bytes(4, "big").translate(_TURNED)


def _iso(file: BinaryIO, size: int) -> Layout:
    """MP4 and its kin: boxes."""
    place, movies = 0, 0
    while place + 8 <= size:
        length, name = int.from_bytes(_at(file, place, 4), "big"), _at(file, place + 4, 4)
        if length == 1:
            length = int.from_bytes(_at(file, place + 8, 8), "big")
        if length == 0:
            return Layout()
        if length < 8 or not name.isascii():
            return Layout(fault="bytes between its boxes that are no audio")
        movies += name == b"moov"
        place += length
    if place > size:
        return Layout(fault=_beyond(place, size))
    return Layout(fault="more data after its end" if movies > 1 else "")


def _asf(file: BinaryIO, size: int) -> Layout:
    """WMA: objects, the first of which is not to come again."""
    place, first = 0, _at(file, 0, 16)
    while place + 24 <= size:
        length = int.from_bytes(_at(file, place + 16, 8), "little")
        if place and _at(file, place, 16) == first:
            return Layout(fault="more data after its end")
        if length < 24:
            return Layout()
        place += length
    return Layout(fault=_beyond(place, size) if place > size else "")


def _caf(file: BinaryIO, size: int) -> Layout:
    place = 8
    while place + 12 <= size:
        length = int.from_bytes(_at(file, place + 4, 8), "big", signed=True)
        if length < 0:  # audio up to the end
            return Layout()
        place += 12 + length
    return Layout(fault=_beyond(place, size) if place > size else "")


def _w64(file: BinaryIO, size: int) -> Layout:
    place = 40
    while place + 24 <= size:
        length = int.from_bytes(_at(file, place + 16, 8), "little")
        if length < 24:
            return Layout()
        if place + length > size:
            return Layout(fault=_beyond(place + length, size))
        place += -(-length // 8) * 8
    return Layout()


def _rf64(file: BinaryIO, size: int) -> Layout:
    """WAV with sizes of 64 bits, which stand in a chunk of their own and may never have been filled in."""
    if _at(file, 12, 4) != b"ds64":
        return Layout()
    claimed = 8 + int.from_bytes(_at(file, 20, 8), "little")
    if int.from_bytes(_at(file, 28, 8), "little"):
        return Layout(fault=_beyond(claimed, size) if claimed > size else "")
    place = 12
    while place + 8 <= size and _at(file, place, 4) != b"data":
        length = int.from_bytes(_at(file, place + 4, 4), "little")
        place += 8 + length + length % 2
    # As WAV whose sizes are not known, which is read to the end.
    return Layout((Part(patches={0: b"RIFF" + b"\xff" * 4, place + 4: b"\xff" * 4}),))


def _flv(file: BinaryIO, size: int) -> Layout:
    """Tags, each followed by its length."""
    place = int.from_bytes(_at(file, 5, 4), "big") + 4
    while place + 11 <= size:
        head = _at(file, place, 4)
        if head[:3] == b"FLV":
            return Layout(fault="more data after its end")
        length = 11 + int.from_bytes(head[1:], "big")
        place += length
        if place + 4 <= size and _at(file, place, 4) != length.to_bytes(4, "big"):
            return Layout(fault="bytes between its tags that are no audio")
        place += 4
    return Layout(fault="" if size <= place <= size + 4 else "the last tag is cut")


def _tta(file: BinaryIO, size: int) -> Layout:
    """Frames of 256/245 s, whose lengths stand in a table; players stop after the first of joined files."""
    head = _at(file, 0, 22)
    rate_hz, count = int.from_bytes(head[10:14], "little"), int.from_bytes(head[14:18], "little")
    frames = -(-count // max(1, rate_hz * 256 // 245))
    if 22 + 4 * frames + 4 > size:
        return Layout(fault="its table of frames is cut")
    table = _at(file, 22, 4 * frames)
    stop = (
        26 + 4 * frames + sum(int.from_bytes(table[at : at + 4], "little") for at in range(0, len(table), 4))
    )
    return Layout(fault="more data after its end" if _at(file, stop, 4) == b"TTA1" else _beyond(stop, size))


def _tagged(file: BinaryIO, size: int) -> Layout:
    """What follows an ID3 tag: mpeg audio, mostly."""
    place = 0
    while _at(file, place, 3) == b"ID3":
        a, b, c, d = _at(file, place + 6, 4).ljust(4, b"\0")
        place += 10 + ((a & 127) << 21 | (b & 127) << 14 | (c & 127) << 7 | d & 127)
    head = _at(file, place, 4)
    if head == b"fLaC":
        return Layout()  # libsndfile skips the tag
    return _mpeg(file, size, place)


def _mpeg(file: BinaryIO, size: int, place: int = 0) -> Layout:
    stretches, fault = scan(file, size, place)
    parts = tuple(
        Part(start=one.start, stop=one.stop, patches=one.patches, is_estimated=one.is_guessed)
        for one in stretches
    )
    if len(parts) < 2 and not any(part.patches or part.is_estimated for part in parts):
        return Layout(fault=fault)
    return Layout(parts, fault)


def _other(file: BinaryIO, size: int) -> Layout:
    return Layout()


_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # bits of a byte in the other order

_READERS: tuple[tuple[re.Pattern[bytes], Callable[[BinaryIO, int], Layout]], ...] = tuple(
    (re.compile(magic, re.DOTALL), read)
    for magic, read in (
        (rb"RIFF....(WAVE|AVI )", _riff),
        (rb"FORM....AIF[FC]", _aiff),
        (rb"\.snd|dns\.", _au),
        (rb"fLaC", _flac),
        (rb"OggS", _ogg),
        (rb"....(ftyp|moov|mdat|wide|free|skip)", _iso),
        (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _asf),
        (rb"caff", _caf),
        (rb"riff\x2e\x91\xcf\x11", _w64),
        (rb"RF64....WAVE", _rf64),
        (rb"FLV", _flv),
        (rb"TTA1", _tta),
        (rb"ID3", _tagged),
        (rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]", _mpeg),
        # Only ffmpeg knows these: Matroska and WebM, ADTS, AMR, WavPack, Monkey's Audio, AC-3, DSD.
        (rb"\x1a\x45\xdf\xa3|\xff[\xf0\xf1\xf8\xf9]|#!AMR|wvpk|MAC |\x0b\x77|DSD |MPCK|MP\+", _other),
    )
)  # fmt: skip


def _at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _find(file: BinaryIO, size: int, mark: bytes, place: int = 0) -> Iterator[int]:
    """Places of `mark` from `place` on, found window by window."""
    while place < size:
        window = _at(file, place, WINDOW + len(mark) - 1)
        at = window.find(mark)
        while at >= 0 and at < WINDOW:
            yield place + at
            at = window.find(mark, at + 1)
        place += WINDOW


def _is_unknown(length: int) -> bool:
    """Whether a size is one of those that writers leave when they do not know it."""
    return length == 0 or any(abs(length - known) <= NEAR for known in UNKNOWN_SIZES)


def _beyond(claimed: int, size: int) -> str:
    """What is wrong with a file that should be longer."""
    return f"{size} of {claimed} bytes" if claimed > size + NEAR else ""
