"""Which input is written where, decided before any work.

Is: folders walked, names of the outputs, and every refusal that needs no model: two inputs for one name, an
output over an input, a folder that cannot be written.
Is not: reading or writing of anything (transcribe.pipeline, symbolic.files).
"""

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from acoustic.audio import SUFFIXES, is_audio
from symbolic.arrays import array_names
from symbolic.errors import NotebeamError
from symbolic.files import check_writable
from symbolic.folders import some_of, walk
from transcribe.page.page import lacks_recording
from transcribe.stores import state_of

POSTERIORGRAM = ".npz"
# Names that end so are meant for files: of inputs, of our outputs, and of formats that are taken for them.
OTHER = frozenset(".jpg .jpeg .json .mxl .pdf .svg .tsv .txt".split())
PLANES = frozenset({"frame", "onset", "basic_pitch_model_output"})  # names of arrays, one of which it has


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Where the outputs go, as the command was given them; None = not wanted (MIDI: beside the input)."""

    midi: Path | None = None
    csv: Path | None = None
    picture: Path | None = None
    page: Path | None = None
    sound: Path | None = None
    posteriorgram: Path | None = None
    score: Path | None = None
    n_best: int = 1  # MIDI files


@dataclass(frozen=True, kw_only=True)
class Job:
    """One input and the files that it becomes."""

    source: Path
    midi: Path
    csv: Path | None = None
    picture: Path | None = None
    page: Path | None = None
    sound: Path | None = None
    posteriorgram: Path | None = None
    score: Path | None = None
    n_best: int = 1

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The wanted ones, the MIDI file last: where it is, the others are too."""
        paths = (self.csv, self.picture, self.page, self.sound, self.posteriorgram, self.score)
        return (*(path for path in paths if path is not None), *self.alternatives, self.midi)

    @property
    def alternatives(self) -> tuple[Path, ...]:
        """MIDI files of the next best transcriptions: a.2.mid and so on beside a.mid."""
        ranks = range(2, self.n_best + 1)
        return tuple(self.midi.with_name(f"{self.midi.stem}.{rank}{self.midi.suffix}") for rank in ranks)

    @property
    def is_done(self) -> bool:
        """Every output is there."""
        return self.is_written and all(state_of(path) is not None for path in self.alternatives)

    @property
    def is_written(self) -> bool:
        """Every output is there but for alternatives, of which a search may have fewer than asked for."""
        if self.page is not None and lacks_recording(self.page):
            return False
        return all(state_of(path) is not None for path in self.outputs if path not in self.alternatives)


@dataclass(frozen=True)
class Plan:
    """What can be done, what cannot be (one error an input), and what a folder's walk passed over."""

    jobs: tuple[Job, ...]
    failures: tuple[NotebeamError, ...]
    notices: tuple[str, ...] = ()


def plan(
    inputs: Sequence[Path],
    wanted: Wanted,
    listed: Collection[Path] = (),
    placed: Sequence[tuple[Path, Path]] = (),
) -> Plan:
    """Jobs of the inputs. An input that cannot be done is a failure; a call that makes no sense is raised.

    Args:
        listed: the inputs whose folders are kept below an output folder, as those of a folder's walk are.
        placed: further inputs that are known to be there, each with its place below an output folder.

    Raises:
        NotebeamError: one file name for several inputs, an output over the only input.
    """
    failures: list[NotebeamError] = []
    notices: list[str] = []
    single = len(inputs) + len(placed) == 1 and not (inputs and os.path.isdir(inputs[0]))
    _check_options(wanted, single=single)
    found: dict[tuple[Path, Path], None] = dict.fromkeys(
        placed
    )  # (input, its place below an output folder), in order
    for entry in inputs:
        if os.path.isdir(entry):
            if wanted.sound is not None and _real(wanted.sound) == _real(entry):
                expected = "another folder: the next call would take what is there for recordings"
                raise NotebeamError(f"--sonify {wanted.sound}", "the folder of the recordings", expected)
            sources, failed, passed_over = folder_sources(entry, wanted)
            failures += failed
            if passed_over:
                notices.append(f"{entry}: {len(passed_over)} passed over: {some_of(passed_over, entry)}")
            below = _below(entry) if entry in listed else Path()
            found |= {(path, below / path.relative_to(entry)): None for path in sources}
        elif str(entry) == "-" and not os.path.exists(entry):
            expected = "a file: what comes through a pipe is to be saved first"
            failures.append(NotebeamError("-", "stdin", expected))
        elif not os.path.lexists(entry):
            expected = "an audio file, a posteriorgram (.npz) or a folder"
            failures.append(NotebeamError(str(entry), "nothing there", expected))
        else:
            found[entry, _below(entry) if entry in listed else Path(entry.name)] = None
    jobs = dict.fromkeys(_jobs(list(found), wanted, single=single))
    clashes = collisions(tuple(jobs))
    if single and clashes:
        raise next(iter(clashes.values()))
    writable: list[Job] = []
    for job in jobs:
        try:
            if job in clashes:
                raise clashes[job]
            for path in job.outputs:
                check_writable(path, f"{job.source}: output {path}")
            writable.append(job)
        except NotebeamError as error:
            failures.append(error)
    return Plan(tuple(writable), tuple(failures), tuple(notices))


def folder_sources(folder: Path, wanted: Wanted) -> tuple[list[Path], list[NotebeamError], list[Path]]:
    """Inputs of a folder, failures, and what is passed over; no input at all is a failure too.

    Inputs are all recordings, by suffix or by content, and posteriorgrams but for those saved beside the
    recording that they are of, and sound beside the page that it is of. Folders of outputs are not entered.
    """
    options = (getattr(wanted, field.name) for field in fields(wanted))
    outputs = {_real(path) for path in options if isinstance(path, Path)}
    found = walk(folder, _is_input, outputs - {_real(folder)}, "a recording")
    recordings = [path for path in found.files if path.suffix.lower() != POSTERIORGRAM]
    named = {*recordings, *map(_stem, recordings)}  # what a posteriorgram may be saved as
    sources = [
        path
        for path in found.files
        if not _is_of_page(path) and (path.suffix.lower() != POSTERIORGRAM or _stem(path) not in named)
    ]
    passed_over = sorted({*found.passed_over, *found.files} - set(sources))
    failures = list(found.failures)
    if not sources and not failures:
        expected = "a recording (wav, flac, mp3, m4a, ...) or a posteriorgram (.npz)"
        failures.append(NotebeamError(str(folder), "a folder without recordings", expected))
    return sources, failures, passed_over


def _is_of_page(path: Path) -> bool:
    """Whether it is the sound of a page, a.html.mp3 beside a.html."""
    page = path.with_suffix("")
    return path.suffix == ".mp3" and page.suffix.lower() in (".html", ".htm") and page.is_file()


def _real(path: Path) -> Path:
    """A path without links; in a loop of links as far as it goes, where `Path.resolve` would fail."""
    return Path(os.path.realpath(path))


def _below(path: Path) -> Path:
    """A path as one below any folder: music/a.wav of /music/a.wav, ../music/a.wav and music/a.wav."""
    return Path(*(part for part in path.parts if part not in (path.anchor, os.pardir)))


def _is_input(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix == POSTERIORGRAM:
        try:
            return not PLANES.isdisjoint(array_names(path))
        except NotebeamError:  # a failure, when its turn comes, and nothing to pass over
            return True
    return suffix in SUFFIXES or (path.is_file() and is_audio(path))


def _jobs(found: Sequence[tuple[Path, Path]], wanted: Wanted, *, single: bool) -> list[Job]:
    """A job for each input; those alike but for their suffix keep it: take1.wav.mid, take1.flac.mid."""
    jobs = [_job(source, relative, wanted, single=single) for source, relative in found]
    owners = Counter(path for job in dict.fromkeys(jobs) for path in job.outputs)
    return [
        job
        if max(owners[path] for path in job.outputs) == 1
        else _job(*places, wanted, single=single, whole=True)
        for job, places in zip(jobs, found, strict=True)
    ]


def _job(source: Path, relative: Path, wanted: Wanted, *, single: bool, whole: bool = False) -> Job:
    """The outputs of an input, named after it without its suffix, or `whole`, with it."""

    def named(path: Path, suffix: str) -> Path:
        return path.with_name((path if whole else _stem(path)).name + suffix)

    def place(path: Path | None, *suffixes: str) -> Path | None:
        if path is None:
            return None
        if _is_file_name(path, suffixes, single=single):
            return path
        return path / named(relative, suffixes[0])

    return Job(
        source=source,
        midi=place(wanted.midi, ".mid", ".midi") or named(source, ".mid"),
        csv=place(wanted.csv, ".csv"),
        picture=place(wanted.picture, ".png"),
        page=place(wanted.page, ".html", ".htm"),
        sound=place(wanted.sound, ".wav"),
        posteriorgram=place(wanted.posteriorgram, ".npz"),
        score=place(wanted.score, ".musicxml", ".xml"),
        n_best=wanted.n_best,
    )


def _is_file_name(path: Path, suffixes: tuple[str, ...], *, single: bool) -> bool:
    """A name with the suffix is a file when there is one input file; anything else is a folder."""
    return single and path.suffix.lower() in suffixes and not os.path.isdir(path)


def _stem(path: Path) -> Path:
    """A path without the suffix of its format; "Op. 9 No.2" and "take.v3", which have none, stay."""
    return path.with_suffix("") if path.suffix.lower() in {*SUFFIXES, POSTERIORGRAM} else path


def collisions(jobs: tuple[Job, ...]) -> dict[Job, NotebeamError]:
    """Jobs whose outputs would lie on an input or on another job's outputs, both of them; what is wrong."""
    owners: dict[Path, Job] = {}
    found: dict[Job, NotebeamError] = {}
    read = {_real(job.source) for job in jobs}
    for job in jobs:
        for path in job.outputs:
            target = _real(path)
            other = owners.setdefault(target, job)
            if target in read:
                place, got = f"{job.source}: output {path}", "an input"
                found[job] = NotebeamError(place, got, "a name that is no input")
            elif other != job:
                got, expected = f"{other.source} and {job.source}", "one input for one output name"
                for one in (other, job):
                    found.setdefault(one, NotebeamError(f"{one.source}: output {path}", got, expected))
    return found


def check_apart(jobs: Sequence[Job], report: Path | None, read: Mapping[str, Path]) -> None:
    """Refuse outputs over files that options name, and a report over any file of the run.

    Args:
        read: files that are read, by the flags that name them.

    Raises:
        NotebeamError: names the file and its two uses.
    """
    owners = {_real(path): flag for flag, path in read.items()}
    outputs = {_real(path): (path, job) for job in jobs for path in job.outputs}
    for target in owners.keys() & outputs.keys():
        path, job = outputs[target]
        raise NotebeamError(str(path), f"an output of {job.source} and {owners[target]}", "two names")
    if report is not None:
        sources = {_real(job.source): f"the input {job.source}" for job in jobs}
        written = {target: f"an output of {job.source}" for target, (_, job) in outputs.items()}
        folders = {folder: "a folder of outputs" for target in outputs for folder in target.parents}
        other = (folders | owners | sources | written).get(_real(report))
        if other is not None:
            raise NotebeamError(f"--report {report}", other, "a name of its own")


def _check_options(wanted: Wanted, *, single: bool) -> None:
    """What is wrong with an option itself is reported once, not once an input."""
    options = (
        ("-o", wanted.midi, (".mid", ".midi")),
        ("--csv", wanted.csv, (".csv",)),
        ("--picture", wanted.picture, (".png",)),
        ("--html", wanted.page, (".html", ".htm")),
        ("--sonify", wanted.sound, (".wav",)),
        ("--save-posteriorgram", wanted.posteriorgram, (".npz",)),
        ("--score", wanted.score, (".musicxml", ".xml")),
    )
    formats = {*SUFFIXES, *OTHER, *(suffix for _, _, suffixes in options for suffix in suffixes)}
    for option, path, suffixes in options:
        if path is None or _is_file_name(path, suffixes, single=single):
            continue
        if str(path) == "-":
            raise NotebeamError(f"{option} -", "stdout", "the name of a file or folder")
        if path.suffix.lower() in suffixes and not os.path.isdir(path):
            raise NotebeamError(f"{option} {path}", "a file for several inputs", "the name of a folder")
        if os.path.exists(path) and not os.path.isdir(path):
            raise NotebeamError(f"{option} {path}", "an existing file", f"a folder or a name {suffixes[0]}")
        if path.suffix.lower() in formats and not os.path.isdir(path):
            raise NotebeamError(f"{option} {path}", "another format", f"a folder or a name {suffixes[0]}")
        inside = path / f"name{suffixes[0]}"
        check_writable(inside, f"{option}: output {inside}")
