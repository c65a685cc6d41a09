"""Log-likelihood of rolls under a prior: the one definition, pooled over steps.

Is: the sum over all steps of all pieces of log p(step | steps before) / number of steps, nats. Step 0 counts,
its past being silence; all keys count (Boulanger-Lewandowski et al. 2012; settled by their closed-form rows).
Exact for normalised priors; for RBM types log p = -F - log Z with an estimate of log Z (estimators.ais).
Is not: a mean over pieces, or any other score (evaluation.accuracy).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.estimators.ais import AisOptions, ais_log_partition, mean_field_logits
from symbolic.estimators.rbm import Rbm
from symbolic.priors.base import Prior
from symbolic.priors.recurrent import RecurrentPrior

MOST_STEPS = 20_000  # of a padded batch: bounds the memory


@dataclass(frozen=True)
class Likelihood:
    """Log-likelihood of a set of rolls, and its standard error where it is an estimate."""

    total: float  # nats, over the steps that were judged
    steps: int
    standard_error: float = 0.0  # of per_step, nats: of log Z, and of judging some steps for all
    spread: float = 0.0  # mean standard error s of a step's log Z; per_step errs upwards by about s * s / 2
    ais: AisOptions | None = None  # None: exact

    @property
    def per_step(self) -> float:
        """Nats a step."""
        return self.total / self.steps


def log_likelihood(
    prior: Prior,
    rolls: Sequence[NDArray[Any]],
    ais: AisOptions | None = None,
    generator: torch.Generator | None = None,
) -> Likelihood:
    """Log-likelihood of rolls (T, D).

    Args:
        prior: exact where it is normalised; else its estimator must be an RBM.
        rolls: what is judged; 0/1, or real where the prior's steps are.
        ais: how log Z is estimated; not needed, nor read, where the prior is normalised.
        generator: of the estimate; None: one seeded with `ais.seed`, so that two calls have the same errors.
    """
    steps = sum(map(len, rolls))
    if not steps:
        raise NotebeamError("log_likelihood(rolls)", "no steps", "at least one step")
    if not prior.is_normalized:
        return _estimated(prior, rolls, ais, generator)
    total = 0.0
    with torch.inference_mode():
        for batch, mask in padded_batches(rolls):
            # Summed in float64: a long set reaches 1e5 nats, where float32 has lost the second decimal.
            total += float(prior.sequence_log_prob(batch, mask).double().sum())
    return Likelihood(total, steps)


@torch.inference_mode()
def _estimated(
    prior: Prior,
    rolls: Sequence[NDArray[Any]],
    ais: AisOptions | None,
    generator: torch.Generator | None,
) -> Likelihood:
    """`log_likelihood` of a prior that leaves out log Z."""
    prior, weight, ais = rbm_type(prior, ais)
    generator = generator or torch.Generator(weight.device).manual_seed(ais.seed)
    base = base_logits(rolls).to(weight)
    everything = sum(map(len, rolls))
    # Evenly spread over the steps in the order of the batches, which is that of the pieces' lengths.
    count = min(ais.steps or everything, everything)
    if count == 1 < everything:
        raise NotebeamError("AisOptions.steps", 1, "2 or more, whose spread tells the error; or 0 for all")
    chosen = torch.arange(count) * everything // count
    past, log_probs, errors = 0, [], []
    for batch, mask in padded_batches(rolls):
        here = chosen[(chosen >= past) & (chosen < past + int(mask.sum()))] - past
        past += int(mask.sum())
        batch, mask = batch.to(weight), mask.to(weight.device)
        biases, _ = prior.chunk_biases(prior.initial_state(len(batch)), batch, mask)
        log_prob, error = completed_log_prob(prior, batch[mask][here], biases[here], base, ais, generator)
        log_probs.append(log_prob)
        errors.append(error)
    log_prob, error = torch.cat(log_probs), torch.cat(errors)
    variance = error.square().mean() / len(error)
    if len(error) < everything:  # the sampling error of a mean, without replacement
        variance += log_prob.var() / len(error) * (1 - len(error) / everything)
    return Likelihood(float(log_prob.sum()), len(error), float(variance.sqrt()), float(error.mean()), ais)


def rbm_type(prior: Prior, ais: AisOptions | None) -> tuple[RecurrentPrior, Tensor, AisOptions]:
    """The prior, the RBM's weight and the options, if a likelihood can be estimated with them."""
    if ais is None:
        expected = "a normalised prior, or AisOptions"
        raise NotebeamError("log_likelihood(prior)", "a prior that leaves out log Z", expected)
    if not isinstance(prior, RecurrentPrior) or not isinstance(prior.estimator, Rbm):
        expected = "a recurrence times an RBM of 0/1 units"
        raise NotebeamError("log_likelihood(prior)", type(prior).__name__, expected)
    return prior, prior.estimator.weight, ais


def completed_log_prob(
    prior: RecurrentPrior,
    step: Tensor,
    biases: Tensor,
    base: Tensor,
    ais: AisOptions,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """(N,) estimated log-probability of steps (N, D) under biases (N, P), and the standard error of log Z.

    base: (D,) logits at which the chains, or the mean fields where they do, begin.
    """
    prior, weight, ais = rbm_type(prior, ais)
    assert isinstance(prior.estimator, Rbm)
    parts = prior.estimator.split(biases)
    if ais.base == "mean-field":
        base = mean_field_logits(weight, *parts, torch.sigmoid(base))
    log_z, error = ais_log_partition(
        weight,
        *parts,
        base,
        generator,
        temperatures=ais.temperatures,
        runs=ais.runs,
    )
    return prior.estimator.log_prob(step, biases).double() - log_z, error


def base_logits(rolls: Sequence[NDArray[Any]]) -> Tensor:
    """(D,) logits of each key's frequency in rolls (T, D), add-one-smoothed: where AIS had better begin."""
    counts = torch.from_numpy(np.sum([roll.sum(0, dtype=np.float64) for roll in rolls], axis=0))
    return torch.logit((counts + 1) / (sum(map(len, rolls)) + 2))


def padded_batches(rolls: Sequence[NDArray[Any]]) -> Iterator[tuple[Tensor, Tensor]]:
    """All rolls as batches (B, T, D) float32 with masks (B, T), like lengths together: little is padding."""
    order = sorted(range(len(rolls)), key=lambda index: len(rolls[index]))
    group: list[NDArray[Any]] = []
    for index in order:
        # The rolls come in rising length: this one would set the length of all.
        if group and (len(group) + 1) * len(rolls[index]) > MOST_STEPS:
            yield _padded(group)
            group = []
        group.append(rolls[index])
    if group:
        yield _padded(group)


def _padded(group: Sequence[NDArray[Any]]) -> tuple[Tensor, Tensor]:
    steps = max(len(roll) for roll in group)
    batch = torch.zeros(len(group), steps, group[0].shape[1])
    mask = torch.zeros(len(group), steps, dtype=torch.bool)
    for row, roll in enumerate(group):
        batch[row, : len(roll)] = torch.from_numpy(roll.astype(np.float32))
        mask[row, : len(roll)] = True
    return batch, mask
