"""Where a piece surprises a prior: minus the log-probability of every step, and of every note.

Is: one roll (or several of one length) judged step by step, in chunks; the best of several transpositions.
Is not: the likelihood of a set (evaluation.likelihood), or the picture (evaluation.picture).

The surprise of a note is -log P(its key is on | the steps before, all other keys of its step). That is exact
for every prior, RBM types too: log Z falls out of the quotient of the step with and without the note.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.estimators.ais import AisOptions
from symbolic.evaluation.likelihood import MOST_STEPS, base_logits, completed_log_prob, rbm_type
from symbolic.pitch import KEYS, key_of
from symbolic.priors.base import Prior, PriorCard
from symbolic.priors.steps import Roll, Steps, transposed

# Semitones: the twelve keys, and an octave to either side: the chorales of the classic set lie high.
SHIFTS = tuple(range(-18, 18))
KEY_RUNS, KEY_TEMPERATURES = 10, 100  # of AIS at most, while the key is sought


@dataclass(frozen=True, eq=False)
class StepScores:
    """Log-probability of each step, nats."""

    log_prob: NDArray[np.float64]  # (T,)
    standard_error: NDArray[np.float64]  # (T,) of the estimate of log Z; 0 where exact

    @property
    def per_step(self) -> float:
        """Mean, nats a step."""
        return float(self.log_prob.mean())

    @property
    def error_of_mean(self) -> float:
        """Standard error of `per_step`: the estimates of the steps are independent."""
        return float(np.sqrt(np.square(self.standard_error).sum()) / len(self.standard_error))


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a prior made of a piece."""

    steps: Steps
    semitones: int  # by which the piece was shifted first
    scores: StepScores
    notes: NDArray[np.float64]  # (N,) surprise of each note, nats; NaN: it lies between the steps


def judge(prior: Prior, steps: Steps, semitones: int | None = 0, ais: AisOptions | None = None) -> Judgement:
    """A piece judged by a prior, so many semitones higher; None: the likeliest of `SHIFTS`."""
    semitones, roll = placed(prior, steps.roll, semitones, ais)
    (scores,) = step_scores(prior, [roll], ais)
    return Judgement(steps, semitones, scores, note_surprises(prior, steps, roll, semitones))


def placed(
    prior: Prior, roll: Roll, semitones: int | None, ais: AisOptions | None = None
) -> tuple[int, Roll]:
    """The shift (None: the likeliest of `SHIFTS`), and the roll so many semitones higher."""
    if semitones is None:
        semitones = best_key(prior, roll, ais)
    shifted = transposed(roll, semitones)
    if shifted is None:
        raise NotebeamError("judge(semitones)", semitones, "a shift that keeps all notes on the piano")
    return semitones, shifted


@torch.inference_mode()
def step_scores(prior: Prior, rolls: Sequence[Roll], ais: AisOptions | None = None) -> list[StepScores]:
    """Scores of rolls (T, D) of one length, judged together; T is bounded by no memory."""
    batch = np.stack(rolls)
    count, steps, _ = batch.shape
    generator = torch.Generator().manual_seed(ais.seed if ais else 0)
    base = base_logits(rolls)
    chunk = max(1, MOST_STEPS // count)
    state = prior.initial_state(count)
    log_probs, errors = [], []
    for start in range(0, steps, chunk):
        part = torch.from_numpy(batch[:, start : start + chunk]).float()
        mask = torch.ones(part.shape[:2], dtype=torch.bool)
        if prior.is_normalized:
            log_prob, state = prior.chunk_log_prob(state, part, mask)
            error = torch.zeros_like(log_prob)
        else:
            product, _, options = rbm_type(prior, ais)
            biases, state = product.chunk_biases(state, part, mask)
            flat = completed_log_prob(product, part[mask], biases, base.float(), options, generator)
            log_prob, error = (values.view(mask.shape) for values in flat)
        log_probs.append(log_prob.double())
        errors.append(error.double())
    columns = (torch.cat(log_probs, 1).numpy(), torch.cat(errors, 1).numpy())
    return [StepScores(*row) for row in zip(*columns, strict=True)]


@torch.inference_mode()
def note_surprises(prior: Prior, steps: Steps, roll: Roll, semitones: int) -> NDArray[np.float64]:
    """(N,) nats of each note of a piece, at the step where it begins; NaN for one that the steps leave out.

    roll: the piece's, as the prior reads it, `semitones` higher.
    """
    found = np.full(len(steps.notes), np.nan)
    # With two planes a note begins with its stroke.
    bit = key_of(steps.notes.pitch) + semitones + (KEYS if roll.shape[1] == 2 * KEYS else 0)
    by_step: dict[int, list[int]] = {}
    for note, step in enumerate(steps.first.tolist()):
        by_step.setdefault(step, []).append(note)
    state = prior.initial_state(1)
    for t, row in enumerate(torch.from_numpy(roll).float()):
        if t in by_step:
            here = by_step[t]
            found[here] = _left_out(prior, state, row, torch.from_numpy(bit[here])).numpy()
        state = prior.advance(state, row[None])
    return found


def _left_out(prior: Prior, state: dict[str, Tensor], row: Tensor, bits: Tensor) -> Tensor:
    """(n,) surprise of the bits (n,) of a step (D,), each given all others."""
    without = row.repeat(len(bits), 1)
    without[torch.arange(len(bits)), bits] = 0.0
    log_prob = prior.log_prob(state, torch.cat([row[None], without])[None])[0].double()
    # -log (a / (a + b)) with a the step and b the step without the note.
    return F.softplus(log_prob[1:] - log_prob[0])


def best_key(prior: Prior, roll: Roll, ais: AisOptions | None = None) -> int:
    """Semitones by which the roll is likeliest to the prior: of SHIFTS, those that keep it on the piano."""
    if ais is not None:
        runs, temperatures = min(ais.runs, KEY_RUNS), min(ais.temperatures, KEY_TEMPERATURES)
        ais = replace(ais, runs=runs, temperatures=temperatures)
    shifts = {shift: moved for shift in SHIFTS if (moved := transposed(roll, shift)) is not None}
    scores = step_scores(prior, list(shifts.values()), ais)
    # Of shifts that are alike to the last digits the smallest.
    return max(
        zip(scores, shifts, strict=True), key=lambda pair: (round(pair[0].per_step, 5), -abs(pair[1]))
    )[1]


def semitones_of(text: str | None, card: PriorCard) -> int | None:
    """What an option --transpose says; None: the likeliest key, the default of priors that count in beats."""
    if text is None:
        # The classic sets, from which such priors come, are all in C.
        return None if card.clock["kind"] == "beats" else 0
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError as error:
        raise NotebeamError("--transpose", text, "semitones, or auto") from error
