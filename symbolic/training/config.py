"""What a training run does, as frozen dataclasses read from TOML.

Is: the options, their checks, the reader.
Is not: the data (training.data) or the run (training.run).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from symbolic.config import options_from, read_toml
from symbolic.errors import NotebeamError

PERFORMANCES = ("asap", "pop909")
CLASSIC = ("piano_midi", "nottingham", "musedata", "jsb")
REAL = ("motion", "bouncing-balls")  # sets whose steps are real numbers


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What a prior learns from: one set, or performances, or a folder of MIDI files."""

    set: str = ""  # one of CLASSIC or REAL, with its own splits and its own steps
    performances: tuple[str, ...] = ()  # of PERFORMANCES; split by composition
    midi: str = ""  # folder, with its subfolders, of *.mid and *.midi; split by file
    # What a bit says: the key sounds, or is struck there; both: (T, 176), the first bits, then the others.
    plane: Literal["active", "struck", "both"] = "active"
    hop: float = 0.04  # seconds between the steps of notes; 0, of MIDI files only: steps are parts of beats
    divisions: int = 1  # steps a beat (quarter note) where hop is 0; of a classic set only noted on the card
    held_out: float = 0.05  # share of the songs for validation where a set has no split of its own
    transpose: int = 0  # semitones, at most, up or down, drawn per piece and epoch
    stretch: float = 1.0  # a piece is played up to so many times slower or faster, likewise

    def __post_init__(self) -> None:
        if sum(map(bool, (self.set, self.performances, self.midi))) != 1:
            got = {"set": self.set, "performances": self.performances, "midi": self.midi}
            raise NotebeamError("data", got, "either a set or performances or a folder of MIDI files (midi)")
        if self.set and self.set not in CLASSIC + REAL:
            raise NotebeamError("data.set", self.set, f"one of {', '.join(CLASSIC + REAL)}")
        for name in self.performances:
            if name not in PERFORMANCES:
                raise NotebeamError("data.performances", name, f"some of {', '.join(PERFORMANCES)}")
        if self.set and (self.plane != "active" or self.stretch != 1.0):
            raise NotebeamError("data.set", self.set, 'plane "active" and stretch 1 (it has no note times)')
        if self.set in REAL and self.transpose:
            raise NotebeamError("data.transpose", self.transpose, f"0 ({self.set} has no keys)")
        if self.midi and self.hop == 0 and self.stretch != 1.0:
            raise NotebeamError("data.stretch", self.stretch, "1 (at beats, hop 0, tempo changes nothing)")
        if not (self.midi and self.hop == 0):
            _at_least("data", self, hop=1e-3)
        _at_least("data", self, divisions=1, transpose=0, stretch=1.0)
        if not 0 < self.held_out < 1:
            raise NotebeamError("data.held_out", self.held_out, "a share between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How a prior learns. The run ends at `updates` or `minutes`, whichever comes first; 0 is no limit."""

    updates: int = 0
    minutes: float = 0.0  # of work, over all resumptions
    batch: int = 32  # B rows, each an endless sequence of pieces
    chunk: int = 400  # T steps at most that gradients reach back; the state is carried further
    # AdamW; SGD with Nesterov's momentum; truncated Newton, which has no rate, no dropout and no clipping.
    optimizer: Literal["adam", "sgd", "hessian-free"] = "adam"
    rate: float = 1e-3
    momentum: float = 0.9  # of SGD
    damping: float = 0.1  # of hessian-free to begin with, which adapts it; likewise:
    structural: float = 0.3  # the share of the damping that the recurrence's units get
    curvature_rows: int = 0  # of a batch, that products look at; 0 is all
    iterations: int = 100  # of conjugate gradients, at most, an update
    warmup: int = 100  # updates in which the rate rises to `rate`
    # Of the rate: over the run's progress (cosine, step), or `decay` once in `decay_every` updates.
    schedule: Literal["cosine", "step", "exponential", "constant"] = "cosine"
    decay: float = 0.95
    decay_every: int = 1000
    weight_decay: float = 0.0
    clip: float = 1.0  # largest norm of a gradient
    ema: float = 0.0  # decay of the averaged weights, which are then what is validated and kept; 0 is off
    validate_every: int = 200  # updates
    validate_steps: int = 0  # at most, the beginnings of all validation pieces; 0 is all steps
    # Of priors that leave out log Z: annealed importance sampling in validations and of the test score.
    ais_temperatures: int = 200
    ais_runs: int = 16
    ais_steps: int = 400  # steps judged, evenly spread over the rolls; 0 is all
    patience: int = 0  # validations without a better one, after which the run ends; 0 is off
    checkpoint_minutes: float = 5.0  # of work, at most, between two checkpoints; each validation writes one

    def __post_init__(self) -> None:
        if not self.updates and not self.minutes:
            raise NotebeamError("loop", "neither updates nor minutes", "a limit")
        _at_least("loop", self, updates=0, minutes=0, batch=1, chunk=1, warmup=0, weight_decay=0)
        _at_least("loop", self, validate_every=1, validate_steps=0, patience=0, checkpoint_minutes=0)
        _at_least("loop", self, ais_temperatures=1, ais_runs=2, ais_steps=0, decay_every=1)
        _at_least("loop", self, structural=0, iterations=1, curvature_rows=0)
        if self.optimizer == "hessian-free" and self.weight_decay:
            raise NotebeamError(
                "loop.weight_decay", self.weight_decay, "0 where the optimizer is hessian-free"
            )
        for name in ("rate", "clip", "decay", "damping"):
            if not getattr(self, name) > 0:
                raise NotebeamError(f"loop.{name}", getattr(self, name), "a number > 0")
        for name in ("ema", "momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise NotebeamError(f"loop.{name}", getattr(self, name), "a number in 0..1, below 1")


@dataclass(frozen=True, kw_only=True)
class PretrainingConfig:
    """What is learnt before the run's first update; 0 updates leave a part out (training.pretraining)."""

    frames_updates: int = 0  # of the estimator alone
    frames_batch: int = 100  # steps, drawn from all pieces
    recurrence_updates: int = 0  # of the recurrence and the visible biases
    rate: float = 1e-3  # of Adam, falling to nothing, in both

    def __post_init__(self) -> None:
        _at_least("pretraining", self, frames_updates=0, frames_batch=1, recurrence_updates=0)
        if not self.rate > 0:
            raise NotebeamError("pretraining.rate", self.rate, "a number > 0")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """One run: what is trained, on what, how."""

    name: str  # of the weights: "jsb" becomes lstm-nade/jsb
    model: str  # key of priors.registry.PRIORS
    licence: str  # of the weights, which the data decides
    data: DataConfig
    loop: LoopConfig
    pretraining: PretrainingConfig = field(default_factory=PretrainingConfig)
    options: dict[str, int | float] = field(default_factory=dict)  # of the model
    init: str = ""  # name or path of a prior of the same model and options, whose weights the run begins with
    seed: int = 0


TABLES: dict[str, type[Any]] = {"data": DataConfig, "loop": LoopConfig, "pretraining": PretrainingConfig}


def read_config(path: str | Path) -> TrainingConfig:
    """Run described by a TOML file; unknown keys and wrong types are errors that name the key."""
    values = read_toml(path)
    try:
        for name, kind in TABLES.items():
            values[name] = options_from(kind, values.get(name, {}), name)
        return options_from(TrainingConfig, values, "")
    except NotebeamError as error:
        raise NotebeamError(f"{path}: {error.place}", error.value, error.expected) from error


def _at_least(place: str, options: Any, **least: float) -> None:
    for name, limit in least.items():
        value = getattr(options, name)
        if not value >= limit:
            raise NotebeamError(f"{place}.{name}", value, f"a number >= {limit}")
