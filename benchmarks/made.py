"""Evidence and priors of any size, made for timings.

Is: clips all of whose steps need a search, an hour of likely music, an untrained prior.
Is not: an evaluation of decoders (benchmarks.transcription).
"""

from math import inf, log2

import numpy as np
import torch
from numpy.typing import NDArray

from symbolic.clock import Clock
from symbolic.decoding.evidence import Evidence
from symbolic.decoding.options import Beam
from symbolic.priors.base import Prior
from symbolic.priors.registry import build_prior

STEP = 0.02  # seconds


def made_clip(steps: int, candidates: int, seed: int) -> Evidence:
    """A clip all of whose steps have so many candidates."""
    generator, unsure = np.random.default_rng(seed), int(log2(candidates))
    prob = np.zeros((steps, 88), dtype=np.float32)
    keys = 15 + np.argsort(generator.random((steps, 60)), axis=1)[:, : unsure + 4]
    each = np.arange(steps)[:, None]
    prob[each, keys[:, :unsure]] = generator.uniform(0.2, 0.8, (steps, unsure))
    prob[each, keys[:, unsure:]] = generator.uniform(0.97, 0.999, (steps, 4))
    return evidence(prob)


def evidence(prob: NDArray[np.float32]) -> Evidence:
    """Probabilities (T, 88) at steps of 20 ms."""
    clock = Clock.frames(len(prob), STEP)
    times = np.broadcast_to(clock.times[:, None], prob.shape)
    return Evidence(prob, times, np.zeros(prob.shape, dtype=np.int32), clock)


def search_options(width: int, candidates: int) -> Beam:
    """A beam over all candidates of made evidence."""
    return Beam(width=width, candidates=candidates, switchable=int(log2(candidates)), prune=inf)


def lstm_nade(hidden: int) -> Prior:
    """An untrained LSTM-NADE with 256 units, its weights large enough for pasts to differ."""
    torch.manual_seed(0)
    prior = build_prior("lstm-nade", {"units": 256, "hidden": hidden}).eval()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.mul_(3.0)
    return prior


def free(prior: Prior) -> Prior:
    """The prior, on clocks of any hop: time does not depend on what it has learnt."""
    prior.card = None
    return prior


def made_hour() -> Evidence:
    """An hour with 10 notes and 10 doubtful peaks a second, anywhere."""
    generator, seconds = np.random.default_rng(0), 3600
    prob = np.zeros((round(seconds / STEP), 88), dtype=np.float32)
    for rate, low, high in ((10, 0.01, 0.6), (10, 0.6, 0.999)):
        at = generator.integers(0, len(prob), rate * seconds), generator.integers(0, 88, rate * seconds)
        prob[at] = generator.uniform(low, high, rate * seconds)
    return evidence(prob)
