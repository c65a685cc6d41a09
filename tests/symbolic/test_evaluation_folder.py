"""`python -m symbolic.evaluation FOLDER`: against each file alone, and bad folders."""

import json
from pathlib import Path

import pytest
import torch
from oracles_generation import scale, white_prior, write_files

from symbolic.evaluation.__main__ import main
from symbolic.evaluation.accuracy import expected_accuracies
from symbolic.evaluation.likelihood import log_likelihood
from symbolic.midi_writing import write_midi
from symbolic.priors.steps import read_steps, transposed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two scales in other keys, one in a subfolder and twice as long, and what is no music."""
    (tmp_path / "midi" / "more").mkdir(parents=True)
    write_files(tmp_path / "midi")  # a scale in E flat, no notes, a prior
    write_midi(tmp_path / "midi" / "more" / "long.MID", scale(-2), tempo=240.0)
    (tmp_path / "midi" / "notes.txt").write_text("no music")
    return tmp_path / "midi"


def command(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    out, error = capsys.readouterr()
    return code, out, error


def test_a_folder_is_its_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "empty.mid").unlink()
    prior = folder / "white.safetensors"
    code, out, error = command(capsys, prior, folder, "--each", "--json", "--samples", "3", "--seed", "1")
    assert (code, error) == (0, "")
    row = json.loads(out)
    alone = {}
    for name in ("more/long.MID", "scale.mid"):
        alone[name] = json.loads(command(capsys, prior, folder / name, "--json")[1])
    assert [one["file"] for one in row["each"]] == list(alone)
    for one in row["each"]:
        for key in ("steps", "notes", "seconds", "transposed_semitones", "log_likelihood_nats_per_step"):
            assert one[key] == pytest.approx(alone[one["file"]][key])
    assert alone["more/long.MID"]["steps"] == 2 * alone["scale.mid"]["steps"] == 28
    # All together: pooled over the steps, the one likelihood and the one accuracy of the package.
    card = white_prior().card
    assert card is not None
    rolls = [
        transposed(read_steps(folder / name, card).roll, one["transposed_semitones"])
        for name, one in alone.items()
    ]
    expected = log_likelihood(white_prior(), rolls)  # type: ignore[arg-type]
    assert row["steps"] == expected.steps == 42
    assert row["log_likelihood_nats_per_step"] == pytest.approx(expected.per_step, rel=1e-6)
    draws = torch.Generator().manual_seed(1)
    accuracies = expected_accuracies(white_prior(), rolls, draws, samples=3)  # type: ignore[arg-type]
    assert (row["acc12"], row["bay"]) == pytest.approx((accuracies.acc12, accuracies.bay))
    assert (row["files"], row["notes"]) == (2, 28)


def test_a_file_without_notes_costs_the_others_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, error = command(capsys, folder / "white.safetensors", folder, "--each")
    assert code == 1
    assert error.count("\n") == 2 and "empty.mid: got 'no notes'" in error
    assert "1 without scores; the figures above are without them" in error
    assert "more/long.MID" in out and "scale.mid" in out and "files                         2" in out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["white.safetensors", "hollow"],
            "hollow: got 'no .mid or .midi file in it', expected a folder of MIDI",
        ),
        (["jsb-like", "."], "load_prior: got 'jsb-like'"),
        (["white.safetensors", ".", "--transpose", "up"], "--transpose: got 'up'"),
    ],
)
def test_a_bad_folder_is_one_line(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "hollow").mkdir()
    code, out, error = command(capsys, *words)
    assert (code, out) == (1, "")
    assert error.startswith(f"symbolic.evaluation: {line}") and error.count("\n") == 1


def test_a_picture_is_not_written_over_the_music(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    before = Path("scale.mid").read_bytes()
    Path("link.png").symlink_to("scale.mid")
    for name, expected in (("scale.mid", "a path that ends in .png"), ("link.png", "a name that no other")):
        code, out, error = command(capsys, "white.safetensors", "scale.mid", "--picture", name)
        assert (code, out) == (1, "")
        assert f"--picture: got '{name}', expected {expected}" in error and error.count("\n") == 1
    assert Path("scale.mid").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["scale.mid", "--each"], "--each: expected a folder of MIDI files"),
        ([".", "--picture", "out.png"], "--picture: expected a MIDI file, not a folder"),
        (["scale.mid", "--samples", "3"], "--samples: expected a data set or a folder of MIDI files"),
        ([".", "--samples", "-1"], "--samples -1: expected an integer >= 0"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit, match="2"):
        main(["white.safetensors", *words])
    assert line in capsys.readouterr().err
