"""How each input ended, and `--report`: a file of JSON, a line for each input that was tried.

A report is only added to, so that it outlives a crash; the last line of an input is the one that counts. A
line holds the versions and options that the result comes from, by which `--resume` knows what is done.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symbolic.errors import NotebeamError, one_line
from symbolic.files import open_file
from transcribe.stores import name_of, state_of

if TYPE_CHECKING:
    from transcribe.outputs import Job

EXPECTED = "a report: a line of JSON for each input"
START = b'{"input"'  # of a line
LIBRARIES = ("notebeam", "torch", "numpy")
# Options that say how the work is done, not what comes out.
RUNNING = frozenset(
    "inputs manifest jobs address shard report resume skip_existing threads quiet debug version".split()
)
READ = frozenset("beats model prior settings".split())  # options that may be files, and are read


class End(Enum):
    """How an input ended: written, written as far as it goes, or not written."""

    WHOLE = "done"
    DAMAGED = "damaged"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one input."""

    source: str
    end: End
    output: str | None = None  # the MIDI file
    errors: tuple[str, ...] = ()  # one line each
    notices: tuple[str, ...] = ()  # what else a user should know of a recording
    seconds: float | None = None  # of music
    elapsed: float | None = None  # seconds that it took
    notes: int | None = None
    mean_confidence: float | None = None  # of the notes
    beats_a_bar: int | None = None  # with --beats or --clock beats
    tempo_bpm: float | None = None  # beats a minute, likewise
    state: list[int] | None = None  # `state_of` the input when it was begun

    @property
    def line(self) -> str:
        """What people read of an input that was written."""
        count = "1 note" if self.notes == 1 else f"{self.notes} notes"
        found = count if self.notes else "no notes found, an empty file"
        if self.beats_a_bar is not None:
            found += f", {self.beats_a_bar} beats a bar, {self.tempo_bpm:.0f} a minute"
        return (
            f"{self.source} -> {self.output}: {found} ({self.seconds:.1f} s of music in {self.elapsed:.1f} s)"
        )


def beginning(source: str, line: str) -> str:
    """An error's line that begins with the input that it is of, which those that are about it do."""
    name = one_line(source)
    return line if line.startswith((f"{name}:", f"{name} ")) else f"{source}: {line}"


class Report:
    """The file of `--report`, and what it says is done."""

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        """Read what is there; lines that a crash or a power cut has torn are left out.

        Raises:
            NotebeamError: the file is no report.
        """
        self.path = path
        self.settings = {"versions": versions(), "options": dict(options)}
        self.lines: dict[str, dict[str, Any]] = {}
        if os.path.lexists(path):
            with open_file(path, EXPECTED) as file:
                for number, line in enumerate(file, 1):
                    self._read(line, number)

    def _read(self, line: bytes, number: int) -> None:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            # Half a line or zeros, closed when more was added. Without a whole line it must look like one.
            if not self.lines and not START.startswith(line[: len(START)]):
                raise NotebeamError(f"{self.path} line {number}", "no JSON", EXPECTED) from None
            return
        if not isinstance(entry, dict) or not isinstance(entry.get("input"), str):
            raise NotebeamError(f"{self.path} line {number}", "no input", EXPECTED)
        self.lines[entry["input"]] = entry

    def is_done(self, job: Job) -> bool:
        """Whether an input was done by these versions with these options, and has not changed since."""
        entry = self.lines.get(name_of(job.source), {})
        wanted = {"status": End.WHOLE.value, "file": state_of(job.source), **self.settings}
        return job.is_written and all(entry.get(key) == value for key, value in wanted.items())

    def add(self, outcome: Outcome) -> None:
        """Write a line, whole, before the next input."""
        entry = {
            "input": outcome.source,
            "status": outcome.end.value,
            "output": outcome.output,
            "seconds": _rounded(outcome.seconds, 3),
            "elapsed_s": _rounded(outcome.elapsed, 3),
            "notes": outcome.notes,
            "mean_confidence": _rounded(outcome.mean_confidence, 4),
            "beats_a_bar": outcome.beats_a_bar,
            "tempo_bpm": _rounded(outcome.tempo_bpm, 1),
            "error": "; ".join(outcome.errors) or None,
            "notices": list(outcome.notices),
            "file": outcome.state,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            **self.settings,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a+b") as file:
            if file.tell():  # what a crash or a full disk has cut is a line of its own
                file.seek(-1, os.SEEK_END)
                file.write(b"" if file.read() == b"\n" else b"\n")
            file.write(json.dumps(entry).encode() + b"\n")


def versions() -> dict[str, str]:
    """Of this package, the libraries that compute, and Python."""
    from importlib.metadata import PackageNotFoundError, version  # --help needs none of it

    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def options_of(args: argparse.Namespace) -> dict[str, str]:
    """The options that were given and change what comes out; of files that are read also size and time."""
    # No flag that is off is one; but 0 is a number, and of --bfloat16 there is a --no-bfloat16.
    given = {
        key: value
        for key, value in sorted(vars(args).items())
        if value is not None and (value is not False or key == "bfloat16") and key not in RUNNING
    }
    return {key: _with_state(value) if key in READ else f"{value}" for key, value in given.items()}


def _with_state(value: object) -> str:
    state = state_of(str(value)) if os.path.isfile(str(value)) else None
    return f"{value}" if state is None else f"{value} {state}"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
