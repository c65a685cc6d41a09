"""Many damaged inputs for many readers: child processes, started again where an input ended one."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.reporting.form import ROOT


@dataclass(frozen=True)
class Trial:
    """How an input ended: "clean", "refused" in one line that names it, or anything else, with a detail."""

    reader: str
    number: int
    end: str
    detail: str

    @property
    def is_good(self) -> bool:
        return self.end in ("clean", "refused")


def trials(readers: Sequence[str], each: int, seed: int = 0) -> Iterator[Trial]:
    """`each` inputs for each reader, in order; an input that ends the process is a trial too."""
    left, first = list(readers), 0
    while left:
        command = [
            sys.executable,
            "-m",
            "benchmarks.lib.fuzz.child",
            "|".join(left),
            str(seed),
            str(first),
            str(each),
        ]
        ending = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        # To a file: a full pipe that nobody reads would stop the child, and libraries say much of damage.
        with (
            tempfile.TemporaryFile() as complaints,
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=ending,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                errors="replace",
            ) as child,
        ):
            assert child.stdout is not None
            for line in child.stdout:
                trial = Trial(**json.loads(line))
                yield trial
                left = left[left.index(trial.reader) :]
                first = trial.number + 1
            child.wait()
            complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - 600))
            complaint = complaints.read().decode(errors="replace")
        if child.returncode == 0:
            return
        if first == each:  # ended between two readers
            left, first = left[1:], 0
        if child.returncode > 0 or not left:
            raise RuntimeError(f"{left[:1]}: the good file is not read: {complaint}")
        word = signal.Signals(-child.returncode).name
        yield Trial(left[0], first, "hang" if word in ("SIGALRM", "SIGPROF") else f"signal {word}", complaint)
        first += 1
        if first == each:
            left, first = left[1:], 0
