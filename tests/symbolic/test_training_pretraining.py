"""Pre-training: what it learns, what it leaves alone, and that the run keeps it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from symbolic.datasets.config import DataConfig
from symbolic.datasets.splits import Splits
from symbolic.errors import NotebeamError
from symbolic.training.config import LoopConfig, PretrainingConfig, TrainingConfig
from symbolic.training.loop import train
from symbolic.training.pretraining import pretrain, train_frames, train_recurrence
from symbolic.training.run import Run

OPTIONS = {"visible": 4, "units": 8, "hidden": 6}
CONFIG = TrainingConfig(
    name="small",
    model="rnn-nade",
    licence="MIT",
    data=DataConfig(set="jsb"),
    loop=LoopConfig(steps=6, batch_size=2, chunk=8, warmup=0, ema=0.9, validate_every=2),
    pretraining=PretrainingConfig(
        estimator_steps=200, estimator_batch_size=50, recurrence_steps=100, learning_rate=1e-1
    ),
    options=OPTIONS,
)
# Step t has the keys t and t + 1 of four on: of sixteen columns four are possible, each after one other.
PATTERN = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1]] * 6, dtype=bool)
SPLITS = Splits([PATTERN, PATTERN[5:]], [PATTERN], [])


def silent(line: str) -> None:
    pass


def weights(run: Run, part: str) -> dict[str, torch.Tensor]:
    return {name: v.clone() for name, v in run.prior.state_dict().items() if name.startswith(part)}


def test_the_estimator_learns_the_steps_without_their_order() -> None:
    run = Run(CONFIG, SPLITS)
    before = weights(run, "recurrence")
    last = train_frames(run, run.prior)  # type: ignore[arg-type]
    # With constant biases one of four columns each time is the best; independent keys reach -4 ln 2 = -2.77.
    assert -np.log(4) - 0.15 < last < -np.log(4) + 0.1
    assert all(torch.equal(values, before[name]) for name, values in weights(run, "recurrence").items())
    # Where nothing was heard the prior's biases are those that were learnt.
    state = run.prior.initial_state(1)
    found = run.prior.log_prob(state, torch.from_numpy(PATTERN[None, :4]).float())[0]
    torch.testing.assert_close(found.exp(), torch.full((4,), 0.25), atol=0.1, rtol=0)


def test_the_recurrence_learns_to_set_the_visible_biases() -> None:
    run = Run(CONFIG, SPLITS)
    before = weights(run, "estimator")
    hidden = weights(run, "conditioner.weight")["conditioner.weight"][4:]
    last = train_recurrence(run, run.prior)  # type: ignore[arg-type]
    assert last > -0.7  # after the first step of a piece everything follows; without a past -4 ln 2
    assert all(torch.equal(values, before[name]) for name, values in weights(run, "estimator").items())
    assert torch.equal(run.prior.conditioner.weight[4:], hidden)  # type: ignore[union-attr,index]
    assert all(value.grad is None for value in run.prior.parameters())


def test_the_weight_of_an_rtrbm_stands_still_while_its_recurrence_learns() -> None:
    """There it is part of both."""
    pretraining = replace(CONFIG.pretraining, recurrence_steps=3)
    options = {"visible": 4, "hidden": 3}
    run = Run(replace(CONFIG, model="rtrbm", options=options, pretraining=pretraining), SPLITS)
    before = {name: values.clone() for name, values in run.prior.state_dict().items()}
    train_recurrence(run, run.prior)  # type: ignore[arg-type]
    after = run.prior.state_dict()
    assert torch.equal(after["estimator.weight"], before["estimator.weight"])
    assert not torch.equal(after["to_visible"], before["to_visible"])


def test_a_run_keeps_what_was_learnt_before_it(tmp_path: Path) -> None:
    """Stopped at its first update and resumed, it ends like a run that was not stopped."""
    few = replace(CONFIG, pretraining=replace(CONFIG.pretraining, estimator_steps=5, recurrence_steps=5))
    alone = Run(few, SPLITS)
    pretrain(alone, silent)
    started = Run(few, SPLITS).prior.state_dict()
    assert not torch.equal(alone.prior.state_dict()["estimator.out"], started["estimator.out"])
    lines: list[str] = []

    def stop(self: Run) -> tuple[float, int]:
        raise KeyboardInterrupt

    def go(part: str, *, resume: bool) -> dict[str, torch.Tensor]:
        output = tmp_path / part / "w.safetensors"
        train(few, SPLITS, tmp_path / part, output=output, command="", resume=resume, log=lines.append)
        return load_file(tmp_path / part / "checkpoint.safetensors")

    whole = go("whole", resume=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "update", stop)
        with pytest.raises(KeyboardInterrupt):
            go("parts", resume=False)
    kept = load_file(tmp_path / "parts" / "checkpoint.safetensors")
    for name, values in alone.prior.state_dict().items():
        assert torch.equal(kept[f"prior/{name}"], values)
        assert torch.equal(kept[f"averaged/{name}"], values)
    lines.clear()
    parts = go("parts", resume=True)
    assert lines[0] == "resumed at step 0"
    assert not any("pre-trained" in line for line in lines)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_models_that_cannot_be_pretrained_are_refused() -> None:
    options = {"visible": 4, "units": 8, "hidden": 6}
    with pytest.raises(NotebeamError, match=r"pretraining: got 'event-rnn-nade', expected 0 steps: this"):
        pretrain(Run(replace(CONFIG, model="event-rnn-nade", options=options), SPLITS), silent)
    real = Splits([PATTERN.astype(np.float32)], [PATTERN.astype(np.float32)], [])
    with pytest.raises(
        NotebeamError, match=r"pretraining\.recurrence_steps: got 100, expected 0 for a model"
    ):
        pretrain(Run(replace(CONFIG, model="rnn-rnade", options=options), real), silent)
    with pytest.raises(NotebeamError, match=r"pretraining\.learning_rate: got 0\.0, expected a number > 0"):
        PretrainingConfig(learning_rate=0.0)
