"""What somebody met who looked for faults of files and reports: late music, changed inputs, odd names."""

from pathlib import Path

import numpy as np
import pytest

import symbolic.tempo_map
from symbolic.errors import NotebeamError
from symbolic.metre import Beats
from symbolic.midi import read_midi
from symbolic.posteriorgram import Posteriorgram
from symbolic.tempo_map import TempoMap
from transcribe.cli import main

HOP = 0.02


def write_posteriorgram(path: Path, start: float = 0.0) -> Path:
    """A key at each half second, 16 of them."""
    frame = np.zeros((420, 88), dtype=np.float32)
    onset = frame.copy()
    for row in range(10, 410, 25):
        onset[row, 30 + row % 7], frame[row : row + 20, 30 + row % 7] = 0.95, 0.95
    Posteriorgram(frame=frame, onset=onset, hop=HOP, start=start, model="other").save(path)
    return path


def transcribed(*words: str | Path) -> int:
    return main([*map(str, words), "--prior", "none"])


def test_music_that_begins_late_has_bars(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onsets = []
    for start in (0.0, 300.0):
        path = write_posteriorgram(tmp_path / "p.npz", start)
        assert transcribed(path, "--beats", "auto") == 0, capsys.readouterr().err
        onsets.append(read_midi(tmp_path / "p.mid").onset - start)
    assert len(onsets[0]) == 16
    assert onsets[1] == pytest.approx(onsets[0], abs=1e-3)


def test_beats_that_midi_cannot_say_leave_the_notes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(beats: Beats) -> TempoMap:
        raise NotebeamError("beats", "a bar of 79 beats", "64 at most, for a MIDI file")

    monkeypatch.setattr(symbolic.tempo_map, "tempo_of_beats", refuse)
    path = write_posteriorgram(tmp_path / "p.npz")
    assert transcribed(path, "--beats", "auto") == 1
    assert "for a MIDI file; the notes are written without bars" in capsys.readouterr().err
    assert len(read_midi(tmp_path / "p.mid")) == 16
