"""RTRBM and LSTM-RTRBM: their equations, and one number by every way of asking."""

from itertools import product

import numpy as np
import pytest
import torch
from oracles_priors import all_columns, rtrbm_biases
from torch import Tensor
from torch.testing import assert_close

from symbolic.errors import NotebeamError
from symbolic.estimators.gaussian_rbm import GaussianRbm, GaussianRbmOptions
from symbolic.estimators.rbm import Rbm, RbmOptions
from symbolic.priors.rtrbm import LstmRtrbmOptions, Rtrbm, RtrbmOptions
from symbolic.state import select

KINDS = {
    "rtrbm": (RtrbmOptions(visible=5), Rbm, RbmOptions),
    "rtrbm without W2": (RtrbmOptions(visible=5, hidden_to_visible=False), Rbm, RbmOptions),
    "lstm-rtrbm": (LstmRtrbmOptions(visible=5, units=3), Rbm, RbmOptions),
    "gaussian-lstm-rtrbm": (
        LstmRtrbmOptions(visible=5, units=3, hidden_to_visible=True, memory_to_visible=True),
        GaussianRbm,
        GaussianRbmOptions,
    ),
}


def made(options: RtrbmOptions | LstmRtrbmOptions, kind: str = "rtrbm", **chains: int) -> Rtrbm:
    """Random, float64, with weights large enough for the past to matter."""
    _, estimator, of_estimator = KINDS[kind]
    torch.manual_seed(0)
    prior = Rtrbm(options, lambda d: estimator(d, of_estimator(hidden=4, **chains))).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return prior


@pytest.fixture(params=sorted(KINDS))
def prior(request: pytest.FixtureRequest) -> Rtrbm:
    return made(KINDS[request.param][0], request.param)


def random_rolls(clips: int, steps: int) -> Tensor:
    g = torch.Generator().manual_seed(steps)
    return (torch.rand(clips, steps, 5, generator=g) < 0.4).double()


def everywhere(rolls: Tensor) -> Tensor:
    return torch.ones(rolls.shape[:2], dtype=torch.bool)


def named_weights(prior: Rtrbm) -> tuple[dict[str, np.ndarray], torch.nn.LSTM | None]:
    """What the oracle wants of a model."""
    named = {
        "W": prior.estimator.weight,
        "bv": prior.visible_bias,
        "bh": prior.hidden_bias,
        "r0": torch.sigmoid(prior.first),
        "W1": prior.to_hidden,
    }
    if prior.options.hidden_to_visible:
        assert prior.to_visible is not None
        named["W2"] = prior.to_visible
    layer = None
    if prior.memory is not None:
        named["WL"], layer = prior.from_memory, prior.memory.layers[0]
    if prior.memory_to_visible is not None:
        named["WV"] = prior.memory_to_visible
    return {name: values.detach().numpy() for name, values in named.items()}, layer  # type: ignore[return-value]


def test_the_biases_are_the_equations(prior: Rtrbm) -> None:
    roll = random_rolls(1, 6)
    expected = [np.concatenate(pair) for pair in rtrbm_biases(roll[0].numpy(), *named_weights(prior))]
    biases, _ = prior.chunk_biases(prior.initial_state(1), roll, everywhere(roll))
    assert_close(biases.detach(), torch.tensor(np.array(expected)))


def test_dropout_silences_units_for_a_whole_sequence() -> None:
    both = {"hidden_to_visible": True, "memory_to_visible": True}
    prior = made(LstmRtrbmOptions(visible=5, units=3, dropout=0.5, **both))
    roll, (named, layer) = random_rolls(1, 4), named_weights(prior)
    generator = torch.Generator().manual_seed(3)
    biases, _ = prior.chunk_biases(prior.initial_state(1), roll, everywhere(roll), generator)
    explained = []
    # A unit that is dropped is a column of zeros; the others are doubled.
    for factors in product((0.0, 2.0), repeat=7):
        r, memory = np.array(factors[:4]), np.array(factors[4:])
        dropped = named | {"W1": named["W1"] * r, "W2": named["W2"] * r}
        dropped |= {name: named[name] * memory for name in ("WL", "WV")}
        pairs = rtrbm_biases(roll[0].numpy(), dropped, layer)
        if np.allclose([np.concatenate(pair) for pair in pairs], biases.detach().numpy()):
            explained.append(factors)
    assert len(explained) == 1
    assert {*explained[0][:4]} == {*explained[0][4:]} == {0.0, 2.0}


def test_the_constant_part_of_the_biases_can_be_set(prior: Rtrbm) -> None:
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.zero_()
    bias = torch.arange(9, dtype=torch.float64)
    prior.set_constant_biases(bias)
    assert_close(prior.step_biases(prior.initial_state(2)), bias.expand(2, -1))


def test_stepwise_is_parallel(prior: Rtrbm) -> None:
    rolls = random_rolls(3, 7)
    parallel = prior.sequence_log_prob(rolls, everywhere(rolls))
    state = prior.initial_state(3)
    for t in range(7):
        assert_close(prior.log_prob(state, rolls[:, t, None])[:, 0], parallel[:, t])
        state = prior.advance(state, rolls[:, t])


def test_chunks_with_carried_state_are_the_whole(prior: Rtrbm) -> None:
    rolls = random_rolls(2, 9)
    state, parts = prior.initial_state(2), []
    for first, last in ((0, 4), (4, 4), (4, 5), (5, 9)):
        part = rolls[:, first:last]
        log_prob, state = prior.chunk_log_prob(state, part, everywhere(part))
        parts.append(log_prob)
    assert_close(torch.cat(parts, 1), prior.sequence_log_prob(rolls, everywhere(rolls)))


def test_a_padded_batch_is_each_clip_alone(prior: Rtrbm) -> None:
    rolls, lengths = random_rolls(3, 8), (8, 3, 0)
    mask = torch.arange(8)[None] < torch.tensor(lengths)[:, None]
    together = prior.sequence_log_prob(rolls, mask)
    assert (together[~mask] == 0).all()
    for clip, length in enumerate(lengths):
        alone = prior.sequence_log_prob(rolls[clip, None, :length], mask[clip, None, :length])
        assert_close(together[clip, :length], alone[0])


def test_select_permutes_and_repeats(prior: Rtrbm) -> None:
    rolls = random_rolls(3, 4)
    state = prior.initial_state(3)
    for t in range(4):
        state = prior.advance(state, rolls[:, t])
    index = torch.tensor([2, 0, 2, 1, 0])
    candidates = random_rolls(3, 5)
    chosen = prior.log_prob(select(state, index), candidates[index])
    assert_close(chosen, prior.log_prob(state, candidates)[index])
    assert (chosen[0] - chosen[1]).abs().max() > 1e-3  # the hypotheses do differ


def test_samples_come_as_often_as_they_are_probable() -> None:
    prior, draws = made(RtrbmOptions(visible=3), sample_gibbs=80), 30_000
    state = prior.advance(prior.initial_state(1), torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.float64))
    many = select(state, torch.zeros(draws, dtype=torch.long))
    samples = prior.sample(many, torch.Generator().manual_seed(0))
    index = (samples @ torch.tensor([4.0, 2.0, 1.0], dtype=torch.float64)).long()
    seen = torch.bincount(index, minlength=8) / draws
    prob = prior.log_prob(state, all_columns(3)[None])[0].softmax(0)
    assert ((seen - prob).abs() < 5 * (prob * (1 - prob) / draws).sqrt() + 1e-9).all()


def test_the_gradient_goes_back_through_time_to_every_parameter(prior: Rtrbm) -> None:
    rolls = random_rolls(2, 5)
    objective, _ = prior.chunk_objective(
        prior.initial_state(2), rolls, everywhere(rolls), torch.Generator().manual_seed(0)
    )
    objective[:, -1].sum().backward()  # the last step alone: r_0 is four steps away
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in prior.parameters())


@pytest.mark.parametrize(
    "options", [RtrbmOptions(visible=5, dropout=0.5), LstmRtrbmOptions(visible=5, dropout=0.5)]
)
def test_dropout_acts_in_training_alone_and_repeats_with_its_seed(
    options: RtrbmOptions | LstmRtrbmOptions,
) -> None:
    prior, rolls = made(options), random_rolls(2, 5)

    def score(seed: int | None) -> Tensor:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return prior.chunk_log_prob(prior.initial_state(2), rolls, everywhere(rolls), generator)[0]

    assert_close(score(None), prior.sequence_log_prob(rolls, everywhere(rolls)))
    assert_close(score(1), score(1))
    assert (score(1) - score(2)).abs().max() > 1e-4


def test_training_begins_at_the_frequencies() -> None:
    torch.manual_seed(0)
    prior = Rtrbm(RtrbmOptions(visible=3), lambda d: Rbm(d, RbmOptions(hidden=4)))
    mean = torch.tensor([0.1, 0.5, 0.01])
    prior.initialise_from_marginals(mean)
    with torch.no_grad():
        prob = prior.log_prob(prior.initial_state(1), all_columns(3).float()[None])[0].softmax(0)
    # The weights start at about 0.01, which moves a logit by 0.02 or so.
    assert_close(prob @ all_columns(3).float(), mean, rtol=0.05, atol=0)


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        (RtrbmOptions, "visible", 0),
        (RtrbmOptions, "dropout", 1.0),
        (LstmRtrbmOptions, "units", 0),
        (LstmRtrbmOptions, "visible", 2.5),
    ],
)
def test_a_bad_option_is_refused_by_name(
    options: type[RtrbmOptions] | type[LstmRtrbmOptions], name: str, value: float
) -> None:
    with pytest.raises(NotebeamError, match=rf"{options.__name__}\.{name}: got {value}, expected an? "):
        options(**{name: value})  # type: ignore[arg-type]
