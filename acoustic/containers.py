"""What the bytes of an audio file say about it: where its audio lies, and whether the file is cut or damaged.

A header that is wrong must not cost music: recorders and pipes leave sizes at 0 or at the largest number, mp3
files count frames that others have added to, and files are joined by plain copying. `layout` looks at the
structure alone (chunks, pages, frame headers) in one pass of small, bounded reads, and decodes nothing.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from acoustic.chunks import aiff, au, caf, rf64, riff, w64
from acoustic.mpeg import scan
from acoustic.ogg import ogg
from acoustic.parts import Layout, Part, beyond, bytes_at, places_of
from symbolic.files import open_file

EXPECTED = "a recording"


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


def _tagged(file: BinaryIO, size: int) -> Layout:
    """What follows an ID3 tag: mpeg audio, mostly."""
    place = 0
    while bytes_at(file, place, 3) == b"ID3":
        a, b, c, d = bytes_at(file, place + 6, 4).ljust(4, b"\0")
        place += 10 + ((a & 127) << 21 | (b & 127) << 14 | (c & 127) << 7 | d & 127)
    head = bytes_at(file, place, 4)
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
        (rb"ID3", _tagged),
        (rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]", _mpeg),
        # Only ffmpeg knows these: Matroska and WebM, ADTS, AMR, WavPack, Monkey's Audio, AC-3, DSD, TTA, FLV.
        (rb"\x1a\x45\xdf\xa3|\xff[\xf0\xf1\xf8\xf9]|#!AMR|wvpk|MAC |\x0b\x77|DSD |TTA|FLV|MPCK|MP\+", _other),
    )
)  # fmt: skip
