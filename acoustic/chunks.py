"""Audio in chunks: where it lies in WAV, AVI, AIFF, AU and their larger kin, whose sizes may be wrong."""

import re
import struct
from typing import BinaryIO

from acoustic.parts import NEAR, Layout, Part, beyond, bytes_at, is_unknown

_NAME = re.compile(rb"[A-Za-z0-9_ ~\-]{4}")  # of a chunk
CODED_AS_NUMBERS = (1, 3, 0xFFFE)  # formats of WAV: integers, floats, the one or the other
OTHER = "bytes between its chunks that are no audio"
WIDTHS = (8, 16, 24, 32, 64)  # bits of a sample
LISTS = (b"AVI ", b"AVIX", b"movi", b"rec ")  # of AVI, in which the sound lies


def riff(file: BinaryIO, size: int) -> Layout:
    """WAV and AVI; several in one file were joined."""
    if bytes_at(file, 8, 4) == b"AVI ":
        return Layout(fault=_avi(file, size))
    parts: list[Part] = []
    start = 0
    while start + 12 <= size and bytes_at(file, start, 4) == b"RIFF":
        part, stop, fault = _wave(file, start, size)
        parts.append(part)
        if fault:
            return Layout(tuple(parts), fault)
        start = stop
    if len(parts) == 1 and not parts[0].patches:
        parts = [Part()]
    return Layout(tuple(parts) or (Part(),))


def _avi(file: BinaryIO, size: int) -> str:
    """What is wrong with an AVI: its chunks follow each other, from the first in the lists to the last."""
    place = claimed = 0
    while place + 8 <= size:
        name, length = bytes_at(file, place, 4), int.from_bytes(bytes_at(file, place + 4, 4), "little")
        form = bytes_at(file, place + 8, 4)
        if name == b"RIFF":
            if place and form == b"AVI ":
                return "more data after its end"
            claimed = 0 if is_unknown(length) else place + 8 + length
        elif not _NAME.fullmatch(name):
            return "" if 0 < claimed <= place else OTHER
        place += 12 if name in (b"RIFF", b"LIST") and form in LISTS else 8 + length + length % 2
    return beyond(claimed or place, size) or (OTHER if beyond(place, size) else "")


def _wave(file: BinaryIO, start: int, size: int) -> tuple[Part, int, str]:
    """(part, its end, what is wrong) of one RIFF/WAVE from `start` on."""
    claimed_stop = start + 8 + int.from_bytes(bytes_at(file, start + 4, 4), "little")
    place, fault, widths = start + 12, "", dict[int, bytes]()
    while place + 8 <= size:
        name, length = bytes_at(file, place, 4), int.from_bytes(bytes_at(file, place + 4, 4), "little")
        if name == b"fmt ":
            header = bytes_at(file, place + 8, 16)
            fault, width = _wrong_width(header), _width(header)
            widths = {place + 22 - start: width} if fault and width else {}
        if name == b"data":
            body, stop = place + 8, place + 8 + length
            if stop > size and not is_unknown(length):
                fault = beyond(stop, size)
            joined = bytes_at(file, claimed_stop, 4) == b"RIFF" and claimed_stop >= stop
            if stop <= size and (_is_chunk(file, stop + length % 2, size) or joined):
                stop = claimed_stop if joined else size
                return Part(start=start, stop=stop, patches=widths), stop, fault
            # The sizes are wrong: "not known" makes libsndfile read to the end of what it is given.
            patches = {4: b"\xff" * 4, body - 4 - start: b"\xff" * 4, **widths}
            return Part(start=start, patches=patches), size, fault
        place += 8 + length + length % 2
    return Part(start=start), size, ""


def _wrong_width(header: bytes) -> str:
    """What is wrong with a WAV's format: samples of so many bits take another number of bytes."""
    kind, channels, _, _, block, bits = struct.unpack("<HHIIHH", header.ljust(16, b"\0"))
    if kind not in CODED_AS_NUMBERS or block in (0, channels * -(-bits // 8)):
        return ""
    return f"{channels} samples of {bits} bits in {block} bytes"


def _width(header: bytes) -> bytes:
    """The bits of a sample that fill the bytes, where those announced are no whole bytes."""
    _, channels, _, _, block, bits = struct.unpack("<HHIIHH", header.ljust(16, b"\0"))
    width = 8 * block / channels if bits % 8 and channels else 0
    return int(width).to_bytes(2, "little") if width in WIDTHS else b""


def _is_chunk(file: BinaryIO, place: int, size: int) -> bool:
    """Whether the file ends here (but for padding), or goes on with a chunk that fits into it."""
    if place >= size - 1:
        return True
    name, length = bytes_at(file, place, 4), int.from_bytes(bytes_at(file, place + 4, 4), "little")
    return bool(_NAME.fullmatch(name)) and place + 8 + length <= size + 1


def aiff(file: BinaryIO, size: int) -> Layout:
    place, announced = 12, 0
    while place + 8 <= size:
        name, length = bytes_at(file, place, 4), int.from_bytes(bytes_at(file, place + 4, 4), "big")
        if name == b"COMM":
            announced = _aiff_bytes(bytes_at(file, place + 8, 22), bytes_at(file, 8, 4))
        if name == b"SSND":
            stop = place + 8 + length
            is_open = length <= 8 or is_unknown(length)
            fault = "" if is_open or stop <= size else beyond(stop, size)
            if announced and not is_open and abs(length - 8 - announced) > NEAR:
                fault = fault or f"{length - 8} bytes of sound where {announced} are announced"
            if stop > size or (length <= 8 and size > stop + 8):
                return Layout(
                    (Part(patches={4: b"\x7f" + b"\xff" * 3, place + 4: b"\x7f" + b"\xff" * 3}),), fault
                )
            joined = (
                size > stop + 12
                and bytes_at(file, 8 + int.from_bytes(bytes_at(file, 4, 4), "big"), 4) == b"FORM"
            )
            return Layout(fault="more data after its end" if joined else fault)
        place += 8 + length + length % 2
    return Layout(fault=beyond(place, size) if place > size + 1 else "")


def _aiff_bytes(common: bytes, form: bytes) -> int:
    """Bytes of sound that the frames, channels and bits of an AIFF make; 0 where they do not tell."""
    channels, frames, bits = struct.unpack(">HIH", common[:8].ljust(8, b"\0"))
    is_plain = form == b"AIFF" or common[18:22] in (b"NONE", b"sowt", b"twos")
    return frames * channels * -(-bits // 8) if is_plain and not is_unknown(frames) else 0


def au(file: BinaryIO, size: int) -> Layout:
    order = "big" if bytes_at(file, 0, 4) == b".snd" else "little"
    body, length = (int.from_bytes(bytes_at(file, place, 4), order) for place in (4, 8))  # type: ignore[arg-type]
    if is_unknown(length) or body + length == size:
        return Layout()
    fault = beyond(body + length, size) if body + length > size else ""
    return Layout((Part(patches={8: b"\xff" * 4}),), fault)


def caf(file: BinaryIO, size: int) -> Layout:
    place, fault = 8, ""
    while place + 12 <= size:
        length = int.from_bytes(bytes_at(file, place + 4, 8), "big", signed=True)
        if bytes_at(file, place, 4) == b"desc":
            kind, packet, frames, channels, bits = struct.unpack(
                ">8x4s4x4I", bytes_at(file, place + 12, 32).ljust(32, b"\0")
            )
            if kind == b"lpcm" and packet != frames * channels * -(-bits // 8):
                fault = f"{channels} samples of {bits} bits in {packet} bytes"
        if length < 0:  # audio up to the end
            break
        place += 12 + length
    return Layout(fault=fault or (beyond(place, size) if place > size else ""))


def w64(file: BinaryIO, size: int) -> Layout:
    place, fault = 40, ""
    while place + 24 <= size:
        length = int.from_bytes(bytes_at(file, place + 16, 8), "little")
        if bytes_at(file, place, 4) == b"fmt ":
            fault = _wrong_width(bytes_at(file, place + 24, 16))
        if length < 24:
            break
        if place + length > size:
            return Layout(fault=fault or beyond(place + length, size))
        place += -(-length // 8) * 8
    return Layout(fault=fault)


def rf64(file: BinaryIO, size: int) -> Layout:
    """WAV with sizes of 64 bits, which stand in a chunk of their own and may never have been filled in."""
    if bytes_at(file, 12, 4) != b"ds64":
        return Layout()
    place, fault = 12, ""
    while place + 8 <= size and (name := bytes_at(file, place, 4)) != b"data":
        length = int.from_bytes(bytes_at(file, place + 4, 4), "little")
        if name == b"fmt ":
            fault = _wrong_width(bytes_at(file, place + 8, 16))
        place += 8 + length + length % 2
    claimed = 8 + int.from_bytes(bytes_at(file, 20, 8), "little")
    if int.from_bytes(bytes_at(file, 28, 8), "little"):
        return Layout(fault=fault or (beyond(claimed, size) if claimed > size else ""))
    # As WAV whose sizes are not known, which is read to the end.
    return Layout((Part(patches={0: b"RIFF" + b"\xff" * 4, place + 4: b"\xff" * 4}),), fault)
