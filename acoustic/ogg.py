"""Ogg: pages, and the links of a chain that were joined to one file."""

import zlib
from typing import BinaryIO

from acoustic.parts import Layout, Part, bytes_at, places_of

_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # bits of a byte in the other order


def ogg(file: BinaryIO, size: int) -> Layout:
    """Pages: links of a chain become parts, each with its streams' ends.

    Decoders leap over a page that is lost or damaged without a word; its number and its sum tell.
    """
    starts: list[int] = []
    opened: dict[bytes, int] = {}  # the next page's number of streams of the present link that have not ended
    begins, fault, place = False, "", 0
    while place + 27 <= size:
        page = bytes_at(file, place, 27)
        if page[:4] != b"OggS":
            resumed = next(places_of(file, size, b"OggS", place), size)
            fault, place = fault or "bytes between its pages that are no audio", resumed
            continue
        first, last = bool(page[5] & 2), bool(page[5] & 4)
        length = 27 + page[26] + sum(bytes_at(file, place + 27, page[26]))
        if place + length > size:
            break
        if first and not begins:
            fault = fault or ("a stream without its end" if opened else "")
            starts.append(place)
            opened = {}
        begins = first
        stream, number = page[14:18], int.from_bytes(page[18:22], "little")
        if _ogg_sum(bytes_at(file, place, length)) != page[22:26]:
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
