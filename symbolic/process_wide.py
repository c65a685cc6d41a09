"""Settings of the whole process that a block of code changes, and blocks of several threads at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ProcessWide(Generic[Value]):
    """A setting that is `inside` within blocks: the first to begin remembers it, the last to end restores it.

    Args:
        of_threads: each thread has the setting to itself, and a new one that which was last written; so every
            block that ends restores it where it ran.
    """

    def __init__(
        self, read: Callable[[], Value], write: Callable[[Value], None], inside: Value, *, of_threads: bool
    ) -> None:
        self._read, self._write, self._inside, self._of_threads = read, write, inside, of_threads
        self._before: Value = inside
        self._blocks = 0  # that run
        self._lock = Lock()

    @contextmanager
    def changed(self) -> Iterator[None]:
        """The setting is `inside` within the block."""
        with self._lock:
            if not self._blocks:
                self._before = self._read()
            self._blocks += 1
            self._write(self._inside)
        try:
            yield
        finally:
            with self._lock:
                self._blocks -= 1
                if self._of_threads or not self._blocks:
                    self._write(self._before)
