"""Audio in chunks: where it lies in WAV, AIFF, AU and their larger kin, whose sizes may be wrong."""

import re
from typing import BinaryIO

from acoustic.parts import Layout, Part, beyond, bytes_at, is_unknown


def riff(file: BinaryIO, size: int) -> Layout:
    """WAV and AVI; several in one file were joined."""
    parts: list[Part] = []
    start = 0
    while start + 12 <= size and bytes_at(file, start, 4) == b"RIFF":
        form = bytes_at(file, start + 8, 4)
        if form != b"WAVE":  # AVI: ffmpeg's affair
            claimed = 8 + int.from_bytes(bytes_at(file, start + 4, 4), "little")
            return Layout(fault=beyond(claimed, size))
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
    claimed_stop = start + 8 + int.from_bytes(bytes_at(file, start + 4, 4), "little")
    place = start + 12
    while place + 8 <= size:
        name, length = bytes_at(file, place, 4), int.from_bytes(bytes_at(file, place + 4, 4), "little")
        if name == b"data":
            body, stop = place + 8, place + 8 + length
            fault = ""
            if stop > size and not is_unknown(length):
                fault = beyond(stop, size)
            joined = bytes_at(file, claimed_stop, 4) == b"RIFF" and claimed_stop >= stop
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
    name, length = bytes_at(file, place, 4), int.from_bytes(bytes_at(file, place + 4, 4), "little")
    return bool(re.fullmatch(rb"[A-Za-z0-9_ ~\-]{4}", name)) and place + 8 + length <= size + 1


def aiff(file: BinaryIO, size: int) -> Layout:
    place = 12
    while place + 8 <= size:
        name, length = bytes_at(file, place, 4), int.from_bytes(bytes_at(file, place + 4, 4), "big")
        if name == b"SSND":
            stop = place + 8 + length
            is_open = length <= 8 or is_unknown(length)
            fault = "" if is_open or stop <= size else beyond(stop, size)
            if stop > size or (length <= 8 and size > stop + 8):
                return Layout(
                    (Part(patches={4: b"\x7f" + b"\xff" * 3, place + 4: b"\x7f" + b"\xff" * 3}),), fault
                )
            joined = (
                size > stop + 12
                and bytes_at(file, 8 + int.from_bytes(bytes_at(file, 4, 4), "big"), 4) == b"FORM"
            )
            return Layout(fault="more data after its end" if joined else "")
        place += 8 + length + length % 2
    return Layout(fault=beyond(place, size) if place > size + 1 else "")


def au(file: BinaryIO, size: int) -> Layout:
    order = "big" if bytes_at(file, 0, 4) == b".snd" else "little"
    body, length = (int.from_bytes(bytes_at(file, place, 4), order) for place in (4, 8))  # type: ignore[arg-type]
    if is_unknown(length) or body + length == size:
        return Layout()
    fault = beyond(body + length, size) if body + length > size else ""
    return Layout((Part(patches={8: b"\xff" * 4}),), fault)


def caf(file: BinaryIO, size: int) -> Layout:
    place = 8
    while place + 12 <= size:
        length = int.from_bytes(bytes_at(file, place + 4, 8), "big", signed=True)
        if length < 0:  # audio up to the end
            return Layout()
        place += 12 + length
    return Layout(fault=beyond(place, size) if place > size else "")


def w64(file: BinaryIO, size: int) -> Layout:
    place = 40
    while place + 24 <= size:
        length = int.from_bytes(bytes_at(file, place + 16, 8), "little")
        if length < 24:
            return Layout()
        if place + length > size:
            return Layout(fault=beyond(place + length, size))
        place += -(-length // 8) * 8
    return Layout()


def rf64(file: BinaryIO, size: int) -> Layout:
    """WAV with sizes of 64 bits, which stand in a chunk of their own and may never have been filled in."""
    if bytes_at(file, 12, 4) != b"ds64":
        return Layout()
    claimed = 8 + int.from_bytes(bytes_at(file, 20, 8), "little")
    if int.from_bytes(bytes_at(file, 28, 8), "little"):
        return Layout(fault=beyond(claimed, size) if claimed > size else "")
    place = 12
    while place + 8 <= size and bytes_at(file, place, 4) != b"data":
        length = int.from_bytes(bytes_at(file, place + 4, 4), "little")
        place += 8 + length + length % 2
    # As WAV whose sizes are not known, which is read to the end.
    return Layout((Part(patches={0: b"RIFF" + b"\xff" * 4, place + 4: b"\xff" * 4}),))
