"""How far many inputs are, and the time left."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

from transcribe.stores import name_of

OVERHEAD = 100_000  # bytes that take as long as what an input costs whatever its size, a few seconds of music


class Progress:
    """Counts inputs that ended; the time left goes by their sizes in bytes.

    Inputs of one format take about as long as they are large, and a while each, which `OVERHEAD` stands for:
    without it a first input of a few samples would foretell days. Where formats differ it evens out.
    """

    def __init__(self, sources: Iterable[Path]) -> None:
        given = list(sources)
        self.sizes = {name_of(source): _size(source) for source in given}
        self.count, self.left = len(given), sum(self.sizes[name_of(source)] for source in given)
        self.all, self.ended = self.left, 0
        self.begin = time.monotonic()

    def after(self, source: str) -> tuple[str, str]:
        """What to write before and after the line of an input that has ended; nothing of a single one."""
        self.ended += 1
        self.left -= self.sizes[source]
        if self.count == 1:
            return "", ""
        rest = (time.monotonic() - self.begin) * self.left / (self.all - self.left)
        after = f", about {duration(rest)} left" if self.ended < self.count else ""
        return f"{self.ended}/{self.count} ", after


def duration(seconds: float) -> str:
    """A length of time as people say it.

    >>> duration(41), duration(754), duration(9000), duration(300_000)
    ('41 s', '13 min', '2.5 h', '3.5 days')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def _size(path: Path) -> int:
    try:
        return OVERHEAD + os.stat(path).st_size
    except OSError:
        return OVERHEAD
