"""The score by which a run is stopped and its weights are kept; higher is better.

Is: which score a prior and its data have, at the cost that a config allows.
Is not: the scores (evaluation.likelihood, evaluation.prediction).
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from symbolic.estimators.ais import AisOptions
from symbolic.evaluation.likelihood import log_likelihood
from symbolic.evaluation.prediction import prediction_error
from symbolic.priors.base import Prior
from symbolic.priors.recurrent import RecurrentPrior
from symbolic.training.config import LoopConfig
from symbolic.training.data import Roll

NATS, ERROR = "nats_per_step", "minus_squared_error_per_step"


def measure(prior: Prior, rolls: Sequence[Roll]) -> str:
    """Name of the score: log-likelihood, or of real steps without log Z minus their prediction's error."""
    return ERROR if not prior.is_normalized and rolls[0].dtype != np.bool_ else NATS


def score(prior: Prior, rolls: Sequence[Roll], loop: LoopConfig) -> float:
    """The score of rolls (T, D) in its `measure`; every call draws the same random numbers."""
    if measure(prior, rolls) == ERROR:
        assert isinstance(prior, RecurrentPrior)
        return -prediction_error(prior, rolls).per_step
    keys = cast(Sequence[NDArray[np.bool_]], rolls)
    ais = AisOptions(temperatures=loop.ais_temperatures, runs=loop.ais_runs, steps=loop.ais_steps)
    return log_likelihood(prior, keys, ais).per_step
