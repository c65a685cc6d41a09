"""Written music: beats and bars by the time signature, what is held out, and how a program plays it."""

from pathlib import Path

import numpy as np
import pytest

from symbolic.beats.playing import LEAD_IN, play
from symbolic.datasets import written
from symbolic.datasets.written import Score, read_score, read_written

partitura = pytest.importorskip("partitura", reason="the extra score is not installed")


def measure(number: int, notes: list[tuple[str, int]], signature: str = "") -> str:
    """A bar of notes (step of octave 4, eighths); `signature` as in 3/4 opens the part."""
    opening = ""
    if signature:
        beats, unit = signature.split("/")
        opening = (
            "<attributes><divisions>2</divisions><key><fifths>-2</fifths></key>"
            f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time></attributes>"
        )
    inside = "".join(
        f"<note><pitch><step>{step}</step><octave>4</octave></pitch><duration>{length}</duration></note>"
        for step, length in notes
    )
    return f'<measure number="{number}">{opening}{inside}</measure>'


def write(path: Path, *parts: list[str]) -> None:
    names = [f"P{number}" for number in range(len(parts))]
    listed = "".join(f'<score-part id="{name}"><part-name>{name}</part-name></score-part>' for name in names)
    bodies = "".join(
        f'<part id="{name}">{"".join(part)}</part>' for name, part in zip(names, parts, strict=True)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<score-partwise version="3.1"><part-list>{listed}</part-list>{bodies}</score-partwise>')


def test_beats_before_the_first_whole_bar_are_counted_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written, "corpus", lambda: tmp_path)
    upper = [measure(0, [("C", 2)], "3/4"), measure(1, [("D", 2), ("E", 4)]), measure(2, [("F", 6)])]
    lower = [measure(0, [("A", 2)], "3/4"), measure(1, [("A", 6)]), measure(2, [("F", 6)])]
    write(tmp_path / "a.xml", upper, lower)
    score = read_score("a.xml")
    assert score is not None
    assert (score.beats - score.onset[0]).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert np.flatnonzero(score.downbeat).tolist() == [1, 4]
    assert not score.thirds.any() and set(score.fifths.tolist()) == {-2}
    # The F of both parts is one note.
    assert (score.onset - score.onset[0]).tolist() == [0, 0, 1, 1, 2, 4]
    assert score.pitch.tolist() == [60, 69, 62, 69, 64, 65]


@pytest.mark.parametrize(
    ("signature", "eighths", "beats", "thirds"),
    [("6/8", 6, [0.0, 1.5], True), ("3/8", 3, [0.0, 0.5, 1.0], False), ("2/2", 8, [0.0, 2.0], False)],
)
def test_a_beat_is_what_the_time_signature_counts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    signature: str,
    eighths: int,
    beats: list[float],
    thirds: bool,
) -> None:
    monkeypatch.setattr(written, "corpus", lambda: tmp_path)
    write(tmp_path / "a.xml", [measure(1, [("C", eighths)], signature)])
    score = read_score("a.xml")
    assert score is not None
    assert score.beats.tolist() == beats
    assert score.thirds.all() == thirds


def test_nothing_that_is_judged_or_held_out_is_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written, "corpus", lambda: tmp_path)
    bars = [measure(number, [("C", 1)] * 8, "4/4" if number == 1 else "") for number in range(1, 9)]
    for number in range(8):
        write(tmp_path / "bach" / f"bwv{number}.mxl", bars)
    for name in ("bach/bwv846.mxl", "bach/bwv66.6.mxl", "haydn/a.xml", "cpebach/h186.mxl", "joplin/b.txt"):
        write(tmp_path / name, bars)
    (tmp_path / "haydn" / "broken.xml").write_text("<score-partwise/>")
    write(tmp_path / "haydn" / "short.xml", bars[:2])
    assert written.held_out() == ["bach/bwv0.mxl", "bach/bwv6.mxl"]
    names = [score.name for score in read_written()]
    assert names == [*(f"bach/bwv{number}.mxl" for number in (1, 2, 3, 4, 5, 7)), "haydn/a.xml"]


def test_what_scores_are_judged_by_is_not_learnt() -> None:
    from benchmarks.scores import PIECES

    trained = [name for name in PIECES if name.split("/")[0] in ("bach", *written.COMPOSERS)]
    assert set(trained) <= set(written.JUDGED)


def test_playing_keeps_notes_by_their_beats() -> None:
    score = Score(
        name="scale",
        onset=np.repeat(np.arange(40.0) - 1, 2),
        duration=np.ones(80),
        pitch=np.tile([48, 72], 40),
        beats=np.arange(40.0) - 1,
        downbeat=np.arange(40) % 4 == 1,
        thirds=np.zeros(40, dtype=bool),
        fifths=np.zeros(40, dtype=np.int64),
    )
    piece = play(score, np.random.default_rng(0), tempo=120.0)
    assert piece.beats.times == pytest.approx(LEAD_IN + 0.5 * np.arange(40))
    assert np.abs(piece.notes.onset - np.repeat(piece.beats.times, 2)).max() < 0.07
    melody = piece.notes.pitch == 72
    assert piece.notes.velocity[melody].mean() > piece.notes.velocity[~melody].mean()
    assert piece.notes.onset[melody].mean() < piece.notes.onset[~melody].mean()
    other = play(score, np.random.default_rng(1))
    assert 60 / 110 < np.diff(other.beats.times).mean() < 1.0


def test_written_music_is_played_for_networks_that_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from symbolic.beats import training

    score = Score(
        "a",
        np.arange(4.0),
        np.ones(4),
        np.full(4, 60),
        np.arange(4.0),
        *np.zeros((2, 4), bool),
        np.zeros(4, int),
    )
    monkeypatch.setattr(training, "read_written", lambda: [score, score])
    monkeypatch.setattr(training, "pieces", lambda split: [])
    assert training.material(written=False) == []
    first, second = training.material(written=True)
    assert first.notes.onset.tolist() != second.notes.onset.tolist()
    assert training.material(written=True)[0].notes.onset.tolist() == first.notes.onset.tolist()
    assert "music21" in training.described(written=True)
    assert "music21" not in training.described(written=False)
