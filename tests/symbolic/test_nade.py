"""NADE: the ragged form against the definition, its gradient, its samples."""

import numpy as np
import pytest
import torch
from oracles_priors import all_columns
from oracles_priors import nade_log_prob as oracle_log_prob
from torch import Tensor
from torch.testing import assert_close

from symbolic.errors import NotebeamError
from symbolic.estimators import nade
from symbolic.estimators.nade import nade_conditionals, nade_log_prob, nade_sample
from symbolic.estimators.prefixes import share


def random_nade(n: int, keys: int, hidden: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """key_bias (n, keys), hidden_bias (n, hidden), weight and out (keys, hidden), float64."""
    g = torch.Generator().manual_seed(seed)
    shapes = ((n, keys), (n, hidden), (keys, hidden), (keys, hidden))
    key_bias, hidden_bias, weight, out = (torch.randn(*s, generator=g, dtype=torch.float64) for s in shapes)
    return key_bias, hidden_bias, weight, out


def mixed_columns(n: int, keys: int, seed: int) -> Tensor:
    """(n, keys) columns from empty through sparse and dense to full."""
    g = torch.Generator().manual_seed(seed)
    density = torch.linspace(0, 1, n, dtype=torch.float64)[:, None]
    return (torch.rand(n, keys, generator=g, dtype=torch.float64) < density).double()


@pytest.mark.parametrize(("n", "keys", "hidden"), [(9, 88, 7), (5, 1, 3), (30, 12, 1), (1, 6, 4)])
def test_the_ragged_form_is_the_definition(n: int, keys: int, hidden: int) -> None:
    parameters = random_nade(n, keys, hidden, seed=n)
    columns = mixed_columns(n, keys, seed=n)
    assert columns[0].sum() == 0
    assert n == 1 or columns[-1].sum() == keys
    key_bias, hidden_bias, weight, out = (p.numpy() for p in parameters)
    expected = [
        oracle_log_prob(columns[i].numpy(), key_bias[i], hidden_bias[i], weight, out) for i in range(n)
    ]
    assert_close(nade_log_prob(columns, *parameters), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize(("clips", "keys", "block"), [(1, 88, 60), (3, 88, 60), (3, 37, 500), (2, 17, 1)])
def test_rows_that_share_prefixes_score_as_the_definition(
    clips: int, keys: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In small blocks, so that the later ones leave out low keys.
    monkeypatch.setattr(nade, "UNITS_AT_ONCE", block)
    monkeypatch.setattr(nade, "MIN_NODES", 1)
    width, count, hidden = 3, 40, 4
    key_bias, hidden_bias, weight, out = random_nade(clips * width, keys, hidden, seed=keys)
    rows = (torch.rand(clips, count, keys, generator=torch.Generator().manual_seed(5)) < 0.1).double()
    rows[:, 1::2, : keys // 2] = rows[:, ::2, : keys // 2]
    shape = (clips, width, -1)
    found = nade.nade_prefix_log_prob(
        share(rows).prefixes, key_bias.view(shape), hidden_bias.view(shape), weight, out
    )
    arrays = [values.numpy() for values in (key_bias, hidden_bias, weight, out)]
    for clip in range(clips):
        for place in range(width):
            at = clip * width + place
            for number, row in enumerate(rows[clip].numpy()):
                expected = oracle_log_prob(row, arrays[0][at], arrays[1][at], *arrays[2:])
                assert float(found[clip, place, number]) == pytest.approx(expected, abs=1e-9)


def test_no_columns_have_no_probabilities() -> None:
    parameters = random_nade(0, 5, 3, seed=0)
    assert nade_log_prob(torch.zeros(0, 5, dtype=torch.float64), *parameters).shape == (0,)


def test_all_columns_together_have_probability_one() -> None:
    columns = all_columns(7)
    key_bias, hidden_bias, weight, out = random_nade(1, 7, 5, seed=3)
    n = len(columns)
    log_prob = nade_log_prob(columns, key_bias.expand(n, -1), hidden_bias.expand(n, -1), weight, out)
    assert_close(log_prob.exp().sum(), torch.tensor(1.0, dtype=torch.float64))


def test_conditionals_multiply_to_the_column() -> None:
    columns = mixed_columns(6, 10, seed=4)
    parameters = random_nade(6, 10, 4, seed=4)
    on = nade_conditionals(columns, *parameters)
    product = torch.where(columns > 0, on, 1 - on).log().sum(1)
    assert_close(product, nade_log_prob(columns, *parameters))


def test_gradient_is_that_of_finite_differences() -> None:
    columns = mixed_columns(5, 6, seed=5)
    parameters = [p.requires_grad_() for p in random_nade(5, 6, 3, seed=5)]
    assert torch.autograd.gradcheck(lambda *p: nade_log_prob(columns, *p), parameters)


def test_samples_come_as_often_as_they_are_probable() -> None:
    keys, draws = 4, 40_000
    key_bias, hidden_bias, weight, out = random_nade(1, keys, 5, seed=7)
    many = (key_bias.expand(draws, -1), hidden_bias.expand(draws, -1), weight, out)
    samples = nade_sample(*many, torch.Generator().manual_seed(1))
    index = (samples @ torch.tensor([8.0, 4.0, 2.0, 1.0], dtype=torch.float64)).long()
    seen = torch.bincount(index, minlength=2**keys) / draws
    columns = all_columns(keys)
    n = len(columns)
    prob = nade_log_prob(columns, key_bias.expand(n, -1), hidden_bias.expand(n, -1), weight, out).exp()
    # Five standard deviations of a binomial share.
    assert ((seen - prob).abs() < 5 * (prob * (1 - prob) / draws).sqrt() + 1e-9).all()


def test_temperature_divides_every_logit() -> None:
    draws, temperature = 40_000, 0.5
    key_bias, hidden_bias, weight, out = random_nade(1, 2, 5, seed=8)
    many = (key_bias.expand(draws, -1), hidden_bias.expand(draws, -1), weight, out)
    samples = nade_sample(*many, torch.Generator().manual_seed(2), temperature)
    b, c, w, v = key_bias[0].numpy(), hidden_bias[0].numpy(), weight.numpy(), out.numpy()
    squash = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    low = squash((b[0] + v[0] @ squash(c)) / temperature)
    high_after_low = squash((b[1] + v[1] @ squash(c + w[0])) / temperature)
    high_alone = squash((b[1] + v[1] @ squash(c)) / temperature)
    expected = low * high_after_low + (1 - low) * high_alone
    assert abs(samples[:, 0].mean().item() - low) < 5 * 0.5 / draws**0.5
    assert abs(samples[:, 1].mean().item() - expected) < 5 * 0.5 / draws**0.5


@pytest.mark.parametrize("key_bias", [-1.0, -14.0, -25.0, -60.0])
def test_a_column_with_a_key_on_is_no_other_however_improbable_keys_are(key_bias: float) -> None:
    # Alike and independent: of the lowest keys that are on, key d has the share q^d p / (1 - q^D).
    draws, keys = 8000, 4
    biases = torch.full((draws, keys), key_bias), torch.zeros(draws, 3)
    weights = torch.zeros(keys, 3), torch.zeros(keys, 3)
    generator = torch.Generator().manual_seed(3)
    samples = nade_sample(*biases, *weights, generator, at_least_one=True)
    assert samples.any(dim=1).all()
    seen = torch.bincount(samples.argmax(dim=1), minlength=keys).double() / draws
    p = 1 / (1 + np.exp(-key_bias))
    ways = torch.tensor([(1 - p) ** d * p for d in range(keys)], dtype=torch.float64)
    share = ways / ways.sum()
    assert ((seen - share).abs() < 5 * (share * (1 - share) / draws).sqrt()).all()


def test_temperature_zero_is_refused() -> None:
    with pytest.raises(NotebeamError, match=r"temperature\): got 0\.0, expected a number > 0"):
        nade_sample(*random_nade(1, 3, 2, seed=0), torch.Generator(), 0.0)
