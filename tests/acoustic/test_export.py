"""The ONNX file of an acoustic model: the same planes in another runtime, from samples on."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from acoustic import export
from acoustic.calibration import Scaling
from acoustic.features import FeatureOptions, margin_samples, spectra
from acoustic.inference import load_acoustic, predicted_planes
from acoustic.loading import ModelCard, save_network
from acoustic.network import HEADS, HarmonicNet, NetworkOptions
from symbolic.errors import NotebeamError

FEATURES = FeatureOptions()
SIZES = {
    "plain": NetworkOptions(spectral_channels=3, channels=4, dilations=(1, 2)),
    "recurrent": NetworkOptions(
        spectral_channels=3, channels=4, dilations=(1, 2), gathering=(1,), gathered_channels=2, recurrent=3
    ),
}


def saved(path: Path, options: NetworkOptions) -> Path:
    """Random weights, away from 0 also where a training begins at 0, and a calibration."""
    torch.manual_seed(1)
    network = HarmonicNet(FEATURES, options)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        network.heads.bias.zero_()
    scalings = {"onset": Scaling(temperature=1.7, bias=-0.5), "held": Scaling(temperature=0.8)}
    save_network(path, network, ModelCard(name="test", network=options, scalings=scalings, onset_shift=-0.02))
    return path


def command(*args: str | Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "acoustic.export", *map(str, args)]
    return subprocess.run(words, capture_output=True, text=True)


def test_a_transform_is_numpy_s() -> None:
    drawn = torch.randn(2, 3, 96, generator=torch.Generator().manual_seed(0))
    taper = np.hanning(97)[:-1]
    expected = np.abs(np.fft.rfft(drawn.numpy() * taper, axis=-1)) / (taper.sum() / 2)
    np.testing.assert_allclose(export.Transform(96)(drawn).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("cents", [0.0, 43.0])
def test_spectra_are_those_of_the_features(cents: float) -> None:
    audio = torch.randn(2, 2 * margin_samples(FEATURES) + 5 * 320, generator=torch.Generator().manual_seed(0))
    found = export.Spectra(FEATURES)(audio, torch.tensor(cents))
    torch.testing.assert_close(found, spectra(audio, FEATURES, cents), atol=2e-5, rtol=0)


@pytest.mark.parametrize("kind", SIZES)
def test_the_file_computes_what_torch_does(kind: str, tmp_path: Path) -> None:
    weights = saved(tmp_path / "model.safetensors", SIZES[kind])
    done = command(weights, "-o", tmp_path / "model.onnx")
    assert done.returncode == 0, done.stderr
    assert "model.onnx: " in done.stdout and done.stderr == ""
    found = {prop.key: prop.value for prop in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert found["name"] == "test" and found["onset_shift_s"] == "-0.02" and found["hop_samples"] == "320"
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    listener = load_acoustic(weights, bfloat16=False)
    for clips, frames, cents in ((1, 3, 0.0), (2, 60, 31.0)):
        count = 2 * margin_samples(FEATURES) + (frames - 1) * 320
        audio = 0.3 * torch.randn(clips, count, generator=torch.Generator().manual_seed(clips))
        planes = session.run(None, {"audio": audio.numpy(), "cents": np.array(cents, dtype=np.float32)})
        expected = predicted_planes(audio, replace(listener, cents=cents)).numpy()
        for number, (head, plane) in enumerate(zip(HEADS, planes, strict=True)):
            scaling = listener.scalings.get(head, Scaling())
            truth = scaling(expected[:, number]) if head != "velocity" else expected[:, number]
            assert plane.shape == (clips, frames, 88)
            np.testing.assert_allclose(plane, truth, atol=1e-4)
            assert np.ptp(truth) > 0.01  # or all would be alike


def test_a_file_that_computes_something_else_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = load_acoustic(saved(tmp_path / "model.safetensors", SIZES["plain"]), bfloat16=False)
    monkeypatch.setattr(export, "largest_difference", lambda *_: float("nan"))
    with pytest.raises(NotebeamError, match=r"model\.onnx: got 'planes nan apart', expected at most 0\.0001"):
        export.export(listener, tmp_path / "model.onnx")
    assert not list(tmp_path.glob("*.onnx"))


def test_the_difference_is_seen(tmp_path: Path) -> None:
    listener = load_acoustic(saved(tmp_path / "model.safetensors", SIZES["plain"]), bfloat16=False)
    export.export(listener, tmp_path / "model.onnx")
    with torch.no_grad():
        listener.network.heads.bias[3] += 0.01
    assert 1e-4 < export.largest_difference(tmp_path / "model.onnx", listener) < 0.01


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = load_acoustic(saved(tmp_path / "model.safetensors", SIZES["plain"]), bfloat16=False)
    monkeypatch.setattr(export, "NEEDED", ("onnx", "no_such_library"))
    with pytest.raises(NotebeamError, match=r"got 'no no_such_library', expected .*notebeam\[onnx\]"):
        export.export(listener, tmp_path / "model.onnx")


def test_bad_names_are_one_line(tmp_path: Path) -> None:
    done = command("nobody", "-o", tmp_path / "a.onnx")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "acoustic model: got 'nobody'" in done.stderr
    done = command("piano-small", "-o", tmp_path / "a.txt")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "expected a path that ends in .onnx" in done.stderr
