"""Bars in the MIDI, and priors whose steps are fractions of the beat, as a user asks for them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import mido
import numpy as np
import pytest
from oracles_transcribe import assert_same_notes, ideal

from symbolic.clock import Clock, PianoRoll
from symbolic.errors import NotebeamError
from symbolic.metre import Beats
from symbolic.midi import read_midi
from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram
from transcribe.beat_steps import beats_of, notes_at_beats, steps_of_beats, transposed
from transcribe.cli import main
from transcribe.pipeline import Transcriber
from transcribe.presets import AT_BEATS, PRESETS, TRACK, Choice
from transcribe.settings import Settings

BEAT = 0.55  # seconds
# Four voices, a step a beat, in D; the chorales' prior knows C.
CHORALE = [
    (50, 57, 66, 74), (57, 61, 64, 76), (50, 57, 66, 78), (55, 59, 67, 79),
    (50, 57, 66, 78), (52, 59, 67, 76), (57, 61, 64, 73), (57, 61, 64, 73),
    (47, 62, 66, 74), (55, 62, 67, 71), (52, 59, 67, 76), (57, 64, 67, 73),
    (50, 62, 66, 74), (50, 62, 66, 74), (50, 62, 66, 74), (50, 62, 66, 74),
]  # fmt: skip


def sung() -> tuple[Notes, Beats]:
    """The chorale by a choir that hurries and drags, and its beats."""
    times = 0.4 + BEAT * np.arange(len(CHORALE)) + 0.04 * np.sin(np.arange(len(CHORALE)))
    roll = np.zeros((len(CHORALE), 88), dtype=np.bool_)
    for step, pitches in enumerate(CHORALE):
        roll[step, np.array(pitches) - 21] = True
    clock = Clock(times, "beats")
    return clock.notes_of(PianoRoll(roll, clock)), Beats(times, np.arange(len(times)) % 4 == 0)


def command(*args: str | Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "transcribe", *map(str, args)]
    return subprocess.run(words, capture_output=True, text=True)


def rendered(notes: Notes, path: Path) -> None:
    """Decaying tones of ten harmonics: enough of a piano for the acoustic model."""
    import soundfile

    rate = 16_000
    audio = np.zeros(round((float(notes.offset.max()) + 1) * rate))
    for onset, offset, pitch in zip(notes.onset, notes.offset, notes.pitch, strict=True):
        time = np.arange(round((offset - onset + 0.08) * rate)) / rate
        pitch_hz = 440 * 2 ** ((pitch - 69) / 12)
        tone = sum(
            np.sin(2 * np.pi * pitch_hz * h * time) * 0.6**h * np.exp(-time * (1 + h)) for h in range(1, 11)
        )
        damped = tone * np.clip((offset - onset + 0.08 - time) / 0.08, 0, 1) * np.clip(time / 0.004, 0, 1)
        first = round(onset * rate)
        audio[first : first + len(time)] += 0.08 * damped
    soundfile.write(path, audio, rate)


def test_a_rendered_chorale_by_the_chorales_prior(tmp_path: Path) -> None:
    notes, beats = sung()
    rendered(notes, tmp_path / "chorale.wav")
    beats.save(tmp_path / "beats.txt")
    options = ["--clock", "beats", "--prior", "rnn-rbm/jsb", "--beats", tmp_path / "beats.txt"]
    done = command(tmp_path / "chorale.wav", *options)
    assert done.returncode == 0, done.stderr
    assert "4 beats a bar" in done.stderr
    found = read_midi(tmp_path / "chorale.mid")
    wanted = {(round((on - 0.4) / BEAT), int(p)) for on, p in zip(notes.onset, notes.pitch, strict=True)}
    got = {(round((on - 0.4) / BEAT), int(p)) for on, p in zip(found.onset, found.pitch, strict=True)}
    assert len(wanted & got) / len(wanted | got) > 0.8, (wanted - got, got - wanted)
    metres = [m for m in mido.MidiFile(tmp_path / "chorale.mid").tracks[0] if m.type == "time_signature"]
    # A bar that leads in, then four beats a bar, quarters or, if the tracker takes them so, dotted ones.
    assert [(m.numerator, m.denominator) for m in metres[1:]] in ([(4, 4)], [(12, 8)])


@pytest.mark.parametrize("prior", ["lstm-nade/jsb", "rnn-nade/nottingham"])
def test_clear_evidence_comes_back_at_the_beats(prior: str) -> None:
    notes, beats = sung()
    found = Transcriber(clock="beats", prior=prior, beats=beats).transcribe_posteriorgram(ideal(notes))
    assert_same_notes(found.notes, notes, seconds=0.03)
    assert found.decoding.clock.kind == "beats" and found.decoding.plane == "active"
    assert found.beats is beats
    # In the recording's key, whatever the prior was shown.
    sounding = {int(key) + 21 for key in np.flatnonzero(found.decoding.roll.any(axis=0))}
    assert sounding == set(notes.pitch.tolist())


@pytest.mark.parametrize(("division", "steps"), [(2, 2), (3, 3)])
def test_a_step_of_the_tunes_is_an_eighth(division: Literal[2, 3], steps: int) -> None:
    notes, beats = sung()
    counted = replace(beats, division=division)
    found = Transcriber(clock="beats", prior="rnn-nade/nottingham", beats=counted).transcribe_posteriorgram(
        ideal(notes)
    )
    times, inside = found.decoding.clock.times, beats.times[0] - 1e-6
    times = times[(times > inside) & (times < beats.times[-1] + 1e-6)]
    assert times == pytest.approx(Clock.beats(beats.times, steps).times)


def test_a_prior_trained_in_c_serves_every_key() -> None:
    notes, beats = sung()
    costs = []
    for up in (0, 1, -3):
        played = ideal(notes.transposed(up))
        found = Transcriber(clock="beats", prior="lstm-nade/jsb", beats=beats).transcribe_posteriorgram(
            played
        )
        assert found.decoding.prior_log_prob is not None
        costs.append(found.decoding.prior_log_prob[0])
    assert costs == pytest.approx([costs[0]] * 3, rel=1e-4)


def test_quick_notes_between_the_steps_stay() -> None:
    notes, beats = sung()
    at = float((beats.times[5] + beats.times[6]) / 2)
    quick = Notes.make(
        [*notes.onset, at], [*notes.offset, at + 0.2], [*notes.pitch, 81], [*notes.velocity, 64]
    )
    found = Transcriber(clock="beats", prior="lstm-nade/jsb", beats=beats).transcribe_posteriorgram(
        ideal(quick)
    )
    assert np.abs(found.notes.onset[found.notes.pitch == 81] - at) == pytest.approx([0.0], abs=0.02)


def test_steps_go_on_before_the_first_beat_and_after_the_last() -> None:
    beats = Beats(np.array([2.0, 2.5, 3.1]), np.array([True, False, False]))
    clock = steps_of_beats(beats, 2, 0.0, 4.0)
    assert clock.times[0] <= 0.0 and clock.end > 4.0
    assert set(np.round([1.75, 2.0, 2.25, 2.5, 2.8, 3.1, 3.4, 3.7], 6)) <= set(clock.times.round(6))


def test_planes_are_shifted_without_coming_round() -> None:
    frame = np.zeros((1, 88), dtype=np.float32)
    frame[0, [0, 40, 87]] = 0.5
    moved = transposed(Posteriorgram(frame=frame, onset=frame, hop=0.02), 3)
    assert np.flatnonzero(moved.frame[0]).tolist() == [3, 43] == np.flatnonzero(moved.onset[0]).tolist()
    moved = transposed(Posteriorgram(frame=frame, hop=0.02), -3)
    assert np.flatnonzero(moved.frame[0]).tolist() == [37, 84]


def test_tracked_beats_change_no_times(tmp_path: Path) -> None:
    notes, _ = sung()
    ideal(notes).save(tmp_path / "c.npz")
    assert main([str(tmp_path / "c.npz"), "-q", "-o", str(tmp_path / "plain.mid")]) == 0
    assert main([str(tmp_path / "c.npz"), "-q", "--beats", "auto", "-o", str(tmp_path / "bars.mid")]) == 0
    plain, bars = read_midi(tmp_path / "plain.mid"), read_midi(tmp_path / "bars.mid")
    assert_same_notes(bars, plain, seconds=1e-3)
    kinds = [message.type for message in mido.MidiFile(tmp_path / "bars.mid").tracks[0]]
    assert kinds.count("set_tempo") > 3 and "key_signature" in kinds


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("1.0\n0.5\n", 2, "b.txt line 2: got '0.5', expected a beat after the one before, 1 s"),
        ("1.0\n", 2, "b.txt: got '1 beats', expected two at least"),
        ("1.0\n2.0\n15.0\n", 1, "b.txt: got 'a beat at 15 s', expected beats of the recording, 0 to 9."),
    ],
)
def test_bad_beats_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, code: int, line: str
) -> None:
    ideal(sung()[0]).save(tmp_path / "c.npz")
    (tmp_path / "b.txt").write_text(text)
    assert main([str(tmp_path / "c.npz"), "--beats", str(tmp_path / "b.txt")]) == code
    error = capsys.readouterr().err
    assert line in error and len(error.splitlines()) == 1
    assert not (tmp_path / "c.mid").exists()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--clock", "beats"],
            "--clock beats: got 'no prior', expected --decoder beam or greedy, and --prior",
        ),
        (["--clock", "beats", "--prior", "rnn-rbm/jsb", "--decoder", "hmm"], "--prior: got 'rnn-rbm/jsb'"),
        (
            ["--prior", "rnn-rbm/jsb"],
            "--prior: got 'rnn-rbm/jsb', expected a prior with steps of frames (event-rnn",
        ),
        (["--clock", "beats", "--prior", "event-rnn-nade/piano"], "with steps of beats (biaxial/jsb, "),
        (["--beats", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_what_does_not_fit_the_clock_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], line: str
) -> None:
    ideal(sung()[0]).save(tmp_path / "c.npz")
    assert main([str(tmp_path / "c.npz"), *options]) == 2
    error = capsys.readouterr().err
    assert line in error and len(error.splitlines()) == 1


def test_one_file_of_beats_is_for_one_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "b.txt").write_text("1\n2\n")
    for name in ("c", "d"):
        ideal(sung()[0]).save(tmp_path / f"{name}.npz")
    (tmp_path / "two").write_text(f"{tmp_path / 'c.npz'}\n{tmp_path / 'd.npz'}\n")
    (tmp_path / "folder").write_text(f"{tmp_path}\n")
    (tmp_path / "one").write_text(f"{tmp_path / 'c.npz'}\n")
    beats = ["--beats", str(tmp_path / "b.txt"), "-o", str(tmp_path / "out"), "-q"]
    several = [["c.npz", "d.npz"], ["."], ["--manifest", "two"], ["--manifest", "folder"]]
    for words in [*several, ["c.npz", "--manifest", "one"]]:
        inputs = [word if word.startswith("--") else str(tmp_path / word) for word in words]
        assert main([*inputs, *beats]) == 2
        assert "got 'several inputs', expected one recording, or --beats auto" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["--manifest", str(tmp_path / "one"), *beats]) == 0
    assert len(list((tmp_path / "out").rglob("c.mid"))) == 1


def test_the_report_says_metre_and_tempo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes, beats = sung()
    ideal(notes).save(tmp_path / "c.npz")
    beats.save(tmp_path / "b.txt")
    words = [str(tmp_path / "c.npz"), "--decoder", "threshold", "--report", str(tmp_path / "r")]
    assert main([*words, "--beats", str(tmp_path / "b.txt")]) == 0
    assert f"notes, 4 beats a bar, {beats.tempo:.0f} a minute (" in capsys.readouterr().err
    assert main(words) == 0
    assert "a bar" not in capsys.readouterr().err
    with_beats, without = map(json.loads, (tmp_path / "r").read_text().splitlines())
    assert (with_beats["beats_a_bar"], with_beats["tempo_bpm"]) == (4, pytest.approx(beats.tempo, abs=0.06))
    assert without["beats_a_bar"] is without["tempo_bpm"] is None


def test_of_a_front_ends_settings_the_temperature_holds_at_beats() -> None:
    settings = Settings(front_end="mine", temperature=1.7, prior_weight=0.4, note_penalty=3.0)
    tuned = AT_BEATS["beam"]
    assert Choice(clock="beats").options(None, prior=True) == tuned
    assert Choice(clock="beats").options(settings, prior=True) == replace(tuned, temperature=1.7)
    chosen = Choice(clock="beats", weight=0.5, numbers={"width": 3, "temperature": 2.0})
    # The penalty goes with the weight: 3 nats a note.
    wanted = replace(tuned, prior_weight=0.5, note_penalty=-1.5, width=3, temperature=2.0)
    assert chosen.options(settings, prior=True) == wanted
    with pytest.raises(
        NotebeamError, match=r"Transcriber\.decoder: .* expected a choice for the clock beats"
    ):
        Transcriber(clock="beats", prior="rnn-nade/jsb", decoder=Choice())


def test_the_decoder_that_is_left_out_is_the_preset_at_beats() -> None:
    notes, beats = sung()
    costs = [
        Transcriber(clock="beats", prior="rnn-nade/jsb", beats=beats, decoder=decoder)
        .transcribe_posteriorgram(ideal(notes))
        .decoding.costs[0]
        for decoder in (None, AT_BEATS["beam"], PRESETS["beam"])
    ]
    assert costs[0] == costs[1] != costs[2]


def test_another_systems_posteriorgram_at_beats() -> None:
    notes, beats = sung()
    played = replace(ideal(notes), model="mine")
    settings = Settings(front_end="mine", onset_shift=0.1)
    transcriber = Transcriber(clock="beats", prior="rnn-nade/jsb", beats=beats, settings=settings)
    found = transcriber.transcribe_posteriorgram(played).notes
    assert_same_notes(replace(found, onset=found.onset - 0.1), notes, seconds=0.03)


def test_too_few_notes_in_samples_are_reported_and_the_notes_stay() -> None:
    faults: list[NotebeamError] = []
    transcriber = Transcriber(model="piano-small", prior=None, beats="auto")
    result = transcriber(np.zeros(16_000), rate=16_000, damage=faults.append)
    assert result.beats is None and len(faults) == 1
    assert str(faults[0]).startswith("samples: beats: got '0 moments")


@pytest.mark.parametrize("score", [False, True])
def test_too_few_notes_for_beats_are_written_without_bars(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, score: bool
) -> None:
    few = Notes.make([0.5, 1.0, 1.7], [0.9, 1.5, 2.0], [60, 64, 67], [64, 80, 90])
    ideal(few).save(tmp_path / "c.npz")
    report = tmp_path / "r.jsonl"
    asked = ["--score", str(tmp_path / "c.musicxml")] if score else ["--beats", "auto"]
    if score:
        (tmp_path / "c.musicxml").write_text("of an earlier run")
    assert main([str(tmp_path / "c.npz"), *asked, "-q", "--report", str(report)]) == 1
    without = "the notes are written without bars" + (", and there is no score" if score else "")
    assert capsys.readouterr().err == (
        f"transcribe: {tmp_path}/c.npz: beats: got '3 moments at which notes begin', "
        f"expected 8 at least, or beats that are given; {without}\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.mid", "c.npz", "r.jsonl"]
    assert_same_notes(read_midi(tmp_path / "c.mid"), few, seconds=0.03)
    line = json.loads(report.read_text())
    assert (line["status"], line["notes"], line["beats_a_bar"]) == ("damaged", 3, None)
    # From Python, where nobody is told, it is an error; and a prior that counts in beats can do nothing.
    with pytest.raises(NotebeamError, match="beats: got '3 moments"):
        Transcriber(beats="auto", prior=None).transcribe_posteriorgram(ideal(few))
    assert main([str(tmp_path / "c.npz"), "--clock", "beats", "--prior", "rnn-nade/jsb"]) == 1
    assert "expected 8 at least, or beats that are given\n" in capsys.readouterr().err


def test_beats_outside_the_recording_write_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ideal(sung()[0]).save(tmp_path / "c.npz")
    (tmp_path / "beats.txt").write_text("100\n101\n")
    assert main([str(tmp_path / "c.npz"), "--beats", str(tmp_path / "beats.txt")]) == 1
    assert "beats.txt: got 'a beat at 100 s'" in capsys.readouterr().err
    assert not (tmp_path / "c.mid").exists()


def test_beats_in_python_are_checked_against_the_recording() -> None:
    beats = Beats(np.array([1.0, 50.0]), np.array([True, False]))
    with pytest.raises(NotebeamError, match=r"beats: got 'a beat at 50 s'"):
        beats_of(Notes.empty(), beats, 0.0, 10.0)


def test_a_posteriorgram_without_onsets_gives_notes_of_whole_steps() -> None:
    notes, beats = sung()
    frames = Posteriorgram(frame=ideal(notes).frame, hop=0.02)
    found = Transcriber(clock="beats", prior="lstm-nade/jsb", beats=beats).transcribe_posteriorgram(frames)
    again = notes_at_beats(found.decoding, frames, TRACK)
    assert np.abs(again.onset[:, None] - beats.times).min(axis=1).max() < 1e-6
