"""Bars from beats: features against plain loops, what training learns, and the shipped weights."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from symbolic.beats.accompaniments import MIDDLE, SCALE, accompanied, made_by_rule
from symbolic.beats.bar_training import (
    AT_BEAT,
    BarOptions,
    _bar_sizes,
    bars_at_annotated,
    bars_at_found,
    batch_of,
    downbeats_near,
    played,
    train,
    validated,
)
from symbolic.beats.bars import (
    AROUND,
    FEATURES,
    LAGS,
    MEMBERS,
    PITCH_CLASSES,
    BarNetwork,
    _likeness,
    _running_mean,
    beat_features,
    load_bar_networks,
    read_bars,
)
from symbolic.beats.chords import chords_of
from symbolic.beats.excerpts import UNKNOWN, Piece
from symbolic.beats.network import BARS, load_networks, read_chords, weights_path
from symbolic.beats.tracker import shipped_tracker
from symbolic.beats.tracking import bars_of, track_beats
from symbolic.datasets.asap import Annotation
from symbolic.errors import NotebeamError
from symbolic.notes import Notes, read_tsv

BUNDLED = Path(__file__).parents[2] / "examples" / "gymnopedie.tsv"


def dance(bar: int, beat: float, bars: int = 30, seed: int = 0) -> Piece:
    """A low octave where a bar begins, chords on the other beats; the harmony changes with the bar."""
    draw, rows = np.random.default_rng(seed), []
    for number in range(bars):
        root = int(draw.integers(0, 12))
        for place in range(bar):
            onset = 1.0 + (number * bar + place) * beat
            pitches = (36 + root, 48 + root) if place == 0 else (60 + root, 64 + root, 67 + root)
            rows += [
                (onset, onset + beat * (bar if place == 0 else 0.5), p, 90 - 25 * (place > 0))
                for p in pitches
            ]
    count = bars * bar
    marks = Annotation(
        1.0 + beat * np.arange(count),
        np.arange(count) % bar == 0,
        np.zeros(count, bool),
        np.zeros(count, int),
    )
    return Piece(Notes.make(*np.array(rows).T), marks)


def test_features_say_what_is_struck_at_each_beat() -> None:
    piece = dance(3, 0.5)
    chords = chords_of(piece.notes)
    times = np.append(piece.beats.times, piece.beats.times[-1] + 5)  # nothing is struck at the last
    features = beat_features(times, chords, read_chords(load_networks(), chords))
    assert features.shape == (len(times), FEATURES) and np.isfinite(features).all()
    assert features[:, 0].tolist() == [1.0] * (len(times) - 1) + [0.0]
    assert features[:6, 1].tolist() == [0.5, 0.75, 0.75] * 2  # two notes, three, three; in fours
    assert features[-1, -PITCH_CLASSES:].sum() == 0
    bass = features[:-1, -12:].argmax(axis=1)
    chords_at = [chords.features[row, -12:].argmax() for row in range(len(chords.time))]
    assert bass.tolist() == chords_at


def test_likeness_is_the_cosine_to_beats_before_and_after() -> None:
    chroma = np.random.default_rng(0).random((11, 12))
    found = _likeness(chroma)
    for column, lag in enumerate(LAGS):
        for row in range(11):
            for other, at in ((row - lag, 2 * column), (row + lag, 2 * column + 1)):
                wanted = 0.0
                if 0 <= other < 11:
                    a, b = chroma[row], chroma[other]
                    wanted = float(a @ b / np.sqrt((a @ a) * (b @ b)))
                assert found[row, at] == pytest.approx(wanted)
    assert _likeness(chroma[:2]).shape == (2, 2 * len(LAGS))  # fewer beats than the lags


def test_the_running_mean_is_that_of_a_plain_loop() -> None:
    values = np.random.default_rng(0).random((25, 2))
    padded = [values[min(24, max(0, row))] for row in range(-AROUND, 25 + AROUND)]
    for row, found in enumerate(_running_mean(values)):
        assert found == pytest.approx(np.mean(padded[row : row + 2 * AROUND + 1], axis=0))


def test_bars_have_the_size_that_is_marked() -> None:
    downbeat = np.array([0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0], bool)
    marks = Annotation(np.arange(18.0), downbeat, np.zeros(18, bool), np.zeros(18, int))
    two, three, four = (BARS.index(size) for size in BARS)
    wanted = [UNKNOWN, *[two] * 2, *[three] * 3, *[four] * 4, *[UNKNOWN] * 6, *[two] * 2]  # 6 is no size
    assert _bar_sizes(marks).tolist() == wanted


def test_a_batch_is_padded_by_what_is_unknown() -> None:
    one = bars_at_annotated(dance(3, 0.5, bars=5), shipped_tracker())
    options = BarOptions(batch_size=8, beats=20)
    features, downbeat, bar = batch_of([one], options, np.random.default_rng(0))
    assert (downbeat[:, 15:] == UNKNOWN).all() and (bar[:, 15:] == UNKNOWN).all()
    assert (downbeat[:, :15] == torch.from_numpy(one.downbeat)).all()
    hidden = (features[:, :, -PITCH_CLASSES:] == 0).all(dim=2).all(dim=1)
    assert 0 < hidden.sum() < 8
    assert torch.equal(features[~hidden][0, :15], torch.from_numpy(one.features))


def test_training_learns_bars_of_dances(tmp_path: Path) -> None:
    pieces = [dance(bar, 0.5, seed=seed) for bar in BARS for seed in range(2)]
    options = BarOptions(members=2, by_rule=0, steps=40, batch_size=8, beats=64, validation_steps=20, ema=0.9)
    train(tmp_path, options, pieces, [dance(bar, 0.6, seed=9) for bar in BARS])
    tracker = shipped_tracker()
    network, other = load_bar_networks([tmp_path / f"{name}.safetensors" for name in MEMBERS[:2]])
    held_out = [
        [at(dance(bar, 0.6, seed=9), tracker) for bar in BARS] for at in (bars_at_annotated, bars_at_found)
    ]
    scores = validated(network, *held_out)
    assert scores["downbeat"] < 0.3 < validated(BarNetwork().eval(), *held_out)["downbeat"]
    assert scores["loss"] == pytest.approx(scores["downbeat"] + scores["downbeat_found"])
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert scores["loss"] == pytest.approx(min(row["loss"] for row in rows if not row["member"]), abs=1e-3)
    first, second, both = (
        read_bars(some, held_out[0][0].features)[0] for some in ([network], [other], [network, other])
    )
    assert both == pytest.approx((first + second) / 2, abs=1e-4)
    assert np.abs(first - second).max() > 0.01
    assert json.loads((tmp_path / "config.json").read_text())["steps"] == 40


@pytest.mark.parametrize("bar", [3, 4])  # bars of two may be read as bars of four
def test_given_beats_of_a_dance_have_its_bars(bar: int) -> None:
    piece = dance(bar, 0.55, seed=3)
    found = bars_of(piece.beats.times, piece.notes)
    assert found.beats_a_bar == bar
    assert (found.downbeat == piece.beats.downbeat).mean() > 0.9


def test_few_beats_have_bars_too() -> None:
    piece = dance(3, 0.5)
    for count in (1, 2, 3):
        features = beat_features(
            piece.beats.times[:count],
            chords_of(piece.notes),
            read_chords(load_networks(), chords_of(piece.notes)),
        )
        downbeat, bar = read_bars(load_bar_networks(), features)
        assert downbeat.shape == (count,)
        assert np.exp(bar).sum(axis=1) == pytest.approx(np.ones(count), abs=1e-5)


def test_left_out_beats_are_left_out() -> None:
    piece = dance(4, 0.5)
    kept = np.arange(len(piece.beats.times)) % 5 != 0
    found = bars_at_annotated(piece, shipped_tracker(), kept)
    assert found.downbeat.tolist() == piece.beats.downbeat[kept].astype(int).tolist()
    late = replace(piece.beats, times=piece.beats.times + 30)  # those after the last chord are not told
    assert len(bars_at_annotated(Piece(piece.notes, late), shipped_tracker()).bar) < len(kept)


def test_found_beats_near_downbeats_are_downbeats() -> None:
    draw = np.random.default_rng(0)
    marks = dance(3, 0.5, bars=8).beats
    times = np.sort(draw.uniform(marks.times[0] - 1, marks.times[-1] + 1, 300))
    for time, found in zip(times, downbeats_near(times, marks), strict=True):
        if time < marks.times[0] - AT_BEAT or time > marks.times[-1] + AT_BEAT:
            assert found == UNKNOWN
        else:
            nearest = min(abs(time - first) for first in marks.times[marks.downbeat])
            assert found == (nearest <= AT_BEAT)


def test_bars_are_learnt_at_the_beats_that_are_found() -> None:
    piece = dance(4, 0.5)
    found = bars_at_found(piece, shipped_tracker())
    times = track_beats(piece.notes).times
    assert found.downbeat.tolist() == downbeats_near(times, piece.beats).tolist()
    assert 0 < (found.downbeat == 1).sum() < len(times)
    assert (found.bar == UNKNOWN).all()  # of the beats that are annotated it is known, of these not
    both = played([piece], shipped_tracker(), BarOptions(versions=1, tracked_versions=1))
    assert [(one.bar == UNKNOWN).all() for one in both] == [False, True]


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    for suffix in (".safetensors", ".json"):
        (tmp_path / f"other{suffix}").write_bytes(weights_path("bars").with_suffix(suffix).read_bytes())
    card = json.loads((tmp_path / "other.json").read_text())
    card["options"]["channels"] = 33
    (tmp_path / "other.json").write_text(json.dumps(card))
    with pytest.raises(NotebeamError, match=r"shape|tensor"):
        load_bar_networks([tmp_path / "other.safetensors"])


def test_the_weights_of_bars_are_small() -> None:
    assert sum(weights_path(name).stat().st_size for name in MEMBERS) < 400_000


def test_music_made_by_rule_is_an_accompanied_melody() -> None:
    scores = [accompanied(draw) for draw in np.random.default_rng(3).spawn(40)]
    assert {int(np.diff(np.flatnonzero(score.downbeat)).max()) for score in scores} == set(BARS)
    assert 0 < sum(score.thirds.all() for score in scores) < 20
    for score in scores:
        assert len(np.unique(np.stack([score.onset, score.pitch]), axis=1).T) == len(score.onset)
        assert (score.duration > 0).all() and (score.onset >= 0).all()
        assert (score.onset + score.duration).max() <= len(score.beats) + 1e-9
        low = score.pitch < MIDDLE - 6  # the bass alone is so low, and it is struck where bars begin
        begins = np.isin(score.onset, score.beats[score.downbeat])
        assert low[begins].sum() >= 0.45 * low.sum()
        assert set(score.pitch[low] % 12) <= set((score.fifths[0] * 7 + SCALE) % 12)
    again = made_by_rule(2, 3)
    assert [len(piece.notes) for piece in again] == [len(score.onset) for score in scores[:2]]
    assert again[0].notes.onset.tolist() == made_by_rule(1, 3)[0].notes.onset.tolist()


def test_the_bass_of_a_slow_waltz_begins_the_bar() -> None:
    """Satie's Gymnopédie as it is bundled: a bass on the first beat, a chord on the second for two."""
    notes = read_tsv(BUNDLED)
    found = track_beats(notes)
    assert found.beats_a_bar == 3
    first = found.times[found.downbeat]
    bass = notes.onset[notes.pitch < 45]
    assert np.mean([np.abs(first - time).min() < 0.07 for time in bass]) > 0.9
