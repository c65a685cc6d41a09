"""Files that soundfile writes, on a disk that may be full.

Is: what the system refuses, as the OSError that it is. By itself soundfile says "internal error", or, of the
bytes that it writes at the end, nothing.
Is not: any format (sonify, page.recording).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


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
