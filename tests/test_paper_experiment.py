"""The arithmetic of the paper's experiment: steps and sound, choices, intervals, the level that is sought."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.lib import classic_audio
from benchmarks.lib.classic_audio import chosen, condition, notes_of_piece, step_clock
from benchmarks.lib.decoder_trials import Counts, Pieces, Point, best_of, count, gain, tuned_search
from benchmarks.paper_experiment import _crossing, done, main
from benchmarks.reporting import paper_tables
from symbolic.decoding.evidence import Evidence, sounding_evidence
from symbolic.decoding.options import Beam, Greedy, Threshold
from symbolic.evaluation.accuracy import bay_accuracy
from symbolic.pitch import LOWEST
from symbolic.posteriorgram import Posteriorgram


def small_roll() -> np.ndarray:
    roll = np.zeros((4, 88), dtype=np.bool_)
    roll[0:2, 39] = roll[2, 40] = roll[3, [39, 43]] = True
    return roll


def test_a_roll_sounds_at_its_steps_and_is_heard_at_them() -> None:
    roll = small_roll()
    notes = notes_of_piece("jsb", "test", 0, roll)
    assert notes.pitch.tolist() == [LOWEST + key for key in (39, 40, 39, 43)]
    assert notes.onset.tolist() == [0.0, 1.0, 1.5, 1.5]
    assert notes.offset.tolist() == [1.0, 1.5, 2.0, 2.0]
    # A perfect ear, whose frames 20 ms apart say exactly what sounds: no step hears its neighbour.
    times = 0.02 * np.arange(100) + 0.01
    frame = np.zeros((100, 88), dtype=np.float32)
    for onset, offset, pitch in zip(notes.onset, notes.offset, notes.pitch, strict=True):
        frame[(times >= onset) & (times < offset), pitch - LOWEST] = 1.0
    posteriorgram = Posteriorgram(frame=frame, hop=0.02, start=0.01)
    assert np.array_equal(sounding_evidence(posteriorgram, step_clock("jsb", 4)).prob, roll)


def test_conditions_are_what_they_say() -> None:
    audio = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    assert np.array_equal(condition("clean")(audio), audio)
    share = {}
    for name in ("white -10 dB", "pink -10 dB"):
        noise = condition(name)(audio) - audio
        assert 10 * np.log10(np.mean(audio**2) / np.mean(noise**2)) == pytest.approx(-10, abs=0.1)
        power = np.abs(np.fft.rfft(noise)) ** 2
        share[name] = power[: len(power) // 10].sum() / power.sum()
    assert share["white -10 dB"] == pytest.approx(0.1, abs=0.02)
    assert share["pink -10 dB"] > 0.5


def test_pieces_are_spread_over_the_split() -> None:
    pieces = chosen("jsb", "test")
    assert len(pieces) == 2 * classic_audio.PIECES["test"]
    assert (pieces[0][0], pieces[-1][0]) == (0, 76)
    assert all(len(roll) <= classic_audio.EXCERPT_SECONDS / 0.5 for _, roll in pieces)


def test_accuracies_are_pooled_and_gains_are_paired() -> None:
    true = [small_roll(), small_roll()[:2]]
    worse = [true[0].copy(), true[1].copy()]
    worse[0][0, 39], worse[0][0, 50] = False, True
    ours, theirs = count(true, true), count(worse, true)
    assert float(theirs.bay()) == bay_accuracy(np.concatenate(worse), np.concatenate(true))
    assert float(theirs.acc12()) == pytest.approx(5 / 6)  # one of six steps has no key right
    value, low, high = gain(ours, theirs, Counts.acc12)
    # Drawn alone, piece 0 loses a step in four and piece 1 none.
    assert (value, low, high) == (pytest.approx(1 / 6), 0.0, pytest.approx(1 / 4))
    assert gain(theirs, theirs, Counts.bay) == (0.0, 0.0, 0.0)


def quick_pieces() -> Pieces:
    roll = small_roll()
    prob = np.where(roll, 0.3, 0.01).astype(np.float32)
    time = np.zeros(prob.shape)
    evidence = Evidence(prob, time, time.astype(np.int32), step_clock("jsb", 4), "active")
    return Pieces([evidence], [roll])


def test_the_best_settings_on_the_pieces_are_chosen() -> None:
    tried = [Threshold(threshold=value) for value in (0.005, 0.1, 0.5)]
    choice = best_of(quick_pieces(), None, tried)
    assert choice.options == Threshold(threshold=0.1)
    assert choice.valid_bay == 1.0


def test_a_search_near_another_is_no_worse_than_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without a prior's weight the note penalty decides alone: 0.3 is on where it gives back 0.85 nats.
    monkeypatch.setattr("benchmarks.lib.decoder_trials.NOTE_NATS", 0.0)
    start = best_of(quick_pieces(), None, [Point(1.0, -0.5).search(Beam, 0.5)])
    assert start.valid_bay == 0.0
    near = tuned_search(quick_pieces(), None, Greedy, 0.5, start)  # type: ignore[arg-type]
    assert isinstance(near.options, Greedy)
    assert near.options.note_penalty == pytest.approx(-0.9)
    assert near.valid_bay == 1.0


def test_the_level_sought_lies_between_those_known() -> None:
    known = {40.0: 0.9, 0.0: 0.6, -10.0: 0.4}
    assert _crossing(known, 0.55) == -2.5
    assert _crossing(known, 0.75) == 20.0
    assert _crossing(known, 0.3) == -16.0  # below all of them: further down


def test_a_set_without_its_priors_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.paper_experiment.weights", lambda folder: {})
    output = tmp_path / "answer.json"
    with pytest.raises(SystemExit) as stopped:
        main(["-o", str(output), "--sets", "musedata", "--runs", str(tmp_path)])
    assert stopped.value.code == 2
    assert "--train --rows rnn-nade --sets musedata" in capsys.readouterr().err
    assert not output.exists()


def test_what_the_report_has_is_not_measured_again(tmp_path: Path) -> None:
    output = tmp_path / "answer.json"
    assert done(output) == set()
    output.write_text(json.dumps({"rows": [{"set": "jsb", "condition": "room", "heard": "room"}]}))
    assert done(output) == {("jsb", "room")}
    assert main(["-o", str(output), "--sets", "jsb", "--conditions", "room"]) == 0
    assert len(json.loads(output.read_text())["rows"]) == 1


def test_the_curve_has_a_line_for_each_condition_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = {"bay": 0.5, "valid_bay": 0.5, "gain_bay": 0.1, "gain_bay_low": 0.0, "gain_bay_high": 0.2}
    rows = [
        {"set": "jsb", "decoder": decoder, "prior": prior, "condition": condition} | cells
        for condition in ("clean", "room")
        for decoder, prior in (("hmm tuned", ""), ("beam", paper_tables.BEST))
    ]
    report = {"rows": rows, "command": "c", "commit": "a", "date": "d", "machine": "m"}
    monkeypatch.setattr(paper_tables, "read_report", lambda name: report)
    table = paper_tables.paper_curve()
    assert [line.split(" | ")[0] for line in table.splitlines()[2:4]] == ["| clean", "| room"]
    assert "50.0, 50.0 (**+10.0**, +0.0 to +20.0)" in table
