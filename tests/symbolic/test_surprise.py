"""Surprise of steps and notes: against enumeration, and the command on MIDI files."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles_generation import scale, white_prior, write_files

from symbolic.clock import Clock
from symbolic.errors import NotebeamError
from symbolic.estimators.ais import AisOptions
from symbolic.evaluation import surprise
from symbolic.evaluation.__main__ import main
from symbolic.evaluation.surprise import best_key, judge, note_surprises, step_scores
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes
from symbolic.priors.base import Prior, PriorCard
from symbolic.priors.loading import list_priors, save_prior
from symbolic.priors.registry import build_prior
from symbolic.priors.steps import Steps, read_steps

CHORALES = "lstm-nade/jsb"


def small_prior(model: str, visible: int = 5) -> Prior:
    torch.manual_seed(1)
    prior = build_prior(model, {"visible": visible, "units": 4, "hidden": 3})
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.normal_()  # far from even, or every note would be as surprising as any other
    return prior.eval()


def log_probs_of_all(prior: Prior, roll: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All steps (2**D, D), and their log-probabilities after each past (T, 2**D), by summing over them."""
    steps = np.array(list(product((0.0, 1.0), repeat=prior.visible)), dtype=np.float32)
    state, rows = prior.initial_state(1), []
    for step in torch.from_numpy(roll).float():
        with torch.no_grad():
            scores = prior.log_prob(state, torch.from_numpy(steps)[None])[0].double().numpy()
            state = prior.advance(state, step[None])
        rows.append(scores - np.logaddexp.reduce(scores))
    return steps, np.array(rows)


def small_steps(roll: np.ndarray) -> Steps:
    step, key = np.nonzero(roll)
    notes = Notes.make(step, step + 0.5, key + 21, np.full(len(key), 64))
    return Steps(notes, Clock.frames(len(roll), 1.0), roll, notes.onset.astype(np.int64))


@pytest.mark.parametrize("model", ["lstm-nade", "rnn-rbm", "event-rnn-nade"])
def test_surprise_of_a_note_is_its_chance_given_the_rest(model: str) -> None:
    prior = small_prior(model)
    roll = np.random.default_rng(0).random((7, 5)) < 0.4
    steps = small_steps(roll)
    found = note_surprises(prior, steps, roll, 0)
    every, log_prob = log_probs_of_all(prior, roll)
    for note, got in enumerate(found):
        t, key = int(steps.notes.onset[note]), int(steps.notes.pitch[note]) - 21
        others = np.arange(5) != key
        alike = (every[:, others] == roll[t, others]).all(1)
        there = alike & (every[:, key] == 1)
        chance = np.exp(log_prob[t, there]).sum() / np.exp(log_prob[t, alike]).sum()
        assert got == pytest.approx(-np.log(chance), abs=1e-4)


def test_a_note_between_the_steps_has_no_surprise() -> None:
    roll = np.ones((2, 5), dtype=bool)
    steps = small_steps(roll)
    left_out = Steps(steps.notes, steps.clock, roll, np.where(steps.notes.pitch == 22, -1, steps.first))
    found = note_surprises(small_prior("lstm-nade"), left_out, roll, 0)
    assert np.isnan(found).tolist() == (steps.notes.pitch == 22).tolist()


def test_steps_are_judged_the_same_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    prior = small_prior("lstm-nade")
    rolls = list(np.random.default_rng(0).random((3, 11, 5)) < 0.4)
    monkeypatch.setattr(surprise, "MOST_STEPS", 12)  # chunks of four steps
    for roll, scores in zip(rolls, step_scores(prior, rolls), strict=True):
        every, log_prob = log_probs_of_all(prior, roll)
        place = [int((every == row).all(1).argmax()) for row in roll]
        assert scores.log_prob == pytest.approx(log_prob[np.arange(11), place], abs=1e-4)
        assert not scores.standard_error.any()


def test_steps_of_an_rbm_are_estimated_with_their_spread() -> None:
    prior = small_prior("rnn-rbm")
    roll = np.random.default_rng(0).random((20, 5)) < 0.4
    (scores,) = step_scores(prior, [roll], AisOptions(temperatures=100, runs=100))
    every, log_prob = log_probs_of_all(prior, roll)
    exact = log_prob[np.arange(20), [int((every == row).all(1).argmax()) for row in roll]]
    assert (scores.standard_error > 0).all()
    # 20 deviations: one in 15,000 is beyond four standard errors.
    assert (np.abs(scores.log_prob - exact) < 5 * scores.standard_error).all()
    assert abs(scores.per_step - exact.mean()) < 5 * scores.error_of_mean


@pytest.mark.parametrize("semitones", [0, 3, -5])
def test_the_likeliest_key_is_found(tmp_path: Path, semitones: int) -> None:
    prior = white_prior()
    write_midi(tmp_path / "a.mid", scale(semitones))
    steps = read_steps(tmp_path / "a.mid", prior.card)
    assert best_key(prior, steps.roll) == -semitones
    there, here = judge(prior, steps, None), judge(prior, steps, 0)
    assert there.semitones == -semitones
    # One white key is on at each step: log .1 + 51 log .9 + 36 log .999.
    assert there.scores.per_step == pytest.approx(
        np.log(0.1) + 51 * np.log(0.9) + 36 * np.log(0.999), abs=1e-3
    )
    assert there.scores.per_step >= here.scores.per_step
    assert there.notes == pytest.approx(np.full(14, -np.log(0.1)), abs=1e-4)


def test_a_shift_off_the_piano_is_refused(tmp_path: Path) -> None:
    prior = white_prior()
    with pytest.raises(NotebeamError, match=r"got 40, expected a shift that keeps all notes on the piano"):
        judge(prior, small_steps(np.ones((2, 88), dtype=bool)[:, :88]), 40)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_files(tmp_path)


@pytest.mark.parametrize("form", ["before", "option"])
def test_the_command_judges_a_midi_file(files: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    prior, song = str(files / "white.safetensors"), str(files / "scale.mid")
    words = [prior, "--json", song] if form == "before" else [song, "--prior", prior, "--json"]
    assert main([*words, "--picture", str(files / "out.png")]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["steps"], row["notes"], row["transposed_semitones"]) == (14, 14, -3)
    assert np.mean(row["step_log_prob_nats"]) == pytest.approx(row["log_likelihood_nats_per_step"], abs=1e-3)
    assert row["step_seconds"] == pytest.approx((np.arange(14) / 2).tolist(), abs=1e-3)
    assert len(row["note_surprise_nats"]) == 14
    assert (files / "out.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_shifts_by_what_it_is_told(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    song = str(files / "scale.mid")
    assert main([str(files / "white.safetensors"), song, "--transpose", "-2"]) == 0
    assert "transposed_semitones          -2" in capsys.readouterr().out


def test_an_rbm_shows_its_spread(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    options = {"units": 2, "hidden": 2}
    prior = build_prior("rnn-rbm", options)
    prior.card = PriorCard(**(white_prior().card.__dict__ | {"model": "rnn-rbm", "options": options}))
    save_prior(prior, files / "rbm.safetensors")
    words = [str(files / "rbm.safetensors"), str(files / "scale.mid"), "--ais-runs", "5", "--transpose", "0"]
    assert main([*words, "--ais-temperatures", "5", "--picture", str(files / "rbm.png")]) == 0
    assert "standard_error_of_a_step" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["empty.mid"], "empty.mid: got 'no notes', expected a MIDI file with notes of a piano"),
        (["absent.mid"], "absent.mid"),
        (["scale.mid", "--transpose", "up"], "--transpose: got 'up', expected semitones, or auto"),
        (["scale.mid", "--picture", "scale.mid/a.png"], "scale.mid/a.png"),
        (["white.json"], "white.json: got b'{"),
    ],
)
def test_bad_input_is_one_line(
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(files)
    before = sorted(files.iterdir())
    assert main(["white.safetensors", *words]) == 1
    error = capsys.readouterr().err
    assert error.startswith("symbolic.evaluation: ") and line in error
    assert error.count("\n") == 1
    assert sorted(files.iterdir()) == before


def test_a_set_needs_a_prior(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["jsb"])
    assert "jsb: expected a prior before it" in capsys.readouterr().err


@pytest.mark.skipif(CHORALES not in list_priors(), reason="no weights of the chorales")
def test_a_wrong_note_stands_out(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # C G C F G C, twice, an octave high as that set is; in the tenth chord the tenor has a wrong note.
    cadence = [
        [60, 67, 72, 76],
        [55, 67, 74, 83],
        [60, 67, 76, 84],
        [53, 69, 72, 81],
        [55, 71, 74, 79],
        [60, 67, 72, 76],
    ]
    onset = np.repeat(np.arange(12.0), 4) * 0.5
    rows = []
    for tenor in (72, 73):
        chords = [*map(list, cadence), *map(list, cadence)]
        chords[9][2] = tenor
        notes = Notes.make(onset, onset + 0.5, sum(chords, []), [64] * 48)
        write_midi(files / f"{tenor}.mid", notes)
        assert main([CHORALES, str(files / f"{tenor}.mid"), "--transpose", "0", "--json"]) == 0
        rows.append(json.loads(capsys.readouterr().out))
    right, wrong = rows
    assert wrong["log_likelihood_nats_per_step"] < right["log_likelihood_nats_per_step"]
    assert int(np.argmin(wrong["step_log_prob_nats"])) == 9
    nats = {wrong["note_pitch"][i]: wrong["note_surprise_nats"][i] for i in range(36, 40)}
    assert max(nats, key=lambda pitch: nats[pitch]) == 73
