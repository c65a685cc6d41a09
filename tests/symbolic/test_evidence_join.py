"""The join: its surroundings against plain loops, its search against itself, its fit, refusals."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.testing import assert_close

from symbolic.clock import Clock
from symbolic.decoding.decode import decode
from symbolic.decoding.evidence import evidence_of, frames_clock
from symbolic.decoding.options import Beam
from symbolic.decoding.streaming import Stream
from symbolic.errors import NotebeamError
from symbolic.notes import Notes, write_tsv
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors import repetition
from symbolic.priors.base import PriorCard
from symbolic.priors.evidence_join import EvidenceJoin, EvidenceJoinOptions, candidates
from symbolic.priors.loading import load_prior
from symbolic.priors.repetition import chords_of, recall
from symbolic.priors.surroundings import (
    PLANES,
    Onsets,
    log_odds_count,
    number_count,
    planes_of,
    surroundings,
)
from symbolic.training.boosting import Growth, grow
from symbolic.training.join import JoinTraining, card_of, fit, main, quality
from symbolic.training.labelled_onsets import Judged, deviation, judged, labels, split
from symbolic.trees import TreeOptions, Trees


def random_posteriorgram(
    frames: int, seed: int, often: float = 0.002, hop: float = 0.02, model: str = ""
) -> Posteriorgram:
    """Random planes with a few peaks of any height."""
    draw = np.random.default_rng(seed)
    frame, onset, offset, held = draw.uniform(0, 0.005, (4, frames, 88)).astype(np.float32)
    peaks = draw.random((frames, 88)) < often
    onset[peaks] = draw.uniform(0.02, 0.98, int(peaks.sum()))
    velocity = draw.uniform(0, 1, (frames, 88)).astype(np.float32)
    return Posteriorgram(
        frame=frame, onset=onset, offset=offset, held=held, velocity=velocity, hop=hop, model=model
    )


def random_join(seed: int = 0, networks: int = 2) -> EvidenceJoin:
    torch.manual_seed(seed)
    join = EvidenceJoin(EvidenceJoinOptions(hidden=8, networks=networks)).eval()
    for network in join.networks:
        torch.nn.init.normal_(network[-1].weight, std=2.0)  # type: ignore[index]
    return join


def onsets_of(posteriorgram: Posteriorgram) -> Onsets:
    clock = frames_clock(posteriorgram, 0.04)
    return candidates(evidence_of(posteriorgram, clock, "struck"))[1]


def numbers_of(posteriorgram: Posteriorgram, onsets: Onsets, block: int = 8192) -> NDArray[np.float32]:
    """(N, F), in the onsets' order."""
    result = np.full((len(onsets.key), EvidenceJoinOptions().inputs), np.nan, dtype=np.float32)
    for places, numbers in surroundings(posteriorgram, onsets, block=block):
        result[places] = numbers
    return result


def test_the_search_finds_the_join_s_own_choice_in_every_clip_of_a_batch() -> None:
    """With weight 1 and no penalty keys are independent: each onset is on where the join's odds are even."""
    join = random_join()
    clips = [random_posteriorgram(200, 1), random_posteriorgram(350, 2), random_posteriorgram(90, 3)]
    wide = Beam(width=4, candidates=1024, switchable=10, prune=np.inf)
    for clip, found in zip(clips, decode(clips, join, wide), strict=True):
        where, onsets = candidates(found.evidence)
        with torch.no_grad():
            odds = join.judge(torch.from_numpy(numbers_of(clip, onsets)))
        expected = np.zeros(found.roll.shape, dtype=bool)
        expected[where] = odds.numpy() > 0
        assert expected.any()
        assert (found.roll == expected).all()
        alone = decode(clip, join, wide)
        assert (alone.roll == found.roll).all()
        assert alone.costs[0] == pytest.approx(found.costs[0], rel=1e-5)


def test_an_untrained_join_is_the_acoustic_model() -> None:
    join, clip = EvidenceJoin(EvidenceJoinOptions(hidden=4)).eval(), random_posteriorgram(200, 1)
    found = decode(clip, join, Beam())
    assert (found.roll == (found.evidence.prob > 0.5)).all()


def test_the_posterior_is_that_of_the_keys_which_the_search_chooses() -> None:
    join, clips = random_join(), [random_posteriorgram(steps, steps) for steps in (200, 120)]
    for found in decode(clips, join, Beam(prior_weight=1.0)):
        assert found.posterior is not None and found.posterior.shape == found.roll.shape
        assert ((found.posterior > 0.5) == found.roll).mean() > 0.999
        assert found.roll.any() and not found.roll.all()
    assert decode(clips[0], None, Beam()).posterior is None


def test_blocks_and_whole_find_the_same() -> None:
    join, clip = random_join(), random_posteriorgram(400, 4)
    whole, blocks = (decode(clip, join, Beam(look_back=look_back)) for look_back in (0, 50))
    assert (whole.roll == blocks.roll).all()


def test_steps_played_at_once_are_steps_played_one_by_one() -> None:
    clips = [random_posteriorgram(60, 5), random_posteriorgram(80, 6)]
    evidence = [evidence_of(clip, frames_clock(clip, 0.04), "struck") for clip in clips]
    with torch.no_grad():
        prior = random_join().conditioned_on(clips, evidence)
    rows = (torch.rand(2, 7, 88, generator=torch.Generator().manual_seed(0)) < 0.1).float()
    state, total = prior.initial_state(2), torch.zeros(2)
    for step in range(7):
        total += prior.log_prob(state, rows[:, step, None])[:, 0]
        state = prior.advance(state, rows[:, step])
    at_once, after = prior.play(prior.initial_state(2), rows, torch.tensor([7, 7]))
    assert_close(at_once, total)
    assert all(torch.equal(after[name], state[name]) for name in state)
    some, short = prior.play(prior.initial_state(2), rows, torch.tensor([3, 7]))
    assert_close(some[1], total[1])
    assert short["step"].tolist() == [3, 7]


def test_the_join_s_likelihood_is_that_of_independent_keys() -> None:
    """log P_s + log P_a is a distribution: the product of the join's own probabilities."""
    clip = random_posteriorgram(40, 7)
    evidence = evidence_of(clip, frames_clock(clip, 0.04), "struck")
    with torch.no_grad():
        prior = random_join().conditioned_on([clip], [evidence])
    row = (torch.rand(88, generator=torch.Generator().manual_seed(1)) < 0.2).float()
    prob = torch.from_numpy(evidence.prob[0]).clamp(1e-6, 1 - 1e-6).double()
    acoustic = torch.where(row > 0, prob, 1 - prob).log().sum()
    chance = prior.chance[0, 0].double()
    expected = torch.where(row > 0, chance, 1 - chance).log().sum()
    found = prior.log_prob(prior.initial_state(1), row[None, None])[0, 0].double() + acoustic
    assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_chords_of_hours_are_compared_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What surrounds them is made for a stretch of them at a time, and is the same for any stretch."""
    import tracemalloc

    for name, value in (("BLOCK", 32), ("NEAR_CHORDS", 32)):
        monkeypatch.setattr(repetition, name, value)
    chords = (np.random.default_rng(1).random((3000, 88)) < 0.05).astype(np.float32)
    found, peaks = [], []
    for contexts in (4096, 64):
        monkeypatch.setattr(repetition, "CONTEXTS", contexts)
        tracemalloc.start()
        found.append(recall(chords))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    for one, other in zip(*([*parts, best] for parts, best in found), strict=True):
        np.testing.assert_array_equal(one, other)
    results = 3 * chords.nbytes
    assert peaks[1] - results < 0.2 * (peaks[0] - results)


def test_recall_is_a_weighted_mean_over_the_other_moments() -> None:
    draw = np.random.default_rng(0)
    chords = (draw.random((30, 88)) < 0.05).astype(np.float32)
    found, best = recall(chords)
    around = np.zeros((30, 8, 88))
    shifts = [-4, -3, -2, -1, 1, 2, 3, 4]
    for n in range(30):
        for place, far in enumerate(shifts):
            if 0 <= n + far < 30:
                around[n, place] = chords[n + far]
    flat = around.reshape(30, -1)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-3)
    for n in range(30):
        others = [m for m in range(30) if m != n]
        alike = np.array([flat[n] @ flat[m] for m in others])
        for part, sharpness in zip(found, (6.0, 12.0, 30.0), strict=True):
            weight = np.exp(sharpness * alike)
            np.testing.assert_allclose(part[n], weight @ chords[others] / weight.sum(), atol=1e-4)
        assert best[n] == pytest.approx(alike.max(), abs=1e-4)


def test_a_key_that_is_weak_here_is_remembered_from_where_it_was_strong() -> None:
    """A tune played twice; one note of the second time is half as probable."""
    tune = [40, 44, 47, 52, 51, 47, 45, 42, 40, 38, 44, 50]
    key = np.array(tune * 2)
    time = np.arange(len(key), dtype=np.float64) * 0.3 + 0.5
    prob = np.full(len(key), 0.95, dtype=np.float32)
    prob[len(tune) + 6] = 0.5
    _, chords, place = chords_of(key, time, prob)
    assert len(chords) == 2 * len(tune)
    remembered = recall(chords)[0][2][place[len(tune) + 6]]
    assert remembered.argmax() == tune[6]
    assert remembered[tune[6]] > 0.9


def test_surroundings_do_not_depend_on_the_order_of_the_onsets_or_on_blocks() -> None:
    clip = random_posteriorgram(9000, 8, often=0.0005)  # three minutes: what lies far away is in no block
    onsets = onsets_of(clip)
    expected = numbers_of(clip, onsets)
    assert np.isfinite(expected).all()
    order = np.random.default_rng(0).permutation(len(onsets.key))
    np.testing.assert_allclose(numbers_of(clip, onsets.take(order)), expected[order], atol=2e-3)
    np.testing.assert_allclose(numbers_of(clip, onsets, block=50), expected, atol=2e-3)


def test_an_onset_s_window_is_read_around_it_and_nothing_lies_beyond_the_edges() -> None:
    plane = np.zeros((40, 88), dtype=np.float32)
    plane[3, 87], plane[5, 87] = 0.9, 0.6
    clip = Posteriorgram(frame=plane, onset=plane, offset=plane, held=plane, velocity=plane, hop=0.02)
    onset = Onsets(np.array([87]), np.array([3]), np.array([0.06]), np.array([0.9], dtype=np.float32))
    numbers = numbers_of(clip, onset)[0]
    own = numbers[1:22]  # frames -10..10
    nothing = np.log(0.001 / 0.999)
    assert own[10] == pytest.approx(np.log(9), abs=1e-5)
    assert own[12] == pytest.approx(np.log(1.5), abs=1e-5)
    np.testing.assert_allclose(np.delete(own, [10, 12]), nothing, atol=1e-4)


@pytest.mark.parametrize("count", [0, 1])
def test_almost_nothing_played(count: int) -> None:
    nothing, onset = np.zeros((2, 50, 88), dtype=np.float32)
    onset[20, 30 : 30 + count] = 0.9
    clip = Posteriorgram(frame=nothing, onset=onset, offset=nothing, held=nothing, velocity=nothing, hop=0.02)
    join = EvidenceJoin(EvidenceJoinOptions(hidden=4)).eval()  # untrained: the acoustic model's own judgement
    assert decode(clip, join).roll.sum() == count


def test_what_it_cannot_read_is_refused() -> None:
    clip, join = random_posteriorgram(100, 9, often=0.01), random_join()
    bare = Posteriorgram(frame=clip.frame, onset=clip.onset, hop=0.02, source="theirs.npz")
    with pytest.raises(NotebeamError, match=r"theirs\.npz: got 'no plane offset'"):
        decode(bare, join)
    with pytest.raises(NotebeamError, match="got 'steps alone', expected posteriorgrams"):
        Stream(join, Beam(look_back=10))


@pytest.mark.parametrize("planes", [1, 2, 3, 4])
def test_fewer_planes_give_fewer_numbers_of_which_the_first_are_log_odds(planes: int) -> None:
    even = np.full((200, 88), 0.5, dtype=np.float32)
    clip = Posteriorgram(frame=even, onset=even, offset=even, held=even, velocity=even, hop=0.02)
    onset = Onsets(np.array([44]), np.array([100]), np.array([2.0]), np.array([0.5], dtype=np.float32))
    ((_, numbers),) = surroundings(clip, onset, planes)
    assert numbers.shape == (1, number_count(planes))
    assert number_count(planes) == 298 - 14 * (planes < 2) - 16 * (planes < 3) - 34 * (planes < 4)
    assert not numbers[0, : log_odds_count(planes)].any()  # an even chance everywhere
    bare = Posteriorgram(frame=even, onset=even, hop=0.02)
    assert (planes_of(clip), planes_of(bare)) == (4, 1)
    ((_, same),) = surroundings(bare, onset, 1)
    if planes == 1:
        np.testing.assert_array_equal(numbers, same)


def test_a_join_of_fewer_planes_reads_posteriorgrams_that_have_no_more() -> None:
    clip = random_posteriorgram(200, 4, often=0.01)
    bare = Posteriorgram(frame=clip.frame, onset=clip.onset, hop=0.02)
    torch.manual_seed(0)
    join = EvidenceJoin(EvidenceJoinOptions(hidden=8, planes=1, inputs=234)).eval()
    np.testing.assert_array_equal(decode(clip, join).roll, decode(bare, join).roll)


def test_frames_half_as_long_tell_the_same() -> None:
    clip = random_posteriorgram(300, 5, often=0.01)
    planes: dict[str, Any] = {name: np.repeat(getattr(clip, name), 2, axis=0) for name in ("frame", *PLANES)}
    fine, onsets = Posteriorgram(**planes, hop=0.01), onsets_of(clip)
    twice = Onsets(onsets.key, 2 * onsets.frame, onsets.time, onsets.prob)
    np.testing.assert_allclose(numbers_of(fine, twice), numbers_of(clip, onsets), atol=1e-5)


def test_posteriorgrams_of_another_acoustic_model_and_other_steps_are_refused() -> None:
    join = random_join()
    join.card = PriorCard(
        name="mine", model="evidence-join", options={}, visible=88, clock={"kind": "frames", "hop": 0.04},
        plane="struck", data="", licence="", command="", acoustic_model="piano",
    )  # fmt: skip
    assert decode(random_posteriorgram(50, 1, model="piano"), join).roll.shape[1] == 88
    with pytest.raises(NotebeamError, match="got \"acoustic model 'other'\", expected 'piano'"):
        decode(random_posteriorgram(50, 1, model="other"), join)
    with pytest.raises(NotebeamError, match=r"0\.04 s"):
        decode(random_posteriorgram(50, 1), join, clocks=Clock.frames(50, 0.02))


def test_labels_are_the_likeliest_onset_within_reach_of_each_note() -> None:
    time = np.array([1.00, 1.05, 2.00, 3.00, 1.02])
    onsets = Onsets(np.array([5, 5, 5, 5, 6]), np.zeros(5, np.int64), time,
                    np.array([0.6, 0.7, 0.9, 0.8, 0.9], dtype=np.float32))  # fmt: skip
    # Everything was heard 10 ms late.
    notes = Notes.make(np.array([0.99, 1.99, 1.01]), np.array([1.5, 2.5, 1.5]), np.array([26, 26, 27]),
                       np.array([64, 64, 64]))  # fmt: skip
    assert deviation(onsets, notes) == pytest.approx(0.01)
    assert labels(onsets, notes).tolist() == [0, 1, 1, 0, 1]


def played(onsets: Onsets, chosen: NDArray[np.bool_]) -> Notes:
    """Notes of 0.1 s at those onsets."""
    time, pitch = onsets.time[chosen], onsets.key[chosen] + 21
    return Notes.make(time, time + 0.1, pitch, np.full(len(pitch), 64))


def test_a_fit_learns_which_onsets_are_notes() -> None:
    """Onsets below key 40 are never notes, whatever the acoustic model thinks."""
    data = []
    for seed in range(6):
        clip = random_posteriorgram(1500, 20 + seed)
        onsets = onsets_of(clip)
        data.append(judged(clip, played(onsets, (onsets.key >= 40) & (onsets.prob > 0.1))))
    join = fit(data[:5], JoinTraining(epochs=40, batch_size=128, hidden=32, networks=1, trees=20))
    before, after = quality(data[5:], None), quality(data[5:], join)
    assert after.nats < before.nats / 2
    assert after.onset_f > 0.9 > before.onset_f


def test_trees_are_those_that_were_grown() -> None:
    """As tensors and by scikit-learn they say the same."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(600, 298)).astype(np.float16).astype(np.float32)
    struck = inputs[:, 3] * inputs[:, 5] + 0.3 * draw.normal(size=600) > 0
    trees = Trees(TreeOptions(count=12))
    growth = Growth(leaf_size=10, inputs=1.0)
    grow(trees, torch.from_numpy(inputs), torch.from_numpy(struck), growth)
    model = HistGradientBoostingClassifier(
        learning_rate=0.12, max_iter=12, max_leaf_nodes=20, max_depth=8, min_samples_leaf=10,
        l2_regularization=5.0, max_bins=64, early_stopping=False, random_state=0,
    ).fit(inputs, struck)  # fmt: skip
    found = trees(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(found, model.decision_function(inputs), atol=1e-4)
    assert found.std() > 0.3


def test_a_tree_by_hand() -> None:
    """Is input 1 above 0.5? Then 2; else, is input 0 above 1? Then -1, else 3."""
    trees = Trees(TreeOptions(count=1, leaves=3, depth=2))
    trees.feature[0], trees.limit[0] = torch.tensor([1, 0, 0, 0, 0]), torch.tensor([0.5, 1, 0, 0, 0])
    trees.below[0], trees.above[0] = torch.tensor([1, 3, 2, 3, 4]), torch.tensor([2, 4, 2, 3, 4])
    trees.value[0], trees.start[0] = torch.tensor([0.0, 0, 2, 3, -1]), 10.0
    inputs = torch.tensor([[0.0, 1.0], [2.0, 0.5], [1.0, 0.0]])
    assert trees(inputs).tolist() == [12.0, 9.0, 13.0]


def test_quality_counts_by_hand() -> None:
    inputs = torch.zeros(3, 298, dtype=torch.float16)
    inputs[:, 0] = torch.tensor([2.0, 2.0, -2.0])  # log-odds
    part = Judged(inputs, torch.tensor([1.0, 0.0, 1.0]), notes=4)
    found = quality([part], None)
    right, wrong = np.log1p(np.exp(-2)), np.log1p(np.exp(2))
    assert found.nats == pytest.approx((right + 2 * wrong) / 4, rel=1e-5)
    assert found.onset_f == pytest.approx(2 * 1 / (2 + 4))


def test_a_split_keeps_compositions_and_instruments_apart() -> None:
    empty = torch.zeros(0, 298)
    data = [
        Judged(empty, torch.zeros(0), 0, composition=composition, instrument=instrument)
        for composition in "abcdef"
        for instrument in ("grand", "upright")
    ]
    rest, held = split(data, ["upright"])
    assert {(p.composition, p.instrument) for p in held} == {("a", "upright"), ("d", "upright")}
    assert {p.composition for p in rest} == set("bcef")
    assert {p.instrument for p in rest} == {"grand"}


def write_recordings(folder: Path, frames: int = 400) -> None:
    """Two posteriorgrams whose every onset is a note, and their list."""
    folder.mkdir()
    for seed in range(2):
        clip = random_posteriorgram(frames, 40 + seed, model="piano")
        onsets = onsets_of(clip)
        clip.save(folder / f"{seed}.npz")
        write_tsv(folder / f"{seed}.tsv", played(onsets, np.ones(len(onsets.key), dtype=bool)))
    lines = ["name,composition,instrument", "0,a,grand", "1,b,upright", "later,c,grand"]
    (folder / "recordings.csv").write_text("\n".join(lines) + "\n")


def test_the_command_fits_and_writes_a_prior_that_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, target = tmp_path / "made", tmp_path / "own.safetensors"
    write_recordings(folder)
    assert main(["--epochs", "1", "--trees", "3", "--posteriorgrams", str(folder), "-o", str(target)]) == 0
    prior = load_prior(target)
    assert isinstance(prior, EvidenceJoin)
    card = prior.require_card()
    assert card.acoustic_model == "piano"
    assert "one's own" in card.data  # the list names no corpus
    assert card.command == (
        "python -m symbolic.training.join --model piano --floor 0.01 --networks 3 --hidden 128 --epochs 1 "
        "--trees 3 --seed 0"
    )
    assert decode(random_posteriorgram(100, 50, model="piano"), prior).roll.shape[1] == 88
    assert (
        main(["--epochs", "1", "--trees", "0", "--posteriorgrams", str(folder), "--hold-out", "grand"]) == 0
    )
    assert "1 recordings to learn from, 1 held out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("corpora", "licence", "data"),
    [
        (("pop909", "exercise"), "MIT", "2 posteriorgrams of own: POP909 songs, notes drawn by chance; on"),
        (("pop909", "asap"), "CC BY-NC-SA", "2 posteriorgrams of own: ASAP performances, POP909 songs; on"),
        (("pop909", ""), "that of the recordings", "2 posteriorgrams of own: recordings of one's own"),
    ],
)
def test_the_card_of_a_join_says_what_it_was_fitted_to(
    corpora: tuple[str, str], licence: str, data: str
) -> None:
    heard = [judged(random_posteriorgram(50, 1), Notes.empty(), corpus=corpus) for corpus in corpora]
    card = card_of("own", heard, EvidenceJoinOptions(), "own", "")
    assert card.licence.startswith(licence)
    assert card.data.startswith(data)


def test_recordings_without_an_onset_are_judged_too() -> None:
    nothing = np.zeros((50, 88), dtype=np.float32)
    clip = Posteriorgram(frame=nothing, **dict.fromkeys(PLANES, nothing), hop=0.02)
    silent = judged(clip, Notes.make([0.5], [0.6], [60], [64]))
    assert silent.inputs.shape == (0, 298)
    heard = random_posteriorgram(1500, 3)
    onsets = onsets_of(heard)
    join = fit([silent, judged(heard, played(onsets, onsets.prob > 0.5))], JoinTraining(epochs=1, trees=0))
    assert quality([silent], join) == quality([silent], None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"floor": 0.0}, "floor: got 0.0, expected a probability"),
        ({"floor": 1.0}, "floor: got 1.0, expected a probability"),
        ({"planes": 0}, "planes: got 0, expected 1 to 4"),
        ({"planes": 9}, "planes: got 9, expected 1 to 4"),
        ({"planes": 1}, "inputs: got 298, expected 234, those of 1 planes"),
    ],
)
def test_sizes_that_fit_no_posteriorgram_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(NotebeamError, match=message):
        EvidenceJoinOptions(**change)


@pytest.mark.parametrize(
    ("change", "given", "message"),
    [
        ({"model": "theirs"}, [], "posteriorgram of 1: got \"model 'theirs'\", expected 'piano', as of 0"),
        ({"velocity": None}, [], "posteriorgram of 1: got 'the planes frame, onset, offset, held'"),
        ({}, ["--model", "theirs"], "--model: got 'theirs', expected 'piano'"),
    ],
)
def test_recordings_of_different_systems_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], given: list[str], message: str
) -> None:
    folder = tmp_path / "made"
    write_recordings(folder)
    replace(Posteriorgram.load(folder / "1.npz"), **change).save(folder / "1.npz")
    for target in (["-o", str(tmp_path / "own.safetensors")], ["--hold-out", "upright"]):
        assert main(["--posteriorgrams", str(folder), *given, *target]) == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "own.safetensors").exists()


def test_the_command_says_in_one_line_what_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "symbolic.training.join", "--posteriorgrams", str(tmp_path)]
    command += ["-o", str(tmp_path / "own.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "recordings.csv" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_is_below_the_floor_stays_as_it_was_heard() -> None:
    clip = random_posteriorgram(200, 6, often=0.02)
    torch.manual_seed(1)
    options = EvidenceJoinOptions(hidden=8, floor=0.4)
    join = EvidenceJoin(options).eval()
    torch.nn.init.constant_(join.networks[0][-1].bias, -99.0)  # type: ignore[index]  # nothing judged is a note
    evidence = evidence_of(clip, frames_clock(clip, 0.04), "struck")
    with torch.inference_mode():
        found = join.conditioned_on([clip], [evidence]).posterior()[0].numpy()
    heard = evidence.prob.clip(1e-6, 1 - 1e-6)
    below = heard < 0.4
    np.testing.assert_allclose(found[below], heard[below], atol=1e-5)
    assert (heard >= 0.4).any() and not found[~below].round(6).any()
