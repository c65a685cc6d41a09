"""Listening: a recording of any length through the network, chunk by chunk.

Is: chunks with enough context that the result does not depend on them.
Is not: reading audio (audio), spectra (features), the weights' files (loading).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from acoustic.audio import LOUDEST, RATES_HZ, DamagedRecording, Samples, duration, part_done, read_blocks
from acoustic.calibration import Scaling
from acoustic.channels import CANCELLED, Mixer
from acoustic.features import frame_count, margin_samples, spectra
from acoustic.loading import load_network
from acoustic.network import HEADS, PROBABILITIES, HarmonicNet, fused
from acoustic.survey import Survey
from symbolic.allocation import hand_back
from symbolic.checks import brief, of_type, path_of, real
from symbolic.devices import device_named
from symbolic.errors import NotebeamError
from symbolic.planes import let_go, room_for
from symbolic.posteriorgram import Posteriorgram

CHUNK_SECONDS = 20.0
MOST_CENTS = 1200.0
TIE_CENTS = 40.0  # beyond which a recording may as well be taken for one a semitone away
FRAMES_TO_FREE = 15_000  # five minutes: what takes longer than that does not feel it
MEAN_VELOCITY = 64 / 127  # of every recording: what is heard tells how its notes differ, not how loud it was
Planes = npt.NDArray[np.float32]  # (5, T, 88), in the order of HEADS


@dataclass(frozen=True)
class Listener:
    """A network and where it runs. Picklable; holds no state between recordings."""

    network: HarmonicNet
    name: str
    scalings: Mapping[str, Scaling] = field(default_factory=dict)  # of heads whose probabilities need one
    bfloat16: bool = False  # in the network: faster where the processor has it
    cents: float | None = None  # of a recording's A4 above 440 Hz; None: estimated from the recording
    onset_shift: float = 0.0  # seconds, of its card

    def __call__(
        self, samples: npt.ArrayLike, *, rate: float, notice: Callable[[str], None] | None = None
    ) -> Posteriorgram:
        """What the network hears in samples (S,), or (S, channels), full scale 1, at `rate` samples a second.

        Times, velocities and notices as in `file`.

        Raises:
            NotebeamError: no samples, samples that are not finite, or a rate that is none.

        Example:
            >>> listen = load_acoustic("piano")
            >>> listen(np.zeros(44_100), rate=44_100).onset.shape
            (50, 88)
        """
        notice = notice or _nobody
        mono = mono_samples(samples, rate, self.network.features.rate_hz, notice)
        seconds = len(mono) / self.network.features.rate_hz
        return self._predicted(iter([mono]), 0.0, seconds, "samples", _nobody, notice)

    def file(
        self,
        path: str | Path,
        start: float = 0.0,
        stop: float | None = None,
        progress: Callable[[float], None] | None = None,
        damage: Callable[[DamagedRecording], None] | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> Posteriorgram:
        """What the network hears in a recording between `start` and `stop` seconds.

        Frame 0 is centred on `start`, so the times are those of the recording. Level and tuning are
        estimated over all that is read (`survey`); velocities are relative to its mean. Memory does not grow
        with the spectra, and from half an hour on the result lies in a temporary file (90 kB a second).

        Args:
            progress: called after each chunk with the part done, 0 to 1, as far as the file tells its length.
            damage: called of a cut or damaged recording, whose result is what is there; None raises.
            notice: called with what a user should know: channels that cancel, a tuning that is a tie.

        Raises:
            NotebeamError: see `acoustic.audio.read_blocks`.
        """
        path = Path(path_of(path, "path", "a recording's path"))
        known = duration(path)
        tell = part_done(progress, start, stop, known)
        blocks = read_blocks(path, start, stop, self.network.features.rate_hz, damage, notice)
        return self._predicted(blocks, start, known, path.name, tell, notice or _nobody)

    def _predicted(
        self,
        blocks: Iterator[Samples],
        start: float,
        known: float | None,
        source: str,
        tell: Callable[[float], None],
        notice: Callable[[str], None],
    ) -> Posteriorgram:
        """Of blocks at the network's rate; `known` is the length of their recording, seconds."""
        with Survey(self.network.features.rate_hz, tuning=self.cents is None) as survey:
            for block in blocks:
                survey.add(block)
            cents = self.cents if survey.tuning is None else survey.tuning.cents
            assert cents is not None
            if survey.tuning is not None and abs(cents) > TIE_CENTS:
                notice(_tie(cents))
            frames = max(1, frame_count(survey.count, self.network.features))
            room, first, seconds = room_for(len(HEADS), frames), 0, 0.0
            for part, seconds in listen(survey.blocks(), replace(self, cents=cents)):
                room[:, first : first + part.shape[1]] = self._scaled(part)
                first += part.shape[1]
                let_go(room)
                tell(seconds)
        free_memory(frames)
        planes: dict[str, Any] = dict(zip(HEADS, room, strict=True))
        centre(planes["velocity"], planes["onset"])
        for plane in planes.values():
            plane.flags.writeable = False
        result = Posteriorgram(
            **planes,
            hop=self.network.features.hop,
            start=start,
            duration=start + seconds if known is None else known,
            source=source,
            model=self.name,
        )
        let_go(room)
        return result

    def _scaled(self, part: Planes) -> Planes:
        """Planes (5, T, 88) with the probabilities of the scalings, in place."""
        for head, scaling in self.scalings.items():
            part[HEADS.index(head)] = scaling(part[HEADS.index(head)])
        return part


def mono_samples(samples: npt.ArrayLike, rate: float, rate_hz: int, notice: Callable[[str], None]) -> Samples:
    """(S,) the channels as one at `rate_hz`."""
    import soxr

    low, high = RATES_HZ
    expected = f"samples a second, {low} to {high}"
    if not low <= real(rate, "rate", expected) <= high:
        raise NotebeamError("rate", rate, expected)
    try:
        given = np.asarray(samples)
    except (TypeError, ValueError, RuntimeError) as error:  # a list of lists of several lengths
        raise NotebeamError("samples", brief(samples), "samples (S,) or (S, channels)") from error
    if not np.issubdtype(given.dtype, np.floating):
        raise NotebeamError("samples", str(given.dtype), "floating-point samples, full scale 1")
    if given.ndim not in (1, 2) or not given.size:
        raise NotebeamError("samples", given.shape, "samples (S,) or (S, channels), at least one")
    if given.ndim == 2 and given.shape[1] > len(given):
        raise NotebeamError("samples", given.shape, "(S, channels); (channels, S) is its transpose")
    block = given.astype(np.float32).reshape(len(given), -1)
    if not np.isfinite(block).all() or (peak := float(np.abs(block).max())) > LOUDEST:
        found = f"up to {peak:.0f}" if np.isfinite(block).all() else "NaN or infinite"
        raise NotebeamError("samples", found, "finite samples whose full scale is 1")
    mixer = Mixer()
    mono = mixer(block)
    if mixer.taken is not None:
        notice(CANCELLED)
    if rate == rate_hz:
        return np.asarray(mono)
    return np.asarray(soxr.resample(mono, rate, rate_hz), dtype=np.float32)


def _nobody(_: object) -> None:
    """Where nobody wants to know."""


def _tie(cents: float) -> str:
    """Of a recording that lies about as near to one key as to the next."""
    other = 440 * 2 ** ((cents - math.copysign(100, cents)) / 1200)
    side, way = ("above", "higher") if cents > 0 else ("below", "lower")
    return f"{abs(cents):.0f} cents {side} A4 = 440 Hz; --tuning {other:.1f} reads it a semitone {way}"


def load_acoustic(
    name: str | PathLike[str],
    device: torch.device | str = "cpu",
    *,
    bfloat16: bool | None = None,
    cents: float | None = None,
) -> Listener:
    """A shipped model by name, or a .safetensors file with its card; see `Listener`.

    bfloat16: None: where the device multiplies it natively.

    >>> import notebeam as nb
    >>> import numpy as np
    >>> listen = nb.load_acoustic("piano-small")
    >>> listen(np.zeros(22_050), rate=44_100).hop
    0.02
    """
    path = Path(path_of(name, "load_acoustic", "a model's name or the path of a .safetensors file"))
    expected = "cents above A4 = 440 Hz, or None"
    if cents is not None and not abs(real(cents, "load_acoustic(cents)", expected)) <= MOST_CENTS:
        raise NotebeamError("load_acoustic(cents)", cents, expected)
    of_type(bfloat16, (bool, type(None)), "load_acoustic(bfloat16)", "True, False, or None")
    place = device_named(device, "load_acoustic(device)")
    network, card = load_network(path, place)
    network = fused(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    bfloat16 = multiplies_bfloat16(place) if bfloat16 is None else bfloat16
    return Listener(network, card.name, card.scalings, bfloat16, cents, card.onset_shift)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for it; without them it is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):  # which torch 2.9 has not
        return False
    known = torch.cpu.get_capabilities()
    return any(known.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def listen(
    blocks: Iterable[Samples], listener: Listener, chunk_seconds: float = CHUNK_SECONDS
) -> Iterator[tuple[Planes, float]]:
    """Planes of consecutive chunks, with the seconds read so far.

    A chunk's frames are computed with `reach` more frames on either side, as far as the recording
    has them, so their values are those of one pass over the whole recording:

        frames      |..reach..|....chunk....|..reach..|
        samples   |margin|                       |margin|
    """
    network, features = listener.network, listener.network.features
    hop, margin, reach = features.hop_samples, margin_samples(features), network.options.reach_frames
    size = max(1, round(chunk_seconds / features.hop))
    # `held` begins `margin` samples before frame `origin`.
    held, origin, chunk = np.zeros(margin, dtype=np.float32), 0, 0
    total = 0
    for block in blocks:
        held, total = np.concatenate([held, block]), total + len(block)
        # Enough for the last frame of the right context, whose centre lies within the recording.
        while total >= (chunk + size + reach) * hop + margin:
            planes = _chunk(held, origin, chunk, size, reach, listener)
            yield planes, (chunk + size) * features.hop
            chunk += size
            keep = max(0, chunk - reach)
            held, origin = held[(keep - origin) * hop :], keep
    held = np.concatenate([held, np.zeros(margin + hop, dtype=np.float32)])
    frames = max(1, frame_count(total, features))  # resampling may leave nothing of a sample or two
    while chunk < frames:
        count = min(size, frames - chunk)
        context = min(reach, frames - chunk - count)
        planes = _chunk(held, origin, chunk, count, context, listener)
        yield planes, min(total / features.rate_hz, (chunk + count) * features.hop)
        chunk += count


def _chunk(held: Samples, origin: int, chunk: int, count: int, context: int, listener: Listener) -> Planes:
    """(5, count, 88) planes of the frames from `chunk`, with those held before and `context` after."""
    features = listener.network.features
    before = min(chunk - origin, listener.network.options.reach_frames)
    first, frames = chunk - before - origin, before + count + context
    hop = features.hop_samples
    samples = held[first * hop : (first + frames - 1) * hop + 2 * margin_samples(features)]
    planes = predicted_planes(torch.from_numpy(samples)[None], listener)[0]
    result: Planes = planes[:, before : before + count].cpu().numpy()
    return result


@torch.inference_mode()
def predicted_planes(audio: Tensor, listener: Listener) -> Tensor:
    """(B, 5, T, 88) of padded audio (B, S): probabilities, and velocities / 127 but for a constant.

    See `features.spectra` for the padding. Where `listener.cents` is None A4 is 440 Hz.
    """
    network, device = listener.network, listener.network.heads.weight.device
    spectrum = spectra(audio.to(device), network.features, listener.cents or 0.0)
    with torch.autocast(device.type, torch.bfloat16) if listener.bfloat16 else nullcontext():
        outputs: Tensor = network(spectrum).float()
    outputs[:, : len(PROBABILITIES)].sigmoid_()
    return outputs


def centre(velocity: Planes, onset: Planes) -> None:
    """Bring velocities (T, 88) to 0..1 and the mean of what was most likely struck to `MEAN_VELOCITY`."""
    struck = onset >= 0.5 * onset.max(initial=0.0)
    mean = velocity[struck].mean() if struck.any() else 0.0
    velocity += np.float32(MEAN_VELOCITY - mean)
    np.clip(velocity, 0.0, 1.0, out=velocity)


def free_memory(frames: int) -> None:
    """Hand the network's memory back to the system, after a recording of so many frames, if they are many."""
    if frames >= FRAMES_TO_FREE:
        hand_back()
