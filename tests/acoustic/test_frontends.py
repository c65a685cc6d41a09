"""Other systems' ears: basic-pitch's frames where they belong, its saved files, note lists and back."""

import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from acoustic.frontends import basic_pitch_posteriorgram, load_frontend, posteriorgram_of_notes
from acoustic.frontends.basic_pitch import BATCH, INPUT, RATE_HZ, BasicPitch
from acoustic.frontends.basic_pitch_output import (
    EDGE,
    HOP,
    HOP_SAMPLES,
    KEPT,
    WINDOW_SAMPLES,
    frame_times,
    is_basic_pitch,
    read_basic_pitch,
)
from symbolic.errors import NotebeamError
from symbolic.notes import Notes

STEP = KEPT * HOP_SAMPLES


class Sampler:
    """In place of the model: at frame i, key 0, the sample i hops after the window's begin."""

    def run(self, names: list[str], inputs: dict[str, Any]) -> list[Any]:
        windows = inputs[INPUT][:, :, 0]
        assert windows.shape[1] == WINDOW_SAMPLES and len(windows) <= BATCH
        plane = np.zeros((len(windows), KEPT + 2 * EDGE, 88), dtype=np.float32)
        plane[:, :, 0] = windows[:, : (KEPT + 2 * EDGE) * HOP_SAMPLES : HOP_SAMPLES]
        return [plane, plane / 2]


@pytest.fixture
def sampler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BasicPitch:
    (tmp_path / "nmp.onnx").touch()
    monkeypatch.setattr(BasicPitch, "_open", lambda _: Sampler())
    return BasicPitch(tmp_path / "nmp.onnx")


@pytest.mark.parametrize(
    "count", [1, 256, 257, 5000, STEP, STEP + 1, WINDOW_SAMPLES, BATCH * STEP + WINDOW_SAMPLES, 500_000]
)
def test_every_frame_is_heard_where_its_time_says(sampler: BasicPitch, count: int) -> None:
    samples = np.linspace(0.001, 0.999, count, dtype=np.float32)
    p = sampler(samples, rate=RATE_HZ)
    at = np.rint(p.times * RATE_HZ).astype(int)
    assert p.count == -(-count // HOP_SAMPLES) and (p.model, p.start) == ("basic-pitch", 0.0)
    assert (p.frame[:, 0] == samples[at]).all()
    assert p.onset is not None and (p.onset[:, 0] == samples[at] / 2).all()


def test_a_part_of_a_file_keeps_the_files_times(sampler: BasicPitch, tmp_path: Path) -> None:
    samples = np.linspace(0.0, 0.999, 30 * RATE_HZ, dtype=np.float32)
    soundfile.write(tmp_path / "a.wav", samples, RATE_HZ, subtype="FLOAT")
    reached: list[float] = []
    p = sampler.file(tmp_path / "a.wav", 4.0, 21.0, progress=reached.append)
    assert (p.start, p.duration, p.source) == (4.0, 30.0, "a.wav") and p.times[-1] == pytest.approx(
        21, abs=0.02
    )
    assert np.allclose(p.frame[:, 0], samples[np.rint(p.times * RATE_HZ).astype(int)])
    assert reached == sorted(reached) and reached[-1] == 1.0


def test_the_times_of_what_it_puts_out_are_those_of_its_windows() -> None:
    """Its own windows, laid out as its paper's code does, over samples that know their time."""
    seconds = np.arange(20 * RATE_HZ) / RATE_HZ
    padded = np.concatenate([np.zeros(EDGE * HOP_SAMPLES), seconds, np.zeros(WINDOW_SAMPLES)])
    stride = WINDOW_SAMPLES - 2 * EDGE * HOP_SAMPLES
    windows = [padded[i : i + WINDOW_SAMPLES] for i in range(0, len(seconds), stride)]
    frames = [w[: 172 * HOP_SAMPLES : HOP_SAMPLES][EDGE:-EDGE] for w in windows]
    count = 20 * 86
    assert np.allclose(frame_times(count), np.concatenate(frames)[:count])


def output(count: int = 400) -> dict[str, Any]:
    random = np.random.default_rng(0)
    keys = {"note": 88, "onset": 88, "contour": 264}
    return {name: random.random((count, width)).astype(np.float32) for name, width in keys.items()}


@pytest.mark.parametrize("is_pickled", [True, False])
def test_what_it_saved_is_read_and_its_frames_put_right(tmp_path: Path, *, is_pickled: bool) -> None:
    saved = output()
    path = tmp_path / "a_basic_pitch.npz"
    np.savez(path, **({"basic_pitch_model_output": saved} if is_pickled else saved))
    assert is_basic_pitch(path)
    p = read_basic_pitch(path)
    assert (p.count, p.model) == (400, "basic-pitch") and p.onset is not None
    # Each value lies on the straight line between the frames around it; of onsets, but for peaks, above it.
    for key in (0, 87):
        for plane, name in ((p.frame, "note"), (p.onset, "onset")):
            expected = np.interp(p.times, frame_times(400), saved[name][:, key].astype(np.float64))
            lies = np.isclose(plane[:, key], expected, atol=1e-6)
            assert lies.all() if name == "note" else (lies | (plane[:, key] > expected)).all()
        assert p.onset[:, key].max() == saved["onset"][:, key].max()
    assert np.allclose(p.frame[0], saved["note"][0])


class Evil:
    def __reduce__(self) -> Any:
        return print, ("called",)


class Claim:
    """An array of 10^12 bytes that the file does not have."""

    def __reduce__(self) -> Any:
        return np.ndarray, ((10**12,), np.dtype(np.int8))


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"note": Evil(), "onset": np.zeros((3, 88))}, "a pickle that calls builtins.print"),
        ({"note": Claim(), "onset": np.zeros((3, 88))}, "got .* not callable"),
        ([1, 2], "expected basic-pitch's saved output: a dict of plain arrays"),
        ({"note": np.zeros((3, 88))}, "onset: got 'no array of floats'"),
        ({"note": np.zeros((3, 88)), "onset": "a"}, "onset: got 'no array of floats'"),
        ({"note": np.zeros((3, 87)), "onset": np.zeros((3, 87))}, r"frame: got 'float64 \(3, 87\)'"),
    ],
)
def test_a_saved_file_of_something_else_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], saved: Any, message: str
) -> None:
    np.savez(tmp_path / "bad.npz", basic_pitch_model_output=np.array(saved, dtype=object))
    with pytest.raises(NotebeamError, match=message):
        read_basic_pitch(tmp_path / "bad.npz")
    assert not capsys.readouterr().out


def test_a_damaged_saved_file_is_refused_in_one_line(tmp_path: Path) -> None:
    content = pickle.dumps(output(3), protocol=4)
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("basic_pitch_model_output.npy", b"\x93NUMPY\x01\x00" + content[:200])
    with pytest.raises(NotebeamError, match=r"bad\.npz: basic_pitch_model_output: got .*expected") as caught:
        read_basic_pitch(tmp_path / "bad.npz")
    assert "\n" not in str(caught.value)


def test_a_missing_plane_is_named() -> None:
    with pytest.raises(NotebeamError, match=r"onset: got 'no such key', expected the keys note and onset"):
        basic_pitch_posteriorgram({"note": np.zeros((3, 88))})


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64, list])
def test_planes_are_taken_as_posteriorgrams_take_them(kind: Any) -> None:
    """Tensors of any float type, that gradients go through, with a batch axis; and lists."""
    numbers = torch.tensor([[0.25] * 88, [0.5] * 88])
    plane = numbers.tolist() if kind is list else numbers.to(kind)[None].requires_grad_()
    p = basic_pitch_posteriorgram({"note": plane, "onset": plane})
    assert p.onset is not None and p.frame.tolist() == p.onset.tolist() == numbers.tolist()
    first = plane[:1] if kind is list else plane[:, :1]
    assert basic_pitch_posteriorgram({"note": first, "onset": first}).hop == HOP


def test_what_is_no_output_is_one_line() -> None:
    with pytest.raises(
        NotebeamError, match=r"output: got 'tuple of 3', expected a dict of planes, the first"
    ):
        basic_pitch_posteriorgram(({}, None, []))  # type: ignore[arg-type]
    with pytest.raises(NotebeamError, match=r"output: note: got 'list of 2', expected numbers \(T, 88\)"):
        basic_pitch_posteriorgram({"note": [[1.0], [0.5, 0.2]], "onset": []})


def test_an_unknown_front_end_and_a_missing_package_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotebeamError, match=r"frontend: got 'mt4', expected one of basic-pitch"):
        load_frontend("mt4")
    with pytest.raises(NotebeamError, match=r"none\.onnx', expected basic-pitch's \.onnx file"):
        load_frontend("basic-pitch", tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(NotebeamError, match=r"no onnxruntime', expected pip install onnxruntime"):
        load_frontend("basic-pitch", tmp_path / "bad.onnx")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(NotebeamError, match=r"no package basic-pitch', expected pip install"):
        load_frontend("basic-pitch")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(NotebeamError, match=r"bad\.onnx: got .*expected an ONNX model"):
        load_frontend("basic-pitch", tmp_path / "bad.onnx")


def test_the_installed_model_hears_a_chord() -> None:
    pytest.importorskip("onnxruntime")
    try:
        listen = load_frontend("basic-pitch")
    except NotebeamError as error:
        pytest.skip(str(error))
    seconds = np.arange(3 * RATE_HZ) / RATE_HZ
    tones = [np.sin(2 * np.pi * f * h * seconds) / h for f in (261.63, 392.0) for h in range(1, 6)]
    sound = 0.1 * np.sum(tones, axis=0) * np.exp(-2 * np.abs(seconds - 1.0)) * (seconds >= 1)
    p = pickle.loads(pickle.dumps(listen))(sound, rate=RATE_HZ)
    assert p.onset is not None
    struck = p.onset.max(axis=0)
    assert set(np.argsort(struck)[-2:]) == {60 - 21, 67 - 21}
    assert abs(p.times[p.onset[:, 39].argmax()] - 1.0) < 0.05


def test_notes_come_back_from_a_list_with_confidences() -> None:
    from symbolic.decoding.decode import decode
    from symbolic.decoding.options import Threshold
    from transcribe.tracking import TrackOptions, track_notes

    random = np.random.default_rng(3)
    onset = np.sort(random.uniform(0.0, 20.0, 200))
    given = Notes.make(
        onset, onset + random.uniform(0.1, 0.5, 200), 21 + np.arange(200) % 88, random.integers(1, 128, 200),
        random.uniform(0.3, 1.0, 200),
    )  # fmt: skip
    p = posteriorgram_of_notes(given, model="mt3")
    found = track_notes(decode(p, None, Threshold(threshold=0.2)), p, TrackOptions())
    order = np.lexsort((found.onset, found.pitch)), np.lexsort((given.onset, given.pitch))
    assert len(found) == 200 and (found.pitch[order[0]] == given.pitch[order[1]]).all()
    assert np.abs(found.onset[order[0]] - given.onset[order[1]]).max() < 1e-3
    assert np.abs(found.offset[order[0]] - given.offset[order[1]]).max() <= 0.011
    assert found.confidence is not None and given.confidence is not None
    assert np.allclose(found.confidence[order[0]], given.confidence[order[1]], atol=1e-6)
    assert (found.velocity[order[0]] == given.velocity[order[1]]).all()


def test_the_likelier_of_two_notes_at_one_place_stays() -> None:
    given = Notes.make([1.0, 1.0], [2.0, 1.5], [60, 60], [10, 100], confidence=[0.4, 0.8])
    p = posteriorgram_of_notes(given)
    assert p.onset is not None and p.velocity is not None
    assert p.onset[100, 39] == np.float32(0.8) and p.velocity[100, 39] == np.float32(100 / 127)
    assert not len(posteriorgram_of_notes(Notes.empty()).onset.nonzero()[0])  # type: ignore[union-attr]
    with pytest.raises(NotebeamError, match=r"hop\): got 0"):
        posteriorgram_of_notes(given, hop=0)
    with pytest.raises(NotebeamError, match=r"hop\): got '0\.01', expected seconds"):
        posteriorgram_of_notes(given, hop="0.01")  # type: ignore[arg-type]
    with pytest.raises(NotebeamError, match=r"\(notes\): got 'list of 1', expected Notes: Notes\.make"):
        posteriorgram_of_notes([(1.0, 2.0, 60, 10)])  # type: ignore[arg-type]
