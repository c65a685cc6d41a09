"""Each script of `examples/` runs, and does what it says."""

import subprocess
import sys
from pathlib import Path

import pytest

import notebeam as nb

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("0*.py"))


def run(name: str, folder: Path, *arguments: str) -> str:
    """Standard output of an example, run in a folder."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=folder,
        env=in_tree(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_tree() -> dict[str, str]:
    """The environment, with this tree's packages first."""
    import os

    return {**os.environ, "PYTHONPATH": str(EXAMPLES.parent), "OMP_NUM_THREADS": "1"}


def test_there_are_five_examples() -> None:
    assert [name[:3] for name in SCRIPTS] == ["01_", "02_", "03_", "04_", "05_"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_uses_public_names_alone(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    for package in ("symbolic", "acoustic", "transcribe"):
        assert f"import {package}" not in text and f"from {package}" not in text


def test_a_recording_becomes_midi(tmp_path: Path) -> None:
    output = run("01_transcribe.py", tmp_path)
    notes = nb.read_midi(tmp_path / "notes.mid")
    assert output.startswith(f"{len(notes)} notes")
    # The first bass note of the piece is a low G, the first melody note an F sharp.
    assert notes.pitch[0] == 43 and 78 in notes.pitch


def test_a_posteriorgram_of_a_scale_becomes_that_scale(tmp_path: Path) -> None:
    output = run("02_your_posteriorgram.py", tmp_path)
    assert output.splitlines()[0].startswith("8 notes")
    assert output.splitlines()[-1] == "pitches: 60 62 64 65 67 69 71 72"


def test_a_stream_finds_the_notes_of_the_recording(tmp_path: Path) -> None:
    lines = run("03_stream.py", tmp_path).splitlines()
    settled = [int(line.split()[-1]) for line in lines[:-1]]
    assert settled[0] == 43
    more = int(lines[-1].split()[0])
    # The score has 23 notes in its first twelve seconds.
    assert 18 <= len(settled) + more <= 28


def test_a_chorale_is_drawn_and_the_seed_decides_which(tmp_path: Path) -> None:
    run("04_draw_a_chorale.py", tmp_path, "a.mid", "1")
    run("04_draw_a_chorale.py", tmp_path, "b.mid", "1")
    run("04_draw_a_chorale.py", tmp_path, "c.mid", "2")
    first, same, other = ((tmp_path / f"{name}.mid").read_bytes() for name in "abc")
    assert first == same != other
    notes = nb.read_midi(tmp_path / "a.mid")
    assert len(notes) > 48 and notes.offset.max() == pytest.approx(48 * 60 / 90, abs=0.01)


def test_a_prior_is_trained_on_a_folder_and_transcribes(tmp_path: Path) -> None:
    output = run("05_train_your_own_prior.py", tmp_path)
    assert "validation: -" in output
    assert int(output.splitlines()[-1].split()[0]) > 40
