"""Beats from notes: chords and features, both searches against enumeration, what training learns from."""

from dataclasses import replace
from itertools import combinations, pairwise, product
from pathlib import Path

import numpy as np
import pytest
import torch

from symbolic.beats.chords import FEATURES, NEAR, PROMINENT, SPANS, chords_of
from symbolic.beats.excerpts import Piece, example, excerpt
from symbolic.beats.key import key_signature
from symbolic.beats.learning import CHECKPOINT, Learning, LearningOptions
from symbolic.beats.network import (
    BARS,
    MEMBERS,
    BeatNetwork,
    Readings,
    load_networks,
    read_chords,
    tempo_class,
    weights_path,
)
from symbolic.beats.prominence import changes
from symbolic.beats.search import FRAME, Costs, _best_chain, find_beats, find_downbeats
from symbolic.beats.tracking import bars_of, track_beats
from symbolic.datasets.asap import Annotation
from symbolic.errors import NotebeamError
from symbolic.notes import Notes

LENGTHS = range(10, 121)  # frames between beats


def march(count: int = 96, beat: float = 0.5, bar: int = 4, key: int = 48) -> Notes:
    """Quavers over a bass at each beat, louder and with a chord where a bar of C major begins."""
    rows = []
    for step in range(count):
        onset = 0.4 + step * beat / 2
        rows.append((onset, onset + beat / 2, key + 24 + [0, 2, 4, 7][step % 4], 60))
        if step % 2 == 0:
            rows.append((onset, onset + beat, key - 12 + 7 * (step // 2 % 2), 64))
        if step % (2 * bar) == 0:
            rows += [(onset, onset + beat, key + up, 85) for up in (0, 4, 7)]
    return Notes.make(*np.array(rows).T)


def test_notes_within_30_ms_of_the_first_are_one_chord() -> None:
    notes = Notes.make([0.0, 0.029, 0.031, 0.5], [1.0, 1.0, 1.0, 1.0], [60, 64, 67, 48], [64, 64, 64, 127])
    chords = chords_of(notes)
    assert chords.time.tolist() == [0.0, 0.031, 0.5]
    features = chords.features
    # Gaps are log2(gap / 0.25 s) / 2, at most 4 s and at least 10 ms.
    assert features[:, 0] == pytest.approx([2.0, np.log2(0.031 / 0.25) / 2, np.log2(0.469 / 0.25) / 2])
    assert features[:, 1] == pytest.approx([np.log2(0.031 / 0.25) / 2, np.log2(0.469 / 0.25) / 2, 2.0])
    assert features[:, 2].tolist() == [0.5, 0.25, 0.25]  # two notes, one, one; in fours
    assert np.flatnonzero(features[0, -24:-12]).tolist() == [0, 4]  # C and E
    assert np.flatnonzero(features[2, -12:]).tolist() == [0]  # the bass C
    assert features[:, 7] == pytest.approx([1.0, 19 / 12, 0.0])  # above the lowest around, in octaves


def enumerated(score: np.ndarray, tempo: np.ndarray, change: float) -> tuple[float, list[int]]:
    """The best beats of all that there are: every set of frames with gaps of 10 at least."""
    classes = {length: int(tempo_class(np.array([length * FRAME]))[0]) for length in LENGTHS}
    best = (-np.inf, [0])
    for size in (1, 2, 3, 4):
        for beats in combinations(range(len(score)), size):
            gaps = [b - a for a, b in pairwise(beats)]
            if any(gap not in classes for gap in gaps):
                continue
            for before in LENGTHS:  # the first beat has a tempo too, from nowhere
                lengths = [before, *gaps]
                value = sum(score[b] + tempo[b, classes[g]] for b, g in zip(beats, lengths, strict=True))
                value -= change * sum(abs(np.log(b / a)) for a, b in pairwise(lengths))
                best = max(best, (float(value), list(beats)))
    return best


@pytest.mark.parametrize("seed", range(2))
def test_the_beats_are_the_best_of_all(seed: int) -> None:
    draw = np.random.default_rng(seed)
    score = draw.normal(-0.5, 1.0, 34).astype(np.float32)
    tempo = draw.normal(-1, 0.5, (34, 32)).astype(np.float32)
    wanted = enumerated(score, tempo, 2.0)[1]
    assert _best_chain(score, tempo, 2.0).tolist() == wanted


@pytest.mark.parametrize("seed", range(2))
def test_the_bars_are_the_best_of_all(seed: int) -> None:
    draw, costs = np.random.default_rng(seed), Costs(bar_change=1.5, bar=0.7)
    log_odds = draw.normal(0, 2, 5).astype(np.float32)
    bar = draw.normal(-1, 1, (5, 3)).astype(np.float32)
    states = [(size, place) for size in BARS for place in range(size)]
    best, wanted = -np.inf, []
    for path in product(states, repeat=5):
        value = 0.0
        for beat, (size, place) in enumerate(path):
            value += (0.5 if place == 0 else -0.5) * log_odds[beat] + 0.7 * bar[beat, BARS.index(size)]
        for (size, place), (after, start) in pairwise(path):
            if (after, start) == (size, place + 1):
                continue
            if start:
                value = -np.inf
            elif place + 1 < size:
                value -= 3.0  # a bar cut short costs twice as much
            elif after != size:
                value -= 1.5
        if value > best:
            best, wanted = value, [place == 0 for _, place in path]
    assert find_downbeats(log_odds, bar, costs).tolist() == wanted


def test_a_beat_without_a_chord_is_filled_in() -> None:
    time = np.array([0.0, 0.5, 1.0, 2.0, 2.5, 3.0])  # nothing at 1.5
    flat = np.zeros((6, 32), dtype=np.float32)
    one = np.full(6, 4.0, dtype=np.float32)
    readings = Readings(time, one, one, flat)
    assert find_beats(readings) == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])


def test_targets_are_what_the_annotation_says() -> None:
    notes = Notes.make([1.0, 1.26, 1.5, 2.02, 2.5], [3.0] * 5, [60, 62, 64, 65, 67], [64] * 5)
    marks = Annotation(
        np.array([1.0, 1.5, 2.0, 2.5]), np.array([1, 0, 1, 0], bool), np.zeros(4, bool), np.full(4, -2)
    )
    targets = example(chords_of(notes), marks).targets
    assert targets["beat"].tolist() == [1, 0, 1, 1, 1]
    assert targets["downbeat"].tolist() == [1, -1, 0, 1, 0]
    half = int(tempo_class(np.array([0.5]))[0])
    assert targets["tempo"].tolist() == [half] * 4 + [-1]
    assert targets["bar"].tolist() == [0, 0, 0, 0, -1]  # two beats a bar, the first of the classes
    assert targets["place"].tolist() == [
        0,
        6,
        0,
        0,
        -1,
    ]  # 1.26 is 6.24 twelfths after the beat at 1, 2.02 near one


def test_an_excerpt_is_transposed_and_stretched_with_its_beats() -> None:
    notes = march()
    count = 48
    times = 0.4 + 0.5 * np.arange(count)
    marks = Annotation(times, np.arange(count) % 4 == 0, np.zeros(count, bool), np.zeros(count, np.int64))
    for seed in range(20):
        made = excerpt(Piece(notes, marks), 10.0, np.random.default_rng(seed))
        # Every second quaver is a beat, but for those whose notes were lost.
        beat = made.targets["beat"]
        assert 0.3 < (beat[beat >= 0] == 1).mean() < 0.7


def test_spans_and_the_lowest_note_around_are_those_of_a_plain_loop() -> None:
    draw = np.random.default_rng(0)
    onset = np.sort(draw.uniform(0, 12, 40))
    pitch = draw.integers(30, 90, 40)
    chords = chords_of(Notes.make(onset, onset + 0.1, pitch, np.full(40, 64)))
    time, count = chords.time, len(chords.time)
    lowest = [min(pitch[(onset >= a) & (onset <= a + 0.03)]) for a in time]
    around = [min(low for at, low in zip(time, lowest, strict=True) if abs(at - a) <= NEAR) for a in time]
    assert chords.features[:, 7] * 12 == pytest.approx(np.array(lowest) - around)
    columns = chords.features[:, 14 : 14 + 2 * len(SPANS)].T
    wanted = []
    for span in SPANS:
        before = [time[row] - time[row - span] if row >= span else 4.0 for row in range(count)]
        after = [time[row + span] - time[row] if row + span < count else 4.0 for row in range(count)]
        wanted += [before, after]
    assert columns == pytest.approx(np.log2(np.clip(wanted, 0.01, 4.0) / 0.25) / 2, abs=1e-5)


def test_prominence_is_that_of_a_plain_loop() -> None:
    draw = np.random.default_rng(0)
    onset, pitch = np.sort(draw.uniform(0, 12, 40)), draw.integers(30, 90, 40)
    velocity = draw.integers(20, 100, 40)
    chords = chords_of(Notes.make(onset, onset + 0.1, pitch, velocity))
    start = FEATURES - 24 - PROMINENT
    found = chords.features[:, start : start + PROMINENT].T
    rows = [np.flatnonzero((onset >= a) & (onset <= a + 0.03)) for a in chords.time]
    loudest = np.array([velocity[row].max() for row in rows])
    near = [np.abs(chords.time - a) <= NEAR for a in chords.time]
    accent = [loud - loudest[some].mean() for loud, some in zip(loudest, near, strict=True)]
    assert found[3] == pytest.approx(np.array(accent) / 24, abs=1e-5)
    for column, value in ((5, [-pitch[row].min() for row in rows]), (9, loudest.tolist())):
        for at, time in enumerate(chords.time):
            past = zip(chords.time[:at], value[:at], strict=True)
            gaps = [time - other for other, as_much in past if as_much >= value[at]]
            wanted = np.log2(np.clip(min(gaps, default=4.0), 0.01, 4.0) / 0.25) / 2
            assert found[column, at] == pytest.approx(wanted, abs=1e-5)


def test_a_change_of_harmony_is_a_small_cosine() -> None:
    chroma = np.zeros((6, 12))
    chroma[:3, 0] = chroma[3:, 7] = 1  # C three times, G three times
    half, whole, _ = changes(np.arange(6) * 0.4, chroma)
    # One chord before, two from each on: before the first nothing, at the third C against C and G.
    assert half == pytest.approx([0, 1, 1 / np.sqrt(2), 0, 1, 1])
    # Of two before (C, C) and three from it on: (C, G, G) has the cosine 1 / sqrt(5).
    assert whole[2] == pytest.approx(1 / np.sqrt(5))


SMALL = LearningOptions(
    channels=8, blocks=2, batch_size=2, seconds=10.0, steps=6, validation_steps=3, validation_seconds=20.0
)


def marches() -> list[Piece]:
    """Two pieces with their beats."""
    found = []
    for beat in (0.5, 0.7):
        count = 48
        marks = Annotation(
            0.4 + beat * np.arange(count),
            np.arange(count) % 4 == 0,
            np.zeros(count, bool),
            np.zeros(count, np.int64),
        )
        found.append(Piece(march(beat=beat), marks))
    return found


def test_a_resumed_run_is_the_same_run(tmp_path: Path) -> None:
    whole = Learning(SMALL, marches(), marches())
    whole.run(tmp_path, lambda scores: None)
    first = Learning(replace(SMALL, steps=3), marches(), marches())
    first.run(tmp_path, lambda scores: None)
    second = Learning(SMALL, marches(), marches())
    second.resume(tmp_path / CHECKPOINT)
    assert second.progress.step == 3
    second.run(tmp_path, lambda scores: None)
    for one, other in ((whole.network, second.network), (whole.averaged, second.averaged)):
        for name, values in one.state_dict().items():
            assert torch.equal(values, other.state_dict()[name]), name
    other_run = Learning(replace(SMALL, batch_size=3), marches(), marches())
    with pytest.raises(NotebeamError, match="batch_size: got 3, expected 2, with which the run began"):
        other_run.resume(tmp_path / CHECKPOINT)


def test_training_learns_the_beats_of_marches(tmp_path: Path) -> None:
    learning = Learning(
        replace(SMALL, steps=40, validation_steps=20, dropout=0.0, learning_rate=0.01), marches(), marches()
    )
    before, kept = learning.validated(), []
    learning.run(tmp_path, kept.append)
    after = learning.validated()
    assert after["beat"] < 0.7 * before["beat"]
    assert kept[-1]["loss"] == min(scores["loss"] for scores in kept) == pytest.approx(after["loss"])


def test_a_march_has_its_beats_and_key() -> None:
    found = track_beats(march())
    grid = 0.4 + 0.5 * np.arange(48)
    assert len(found) > 20
    assert np.abs(found.times[:, None] - grid).min(axis=1).max() < 0.05
    assert found.fifths == 0


@pytest.mark.parametrize(
    ("up", "fifths"), [(0, 0), (7, 1), (2, 2), (5, -1), (3, -3), (1, -5), (6, 6), (11, 5), (8, -4)]
)
def test_scales_have_their_signature(up: int, fifths: int) -> None:
    for scale in (
        (0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0),
        (-3, -1, 0, 2, 4, 5, 8, 9, 4, 0, -3),
    ):  # and its relative
        onset = np.arange(len(scale)) * 0.5
        pitch = 60 + up + np.array(scale)
        assert key_signature(Notes.make(onset, onset + 0.4, pitch, np.full(len(scale), 64))) == fifths
    assert key_signature(Notes.empty()) is None


def test_given_beats_stay_and_get_bars() -> None:
    times = 0.4 + 0.5 * np.arange(40)
    found = bars_of(times, march())
    assert found.times.tolist() == times.tolist()
    assert found.downbeat.any()


def test_too_few_notes_have_no_beat() -> None:
    with pytest.raises(NotebeamError, match=r"beats: got '3 moments at which notes begin', expected 8"):
        track_beats(Notes.make([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [60, 62, 64], [64] * 3))


def test_the_answers_are_means_of_the_networks() -> None:
    chords, networks = chords_of(march()), load_networks()
    alone = [read_chords([network], chords) for network in networks]
    both = read_chords(networks, chords)
    assert len(alone) == len(MEMBERS)
    for name in ("beat", "downbeat"):
        wanted = np.mean([getattr(one, name) for one in alone], axis=0)
        assert getattr(both, name) == pytest.approx(wanted, abs=1e-4)
    assert np.abs(alone[0].beat - both.beat).max() > 0.01  # no network is another's copy


def test_what_a_network_says_depends_on_far_chords_both_ways() -> None:
    torch.manual_seed(0)
    network, features = BeatNetwork(blocks=1).eval(), torch.zeros(1, 9, FEATURES)
    plain = network(features)["beat"]
    for changed, looked_at in ((0, 8), (8, 0)):  # the convolutions reach 2 chords
        other = features.clone()
        other[0, changed] = 1.0
        assert network(other)["beat"][0, looked_at] != plain[0, looked_at]


def test_the_weights_are_small() -> None:
    assert sum(weights_path(name).stat().st_size for name in MEMBERS) < 2_000_000
