"""The pieces that a config asks for, split, as notes or as rolls."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from symbolic.clock import Clock
from symbolic.datasets.asap import read_asap
from symbolic.datasets.balls import read_balls
from symbolic.datasets.classic import STEPS_A_BEAT, ClassicName, read_classic
from symbolic.datasets.config import REAL, DataConfig
from symbolic.datasets.midi_folder import read_folder
from symbolic.datasets.motion import read_motion
from symbolic.datasets.pop909 import read_pop909
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.pitch import KEYS
from symbolic.priors.base import PriorCard
from symbolic.priors.steps import read_steps

ROUNDING = 1e-9  # of a share of pieces, lest 3 * 0.1 * 10 be less than 3
Roll = NDArray[np.bool_] | NDArray[np.float32]  # (T, D) keys, or the numbers of a set in REAL
Piece = Notes | Roll  # notes become a roll of frames; the others are rolls already


@dataclass(frozen=True)
class Splits:
    """Pieces to learn from, to stop by, and to report."""

    train: Sequence[Piece]
    valid: Sequence[Roll]
    test: Sequence[Roll]  # may be empty

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that a run learns from and stops by, in its order."""
        digest = sha256()
        for piece in (*self.train, *self.valid):
            columns: list[NDArray[Any]]
            if isinstance(piece, Notes):
                columns = [piece.onset, piece.offset, piece.pitch, piece.velocity]
            else:
                columns = [piece]
            for column in columns:
                digest.update(f"{column.dtype.str} {column.shape}".encode())
                digest.update(np.ascontiguousarray(column).data)
        return f"sha256 {digest.hexdigest()}"


def read_splits(config: DataConfig) -> Splits:
    """The pieces that a config asks for; no composition (of MIDI files: no file) is in two splits.

    Raises:
        NotebeamError: no pieces to learn from or to validate by; an empty piece.
    """
    parts = _parts(config)
    place = f"data {config.set or config.midi or ' + '.join(config.performances)}"
    for name, pieces in parts.items():
        if not pieces and name != "test":
            few = f"; {config.held_out:g} of the files, but at least one, are held out" if config.midi else ""
            raise NotebeamError(f"{place}: {name}", "no pieces", f"at least one{few}")
        for index, piece in enumerate(pieces):
            if not len(piece):
                raise NotebeamError(f"{place}: {name} piece {index}", "an empty piece", "at least one step")
    plain = {name: [plain_roll(piece, config) for piece in parts[name]] for name in ("valid", "test")}
    return Splits(parts["train"], plain["valid"], plain["test"])


def is_held_out(index: int, share: float) -> bool:
    """Whether a piece is of the `share` (0..1) that is held out, evenly spread; the first one is."""
    return index == 0 or int(index * share + ROUNDING) > int((index - 1) * share + ROUNDING)


def _parts(config: DataConfig) -> dict[str, list[Piece]]:
    """Pieces of each split, as they are read."""
    parts: dict[str, list[Piece]] = {"train": [], "valid": [], "test": []}
    if config.set in REAL:
        numbers = read_motion() if config.set == "motion" else read_balls()
        return {name: list(getattr(numbers, name)) for name in parts}
    if config.set:
        classic = read_classic(cast(ClassicName, config.set))
        return {name: list(getattr(classic, name)) for name in parts}
    # Every song or file is taken for a composition of its own.
    if config.midi:
        pieces = read_folder(Path(config.midi), lambda path: _midi_piece(path, config))
        for index, piece in enumerate(pieces):
            parts["valid" if is_held_out(index, config.held_out) else "train"].append(piece)
    if "asap" in config.performances:
        for performance in read_asap():
            parts[performance.split].append(performance.notes)
    if "pop909" in config.performances:
        for index, song in enumerate(read_pop909()):
            parts["valid" if is_held_out(index, config.held_out) else "train"].append(song.notes)
    return parts


def _midi_piece(path: Path, config: DataConfig) -> Piece:
    """Notes of a file, or its roll at the beats."""
    # Where steps are beats, tempo and phase are the file's own: the roll is the same at every epoch.
    steps = read_steps(path, card_of(config))
    return steps.notes if config.hop else steps.roll


def plain_roll(piece: Piece, config: DataConfig) -> Roll:
    """(T, D) roll of a piece as it stands."""
    return frames_roll(piece, config) if isinstance(piece, Notes) else piece


def frames_roll(notes: Notes, config: DataConfig, lead_in: float = 0.0) -> NDArray[np.bool_]:
    """(T, D) roll at the config's hop and plane, from `lead_in` seconds before the first onset to the end."""
    start = float(notes.onset[0]) - lead_in
    seconds = float(notes.offset.max()) - start
    clock = Clock.frames(int(np.ceil(seconds / config.hop)) + 1, config.hop, start)
    return _planes(notes, clock, config)


def _planes(notes: Notes, clock: Clock, config: DataConfig) -> NDArray[np.bool_]:
    """(T, D), or (T, 2 D), roll of the plane or planes that the config asks for."""
    if config.plane == "struck":
        return clock.struck_roll(notes)
    roll = clock.active_roll(notes)
    if config.plane == "active" or roll.struck is None:
        return roll.active
    return np.concatenate([roll.active, roll.struck], axis=1)


def described(config: DataConfig) -> str:
    """The data, in words for a card."""
    if config.set in REAL:
        return f"set {config.set}, its own splits"
    own = "a folder of MIDI files" if config.midi else " + ".join(config.performances)
    name = f"classic set {config.set}, its own splits" if config.set else own
    return f"{name}; transposed by up to {config.transpose} semitones, stretched by up to {config.stretch}"


def clock_of(config: DataConfig) -> dict[str, str | int | float]:
    """What a step is, for a card."""
    if config.set in REAL:
        return {"kind": "steps"}
    if config.set or not config.hop:
        return {"kind": "beats", "divisions": STEPS_A_BEAT.get(config.set, config.divisions)}
    return {"kind": "frames", "hop": config.hop}


def plane_of(config: DataConfig) -> str:
    """What a number of a step means, for a card."""
    return "values" if config.set in REAL else config.plane


def card_of(config: DataConfig) -> PriorCard:
    """The card of music as such a config reads it; its other fields are empty."""
    return PriorCard(
        name="",
        model="",
        options={},
        visible=2 * KEYS if config.plane == "both" else KEYS,
        clock=clock_of(config),
        plane=plane_of(config),
        data=described(config),
        licence="",
        command="",
    )
