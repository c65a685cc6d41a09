"""The methods of decoding, one small frozen dataclass each, and the list of them. Imports nothing heavy.

All but `Threshold` look for the roll of least cost, in nats,

    sum_t -log P_a(v_t) - prior_weight log P_s(v_t | v_<t) + note_penalty notes

where the acoustic model's P_a takes keys as independent and a key's logit is divided by `temperature`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from symbolic.checks import Checked, brief, of_type, real
from symbolic.errors import NotebeamError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_WIDTH = 4096  # hypotheses: more than memory has room for with many candidates
MAX_SWITCHABLE = 12  # keys
MAX_CANDIDATES = 1 << MAX_SWITCHABLE  # all subsets of so many keys
MAX_PRIOR_NOTES = 88  # keys of a piano
# So that costs of long rolls stay finite in float32, and one term does not drown the others' digits.
MAX_WEIGHT = 1_000_000
MAX_PENALTY = 10_000_000  # nats: with a weight goes a penalty of a few times as much (transcribe.presets)
TEMPERATURES = 0.000001, 1_000_000
N_BEST = 8


@dataclass(frozen=True, kw_only=True)
class Scoring(Checked):
    """What a roll costs."""

    prior_weight: float = 1.0  # alpha; 0 leaves the acoustic model alone
    note_penalty: float = 0.0  # beta, nats for each on bit; below 0 it rewards them
    temperature: float = 1.0  # above 1 the acoustic model counts less
    floor: float = 0.01  # keys of lower probability are never on

    def __post_init__(self) -> None:
        self._check_between("prior_weight", 0, MAX_WEIGHT, f"a number 0..{MAX_WEIGHT}")
        expected = f"a number {-MAX_PENALTY}..{MAX_PENALTY}"
        self._check_between("note_penalty", -MAX_PENALTY, MAX_PENALTY, expected)
        low, high = TEMPERATURES
        self._check_between("temperature", low, high, f"a number {low}..{high}")
        expected = "a probability 0..1"
        self._check("floor", expected, holds=0 <= self._number("floor", expected) <= 1)


@dataclass(frozen=True, kw_only=True)
class Proposals(Scoring):
    """Which rows are considered at each step: the likeliest one with some of its ambiguous keys flipped."""

    switchable: int = 7  # k, the most ambiguous keys; candidates differ in these
    # With a prior: the probability at which a key is most ambiguous, a good threshold alone.
    centre: float = 0.5
    prune: float = 12.0  # nats; candidates that rank behind their step's first by more are left out
    prior_notes: int = 0  # rows that the prior adds to a step's candidates, each with one more key on
    cuda_graphs: bool = True  # on a GPU: capture steps of equal shapes and replay them

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_count("switchable", 0, MAX_SWITCHABLE)
        expected = "a probability above 0 and below 1"
        self._check("centre", expected, holds=0 < self._number("centre", expected) < 1)
        expected = "nats >= 0, inf to leave out nothing"
        self._check("prune", expected, holds=self._number("prune", expected) >= 0)
        self._check_count("prior_notes", 0, MAX_PRIOR_NOTES)
        self._check("cuda_graphs", "True or False", holds=isinstance(self.cuda_graphs, bool))


@dataclass(frozen=True, kw_only=True)
class Threshold(Checked):
    """Each key alone: on where its probability is above the threshold. Reads no prior.

    >>> import notebeam as nb
    >>> nb.Threshold(threshold=0.4)
    Threshold(threshold=0.4)
    """

    threshold: float = 0.5

    def __post_init__(self) -> None:
        expected = "a probability 0..1"
        self._check("threshold", expected, holds=0 <= self._number("threshold", expected) <= 1)


@dataclass(frozen=True, kw_only=True)
class Hmm(Scoring):
    """A two-state Markov chain of each key, weighted by `prior_weight`, in place of a prior.

    One probability for all keys, or one a key; before the first step every key is off.
    Source: Ycart et al. 2019.

    >>> import notebeam as nb
    >>> nb.Hmm(off_after_on=0.2).off_after_off
    0.6
    """

    # P(off | off) and P(off | on), tuned for strokes, most of which last a step.
    off_after_off: float | tuple[float, ...] = 0.6
    off_after_on: float | tuple[float, ...] = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        expected = "probabilities above 0 and below 1: one, or one a key"
        for name in ("off_after_off", "off_after_on"):
            given = getattr(self, name)
            if isinstance(given, tuple):
                values = tuple(real(p, f"Hmm.{name}", expected) for p in given)
                object.__setattr__(self, name, values)
            else:
                values = (self._number(name, expected),)
            self._check(name, expected, holds=bool(values) and all(0 < p < 1 for p in values))
        sizes = {len(p) for p in (self.off_after_off, self.off_after_on) if isinstance(p, tuple)}
        self._check("off_after_on", "as many numbers as in off_after_off", holds=len(sizes) < 2)

    @staticmethod
    def counted(rolls: "Sequence[NDArray[np.bool_]]", **options: float) -> "Hmm":
        """Each key's own transitions in `rolls`, each (T, D) bool; every count begins at 1 (add-1).

        `options` are the other fields.
        """
        import numpy as np

        expected = "a list of bool arrays of shape (T, D), all of one D"
        kinds = {
            (roll.dtype, *roll.shape[1:]) if isinstance(roll, np.ndarray) else (None,)
            for roll in of_type(rolls, Sequence, "Hmm.counted(rolls)", expected)
        }
        if len(kinds) != 1 or len(kind := kinds.pop()) != 2 or kind[0] != np.bool_:
            raise NotebeamError("Hmm.counted(rolls)", [brief(roll) for roll in rolls], expected)
        # Every piece begins after silence, as the search does.
        before = np.concatenate([np.concatenate([np.zeros_like(roll[:1]), roll[:-1]]) for roll in rolls])
        now = np.concatenate(list(rolls))
        off_off, off_any = (~before & ~now).sum(axis=0), (~before).sum(axis=0)
        on_off, on_any = (before & ~now).sum(axis=0), before.sum(axis=0)
        return Hmm(
            off_after_off=tuple(((off_off + 1) / (off_any + 2)).tolist()),
            off_after_on=tuple(((on_off + 1) / (on_any + 2)).tolist()),
            **options,
        )


@dataclass(frozen=True, kw_only=True)
class Greedy(Proposals):
    """The cheapest row of each step, given the rows already chosen: one hypothesis, all its candidates.

    Rows are compared under one past, so a prior that leaves out log Z does; costs and its log-probability
    then leave it out too, and cannot be compared between rolls.
    Source: Boulanger-Lewandowski et al. 2012, section 6.

    >>> import notebeam as nb
    >>> nb.Greedy(prior_weight=0.1).prior_weight
    0.1
    """

    def as_beam(self) -> "Beam":
        """The same search as a beam of width 1."""
        shared = {field.name: getattr(self, field.name) for field in fields(Proposals)}
        every = 1 << self.switchable
        return Beam(width=1, candidates=every, hash_steps=0, n_best=1, **shared)


@dataclass(frozen=True, kw_only=True)
class Beam(Proposals):
    """Beam search over steps; counts are per clip.

    >>> import notebeam as nb
    >>> nb.Beam(width=4, n_best=8)
    Traceback (most recent call last):
    ...
    symbolic.errors.NotebeamError: Beam.n_best: got 8, expected an integer 1..4, the width at most
    """

    width: int = 8  # W, hypotheses kept a step
    candidates: int = 16  # K, candidates a step; at most 2**switchable exist
    hash_steps: int = 10  # n, of hypotheses with the same last n steps only per_hash stay; 0: all
    per_hash: int = 1  # m
    n_best: int | None = None  # hypotheses in the result; None: the width, at most 8
    look_back: int = 0  # steps after which a row is settled, to bound the memory; 0: at the clip's end
    partition_temperatures: int = 50  # of the estimate of log Z, of a prior that leaves it out
    partition_runs: int = 10  # chains of that estimate a hypothesis

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_count("width", 1, MAX_WIDTH)
        self._check_count("candidates", 1, MAX_CANDIDATES)
        self._check_count("hash_steps", 0)
        self._check_count("per_hash", 1)
        if self.n_best is not None:
            self._check_count("n_best", 1)
            expected = f"an integer 1..{self.width}, the width at most"
            self._check("n_best", expected, holds=self.n_best <= self.width)
        self._check_count("look_back", 0)
        self._check_count("partition_temperatures", 1)
        self._check_count("partition_runs", 2)

    @property
    def results(self) -> int:
        """Hypotheses in the result, at most."""
        return min(self.width, N_BEST) if self.n_best is None else self.n_best


@dataclass(frozen=True)
class Method:
    """A method as the list below has it."""

    options: type[Any]
    reads_prior: bool


# By the name that the command takes. `decoding.decode.register_decoder` adds to it.
METHODS: dict[str, Method] = {
    "threshold": Method(Threshold, reads_prior=False),
    "hmm": Method(Hmm, reads_prior=False),
    "greedy": Method(Greedy, reads_prior=True),
    "beam": Method(Beam, reads_prior=True),
}


def method_of(options: object) -> Method:
    """The method that options belong to.

    Raises:
        NotebeamError: they belong to none.
    """
    for method in METHODS.values():
        if type(options) is method.options:
            return method
    known = ", ".join(method.options.__name__ for method in METHODS.values())
    raise NotebeamError("decode(options)", brief(options), f"options: {known}, for example Threshold()")
