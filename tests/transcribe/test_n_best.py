"""`--n-best`: the next best transcriptions of a search, each in a MIDI file of its own."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles_transcribe import ideal, notes

from symbolic.decoding.options import Beam
from symbolic.midi import read_midi
from symbolic.posteriorgram import Posteriorgram
from transcribe.cli import main
from transcribe.pipeline import Transcriber

SURE, DOUBTFUL = 72, {60: 0.60, 64: 0.55}  # keys; what is left of the 0.97 of their onsets
PENALTY = 0.6  # nats a note, given below
WORDS = ("--prior", "none", "--note-penalty", str(PENALTY))


def in_doubt() -> Posteriorgram:
    """Three notes in 0.4 s, two of which may not be there."""
    music = notes((0.10, 0.35, 60, 64), (0.11, 0.35, 64, 80), (0.20, 0.35, SURE, 100))
    whole = ideal(music, duration=0.4)
    assert whole.onset is not None
    scale = np.ones(88, dtype=np.float32)
    for pitch, factor in DOUBTFUL.items():
        scale[pitch - 21] = factor
    return replace(whole, onset=whole.onset * scale)


def ranked() -> list[set[int]]:
    """The pitches of every transcription, best first: keys are independent, so costs are sums."""
    costs = []
    for chosen in ((), (60,), (64,), (60, 64)):
        cost = 0.0
        for pitch, factor in DOUBTFUL.items():
            prob = 0.97 * factor
            cost += PENALTY - math.log(prob) if pitch in chosen else -math.log(1 - prob)
        costs.append((cost, {SURE, *chosen}))
    return [pitches for _, pitches in sorted(costs, key=lambda entry: entry[0])]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    in_doubt().save(tmp_path / "a.npz")
    return tmp_path


def pitches_of(path: Path) -> set[int]:
    return set(read_midi(path).pitch.tolist())


def test_the_next_best_are_numbered_beside_the_best(music: Path) -> None:
    words = [
        str(music / "a.npz"),
        "-o",
        str(music / "out" / "b.v1.mid"),
        "--csv",
        str(music / "out" / "b.csv"),
    ]
    command = [sys.executable, "-m", "transcribe", *words, *WORDS, "--n-best", "4"]
    found = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (0, "", 1), found.stderr
    names = ["b.v1.mid", "b.v1.2.mid", "b.v1.3.mid", "b.v1.4.mid"]
    assert {path.name for path in (music / "out").iterdir()} == {"b.csv", *names}
    assert [pitches_of(music / "out" / name) for name in names] == ranked()
    # All else is of the best.
    table = (music / "out" / "b.csv").read_text().splitlines()[1:]
    assert {int(line.split(",")[2]) for line in table} == ranked()[0]


def test_from_python_the_next_best_are_alternatives() -> None:
    options = Beam(prior_weight=0.0, note_penalty=PENALTY, n_best=3)
    found = Transcriber(prior=None, decoder=options).transcribe_posteriorgram(in_doubt())
    assert [set(one.pitch.tolist()) for one in (found.notes, *found.alternatives)] == ranked()[:3]
    plain = replace(options, n_best=None)  # eight hypotheses, but nobody asked for their notes
    assert not Transcriber(prior=None, decoder=plain).transcribe_posteriorgram(in_doubt()).alternatives


def test_where_the_search_ends_with_fewer_a_notice_says_so(
    music: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (music / "a.3.mid").write_bytes(b"of an earlier run")
    # Notes that are clear by 12 nats leave one hypothesis.
    assert main([str(music / "a.npz"), *WORDS, "--n-best", "3", "--temperature", "0.001"]) == 0
    notice, line = capsys.readouterr().err.splitlines()
    expected = f"transcribe: notice: {music}/a.npz: 1 of 3 transcriptions: the search ended with no more"
    assert notice == expected and line.startswith(f"transcribe: {music}/a.npz -> ")
    assert sorted(path.name for path in music.iterdir()) == ["a.mid", "a.npz"]


def test_folders_processes_and_what_is_done(music: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_doubt().save(music / "b.npz")
    words = [str(music), "-o", str(music / "out"), *WORDS, "--n-best", "2", "--jobs", "2", "-q"]
    assert main(words) == 0
    names = sorted(path.name for path in (music / "out").iterdir())
    assert names == ["a.2.mid", "a.mid", "b.2.mid", "b.mid"]
    (music / "out" / "b.2.mid").unlink()
    capsys.readouterr()
    assert main([word for word in words if word != "-q"] + ["--skip-existing"]) == 0
    assert "1 of 2 inputs are done already" in capsys.readouterr().err
    assert (music / "out" / "b.2.mid").exists()


def test_too_few_alternatives_are_not_looked_for_again(music: Path) -> None:
    """By a report, which knows how many were asked for."""
    report = music / "r.jsonl"
    words = [
        str(music / "a.npz"),
        *WORDS,
        "-q",
        "--temperature",
        "0.001",
        "--report",
        str(report),
        "--resume",
    ]
    for _ in range(2):
        assert main([*words, "--n-best", "3"]) == 0
    assert len(report.read_text().splitlines()) == 1
    assert main([*words, "--n-best", "2"]) == 0
    assert len(report.read_text().splitlines()) == 2


def test_an_input_that_would_get_such_a_name_keeps_its_suffix(music: Path) -> None:
    in_doubt().save(music / "a.2.npz")
    assert main([str(music), "-o", str(music / "out"), *WORDS, "--n-best", "2", "-q"]) == 0
    names = sorted(path.name for path in (music / "out").iterdir())
    assert names == ["a.2.npz.2.mid", "a.2.npz.mid", "a.npz.2.mid", "a.npz.mid"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("9",), "--n-best: got 9, expected 8 at most, the hypotheses of --beam-width"),
        (("3", "--beam-width", "2"), "--n-best: got 3, expected 2 at most, the hypotheses of --beam-width"),
        (("2", "--decoder", "hmm"), "--n-best: got 2, expected --decoder beam: hmm has no such setting"),
    ],
)
def test_more_than_there_are_is_wrong_usage(
    music: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], line: str
) -> None:
    assert main([str(music / "a.npz"), "--n-best", *words]) == 2
    assert capsys.readouterr().err == f"transcribe: {line}\n"
    assert [path.name for path in music.iterdir()] == ["a.npz"]
