"""Probability calibration: temperature and bias scaling, and the diagram that shows it.

Is: functions of predicted probabilities and of what came true.
Is not: which frames and notes are compared (benchmarks.calibration) or where scalings are kept (loading).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from symbolic.errors import NotebeamError

Floats = npt.NDArray[np.floating]
Truth = npt.NDArray[np.bool_]

BOUNDS = ((0.2, 5.0), (-5.0, 5.0))  # of 1 / temperature and bias
# Of any scaling: what is fitted, and its inverse, lie within; beyond, float32 has no number for the result.
LEAST_TEMPERATURE, MOST_TEMPERATURE, MOST_BIAS = 0.05, 20.0, 50.0
EPSILON = 1e-6  # probabilities are kept this far from 0 and 1 where a logarithm is taken


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Log-odds x become x / temperature + bias (Platt 1999; without bias Guo et al. 2017)."""

    temperature: float = 1.0  # above 1 less confident, below 1 more
    bias: float = 0.0  # below 0 where probabilities are too high

    def __post_init__(self) -> None:
        low, high, most = LEAST_TEMPERATURE, MOST_TEMPERATURE, MOST_BIAS
        if not (low <= self.temperature <= high and -most <= self.bias <= most):
            expected = f"a temperature {low:g} to {high:g} and a bias {-most:g} to {most:g}"
            raise NotebeamError("Scaling", self, expected)

    def __call__(self, prob: Floats) -> Floats:
        """Probabilities of the same shape and type; 0 and 1 stay."""
        power = 1.0 / self.temperature
        for_, against = math.exp(self.bias) * prob**power, (1 - prob) ** power
        return np.asarray(for_ / (for_ + against), dtype=prob.dtype)

    @property
    def inverse(self) -> "Scaling":
        """The one that undoes this one."""
        return Scaling(temperature=1 / self.temperature, bias=-self.bias * self.temperature)


def log_loss(prob: Floats, truth: Truth) -> float:
    """Mean negative log-likelihood, nats."""
    kept = np.clip(prob.astype(np.float64), EPSILON, 1 - EPSILON)
    return float(-np.log(np.where(truth, kept, 1 - kept)).mean())


def fit_scaling(prob: Floats, truth: Truth) -> Scaling:
    """The scaling of least log-loss."""
    from scipy.optimize import minimize

    kept = np.clip(prob.astype(np.float64), EPSILON, 1 - EPSILON)
    odds = np.log(kept / (1 - kept))

    def loss(x: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        slope, bias = x
        scaled = slope * odds + bias
        value = np.logaddexp(0, np.where(truth, -scaled, scaled)).mean()
        error = 1 / (1 + np.exp(-scaled)) - truth
        return float(value), np.array([(error * odds).mean(), error.mean()])

    slope, bias = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=BOUNDS).x
    return Scaling(temperature=1 / float(slope), bias=float(bias))


@dataclass(frozen=True)
class Reliability:
    """Observed frequency in bins of predicted probability."""

    predicted: npt.NDArray[np.float64]  # (bins,) mean probability
    observed: npt.NDArray[np.float64]  # (bins,) observed frequency
    count: npt.NDArray[np.int64]  # (bins,)

    @property
    def error(self) -> float:
        """Expected calibration error: mean |predicted - observed| over predictions (Naeini et al. 2015)."""
        return float((np.abs(self.predicted - self.observed) * self.count).sum() / max(1, self.count.sum()))


def reliability(prob: Floats, truth: Truth, bins: int = 10) -> Reliability:
    """Reliability diagram in bins of equal width; empty bins are left out."""
    index = np.minimum((prob * bins).astype(int), bins - 1)
    count = np.bincount(index, minlength=bins)
    predicted = np.bincount(index, weights=prob, minlength=bins)
    observed = np.bincount(index, weights=truth, minlength=bins)
    kept = count > 0
    return Reliability(predicted[kept] / count[kept], observed[kept] / count[kept], count[kept])
