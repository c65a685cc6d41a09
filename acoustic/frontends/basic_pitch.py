"""basic-pitch: its ONNX model run on a recording, as a posteriorgram.

Is: windows that are a whole number of frames apart, so that frames are even (basic-pitch's own are not).
Is not: the model, which comes with the package `basic-pitch`, its way to notes, or what it saved
(basic_pitch_output).
Source: Bittner et al. 2022, A lightweight instrument-agnostic model for polyphonic note transcription.
"""

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from acoustic.audio import DamagedRecording, Samples, duration, part_done, read_blocks
from acoustic.frontends.basic_pitch_output import (
    EDGE,
    HOP,
    HOP_SAMPLES,
    KEPT,
    NAME,
    RATE_HZ,
    WINDOW_SAMPLES,
)
from symbolic.checks import path_of
from symbolic.errors import NotebeamError, reason_of
from symbolic.posteriorgram import Posteriorgram

BATCH = 4  # windows at once

INPUT = "serving_default_input_2:0"
OUTPUTS = {"note": "StatefulPartitionedCall:1", "onset": "StatefulPartitionedCall:2"}
ONNX_FILE = ("saved_models", "icassp_2022", "nmp.onnx")
INSTALL = "pip install onnxruntime; pip install --no-deps basic-pitch"

Planes = npt.NDArray[np.float32]  # (2, T, 88), in the order of OUTPUTS


class BasicPitch:
    """basic-pitch's model; picklable, as it holds only the path and opens it where it runs.

    Args:
        model: the `.onnx` file; by default that of the installed package.

    Raises:
        NotebeamError: no such file, or the package or onnxruntime is not installed.
    """

    name = NAME

    def __init__(self, model: str | PathLike[str] | None = None) -> None:
        self.model = installed_model() if model is None else Path(model)
        if not self.model.is_file():
            raise NotebeamError(f"frontend {NAME}", str(self.model), "basic-pitch's .onnx file")
        self._session: Any = None
        self._open()

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "_session": None}

    def __call__(
        self, samples: npt.ArrayLike, *, rate: float, notice: Callable[[str], None] | None = None
    ) -> Posteriorgram:
        """Of samples (S,) or (S, channels), full scale 1, at `rate` samples a second."""
        from acoustic.inference import mono_samples  # torch's side, which files need none of

        mono = mono_samples(samples, rate, RATE_HZ, notice or (lambda _: None))
        return self._posteriorgram(iter([mono]), 0.0, len(mono) / RATE_HZ, "samples", None)

    def file(
        self,
        path: str | Path,
        start: float = 0.0,
        stop: float | None = None,
        progress: Callable[[float], None] | None = None,
        damage: Callable[[DamagedRecording], None] | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> Posteriorgram:
        """Of a recording between `start` and `stop` seconds; arguments and errors as of `Listener.file`."""
        path = Path(path_of(path, "path", "a recording's path"))
        known = duration(path)
        tell = part_done(progress, start, stop, known)
        blocks = read_blocks(path, start, stop, RATE_HZ, damage, notice)
        return self._posteriorgram(blocks, start, known, path.name, tell)

    def _posteriorgram(
        self,
        blocks: Iterator[Samples],
        start: float,
        known: float | None,
        source: str,
        tell: Callable[[float], None] | None,
    ) -> Posteriorgram:
        parts: list[Planes] = []
        total = 0
        for windows, total in _batches(blocks):
            parts.append(self._planes(windows))
            if tell is not None:
                tell(total / RATE_HZ)
        planes = np.concatenate(parts, axis=1)[:, : max(1, -(-total // HOP_SAMPLES))].clip(0.0, 1.0)
        note, onset = planes
        seconds = start + total / RATE_HZ if known is None else known
        return Posteriorgram(
            note, onset, hop=HOP, start=start, duration=seconds, source=source, model=self.name
        )

    def _planes(self, windows: Samples) -> Planes:
        """(2, N KEPT, 88) of N windows (N, S), without their edges."""
        planes = self._open().run(list(OUTPUTS.values()), {INPUT: windows[:, :, None]})
        return np.stack([plane[:, EDGE:-EDGE].reshape(-1, plane.shape[-1]) for plane in planes])

    def _open(self) -> Any:
        """The model in onnxruntime, opened once a process."""
        if self._session is None:
            try:
                import onnxruntime
            except ImportError as error:
                raise NotebeamError(f"frontend {NAME}", "no onnxruntime", INSTALL) from error
            expected = f"an ONNX model with the outputs {', '.join(OUTPUTS)} of basic-pitch"
            try:
                session = onnxruntime.InferenceSession(self.model, providers=["CPUExecutionProvider"])
            except Exception as error:  # of onnxruntime's own many kinds
                raise NotebeamError(str(self.model), reason_of(error), expected) from error
            found = {x.name for x in (*session.get_inputs(), *session.get_outputs())}
            if not {INPUT, *OUTPUTS.values()} <= found:
                raise NotebeamError(str(self.model), ", ".join(sorted(found)), expected)
            self._session = session
        return self._session


def installed_model() -> Path:
    """The `.onnx` file of the installed package, which is found without being imported.

    Raises:
        NotebeamError: the package is not installed.
    """
    found = importlib.util.find_spec("basic_pitch")
    if found is None or not found.submodule_search_locations:
        raise NotebeamError(f"frontend {NAME}", "no package basic-pitch", INSTALL)
    return Path(found.submodule_search_locations[0]).joinpath(*ONNX_FILE)


def _batches(blocks: Iterable[Samples]) -> Iterator[tuple[Samples, int]]:
    """Batches of windows (N, S), KEPT frames apart, with the samples that were read so far.

    The first window begins EDGE frames before the recording, in silence.
    """
    step = KEPT * HOP_SAMPLES
    held = np.zeros(EDGE * HOP_SAMPLES, dtype=np.float32)
    total = done = 0
    for block in blocks:
        held, total = np.concatenate([held, block]), total + len(block)
        while len(held) >= WINDOW_SAMPLES + (BATCH - 1) * step:
            yield _windows(held, BATCH, step), total
            held, done = held[BATCH * step :], done + BATCH * KEPT
    left = -(-max(1, -(-total // HOP_SAMPLES) - done) // KEPT)  # windows for the frames that are left
    held = np.pad(held, (0, max(0, WINDOW_SAMPLES + (left - 1) * step - len(held))))
    for first in range(0, left, BATCH):
        yield _windows(held[first * step :], min(BATCH, left - first), step), total


def _windows(samples: Samples, count: int, step: int) -> Samples:
    every = np.lib.stride_tricks.sliding_window_view(samples, WINDOW_SAMPLES)
    return np.ascontiguousarray(every[: (count - 1) * step + 1 : step])
