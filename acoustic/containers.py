"""What the bytes of an audio file say about it: where its audio lies, and whether the file is cut or damaged.

A header that is wrong must not cost music: recorders and pipes leave sizes at 0 or at the largest number, mp3
files count frames that others have added to, and files are joined by plain copying. `layout` looks at the
structure alone (chunks, pages, frame headers) in one pass of small, bounded reads, and decodes nothing.
"""

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from acoustic.chunks import aiff, au, caf, rf64, riff, w64
from acoustic.mpeg import scan
from acoustic.ogg import ogg
from acoustic.packets import adts, dts, program_stream, tag_length, transport_stream, voc
from acoustic.parts import Layout, Part, beyond, bytes_at, places_of
from symbolic.files import open_file

EXPECTED = "a recording"
LARGEST = 1 << 53  # bytes of a file, up to which a number of 64 bits is exact


def layout(path: Path) -> Layout:
    """Where the audio of a file lies; of a format that is not known here, the file as it is.

    Raises:
        NotebeamError: no plain file that can be read.
    """
    with open_file(path, EXPECTED) as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(256)
        for magic, read in _READERS:
            if magic.match(head):
                return read(file, size)
    return Layout()


def looks_like_audio(head: bytes) -> bool:
    """Whether a file that begins with these bytes (64 are enough) is one of the usual containers of audio."""
    return any(magic.match(head) for magic, _ in _READERS)


def _flac(file: BinaryIO, size: int) -> Layout:
    """Several streams in one file were joined: players stop after the first."""
    starts = [place for place in places_of(file, size, b"fLaC\0\0\0\x22")]
    if len(starts) < 2:
        return Layout()
    stops = [*starts[1:], size]
    return Layout(tuple(Part(start=a, stop=b) for a, b in zip(starts, stops, strict=True)))


def _iso(file: BinaryIO, size: int) -> Layout:
    """MP4 and its kin: boxes."""
    place, movies = 0, 0
    while place + 8 <= size:
        length, name = int.from_bytes(bytes_at(file, place, 4), "big"), bytes_at(file, place + 4, 4)
        if length == 1:
            length = int.from_bytes(bytes_at(file, place + 8, 8), "big")
        if length == 0:
            return Layout()
        if length < 8 or not name.isascii():
            return Layout(fault="bytes between its boxes that are no audio")
        movies += name == b"moov"
        place += length
    if place > size:
        return Layout(fault=beyond(place, size))
    return Layout(fault="more data after its end" if movies > 1 else "")


def _asf(file: BinaryIO, size: int) -> Layout:
    """WMA: objects, the first of which is not to come again."""
    place, first = 0, bytes_at(file, 0, 16)
    while place + 24 <= size:
        length = int.from_bytes(bytes_at(file, place + 16, 8), "little")
        if place and bytes_at(file, place, 16) == first:
            return Layout(fault="more data after its end")
        if length < 24:
            return Layout()
        place += length
    return Layout(fault=beyond(place, size) if place > size else "")


_FLV_SIZE = re.compile(rb"\0\x08filesize\0(.{8})", re.DOTALL)  # in the metadata, a number of 64 bits


def _flv(file: BinaryIO, size: int) -> Layout:
    """Tags, each followed by its length; the first may hold the size of the whole."""
    field = _FLV_SIZE.search(bytes_at(file, 0, 4096))
    claimed = 0.0 if field is None else struct.unpack(">d", field.group(1))[0]
    place = int.from_bytes(bytes_at(file, 5, 4), "big") + 4
    while place + 11 <= size:
        head = bytes_at(file, place, 4)
        if head[:3] == b"FLV":
            return Layout(fault="more data after its end")
        length = 11 + int.from_bytes(head[1:], "big")
        place += length
        if place + 4 <= size and bytes_at(file, place, 4) != length.to_bytes(4, "big"):
            return Layout(fault="bytes between its tags that are no audio")
        place += 4
    if not size <= place <= size + 4:
        return Layout(fault="the last tag is cut")
    return Layout(fault=beyond(int(claimed), size) if 0 < claimed < LARGEST else "")


def _tta(file: BinaryIO, size: int) -> Layout:
    """Frames of 256/245 s, whose lengths stand in a table; players stop after the first of joined files."""
    head = bytes_at(file, 0, 22)
    rate_hz, count = int.from_bytes(head[10:14], "little"), int.from_bytes(head[14:18], "little")
    frames = -(-count // max(1, rate_hz * 256 // 245))
    if 22 + 4 * frames + 4 > size:
        return Layout(fault="its table of frames is cut")
    table = bytes_at(file, 22, 4 * frames)
    stop = (
        26 + 4 * frames + sum(int.from_bytes(table[at : at + 4], "little") for at in range(0, len(table), 4))
    )
    return Layout(
        fault="more data after its end" if bytes_at(file, stop, 4) == b"TTA1" else beyond(stop, size)
    )


def _tagged(file: BinaryIO, size: int) -> Layout:
    """What follows an ID3 tag: mpeg audio, mostly."""
    place = 0
    while length := tag_length(file, place):
        place += length
    head = bytes_at(file, place, 4)
    if head == b"fLaC":
        return Layout()  # libsndfile skips the tag
    if _ADTS.match(head):
        return adts(file, size, place)
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


_ADTS = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")


def _other(file: BinaryIO, size: int) -> Layout:
    return Layout()


_READERS: tuple[tuple[re.Pattern[bytes], Callable[[BinaryIO, int], Layout]], ...] = tuple(
    (re.compile(magic, re.DOTALL), read)
    for magic, read in (
        (rb"RIFF....(WAVE|AVI )", riff),
        (rb"FORM....AIF[FC]", aiff),
        (rb"\.snd|dns\.", au),
        (rb"fLaC", _flac),
        (rb"OggS", ogg),
        (rb"....(ftyp|moov|mdat|wide|free|skip)", _iso),
        (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _asf),
        (rb"caff", caf),
        (rb"riff\x2e\x91\xcf\x11", w64),
        (rb"RF64....WAVE", rf64),
        (rb"FLV", _flv),
        (rb"TTA1", _tta),
        (rb"ID3", _tagged),
        (rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]", _mpeg),
        (_ADTS.pattern, adts),
        (rb"\x7f\xfe\x80\x01", dts),
        (rb"Creative Voice File\x1a", voc),
        (rb"\0\0\x01\xba", program_stream),
        (rb"(.{4})?\x47.{187}(.{4})?\x47", transport_stream),
        # Only ffmpeg knows these: Matroska and WebM, AMR, WavPack, Monkey's Audio, AC-3, DSD.
        (rb"\x1a\x45\xdf\xa3|#!AMR|wvpk|MAC |\x0b\x77|DSD |MPCK|MP\+", _other),
    )
)  # fmt: skip
