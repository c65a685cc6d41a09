"""Sound in frames or packets that tell their own length: raw AAC and DTS, MPEG streams, VOC.

Decoders leap over what is no packet without a word, and take a cut file for a shorter one.
"""

from typing import BinaryIO

from acoustic.parts import WINDOW, Layout, beyond, bytes_at, id3_length

OTHER = "bytes between its frames that are no audio"
CUT = "the last frame is cut"
DTS_CORE, DTS_MORE = b"\x7f\xfe\x80\x01", b"\x64\x58\x20\x25"
TS_SYNC = b"\x47"


def tag_length(file: BinaryIO, place: int) -> int:
    """Bytes of an ID3 tag of version 2 that begins here; 0: none does."""
    return id3_length(bytes_at(file, place, 10))


def adts(file: BinaryIO, size: int, place: int = 0) -> Layout:
    """AAC in frames; tags may stand before and behind them."""
    while place + 7 <= size:
        head = bytes_at(file, place, 8).ljust(8, b"\0")
        if head[:3] == b"TAG" or head == b"APETAGEX":
            return Layout()
        length = tag_length(file, place)
        if not length:
            length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
            if head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or length < 7:
                return Layout(fault=OTHER)
        place += length
    return Layout(fault="" if place == size else CUT)


def dts(file: BinaryIO, size: int) -> Layout:
    """DTS; of frames with extensions (DTS-HD), whose lengths stand elsewhere, nothing is said."""
    place = 0
    while place + 10 <= size:
        head = bytes_at(file, place, 10).ljust(10, b"\0")
        if head[:4] == DTS_MORE:
            return Layout()
        if head[:4] != DTS_CORE:
            return Layout(fault=OTHER)
        place += 1 + ((head[5] & 3) << 12 | head[6] << 4 | head[7] >> 4)
    return Layout(fault="" if place == size else CUT)


def transport_stream(file: BinaryIO, size: int) -> Layout:
    """MPEG's stream of packets of 188 bytes, or of 192 with a time before each."""
    stride = 188 if bytes_at(file, 0, 1) == bytes_at(file, 188, 1) == TS_SYNC else 192
    step = WINDOW // stride * stride
    for place in range(0, size, step):
        if bytes_at(file, place, step)[stride - 188 :: stride].strip(TS_SYNC):
            return Layout(fault=OTHER)
    return Layout(fault=CUT if size % stride else "")


def program_stream(file: BinaryIO, size: int) -> Layout:
    """MPEG's packs and packets, as on DVDs."""
    place = 0
    while place + 6 <= size:
        head = bytes_at(file, place, 14).ljust(14, b"\0")
        if head[:3] != b"\0\0\x01" or head[3] < 0xB9:
            return Layout(fault=OTHER)
        if head[3] == 0xB9:  # the end
            place += 4
        elif head[3] == 0xBA:
            is_second = head[4] >> 6 == 1  # of MPEG-2
            place += 14 + (head[13] & 7) if is_second else 12
        else:
            place += 6 + int.from_bytes(head[4:6], "big")
    return Layout(fault="" if place in (size, size - 4) else CUT)


def voc(file: BinaryIO, size: int) -> Layout:
    """Creative Voice: blocks up to one of type 0."""
    place = int.from_bytes(bytes_at(file, 20, 2), "little")
    while place + 4 <= size and (kind := bytes_at(file, place, 1)) != b"\0":
        if kind > b"\x09":
            return Layout(fault=OTHER)
        place += 4 + int.from_bytes(bytes_at(file, place + 1, 3), "little")
    return Layout(fault=beyond(place, size))
