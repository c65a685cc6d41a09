"""`python -m benchmarks.lib.fuzz.child`: damaged inputs read in a process that may end by them.

Is: one line of JSON on stdout for each input: its number, how it ended, a detail.
Is not: whoever starts the process again where it ended (lib.fuzz.trials).

Memory is bounded by the system's limit of addresses, `BOUND` above what the process has when all is imported;
an input that takes longer than `SECONDS` of the processor, or `WAIT` beside other programs or for something
that never comes, ends the process by its alarm.
"""

import json
import os
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

BOUND = 1 << 30  # bytes
SECONDS = 20
WAIT = 300  # seconds
LONGEST_LINE = 2000  # characters of a refusal


def main(readers: str, seed: int, first: int, each: int) -> None:
    """Inputs `first` to `each` of the first of the readers (separated by |), and all of the others."""
    from benchmarks.lib.fuzz.readers import READERS, damaged

    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no result
    warnings.simplefilter("ignore")
    held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    for name in readers.split("|"):
        reader = READERS[name]
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            reader.prepare(Path(folder))
            path = Path(folder) / reader.file
            good = path.read_bytes()
            reader.read(
                Path(folder)
            )  # the good one must be read, or nothing is tried; it imports the rest too
            held = max(held, int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE"))
            resource.setrlimit(resource.RLIMIT_AS, (held + BOUND, resource.getrlimit(resource.RLIMIT_AS)[1]))
            for number in range(first, each):
                content = damaged(name, good, seed, number)
                path.write_bytes(content)
                signal.setitimer(signal.ITIMER_PROF, SECONDS)
                signal.alarm(WAIT)
                end, detail = outcome(partial(reader.read, Path(folder)), folder)
                signal.alarm(0)
                signal.setitimer(signal.ITIMER_PROF, 0)
                out.write(json.dumps({"reader": name, "number": number, "end": end, "detail": detail}) + "\n")
                out.flush()
        first = 0


def outcome(read: Callable[[], object], folder: str) -> tuple[str, str]:
    """("clean" | "refused" | another word, detail) of a call; a refusal names a file of the folder."""
    from symbolic.errors import NotebeamError

    try:
        read()
    except (NotebeamError, OSError) as error:
        line = str(error)
        if "\n" in line or len(line) > LONGEST_LINE:
            return "long message", line[:300]
        return ("refused", "") if folder in line else ("unnamed", line[:300])
    except MemoryError as error:
        return "memory", traceback.format_exc(limit=-3)[-600:] or str(error)
    except BaseException as error:
        kind = "memory" if "alloc" in str(error) else "traceback"
        return kind, "".join(traceback.format_exception(error, limit=-4))[-900:]
    return "clean", ""


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
