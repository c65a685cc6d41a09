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
from oracles_transcribe import assert_same_notes, heard, notes

from symbolic.decoding import streaming
from symbolic.decoding.decode import decode
from symbolic.decoding.options import DecodeOptions, Transitions
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.base import PriorCard
from symbolic.priors.loading import save_prior
from symbolic.priors.registry import build_prior
from transcribe import TranscribeOptions, Transcriber, pipeline, transcribe_posteriorgram
from transcribe.pipeline import between, device_of
from transcribe.presets import MODEL

HOP = 0.02
ALONE = TranscribeOptions(prior=None)

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


@pytest.mark.parametrize("method", ["threshold", "hmm", "greedy", "beam"])
def test_played_notes_come_back_within_a_frame(method: str) -> None:
    chain = Transitions.tuned(0.7, 0.9)  # of strokes, which do not last
    options = replace(ALONE, decode=DecodeOptions(method=method, threshold=0.3, transitions=chain))
    found = transcribe_posteriorgram(heard(MUSIC), options)
    assert_same_notes(found.notes, MUSIC, seconds=HOP)


@pytest.mark.parametrize("hop", [0.01, 256 / 22050, 0.032])
def test_other_systems_hops_are_read(hop: float) -> None:
    found = transcribe_posteriorgram(heard(MUSIC, hop=hop), ALONE)
    assert_same_notes(found.notes, MUSIC, seconds=hop)


def test_times_begin_where_the_first_frame_lies() -> None:
    found = transcribe_posteriorgram(heard(MUSIC.shifted(60.0), start=59.7), ALONE)
    assert_same_notes(found.notes, MUSIC.shifted(60.0), seconds=HOP)


def test_a_posteriorgram_of_sounding_keys_alone_gives_its_runs() -> None:
    played = notes((0.20, 0.60, 60, 64), (0.40, 1.00, 64, 64))
    alone = replace(heard(played), onset=None, offset=None, velocity=None)
    found = transcribe_posteriorgram(alone, ALONE)
    assert_same_notes(found.notes, played, seconds=0.04)


def test_silence_gives_no_notes_and_nothing_at_all_is_refused() -> None:
    assert len(transcribe_posteriorgram(heard(Notes.empty(), duration=2.0), ALONE).notes) == 0
    none = np.zeros((0, 88), dtype=np.float32)
    nothing = Posteriorgram(none, none, None, None, hop=HOP, source="song.npz")
    with pytest.raises(NotebeamError, match=r"song\.npz: got '0 frames', expected at least 1"):
        transcribe_posteriorgram(nothing, ALONE)


def test_start_and_stop_keep_the_recordings_times() -> None:
    options = replace(ALONE, start=0.95, stop=1.98)
    wanted = MUSIC.cut(0.95, 1.98)
    assert len(wanted) == 4
    assert_same_notes(transcribe_posteriorgram(heard(MUSIC), options).notes, wanted, seconds=HOP)


def test_start_after_the_end_names_the_recording() -> None:
    with pytest.raises(NotebeamError, match=r"song\.npz: got '0\.0 to 4\.2 s', expected frames between 9 s"):
        between(heard(MUSIC), 9.0, None, "song.npz")


def test_a_prior_sets_step_and_plane_and_votes(tmp_path: Path) -> None:
    path = saved_prior(tmp_path / "prior.safetensors")
    options = TranscribeOptions(prior=str(path), decode=DecodeOptions(prior_weight=0.5))
    found = transcribe_posteriorgram(heard(MUSIC), options)
    assert np.diff(found.decoding.clock.times)[0] == pytest.approx(0.05)
    assert found.decoding.prior_log_prob is not None
    assert found.decoding.prior_log_prob[0] < 0


def test_a_long_recording_is_decoded_as_a_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved_prior(tmp_path / "prior.safetensors")
    options = TranscribeOptions(prior=str(path), decode=DecodeOptions(prior_weight=0.5))
    whole, asked = transcribe_posteriorgram(heard(MUSIC), options), []
    monkeypatch.setattr(pipeline, "LONG", 1.0)
    monkeypatch.setattr(streaming.Window, "hear", counted(streaming.Window.hear, asked))
    monkeypatch.setattr(pipeline, "LOOK_BACK", 10)
    streamed = transcribe_posteriorgram(heard(MUSIC), options)
    assert len(asked) > 5
    assert_same_notes(streamed.notes, whole.notes, seconds=1e-6)


def counted(method: Callable[..., Any], calls: list[int]) -> Callable[..., Any]:
    """The method, each call of it noted."""

    def call(*args: Any) -> Any:
        calls.append(1)
        return method(*args)

    return call


def test_a_prior_of_beats_is_refused(tmp_path: Path) -> None:
    path = saved_prior(tmp_path / "prior.safetensors", clock={"kind": "beats", "divisions": 4})
    with pytest.raises(
        NotebeamError, match=r"prior .*: got 'steps of beats', expected a prior with steps of"
    ):
        transcribe_posteriorgram(heard(MUSIC), TranscribeOptions(prior=str(path)))


def test_threshold_loads_no_prior() -> None:
    options = TranscribeOptions(
        prior="no such prior", decode=DecodeOptions(method="threshold", threshold=0.3)
    )
    assert_same_notes(transcribe_posteriorgram(heard(MUSIC), options).notes, MUSIC, seconds=HOP)


def test_a_transcriber_is_pickled_without_its_models(tmp_path: Path) -> None:
    path = saved_prior(tmp_path / "prior.safetensors")
    transcriber = Transcriber(TranscribeOptions(prior=str(path), decode=DecodeOptions(prior_weight=0.1)))
    heard(MUSIC).save(tmp_path / "music.npz")
    first = transcriber(tmp_path / "music.npz").notes
    packed = pickle.dumps(transcriber)
    assert len(packed) < 2000
    again = pickle.loads(packed)(tmp_path / "music.npz").notes
    assert_same_notes(again, first, seconds=0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": "tpu"}, "TranscribeOptions.device: got 'tpu', expected one of auto"),
        ({"tuning": 44_000.0}, "TranscribeOptions.tuning: got 44000.0, expected Hz of A4, 370 to 523"),
        ({"start": -1.0}, "TranscribeOptions.start: got -1.0, expected seconds"),
        ({"start": 3.0, "stop": 2.0}, "TranscribeOptions.stop: got 2.0, expected seconds after start, 3"),
    ],
)
def test_options_that_make_no_sense_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(NotebeamError) as error:
        TranscribeOptions(**change)
    assert message in str(error.value)


def test_a_missing_device_is_refused_and_never_replaced() -> None:
    assert device_of("cpu") == torch.device("cpu")
    if not torch.cuda.is_available():
        with pytest.raises(
            NotebeamError, match=r"device: got 'cuda', expected a device of this machine \(cpu"
        ):
            device_of("cuda")


def test_the_python_door_is_light_and_needs_no_audio_library(tmp_path: Path) -> None:
    heard(MUSIC).save(tmp_path / "music.npz")
    code = f"""
import sys
import transcribe
assert "numpy" not in sys.modules and "torch" not in sys.modules
from transcribe import transcribe_posteriorgram, TranscribeOptions
from symbolic.posteriorgram import Posteriorgram
heard = Posteriorgram.load({str(tmp_path / "music.npz")!r})
assert len(transcribe_posteriorgram(heard, TranscribeOptions(prior=None)).notes) == {len(MUSIC)}
heavy = [name for name in ("librosa", "soundfile", "soxr", "matplotlib", "mir_eval") if name in sys.modules]
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_pipelines_hmm_is_the_decoders_with_its_transitions() -> None:
    """Transitions that end every note at once and rarely begin one: far from a threshold."""
    posteriorgram = heard(MUSIC, hop=HOP)
    hmm = DecodeOptions(method="hmm", transitions=Transitions.tuned(0.999999, 0.5))
    whole = np.asarray(Transcriber(replace(ALONE, decode=hmm)).decoded(posteriorgram).decoding.roll)
    assert (whole == np.asarray(decode([posteriorgram], None, hmm)[0].roll)).all()
    plain = Transcriber(replace(ALONE, decode=DecodeOptions(method="threshold"))).decoded(posteriorgram)
    assert whole.sum() < np.asarray(plain.decoding.roll).sum()


def test_only_what_the_built_in_model_heard_is_shifted() -> None:
    posteriorgram = heard(MUSIC, hop=HOP)
    ours = replace(posteriorgram, model=MODEL)
    other, own = (Transcriber(ALONE).decoded(p).notes for p in (posteriorgram, ours))
    np.testing.assert_allclose(own.onset, other.onset - 0.02)
    np.testing.assert_allclose(own.velocity, other.velocity)
