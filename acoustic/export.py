"""An acoustic model as an ONNX file, features and calibration included: `python -m acoustic.export MODEL`.

Is: samples in, planes out, in one graph that any runtime of ONNX can run; checked in onnxruntime.
Is not: the way from planes to notes, which docs/porting.md specifies.

The spectra are written with matrix products alone, since not every runtime has the operator STFT: a discrete
Fourier transform of N = rows * columns samples is one over the rows, a rotation, and one over the columns
(Cooley and Tukey 1965).
"""

import argparse
import json
import logging
import math
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from acoustic.audio import Samples
from acoustic.features import FeatureOptions, bin_pitches, margin_samples
from acoustic.inference import Listener, load_acoustic, predicted_planes
from acoustic.network import HEADS, PROBABILITIES
from symbolic.console import outcome
from symbolic.errors import NotebeamError
from symbolic.files import replacing
from symbolic.pitch import hertz as hertz_of

PROGRAM = "python -m acoustic.export"
EXTRA = "notebeam[onnx]"
NEEDED = ("onnx", "onnxruntime")
OPSET = 18
TOLERANCE = 1e-4  # between the planes of torch and of onnxruntime
CHECKED_FRAMES = (1, 37, 120)


class Transform(nn.Module):
    """Magnitudes of windows: (B, T, window) -> (B, T, window // 2 + 1), 1 for a full-scale sine."""

    rows_cos: Tensor
    rows_sin: Tensor
    columns_cos: Tensor
    columns_sin: Tensor
    turn_cos: Tensor
    turn_sin: Tensor
    taper: Tensor

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window
        self.rows = next(n for n in range(math.isqrt(window), 0, -1) if window % n == 0)
        self.columns = window // self.rows
        for name, angle in (
            ("rows", _angles(self.rows, self.rows, self.rows)),
            ("turn", _angles(self.rows, self.columns, window)),
            ("columns", _angles(self.columns, self.columns, self.columns)),
        ):
            self.register_buffer(f"{name}_cos", angle.cos().float())
            self.register_buffer(f"{name}_sin", -angle.sin().float())
        taper = torch.hann_window(window)
        self.register_buffer("taper", taper / (taper.sum() / 2))

    def forward(self, frames: Tensor) -> Tensor:
        clips, count, _ = frames.shape
        x = (frames * self.taper).reshape(clips, count, self.rows, self.columns)
        real, imag = self.rows_cos @ x, self.rows_sin @ x
        real, imag = real * self.turn_cos - imag * self.turn_sin, real * self.turn_sin + imag * self.turn_cos
        real, imag = (
            real @ self.columns_cos - imag @ self.columns_sin,
            real @ self.columns_sin + imag @ self.columns_cos,
        )
        # Line k = row + rows * column: the columns come first.
        power = (real * real + imag * imag).transpose(2, 3).reshape(clips, count, self.window)
        return power[:, :, : self.window // 2 + 1].sqrt()


def _angles(rows: int, columns: int, period: int) -> Tensor:
    """(rows, columns) angles of 2 pi row * column / period, float64."""
    product = torch.arange(rows)[:, None] * torch.arange(columns)[None]
    return 2 * math.pi / period * (product % period).double()


class Spectra(nn.Module):
    """`acoustic.features.spectra` with the tuning as an input: (B, S), () cents -> (B, windows, T, M)."""

    hertz: Tensor

    def __init__(self, options: FeatureOptions) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("hertz", torch.from_numpy(hertz_of(bin_pitches(options))))
        self.transforms = nn.ModuleList(Transform(window) for window in options.windows)

    def forward(self, audio: Tensor, cents: Tensor) -> Tensor:
        margin, hop = margin_samples(self.options), self.options.hop_samples
        count = (audio.shape[1] - 2 * margin) // hop + 1
        starts = torch.arange(count, device=audio.device)[:, None] * hop
        planes = []
        for window, transform in zip(self.options.windows, self.transforms, strict=True):
            at = starts + (margin - window // 2) + torch.arange(window, device=audio.device)
            planes.append(transform(audio[:, at]) @ self._filterbank(window, cents))
        return 3.0 + torch.stack(planes, dim=1).clamp(min=1e-5).log10()

    def _filterbank(self, window: int, cents: Tensor) -> Tensor:
        """(window // 2 + 1, M) as `acoustic.features.filterbank`, from float64."""
        options = self.options
        hertz = self.hertz * torch.exp(cents.double() * (math.log(2) / 1200))
        spacing = options.rate_hz / window
        lines = torch.arange(window // 2 + 1, dtype=torch.float64) * spacing
        reach = (hertz * (2 ** (1 / (12 * options.bins_per_semitone)) - 1)).clamp(min=spacing)
        triangles = (1 - (lines[:, None] - hertz).abs() / reach).clamp(min=0)
        triangles = triangles / triangles.sum(0).clamp(min=1.0)
        return (triangles * (hertz <= options.rate_hz / 2).double()).float()


class Graph(nn.Module):
    """What the file computes: padded samples (B, S), cents () -> a plane (B, T, 88) for each of `HEADS`."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self.spectra = Spectra(listener.network.features)
        self.network = listener.network
        self.scalings = dict(listener.scalings)

    def forward(self, audio: Tensor, cents: Tensor) -> tuple[Tensor, ...]:
        outputs = self.network(self.spectra(audio, cents))
        planes = []
        for number, head in enumerate(HEADS):
            plane = outputs[:, number]
            if head in self.scalings:
                plane = plane / self.scalings[head].temperature + self.scalings[head].bias
            planes.append(plane.sigmoid() if head in PROBABILITIES else plane)
        return tuple(planes)


def export(listener: Listener, path: Path) -> None:
    """Write a model as ONNX; the file is there only if onnxruntime computes from it what torch does.

    Raises:
        NotebeamError: the extra is missing, the file computes something else, or is not to end in .onnx.
    """
    if path.suffix != ".onnx":
        raise NotebeamError("--output", str(path), "a path that ends in .onnx")
    for name in NEEDED:
        if find_spec(name) is None:
            raise NotebeamError(PROGRAM, f"no {name}", f"the extra: pip install '{EXTRA}'")
    import onnx

    graph = Graph(listener).eval()
    example = (_padded(noise(40), listener), torch.zeros(()))
    with replacing(path) as temporary, torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own parts
        torch.onnx.export(
            graph,
            example,
            temporary,
            input_names=["audio", "cents"],
            output_names=list(HEADS),
            dynamic_axes={"audio": {0: "clips", 1: "samples"}}
            | {h: {0: "clips", 1: "frames"} for h in HEADS},
            opset_version=OPSET,
            dynamo=False,  # by tracing: the other way unrolls a recurrence over the example's frames
        )
        model = onnx.load(temporary)
        for key, value in metadata(listener).items():
            model.metadata_props.add(key=key, value=value)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, temporary)
        difference = largest_difference(temporary, listener)
        if not difference <= TOLERANCE:
            raise NotebeamError(str(path), f"planes {difference:.2g} apart", f"at most {TOLERANCE:g}")


def metadata(listener: Listener) -> dict[str, str]:
    """What a port must know besides the graph, as the file's metadata."""
    features = listener.network.features
    return {
        "name": listener.name,
        "rate_hz": str(features.rate_hz),
        "hop_samples": str(features.hop_samples),
        "margin_samples": str(margin_samples(features)),
        "reach_frames": str(listener.network.options.reach_frames),
        "onset_shift_s": str(listener.onset_shift),
        "planes": json.dumps(HEADS),
    }


def largest_difference(path: Path, listener: Listener) -> float:
    """Between planes of the file in onnxruntime and of torch, over a few lengths, tunings and loudnesses."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    largest = 0.0
    for frames, cents, loudness in zip(CHECKED_FRAMES, (0.0, -37.5, 20.0), (0.0, 1.0, 0.01), strict=True):
        audio = loudness * _padded(noise(frames), listener)
        given = {"audio": audio.numpy(), "cents": np.array(cents, dtype=np.float32)}
        found = session.run(list(HEADS), given)
        expected = planes_of(audio, cents, listener)
        largest = max(largest, *(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True)))
    return largest


def planes_of(audio: Tensor, cents: float, listener: Listener) -> list[npt.NDArray[np.float32]]:
    """The planes (B, T, 88) of padded samples in torch, calibrated."""
    from dataclasses import replace

    planes = predicted_planes(audio, replace(listener, cents=cents)).numpy()
    scalings = listener.scalings
    return [scalings[h](planes[:, i]) if h in scalings else planes[:, i] for i, h in enumerate(HEADS)]


def noise(frames: int) -> Samples:
    """(320 * frames,) a swelling mixture of tones and noise, the same at every call."""
    count = 320 * frames
    time = np.arange(count) / 16_000
    tones = sum(np.sin(2 * np.pi * hertz * time) for hertz in (110.0, 277.2, 987.8)) / 6
    drawn = np.random.default_rng(0).normal(0, 0.02, count)
    return (np.sin(3 * time) * tones + drawn).astype(np.float32)


def _padded(samples: Samples, listener: Listener) -> Tensor:
    """(1, S) with the margin on either side of the frames, one for each hop."""
    features = listener.network.features
    margin, hop = margin_samples(features), features.hop_samples
    count = -(-len(samples) // hop)
    wanted = 2 * margin + (count - 1) * hop
    return torch.from_numpy(np.pad(samples, (margin, wanted))[:wanted])[None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__.partition("\n")[0])
    parser.add_argument("model", metavar="NAME|FILE", help="acoustic model: a name, or a file of weights")
    parser.add_argument("-o", "--output", type=Path, metavar="PATH", help="(default: NAME.onnx here)")
    args = parser.parse_args(argv)
    output = args.output or Path(f"{Path(args.model).stem}.onnx")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)

    def work() -> None:
        export(load_acoustic(args.model, bfloat16=False), output)
        size = output.stat().st_size / 1e6
        sys.stdout.write(f"{output}: {size:.1f} MB, as torch computes it to {TOLERANCE:g}\n")

    return outcome(PROGRAM, work)


if __name__ == "__main__":
    sys.exit(main())
