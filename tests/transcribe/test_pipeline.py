"""From a posteriorgram to notes, by every decoder, and the rules of `Transcriber`."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles_transcribe import assert_same_notes, ideal, notes

from acoustic.loading import read_card, weights_path
from symbolic.decoding import streaming
from symbolic.decoding.decode import decode
from symbolic.decoding.options import Beam, Greedy, Hmm, Threshold
from symbolic.devices import device_named
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.base import Prior, PriorCard
from symbolic.priors.loading import load_prior, save_prior
from symbolic.priors.registry import build_prior
from transcribe import models
from transcribe import options as transcription_options
from transcribe.models import fitting_prior
from transcribe.pipeline import Transcriber
from transcribe.posteriorgrams import between
from transcribe.presets import JOINS, MODEL, PRIOR, Choice
from transcribe.settings import Settings
from transcribe.transcription import Transcription

HOP = 0.02


def alone(posteriorgram: Posteriorgram, **options: Any) -> Transcription:
    return Transcriber(prior=None, **options).transcribe_posteriorgram(posteriorgram)


# Chords, a trill of one key struck again while it sounds, the ends of the keyboard, a short and a long note.
MUSIC = notes(
    (0.10, 0.90, 60, 64),
    (0.10, 0.90, 64, 80),
    (0.11, 0.90, 67, 30),
    (1.00, 1.21, 72, 100),
    (1.21, 1.42, 72, 90),
    (1.42, 1.90, 72, 110),
    (1.50, 1.56, 21, 20),
    (2.00, 3.70, 108, 127),
    (2.03, 2.50, 40, 1),
)


def saved_prior(path: Path, **changes: object) -> Path:
    """A small untrained prior."""
    torch.manual_seed(0)
    sizes = {"visible": 88, "units": 4, "hidden": 3}
    prior = build_prior("lstm-nade", sizes)
    fields = {
        "name": "test",
        "model": "lstm-nade",
        "options": sizes,
        "visible": 88,
        "clock": {"kind": "frames", "hop": 0.05},
        "plane": "struck",
        "data": "none",
        "licence": "MIT",
        "command": "none",
    }
    prior.card = PriorCard(**(fields | changes))
    save_prior(prior, path)
    return path


# The chain is one of strokes, which do not last.
@pytest.mark.parametrize(
    "decoder",
    [Threshold(threshold=0.3), Hmm(off_after_off=0.7, off_after_on=0.9), Greedy(), Beam()],
)
def test_played_notes_come_back_within_a_frame(decoder: object) -> None:
    found = alone(ideal(MUSIC), decoder=decoder)
    assert_same_notes(found.notes, MUSIC, seconds=HOP)


@pytest.mark.parametrize("hop", [0.01, 256 / 22050, 0.032])
def test_other_systems_hops_are_read(hop: float) -> None:
    found = alone(ideal(MUSIC, hop=hop))
    assert_same_notes(found.notes, MUSIC, seconds=hop)


def test_times_begin_where_the_first_frame_lies() -> None:
    found = alone(ideal(MUSIC.shifted(60.0), start=59.7))
    assert_same_notes(found.notes, MUSIC.shifted(60.0), seconds=HOP)


def test_a_posteriorgram_of_sounding_keys_alone_gives_its_runs() -> None:
    played = notes((0.20, 0.60, 60, 64), (0.40, 1.00, 64, 64))
    found = alone(replace(ideal(played), onset=None, offset=None, velocity=None))
    assert_same_notes(found.notes, played, seconds=0.04)


def test_silence_gives_no_notes_and_nothing_at_all_is_refused() -> None:
    assert len(alone(ideal(Notes.empty(), duration=2.0)).notes) == 0
    none = np.zeros((0, 88), dtype=np.float32)
    nothing = Posteriorgram(none, none, None, None, hop=HOP, source="song.npz")
    with pytest.raises(NotebeamError, match=r"song\.npz: got '0 frames', expected at least 1"):
        alone(nothing)


def test_start_and_stop_keep_the_recordings_times() -> None:
    wanted = MUSIC.cut(0.95, 1.98)
    assert len(wanted) == 4
    assert_same_notes(alone(ideal(MUSIC), start=0.95, stop=1.98).notes, wanted, seconds=HOP)


def test_start_after_the_end_names_the_recording() -> None:
    with pytest.raises(NotebeamError, match=r"song\.npz: got '0\.0 to 4\.2 s', expected frames between 9 s"):
        between(ideal(MUSIC), 9.0, None, "song.npz")


def test_a_prior_sets_step_and_plane_and_votes(tmp_path: Path) -> None:
    path = saved_prior(tmp_path / "prior.safetensors")
    found = Transcriber(prior=path, decoder=Beam(prior_weight=0.5)).transcribe_posteriorgram(ideal(MUSIC))
    assert np.diff(found.decoding.clock.times)[0] == pytest.approx(0.05)
    assert found.decoding.prior_log_prob is not None
    assert found.decoding.prior_log_prob[0] < 0


def test_a_long_recording_is_decoded_as_a_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved_prior(tmp_path / "prior.safetensors")
    transcriber, calls = Transcriber(prior=str(path), decoder=Beam(prior_weight=0.5)), []
    whole = transcriber.transcribe_posteriorgram(ideal(MUSIC))
    monkeypatch.setattr(transcription_options, "LONG", 1.0)
    monkeypatch.setattr(streaming.Window, "push", counted(streaming.Window.push, calls))
    monkeypatch.setattr(transcription_options, "LOOK_BACK", 10)
    streamed = transcriber.transcribe_posteriorgram(ideal(MUSIC))
    assert len(calls) > 5
    assert_same_notes(streamed.notes, whole.notes, seconds=1e-6)
    assert streamed.notes.confidence == pytest.approx(whole.notes.confidence, abs=1e-6)
    assert np.array_equal(streamed.decoding.rolls, whole.decoding.rolls[:1])
    assert streamed.decoding.prior_log_prob == pytest.approx(whole.decoding.prior_log_prob[:1])


def counted(method: Callable[..., Any], calls: list[int]) -> Callable[..., Any]:
    """The method, each call of it noted."""

    def call(*args: Any) -> Any:
        calls.append(1)
        return method(*args)

    return call


def test_a_prior_of_beats_is_refused(tmp_path: Path) -> None:
    path = saved_prior(tmp_path / "prior.safetensors", clock={"kind": "beats", "divisions": 4})
    expected = r"Transcriber\.prior: got '.*, with steps of beats', expected a prior with steps of frames"
    with pytest.raises(NotebeamError, match=expected):
        Transcriber(prior=str(path)).transcribe_posteriorgram(ideal(MUSIC))


def test_threshold_loads_no_prior() -> None:
    transcriber = Transcriber(prior="no such prior", decoder=Threshold(threshold=0.3))
    assert_same_notes(transcriber.transcribe_posteriorgram(ideal(MUSIC)).notes, MUSIC, seconds=HOP)


def test_a_prior_of_ones_own_is_handed_over_as_an_object() -> None:
    torch.manual_seed(0)
    prior = build_prior("lstm-nade", {"visible": 88, "units": 4, "hidden": 3}).eval()
    found = Transcriber(prior=prior, decoder=Beam(prior_weight=0.1)).transcribe_posteriorgram(ideal(MUSIC))
    assert found.decoding.prior_log_prob is not None and found.decoding.prior_log_prob[0] < 0


def test_a_transcriber_is_pickled_without_its_models(tmp_path: Path) -> None:
    path = saved_prior(tmp_path / "prior.safetensors")
    transcriber = Transcriber(prior=str(path), decoder=Beam(prior_weight=0.1))
    ideal(MUSIC).save(tmp_path / "music.npz")
    first = transcriber(tmp_path / "music.npz").notes
    packed = pickle.dumps(transcriber)
    assert len(packed) < 2000
    again = pickle.loads(packed)(tmp_path / "music.npz").notes
    assert_same_notes(again, first, seconds=0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": "tpu"}, "Transcriber.device: got 'tpu', expected one of auto"),
        ({"tuning": 44_000.0}, "Transcriber.tuning: got 44000.0, expected Hz of A4, 370 to 523"),
        ({"start": -1.0}, "Transcriber.start: got -1.0, expected seconds"),
        ({"onset_shift": 20.0}, "Transcriber.onset_shift: got 20.0, expected seconds, -1 to 1"),
        ({"decoder": "beam"}, "Transcriber.decoder: got 'beam', expected options (Threshold(), Hmm(), "),
        ({"start": 3.0, "stop": 2.0}, "Transcriber.stop: got 2.0, expected seconds after the start, 3"),
        ({"prior": 3}, "Transcriber.prior: got 3, expected a Prior, its name or file, or None"),
        ({"model": None}, "Transcriber.model: got None, expected a name or file"),
    ],
)
def test_options_that_make_no_sense_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(NotebeamError) as error:
        Transcriber(**change)
    assert message in str(error.value)


def test_a_missing_device_is_refused_and_never_replaced() -> None:
    assert device_named("cpu") == torch.device("cpu")
    if not torch.cuda.is_available():
        with pytest.raises(
            NotebeamError, match=r"device: got 'cuda', expected a device of this machine \(cpu"
        ):
            device_named("cuda")
        with pytest.raises(NotebeamError, match="place: got 'cuda:0', expected a device of this machine"):
            device_named(torch.device("cuda", 0), "place")
    assert device_named(torch.device("cpu")) == torch.device("cpu")
    assert device_named(torch.device("meta")) == torch.device("meta")


def test_a_gpu_beyond_the_last_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [device_named(name) for name in ("auto", "cuda", "cuda:1")] == [
        torch.device(name) for name in ("cuda", "cuda", "cuda:1")
    ]
    for beyond in ("cuda:2", torch.device("cuda", 2)):
        with pytest.raises(NotebeamError, match=r"device: got 'cuda:2', expected a device of this machine"):
            device_named(beyond)


def test_the_python_door_is_light_and_needs_no_audio_library(tmp_path: Path) -> None:
    ideal(MUSIC).save(tmp_path / "music.npz")
    code = f"""
import sys
import transcribe
assert "numpy" not in sys.modules and "torch" not in sys.modules
from transcribe.models import fitting_prior
from transcribe.pipeline import Transcriber
found = Transcriber(prior=None)({str(tmp_path / "music.npz")!r})
assert len(found.notes) == {len(MUSIC)}
heavy = [name for name in ("librosa", "soundfile", "soxr", "matplotlib", "mir_eval") if name in sys.modules]
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_list_of_files_is_refused_by_name() -> None:
    with pytest.raises(NotebeamError, match=r"transcribe\(audio\): got 'a list of files', expected one file"):
        Transcriber()(["a.wav", "b.wav"])


@pytest.mark.parametrize(
    ("audio", "got"), [(None, "None"), (b"a.wav", "b'a.wav'"), (ideal(MUSIC, hop=HOP), "'Posteriorgram'")]
)
def test_what_is_neither_file_nor_samples_is_refused_by_name(audio: Any, got: str) -> None:
    expected = r"a file or samples \(transcribe_posteriorgram takes a Posteriorgram\)"
    with pytest.raises(NotebeamError, match=rf"^transcribe\(audio\): got {got}, expected {expected}"):
        Transcriber()(audio)


def test_the_pipelines_hmm_is_the_decoders_with_its_transitions() -> None:
    """Transitions that end every note at once and rarely begin one: far from a threshold."""
    posteriorgram = ideal(MUSIC, hop=HOP)
    hmm = Hmm(off_after_off=0.999999, off_after_on=0.5)
    whole = np.asarray(alone(posteriorgram, decoder=hmm).decoding.roll)
    assert (whole == np.asarray(decode(posteriorgram, None, hmm).roll)).all()
    plain = alone(posteriorgram, decoder=Threshold())
    assert whole.sum() < np.asarray(plain.decoding.roll).sum()


def test_onsets_are_shifted_by_the_card_of_the_model_or_as_told() -> None:
    posteriorgram = ideal(MUSIC, hop=HOP)
    ours = replace(posteriorgram, model=MODEL)
    other, own = alone(posteriorgram).notes, alone(ours, dynamics=False).notes
    shift = read_card(weights_path(MODEL).with_suffix(".json")).onset_shift
    np.testing.assert_allclose(own.onset, other.onset + shift)
    np.testing.assert_allclose(alone(ours, onset_shift=0.03).notes.onset, other.onset + 0.03)
    np.testing.assert_allclose(own.velocity, other.velocity)


def test_velocities_of_our_models_are_corrected_and_nothing_else() -> None:
    played = notes(
        *((0.2 * step, 0.2 * step + 0.1, 60 + step % 5, 40 + 40 * (step % 2)) for step in range(1, 30))
    )
    for model, corrected in (("piano", True), ("piano-small", True), ("piano-free", False), ("other", False)):
        heard = replace(ideal(played), model=model)
        own, other = (alone(heard, dynamics=dynamics).notes for dynamics in (True, False))
        assert (own.velocity != other.velocity).any() == corrected
        assert_same_notes(replace(own, velocity=other.velocity), other, seconds=0.0)
    without = alone(replace(ideal(played), model="piano", velocity=None)).notes
    assert set(without.velocity.tolist()) == {64}


def asked(monkeypatch: pytest.MonkeyPatch, posteriorgram: Posteriorgram, **options: Any) -> str:
    """The name of the prior that the transcriber loads for a posteriorgram."""
    names, load = list[str](), models.load_prior

    def noted(name: str, device: torch.device) -> Prior:
        names.append(name)
        return load(name, device)

    monkeypatch.setattr(models, "load_prior", noted)
    Transcriber(**options).transcribe_posteriorgram(posteriorgram)
    return names[0]


def test_a_join_is_for_whole_posteriorgrams_of_its_acoustic_model_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By default; where it cannot be used the prior of notes is."""
    held = np.zeros_like(ideal(MUSIC).frame)
    ours = replace(ideal(MUSIC), held=held, model="piano")
    assert asked(monkeypatch, ours) == JOINS["piano"].name
    assert asked(monkeypatch, replace(ours, held=None)) == PRIOR
    assert asked(monkeypatch, replace(ours, model="oracle")) == PRIOR
    assert asked(monkeypatch, replace(ours, model="piano-small")) == JOINS["piano-small"].name
    assert asked(monkeypatch, replace(ours, model="piano-free")) == JOINS["piano-free"].name
    onset = np.zeros_like(held)
    onset[5::10, 30:35] = 0.5  # as of strings: every strike is in doubt
    strings = replace(ours, onset=onset)
    assert asked(monkeypatch, strings) == PRIOR
    notices: list[str] = []
    for name, posteriorgram in (("strings", strings), ("piano", ours), ("other", replace(strings, model=""))):
        posteriorgram.save(tmp_path / f"{name}.npz")
        Transcriber()(tmp_path / f"{name}.npz", notice=notices.append)
    assert len(notices) == 1 and "piano" in notices[0]  # of another system's it cannot be told
    # Numbers that somebody chose are for a prior of notes.
    assert asked(monkeypatch, ours, decoder=Beam(prior_weight=0.1)) == PRIOR
    assert asked(monkeypatch, ours, decoder=Choice(weight=0.1)) == PRIOR
    assert asked(monkeypatch, ours, prior=PRIOR) == PRIOR


def test_a_join_for_another_system_needs_no_more_planes_than_that_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    music = ideal(MUSIC)
    theirs = Posteriorgram(music.frame, music.onset, hop=music.hop, model="basic-pitch")
    assert asked(monkeypatch, theirs) == JOINS["basic-pitch"].name
    # Settings that somebody fitted are for a prior of notes, and weights of another file make other mistakes.
    assert asked(monkeypatch, theirs, settings=Settings(front_end="basic-pitch")) == PRIOR
    assert asked(monkeypatch, theirs, model="mine.onnx") == PRIOR
    assert fitting_prior("basic-pitch", 0, Choice(), "frames") == PRIOR  # no plane of onsets


def test_joins_belong_to_the_models_that_they_are_listed_for() -> None:
    for model, join in JOINS.items():
        card = load_prior(join.name).require_card()
        assert (card.acoustic_model, card.options.get("planes", 4)) == (model, join.planes)


def test_a_join_decides_with_weight_1_and_finds_what_is_certain() -> None:
    held = np.zeros_like(ideal(MUSIC).frame)
    found = Transcriber().transcribe_posteriorgram(replace(ideal(MUSIC), held=held, model="piano"))
    alone = Transcriber(prior=None).transcribe_posteriorgram(ideal(MUSIC))
    assert found.decoding.prior_log_prob is not None and alone.decoding.prior_log_prob is None
    # Cost: log P_a and log P_s in full, and no penalty.
    total = found.decoding.acoustic_log_prob + found.decoding.prior_log_prob
    np.testing.assert_allclose(found.decoding.costs, -total, rtol=1e-4)


def test_a_join_for_another_acoustic_model_is_refused() -> None:
    with pytest.raises(NotebeamError, match="acoustic model 'oracle'.*expected 'piano'"):
        Transcriber(prior=JOINS["piano"].name).transcribe_posteriorgram(
            replace(ideal(MUSIC), held=np.zeros_like(ideal(MUSIC).frame))
        )
