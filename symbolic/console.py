"""What all commands do alike: messages of one line, exit codes, and an end at any moment on a signal.

A command ends with 0 (all done), 1 (an input failed), 2 (wrong usage), 129 (SIGHUP: its terminal is gone),
130 (Ctrl-C) or 143 (SIGTERM). An interrupt ends the process at once from the signal's handler, after it has
deleted unfinished files: as an exception it would be lost, turned into another error or cut a library's
import in two. Imports next to nothing, because it must come before everything else.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from contextlib import contextmanager

TYPE_CHECKING = False  # as of typing, whose import takes as long as all else here
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any

DONE, FAILED, USAGE, HUNG_UP, INTERRUPTED, TERMINATED = 0, 1, 2, 129, 130, 143
_SIGNALS = {
    "SIGINT": (INTERRUPTED, "interrupted"),
    "SIGTERM": (TERMINATED, "terminated"),
    "SIGHUP": (HUNG_UP, "hung up"),
}
NOTHING_LOST = "what is written so far is whole"
RESUMABLE = "go on with --resume"


def say(program: str, line: str) -> None:
    """One line to stderr, where there is one that takes it; nothing else hangs on that."""
    from symbolic.errors import one_line

    if sys.stderr is None:  # closed by the caller, or a program without a console
        return
    try:
        print(f"{program}: {one_line(line)}", file=sys.stderr, flush=True)
    except (OSError, ValueError):  # a reader that has gone, a log on a full disk
        sys.stderr = None  # what waits in it would spoil the exit code at the end


def remove_unfinished() -> None:
    """Delete the files that are being written, at any moment, even during the imports."""
    # Not there before its import, nor in the middle of it: then nothing is unfinished.
    remove = getattr(sys.modules.get("symbolic.files"), "remove_unfinished", None)
    if remove is not None:
        remove()


def end_at_signals(program: str, hint: str = NOTHING_LOST) -> dict[int, Any]:
    """From here on `_SIGNALS` end the process with one line; returns the handlers that were there."""

    mine = os.getpid()
    caught = [signal.SIGINT, signal.SIGTERM]
    # Windows has no such signal; and what nohup has begun goes on when its terminal is gone.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        caught.append(signal.SIGHUP)

    def end(number: int, frame: FrameType | None) -> None:
        code, word = _SIGNALS[signal.Signals(number).name]
        for one in caught:  # a second Ctrl-C must not interrupt the tidying up
            signal.signal(one, signal.SIG_IGN)
        if os.getpid() != mine:  # a worker, whom Ctrl-C reaches too: one line is enough
            os._exit(code)
        try:
            remove_unfinished()
            if sys.stderr is not None:
                # Not by print: the signal may have come while stderr was being written to.
                end_of_bar = "\r\n" if sys.stderr.isatty() else ""
                os.write(sys.stderr.fileno(), f"{end_of_bar}{program}: {word}; {hint}\n".encode())
        except (OSError, ValueError):
            pass
        os._exit(code)

    return {number: signal.signal(number, end) for number in caught}


@contextmanager
def ending_at_signals(program: str, hint: str = NOTHING_LOST) -> Iterator[None]:
    """`end_at_signals` for a block; the handlers that were there come back after it."""
    try:
        before = end_at_signals(program, hint)
    except ValueError:  # not the main thread, to which signals do not come
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def outcome(program: str, work: Callable[[], None], hint: str = NOTHING_LOST) -> int:
    """Exit code of a command's work; what a user can cause is one line. Bugs keep their traceback."""
    from symbolic.errors import NotebeamError

    # What is printed may be a name that the terminal's encoding lacks, or that is no text.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    with ending_at_signals(program, hint):
        try:
            work()
        except KeyboardInterrupt:
            say(program, f"interrupted; {hint}")
            return INTERRUPTED
        except BrokenPipeError:  # `| head` has seen enough
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, for the flush at the end
            return FAILED
        except (NotebeamError, OSError) as error:
            say(program, str(error))
            return FAILED
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            say(program, f"not enough memory ({str(error)[:100]})")
            return FAILED
    return DONE


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was refused, which torch says by a plain RuntimeError."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "alloc" in str(error))
