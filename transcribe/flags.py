"""From the flags of the command to the `Transcriber` that they ask for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch takes seconds, and --help needs none of it
    from transcribe.pipeline import Transcriber

# Options that are a field of the decoder's, by the field's name.
SETTINGS = {
    "--note-penalty": "note_penalty",
    "--temperature": "temperature",
    "--threshold": "threshold",
    "--beam-width": "width",
    "--candidates": "candidates",
    "--n-best": "n_best",
}


# Options that may be the name of a file to read.
READ = ("beats", "manifest", "settings", "prior", "model")


def option_files(args: argparse.Namespace) -> dict[str, Path]:
    """Files that options name to be read, by their flags."""
    given = {f"--{name}": getattr(args, name, None) for name in READ}
    return {flag: Path(value) for flag, value in given.items() if value and os.path.isfile(value)}


def transcriber_of(args: argparse.Namespace) -> Transcriber:
    """The transcriber; what the command does not say stays its default."""
    from transcribe.pipeline import Transcriber
    from transcribe.presets import METHOD, Choice

    method = args.decoder or METHOD
    _check_prior(args, method)
    options = {
        "model": args.model,
        "device": args.device,
        "bfloat16": args.bfloat16,
        "tuning": args.tuning,
        "start": args.start,
        "stop": args.stop,
        "prior": args.prior,
        "clock": args.clock,
        "beats": args.beats,
        "decoder": Choice(
            method=method, weight=args.prior_weight, clock=args.clock, numbers=_numbers(args, method)
        ),
        "frontend": args.frontend,
        "settings": args.settings,
        "onset_shift": None if args.onset_shift is None else args.onset_shift / 1000,
        "min_note": None if args.min_note is None else args.min_note / 1000,
    }
    if args.score is not None and args.beats is None and args.clock != "beats":
        options["beats"] = "auto"  # a score is written in beats
    options = {name: value for name, value in options.items() if value is not None}
    if args.prior == "none":
        options["prior"] = None
    with named_by_flags(args):
        transcriber = Transcriber(**options)
    return transcriber


def _check_prior(args: argparse.Namespace, method: str) -> None:
    """Refuse what is asked of a prior where there is none, or the method reads none."""
    from symbolic.decoding.options import METHODS
    from symbolic.errors import NotebeamError
    from symbolic.priors.loading import priors_with_steps_of

    readers = [name for name, entry in METHODS.items() if entry.reads_prior]
    if method not in readers and args.prior not in (None, "none"):
        expected = f"none: {method} decides without a prior ({' and '.join(readers)} use one)"
        raise NotebeamError("--prior", args.prior, expected)
    if args.prior_weight and (args.prior == "none" or method not in readers):
        expected = f"a prior to weigh, and {' or '.join(readers)}"
        raise NotebeamError("--prior-weight", args.prior_weight, expected)
    if args.clock == "beats" and (method not in readers or args.prior in (None, "none")):
        got = f"--decoder {method}" if method not in readers else "no prior"
        fitting = ", ".join(priors_with_steps_of("beats"))
        raise NotebeamError("--clock beats", got, f"--decoder beam or greedy, and --prior, one of {fitting}")


def _numbers(args: argparse.Namespace, method: str) -> dict[str, Any]:
    """Fields of the method's options that the command gives; a bad one is refused by its flag."""
    from dataclasses import fields, replace

    from symbolic.decoding.options import METHODS, Beam
    from symbolic.errors import NotebeamError, called
    from transcribe.presets import preset

    with called("--prior-weight"):
        options = preset(method, prior=args.prior != "none", weight=args.prior_weight, clock=args.clock)
    numbers = {}
    for flag, name in SETTINGS.items():
        value = getattr(args, flag[2:].replace("-", "_"))
        if value is None:
            continue
        having = [key for key, entry in METHODS.items() if name in {f.name for f in fields(entry.options)}]
        if method not in having:
            raise NotebeamError(flag, value, f"--decoder {' or '.join(having)}: {method} has no such setting")
        if name == "n_best" and isinstance(options, Beam) and value > options.width:
            raise NotebeamError(flag, value, f"{options.width} at most, the hypotheses of --beam-width")
        with called(flag):
            options = replace(options, **{name: value})
        numbers[name] = value
    return numbers


@contextmanager
def named_by_flags(args: argparse.Namespace) -> Iterator[None]:
    """Errors of a block about a field of the transcriber name the flag that set it."""
    from symbolic.errors import NotebeamError

    try:
        yield
    except NotebeamError as error:
        name = error.place.removeprefix("Transcriber.")
        if name == error.place or vars(args).get(name) is None:
            raise
        value, flag = getattr(args, name), name.replace("_", "-")
        if value is False:
            raise NotebeamError(f"--no-{flag}", "this option", error.expected) from error
        raise NotebeamError(f"--{flag}", value, error.expected) from error
