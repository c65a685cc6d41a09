"""Prediction one step ahead: what is compared with what, and how the errors are averaged."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from symbolic.errors import NotebeamError
from symbolic.estimators.gaussian_rbm import GaussianRbm, GaussianRbmOptions
from symbolic.estimators.rnade import Rnade, RnadeOptions
from symbolic.evaluation.prediction import PredictionOptions, error_of, prediction_error
from symbolic.priors.rnn import RnnOptions, RnnPrior


class Copy(nn.Module):
    """An estimator that predicts the chain's start plus its first bias."""

    visible, biases, is_normalized, is_recordable = 2, 2, False, False

    def mean(self, biases: Tensor, generator: torch.Generator, start: Tensor, gibbs: int) -> Tensor:
        self.gibbs = gibbs
        return start + biases


SEQUENCES = [
    np.array([[0.0, 0.0], [1.0, 2.0], [1.0, 2.0]], dtype=np.float32),
    np.array([[5.0, 5.0]], dtype=np.float32),  # nothing to predict
    np.array([[1.0, 1.0], [0.0, 4.0]], dtype=np.float32),
]


def prior_of(estimator: nn.Module) -> RnnPrior:
    return RnnPrior("rnn", RnnOptions(visible=2, units=3), lambda visible: estimator)  # type: ignore[arg-type,return-value]


def test_the_chain_starts_from_the_step_before_and_all_steps_weigh_the_same() -> None:
    prior = prior_of(Copy())
    nn.init.zeros_(prior.conditioner.weight)
    nn.init.zeros_(prior.conditioner.bias)
    found = prediction_error(prior, SEQUENCES, PredictionOptions(gibbs=7))
    # Squared differences of neighbours: (1, 4), (0, 0), (1, 9).
    assert found.steps == 3
    np.testing.assert_allclose(found.by_dimension, [2 / 3, 13 / 3])
    assert found.per_step == pytest.approx(5.0) and found.per_dimension == pytest.approx(2.5)
    assert prior.estimator.gibbs == 7  # type: ignore[attr-defined]


def test_a_step_is_predicted_with_the_biases_of_its_own_past() -> None:
    torch.manual_seed(0)
    prior = prior_of(Copy())
    expected = 0.0
    with torch.no_grad():
        for sequence in SEQUENCES:
            state, steps = prior.initial_state(1), torch.from_numpy(sequence)
            for t in range(1, len(steps)):
                state = prior.advance(state, steps[t - 1 : t])
                guess = steps[t - 1] + prior.step_biases(state)[0]
                expected += float((steps[t] - guess).square().sum()) / 3
    assert prediction_error(prior, SEQUENCES).per_step == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["gaussian-rbm", "rnade"])
def test_the_mean_of_many_draws_tends_to_the_expected_step(kind: str) -> None:
    estimator: nn.Module = (
        GaussianRbm(2, GaussianRbmOptions(hidden=3)) if kind == "gaussian-rbm" else Rnade(2, RnadeOptions())
    )
    prior = prior_of(estimator)
    prior.initialise_from_marginals(
        torch.tensor([1.0, 2.0])
    )  # and W, V are about zero: every step is predicted as that
    nn.init.zeros_(prior.conditioner.weight)
    if isinstance(estimator, Rnade):
        nn.init.zeros_(estimator.out)
    found = prediction_error(prior, SEQUENCES, PredictionOptions(draws=400))
    # Differences (0, 0), (0, 0), (1, 2); the mean of 400 samples is off by about 0.06.
    np.testing.assert_allclose(found.by_dimension, [1 / 3, 4 / 3], atol=0.15)
    again = prediction_error(prior, SEQUENCES, PredictionOptions(draws=400))
    np.testing.assert_array_equal(found.by_dimension, again.by_dimension)


def test_sequences_without_a_second_step_are_refused() -> None:
    with pytest.raises(NotebeamError, match=r"got 'no step with another before it', expected at least one"):
        error_of(lambda batch, mask: batch[:, 1:].flatten(0, 1), SEQUENCES[1:2])
    with pytest.raises(NotebeamError, match=r"PredictionOptions\.draws: got 0, expected an integer >= 1"):
        PredictionOptions(draws=0)
