"""Priors tied across pitch: what a key sees, two planes, ranges of keys, blocks."""

import pytest
import torch
from oracles_priors import all_columns
from torch import Tensor
from torch.testing import assert_close

from symbolic.errors import NotebeamError
from symbolic.estimators.prefixes import share
from symbolic.priors import cells, lstm_conv_nade
from symbolic.priors.keywise import KeywisePrior
from symbolic.priors.registry import build_prior
from symbolic.recurrence.biaxial import beat_bits, keys_below, pitch_classes, pitch_classes_below, vicinity
from symbolic.state import select

MODELS = ("biaxial", "tp-lstm-nade", "lstm-conv-nade")


def random_steps(*shape: int) -> Tensor:
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(0)) < 0.4).double()


def small_prior(model: str, **options: float) -> KeywisePrior:
    """Random, float64."""
    torch.manual_seed(1)
    prior = build_prior(model, {"units": 3, "hidden": 4, "window": 2, **options}).double()
    assert isinstance(prior, KeywisePrior)
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(torch.randn_like(parameter))
        prior.outside.copy_(torch.randn_like(prior.outside))
    return prior


def test_what_a_key_sees_is_what_lies_around_it() -> None:
    steps, window = random_steps(3, 2, 30), 4
    around, below = vicinity(steps, window), keys_below(steps, window)
    classes, classes_below = pitch_classes(steps[:, 0]), pitch_classes_below(steps[:, 0])
    for row in range(3):
        for key in range(30):

            def bit(plane: int, place: int, row: int = row) -> float:
                return float(steps[row, plane, place]) if 0 <= place < 30 else 0.0

            near = [bit(plane, key + d) for plane in range(2) for d in range(-window, window + 1)]
            assert around[row, key].tolist() == near
            under = [bit(plane, key + d) for plane in range(2) for d in range(-window, 0)]
            assert below[row, key].tolist() == under
            for offset in range(12):
                same = [place for place in range(30) if (place - key) % 12 == offset]
                assert classes[row, key, offset] == sum(bit(0, place) for place in same)
                lower = sum(bit(0, place) for place in same if place < key)
                assert classes_below[row, key, offset] == lower


def test_the_beat_is_the_number_modulo_sixteen() -> None:
    bits = beat_bits(torch.arange(32))
    assert bits[5].tolist() == [1, -1, 1, -1]  # 5 = 1 + 4
    assert torch.equal(bits[:16], bits[16:])
    assert len(bits[:16].unique(dim=0)) == 16


@pytest.mark.parametrize("model", MODELS)
def test_two_planes_and_a_range_of_keys_are_a_distribution(model: str) -> None:
    prior = small_prior(model, visible=8, planes=2, low=1, high=3)
    columns = all_columns(8)
    past = columns[37:38] * columns[37:38, :4].repeat(1, 2)  # struck only where it sounds
    state = prior.advance(prior.initial_state(1), past)
    log_prob = prior.log_prob(state, columns[None])[0]
    impossible = ((columns[:, :4] == 0) & (columns[:, 4:] == 1)).any(1)
    assert torch.equal(log_prob == -torch.inf, impossible)
    assert_close(log_prob.exp().sum(), torch.tensor(1.0, dtype=torch.float64))
    draws = 20_000
    many = select(state, torch.zeros(draws, dtype=torch.long))
    samples = prior.sample(many, torch.Generator().manual_seed(0))
    one = {name: values[:1] for name, values in many.items()}
    assert_close(prior.draws(one, torch.Generator().manual_seed(0), len(samples)), samples)
    index = (samples @ 2.0 ** torch.arange(7, -1, -1, dtype=torch.float64)).long()
    seen = torch.bincount(index, minlength=256) / draws
    prob = log_prob.exp()
    assert ((seen - prob).abs() < 5 * (prob * (1 - prob) / draws).sqrt() + 1e-9).all()


def test_a_tied_nade_hears_the_same_music_in_every_key() -> None:
    prior = small_prior("tp-lstm-nade", visible=40)
    with torch.no_grad():
        prior.time.place.copy_(prior.time.place[:1].expand(40, -1))  # type: ignore[attr-defined]
    roll = torch.zeros(1, 6, 40, dtype=torch.float64)
    roll[:, :, 14:26] = random_steps(6, 12)
    mask = torch.ones(1, 6, dtype=torch.bool)

    def logits(shift: int) -> Tensor:
        shifted = roll.roll(shift, 2)
        past, _ = prior.chunk_past(prior.initial_state(1), shifted, mask)
        return prior.step_logits(prior.inside(shifted[0]), past)[..., 0]

    assert_close(logits(5)[:, 5:], logits(0)[:, :-5])


def test_keys_out_of_range_keep_the_frequency_they_began_with() -> None:
    prior = build_prior("biaxial", {"visible": 4, "low": 1, "high": 3, "units": 2, "hidden": 2})
    prior.initialise_from_marginals(torch.tensor([0.1, 0.2, 0.4, 0.7]))
    with torch.no_grad():
        prob = prior.log_prob(prior.initial_state(1), all_columns(4).float()[None])[0].exp()
    assert_close((prob @ all_columns(4).float())[[0, 3]], torch.tensor([0.1, 0.7]))


def test_long_clips_in_blocks_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    prior, rolls = small_prior("lstm-conv-nade", visible=6), random_steps(3, 11, 6)
    mask = torch.arange(11)[None] < torch.tensor([11, 4, 0])[:, None]
    whole, _ = prior.chunk_log_prob(prior.initial_state(3), rolls, mask)
    monkeypatch.setattr(lstm_conv_nade, "CHUNK_STEPS", 3)
    blocks, _ = prior.chunk_log_prob(prior.initial_state(3), rolls, mask)
    assert_close(blocks, whole)


def test_looking_at_a_share_of_the_silent_keys_is_right_on_average() -> None:
    whole, part = (small_prior("lstm-conv-nade", visible=30, share=share) for share in (1, 0.3))
    rolls = torch.zeros(2, 5, 30, dtype=torch.float64)
    rolls[:, :, 10:16] = random_steps(2, 5, 6)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    exact, state = whole.chunk_objective(whole.initial_state(2), rolls, mask, torch.Generator())
    assert_close(exact, whole.chunk_log_prob(whole.initial_state(2), rolls, mask)[0])
    draws = []
    with torch.no_grad():
        for seed in range(400):
            generator = torch.Generator().manual_seed(seed)
            drawn, after = part.chunk_objective(part.initial_state(2), rolls, mask, generator)
            draws.append(drawn)
    for name, values in state.items():
        assert_close(after[name], values)
    found = torch.stack(draws)
    error = found.std(0) / 400**0.5
    assert ((found.mean(0) - exact).abs() <= 5 * error + 1e-9).all()
    assert (error[mask] > 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"planes": 3}, r"planes: got 3, expected 1, or 2"),
        ({"visible": 87, "planes": 2}, r"planes: got 2"),
        ({"low": 88}, r"high: got 0, expected 0, or above low \(88\) to 88"),
        ({"high": 100}, r"high: got 100"),
        ({"window": 0}, r"window: got 0, expected an integer >= 1"),
    ],
)
def test_bad_ranges_and_planes_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(NotebeamError, match=message):
        build_prior("biaxial", options)


@pytest.mark.parametrize("lags", [[0], [3, 200]])
def test_lags_lie_within_the_memory(lags: list[int]) -> None:
    with pytest.raises(NotebeamError, match=r"lags: got .*expected steps back, 1\.\.memory \(128\)"):
        build_prior("lstm-conv-nade", {"lags": lags})  # type: ignore[dict-item]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("planes", [1, 2])
def test_candidates_share_what_lies_below_them(
    model: str, planes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "PAST_AT_ONCE", 50)
    keys, clips, width, count = 9, 2, 3, 12
    prior = small_prior(model, visible=planes * keys, planes=planes, low=2, high=8)
    state = prior.initial_state(clips * width)
    state = prior.advance(state, random_steps(clips * width, planes * keys))
    rows = random_steps(clips, count, planes, keys)
    rows[:, :, -1] *= rows[:, :, 0]  # only what sounds is struck
    rows[:, 3:6, :, :5] = rows[:, :1, :, :5]
    rows[0, 7, -1, 5], rows[0, 7, 0, 5] = 1, planes % 2  # struck, and with two planes silent: impossible
    rows = rows.flatten(2)
    each = rows[:, None].expand(-1, width, -1, -1).flatten(0, 1)
    expected = prior.log_prob(state, each).view(clips, width, count)
    assert bool(expected.isinf().any()) == (planes == 2)
    assert_close(prior.shared_log_prob(state, share(rows)), expected)
