"""Tempo from tempograms: pictures against a plain loop, what training learns, and the shipped weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from symbolic.beats.chords import Chords, chords_of
from symbolic.beats.excerpts import Piece
from symbolic.beats.network import TEMPI, Readings, load_networks, tempo_class, weights_path
from symbolic.beats.tempo import TempoNetwork, load_tempo_network
from symbolic.beats.tempo_training import TempoOptions, joined, train, validated, windows_of
from symbolic.beats.tempogram import (
    AROUND,
    BELOW,
    CHANNELS,
    CLASSES,
    FRAME,
    HOP,
    PLACES,
    STRENGTHS,
    _autocorrelations,
    _means_around,
    tempogram_of,
)
from symbolic.beats.tracker import shipped_tracker
from symbolic.datasets.asap import Annotation
from symbolic.errors import NotebeamError
from symbolic.notes import Notes

OWN = len(PLACES) * STRENGTHS  # channels of a window itself


def pulse(period: float, seconds: float = 60.0) -> tuple[Chords, Readings]:
    """One note again and again, and a beat network that is sure of nothing."""
    onset = np.arange(0.5, seconds, period)
    count = len(onset)
    chords = chords_of(Notes.make(onset, onset + 0.1, np.full(count, 60), np.full(count, 64)))
    flat = np.zeros(count, dtype=np.float32)
    return chords, Readings(chords.time, flat, flat, np.zeros((count, TEMPI), np.float32))


@pytest.mark.parametrize("period", [0.31, 0.5, 0.74])
def test_a_pulse_comes_back_after_its_period_and_not_after_half_of_it(period: float) -> None:
    tempogram = tempogram_of(*pulse(period))
    assert tempogram.time[:3].tolist() == [0.5, 0.5 + HOP, 0.5 + 2 * HOP]
    own = tempogram.pictures[5, : len(PLACES)]  # every chord alike, in the middle of the piece
    at, half = (BELOW + int(tempo_class(np.array([seconds]))[0]) for seconds in (period, period / 2))
    assert own.max(axis=0)[at] > 0.3
    assert own.max(axis=0)[half] < 0.05


def test_a_slower_pulse_is_the_same_picture_shifted() -> None:
    from symbolic.beats.network import CLASS

    fast, slow = (tempogram_of(*pulse(0.4 * np.exp(by * CLASS))).pictures[5, 0] for by in (0, 4))
    both = slice(BELOW, BELOW + 20)
    shifted = slice(BELOW + 4, BELOW + 24)
    assert np.corrcoef(fast[both], slow[shifted])[0, 1] > 0.9
    assert np.corrcoef(fast[both], slow[both])[0, 1] < 0.5


def test_autocorrelations_are_those_of_a_plain_loop() -> None:
    from symbolic.beats.network import CLASS, SHORTEST_BEAT

    draw, length = np.random.default_rng(0), 200
    window = draw.random(length).astype(np.float32)
    shape = np.sqrt(np.hanning(length))
    shaped = window * shape
    shaped = shaped - shaped.mean()

    def at(lag: int) -> float:
        overlap = sum(shape[i] * shape[i + lag] for i in range(length - lag)) / sum(shape**2)
        value = sum(shaped[i] * shaped[i + lag] for i in range(length - lag)) / sum(shaped**2)
        return float(value / max(overlap, 0.1))

    found = _autocorrelations(window[None, None])
    assert found.shape == (1, len(PLACES), CLASSES)
    for column in (0, 10, BELOW + 20):
        for row, place in enumerate(PLACES):
            lag = SHORTEST_BEAT * np.exp((column - BELOW + place) * CLASS) / FRAME
            lags = range(max(1, round(0.97 * lag - 0.5)), round(1.03 * lag + 0.5) + 1)
            wanted = np.mean([at(one) for one in lags])
            assert found[0, row, column] == pytest.approx(wanted, abs=1e-4)
    assert (found[0, :, -1] == 0).all()  # 9 s do not fit in 4


def test_means_around_are_those_of_a_plain_loop() -> None:
    values = np.random.default_rng(1).random((30, 2, 3))
    for row, found in enumerate(_means_around(values)):
        assert found == pytest.approx(values[max(0, row - AROUND) : row + AROUND + 1].mean(axis=0))


def test_pictures_have_the_window_those_around_and_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = tempogram_of(*pulse(0.5, 400.0)).pictures  # of more windows than one block
    assert pictures.shape == (100, CHANNELS, CLASSES)
    own, around, whole = pictures[:, :OWN], pictures[:, OWN : 2 * OWN], pictures[:, 2 * OWN :]
    assert around[50] == pytest.approx(own[50 - AROUND : 51 + AROUND].mean(axis=0), abs=1e-5)
    assert whole[70] == pytest.approx(own.mean(axis=0), abs=1e-5)
    monkeypatch.setattr("symbolic.beats.tempogram.BLOCK", 7)
    assert tempogram_of(*pulse(0.5, 400.0)).pictures == pytest.approx(pictures, abs=1e-6)


def marches() -> list[Piece]:
    """Quavers over a bass at each beat, at tempi all over."""
    found = []
    for beat in np.geomspace(0.3, 1.2, 8):
        count = round(60 / beat)
        onset = np.arange(2 * count) * beat / 2
        pitch = np.where(np.arange(2 * count) % 2 == 0, 40, 72)
        marks = Annotation(
            beat * np.arange(count),
            np.arange(count) % 4 == 0,
            np.zeros(count, bool),
            np.zeros(count, np.int64),
        )
        found.append(Piece(Notes.make(onset, onset + beat / 2, pitch, np.where(pitch < 60, 90, 50)), marks))
    return found


def test_training_learns_the_tempo_of_marches(tmp_path: Path) -> None:
    options = TempoOptions(versions=4, batch_size=8, learning_rate=0.01, ema=0.8)
    train(tmp_path, options, marches(), marches()[::3])
    found, beats = load_tempo_network(tmp_path / "tempo.safetensors"), load_networks()
    held_out = [windows_of(item, beats) for item in _whole(marches()[::3])]
    torch.manual_seed(0)
    fresh = validated(TempoNetwork(options.channels).eval(), held_out)
    scores = validated(found, held_out)
    assert scores["tempo"] < fresh["tempo"] - 0.7
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert scores["tempo"] == pytest.approx(min(row["tempo"] for row in rows), abs=1e-3)
    assert json.loads((tmp_path / "config.json").read_text())["versions"] == 4
    every = joined(held_out)
    assert every.tempo.sum(dim=1).tolist() == pytest.approx([1.0] * len(every.tempo))


def _whole(pieces: list[Piece]) -> list:
    from symbolic.beats.excerpts import example

    return [example(chords_of(piece.notes), piece.beats) for piece in pieces]


def test_targets_are_the_tempo_of_the_middle() -> None:
    piece = marches()[3]
    beats = np.diff(piece.beats.times)[0]
    windows = windows_of(_whole([piece])[0], load_networks())
    assert set(windows.tempo.argmax(dim=1).tolist()) == set(tempo_class(np.array([beats])).tolist())
    assert not windows.thirds.any()


def test_the_tracker_reads_log_probabilities_at_every_chord() -> None:
    chords = chords_of(marches()[2].notes)
    readings = shipped_tracker().read(chords)
    assert readings.tempo.shape == (len(chords.time), TEMPI)
    sums = np.exp(readings.tempo).sum(axis=1)
    # Between two windows log-probabilities are interpolated, which is a mean of distributions, or less.
    assert (sums < 1 + 1e-4).all() and sums.max() == pytest.approx(1, abs=1e-3)


def test_one_chord_is_enough() -> None:
    chords = chords_of(Notes.make([3.0], [4.0], [60], [64]))
    assert np.isfinite(shipped_tracker().read(chords).tempo).all()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    for suffix in (".safetensors", ".json"):
        (tmp_path / f"other{suffix}").write_bytes(weights_path("tempo").with_suffix(suffix).read_bytes())
    card = json.loads((tmp_path / "other.json").read_text())
    card["options"]["channels"] = 25
    (tmp_path / "other.json").write_text(json.dumps(card))
    with pytest.raises(NotebeamError, match="first.bias"):
        load_tempo_network(tmp_path / "other.safetensors")


def test_the_weights_of_tempo_are_small() -> None:
    assert weights_path("tempo").stat().st_size < 200_000
