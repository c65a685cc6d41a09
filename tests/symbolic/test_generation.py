"""Generated music: the steps drawn against known probabilities, and the command as a user runs it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles_generation import BLACK_PROB, WHITE, WHITE_PROB, scale, white_prior, write_files

from symbolic.errors import NotebeamError
from symbolic.generation.__main__ import main
from symbolic.generation.finetuning import FinetuneOptions, finetune
from symbolic.generation.sampling import Given, SampleOptions, generate, pace, sample_steps, steps_in
from symbolic.midi import read_midi
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes
from symbolic.priors.loading import list_priors, load_prior, save_prior
from symbolic.priors.registry import build_prior
from symbolic.priors.steps import steps_of

CHORALES, STRUCK = "lstm-nade/jsb", "event-rnn-nade/piano"


def run(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "symbolic.generation", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_files(tmp_path)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_steps_have_the_chances_of_the_prior_at_a_temperature(temperature: float) -> None:
    rolls = sample_steps(white_prior(), SampleOptions(steps=100, count=40, temperature=temperature))
    assert rolls.shape == (40, 100, 88)
    white = np.isin((np.arange(88) + 21) % 12, WHITE)
    for keys, prob in ((white, WHITE_PROB), (~white, BLACK_PROB)):
        # The logit is divided by the temperature.
        odds = (prob / (1 - prob)) ** (1 / temperature)
        expected = odds / (1 + odds)
        got, draws = rolls[:, :, keys].mean(), 4000 * keys.sum()
        assert abs(got - expected) < 5 * np.sqrt(expected * (1 - expected) / draws)


def test_what_is_given_is_the_past_of_what_is_drawn() -> None:
    torch.manual_seed(0)
    prior = build_prior("lstm-nade", {"visible": 12, "units": 6, "hidden": 4})
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.normal_()
    given = np.random.default_rng(0).random((9, 12)) < 0.3
    drawn = sample_steps(prior, SampleOptions(steps=5, count=3, seed=7), given)
    generator, states = torch.Generator().manual_seed(7), prior.initial_state(3)
    with torch.no_grad():
        for step in given:
            states = prior.advance(states, torch.from_numpy(np.stack([step] * 3)).float())
        for t in range(5):
            step = prior.sample(states, generator)
            assert (drawn[:, t] == step.numpy()).all()
            states = prior.advance(states, step)
    # And it matters: without it other steps are drawn.
    assert (drawn != sample_steps(prior, SampleOptions(steps=5, count=3, seed=7))).any()


@pytest.mark.skipif(CHORALES not in list_priors(), reason="no weights of the chorales")
def test_chorales_are_as_full_as_bachs_and_colder_ones_less_diverse() -> None:
    prior = load_prior(CHORALES)
    warm, cold = (
        sample_steps(prior, SampleOptions(steps=60, count=16, temperature=temperature))
        for temperature in (1.0, 0.3)
    )
    # 3.887 notes a step in the test chorales; four voices that rest at times.
    assert abs(warm.sum() / (16 * 60) - 3.887) < 0.25
    kinds = [len(np.unique(rolls.reshape(-1, 88), axis=0)) for rolls in (cold, warm)]
    assert kinds[0] < 0.8 * kinds[1]
    assert len(np.unique(warm.reshape(16, -1), axis=0)) == 16


def test_the_notes_come_back_in_the_key_of_what_was_given() -> None:
    prior, notes = white_prior(), scale(3)
    given = Given(steps_of(notes, prior.card, np.arange(20) / 2), -3)
    (piece,) = generate(prior, SampleOptions(steps=200), given)
    new = piece.notes.pitch[piece.notes.onset >= piece.seam]
    assert len(new) > 500
    # In C .005 of the notes would be black keys; here as many are foreign to E flat major.
    assert np.isin((new - 3) % 12, WHITE).mean() > 0.98
    assert piece.seam == 7.0
    assert (piece.tempo, piece.end) == (120, 107.0)  # 200 steps of half a second


def test_tempo_and_length_are_those_of_the_beats() -> None:
    card = white_prior().card
    slow = Given(steps_of(scale(0), card, np.arange(20) / 2))
    assert (pace(card), pace(card, slow), pace(card, slow, 90)) == (120, 120, 90)
    assert steps_in(card, 30, 80) == 40
    with pytest.raises(NotebeamError, match=r"tempo: got 3, expected 4\.\.1000"):
        pace(card, None, 3)


def test_a_continuation_begins_with_what_is_given(files: Path) -> None:
    words = ("--prior", "white.safetensors", "--continue", "scale.mid", "--seconds", 5, "-o", "longer.mid")
    done = run(*words, "--picture", "longer.png", folder=files)
    assert (done.returncode, done.stderr) == (0, "")
    assert "drawn from 7.0 s on, transposed by -3 semitones" in done.stdout
    before, after = read_midi(files / "scale.mid"), read_midi(files / "longer.mid")
    first = after.onset < 7.0 - 1e-3
    for name in ("onset", "offset", "pitch", "velocity"):
        assert getattr(after, name)[first] == pytest.approx(getattr(before, name), abs=2e-3)
    assert (~first).sum() > 5
    assert after.onset[~first].max() < 12.0
    assert (files / "longer.png").read_bytes().startswith(b"\x89PNG")


def test_only_the_beginning_is_given_if_told_so(files: Path) -> None:
    words = ["--prior", str(files / "white.safetensors"), "--continue", str(files / "scale.mid")]
    assert main([*words, "--stop", "2", "--steps", "3", "-o", str(files / "out.mid")]) == 0
    notes = read_midi(files / "out.mid")
    assert (notes.onset < 1.999).sum() == 4
    assert notes.offset.max() == pytest.approx(3.5, abs=1e-3)


def test_a_file_may_stop_at_a_stroke_or_end_in_a_grace_note(files: Path) -> None:
    # At 180 a minute a beat is 333,333 microseconds: the 24th begins just before 8 s.
    onset = np.arange(30) / 3
    write_midi(files / "fast.mid", Notes.make(onset, onset + 1 / 3, np.full(30, 60), [64] * 30), tempo=180)
    prior, out = str(files / "white.safetensors"), str(files / "out.mid")
    words = ["--prior", prior, "--transpose", "0", "--steps", "3", "-o", out]
    assert main([*words, "--continue", str(files / "fast.mid"), "--stop", "8"]) == 0
    assert read_midi(out).offset.max() == pytest.approx(9.0, abs=2e-3)
    # After two beats, at 1 s, a note that is over before a step looks.
    grace = Notes.make([0.0, 0.5, 1.0], [0.5, 1.0, 1.02], [60, 62, 64], [64] * 3)
    write_midi(files / "grace.mid", grace)
    assert main([*words, "--continue", str(files / "grace.mid")]) == 0
    notes = read_midi(out)
    assert notes.pitch[notes.onset < 1.1].tolist() == [60, 62, 64]
    assert notes.offset.max() == pytest.approx(3.0, abs=2e-3)


def test_the_same_seed_gives_the_same_files(files: Path) -> None:
    words = ["--prior", str(files / "white.safetensors"), "--steps", "20", "--count", "2"]
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main([*words, "--seed", seed, "-o", str(files / f"{name}.mid")]) == 0
    content = {path.stem: path.read_bytes() for path in files.glob("?-?.mid")}
    assert sorted(content) == ["a-1", "a-2", "b-1", "b-2", "c-1", "c-2"]
    assert content["a-1"] == content["b-1"] and content["a-2"] == content["b-2"]
    assert len({content[name] for name in ("a-1", "a-2", "c-1", "c-2")}) == 4


@pytest.mark.skipif(STRUCK not in list_priors(), reason="no weights of the piano")
def test_struck_notes_are_held_as_long_as_told(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--prior", STRUCK, "--seconds", "20", "--hold", "0.2", "-o", str(files / "out.mid")]
    assert main(words) == 0
    notes = read_midi(files / "out.mid")
    assert len(notes) > 20
    assert (notes.offset - notes.onset).max() < 0.202
    assert f"out.mid: {len(notes)} notes, 20.0 s" in capsys.readouterr().out


def test_an_rbm_draws_by_gibbs(files: Path) -> None:
    torch.manual_seed(0)
    prior = build_prior("rnn-rbm", {"units": 3, "hidden": 3})
    prior.initialise_from_marginals(torch.full((88,), 0.05))
    prior.card = type(white_prior().card)(**(vars(white_prior().card) | {
        "model": "rnn-rbm", "options": {"units": 3, "hidden": 3},
    }))  # fmt: skip
    save_prior(prior, files / "rbm.safetensors")
    rolls = sample_steps(load_prior(files / "rbm.safetensors"), SampleOptions(steps=50, count=4))
    # W is about zero, so that the visible biases say it all.
    assert abs(rolls.mean() - 0.05) < 0.02
    words = ["--prior", str(files / "rbm.safetensors"), "--steps", "9", "-o", str(files / "out.mid")]
    assert main([*words, "--continue", str(files / "scale.mid")]) == 0


@pytest.fixture
def folder_of_scales(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    for index, semitones in enumerate((2, 0, 5, -4)):  # the first is held out
        write_midi(folder / f"{index}.mid", scale(semitones))
    return folder


def test_fine_tuning_makes_the_files_likelier(tmp_path: Path, folder_of_scales: Path) -> None:
    save_prior(white_prior(), tmp_path / "white.safetensors")
    lines: list[str] = []
    options = FinetuneOptions(steps=40, learning_rate=0.02)
    output = tmp_path / "tuned.safetensors"
    tuned = finetune(str(tmp_path / "white.safetensors"), folder_of_scales, output, options, lines.append)
    # Moved into one key, the scales have one note a step, not five: -7.7 nats a step before.
    before = np.log(0.1) + 51 * np.log(0.9) + 36 * np.log(0.999)
    assert lines[0] == f"3 files to learn from, 1 held out: {before:.4f} nats a step"
    assert tuned.card.scores["valid_nats_per_step"] > before + 1
    again = load_prior(output)
    assert (again.card.name, again.card.model) == ("white-finetuned", "lstm-bernoulli")
    assert "no gain" not in "".join(lines)


def test_fine_tuning_begins_with_the_prior(tmp_path: Path, folder_of_scales: Path) -> None:
    first = tmp_path / "white.safetensors"
    save_prior(white_prior(), first)
    options = FinetuneOptions(steps=1, learning_rate=1e-12)
    tuned = finetune(str(first), folder_of_scales, tmp_path / "tuned.safetensors", options, lambda line: None)
    before, after = load_prior(first).state_dict(), tuned.state_dict()
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)


def test_the_command_fine_tunes_and_goes_on(files: Path, folder_of_scales: Path) -> None:
    words = [
        "--prior",
        str(files / "white.safetensors"),
        "--continue",
        str(files / "scale.mid"),
        "--steps",
        "4",
    ]
    words += ["--finetune", str(folder_of_scales), "--output-weights", str(files / "tuned.safetensors")]
    assert main([*words, "-o", str(files / "out.mid")]) == 0
    assert len(read_midi(files / "out.mid")) > 14
    assert {"tuned.safetensors", "tuned.json"} <= {path.name for path in files.iterdir()}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--continue", "empty.mid"], "empty.mid: got 'no notes', expected a MIDI file with notes"),
        (["--continue", "absent.mid"], "absent.mid"),
        (["--prior", "lstm-nade/nobody"], "got 'lstm-nade/nobody', expected a prior's name"),
        (["--temperature", "0"], "temperature: got 0.0, expected a number > 0"),
        (["--temperature", "nan"], "temperature: got nan, expected a number > 0"),
        (["--seconds", "-1"], "seconds: got -1.0, expected a number > 0"),
        (["--steps", "0"], "steps: got 0, expected an integer 1..1000000"),
        (["--count", "0"], "--count: got 0, expected a number of pieces, 1 to 1000000"),
        (["--count", "100000000"], "--count: got 100000000, expected a number of pieces, 1 to 1000000"),
        (["--count", "2000", "--steps", "1000"], "'2000 pieces of 1000 steps', expected 1000000 steps at"),
        (["--steps", "1000000000"], "steps: got 1000000000, expected an integer 1..1000000"),
        (["--tempo", "2"], "tempo: got 2.0, expected 4..1000"),
        (
            ["-o", "scale.mid/a.mid"],
            "scale.mid/a.mid: got 'scale.mid, no folder', expected a folder",
        ),
        (["-o", "out.wav"], "--output: got 'out.wav', expected a path that ends in .mid"),
        (["-o", "mine.mid"], "mine.mid: got 'a folder', expected the name of a file"),
        (
            ["--continue", "scale.mid", "-o", "scale.mid"],
            "--output: got 'scale.mid', expected a name that is",
        ),
        (["--continue", "scale.mid", "-o", "./scale.mid"], "expected a name that is not the file's that is"),
        (
            ["--hold", "0.1"],
            "--hold: got 0.1, expected none: white.safetensors says itself how long keys sound",
        ),
        (["--picture", "scale.mid/such.png"], "scale.mid/such.png: got 'scale.mid, no folder'"),
        (["--picture", "out.mid"], "--picture: got 'out.mid', expected a path that ends in .png"),
        (["--continue", "scale.mid", "--picture", "scale.mid"], "--picture: got 'scale.mid', expected a"),
        (["--count", "2", "--picture", "out-1.mid"], "--picture: got 'out-1.mid', expected a path"),
        (
            ["--continue", "scale.mid", "--transpose", "60"],
            "transposition: got 60, expected a shift",
        ),
        (["--finetune", "absent"], "absent: got 'no such folder', expected a folder of MIDI"),
        (
            ["--finetune", "absent", "--output-weights", "mine"],
            "--output-weights: got 'mine', expected a path",
        ),
        (["--finetune", "mine.mid"], "mine.mid: got 'no .mid or .midi file in it', expected a folder"),
        (["--finetune", "."], "got '1 MIDI file that can be read', expected at least two"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(files)
    (files / "mine.mid").mkdir()
    before = sorted(files.iterdir())
    given = [] if "-o" in words else ["-o", "out.mid"]
    prior = [] if "--prior" in words else ["--prior", "white.safetensors"]
    assert main([*prior, *given, *words]) == 1
    error = capsys.readouterr().err
    assert error.startswith("symbolic.generation: ") and line in error
    assert error.count("\n") == 1
    assert sorted(files.iterdir()) == before


@pytest.mark.skipif(STRUCK not in list_priors(), reason="no weights of the piano")
def test_a_prior_of_seconds_takes_no_tempo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--prior", STRUCK, "--tempo", "90", "-o", str(tmp_path / "out.mid")]) == 1
    assert "are seconds, not beats" in capsys.readouterr().err


def test_help_is_fast() -> None:
    code = (
        "import sys; from symbolic.generation.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
