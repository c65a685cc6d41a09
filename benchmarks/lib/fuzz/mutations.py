"""Mutations of files that know the files' structure, drawn from a generator that is passed in.

Is: bytes, texts, JSON, arrays in archives, safetensors and MIDI, changed so that damage gets behind the first
check of a reader.
Is not: what the files are before (lib.fuzz.seeds) or who reads them (lib.fuzz.readers).
"""

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]

NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1)
WORDS = (
    "nan", "inf", "-inf", "-1", "0", "1e308", "-1e308", "1e-320", "1e400", "9" * 30, "9" * 5000, "0x10",
    "1_0", "", " ", "true", "null", "\u00b2", "\ufeff", "\0", "\U0001f600", "../../etc/passwd", "a" * 3000,
    "[" * 3000, '"', "'", "\t", "\r", "\n", ",", ";", "%s", "{}",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 1000, 10**6, 10**9, 10**30, -(10**30), 0.5, 1e308, -1e308,
    float("nan"), float("inf"), "", "x", "9" * 50, "\n", [], {}, [[]], [None], {"a": {}}, [0] * 5, [[[0]]],
)  # fmt: skip
EVENTS = (  # of MIDI, with their deltas
    b"\xff\xff\xff\x7f\x90\x3c\x50", b"\x87\x68\x90\x3c\x50", b"\x00\xff\x51\x03\x00\x00\x00",
    b"\x00\xff\x51\x03\xff\xff\xff", b"\x00\xff\x51\x01\x07", b"\x00\xf0\x7f",
    b"\x00\xff\x58\x04\x00\x00\x00\x00", b"\x00\xb0\x40\x7f", b"\xff\xff\xff\x7f\xb0\x40\x00",
    b"\x00\xff\x2f\x00", b"\x00\x99\x24\x50", b"\x00\xc0\x7f", b"\x00\xe0\x00\x00", b"\x3c\x50",
    b"\x00\xff\x03\x02\xff\xfe",
)  # fmt: skip


def of_bytes(data: bytes, draw: random.Random) -> bytes:
    """One to four edits: bits, bytes, numbers of 2 to 8 bytes, runs cut, doubled or zeroed, an early end."""
    new = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        place, kind = draw.randrange(len(new) + 1), draw.randrange(8)
        size = min(draw.choice((1, 2, 4, 8, 16, 64, 512)), len(new) - place)
        if kind == 0 and size:
            new[place] ^= 1 << draw.randrange(8)
        elif kind == 1 and size:
            new[place] = draw.randrange(256)
        elif kind == 2:
            form = draw.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
            width = struct.calcsize(form)
            new[place : place + width] = struct.pack(form, draw.choice(NUMBERS) % (1 << 8 * width))
        elif kind == 3:
            del new[place : place + size]
        elif kind == 4:
            new[place:place] = new[place : place + size]
        elif kind == 5:
            new[place : place + size] = bytes([draw.choice((0, 255))]) * size
        elif kind == 6:
            other = draw.randrange(len(new) + 1)
            new[place:place] = new[other : other + size]
        elif draw.random() < 0.5:
            del new[place:]
    return bytes(new)


def of_heads(data: bytes, draw: random.Random) -> bytes:
    """`of_bytes` where containers keep their sizes: in the first bytes."""
    size = min(len(data), draw.choice((32, 64, 128, 512)))
    return of_bytes(data[:size], draw) + data[size:]


def of_text(data: bytes, draw: random.Random) -> bytes:
    """Cells, numbers and lines replaced, left out, doubled; bytes that are no text."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    for _ in range(draw.randint(1, 3)):
        row, kind = draw.randrange(len(lines)), draw.randrange(6)
        if kind == 0:
            lines[row] = draw.choice(WORDS)
        elif kind == 1 and len(lines) > 1:
            del lines[row]
        elif kind == 2:
            lines.insert(row, lines[draw.randrange(len(lines))])
        else:
            mark = draw.choice(("\t", ",", "=", " ", ":"))
            cells = lines[row].split(mark)
            cell = draw.randrange(len(cells))
            if kind == 3 and len(cells) > 1:
                del cells[cell]
            elif kind == 4:
                cells.insert(cell, draw.choice(WORDS))
            else:
                cells[cell] = draw.choice(WORDS)
            lines[row] = mark.join(cells)
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def of_value(value: Any, draw: random.Random) -> Any:
    """A value of JSON with one of its parts replaced, left out, renamed or doubled."""
    if isinstance(value, dict | list) and value and draw.random() < 0.85:
        key: Any = draw.choice(list(value)) if isinstance(value, dict) else draw.randrange(len(value))
        new: Any = value.copy()
        kind = draw.random()
        if kind < 0.1:
            del new[key]
        elif kind < 0.15 and isinstance(new, dict):
            new[draw.choice(("x", "", key + "x"))] = new.pop(key)
        elif kind < 0.2 and isinstance(new, list):
            new += new
        else:
            new[key] = of_value(value[key], draw)
        return new
    if isinstance(value, int | float) and draw.random() < 0.5:
        return draw.choice((-value, value + 1, value * 1000, value * 10**9, value / 3, str(value)))
    return draw.choice(VALUES)


def of_json(data: bytes, draw: random.Random) -> bytes:
    """`of_value` of a JSON text, once or twice."""
    value = json.loads(data)
    for _ in range(draw.randint(1, 2)):
        value = of_value(value, draw)
    return json.dumps(value).encode()


def of_npz(data: bytes, draw: random.Random) -> bytes:
    """An archive of arrays with a part left out, renamed, packed otherwise, or with another header."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        changed = draw.choice(old.namelist())
        for name in old.namelist():
            content, method = old.read(name), zipfile.ZIP_DEFLATED
            if name == changed:
                kind = draw.randrange(6)
                if kind == 0:
                    continue
                if kind == 1:
                    method = draw.choice((zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_STORED))
                elif kind == 2:
                    name = draw.choice(("x.npy", "frame.npy", "times.npy", "../x.npy", "train.npy"))
                elif kind == 3:
                    content = of_bytes(content, draw)
                else:
                    content = _other_header(content, draw)
            new.writestr(name, content, method)
    return made.getvalue()


def _other_header(array: bytes, draw: random.Random) -> bytes:
    """A .npy whose header says another type, order or shape, the padding kept."""
    end = array.index(b"\n") if b"\n" in array else len(array)
    head = array[10:end].decode("latin-1")
    number = draw.choice(("0", "1", "3", "-1", "88", "1000000000000", "True", "1.5", "x", "1, 1", "9" * 40))
    kinds = [("'<f4'", kind) for kind in ("'<f8'", "'|O'", "'<U9'", "'<c16'", "'V4'")]
    others = [("False", "True"), ("88", number), ("(", f"({number}, "), ("}", ""), ("'shape'", "'shap'")]
    for old, new in (draw.choice(kinds), draw.choice(others)):
        if draw.random() < 0.6:
            head = head.replace(old, new, 1)
    head = head.ljust(end - 10)
    return array[:8] + struct.pack("<H", len(head) + 1) + head.encode("latin-1", "replace") + array[end:]


def of_safetensors(data: bytes, draw: random.Random) -> bytes:
    """Another header (names, shapes, types, offsets, metadata), numbers that are none, or damage anywhere."""
    size = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + size]), bytearray(data[8 + size :])
    kind = draw.randrange(6)
    if kind == 0:
        return of_bytes(data, draw)
    if kind == 1:
        place = draw.randrange(max(len(body) // 4, 1)) * 4
        body[place : place + 4] = struct.pack("<f", draw.choice((float("nan"), float("inf"), 1e38, -1e38)))
    elif kind == 2 and header.get("__metadata__"):
        name = draw.choice(list(header["__metadata__"]))
        try:
            told = json.loads(header["__metadata__"][name])
        except ValueError:
            told = header["__metadata__"][name]
        new = of_value(told, draw)
        header["__metadata__"][name] = (
            new if isinstance(new, str) and draw.random() < 0.5 else json.dumps(new)
        )
    elif kind == 3:
        name = draw.choice([name for name in header if name != "__metadata__"])
        entry = header.pop(name)
        if draw.random() < 0.6:
            header[draw.choice((name + "x", "x", name[:-1]))] = entry
    elif kind == 4:
        name = draw.choice([name for name in header if name != "__metadata__"])
        entry = header[name]
        draw.shuffle(entry["shape"])
        if draw.random() < 0.5:
            entry["dtype"] = draw.choice(("F16", "I32", "I64", "BOOL", "F64", "BF16", "U8", "F8_E4M3"))
    else:
        header = of_value(header, draw)
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + bytes(body)


def of_midi(data: bytes, draw: random.Random) -> bytes:
    """The body of a track changed, its length made right again; another head; events that are seldom."""
    head, body = data[:14], data[22:]
    if draw.random() < 0.3:
        division = draw.choice((0, 1, 2, 480, 0x7FFF, 0x8000, 0xE728))
        tracks = draw.choice((0, 1, 2, 0xFFFF))
        head = head[:8] + struct.pack(">HHH", draw.choice((0, 1, 2, 7)), tracks, division)
    for _ in range(draw.randint(0, 3)):
        place = draw.randrange(len(body) + 1)
        event = draw.choice(EVENTS)
        body = body[:place] + event + body[place:]
    if draw.random() < 0.5:
        body = of_bytes(body, draw)
    return head + b"MTrk" + len(body).to_bytes(4, "big") + body


def any_of(*mutations: Mutation) -> Mutation:
    """One of several, drawn anew each time; of those that cannot make anything of an input, bytes."""

    def mutated(data: bytes, draw: random.Random) -> bytes:
        return draw.choice(mutations)(data, draw)

    return mutated


def within(unpack: Callable[[bytes], bytes], pack: Callable[[bytes], bytes], inner: Mutation) -> Mutation:
    """A mutation of what a compressed file holds, or, one time in four, of the compressed bytes."""

    def mutated(data: bytes, draw: random.Random) -> bytes:
        return of_bytes(data, draw) if draw.random() < 0.25 else pack(inner(unpack(data), draw))

    return mutated
