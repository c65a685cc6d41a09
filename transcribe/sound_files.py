"""Files to listen to: the recording that goes into them, and soundfile, which writes them, on a full disk.

Is: what the system refuses, as the OSError that it is. By itself soundfile says "internal error", or, of the
bytes that it writes at the end, nothing.
Is not: any format (sonify, page.recording).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from acoustic.audio import Samples, read_blocks


def blocks_to_hear(recording: Path, start: float, stop: float | None, rate_hz: int) -> Iterator[Samples]:
    """Mono blocks (S,) as of `read_blocks`, softer as a whole where samples go over full scale.

    Files of floats may do so, and would be clipped. It is read twice, since nothing tells its peak before.
    Of a cut or damaged recording, what is there; the damage was reported when it was transcribed.
    """

    def blocks() -> Iterator[Samples]:
        return read_blocks(recording, start, stop, rate_hz, damage=lambda fault: None)

    peak = max((float(np.abs(block).max(initial=0.0)) for block in blocks()), default=0.0)
    gain = np.float32(1.0 / max(1.0, peak))
    return (block * gain for block in blocks())


class Target:
    """A file for soundfile, whose callbacks print errors and lose them: the first is kept, and ends it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Bytes written: none once there was an error."""
        try:
            return 0 if self.error is not None else self.file.write(data)
        except OSError as error:
            self.error = error
            return 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """The new place; flushes what is held back, and may fail by that."""
        try:
            return self.file.seek(offset, whence)
        except OSError as error:
            self.error = self.error or error
            return 0

    def tell(self) -> int:
        """The place."""
        return self.file.tell()


@contextmanager
def opened(path: Path) -> Iterator[Target]:
    """A new file for soundfile to write.

    Raises:
        OSError: not all of it could be written.
    """
    with open(path, "wb") as file:
        target = Target(file)
        try:
            yield target
        except Exception:  # soundfile's own, or an assertion in it
            if target.error is None:
                raise
        if target.error is not None:
            raise target.error
