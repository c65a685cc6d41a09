"""Every public name, called with things of the wrong type: taken, or refused in a line that says why."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import notebeam as nb
from transcribe.presets import Choice
from transcribe.settings import Settings
from transcribe.tracking import TrackOptions

STEPS = 6
SILENCE = np.zeros((STEPS, 88))
POSTERIORGRAM = nb.Posteriorgram(frame=SILENCE, onset=SILENCE, hop=0.02)
NOTES = nb.Notes.make(onset=[0.1], offset=[0.3], pitch=[60], velocity=[64])
CLOCK = nb.Clock.frames(STEPS, hop=0.02)
ROLL = CLOCK.active_roll(NOTES)
PRIOR = nb.build_prior("rnn-nade", {"units": 4, "hidden": 3})
DECODING = nb.decode(POSTERIORGRAM, None, nb.Threshold())
ALONE = nb.Transcriber(prior=None)
STREAM = nb.Stream(None, nb.Beam(look_back=2))

WRONG = [3, -1, 2.5, "x", "", b"x", [], [3], ["x"], [[1], [1, 2]], {}, (), None, True, object(), int]
WRONG += [float("nan"), float("inf"), 10**30, np.zeros(3), np.zeros((2, 3)), torch.zeros(3), 1j]


def fields(options: Any) -> dict[str, Any]:
    return {name: getattr(options, name) for name in options.__dataclass_fields__ if name[0] != "_"}


PLANES = dict.fromkeys(("frame", "onset", "offset", "velocity", "held"), SILENCE)
# Each with arguments that it takes, one of which at a time is replaced.
CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "Notes": (nb.Notes, fields(NOTES)),
    "Notes.make": (nb.Notes.make, {**fields(NOTES), "confidence": [0.5], "key_offset": [0.2]}),
    "Notes.save": (
        NOTES.save,
        {"path": "x.mid", "tempo": 120.0, "pedal": False, "beats": None, "right": None},
    ),
    "Notes.cut": (NOTES.cut, {"start": 0.0, "stop": 1.0}),
    "Notes.shifted": (NOTES.shifted, {"seconds": 1.0}),
    "Notes.transposed": (NOTES.transposed, {"semitones": 1}),
    "read_midi": (nb.read_midi, {"path": "one.mid", "pedal": "extend", "tracks": None}),
    "TrackOptions": (TrackOptions, fields(TrackOptions())),
    "Settings": (Settings, fields(Settings())),
    "Transcriber(decoder=Choice)": (
        lambda **kept: nb.Transcriber(prior=None, decoder=Choice(**kept)),
        {"method": "beam", "weight": None, "clock": "frames", "numbers": {}},
    ),
    "Clock": (nb.Clock, fields(CLOCK)),
    "Clock.frames": (nb.Clock.frames, {"count": 3, "hop": 0.02, "start": 0.0}),
    "Clock.beats": (nb.Clock.beats, {"beats": [0.0, 1.0], "divisions": 2}),
    "Clock.onsets": (nb.Clock.onsets, {"onset_times": [0.0, 1.0], "window": 0.02}),
    "Clock.steps_of": (CLOCK.steps_of, {"seconds": [0.1]}),
    "Clock.step_of": (CLOCK.step_of, {"seconds": 0.1}),
    "Clock.struck_roll": (CLOCK.struck_roll, {"notes": NOTES}),
    "Clock.active_roll": (CLOCK.active_roll, {"notes": NOTES}),
    "Clock.notes_of": (CLOCK.notes_of, {"roll": ROLL}),
    "PianoRoll": (nb.PianoRoll, fields(ROLL)),
    "Posteriorgram": (
        nb.Posteriorgram,
        {**PLANES, "hop": 0.02, "start": 0.0, "lowest": 21, "duration": 1.0, "logits": False, "model": ""},
    ),
    "Posteriorgram.at_times": (
        nb.Posteriorgram.at_times,
        {**PLANES, "times": 0.01 * np.arange(STEPS), "lowest": 21, "logits": False},
    ),
    "Posteriorgram.part": (POSTERIORGRAM.part, {"first": 0, "stop": 3}),
    "Posteriorgram.save": (POSTERIORGRAM.save, {"path": "x.npz"}),
    "Posteriorgram.load": (nb.Posteriorgram.load, {"path": "one.npz"}),
    "decode": (
        nb.decode,
        {"posteriorgrams": POSTERIORGRAM, "prior": None, "options": nb.Beam(), "clocks": CLOCK},
    ),
    "Decoding": (nb.Decoding, fields(DECODING)),
    "Stream": (nb.Stream, {"prior": PRIOR, "options": nb.Beam(look_back=2), "start": 0.0}),
    "Stream.push": (STREAM.push, {"prob": SILENCE}),
    "Threshold": (nb.Threshold, fields(nb.Threshold())),
    "Hmm": (nb.Hmm, fields(nb.Hmm())),
    "Hmm.counted": (nb.Hmm.counted, {"rolls": [ROLL.active]}),
    "Greedy": (nb.Greedy, fields(nb.Greedy())),
    "Beam": (nb.Beam, fields(nb.Beam())),
    "load_prior": (nb.load_prior, {"name_or_path": "lstm-nade/jsb", "device": "cpu"}),
    "save_prior": (nb.save_prior, {"prior": nb.load_prior("lstm-nade/jsb"), "path": "x.safetensors"}),
    "build_prior": (nb.build_prior, {"name": "rnn-nade", "options": {"units": 4, "hidden": 3}}),
    "load_acoustic": (
        nb.load_acoustic,
        {"name": "piano-small", "device": "cpu", "bfloat16": False, "cents": 0.0},
    ),
    "Transcriber": (nb.Transcriber, fields(ALONE)),
    "transcribe_posteriorgram": (ALONE.transcribe_posteriorgram, {"posteriorgram": POSTERIORGRAM}),
    "Transcription": (
        nb.Transcription,
        {"notes": NOTES, "posteriorgram": POSTERIORGRAM, "decoding": DECODING},
    ),
    "score": (nb.score, {"reference": NOTES, "estimate": NOTES, "pedal": "extend", "duration": 1.0}),
}
# Of samples: a rate or samples of another type are refused before any model listens.
SOUND = {
    "transcribe": (nb.transcribe, {"audio": np.zeros(800), "rate": 8000}),
    "a listener": (nb.load_acoustic("piano-small"), {"samples": np.zeros(800), "rate": 8000}),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    NOTES.save("one.mid")
    POSTERIORGRAM.save("one.npz")


def complaints(call: Callable[..., Any], arguments: dict[str, Any], wrong: list[Any]) -> list[str]:
    """What else than an answer or one line came of it."""
    found = []
    for name in arguments:
        for value in wrong:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    call(**(arguments | {name: value}))
                except nb.NotebeamError as error:
                    if len(str(error).splitlines()) != 1 or "expected" not in str(error):
                        found.append(f"{name}={value!r}: {error}")
                except Exception as error:
                    found.append(f"{name}={value!r}: {type(error).__name__}: {error}")
    return found


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_type_is_an_answer_or_one_line(name: str) -> None:
    call, arguments = CALLS[name]
    call(**arguments)
    assert complaints(call, arguments, WRONG) == []


@pytest.mark.parametrize("name", SOUND)
def test_samples_of_a_wrong_type_are_one_line(name: str) -> None:
    call, arguments = SOUND[name]
    some = [value for value in WRONG if not isinstance(value, np.ndarray | torch.Tensor)]
    assert complaints(call, arguments, some) == []


def test_no_public_name_is_left_out() -> None:
    tried = {name.partition(".")[0] for name in CALLS} | {"transcribe"}
    # A class to be written, one that is raised, and a function without arguments.
    assert set(nb.__all__) - tried == {"Prior", "NotebeamError", "list_priors"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nb.Notes(3, 4, 5, 6), r"Notes\.onset: got 3, expected an array of float64, \(N,\)"),
        (lambda: nb.PianoRoll(3, 4), r"PianoRoll\.clock: got 4, expected a Clock"),
        (lambda: nb.PianoRoll(3, CLOCK), r"PianoRoll\.active: got 3, expected bool \(6, 88\)"),
        (lambda: nb.Clock.frames("x", 3), r"Clock\.frames\(count\): got 'x', expected an integer >= 0"),
        (lambda: nb.Clock.frames(3, "x"), r"Clock\.frames\(hop\): got 'x', expected seconds > 0"),
        (lambda: nb.read_midi(3), r"path: got 3, expected a path, of a MIDI file"),
        (
            lambda: nb.read_midi("a.mid", pedal="down"),
            r"read_midi\(pedal\): got 'down', expected one of",
        ),
        (lambda: nb.read_midi("a.mid", tracks="Piano"), r"read_midi\(tracks\): got 'Piano', expected a coll"),
        (lambda: nb.load_prior(None), r"load_prior: got None, expected a prior's name or the path"),
        (lambda: nb.load_acoustic("piano", "tpu"), r"load_acoustic\(device\): got 'tpu', expected a device"),
        (
            lambda: nb.build_prior("rnn-nade", [3]),
            r"build_prior\(options\): got 'list of 1', expected a table",
        ),
        (
            lambda: nb.Transcriber(stop="x"),
            r"Transcriber\.stop: got 'x', expected seconds after the start",
        ),
        (
            lambda: nb.Transcriber(decoder="threshold"),
            r"Transcriber\.decoder: got 'threshold', expected options \(Threshold\(\), ",
        ),
        (lambda: nb.Transcriber(device="cuda:9").load(audio=True), r"Transcriber\.device: got 'cuda:9'"),
        (lambda: nb.Transcriber(model="tpiano").load(audio=True), r"Transcriber\.model: got 'tpiano'"),
        (lambda: nb.Transcriber(prior="bach").load(audio=False), r"Transcriber\.prior: got 'bach'"),
        (lambda: NOTES.save("notes.txt"), r"Notes\.save\(path\): got 'notes\.txt', expected a path that"),
        (lambda: nb.Transcriber(settings=3), r"Transcriber\.settings: got 3, expected Settings, their file"),
        (lambda: nb.transcribe(np.zeros(9), "44100"), r"rate: got '44100', expected samples a second"),
        (lambda: nb.score(NOTES, 3), r"score: got 3, expected Notes, or the path of a file"),
        (lambda: nb.Beam(width="wide"), r"Beam\.width: got 'wide', expected an integer 1\.\."),
    ],
)
def test_the_line_says_what_was_expected(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(nb.NotebeamError, match=message):
        call()
