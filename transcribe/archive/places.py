"""Inputs in object stores become jobs, and a job with such files is done on copies of them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from acoustic.audio import SUFFIXES
from symbolic.errors import NotebeamError
from symbolic.folders import some_of
from transcribe.outputs import POSTERIORGRAM, Job, Plan, Wanted, plan
from transcribe.report import Outcome
from transcribe.stores import fetch, listed, name_of, put, state_of, uri_of


def plan_anywhere(inputs: Sequence[Path], wanted: Wanted, manifest: Collection[Path] = ()) -> Plan:
    """Jobs of inputs here and elsewhere, as `outputs.plan` makes them."""
    placed: list[tuple[Path, Path]] = []
    failures: list[NotebeamError] = []
    notices: list[str] = []
    for entry in (path for path in inputs if uri_of(path) is not None):
        try:
            found = listed(entry)
        except NotebeamError as error:
            failures.append(error)
            continue
        chosen = found if found == [entry] else recordings(found, entry)
        if not chosen:
            expected = "a recording (wav, flac, mp3, m4a, ...) or a posteriorgram (.npz)"
            failures.append(NotebeamError(name_of(entry), "a folder without recordings", expected))
        elif passed_over := sorted(set(found) - set(chosen)):
            notices.append(f"{name_of(entry)}: {len(passed_over)} passed over: {some_of(passed_over, entry)}")
        # Of a manifest the folders are kept, without the scheme; of a folder what lies below it.
        base = Path(entry.parts[0]) if entry in manifest else entry
        placed += [(path, Path(path.name) if path == base else path.relative_to(base)) for path in chosen]
    here = [path for path in inputs if uri_of(path) is None]
    found_here = plan(here, wanted, manifest, placed)
    return Plan(found_here.jobs, (*failures, *found_here.failures), tuple(notices) + found_here.notices)


def recordings(files: Collection[Path], folder: Path) -> list[Path]:
    """The files that are inputs, by their suffix: nothing is opened to see what it is.

    As in folders of this machine, neither hidden files are nor posteriorgrams beside their recording.
    """
    recorded = {path.with_suffix("") for path in files if path.suffix.lower() in SUFFIXES}
    return [
        path
        for path in files
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and (
            path.suffix.lower() in SUFFIXES
            or (path.suffix.lower() == POSTERIORGRAM and path.with_suffix("") not in recorded)
        )
    ]


def staged(job: Job, work: Callable[[Job], Outcome]) -> Outcome:
    """Do a job on copies of what lies elsewhere; what is here is used where it is."""
    values = {field.name: getattr(job, field.name) for field in fields(job)}
    paths = {name: value for name, value in values.items() if isinstance(value, Path)}
    elsewhere = {name: path for name, path in paths.items() if uri_of(path) is not None}
    if not elsewhere:
        return work(job)
    with TemporaryDirectory(prefix="notebeam-") as folder:
        copies = {name: Path(folder) / name / path.name for name, path in elsewhere.items()}
        state = None
        if "source" in elsewhere:
            state = state_of(job.source)
            fetch(job.source, copies["source"])
        here: dict[str, Any] = dict(copies)
        outcome = work(replace(job, **here))
        if outcome.output is not None:
            # The MIDI file last: where it is, the others are too. A long page comes with a file beside it,
            # the MIDI file with those of --n-best.
            for name in sorted(elsewhere.keys() - {"source"}, key=lambda name: (name == "midi", name)):
                for copy in sorted(copies[name].parent.iterdir()):
                    put(copy, elsewhere[name].with_name(copy.name))
    source, copy_name = name_of(job.source), str(copies.get("source", job.source))
    return replace(
        outcome,
        source=source,
        state=state or outcome.state,
        output=None if outcome.output is None else name_of(job.midi),
        errors=tuple(line.replace(copy_name, source) for line in outcome.errors),
        notices=tuple(line.replace(copy_name, source) for line in outcome.notices),
    )
