"""How a decoder searches.

Is: the options of every decoder, checked once, and the transitions of the hidden Markov model.
Is not: the search itself (symbolic.decoding.threshold, hmm, greedy, beam).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from symbolic.errors import NotebeamError

Method = Literal["threshold", "hmm", "greedy", "beam"]
Plane = Literal["struck", "active"]

NUMBERS = ("step", "temperature", "threshold", "floor", "centre", "prior_weight", "note_penalty", "prune")
MOST_SWITCHABLE = 12  # 4096 subsets a step; more would only fill memory


@dataclass(frozen=True, kw_only=True)
class Transitions:
    """Two-state Markov chain of a key; one number shared by all keys, or one a key.

    Before the first step every key is off.
    "tuned" shares two numbers, chosen on validation data; "counted" counts each key (Ycart et al. 2019).
    """

    form: Literal["tuned", "counted"] = "tuned"
    off_after_off: tuple[float, ...] = (0.99,)  # P(0 | 0)
    off_after_on: tuple[float, ...] = (0.1,)  # P(0 | 1)

    def __post_init__(self) -> None:
        if self.form not in ("tuned", "counted"):
            raise NotebeamError("Transitions.form", self.form, '"tuned" or "counted"')
        for name in ("off_after_off", "off_after_on"):
            values = getattr(self, name)
            if not values or not all(0 < p < 1 for p in values):
                raise NotebeamError(f"Transitions.{name}", values, "probabilities above 0 and below 1")
            if self.form == "tuned" and len(values) != 1:
                raise NotebeamError(f"Transitions.{name}", values, 'one number, as the form is "tuned"')
        if len(self.off_after_off) != len(self.off_after_on):
            expected = f"{len(self.off_after_off)} numbers, as in off_after_off"
            raise NotebeamError("Transitions.off_after_on", self.off_after_on, expected)

    @staticmethod
    def tuned(off_after_off: float, off_after_on: float) -> "Transitions":
        """The same two probabilities for every key."""
        return Transitions(off_after_off=(off_after_off,), off_after_on=(off_after_on,))

    @staticmethod
    def counted(rolls: Sequence[NDArray[np.bool_]]) -> "Transitions":
        """Each key's own transitions in `rolls`, each (T, D) bool; every count begins at 1 (add-1)."""
        if not rolls or any(roll.ndim != 2 or roll.shape[1] != rolls[0].shape[1] for roll in rolls):
            shapes = [roll.shape for roll in rolls]
            raise NotebeamError("Transitions.counted(rolls)", shapes, "rolls of shape (T, D), all of one D")
        # Every piece begins after silence, as the search does.
        before = np.concatenate([np.concatenate([np.zeros_like(roll[:1]), roll[:-1]]) for roll in rolls])
        now = np.concatenate(list(rolls))
        off_off, off_any = (~before & ~now).sum(axis=0), (~before).sum(axis=0)
        on_off, on_any = (before & ~now).sum(axis=0), before.sum(axis=0)
        return Transitions(
            form="counted",
            off_after_off=tuple(((off_off + 1) / (off_any + 2)).tolist()),
            off_after_on=tuple(((on_off + 1) / (on_any + 2)).tolist()),
        )


@dataclass(frozen=True, kw_only=True)
class DecodeOptions:
    """How `decode` searches; counts are per clip.

    All methods but "threshold" look for the least

        sum_t -log P_a(v_t) - prior_weight log P_s(v_t | v_<t) + note_penalty notes,

    where a key's logit under P_a is divided by `temperature`; "hmm" brings its own P_s, the `transitions`.
    """

    method: Method = "beam"
    plane: Plane = "struck"  # a bit says: the key is struck (needs onset evidence), or it sounds
    step: float = 0.04  # seconds between steps
    threshold: float = 0.5  # "threshold" alone: bits are on above this probability
    prior_weight: float = 1.0  # alpha; 0 leaves the acoustic model alone
    note_penalty: float = 0.0  # beta, nats for each on bit; below 0 it rewards them
    temperature: float = 1.0  # above 1 the acoustic model counts less
    floor: float = 0.01  # less probable keys are never on
    beam_width: int = 8  # W, hypotheses kept a step
    candidates: int = 16  # K, candidates a step for "beam"; at most 2**switchable exist
    switchable: int = 7  # k, the most ambiguous keys; candidates differ in these
    centre: float = (
        0.5  # with a prior: the probability at which a key is most ambiguous, a good threshold alone
    )
    prune: float = 12.0  # nats; candidates that rank behind their step's first by more are left out
    hash_steps: int = 10  # n, of hypotheses with the same last n steps only per_hash stay; 0: all
    per_hash: int = 1  # m
    n_best: int = 8  # hypotheses handed back, at most beam_width
    prior_notes: int = 0  # rows that the prior adds to the candidates of a step, each with one more key on
    look_back: int = 0  # steps after which "beam" settles a row, to bound its memory; 0: at the clip's end
    record: bool = True  # on a GPU: steps of like shapes are recorded and replayed
    partition_temperatures: int = 50  # of the estimate of log Z that "beam" needs of a prior without it
    partition_runs: int = 10  # chains of that estimate a hypothesis
    transitions: Transitions = field(default_factory=Transitions)  # "hmm" alone

    def __post_init__(self) -> None:
        methods, planes = get_args(Method), get_args(Plane)
        self._check("method", f"one of {', '.join(methods)}", holds=self.method in methods)
        self._check("plane", f"one of {', '.join(planes)}", holds=self.plane in planes)
        self._check("transitions", "a Transitions", holds=isinstance(self.transitions, Transitions))
        for name in NUMBERS:
            self._check(name, "a number", holds=_is_number(getattr(self, name)))
        for name in ("step", "temperature"):
            self._check(name, "a finite number > 0", holds=0 < getattr(self, name) < math.inf)
        for name in ("threshold", "floor"):
            self._check(name, "a probability 0..1", holds=0 <= getattr(self, name) <= 1)
        self._check("centre", "a probability above 0 and below 1", holds=0 < self.centre < 1)
        self._check("prior_weight", "a finite number >= 0", holds=0 <= self.prior_weight < math.inf)
        self._check("note_penalty", "a finite number", holds=math.isfinite(self.note_penalty))
        self._check("prune", "nats >= 0, inf to leave out nothing", holds=self.prune >= 0)
        for name in ("beam_width", "candidates", "per_hash", "n_best", "partition_temperatures"):
            self._check(name, "an integer >= 1", holds=_is_count(getattr(self, name), least=1))
        self._check("record", "True or False", holds=isinstance(self.record, bool))
        for name in ("hash_steps", "prior_notes", "look_back"):
            self._check(name, "an integer >= 0", holds=_is_count(getattr(self, name), least=0))
        self._check("partition_runs", "an integer >= 2", holds=_is_count(self.partition_runs, least=2))
        few = _is_count(self.switchable, least=0) and self.switchable <= MOST_SWITCHABLE
        self._check("switchable", f"an integer 0..{MOST_SWITCHABLE}", holds=few)

    def _check(self, name: str, expected: str, *, holds: bool) -> None:
        if not holds:
            raise NotebeamError(f"DecodeOptions.{name}", getattr(self, name), expected)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
