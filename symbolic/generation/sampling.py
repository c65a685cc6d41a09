"""Pieces drawn from a prior: from nothing, or going on from a given one.

Is: steps drawn one after another, several pieces in one batch; their notes, after those given.
Is not: one draw of a step (estimators), files (generation.__main__), fine-tuning (generation.finetuning).
"""

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from symbolic.checks import brief
from symbolic.clock import Clock
from symbolic.config import check_seed
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.pitch import HIGHEST, LOWEST
from symbolic.priors.base import Prior, PriorCard
from symbolic.priors.steps import HOLD, Roll, Steps, clock_for, notes_of_steps, planes_of, transposed
from symbolic.state import select

TEMPO = 120.0  # quarter notes a minute where nothing tells another
MOST_STEPS = 1_000_000  # drawn at once, 11 hours at 40 ms


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """How long, how freely and how many."""

    steps: int  # of each piece, after what is given
    temperature: float = 1.0  # below 1 the likely becomes likelier
    count: int = 1  # pieces, drawn in one batch
    seed: int = 0
    hold: float = HOLD  # seconds a note sounds at most, of a prior of strokes only

    def __post_init__(self) -> None:
        check_seed(self.seed)
        for name in ("steps", "count"):
            if not 1 <= getattr(self, name) <= MOST_STEPS:
                raise NotebeamError(name, getattr(self, name), f"an integer 1..{MOST_STEPS}")
        if self.steps * self.count > MOST_STEPS:
            got = f"{self.count} pieces of {self.steps} steps"
            raise NotebeamError("count", got, f"{MOST_STEPS} steps at most, of all pieces together")
        for name in ("temperature", "hold"):
            if not 0 < getattr(self, name) < math.inf:
                raise NotebeamError(name, getattr(self, name), "a number > 0")


@dataclass(frozen=True, eq=False)
class Given:
    """A piece to go on from, and how it is transposed for the prior."""

    steps: Steps
    semitones: int = 0  # up before the prior reads it; what is drawn is transposed back


@dataclass(frozen=True, eq=False)
class Piece:
    """One piece: what was given, untouched, then what was drawn."""

    notes: Notes
    seam: float  # seconds at which the drawn part begins
    end: float
    tempo: float  # quarter notes a minute
    roll: Roll = field(repr=False)  # (T, visible) the steps drawn, in the prior's key


@torch.inference_mode()
def sample_steps(prior: Prior, options: SampleOptions, given: Roll | None = None) -> Roll:
    """(count, steps, D) rolls drawn step by step, after the steps `given` (T, D)."""
    generator = torch.Generator().manual_seed(options.seed)
    state = prior.initial_state(1)
    for step in torch.from_numpy(np.zeros((0, prior.visible)) if given is None else given).float():
        state = prior.advance(state, step[None])
    state = select(state, torch.zeros(options.count, dtype=torch.long))
    drawn = np.zeros((options.count, options.steps, prior.visible), dtype=np.bool_)
    for t in range(options.steps):
        step = prior.sample(state, generator, options.temperature)
        if step.shape != (options.count, prior.visible):
            expected = f"({options.count}, {prior.visible}), a step for each hypothesis"
            raise NotebeamError(f"{type(prior).__name__}.sample", brief(step), expected)
        drawn[:, t] = step.numpy() > 0.5
        state = prior.advance(state, step)
    return drawn


def generate(
    prior: Prior, options: SampleOptions, given: Given | None = None, tempo: float | None = None
) -> list[Piece]:
    """Pieces drawn from a prior; the same options give the same pieces.

    Args:
        prior: of the keys of a piano.
        given: what they go on from. Its notes stay as they are; a key that still sounds at the seam is struck
            anew if it goes on.
        tempo: as in `pace`.
    """
    card = prior.require_card()
    planes_of(card)
    seam, shifted = 0.0, None
    if given is not None:
        seam = given.steps.clock.end
        shifted = transposed(given.steps.roll, given.semitones)
        if shifted is None:
            expected = "a shift that keeps all notes on the piano"
            raise NotebeamError("transposition", given.semitones, expected)
    quarters = pace(card, given, tempo)
    clock = clock_for(card, options.steps, quarters, seam)
    return [
        Piece(_notes(roll, clock, card, given, options.hold), seam, clock.end, quarters, roll)
        for roll in sample_steps(prior, options, shifted)
    ]


def pace(card: PriorCard, given: Given | None = None, tempo: float | None = None) -> float:
    """Quarter notes a minute: `tempo`, else that of the last step given, else 120.

    Only a prior that counts in beats takes a tempo: the steps of others are seconds.
    """
    beaten = card.clock["kind"] == "beats"
    if tempo is not None:
        if not beaten:
            raise NotebeamError("tempo", tempo, f"none: the steps of {card.full_name} are seconds, not beats")
        if not 4 <= tempo <= 1000:
            raise NotebeamError("tempo", tempo, "4..1000 quarter notes a minute")
        return tempo
    if given is None or not beaten:
        return TEMPO
    clock = given.steps.clock
    length = (clock.end - float(clock.times[-1])) * float(card.clock.get("divisions", 1))
    return min(1000.0, max(4.0, 60 / length))


def steps_in(card: PriorCard, seconds: float, quarters: float) -> int:
    """Steps of a prior that last so many seconds, at so many quarter notes a minute."""
    if not 0 < seconds < math.inf:
        raise NotebeamError("seconds", seconds, "a number > 0")
    return max(1, round(seconds / clock_for(card, 1, quarters).end))


def _notes(roll: Roll, clock: Clock, card: PriorCard, given: Given | None, hold: float) -> Notes:
    """The notes given, and those of a roll at the clock, back in the key of what was given."""
    new = notes_of_steps(roll, clock, card, hold)
    if given is None:
        return new
    old, pitch = given.steps.notes, new.pitch - given.semitones
    # The prior may go where, in the given key, no piano does.
    there = (pitch >= LOWEST) & (pitch <= HIGHEST)
    # What is given ends at the seam at the latest: a pedal may hold it longer.
    offset = np.minimum(old.offset, clock.times[0])
    return Notes.make(
        np.concatenate([old.onset, new.onset[there]]),
        np.concatenate([offset, new.offset[there]]),
        np.concatenate([old.pitch, pitch[there]]),
        np.concatenate([old.velocity, new.velocity[there]]),
    )
