"""MIDI files as they are out there, made such that a reader finds all their notes.

Is: notes that a file never ends, ended: at their key's next strike, at "all notes off", or with their track;
tracks that the header does not count, or whose length was never filled in; events after a track's end or of a
status from before a system message.
Is not: the reading of notes (symbolic.midi).

Recorders that stop early and editors that cut leave a strike without a release. Such a note rings on in a
player, but readers of MIDI drop it, or make one long note of eight. Only keys that lack a release change.

Almost no file needs that, and a look at every event in Python takes thirty times as long as parsing a file in
C++. So a copy is parsed first in which every key is released long after its track's end (`closed`): where no
note lasts until then (`is_whole`), no strike lacks its release, and what was parsed is the music.
"""

import re
from collections import defaultdict
from functools import lru_cache
from typing import Any

NOTE_OFF, NOTE_ON, CONTROL = 0x80, 0x90, 0xB0
SOUND_OFF, NOTES_OFF = 120, 123  # controllers that release all keys of their channel
META, SYSEX, SYSEX_MORE = 0xFF, 0xF0, 0xF7
END_OF_TRACK = 0x2F
ONE_DATA_BYTE = (0xC0, 0xD0)  # programme, channel pressure
SYSTEM = {
    0xF1: 1,
    0xF2: 2,
    0xF3: 1,
    0xF6: 0,
}  # bytes after other messages of the system; the clock's have none
HEADER = 6  # bytes; longer ones are allowed, and say nothing that is known
END = b"\xff\x2f\x00"  # of a track, after its delta
TOO_LONG = re.compile(rb"[\x80-\xff]{4}")  # a number of more than four bytes, unless it is text
LATE = 0x0FFFFFFF  # ticks from a track's end to the releases in `closed`: the longest delta
Event = tuple[int, bytes]  # tick, bytes with their status


def all_tracks(data: bytes) -> bytes | None:
    """The file with a short header that counts the tracks there are, each with its length; None: other files
    have been joined to it.
    """
    if (size := int.from_bytes(data[4:8], "big")) > HEADER:
        data = data[:4] + HEADER.to_bytes(4, "big") + data[8 : 8 + HEADER] + data[8 + size :]
    place, count = 8 + int.from_bytes(data[4:8], "big"), 0
    while place + 8 <= len(data):
        kind, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "big")
        if kind == b"MThd":
            return None
        if kind == b"MTrk":
            count += 1
            if _is_short(data, stop := place + 8 + size):
                following = data.find(b"MTrk", stop)
                size = (len(data) if following < 0 else following) - place - 8
                data = data[: place + 4] + size.to_bytes(4, "big") + data[place + 8 :]
        place += 8 + size
    form, tracks = (int.from_bytes(data[at : at + 2], "big") for at in (8, 10))
    if count <= tracks:
        return data
    return data[:8] + max(form, 1).to_bytes(2, "big") + min(count, 0xFFFF).to_bytes(2, "big") + data[12:]


def _is_short(data: bytes, stop: int) -> bool:
    """Whether a track goes on behind its length: it has no end there, and what follows is no chunk.

    Writers fill in the length when they are done, and some never were.
    """
    if data.endswith(END, 0, stop):
        return False
    follows = data[stop:]
    is_chunk = len(follows) >= 8 and follows[:4].isalpha() and follows[:4].isascii()
    return not is_chunk and bool(follows.strip(b"\0"))


def closed(data: bytes) -> tuple[bytes, int] | None:
    """The file with a release of every key that may be struck and a marker `LATE` ticks after the end of each
    track, and how many tracks these are; None: a track ends otherwise than a whole one does.
    """
    place = 8 + int.from_bytes(data[4:8], "big")
    parts, count = [data[:place]], 0
    while place + 8 <= len(data):
        kind, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "big")
        body = data[place + 8 : place + 8 + size]
        if kind == b"MTrk":
            if len(body) != size or not body.endswith(END) or TOO_LONG.search(body):
                return None
            # Bytes of times and names may look like strikes too: releases that are not needed do no harm.
            channels = bytes(channel for channel in range(16) if NOTE_ON | channel in body)
            body, count = body[: -len(END)] + _releases(channels), count + 1
        parts += [kind, len(body).to_bytes(4, "big"), body]
        place += 8 + size
    return b"".join(parts), count


def is_whole(score: Any, count: int) -> bool:
    """Whether symusic's score of what `closed` has made, of `count` tracks, is that of the file itself."""
    # Where a track is damaged, what was put at its end may have been taken for something else.
    if sum(marker.time >= LATE for marker in score.markers) != count:
        return False
    return all(track.end() < LATE for track in score.tracks)


@lru_cache(maxsize=64)
def _releases(channels: bytes) -> bytes:
    """What stands in the place of a track's end: a rest, every key's release, a marker, an end."""
    rest = b"\xff\x01\x00" + _variable(LATE)  # the end's own delta comes before an empty text
    keys = [
        bytes([NOTE_ON | channel]) + b"\x00".join(bytes([key, 0]) for key in range(128))
        for channel in channels
    ]
    return rest + b"\x00".join([*keys, b"\xff\x06\x01x", END])


def mended(data: bytes) -> tuple[bytes, int]:
    """The file with a release for every strike, and how many strikes there are.

    Raises:
        ValueError: a track is damaged.
    """
    if len(data) < 14:
        raise ValueError("no header")
    quarter = int.from_bytes(data[12:14], "big")
    place = 8 + int.from_bytes(data[4:8], "big")
    parts, strikes = [data[:place]], 0
    while place + 8 <= len(data):
        kind, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "big")
        body = data[place + 8 : place + 8 + size]
        if kind == b"MTrk":
            if len(body) != size:
                raise ValueError(f"a track of {size} bytes, of which {len(body)} are there")
            events = _events(body)
            strikes += sum(1 for _, event in events if (_strike(event) or (0, 0, False))[2])
            body = _written(_ended(events, quarter))
        parts += [kind, len(body).to_bytes(4, "big"), body]
        place += 8 + size
    return b"".join([*parts, data[place:]]), strikes


def _ended(events: list[Event], quarter: int) -> list[Event]:
    """The events with the releases that are missing, the track's end last."""
    missing = _lacking(events)
    end = events[-1][0] if events else 0
    held: dict[tuple[int, int], int] = {}  # (channel, key) -> tick of its strike
    result: list[Event] = []
    for tick, event in events:
        strike = _strike(event)
        if strike is not None and strike[:2] in missing:
            where, on = strike[:2], strike[2]
            if where in held and on:
                result.append((tick, bytes([NOTE_OFF | where[0], where[1], 0])))
            elif where not in held and not on:
                continue  # of the notes that this key's strikes have ended already
            held.pop(where, None)
            if on:
                held[where] = tick
        elif event[0] & 0xF0 == CONTROL and (event[1] == SOUND_OFF or event[1] >= NOTES_OFF):
            for where in [where for where in held if where[0] == event[0] & 0x0F]:
                result.append((tick, bytes([NOTE_OFF | where[0], where[1], 0])))
                del held[where]
        if event[:2] != bytes([META, END_OF_TRACK]):
            result.append((tick, event))
    for (channel, key), begun in held.items():
        # What is struck with the last event still sounds for a beat.
        stop = end if end > begun else begun + quarter
        result.append((stop, bytes([NOTE_OFF | channel, key, 0])))
    result.sort(key=lambda event: event[0])  # stable: the order within a tick stays
    return [*result, (max(end, result[-1][0] if result else 0), END)]


def _written(events: list[Event]) -> bytes:
    """A track's bytes."""
    written, before = bytearray(), 0
    for tick, event in events:
        written += _variable(tick - before) + event
        before = tick
    return bytes(written)


def _lacking(events: list[Event]) -> set[tuple[int, int]]:
    """(channel, key) of which there are more strikes than releases after them."""
    pending: dict[tuple[int, int], int] = defaultdict(int)
    for _, event in events:
        strike = _strike(event)
        if strike is not None:
            channel, key, on = strike
            pending[channel, key] = max(0, pending[channel, key] + (1 if on else -1))
    return {where for where, count in pending.items() if count}


def _strike(event: bytes) -> tuple[int, int, bool] | None:
    """(channel, key, struck?) of a note's event; None of any other."""
    kind = event[0] & 0xF0
    if kind not in (NOTE_ON, NOTE_OFF):
        return None
    return event[0] & 0x0F, event[1], kind == NOTE_ON and event[2] > 0


def _events(body: bytes) -> list[Event]:
    """Events of a track at their ticks, running status written out; behind its end, those that are whole.

    Raises:
        ValueError: the track is damaged.
    """
    events: list[Event] = []
    place = tick = running = 0
    has_ended = False
    while place < len(body):
        try:
            delta, place = _read_variable(body, place)
            event, place = _event(body, place, running)
        except (IndexError, ValueError) as error:
            if has_ended:  # padding
                break
            why = "a track that ends within an event" if isinstance(error, IndexError) else str(error)
            raise ValueError(why) from None
        tick += delta
        # The standard ends it at messages of the system; many writers do not.
        running = event[0] if event[0] < SYSEX else running
        has_ended = has_ended or event[:2] == bytes([META, END_OF_TRACK])
        events.append((tick, event))
    return events


def _event(body: bytes, place: int, running: int) -> tuple[bytes, int]:
    """An event with its status, which may be the `running` one, and where it ends."""
    status = running
    if body[place] & 0x80:
        status, place = body[place], place + 1
    begin = place
    if status == META:
        size, place = _read_variable(body, place + 1)
    elif status in (SYSEX, SYSEX_MORE):
        size, place = _read_variable(body, place)
    elif 0x80 <= status < SYSEX:
        size = 1 if status & 0xF0 in ONE_DATA_BYTE else 2
    elif status in SYSTEM or status > SYSEX_MORE:
        size = SYSTEM.get(status, 0)
    else:
        raise ValueError("no such event")
    place += size
    if place > len(body):
        raise IndexError
    return bytes([status]) + body[begin:place], place


def _read_variable(body: bytes, place: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = 0
    for _ in range(4):
        byte, place = body[place], place + 1
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            return value, place
    raise ValueError("a number of more than four bytes")


def _variable(value: int) -> bytes:
    """A number as MIDI writes it; of what it cannot hold, the largest it can."""
    value = min(value, 0x0FFFFFFF)
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))
