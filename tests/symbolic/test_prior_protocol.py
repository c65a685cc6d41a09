"""What every prior must keep, whatever its model: one number by every way of asking, a true distribution."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles_decoding import sparse_clips
from oracles_priors import all_columns
from torch import Tensor
from torch.testing import assert_close

from symbolic.decoding.decode import decode_evidence
from symbolic.decoding.options import Beam
from symbolic.errors import NotebeamError
from symbolic.estimators.prefixes import share
from symbolic.priors.base import Prior
from symbolic.priors.registry import PRIORS, build_prior
from symbolic.state import State, select

REAL = {name for name in PRIORS if "gaussian" in name or "rnade" in name}  # of real-valued steps
ALONE = sorted(PRIORS.keys() - {"evidence-join"})  # that says nothing before it is given evidence
EXACT = sorted(name for name in ALONE if name not in REAL and build_prior(name, {}).is_normalized)


@pytest.fixture(params=ALONE)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def sizes(model: str, visible: int = 6, units: int = 5) -> dict[str, int]:
    """Small options of a model, as far as it has them."""
    prior = build_prior(model, {})
    wanted = {"visible": visible, "units": units, "layers": 2, "hidden": 4, "components": 2}
    found = dict[str, int]()
    for name, value in wanted.items():
        try:
            build_prior(model, {name: value})
        except NotebeamError:
            continue
        found[name] = value
    assert prior.visible == 88 and found["visible"] == visible
    return found


def small_prior(model: str, visible: int = 6) -> Prior:
    """Random, float64, with weights large enough for the past and the keys below to matter."""
    torch.manual_seed(visible)
    prior = build_prior(model, sizes(model, visible)).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return prior


def random_rolls(clips: int, steps: int, keys: int) -> Tensor:
    """(B, T, D) of which about every second step is silent."""
    g = torch.Generator().manual_seed(steps)
    loud = torch.rand(clips, steps, 1, generator=g) < 0.5
    return (loud & (torch.rand(clips, steps, keys, generator=g) < 0.4)).double()


def test_stepwise_is_parallel(model: str) -> None:
    prior = small_prior(model)
    rolls = random_rolls(3, 7, 6)
    parallel = prior.sequence_log_prob(rolls, torch.ones(3, 7, dtype=torch.bool))
    state = prior.initial_state(3)
    for t in range(7):
        assert_close(prior.log_prob(state, rolls[:, t, None])[:, 0], parallel[:, t])
        state = prior.advance(state, rolls[:, t])


def test_a_padded_batch_is_each_clip_alone(model: str) -> None:
    prior, rolls = small_prior(model), random_rolls(3, 8, 6)
    lengths = (8, 3, 0)
    mask = torch.arange(8)[None] < torch.tensor(lengths)[:, None]
    together = prior.sequence_log_prob(rolls, mask)
    assert (together[~mask] == 0).all()
    for clip, length in enumerate(lengths):
        alone = prior.sequence_log_prob(rolls[clip, None, :length], mask[clip, None, :length])
        assert_close(together[clip, :length], alone[0])


def test_chunks_with_carried_state_are_the_whole(model: str) -> None:
    prior, rolls = small_prior(model), random_rolls(2, 9, 6)
    mask = torch.ones(2, 9, dtype=torch.bool)
    first, state = prior.chunk_log_prob(prior.initial_state(2), rolls[:, :4], mask[:, :4])
    second, _ = prior.chunk_log_prob(state, rolls[:, 4:], mask[:, 4:])
    assert_close(torch.cat([first, second], 1), prior.sequence_log_prob(rolls, mask))


@pytest.mark.parametrize("model", EXACT)
def test_all_next_steps_together_have_probability_one(model: str) -> None:
    prior = small_prior(model)
    state = prior.advance(prior.initial_state(2), random_rolls(1, 2, 6)[0])
    candidates = all_columns(6).expand(2, -1, -1)
    assert_close(prior.log_prob(state, candidates).exp().sum(1), torch.ones(2, dtype=torch.float64))


@pytest.mark.parametrize("model", EXACT)
def test_samples_come_as_often_as_they_are_probable(model: str) -> None:
    prior, draws = small_prior(model, visible=3), 30_000
    state = prior.advance(prior.initial_state(1), torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.float64))
    samples = prior.sample(
        select(state, torch.zeros(draws, dtype=torch.long)), torch.Generator().manual_seed(0)
    )
    index = (samples @ torch.tensor([4.0, 2.0, 1.0], dtype=torch.float64)).long()
    seen = torch.bincount(index, minlength=8) / draws
    prob = prior.log_prob(state, all_columns(3)[None])[0].exp()
    assert ((seen - prob).abs() < 5 * (prob * (1 - prob) / draws).sqrt() + 1e-9).all()


@pytest.mark.parametrize("model", sorted(set(ALONE) - REAL))  # weights so large throw real steps off
def test_draws_are_samples_of_the_repeated_state(model: str) -> None:
    prior, generator = small_prior(model), torch.Generator()
    state = prior.advance(prior.initial_state(3), random_rolls(1, 3, 6)[0])
    together = prior.draws(state, generator.manual_seed(0), 4)
    repeated = select(state, torch.arange(3).repeat_interleave(4))
    assert_close(together, prior.sample(repeated, generator.manual_seed(0)))


def test_select_permutes_and_repeats(model: str) -> None:
    prior, rolls = small_prior(model), random_rolls(3, 4, 6)
    state = prior.initial_state(3)
    for t in range(4):
        state = prior.advance(state, rolls[:, t])
    index = torch.tensor([2, 0, 2, 1, 0])
    candidates = random_rolls(3, 5, 6)
    chosen = prior.log_prob(select(state, index), candidates[index])
    assert_close(chosen, prior.log_prob(state, candidates)[index])
    assert (chosen[0] - chosen[1]).abs().max() > 1e-3  # the hypotheses do differ


def test_dropout_acts_in_training_alone_and_repeats_with_its_seed(model: str) -> None:
    torch.manual_seed(0)
    prior = build_prior(model, sizes(model, units=16) | {"dropout": 0.5})
    rolls, mask = random_rolls(2, 5, 6).float(), torch.ones(2, 5, dtype=torch.bool)

    def score(seed: int | None) -> Tensor:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return prior.chunk_log_prob(prior.initial_state(2), rolls, mask, generator)[0]

    assert_close(score(None), prior.sequence_log_prob(rolls, mask))
    assert_close(score(1), score(1))
    assert (score(1) - score(2)).abs().max() > 1e-4


def test_three_chunks_of_odd_lengths_and_rows_of_silence_are_the_whole(model: str) -> None:
    prior = small_prior(model)
    rolls = random_rolls(3, 12, 6)
    rolls[1] = 0
    rolls[2, :5] = 0
    mask = torch.ones(3, 12, dtype=torch.bool)
    state, parts = prior.initial_state(3), []
    for first, last in ((0, 3), (3, 4), (4, 12)):
        part, state = prior.chunk_log_prob(state, rolls[:, first:last], mask[:, first:last])
        parts.append(part)
    assert_close(torch.cat(parts, 1), prior.sequence_log_prob(rolls, mask))


@pytest.mark.parametrize("model", ["rnn-rbm", "rtrbm", "lstm-rtrbm"])
def test_centring_an_rbm_is_but_another_way_to_write_its_biases(model: str) -> None:
    prior, rolls = small_prior(model), random_rolls(2, 5, 6)
    with torch.no_grad():
        prior.initialise_from_marginals(torch.tensor([0.1, 0.9, 0.3, 0.5, 0.2, 0.6], dtype=torch.float64))
    mask = torch.ones(2, 5, dtype=torch.bool)
    parallel = prior.sequence_log_prob(rolls, mask)
    state = prior.initial_state(2)
    for t in range(5):
        assert_close(prior.log_prob(state, rolls[:, t, None])[:, 0], parallel[:, t])
        state = prior.advance(state, rolls[:, t])
    # (v - m) W (h - 1/2) + a.v + c.h, the hidden units summed out one by one.
    rbm, biases = prior.estimator, prior.step_biases(state)  # type: ignore[union-attr]
    centred = all_columns(6) - rbm.centre
    hidden = all_columns(4)
    energy = (
        (centred @ rbm.weight) @ (hidden - 0.5).t()
        + (hidden @ biases[0, 6:])
        + (all_columns(6) @ biases[0, :6])[:, None]
    )
    expected = energy.logsumexp(1).log_softmax(0)
    assert_close(prior.log_prob(state, all_columns(6).expand(2, -1, -1))[0].log_softmax(0), expected)


def shared_candidates(clips: int, count: int, keys: int) -> Tensor:
    """(B, K, D) rows of which some are equal, some silent, and some begin alike."""
    g = torch.Generator().manual_seed(count)
    rows = (torch.rand(clips, count, keys, generator=g) < 0.4).double()
    rows[:, 1] = rows[:, 0]
    rows[:, 2] = 0
    rows[:, 3] = rows[:, 0]
    rows[:, 3, -1] = 1 - rows[:, 0, -1]
    return rows


def test_shared_candidates_score_as_each_alone(model: str) -> None:
    prior = small_prior(model)
    state = prior.initial_state(3 * 4)
    for row in random_rolls(1, 3, 6)[0]:
        state = prior.advance(state, row * torch.arange(12).remainder(2)[:, None])
    rows = shared_candidates(3, 7, 6)
    each = rows[:, None].expand(-1, 4, -1, -1).flatten(0, 1)
    expected = prior.log_prob(state, each).view(3, 4, 7)
    assert_close(prior.shared_log_prob(state, share(rows)), expected)
    # Hypotheses with unlike pasts must not be mixed up.
    assert not torch.allclose(expected[:, 0], expected[:, 1])


def test_steps_without_a_choice_are_played_as_one_by_one(model: str) -> None:
    prior = small_prior(model)
    rolls, lengths = random_rolls(4, 6, 6), torch.tensor([6, 0, 3, 5])
    state = prior.advance(prior.initial_state(4), rolls[:, 0])
    expected, after = Prior.play(prior, state, rolls, lengths)
    found, now = prior.play(state, rolls, lengths)
    assert_close(found, expected)
    follow = rolls[:, 1, None]
    assert_close(prior.log_prob(now, follow), prior.log_prob(after, follow))
    alone = prior.log_prob(state, rolls[:, 0, None])[:, 0]
    assert_close(prior.play(state, rolls, torch.ones(4, dtype=torch.long))[0], alone)
    assert found[1] == 0


@pytest.mark.parametrize("name", sorted(set(ALONE) - REAL))
def test_a_batch_and_a_stream_decode_as_each_clip_alone(name: str) -> None:
    prior, clips = small_prior(name).float().eval(), sparse_clips(5, (60, 9, 41), keys=6)
    options = Beam(width=4, candidates=4, switchable=3, prune=4.0, hash_steps=2, n_best=3, floor=0.05)
    together = decode_evidence(clips, prior, options)
    streamed = decode_evidence(clips, prior, replace(options, look_back=50))
    for clip, one, other in zip(clips, together, streamed, strict=True):
        alone = decode_evidence([clip], prior, options)[0]
        for found in (one, other):
            np.testing.assert_array_equal(found.rolls, alone.rolls)
            np.testing.assert_allclose(found.costs, alone.costs, atol=1e-3)


class Sticky(Prior):
    """The four methods that a model has to write, and no more: a key that is on tends to stay on."""

    def __init__(self, visible: int = 4) -> None:
        super().__init__()
        self.visible = visible
        self.logit = torch.nn.Parameter(torch.tensor([-1.5, 1.0], dtype=torch.float64))  # off, on before

    def initial_state(self, n: int) -> State:
        return {"last": torch.zeros(n, self.visible, dtype=torch.float64)}

    def advance(self, state: State, step: Tensor) -> State:
        return {"last": step}

    def log_prob(self, state: State, candidates: Tensor) -> Tensor:
        logits = self.logit[state["last"].long()][:, None]
        return (candidates * logits - torch.nn.functional.softplus(logits)).sum(2)

    def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        return torch.bernoulli(torch.sigmoid(self.logit[state["last"].long()]), generator=generator)


def test_the_defaults_of_a_prior_follow_from_its_four_methods() -> None:
    prior, rolls = Sticky(), random_rolls(3, 6, 4)
    mask = torch.arange(6)[None] < torch.tensor([[6], [4], [0]])
    # The transitions counted by hand: of each key from off or on to off or on.
    before = torch.cat([torch.zeros(3, 1, 4, dtype=torch.float64), rolls[:, :-1]], 1)
    prob = torch.sigmoid(torch.where(before > 0, 1.0, -1.5).double())
    expected = torch.where(rolls > 0, prob, 1 - prob).log().sum(2) * mask
    assert_close(prior.sequence_log_prob(rolls, mask), expected)
    generator = torch.Generator()
    objective, after = prior.chunk_objective(prior.initial_state(3), rolls, mask, generator)
    assert_close(objective, expected)
    assert_close(after["last"][0], rolls[0, -1])
    total, after = prior.play(prior.initial_state(3), rolls, torch.tensor([6, 4, 0]))
    assert_close(total, expected.sum(1))
    assert_close(after["last"], torch.stack([rolls[0, 5], rolls[1, 3], torch.zeros(4).double()]))
    state = prior.advance(prior.initial_state(6), rolls.flatten(0, 1)[:6])
    rows = random_rolls(2, 5, 4)
    each = rows[:, None].expand(-1, 3, -1, -1).flatten(0, 1)
    assert_close(prior.shared_log_prob(state, share(rows)).flatten(0, 1), prior.log_prob(state, each))
    assert prior.card is None and prior.is_normalized and not prior.is_recordable
    with pytest.raises(NotebeamError, match=r"Sticky\.card: got None, expected a PriorCard"):
        prior.require_card()


def test_a_prior_without_its_four_methods_cannot_be_made() -> None:
    class Half(Prior):
        def initial_state(self, n: int) -> State:
            return {}

    with pytest.raises(TypeError, match="abstract"):
        Half()  # type: ignore[abstract]
