"""A cache over the piece: guesses by an obvious search, probabilities that sum to 1, both forms equal."""

import itertools

import numpy as np
import pytest
import torch

import notebeam as nb
from symbolic.errors import NotebeamError
from symbolic.estimators.prefixes import share
from symbolic.priors.piece_cache import PieceCache, packed, unpacked
from symbolic.training.piece_cache import Guesses, fit


def small(visible: int = 3, memory: int = 16) -> PieceCache:
    torch.manual_seed(0)
    prior = nb.build_prior("lstm-nade", {"visible": visible, "units": 5, "hidden": 4})
    return PieceCache(prior.eval(), memory=memory, offset=-0.5, slope=0.9)


def piece(length: int = 40, visible: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    part = torch.bernoulli(torch.full((length // 2, visible), 0.4), generator=generator)
    return torch.cat([part, part])


def searched(past: np.ndarray, memory: int) -> tuple[np.ndarray | None, int]:
    """The guess after `past` and the stretch's length, by comparing everything with everything."""
    past = past[-memory:]
    best, guess = 0, None
    for stop in range(1, len(past)):  # the step after a stretch that ends before it
        length = 0
        while length < stop and (past[stop - 1 - length] == past[-1 - length]).all():
            length += 1
        if length and length >= best:
            best, guess = length, past[stop]
    return guess, best


@pytest.mark.parametrize("memory", [7, 64])
def test_guesses_are_those_of_an_obvious_search(memory: int) -> None:
    cache, roll = small(memory=memory), piece()
    state = cache.initial_state(1)
    found = 0
    for t in range(len(roll)):
        guess, length = cache.guess(state)
        wanted, longest = searched(roll[:t].numpy(), memory)
        # What has left the memory is no part of a stretch, but one begun before stays as long as it was.
        assert (int(length) >= longest) if t > memory else (int(length) == longest)
        if wanted is not None and t <= memory:
            found += 1
            assert np.array_equal(guess[0].numpy(), wanted)
        state = cache.advance(state, roll[t : t + 1])
    assert found


@torch.inference_mode()
def test_probabilities_of_all_steps_sum_to_1_with_a_guess_and_without() -> None:
    cache, roll = small(), piece()
    every = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)))[None]
    state = cache.initial_state(1)
    guessed = set()
    for t in range(len(roll)):
        assert float(cache.log_prob(state, every).exp().sum()) == pytest.approx(1.0, abs=1e-5)
        guessed.add(bool(cache.guess(state)[1] > 0))
        state = cache.advance(state, roll[t : t + 1])
    assert guessed == {True, False}


@torch.inference_mode()
def test_chunks_shared_rows_and_steps_one_by_one_agree() -> None:
    cache = small()
    rolls = torch.stack([piece(), piece().flip(0)])
    mask = torch.ones(rolls.shape[:2], dtype=torch.bool)
    mask[1, 30:] = False
    whole = cache.sequence_log_prob(rolls, mask)
    first, state = cache.chunk_log_prob(cache.initial_state(2), rolls[:, :13], mask[:, :13])
    second, _ = cache.chunk_log_prob(state, rolls[:, 13:], mask[:, 13:])
    assert torch.allclose(torch.cat([first, second], 1), whole, atol=1e-5)
    assert (whole[1, 30:] == 0).all()
    state = cache.initial_state(2)
    for t in range(25):
        one = cache.log_prob(state, rolls[:, t, None])[:, 0]
        assert torch.allclose(one, whole[:, t], atol=1e-5)
        candidates = rolls[:1, t : t + 4]
        shared = cache.shared_log_prob(state, share(candidates))
        assert torch.allclose(shared[0], cache.log_prob(state, candidates.expand(2, -1, -1)), atol=1e-5)
        state = cache.advance(state, rolls[:, t])


@torch.inference_mode()
def test_drawn_steps_follow_the_probabilities() -> None:
    cache, roll = small(memory=64), piece()
    state = cache.initial_state(4000)
    for step in roll[:24]:
        state = cache.advance(state, step.expand(4000, -1))
    drawn = cache.sample(state, torch.Generator().manual_seed(2))
    fewer = {name: values[:400] for name, values in state.items()}
    assert torch.equal(cache.draws(fewer, torch.Generator().manual_seed(2), 10), drawn)
    every = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)))
    one = {name: values[:1] for name, values in state.items()}
    expected = cache.log_prob(one, every[None])[0].exp()
    share_of = (drawn[:, None] == every).all(2).float().mean(0)
    assert float(cache.weight(cache.guess(one)[1])) > 0.5
    assert torch.allclose(share_of, expected, atol=0.03)


def test_steps_are_packed_without_loss() -> None:
    steps = torch.bernoulli(torch.full((50, 101), 0.5), generator=torch.Generator().manual_seed(3))
    words = packed(steps)
    assert words.shape == (50, 3) and (words >= 0).all()
    assert torch.equal(unpacked(words, 101), steps)


@torch.inference_mode()
def test_a_cached_prior_has_a_name_of_its_own_and_decodes_what_comes_back() -> None:
    plain, cached = (nb.load_prior(f"event-rnn-nade/piano{suffix}") for suffix in ("", "+cache"))
    assert cached.require_card().model == "event-rnn-nade+cache"
    chord = np.full((6, 88), 0.001, dtype=np.float32)
    chord[0, [39, 43, 46]] = 0.9
    onset = np.tile(chord, (12, 1))
    posteriorgram = nb.Posteriorgram(frame=onset, onset=onset, hop=0.04)
    found = [nb.decode(posteriorgram, prior, nb.Beam(width=8, prior_weight=1.0)) for prior in (plain, cached)]
    assert found[1].roll.sum() > found[0].roll.sum()  # repetition makes it likelier
    roll = torch.from_numpy(found[1].roll.astype(np.float32))[None]
    expected = cached.sequence_log_prob(roll, torch.ones(roll.shape[:2], dtype=torch.bool)).sum()
    assert found[1].prior_log_prob is not None
    assert found[1].prior_log_prob[0] == pytest.approx(float(expected), abs=0.01)


def test_the_fit_finds_the_weight_that_guesses_deserve() -> None:
    generator = torch.Generator().manual_seed(4)
    length = torch.randint(0, 40, (20_000,), generator=generator)
    deserved = torch.sigmoid(-1.0 + 0.8 * length.clamp(min=1).double().log()) * (length > 0)
    same = torch.rand(20_000, generator=generator).double() < deserved
    guesses = Guesses(torch.full((20_000,), -30.0, dtype=torch.float64), same, length)
    offset, slope = fit([guesses])
    assert offset == pytest.approx(-1.0, abs=0.1) and slope == pytest.approx(0.8, abs=0.05)


def test_priors_that_cannot_be_mixed_are_refused() -> None:
    for name in ("rnn-rbm/jsb+cache", "evidence-join/piano+cache"):
        with pytest.raises(NotebeamError, match=r"\+cache.*a normalised prior of 0/1 steps"):
            nb.load_prior(name)
    with pytest.raises(NotebeamError, match=r"the prior itself, without \+cache"):
        nb.save_prior(nb.load_prior("lstm-nade/jsb+cache"), "mine.safetensors")
    with pytest.raises(NotebeamError, match="at least 2"):
        PieceCache(nb.load_prior("lstm-nade/jsb"), memory=1)
