"""Which input is written where, decided before any work.

Is: folders walked, names of the outputs, and every refusal that needs no model: two inputs for one name, an
output over an input, a folder that cannot be written.
Is not: reading or writing of anything (transcribe.pipeline, symbolic.files).
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from acoustic.audio import SUFFIXES
from symbolic.errors import NotebeamError

POSTERIORGRAM = ".npz"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Where the outputs go, as the command was given them; None = not wanted (MIDI: beside the input)."""

    midi: Path | None = None
    csv: Path | None = None
    picture: Path | None = None
    posteriorgram: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """One input and the files that it becomes."""

    source: Path
    midi: Path
    csv: Path | None = None
    picture: Path | None = None
    posteriorgram: Path | None = None

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The wanted ones, the MIDI file last: where it is, the others are too."""
        paths = (self.csv, self.picture, self.posteriorgram, self.midi)
        return tuple(path for path in paths if path is not None)

    @property
    def is_done(self) -> bool:
        """Every output is there."""
        return all(path.exists() for path in self.outputs)


@dataclass(frozen=True)
class Plan:
    """What can be done, and what cannot be, one error an input."""

    jobs: tuple[Job, ...]
    failures: tuple[NotebeamError, ...]


def plan(inputs: Sequence[Path], wanted: Wanted) -> Plan:
    """Jobs of the inputs. An input that cannot be done is a failure; a call that makes no sense is raised.

    Raises:
        NotebeamError: one file name for several inputs, two inputs for one output, an output over an input.
    """
    failures: list[NotebeamError] = []
    single = len(inputs) == 1 and not inputs[0].is_dir()
    _check_options(wanted, single=single)
    jobs: dict[Job, None] = {}  # a set that keeps the order
    for entry in inputs:
        try:
            for source, relative in sources(entry):
                jobs[_job(source, relative, wanted, single=single)] = None
        except NotebeamError as error:
            failures.append(error)
    _refuse_collisions(tuple(jobs))
    writable: list[Job] = []
    for job in jobs:
        try:
            for path in job.outputs:
                check_writable(str(job.source), path)
            writable.append(job)
        except NotebeamError as error:
            failures.append(error)
    return Plan(tuple(writable), tuple(failures))


def sources(entry: Path) -> Iterator[tuple[Path, Path]]:
    """(file, name below the output folder) of an input: a file itself, or a folder's audio files, sorted."""
    if not entry.is_dir():
        if not entry.exists():
            raise NotebeamError(
                str(entry), "nothing there", "an audio file, a posteriorgram (.npz) or a folder"
            )
        yield entry, Path(entry.name)
        return
    found = False
    for folder, folders, names in os.walk(entry):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            # Hidden files out: macOS leaves "._song.wav" beside "song.wav" on foreign disks.
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                found = True
                source = Path(folder) / name
                yield source, source.relative_to(entry)
    if not found:
        raise NotebeamError(str(entry), "a folder without audio", f"a file {', '.join(sorted(SUFFIXES))}")


def check_writable(place: str, path: Path) -> None:
    """Refuse the name of a file that cannot be written, naming it after `place`; makes nothing."""
    if path.is_dir():
        raise NotebeamError(f"{place}: output {path}", "a folder", "the name of a file")
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise NotebeamError(f"{place}: output {path}", f"{folder}, a file", "a folder to write in")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NotebeamError(f"{place}: output {path}", "no permission", f"leave to write in {folder}")


def _job(source: Path, relative: Path, wanted: Wanted, *, single: bool) -> Job:
    def place(path: Path | None, *suffixes: str) -> Path | None:
        if path is None:
            return None
        if _is_file_name(path, suffixes, single=single):
            return path
        return path / relative.with_suffix(suffixes[0])

    return Job(
        source=source,
        midi=place(wanted.midi, ".mid", ".midi") or source.with_suffix(".mid"),
        csv=place(wanted.csv, ".csv"),
        picture=place(wanted.picture, ".png"),
        posteriorgram=place(wanted.posteriorgram, ".npz"),
    )


def _is_file_name(path: Path, suffixes: tuple[str, ...], *, single: bool) -> bool:
    """A name with the suffix is a file when there is one input file; anything else is a folder."""
    return single and path.suffix.lower() in suffixes and not path.is_dir()


def _refuse_collisions(jobs: tuple[Job, ...]) -> None:
    owners: dict[Path, Path] = {}
    read = {job.source.resolve() for job in jobs}
    for job in jobs:
        for path in job.outputs:
            target = path.resolve()
            if target in read:
                raise NotebeamError(str(path), f"an output of {job.source}", "a name that is no input")
            if target in owners:
                raise NotebeamError(
                    str(path), f"{owners[target]} and {job.source}", "one input for one output name"
                )
            owners[target] = job.source


def _check_options(wanted: Wanted, *, single: bool) -> None:
    """What is wrong with an option itself is said once, not once an input."""
    options = (
        ("-o", wanted.midi, (".mid", ".midi")),
        ("--csv", wanted.csv, (".csv",)),
        ("--picture", wanted.picture, (".png",)),
        ("--save-posteriorgram", wanted.posteriorgram, (".npz",)),
    )
    for option, path, suffixes in options:
        if path is None or _is_file_name(path, suffixes, single=single):
            continue
        if path.suffix.lower() in suffixes and not path.is_dir():
            raise NotebeamError(f"{option} {path}", "a file for several inputs", "the name of a folder")
        if path.exists() and not path.is_dir():
            raise NotebeamError(f"{option} {path}", "an existing file", f"a folder or a name {suffixes[0]}")
        check_writable(option, path / f"name{suffixes[0]}")
