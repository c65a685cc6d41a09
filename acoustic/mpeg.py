"""Frames of mpeg audio (mp1, mp2, mp3), counted by their headers without decoding.

An mp3 file does not say how long it is unless its first frame carries a count (Xing, Info or VBRI). Decoders
else guess from the first bit rate and the file's size, or believe a count from before more was added.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from acoustic.parts import WINDOW, id3_length

LONGEST = 2 * 4096  # bytes of two frames, and more
SHORTEST = 24  # bytes of a frame
LEADING = 64  # bytes of a frame among which a count stands
SAME = 0x1E, 0x0C  # bits of bytes 2 and 3 of a header that a stream never changes: version, layer; rate
# kbit/s by (whether version 1, layer), for the indices from 1
_RATES = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HERTZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_COUNT = re.compile(rb"(?:Xing|Info)...[\x01\x03\x05\x07\x09\x0b\x0d\x0f](....)|VBRI.{10}(....)", re.DOTALL)
_SYNC = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\xef]")


@dataclass(frozen=True)
class Stretch:
    """Frames between two places of a file, begun by a count of their own, another rate or behind a hole."""

    start: int  # byte
    stop: int  # byte
    patches: Mapping[int, bytes]  # the right count, where the file's is too small
    is_guessed: bool  # no count and no constant bit rate: a decoder would guess the length


@dataclass
class _Open:
    """A stretch that is being counted."""

    start: int
    kind: tuple[int, int]
    stop: int | None = None  # byte, where a hole ends it; None: the next stretch, or the file's end
    count: int | None = None  # that it announces
    count_at: int = 0  # byte, from `start`
    frames: int = 0
    rates: set[int] = field(default_factory=set)  # indices of bit rates


def scan(file: BinaryIO, size: int, place: int) -> tuple[list[Stretch], str]:
    """The stretches of a file from `place` on, and what is wrong ("" = nothing).

    What is no audio between frames ends a stretch: decoders lose their way in it, and stop for good. A file
    in the free format, whose headers tell no lengths, has no stretches.
    """
    found: list[_Open] = []
    window, base, fault = b"", place, ""
    counts: list[re.Match[bytes]] = []
    is_blank = False  # zeros stand before the next frame: padding before a joined file, or a hole
    lengths = _LENGTHS
    while place < size:
        at = place - base
        if at + LONGEST > len(window) and base + len(window) < size:
            file.seek(place)
            window, base, at = file.read(WINDOW), place, 0
            counts = list(_COUNT.finditer(window))
            if not window:  # shorter than it was
                break
        header = window[at + 1 : at + 3]
        length = lengths.get(header) if window[at : at + 1] == b"\xff" else None
        if length is not None and not (found and _kind(header) == found[-1].kind):
            length = length if _is_followed(window, at, length) else None
        if length is None:
            skipped = _tag_length(window, at)
            if skipped:
                place, is_blank = place + skipped, False
                continue
            resumed = _next_frame(window, at + 1)
            is_last = base + len(window) >= size
            gap = window[at:resumed]
            if found and _is_foreign(gap):
                where = "at its end" if resumed is None and is_last else "between its frames"
                fault = fault or f"bytes {where} that are no audio"
                found[-1].stop = found[-1].stop or place
            is_blank = is_blank or (bool(found) and len(gap) > SHORTEST)
            if resumed is None and is_last:
                break
            place = base + (max(at + 1, len(window) - LONGEST) if resumed is None else resumed)
            continue
        if place + length > size:
            fault = fault or "the last frame is cut"
            break
        count = next((match for match in counts if at < match.start() < at + LEADING), None)
        if _add(found, place, header, is_counted=count is not None, is_blank=is_blank):
            fault = fault or "zeros between its frames"
        is_blank = False
        if count is not None:
            group = 1 if count.group(1) else 2
            found[-1].count = int.from_bytes(count.group(group), "big")
            found[-1].count_at = count.start(group) - at
        place += length
    return _closed(found, size, fault)


def _add(found: list[_Open], place: int, header: bytes, *, is_counted: bool, is_blank: bool) -> bool:
    """Add a frame to the last stretch or, where it begins one, to a new one; whether a hole is before it.

    `is_counted`: it holds no sound but a count; `is_blank`: zeros stand before it.
    """
    kind = _kind(header)
    is_first = is_counted or not found or kind != found[-1].kind
    is_behind_hole = not is_first and (is_blank or found[-1].stop is not None)
    if is_first or is_behind_hole:
        found.append(_Open(place, kind))
    if not is_counted:
        found[-1].frames += 1
        found[-1].rates.add(header[1] >> 4)
    return is_behind_hole


def _is_foreign(gap: bytes) -> bool:
    """Whether bytes between frames are neither padding nor a tag."""
    is_tag = b"TAG" in gap[:4] or b"LYRICS" in gap[:6] or _is_footed(gap)
    return bool(gap.strip(b"\0")) and not is_tag


def _is_footed(gap: bytes) -> bool:
    """Whether the bytes begin with an APE tag of version 1, which has a footer alone."""
    foot = gap.find(b"APETAGEX")
    return foot > 0 and int.from_bytes(gap[foot + 12 : foot + 16], "little") == foot + 32


def _closed(found: list[_Open], size: int, fault: str) -> tuple[list[Stretch], str]:
    stretches: list[Stretch] = []
    for index, one in enumerate(found):
        following = found[index + 1].start if index + 1 < len(found) else size
        stop = following if one.stop is None else one.stop
        # Some writers count the frame that holds the count, some do not.
        if one.count is not None and one.frames < one.count - 1:
            fault = fault or f"{one.frames} of {one.count} frames"
        is_short = one.count is not None and one.frames > one.count
        patches = {one.count_at: one.frames.to_bytes(4, "big")} if is_short else {}
        guessed = one.count is None and len(one.rates) > 1
        if one.frames:
            stretches.append(Stretch(one.start, stop, patches, guessed))
    return stretches, fault


def _kind(header: bytes) -> tuple[int, int]:
    return header[0] & SAME[0], header[1] & SAME[1]


def _is_followed(window: bytes, at: int, length: int) -> bool:
    """Whether another frame of the kind comes next, or nothing: a header by chance is no beginning."""
    following = window[at + length : at + length + 3]
    if len(following) < 3 or following == b"TAG":
        return True
    return (
        following[0] == 0xFF and following[1:] in _LENGTHS and _kind(following[1:]) == _kind(window[at + 1 :])
    )


def _next_frame(window: bytes, at: int) -> int | None:
    """Place in the window of the next header that another one follows."""
    for match in _SYNC.finditer(window, at):
        length = _LENGTHS.get(window[match.start() + 1 : match.start() + 3])
        if length is not None and _is_followed(window, match.start(), length):
            return match.start()
    return None


def _tag_length(window: bytes, at: int) -> int:
    """Bytes of the tag that begins here; 0: none does."""
    head = window[at : at + 32]
    if head[:3] == b"ID3" and len(head) >= 10:
        return id3_length(head)
    if head[:8] == b"APETAGEX" and len(head) == 32:
        # The size is that of what follows the header, which bit 29 of the flags tells from the footer.
        return 32 + (int.from_bytes(head[12:16], "little") if head[23] & 0x20 else 0)
    return 128 if head[:3] == b"TAG" else 0


def _frame_lengths() -> dict[bytes, int]:
    """Bytes of a frame by bytes 2 and 3 of its header."""
    found: dict[bytes, int] = {}
    for version, hertz in _HERTZ.items():
        for layer_bits, layer in ((3, 1), (2, 2), (1, 3)):
            slots = 72_000 if layer == 3 and version != 3 else 144_000
            for rate, hz, low, crc in _headers(version, layer):
                padding = low >> 1
                kbit = _RATES[version == 3, layer][rate - 1]
                if layer == 1:
                    length = (12_000 * kbit // hertz[hz] + padding) * 4
                else:
                    length = slots * kbit // hertz[hz] + padding
                second = 0xE0 | version << 3 | layer_bits << 1 | crc
                found[bytes((second, rate << 4 | hz << 2 | low))] = length
    return found


def _headers(version: int, layer: int) -> list[tuple[int, int, int, int]]:
    """(bit rate, rate, padding and private bit, checksum bit) that a header can have."""
    rates = range(1, len(_RATES[version == 3, layer]) + 1)
    return [(rate, hz, low, crc) for rate in rates for hz in range(3) for low in range(4) for crc in range(2)]


_LENGTHS = _frame_lengths()
