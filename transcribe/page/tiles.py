"""The posteriorgram of a page: 16 levels, cut into PNG tiles, at several resolutions.

Is: quantised tiles that a browser decodes one by one, so that it holds only what is in view.
Is not: the picture of `transcribe.picture`, which is drawn once and for paper.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from symbolic.posteriorgram import Posteriorgram

COLUMNS = 2048  # of a tile, at most
POOLED = 4  # columns of a level that become one of the next
LEVELS = 16  # of probability: 4 bits a pixel
LARGEST = 6 << 20  # characters of all tiles: what does not fit loses its finest level

Bytes = npt.NDArray[np.uint8]


class Layer(TypedDict):
    """One resolution: its tiles in order, base64 of PNG, each of `COLUMNS` columns but the last."""

    seconds: float  # of a column
    columns: int
    tiles: list[str]


def layers(posteriorgram: Posteriorgram, largest: int = LARGEST) -> list[Layer]:
    """The frame plane from fine to coarse, in `largest` characters at most.

    A column of a coarser layer holds the largest of the four under it: a short note must not fade.
    """
    plane = quantised(posteriorgram.frame)
    found: list[Layer] = []
    seconds = posteriorgram.hop
    while len(plane):
        tiles = [
            base64.b64encode(png(plane[first : first + COLUMNS])).decode()
            for first in range(0, len(plane), COLUMNS)
        ]
        found.append({"seconds": seconds, "columns": len(plane), "tiles": tiles})
        if len(plane) <= COLUMNS:
            break
        plane = np.maximum.reduceat(plane, np.arange(0, len(plane), POOLED), axis=0)
        seconds *= POOLED
    while len(found) > 1 and sum(len(tile) for layer in found for tile in layer["tiles"]) > largest:
        del found[0]
    return found


def quantised(prob: npt.NDArray[np.float32]) -> Bytes:
    """Probabilities (T, 88) as levels 0..15, the nearest."""
    return np.rint(prob * (LEVELS - 1)).astype(np.uint8)


def png(levels: Bytes) -> bytes:
    """A PNG, 88 high and T wide, of levels (T, 88): black, as opaque as the level is high, top key first."""
    rows = np.flipud(levels.T)
    if rows.shape[1] % 2:
        rows = np.pad(rows, ((0, 0), (0, 1)))
    packed = rows[:, 0::2] << 4 | rows[:, 1::2]
    # Every row begins with the number of its filter, 0: none.
    lines = np.pad(packed, ((0, 0), (1, 0))).tobytes()
    # 4 bits a pixel (of two pixels a byte), of a palette (3): black in 16 opacities.
    header = struct.pack(">IIBBBBB", len(levels), len(rows), 4, 3, 0, 0, 0)
    opacity = bytes(round(255 * level / (LEVELS - 1)) for level in range(LEVELS))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in (
            (b"IHDR", header),
            (b"PLTE", bytes(3 * LEVELS)),
            (b"tRNS", opacity),
            (b"IDAT", zlib.compress(lines, 9)),
            (b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
