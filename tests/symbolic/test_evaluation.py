"""Likelihood and accuracies: definitions against sets of keys, the printed figures, the command."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from oracles_priors import accuracy_2012, accuracy_bay
from torch import Tensor

from symbolic.datasets import root
from symbolic.datasets.classic import read_classic
from symbolic.errors import NotebeamError
from symbolic.evaluation.__main__ import main
from symbolic.evaluation.accuracy import Tally, bay_accuracy, expected_accuracies
from symbolic.evaluation.likelihood import log_likelihood, padded_batches
from symbolic.priors.base import Prior
from symbolic.priors.loading import list_priors
from symbolic.priors.registry import build_prior

needs_data = pytest.mark.skipif(
    not (root() / "symbolic").is_dir(), reason="needs the classic sets (folder of data: NOTEBEAM_DATA)"
)


def coin_prior(visible: int = 88) -> Prior:
    """Every key on with probability 1/2, whatever came before."""
    prior = build_prior("lstm-nade", {"visible": visible, "units": 2, "hidden": 2})
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.zero_()
    return prior


def keys_of(frame: Tensor | np.ndarray) -> set[int]:
    return {key for key, on in enumerate(frame.tolist()) if on}


def random_rolls(lengths: tuple[int, ...], keys: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.random((length, keys)) < 0.3 for length in lengths]


def test_likelihood_is_pooled_over_steps_and_counts_the_first() -> None:
    torch.manual_seed(0)
    prior = build_prior("lstm-nade", {"visible": 6, "units": 4, "hidden": 3})
    rolls = random_rolls((3, 11, 1, 0, 7), 6)
    total = 0.0
    for roll in rolls:
        state = prior.initial_state(1)
        for step in torch.from_numpy(roll).float():
            total += prior.log_prob(state, step[None, None]).item()
            state = prior.advance(state, step[None])
    likelihood = log_likelihood(prior, rolls)
    assert likelihood.steps == 22
    assert math.isclose(likelihood.per_step, total / 22, rel_tol=1e-6)


def test_no_steps_have_no_likelihood() -> None:
    with pytest.raises(NotebeamError, match=r"log_likelihood\(rolls\): got 'no steps'"):
        log_likelihood(coin_prior(), [])


def test_batches_hold_every_step_once() -> None:
    rolls = random_rolls((900, 3, 15_000, 40, 900, 30_000), 4)
    batches = list(padded_batches(rolls))
    assert sum(int(mask.sum()) for _, mask in batches) == sum(map(len, rolls))
    assert sum(int(batch.sum()) for batch, _ in batches) == sum(int(roll.sum()) for roll in rolls)
    assert all(len(batch) == 1 or mask.numel() <= 20_000 for batch, mask in batches)


def test_accuracies_are_their_definitions() -> None:
    g = torch.Generator().manual_seed(0)
    predicted = (torch.rand(60, 8, generator=g) < 0.25).float()
    true = (torch.rand(60, 8, generator=g) < 0.25).float()
    predicted[:2], true[0], true[1] = 0, 0, torch.eye(8)[3]  # both silent; one silent
    tally = Tally()
    tally.add(predicted[:10], true[:10])
    tally.add(predicted[10:], true[10:])
    estimates, references = [keys_of(f) for f in predicted], [keys_of(f) for f in true]
    acc12 = sum(map(accuracy_2012, estimates, references)) / 60
    assert math.isclose(tally.result().acc12, acc12, rel_tol=1e-6)
    assert math.isclose(tally.result().bay, accuracy_bay(estimates, references))
    rolls = predicted.numpy() > 0, true.numpy() > 0
    assert math.isclose(bay_accuracy(*rolls), accuracy_bay(estimates, references))


def test_accuracy_of_unequal_rolls_is_refused() -> None:
    with pytest.raises(NotebeamError, match=r"got \(2, 88\), expected shape \(3, 88\)"):
        bay_accuracy(np.zeros((2, 88), dtype=bool), np.zeros((3, 88), dtype=bool))


def test_expected_accuracy_of_coins_is_worked_out_by_hand() -> None:
    # One key. Where it is on a coin is right half of the time; where it is off likewise (both silent).
    rolls = [np.array([[True], [False], [True]]), np.array([[True]])]
    got = expected_accuracies(coin_prior(1), rolls, torch.Generator().manual_seed(0), samples=4000)
    # 16,000 coins: five standard deviations are 5 * .5 / 126.
    assert abs(got.acc12 - 0.5) < 0.02
    # Hits: 3 steps / 2. Union: those 3 steps, and half of the silent one. 1.5 / 3.5.
    assert abs(got.bay - 1.5 / 3.5) < 0.02


@needs_data
@pytest.mark.parametrize(
    ("name", "printed"), [("piano_midi", 3.35), ("nottingham", 4.53), ("musedata", 3.74), ("jsb", 4.42)]
)
def test_random_keys_have_the_accuracy_printed_in_2012(name: str, printed: float) -> None:
    g = torch.Generator().manual_seed(0)
    tally = Tally()
    for roll in read_classic(name).test:  # type: ignore[arg-type]
        true = torch.tensor(roll, dtype=torch.float32)
        for _ in range(4):
            tally.add((torch.rand(true.shape, generator=g) < 0.5).float(), true)
    # The mean of TP over max(44 or so, notes) is notes / 88, to within .02 % of sampling noise.
    assert abs(100 * tally.result().acc12 - printed) < 0.02


@needs_data
@pytest.mark.skipif("lstm-nade/jsb" not in list_priors(), reason="no weights of the chorales")
def test_the_command_reaches_the_published_range(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lstm-nade/jsb", "jsb", "--samples", "1", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["steps"] == 4725
    # Published: RNN-NADE -5.83, LSTM-NADE -6.00; without a past, NADE -7.19.
    assert -6.5 < row["log_likelihood_nats_per_step"] < -5.0
    assert row["bay"] < row["acc12"] < 0.5


def test_an_unknown_prior_is_one_line_and_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lstm-nade/nobody", "jsb"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(
        "symbolic.evaluation: load_prior: got 'lstm-nade/nobody', expected a prior's name"
    )
    assert error.count("\n") == 1


@pytest.mark.parametrize("module", ["symbolic.evaluation", "symbolic.training"])
def test_help_is_fast(module: str) -> None:
    code = (
        f"import sys; from {module}.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
