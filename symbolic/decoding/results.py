"""What decoding finds: the best rolls of a batch as tensors, and the `Decoding` of one clip."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from symbolic.checks import brief, of_type
from symbolic.clock import Clock
from symbolic.decoding.evidence import Evidence, Plane
from symbolic.errors import NotebeamError


@dataclass(frozen=True, eq=False)
class BestRolls:
    """Rolls found for each clip of a batch, best first: what a decoder returns."""

    rolls: Tensor  # (B, W, T, D) bool; False past a clip's end
    costs: Tensor  # (B, W) float64 nats as the search added them up; +inf: no such hypothesis
    acoustic_log_prob: Tensor  # (B, W) float64 nats
    prior_log_prob: Tensor | None = None  # (B, W) float64 nats; None without a prior
    # (B, T, D) 0..1 of the best roll's notes, 0 elsewhere; None where nothing but that roll was considered.
    confidence: Tensor | None = None
    # (B,) first step at which no candidate was possible, -1 where there is none; None: not to be feared
    impossible_at: Tensor | None = None
    is_nan: Tensor | None = None  # (B,) bool, the prior's log-probability was not a number


@dataclass(frozen=True, eq=False)
class Decoding:
    """Rolls found for one clip, best first.

    >>> import notebeam as nb
    >>> import numpy as np
    >>> best = nb.decode(nb.Posteriorgram(frame=np.full((5, 88), 0.01), hop=0.04))
    >>> best.roll.shape, best.plane, best.clock.times[-1].round(2)
    ((5, 88), 'active', np.float64(0.16))
    """

    rolls: NDArray[np.bool_]  # (W, T, D)
    costs: NDArray[np.float64]  # (W,) nats, rising
    acoustic_log_prob: NDArray[np.float64]  # (W,) log P_a, tempered, nats
    # (W,) log P_s, nats; None without a prior. Of RBM types `Greedy`, and a beam of width 1, leave out log Z:
    # the number is then not comparable by itself. A wider beam estimates log Z.
    prior_log_prob: NDArray[np.float64] | None
    # (T, D) 0..1 of the best roll's notes, 0 elsewhere. `Beam`: the share of the final hypotheses'
    # probability that lies on those with the note; the other methods: the note's acoustic probability.
    confidence: NDArray[np.float32]
    evidence: Evidence
    # (T, D) 0..1 probability of each bit given the whole piece, by a prior that sees it; else None.
    posterior: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.rolls, np.ndarray) and self.rolls.dtype == np.bool_ and self.rolls.ndim == 3):
            raise NotebeamError("Decoding.rolls", brief(self.rolls), "an array of bool (W, T, D)")
        of_type(self.evidence, Evidence, "Decoding.evidence", "Evidence")

    @property
    def roll(self) -> NDArray[np.bool_]:
        """(T, D) the best roll."""
        return np.asarray(self.rolls[0])

    @property
    def clock(self) -> Clock:
        """Times of the roll's steps."""
        return self.evidence.clock

    @property
    def plane(self) -> Plane:
        """What a bit of the rolls means: the key is "struck", or is "active" (sounds)."""
        return self.evidence.plane


def decoding_of(best: BestRolls, row: int, evidence: Evidence) -> Decoding:
    """The decoding of clip `row`, at the steps of its evidence; at least the best hypothesis."""
    steps, count = len(evidence.prob), max(1, int(best.costs[row].isfinite().sum()))
    rolls = best.rolls[row, :count, :steps].cpu().numpy()
    prior = None if best.prior_log_prob is None else best.prior_log_prob[row, :count].cpu().numpy()
    if best.confidence is None:
        confidence = np.where(rolls[0], evidence.prob, np.float32(0))
    else:
        confidence = best.confidence[row, :steps].cpu().numpy()
    acoustic = best.acoustic_log_prob[row, :count].cpu().numpy()
    return Decoding(rolls, best.costs[row, :count].cpu().numpy(), acoustic, prior, confidence, evidence)


def check_possible(is_nan: Tensor | None, impossible_at: Tensor | None, place: str) -> None:
    """Refuse what a prior made impossible or not a number.

    Args:
        is_nan, impossible_at: as in `BestRolls`.
        place: what the message begins with; `{clip}` and `{step}` are filled in.

    Raises:
        NotebeamError: names the first such clip, and the step at which nothing was left.
    """
    if is_nan is not None and is_nan.any():
        raise NotebeamError("decode(prior)", float("nan"), "log-probabilities")
    if impossible_at is not None and (impossible_at >= 0).any():
        clip = int((impossible_at >= 0).nonzero()[0, 0])
        place = place.format(clip=clip, step=int(impossible_at[clip]))
        raise NotebeamError(place, "no candidate of probability above 0", "at least one")
