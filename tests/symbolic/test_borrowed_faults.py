"""What a researcher met who borrowed priors and decoder: one test for each."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import notebeam as nb
from symbolic.clock import Clock
from symbolic.datasets.splits import is_held_out
from symbolic.decoding.evidence import sounding_evidence, struck_evidence
from symbolic.errors import NotebeamError
from symbolic.evaluation.__main__ import main as evaluate
from symbolic.generation.__main__ import main as generate
from symbolic.metre import Beats
from symbolic.notes import Notes, read_csv, write_csv
from symbolic.priors.registry import build_prior
from symbolic.priors.steps import notes_of_steps
from symbolic.training.config import read_config


def test_what_lies_before_a_clock_belongs_to_no_step() -> None:
    onset = np.zeros((200, 88), dtype=np.float32)
    for frame, key in ((5, 30), (20, 39), (98, 41), (100, 43), (150, 50)):
        onset[frame, key] = 0.9
    p = nb.Posteriorgram(frame=onset, onset=onset, hop=0.02)
    clock = Clock.frames(50, 0.04, start=2.0)
    struck = struck_evidence(onset, p.times, clock).prob
    assert np.argwhere(struck).tolist() == [[0, 43], [25, 50]]
    sounding = sounding_evidence(p, clock).prob
    assert sorted(np.flatnonzero(sounding[0])) == [43]
    # Half a step before the first one is nearest to it.
    near = struck_evidence(onset, p.times, Clock.frames(50, 0.1, start=2.0)).prob
    assert np.flatnonzero(near[0]).tolist() == [41, 43]


def test_every_step_of_a_clock_must_be_as_long_as_the_priors() -> None:
    p = nb.Posteriorgram(frame=np.zeros((300, 88)), onset=np.zeros((300, 88)), hop=0.02)
    uneven = Clock(np.array([0, 0.04, 1.0, 2.0]), "frames")
    with pytest.raises(NotebeamError, match=r"decode\(clocks\): got 'steps of 1 s', expected 0.04 s"):
        nb.decode(p, "event-rnn-nade/piano", nb.Beam(prior_weight=0.1), clocks=uneven)


@pytest.mark.parametrize("level", [0.3, 0.5, 0.9])
def test_training_on_dense_music_begins_with_finite_numbers(level: float) -> None:
    prior = build_prior("event-rnn-nade", {"units": 4, "hidden": 4})
    mean = torch.full((88,), 1e-3)
    mean[30:60] = level
    prior.initialise_from_marginals(mean)
    rolls = torch.zeros(1, 3, 88)
    rolls[:, 1, 30:45] = 1
    objective, _ = prior.chunk_objective(
        prior.initial_state(1), rolls, torch.ones(1, 3, dtype=torch.bool), None
    )
    assert torch.isfinite(objective).all()


def test_marginals_of_sparse_music_are_begun_with() -> None:
    prior = build_prior("event-rnn-nade", {"units": 4, "hidden": 4})
    mean = torch.full((88,), 1e-3)
    prior.initialise_from_marginals(mean)
    silent = float((1 - mean.double()).prod())
    first = prior.log_prob(prior.initial_state(1), torch.zeros(1, 1, 88)).exp().item()
    assert first == pytest.approx(silent, abs=0.02)  # of fresh weights


def test_strokes_of_silent_keys_are_notes() -> None:
    roll = np.zeros((4, 176), dtype=bool)
    roll[1, 88 + 39] = True  # struck, not sounding
    roll[2, 40] = roll[2, 88 + 40] = True
    card = replace(nb.load_prior("event-rnn-nade/piano").require_card(), plane="both", visible=176)
    notes = notes_of_steps(roll, Clock.frames(4, 0.04), card)
    assert sorted(notes.pitch.tolist()) == [60, 61]


@pytest.mark.parametrize(
    ("prior", "dataset", "message"),
    [("event-rnn-nade/piano", "jsb", "struck keys at steps of frames"), ("lstm-nade/jsb", "asap", "clock")],
)
def test_a_prior_is_not_judged_at_steps_of_another_kind(
    capsys: pytest.CaptureFixture[str], prior: str, dataset: str, message: str
) -> None:
    assert evaluate([prior, dataset]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_seeds_that_no_generator_takes_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "a.toml"
    config.write_text('model = "rnn-nade"\nseed = -1\n[data]\nset = "jsb"\n')
    with pytest.raises(NotebeamError, match=r"seed: got -1, expected an integer 0"):
        read_config(config)
    for seed in ("-3", "99999999999999999999"):
        assert generate(["--seconds", "1", "--seed", seed, "-o", str(tmp_path / "a.mid")]) != 0
        assert "seed" in capsys.readouterr().err
        with pytest.raises(SystemExit):
            evaluate(["lstm-nade/jsb", "jsb", "--seed", seed])
        assert "--seed" in capsys.readouterr().err


def test_beats_before_the_file_begins_are_refused(tmp_path: Path) -> None:
    notes = Notes.make([0.0], [1.0], [60], [64])
    for times in ([-1.0, -0.5], [-0.6, 0.0]):
        with pytest.raises(NotebeamError, match="beats: got 'the last at "):
            notes.save(tmp_path / "a.mid", beats=Beats(np.array(times), np.array([True, False])))


def test_the_shortest_notes_come_back_from_a_table(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", Notes.make([0.0, 1.00004], [0.00003, 1.00005], [60, 61], [64, 64]))
    again = read_csv(tmp_path / "a.csv")
    assert again.onset.tolist() == [0.0, 1.0]
    assert again.offset == pytest.approx([0.0001, 1.0001])


@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.3, 0.4, 0.6, 0.9])
def test_as_many_pieces_are_held_out_as_were_asked_for(share: float) -> None:
    held = [is_held_out(index, share) for index in range(1000)]
    assert held[0] and not all(held[:2])
    assert abs(sum(held) - 1000 * share) <= 1
    if round(1 / share, 9).is_integer():  # every so-manieth
        assert [i for i, is_held in enumerate(held) if is_held] == list(range(0, 1000, round(1 / share)))


def test_a_cache_is_not_finetuned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--prior", "event-rnn-nade/piano+cache", "--finetune", str(tmp_path), "--seconds", "1"]
    assert generate([*words, "-o", str(tmp_path / "a.mid")]) != 0
    assert "a cache has nothing to learn" in capsys.readouterr().err


def test_outside_its_range_a_key_is_struck_as_often_as_in_the_data() -> None:
    prior = build_prior(
        "lstm-conv-nade",
        {"visible": 6, "planes": 2, "low": 1, "high": 2, "units": 4, "hidden": 4, "second": 4},
    )
    prior.initialise_from_marginals(torch.tensor([0.2, 0.2, 0.2, 0.1, 0.1, 0.1]))
    prior.eval()
    rows = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 6)
    prob = prior.log_prob(prior.initial_state(1), rows[None]).exp()[0].detach()
    possible = (rows[:, 3:] <= rows[:, :3]).all(dim=1)
    assert float(prob[possible].sum()) == pytest.approx(1, abs=1e-5)
    assert float(prob[possible & (rows[:, 5] == 1)].sum()) == pytest.approx(0.1, abs=1e-5)
    assert float(prob[possible & (rows[:, 2] == 1)].sum()) == pytest.approx(0.2, abs=1e-5)
