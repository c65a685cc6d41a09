"""Front ends in the pipeline and the command: whose settings count, what is refused, what is safe."""

import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles_transcribe import ideal, notes

from acoustic.frontends import posteriorgram_of_notes
from acoustic.frontends.loading import CARDS, FRONTENDS
from symbolic.decoding.options import Beam, Greedy, Hmm, Threshold
from symbolic.errors import NotebeamError
from symbolic.notes import Notes, read_csv
from symbolic.posteriorgram import Posteriorgram
from transcribe.cli import main
from transcribe.pipeline import Transcriber
from transcribe.presets import FOREIGN, PRESETS, Choice
from transcribe.settings import Settings, read_settings
from transcribe.tracking import TrackOptions, sounding_seconds

PLAYED = notes((0.50, 0.90, 60, 64), (0.70, 1.20, 64, 64), (1.00, 1.40, 60, 64))


def with_silent_onset(model: str = "") -> Posteriorgram:
    """What was played, and an onset of key 72 at 0.8 s that sounds for a frame."""
    right = ideal(PLAYED)
    assert right.onset is not None
    onset, frame = right.onset.copy(), right.frame.copy()
    onset[40, 51], frame[40, 51] = 0.95, 0.9
    return replace(right, onset=onset, frame=frame, model=model)


def found(posteriorgram: Posteriorgram, **options: Any) -> Notes:
    return Transcriber(prior=None, **options).transcribe_posteriorgram(posteriorgram).notes


def test_an_onset_that_no_sound_follows_is_no_note_of_an_unknown_system() -> None:
    assert 72 in found(with_silent_onset("piano")).pitch
    for decoder in (None, Threshold(), Beam(prior_weight=0.0)):
        assert found(with_silent_onset(), decoder=decoder).pitch.tolist() == [60, 64, 60]
    bare = found(with_silent_onset("piano"), onset_shift=0.0)
    kept = bare.pitch != 72
    safe = found(with_silent_onset())
    assert np.allclose(bare.onset[kept], safe.onset) and np.allclose(bare.offset[kept], safe.offset)


def test_how_long_a_struck_key_sounds() -> None:
    p = with_silent_onset()
    # Strokes of 60 at 0.5 s and, while it sounds, at 0.7 s; of 64 to the end of a recording; of 72.
    cut = p.part(0, 50)
    key, frame = np.array([39, 39, 43, 51]), np.array([25, 35, 35, 40])
    seconds = sounding_seconds(frame, key, cut, TrackOptions())
    assert seconds.tolist() == pytest.approx([0.389, 0.189, np.inf, 0.009], abs=1e-3)
    # A sound that begins later than `lead` after its stroke does not count.
    assert sounding_seconds(np.array([10]), np.array([39]), cut, TrackOptions(lead=0.1)).tolist() == [0.0]


@pytest.mark.parametrize("hop", [0.0025, 0.005, 0.01, 0.02, 0.03])
def test_how_long_a_struck_key_sounds_does_not_hang_on_the_hop(hop: float) -> None:
    times = np.arange(round(0.3 / hop)) * hop
    frame = np.zeros((len(times), 88), dtype=np.float32)
    frame[:, 39] = (0.9 - 4 * times).clip(min=0)  # falls through 0.5 at 0.1 s
    p = Posteriorgram(frame=frame, onset=np.zeros_like(frame), hop=hop)
    assert sounding_seconds(np.array([0]), np.array([39]), p, TrackOptions()).tolist() == pytest.approx([0.1])


@pytest.mark.parametrize("hop", [0.001, 0.01, 0.05])
def test_short_notes_of_a_list_are_kept(hop: float) -> None:
    listed = notes((0.5, 0.52, 60, 80), (1.0, 1.04, 64, 80), (1.5, 1.9, 67, 80), (1.97, 2.0, 72, 80))
    p = posteriorgram_of_notes(listed, model="another", hop=hop)
    assert found(p).pitch.tolist() == [60, 64, 67, 72]


def test_settings_say_shift_penalty_and_threshold() -> None:
    settings = Settings(
        front_end="mine",
        onset_shift=-0.1,
        prior_weight=0.3,
        note_penalty=-1.0,
        temperature=2.0,
        threshold=0.9,
    )
    late = ideal(PLAYED.shifted(0.1))
    tuned = found(replace(late, model="mine"), settings=settings)
    assert np.allclose(tuned.onset, PLAYED.onset, atol=0.02)
    assert len(found(replace(late, model="mine"), settings=replace(settings, threshold=0.98), decoder=Choice(
        method="threshold"))) == 0  # fmt: skip
    assert settings.applied(Beam(width=3)) == Beam(
        width=3, prior_weight=0.3, note_penalty=-1.0, temperature=2.0
    )
    assert settings.applied(Greedy()).temperature == 2.0 and settings.applied(Hmm()).prior_weight == 1.0
    chosen = Choice(weight=0.5, numbers={"width": 4}).options(settings, prior=True)
    assert chosen == Beam(width=4, prior_weight=0.5, note_penalty=-1.0 - 4.0 * 0.2, temperature=2.0)
    alone = Choice().options(settings, prior=False)
    assert isinstance(alone, Beam) and (alone.prior_weight, alone.note_penalty) == (0.0, 0.6)
    assert Choice().options(None, prior=True) == PRESETS["beam"]


def test_what_a_caller_says_goes_before_settings() -> None:
    late = ideal(PLAYED.shifted(0.1))
    settings = Settings(front_end="oracle", onset_shift=-0.1)
    said = found(late, settings=settings, onset_shift=0.0, decoder=Threshold())
    assert np.allclose(said.onset, PLAYED.onset + 0.1, atol=0.02)
    assert len(found(late, min_note=0.45)) == 1
    assert len(found(with_silent_onset(), track=TrackOptions())) == 4


@pytest.mark.parametrize("name", sorted(FRONTENDS))
def test_every_front_end_has_settings_that_its_posteriorgrams_take_by_themselves(name: str) -> None:
    card = read_settings(CARDS / f"{name}.json")
    assert card.front_end == name
    p = replace(ideal(PLAYED.shifted(0.3)), model=name)
    shifted = found(p)
    assert np.allclose(shifted.onset, PLAYED.onset + 0.3 + card.onset_shift, atol=0.02)
    # One that does not say is taken for the front end that the caller names.
    same = found(replace(p, model=""), frontend=name)
    assert (same.onset == shifted.onset).all()


def test_settings_come_back_from_their_file(tmp_path: Path) -> None:
    settings = Settings(front_end="ü", onset_shift=-0.018, sounding=0.08, scores={"onset_f1": 0.8})
    settings.save(tmp_path / "s.json")
    assert read_settings(tmp_path / "s.json") == settings
    kept = pickle.loads(pickle.dumps(Transcriber(prior=None, settings=tmp_path / "s.json")))
    assert kept.settings == settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"kind": "notebeam acoustic model"},
            r"s\.json: got 'notebeam acoustic model', expected a JSON file of",
        ),
        ({"wait": 1}, r"s\.json: wait: got 1, expected one of the keys front_end"),
        ({"sounding": -1.0}, r"TrackOptions\.sounding: got -1\.0, expected seconds >= 0"),
        ({"temperature": 0}, r"Beam\.temperature: got 0\.0, expected a number 1e-06\.\.1000000"),
        (
            {"alone_penalty": 1e8},
            r"Settings\.alone_penalty: got 100000000\.0, expected a number -10000000\.\.",
        ),
        ({"onset_shift": 5}, r"Settings\.onset_shift: got 5\.0, expected seconds, -1 to 1"),
        ({"threshold": "high"}, r"s\.json: threshold: got 'high', expected a number"),
    ],
)
def test_bad_settings_are_one_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    (tmp_path / "s.json").write_text(json.dumps(asdict(FOREIGN) | change))
    with pytest.raises(NotebeamError, match=message) as caught:
        read_settings(tmp_path / "s.json")
    assert "\n" not in str(caught.value) and "s.json" in str(caught.value)
    (tmp_path / "s.json").write_text("[1, 2]")
    with pytest.raises(NotebeamError, match=r"s\.json: got 'list', expected a JSON file"):
        read_settings(tmp_path / "s.json")
    (tmp_path / "s.json").write_text('{"temperature": 1.5}')
    with pytest.raises(NotebeamError, match=r"s\.json: got 'no kind in it', expected a JSON file"):
        read_settings(tmp_path / "s.json")


def test_the_command_refuses_what_does_not_go_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Settings(front_end="mine").save(tmp_path / "s.json")
    with_silent_onset("theirs").save(tmp_path / "p.npz")

    def line(*words: object) -> tuple[int, str]:
        code = main([str(tmp_path / "p.npz"), "--prior", "none", *map(str, words)])
        return code, capsys.readouterr().err.splitlines()[-1]

    code, said = line("--settings", tmp_path / "s.json")
    assert (
        code == 1 and "settings: got 'a posteriorgram of theirs', expected posteriorgrams of 'mine'" in said
    )
    assert not (tmp_path / "p.mid").exists()
    code, said = line("--settings", tmp_path / "none.json")
    assert code == 2 and "none.json: got 'no such file'" in said
    code, said = line("--frontend", "mt4")
    assert code == 2 and "frontend: got 'mt4', expected one of basic-pitch" in said
    code, said = line("--frontend", "basic-pitch", "--tuning", 442)
    assert code == 2 and "tuning: got 442.0, expected none: basic-pitch has no such setting" in said


def test_the_command_reads_what_basic_pitch_saved(tmp_path: Path) -> None:
    right = ideal(PLAYED.shifted(1.0), hop=256 / 22_050)
    saved = {"note": right.frame, "onset": right.onset, "contour": np.zeros((right.count, 264), np.float32)}
    np.savez(tmp_path / "a_basic_pitch.npz", basic_pitch_model_output=saved)  # type: ignore[arg-type]
    # A folder's walk takes it for an input as well.
    assert main([str(tmp_path), "--prior", "none", "--csv", str(tmp_path / "csv"), "-q"]) == 0
    back = read_csv(tmp_path / "csv" / "a_basic_pitch.csv")
    shift = read_settings(CARDS / "basic-pitch.json").onset_shift
    assert back.pitch.tolist() == PLAYED.pitch.tolist()
    assert np.allclose(back.onset, PLAYED.onset + 1.0 + shift, atol=0.02)
