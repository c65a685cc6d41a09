"""Several priors as one: the mean of their probabilities, in every form, and who may join."""

import itertools
from pathlib import Path

import pytest
import torch

import notebeam as nb
from symbolic.errors import NotebeamError
from symbolic.estimators.prefixes import share
from symbolic.priors.base import Prior
from symbolic.priors.ensemble import Ensemble

EVERY = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)))


def member(model: str, seed: int, visible: int = 3) -> Prior:
    torch.manual_seed(seed)
    prior = nb.build_prior(model, {"visible": visible, "units": 5, "hidden": 4}).eval()
    for parameter in prior.parameters():  # far from each other
        torch.nn.init.normal_(parameter, std=0.8)
    return prior


def small() -> Ensemble:
    return Ensemble([member("lstm-nade", 0), member("rnn-nade", 1), member("lstm-nade", 2)])


def rolls() -> torch.Tensor:
    return torch.bernoulli(torch.full((2, 9, 3), 0.4), generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_a_step_has_the_mean_of_all_probabilities() -> None:
    ensemble, music = small(), rolls()
    state, own = ensemble.initial_state(2), [prior.initial_state(2) for prior in ensemble.priors]
    for t in range(music.shape[1]):
        candidates = EVERY.expand(2, -1, -1)
        each = [
            prior.log_prob(one, candidates).exp() for prior, one in zip(ensemble.priors, own, strict=True)
        ]
        assert (each[0] - each[1]).abs().max() > 0.01
        probability = ensemble.log_prob(state, candidates).exp()
        assert torch.allclose(probability, sum(each) / 3, atol=1e-6)
        assert torch.allclose(probability.sum(1), torch.ones(2), atol=1e-5)
        state = ensemble.advance(state, music[:, t])
        own = [prior.advance(one, music[:, t]) for prior, one in zip(ensemble.priors, own, strict=True)]


@torch.inference_mode()
def test_chunks_shared_rows_and_steps_one_by_one_agree() -> None:
    ensemble, music = small(), rolls()
    mask = torch.ones(music.shape[:2], dtype=torch.bool)
    mask[1, 6:] = False
    whole = ensemble.sequence_log_prob(music, mask)
    first, state = ensemble.chunk_log_prob(ensemble.initial_state(2), music[:, :4], mask[:, :4])
    second, _ = ensemble.chunk_log_prob(state, music[:, 4:], mask[:, 4:])
    assert torch.allclose(torch.cat([first, second], 1), whole, atol=1e-5)
    assert (whole[1, 6:] == 0).all() and (whole[1, :6] < 0).all()
    state = ensemble.initial_state(2)
    for t in range(6):
        one = ensemble.log_prob(state, music[:, t, None])[:, 0]
        assert torch.allclose(one, whole[:, t], atol=1e-5)
        shared = ensemble.shared_log_prob(state, share(EVERY[None, :5]))
        assert torch.allclose(shared[0], ensemble.log_prob(state, EVERY[:5].expand(2, -1, -1)), atol=1e-5)
        state = ensemble.advance(state, music[:, t])


@torch.inference_mode()
def test_drawn_steps_follow_the_probabilities() -> None:
    ensemble, music = small(), rolls()
    state = ensemble.initial_state(8000)
    for step in music[0, :4]:
        state = ensemble.advance(state, step.expand(8000, -1))
    one = {name: values[:1] for name, values in state.items()}
    expected = ensemble.log_prob(one, EVERY[None])[0].exp()
    few = {name: values[:80] for name, values in state.items()}
    for drawn in (
        ensemble.sample(state, torch.Generator().manual_seed(2)),
        ensemble.draws(few, torch.Generator().manual_seed(3), 100),
    ):
        shares = (drawn[:, None] == EVERY).all(2).float().mean(0)
        assert torch.allclose(shares, expected, atol=0.03)


@torch.inference_mode()
def test_names_joined_by_a_plus_load_one_prior(tmp_path: Path) -> None:
    names = ("lstm-conv-nade/jsb", "biaxial/jsb")
    both = nb.load_prior("+".join(names))
    card = both.require_card()
    assert (card.model, card.name) == ("lstm-conv-nade+biaxial", "jsb")
    copies = []
    for index, name in enumerate(names):  # by path, in a folder whose name holds a "+"
        copies.append(tmp_path / "c++" / f"{index}.safetensors")
        copies[-1].parent.mkdir(exist_ok=True)
        nb.save_prior(nb.load_prior(name), copies[-1])
    chorale = torch.zeros(1, 8, 88)
    chorale[0, :, [27, 31, 34, 39]] = 1
    mask = torch.ones(1, 8, dtype=torch.bool)
    each = torch.stack([nb.load_prior(name).sequence_log_prob(chorale, mask) for name in names])
    assert torch.allclose(both.sequence_log_prob(chorale, mask).exp(), each.exp().mean(0), atol=1e-6)
    alone = nb.load_prior(copies[0])
    assert torch.allclose(alone.sequence_log_prob(chorale, mask), each[0])
    cached = nb.load_prior("+".join([*names, "cache"]))
    assert cached.require_card().model == "lstm-conv-nade+biaxial+cache"
    assert float(cached.sequence_log_prob(chorale, mask).sum()) > float(each.sum(2).max())


def test_priors_that_cannot_be_joined_are_named(tmp_path: Path) -> None:
    for names, expected in (
        ("lstm-nade/jsb+rnn-rbm/jsb", "rnn-rbm/jsb.*normalised"),
        ("event-rnn-nade/piano+evidence-join/piano", "evidence-join/piano.*read notes alone"),
        ("lstm-nade/jsb+lstm-nade/nottingham", "lstm-nade/nottingham.*steps like those of lstm-nade/jsb"),
        ("lstm-nade/jsb+lstm-nade/nobody", "got 'lstm-nade/nobody'"),
        ("lstm-nade/jsb+", "got ''"),
        ("a.safetensors+b.safetensors", "got 'a.safetensors', expected a file that exists"),
    ):
        with pytest.raises(NotebeamError, match=expected):
            nb.load_prior(names)
    with pytest.raises(NotebeamError, match="at least 2"):
        Ensemble([nb.load_prior("lstm-nade/jsb")])
    with pytest.raises(NotebeamError, match="each of its priors by itself"):
        nb.save_prior(nb.load_prior("lstm-nade/jsb+biaxial/jsb"), tmp_path / "both.safetensors")
