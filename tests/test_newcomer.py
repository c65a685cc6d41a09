"""A newcomer, from the README alone: transcribe, decode own probabilities, train a prior, write a decoder.

Each must be found within one page: in the README itself, or in one section that it links to.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import TREE, Block, blocks_of, in_tree, links_of, section_of

import notebeam as nb

README = TREE / "README.md"
PAGE = 70  # lines that a reader sees at once, about


def blocks(text: str, language: str) -> list[Block]:
    """Blocks of one language that are to be run."""
    return [
        block for block in blocks_of(README, text) if block.language == language and block.word != "no-run"
    ]


def linked_section(word: str) -> str:
    """The section that the README links to by an anchor with this word; short enough to read."""
    link = next(link for link in links_of(README) if word in link.partition("#")[2])
    name, _, anchor = link.partition("#")
    section = section_of(README.parent / name, anchor)
    assert len(section.splitlines()) <= PAGE
    return section


def python(code: str, folder: Path) -> str:
    """Standard output of a program of a newcomer's, run away from the checkout."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=in_tree(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the newcomer's own, with the examples in it."""
    (tmp_path / "examples").symlink_to(TREE / "examples")
    return tmp_path


def test_transcribing_a_file_from_python(folder: Path) -> None:
    first = blocks(README.read_text(encoding="utf-8"), "python")[0].code
    audio = folder / "mine.flac"
    audio.symlink_to(TREE / "examples" / "gymnopedie.flac")
    python(first.replace("examples/gymnopedie.flac", "mine.flac"), folder)
    assert len(nb.read_midi(folder / "notes.mid")) > 40


def test_decoding_own_probabilities(folder: Path) -> None:
    readme = blocks(README.read_text(encoding="utf-8"), "python")
    code = next(block.code for block in readme if "nb.Posteriorgram(" in block.code)
    # The newcomer puts own arrays in the place of the random ones: three notes, half a second each.
    line = next(line for line in code.splitlines() if line.startswith("frame = onset ="))
    own = (
        "frame, onset = np.full((2, 250, 88), 0.01, dtype=np.float32)\n"
        "for first, key in ((10, 39), (60, 43), (110, 46)):\n"
        "    frame[first : first + 25, key], onset[first, key] = 0.95, 0.95"
    )
    output = python(
        f"import notebeam as nb\n{code.replace(line, own)}\nprint(*notes.pitch, best.roll.sum())", folder
    )
    assert output.split() == ["60", "64", "67", "3"]


def test_training_a_prior_on_a_folder_of_midi_and_using_it(folder: Path) -> None:
    section = linked_section("prior-on-your-own-midi")
    config = next(block for block in blocks_of(README, section) if block.language == "toml")
    # As the page says it, but for two updates of a small net instead of a quarter of an hour.
    text = re.sub(r"minutes = \d+", "steps = 2", config.code)
    text = re.sub(r"batch_size = \d+", "batch_size = 2", re.sub(r"units = \d+", "units = 32", text))
    (folder / config.word).write_text(text, encoding="utf-8")
    midi = folder / "my_midi"
    midi.mkdir()
    for number in range(3):
        onset = [0.25 * i for i in range(40)]
        pitch = [60 + (i * (number + 2)) % 12 for i in range(40)]
        notes = nb.Notes.make(onset, [t + 0.2 for t in onset], pitch, [64] * 40)
        notes.save(midi / f"{number}.mid")
    for block in blocks(section, "sh"):
        done = subprocess.run(
            ["bash", "-e", "-c", block.code], cwd=folder, env=in_tree(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert nb.load_prior(folder / "runs" / "mine" / "weights.safetensors").card.name == "mine"
    assert len(nb.read_midi(folder / "with_my_prior.mid")) > 40


def test_writing_a_decoder(folder: Path) -> None:
    section = linked_section("write-a-decoder")
    code = "".join(block.code for block in blocks(section, "python"))
    output = python(f"{code}\nprint('done')", folder)
    assert output.splitlines()[-1] == "done"


def test_writing_a_prior(folder: Path) -> None:
    section = linked_section("write-a-prior")
    code = "".join(block.code for block in blocks(section, "python"))
    output = python(f"{code}\nprint('done')", folder)
    assert output.splitlines()[-1] == "done"
