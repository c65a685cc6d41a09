"""A recording in, notes out: the one place that knows every part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from symbolic.decoding.decode import decode
from symbolic.decoding.options import Beam, method_of
from symbolic.decoding.results import Decoding
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.pitch import pitch_at
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.base import Prior
from symbolic.priors.loading import load_prior, priors_with_steps_of
from transcribe.outputs import POSTERIORGRAM
from transcribe.presets import MODEL, PRIOR, TRACK, preset
from transcribe.tracking import TrackOptions, track_notes

if TYPE_CHECKING:  # the audio side is imported where audio is read: a posteriorgram needs none of it
    from numpy.typing import ArrayLike

    from acoustic.inference import Listener
    from symbolic.metre import Beats

CLOCKS = ("frames", "beats")
DEVICES = ("auto", "cpu", "cuda", "mps")
A4_RANGE_HZ = (370.0, 523.0)  # three semitones either way of 440
LONG = 1800.0  # seconds from which a recording is decoded in blocks, to bound the memory
LOOK_BACK = 500  # steps after which its rows are settled, many times what hypotheses differ over


@dataclass(frozen=True, eq=False)
class Transcription:
    """Notes, and what they were made from.

    >>> import notebeam as nb
    >>> import numpy as np
    >>> p = nb.Posteriorgram(frame=np.zeros((50, 88)), hop=0.02)
    >>> found = nb.Transcriber(prior=None).transcribe_posteriorgram(p)
    >>> len(found.notes), found.posteriorgram.count, found.decoding.plane
    (0, 50, 'active')
    """

    notes: Notes
    posteriorgram: Posteriorgram
    decoding: Decoding
    beats: Beats | None = None  # if they were asked for


@dataclass(eq=False, kw_only=True)
class Transcriber:
    """Transcribes recordings; picklable, loads its models once a process, at the first call or at `load`.

    `Threshold` and `Hmm` decide without a prior and load none. With a prior its card says how far apart the
    steps are and what their bits mean; without one, a posteriorgram that has no onset plane is decoded by
    what sounds.

    >>> import notebeam as nb
    >>> import numpy as np
    >>> transcriber = nb.Transcriber(model="piano-small", decoder=nb.Threshold(threshold=0.6))
    >>> len(transcriber(np.zeros(16_000), rate=16_000).notes)
    0
    """

    model: str | PathLike[str] = MODEL  # name or file of acoustic weights
    prior: Prior | str | PathLike[str] | None = PRIOR  # a prior, its name or file; None: acoustic alone
    decoder: object = None  # `Threshold`, `Hmm`, `Greedy` or `Beam`; None: the preset, with or without prior
    clock: str = "frames"  # what the prior's steps are; "beats": fractions of the beat, as its card says
    # Beats of the recording: "auto" tracks them, else `Beats` or a file; None: none, or for the clock
    beats: Beats | str | PathLike[str] | None = None
    track: TrackOptions = TRACK
    device: str = "auto"
    bfloat16: bool = False  # of the acoustic model: faster where the processor has it, a little less exact
    tuning: float | None = None  # Hz of A4; None: estimated, within half a semitone of 440
    onset_shift: float | None = (
        None  # seconds added to every onset; None: what the acoustic model's card says
    )
    start: float = 0.0  # seconds; what lies before is not read, the times stay the recording's
    stop: float | None = None  # seconds
    _loaded_model: Listener | None = field(default=None, init=False, repr=False)
    _loaded_prior: Prior | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._check("device", f"one of {', '.join(DEVICES)}", holds=self.device in DEVICES)
        low, high = A4_RANGE_HZ
        good = self.tuning is None or low <= self.tuning <= high
        self._check("tuning", f"Hz of A4, {low:g} to {high:g}", holds=good)
        good = self.onset_shift is None or -1 <= self.onset_shift <= 1
        self._check("onset_shift", "seconds, -1 to 1", holds=good)
        self._check("start", "seconds >= 0", holds=self.start >= 0)
        good = self.stop is None or self.stop > self.start
        self._check("stop", f"seconds after start, {self.start:g}", holds=good)
        self._check("clock", f"one of {', '.join(CLOCKS)}", holds=self.clock in CLOCKS)
        if self.decoder is None:
            self.decoder = preset(prior=self.prior is not None, clock=self.clock)
        reads_prior = method_of(self.decoder).reads_prior
        if self.clock == "beats" and not (reads_prior and self.prior is not None):
            expected = "a prior with steps of beats, and Greedy or Beam, for the clock beats"
            raise NotebeamError("Transcriber.prior", self.prior if reads_prior else self.decoder, expected)

    def _check(self, name: str, expected: str, *, holds: bool) -> None:
        if not holds:
            raise NotebeamError(f"Transcriber.{name}", getattr(self, name), expected)

    def __getstate__(self) -> dict[str, Any]:
        """The options alone: a worker loads its own models."""
        options: dict[str, Any] = {option.name: getattr(self, option.name) for option in fields(self)}
        return options | {"_loaded_model": None, "_loaded_prior": None}

    def __call__(
        self,
        audio: str | PathLike[str] | ArrayLike,
        rate: float | None = None,
        progress: Callable[[float], None] | None = None,
        damage: Callable[[NotebeamError], None] | None = None,
    ) -> Transcription:
        """Notes of an audio file, of a posteriorgram's `.npz`, or of samples; times are the recording's.

        Args:
            audio: the file, or samples (S,) or (S, channels), full scale 1.
            rate: samples a second, in Hz; of samples alone.
            progress: is called with the fraction of the recording that was read, 0..1.
            damage: is called with what is wrong with a cut or damaged recording, whose notes are those of
                what is there; None raises instead.

        Raises:
            NotebeamError: what is wrong with the file, or with the models.
            OSError: the file cannot be read.
        """
        if not isinstance(audio, str | PathLike):
            if rate is None:
                raise NotebeamError("transcribe(rate)", None, "samples a second, in Hz, of samples")
            return self.transcribe_posteriorgram(self._acoustic_model()(audio, rate=rate))
        path = Path(audio)
        if path.suffix.lower() == POSTERIORGRAM:
            return self.transcribe_posteriorgram(Posteriorgram.load(path), place=str(path))
        posteriorgram = self._acoustic_model().file(path, self.start, self.stop, progress, damage)
        return self._decoded(posteriorgram, str(path))

    def load(self, *, audio: bool) -> None:
        """Load the models now: the prior, and with `audio` the acoustic model too."""
        self._load_prior()
        if audio:
            self._acoustic_model()

    def transcribe_posteriorgram(self, posteriorgram: Posteriorgram, *, place: str = "") -> Transcription:
        """Notes of any system's probabilities, between `start` and `stop`; needs no audio library.

        place: what an error calls it; by default its source.
        """
        place = place or posteriorgram.source or "posteriorgram"
        return self._decoded(between(posteriorgram, self.start, self.stop, place), place)

    def _decoded(self, posteriorgram: Posteriorgram, place: str) -> Transcription:
        prior, options = self._load_prior(), self.decoder
        shift = self.track.onset_shift + self._onset_shift(posteriorgram.model)
        track = replace(self.track, onset_shift=shift)
        if self.clock == "beats":
            assert prior is not None
            return self._decoded_at_beats(posteriorgram, prior, track, place)
        if isinstance(options, Beam) and posteriorgram.count * posteriorgram.hop > LONG:
            options = replace(options, look_back=options.look_back or LOOK_BACK)
        decoding = decode(posteriorgram, prior, options)
        notes = track_notes(decoding, posteriorgram, track)
        beats = None if self.beats is None else self._beats(notes, posteriorgram, place)
        return Transcription(notes, posteriorgram, decoding, beats)

    def _decoded_at_beats(
        self, posteriorgram: Posteriorgram, prior: Prior, track: TrackOptions, place: str
    ) -> Transcription:
        """Twice: without a prior for the beats, then with it at their steps."""
        from transcribe.beat_steps import decode_at_beats, notes_at_beats

        alone = track_notes(decode(posteriorgram, None, preset(prior=False)), posteriorgram, track)
        beats = self._beats(alone, posteriorgram, place)
        decoding = decode_at_beats(posteriorgram, prior, self.decoder, beats, alone)
        return Transcription(notes_at_beats(decoding, posteriorgram, track), posteriorgram, decoding, beats)

    def _beats(self, notes: Notes, posteriorgram: Posteriorgram, place: str) -> Beats:
        from transcribe.beat_steps import AUTO, beats_of

        start, stop = (float(posteriorgram.times[row]) for row in (0, -1))
        return beats_of(notes, AUTO if self.beats is None else self.beats, start, stop, place)

    def _onset_shift(self, model: str) -> float:
        """Seconds, by the card of the acoustic model of that name, if it is one of ours."""
        if self.onset_shift is not None:
            return self.onset_shift
        if self._loaded_model is not None and self._loaded_model.name == model:
            return self._loaded_model.onset_shift
        from acoustic.loading import list_models, read_card, weights_path

        return (
            read_card(weights_path(model).with_suffix(".json")).onset_shift if model in list_models() else 0.0
        )

    def _acoustic_model(self) -> Listener:
        """The acoustic model, loaded once."""
        if self._loaded_model is None:
            from acoustic.inference import load_acoustic

            cents = None if self.tuning is None else 100 * float(pitch_at(self.tuning) - 69)
            device = device_named(self.device)
            self._loaded_model = load_acoustic(self.model, device, bfloat16=self.bfloat16, cents=cents)
        return self._loaded_model

    def _load_prior(self) -> Prior | None:
        """The prior, loaded once; None if the decoder reads none."""
        if self.prior is None or not method_of(self.decoder).reads_prior:
            return None
        if self._loaded_prior is None:
            self._loaded_prior = self._placed_prior()
            card = self._loaded_prior.card
            if card is not None and card.clock["kind"] != self.clock:
                place, got = f"prior {card.model}/{card.name}", f"steps of {card.clock['kind']}"
                fitting = ", ".join(priors_with_steps_of(self.clock))
                raise NotebeamError(place, got, f"a prior with steps of {self.clock} ({fitting})")
            if card is None and self.clock == "beats":
                raise NotebeamError(
                    "Transcriber.prior", "a prior without a card", "its divisions of the beat"
                )
        return self._loaded_prior

    def _placed_prior(self) -> Prior:
        """The prior, by name on the device; an object is left where it is."""
        if not isinstance(self.prior, str | PathLike):
            assert self.prior is not None
            return self.prior
        device = device_named(self.device)
        # The search adds costs in float64, which mps does not have.
        return load_prior(self.prior, torch.device("cpu") if device.type == "mps" else device)


def transcribe(
    audio: str | PathLike[str] | ArrayLike, rate: float | None = None, **options: Any
) -> Transcription:
    """Notes of one recording: of a file, or of samples at `rate` Hz.

    Loads the models at each call: for many recordings keep a `Transcriber`, whose options these are too.

    >>> import notebeam as nb
    >>> import numpy as np
    >>> nb.transcribe(np.zeros(16_000), rate=16_000, model="piano-small", prior=None).posteriorgram.count
    50
    """
    return Transcriber(**options)(audio, rate)


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


def device_named(name: str) -> torch.device:
    """The device of that name, refused where it is missing; "auto" is cuda where there is one, else cpu."""
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "cpu") if present[kind]))
    if not present.get(name, False):
        there = ", ".join(kind for kind, is_there in present.items() if is_there)
        raise NotebeamError("device", name, f"a device of this machine ({there}) or auto")
    return torch.device(name)
