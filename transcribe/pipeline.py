"""A recording in, notes out: the one place that knows every part.

Is: audio or a posteriorgram -> steps -> roll -> notes, with the models loaded once.
Is not: any of the parts, or the files that are written (transcribe.cli).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from symbolic.decoding.asking import SEARCHES
from symbolic.decoding.decode import Decoding, decode
from symbolic.decoding.options import DecodeOptions
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.pitch import pitch_at
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.protocol import SymbolicPrior
from symbolic.priors.registry import load_prior
from transcribe.outputs import POSTERIORS
from transcribe.presets import MODEL, ONSET_SHIFTS, PRIOR, TRACK, preset
from transcribe.tracking import TrackOptions, notes_of

if TYPE_CHECKING:  # the audio side is imported where audio is read: a posteriorgram needs none of it
    from acoustic.inference import Listener

__all__ = ["TrackOptions", "TranscribeOptions", "Transcriber", "Transcription", "transcribe_posteriorgram"]

DEVICES = ("auto", "cpu", "cuda", "mps")
A4_RANGE_HZ = (370.0, 523.0)  # three semitones either way of 440
LONG = 1800.0  # seconds from which a recording is decoded as a stream, to bound the memory
LOOK_BACK = 500  # steps after which its rows are settled, many times what hypotheses differ over


@dataclass(frozen=True, kw_only=True)
class TranscribeOptions:
    """What a `Transcriber` does.

    A prior can only be read at the steps and the plane that it learnt: with one, `decode.step` and
    `decode.plane` are its card's. "threshold" and "hmm" decide without a prior and load none. Without one, a
    posteriorgram that has no onset plane is decoded by what sounds ("active").
    """

    model: str = MODEL  # name or file of acoustic weights
    prior: str | None = PRIOR  # name or file of a prior; None: the acoustic model alone
    decode: DecodeOptions | None = None  # None: the preset for this prior or for none
    track: TrackOptions = TRACK
    device: str = "auto"
    half: bool = False  # listen in bfloat16: sooner where the processor knows it, a little less exact
    tuning: float | None = None  # Hz of A4; None: estimated, within half a semitone of 440
    start: float = 0.0  # seconds; what lies before is not read, the times stay the recording's
    stop: float | None = None  # seconds

    @property
    def decoding(self) -> DecodeOptions:
        """The decoder's options, the preset's where none were given."""
        return self.decode or preset(prior=self.prior is not None)

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise NotebeamError("TranscribeOptions.device", self.device, f"one of {', '.join(DEVICES)}")
        if self.tuning is not None and not A4_RANGE_HZ[0] <= self.tuning <= A4_RANGE_HZ[1]:
            low, high = A4_RANGE_HZ
            raise NotebeamError("TranscribeOptions.tuning", self.tuning, f"Hz of A4, {low:g} to {high:g}")
        if not self.start >= 0:
            raise NotebeamError("TranscribeOptions.start", self.start, "seconds >= 0")
        if self.stop is not None and not self.stop > self.start:
            raise NotebeamError("TranscribeOptions.stop", self.stop, f"seconds after start, {self.start:g}")


@dataclass(frozen=True, eq=False)
class Transcription:
    """Notes, and what they were made from."""

    notes: Notes
    posteriorgram: Posteriorgram
    decoding: Decoding


class Transcriber:
    """Transcribes recordings; picklable, loads its models once a process, at the first call or at `load`."""

    def __init__(self, options: TranscribeOptions | None = None) -> None:
        self.options = options or TranscribeOptions()
        self._listener: Listener | None = None
        self._prior: SymbolicPrior | None = None

    def __getstate__(self) -> dict[str, Any]:
        """The options alone: a worker loads its own models."""
        return {"options": self.options, "_listener": None, "_prior": None}

    def __call__(
        self,
        path: str | PathLike[str],
        progress: Callable[[float], None] | None = None,
        damage: Callable[[NotebeamError], None] | None = None,
    ) -> Transcription:
        """Notes of an audio file, or of a posteriorgram's `.npz`; times are the recording's.

        Args:
            path: the file.
            progress: is told the fraction of the recording that was heard, 0..1.
            damage: is told what is wrong with a cut or damaged recording, whose notes are those of what is
                there; None raises instead.

        Raises:
            NotebeamError: what is wrong with the file, or with the options' models.
            OSError: the file cannot be read.
        """
        options = self.options
        path = Path(path)
        if path.suffix.lower() == POSTERIORS:
            heard = Posteriorgram.load(path)
            return self.decoded(between(heard, options.start, options.stop, str(path)))
        heard = self._heard().posteriorgram(path, options.start, options.stop, progress, damage)
        return self.decoded(heard)

    def load(self, *, audio: bool) -> None:
        """Load the models now: the prior, and with `audio` the acoustic model too."""
        self._decided()
        if audio:
            self._heard()

    def decoded(self, posteriorgram: Posteriorgram) -> Transcription:
        """Notes of what was heard."""
        prior, options = self._decided()
        if prior is None and posteriorgram.onset is None:
            options = replace(options, plane="active")
        if posteriorgram.count * posteriorgram.hop > LONG:
            options = replace(options, look_back=options.look_back or LOOK_BACK)
        decoding = decode([posteriorgram], prior, options)[0]
        shift = self.options.track.onset_shift + ONSET_SHIFTS.get(posteriorgram.model, 0.0)
        track = replace(self.options.track, onset_shift=shift)
        notes = notes_of(decoding, posteriorgram, track, plane=options.plane)
        return Transcription(notes, posteriorgram, decoding)

    def _heard(self) -> Listener:
        """The acoustic model, loaded once."""
        if self._listener is None:
            from acoustic.inference import load_listener

            options = self.options
            cents = None if options.tuning is None else 100 * float(pitch_at(options.tuning) - 69)
            self._listener = load_listener(
                options.model, device_of(options.device), half=options.half, cents=cents
            )
        return self._listener

    def _decided(self) -> tuple[SymbolicPrior | None, DecodeOptions]:
        """The prior, loaded once, and the decoder's options at its step and plane."""
        name, options = self.options.prior, self.options.decoding
        if options.method not in SEARCHES:  # an HMM's weight is that of its own transitions
            return None, options
        if name is None:
            return None, replace(options, prior_weight=0.0)
        if self._prior is None:
            prior = load_prior(name)
            kind = prior.card.clock["kind"]
            if kind != "frames":
                raise NotebeamError(f"prior {name}", f"steps of {kind}", "a prior with steps of frames")
            if isinstance(prior, torch.nn.Module):
                device = device_of(self.options.device)
                # The search adds costs in float64, which mps does not have.
                prior.to(torch.device("cpu") if device.type == "mps" else device)
            self._prior = prior
        card = self._prior.card
        return self._prior, replace(options, step=float(card.clock["hop"]), plane=card.plane)  # type: ignore[arg-type]


def transcribe_posteriorgram(
    posteriorgram: Posteriorgram, options: TranscribeOptions | None = None
) -> Transcription:
    """Notes of another system's probabilities; needs no audio library.

    Loads the prior at each call: for many posteriorgrams keep a `Transcriber` and call its `decoded`.
    """
    options = options or TranscribeOptions()
    part = between(posteriorgram, options.start, options.stop, posteriorgram.source or "posteriorgram")
    return Transcriber(options).decoded(part)


def between(posteriorgram: Posteriorgram, start: float, stop: float | None, place: str) -> Posteriorgram:
    """The frames with start <= time < stop, seconds, at their old times."""
    times = posteriorgram.times
    first = int(times.searchsorted(start - posteriorgram.hop / 2))
    last = posteriorgram.count if stop is None else int(times.searchsorted(stop - posteriorgram.hop / 2))
    if (first, last) == (0, posteriorgram.count):
        return posteriorgram
    if first >= last:
        end = "its end" if stop is None else f"{stop:g} s"
        found = f"{times[0]:.1f} to {times[-1]:.1f} s" if len(times) else "no frames"
        raise NotebeamError(place, found, f"frames between {start:g} s and {end}")
    return posteriorgram.part(first, last)


def device_of(name: str) -> torch.device:
    """The device of that name, refused where it is missing; "auto" is cuda where there is one, else cpu."""
    found = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "cpu") if found[kind]))
    if not found.get(name, False):
        there = ", ".join(kind for kind, is_there in found.items() if is_there)
        raise NotebeamError("device", name, f"a device of this machine ({there}) or auto")
    return torch.device(name)
