"""What a training run does, as frozen dataclasses read from TOML.

Is: the options, their checks, the reader.
Is not: the data (training.data) or the run (training.loop).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from symbolic.config import options_from, read_toml
from symbolic.errors import NotebeamError

PERFORMANCES = ("asap", "pop909")
CLASSIC = ("piano_midi", "nottingham", "musedata", "jsb")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What a prior learns from: one classic set, or performances as rolls of frames."""

    set: str = ""  # one of CLASSIC, with its own splits and its own steps
    performances: tuple[str, ...] = ()  # of PERFORMANCES; split by composition
    plane: Literal["active", "struck"] = "active"  # what a bit says: the key sounds, or is struck there
    hop: float = 0.04  # seconds between the steps of performances
    divisions: int = 1  # steps a beat of a classic set; only noted on the card
    held_out: float = 0.05  # share of the songs for validation where a set has no split of its own
    transpose: int = 0  # semitones, at most, up or down, drawn per piece and epoch
    stretch: float = 1.0  # a piece is played up to so many times slower or faster, likewise

    def __post_init__(self) -> None:
        if bool(self.set) == bool(self.performances):
            got = {"set": self.set, "performances": self.performances}
            raise NotebeamError("data", got, "either a set or performances")
        if self.set and self.set not in CLASSIC:
            raise NotebeamError("data.set", self.set, f"one of {', '.join(CLASSIC)}")
        for name in self.performances:
            if name not in PERFORMANCES:
                raise NotebeamError("data.performances", name, f"some of {', '.join(PERFORMANCES)}")
        if self.set and (self.plane != "active" or self.stretch != 1.0):
            raise NotebeamError("data.set", self.set, 'plane "active" and stretch 1 (it has no note times)')
        _at_least("data", self, hop=1e-3, divisions=1, transpose=0, stretch=1.0)
        if not 0 < self.held_out < 1:
            raise NotebeamError("data.held_out", self.held_out, "a share between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How a prior learns. The run ends at `updates` or `minutes`, whichever comes first; 0 is no limit."""

    updates: int = 0
    minutes: float = 0.0  # of work, over all resumptions
    batch: int = 32  # B rows, each an endless sequence of pieces
    chunk: int = 400  # T steps at most that gradients reach back; the state is carried further
    rate: float = 1e-3  # of AdamW
    warmup: int = 100  # updates in which the rate rises to `rate`
    schedule: Literal["cosine", "step"] = "cosine"  # of the rate, over the run's progress
    weight_decay: float = 0.0
    clip: float = 1.0  # largest norm of a gradient
    ema: float = 0.0  # decay of the averaged weights, which are then what is validated and kept; 0 is off
    validate_every: int = 200  # updates
    validate_steps: int = 0  # at most, the beginnings of all validation pieces; 0 is all steps
    patience: int = 0  # validations without a better one, after which the run ends; 0 is off

    def __post_init__(self) -> None:
        if not self.updates and not self.minutes:
            raise NotebeamError("loop", "neither updates nor minutes", "a limit")
        _at_least("loop", self, updates=0, minutes=0, batch=1, chunk=1, warmup=0, weight_decay=0)
        _at_least("loop", self, validate_every=1, validate_steps=0, patience=0)
        for name in ("rate", "clip"):
            if not getattr(self, name) > 0:
                raise NotebeamError(f"loop.{name}", getattr(self, name), "a number > 0")
        if not 0 <= self.ema < 1:
            raise NotebeamError("loop.ema", self.ema, "a number in 0..1, below 1")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """One run: what is trained, on what, how."""

    name: str  # of the weights: "jsb" becomes lstm-nade/jsb
    model: str  # key of priors.registry.PRIORS
    licence: str  # of the weights, which the data decides
    data: DataConfig
    loop: LoopConfig
    options: dict[str, int | float] = field(default_factory=dict)  # of the model
    seed: int = 0


def read_config(path: str | Path) -> TrainingConfig:
    """Run described by a TOML file; unknown keys and wrong types are errors that name the key."""
    values = read_toml(path)
    try:
        for name, kind in (("data", DataConfig), ("loop", LoopConfig)):
            values[name] = options_from(kind, values.get(name, {}), name)
        return options_from(TrainingConfig, values, "")
    except NotebeamError as error:
        raise NotebeamError(f"{path}: {error.place}", error.value, error.expected) from error


def _at_least(place: str, options: Any, **least: float) -> None:
    for name, limit in least.items():
        value = getattr(options, name)
        if not value >= limit:
            raise NotebeamError(f"{place}.{name}", value, f"a number >= {limit}")
