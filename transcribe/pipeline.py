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
from symbolic.priors.surroundings import NEEDED
from transcribe.doubt import warning
from transcribe.outputs import POSTERIORGRAM
from transcribe.presets import AUTO, FOREIGN, JOINS, MODEL, PRIOR, TRACK, Choice, preset
from transcribe.settings import Settings, read_settings
from transcribe.threads import one_thread
from transcribe.tracking import TrackOptions, track_notes

if TYPE_CHECKING:  # the audio side is imported where audio is read: a posteriorgram needs none of it
    from numpy.typing import ArrayLike

    from acoustic.frontends.loading import Frontend
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
    # A prior, its name or file; None: acoustic alone; "auto": the join that was fitted to the acoustic model,
    # if one was, else, and where `decoder` holds numbers for a prior, `presets.PRIOR`.
    prior: Prior | str | PathLike[str] | None = AUTO
    # `Threshold`, `Hmm`, `Greedy` or `Beam`, or a `Choice`; None: the preset, with or without prior.
    decoder: object = None
    clock: str = "frames"  # what the prior's steps are; "beats": fractions of the beat, as its card says
    # Beats of the recording: "auto" tracks them, else `Beats` or a file; None: none, or for the clock
    beats: Beats | str | PathLike[str] | None = None
    track: TrackOptions | None = None  # None: the preset
    min_note: float | None = None  # seconds; shorter notes are dropped; None: what `track` says
    frontend: str | None = None  # another system that listens (acoustic.frontends); `model` is then its file
    # Of the front end, or their file; None: those of whoever made a posteriorgram.
    settings: Settings | str | PathLike[str] | None = None
    device: str = "auto"
    bfloat16: bool = False  # of the acoustic model: faster where the processor has it, a little less exact
    tuning: float | None = None  # Hz of A4; None: estimated, within half a semitone of 440
    onset_shift: float | None = None  # seconds added to every onset; None: that of the acoustic model's card
    start: float = 0.0  # seconds; what lies before is not read, the times stay the recording's
    stop: float | None = None  # seconds
    _loaded_model: Listener | Frontend | None = field(default=None, init=False, repr=False)
    _loaded_priors: dict[str, Prior] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        known = self.prior is None or isinstance(self.prior, Prior | str | PathLike)
        self._check("prior", "a Prior, its name or file, or None", holds=known)
        self._check("model", "a name or file", holds=isinstance(self.model, str | PathLike))
        self._check("device", f"one of {', '.join(DEVICES)}", holds=self.device in DEVICES)
        low, high = A4_RANGE_HZ
        good = self.tuning is None or low <= self.tuning <= high
        self._check("tuning", f"Hz of A4, {low:g} to {high:g}", holds=good)
        good = self.onset_shift is None or -1 <= self.onset_shift <= 1
        self._check("onset_shift", "seconds, -1 to 1", holds=good)
        self._check("start", "seconds >= 0", holds=self.start >= 0)
        good = self.stop is None or self.stop > self.start
        self._check("stop", f"seconds after start, {self.start:g}", holds=good)
        good = self.min_note is None or self.min_note >= 0
        self._check("min_note", "seconds >= 0", holds=good)
        self._check("clock", f"one of {', '.join(CLOCKS)}", holds=self.clock in CLOCKS)
        good = not isinstance(self.decoder, Choice) or self.decoder.clock == self.clock
        self._check("decoder", f"a choice for the clock {self.clock}", holds=good)
        if isinstance(self.settings, str | PathLike):
            self.settings = read_settings(self.settings)
        if self.frontend is not None:
            self._check_frontend()
        reads_prior = method_of(self._options(self.settings)).reads_prior
        if self.clock == "beats" and not (reads_prior and self.prior is not None):
            expected = "a prior with steps of beats, and Greedy or Beam, for the clock beats"
            raise NotebeamError("Transcriber.prior", self.prior if reads_prior else self.decoder, expected)

    def _check(self, name: str, expected: str, *, holds: bool) -> None:
        if not holds:
            raise NotebeamError(f"Transcriber.{name}", getattr(self, name), expected)

    def _check_frontend(self) -> None:
        """That it is known, and is asked for nothing that it has not."""
        from acoustic.frontends.loading import FRONTENDS

        self._check("frontend", f"one of {', '.join(FRONTENDS)}", holds=self.frontend in FRONTENDS)
        none = f"none: {self.frontend} has no such setting"
        self._check("tuning", none, holds=self.tuning is None)
        self._check("bfloat16", none, holds=not self.bfloat16)

    def __getstate__(self) -> dict[str, Any]:
        """The options alone: a worker loads its own models."""
        options: dict[str, Any] = {option.name: getattr(self, option.name) for option in fields(self)}
        return options | {"_loaded_model": None, "_loaded_priors": {}}

    def __call__(
        self,
        audio: str | PathLike[str] | ArrayLike,
        rate: float | None = None,
        progress: Callable[[float], None] | None = None,
        damage: Callable[[NotebeamError], None] | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> Transcription:
        """Notes of an audio file, of a posteriorgram's `.npz`, or of samples; times are the recording's.

        Args:
            audio: the file, or samples (S,) or (S, channels), full scale 1.
            rate: samples a second, in Hz; of samples alone.
            progress: is called with the fraction of the recording that was read, 0..1.
            damage: is called with what is wrong with a cut or damaged recording, whose notes are those of
                what is there; None raises instead.
            notice: is called with what a user should know of the recording: its channels cancel, its tuning
                is a tie, it does not sound like a piano.

        Raises:
            NotebeamError: what is wrong with the file, or with the models.
            OSError: the file cannot be read.
        """
        if not isinstance(audio, str | PathLike):
            if isinstance(audio, list | tuple) and any(isinstance(one, str | PathLike) for one in audio):
                raise NotebeamError("transcribe(audio)", f"a {type(audio).__name__} of files", "one file")
            if rate is None:
                raise NotebeamError("transcribe(rate)", None, "samples a second, in Hz, of samples")
            posteriorgram = self._acoustic_model()(audio, rate=rate, notice=notice)
            return self.transcribe_posteriorgram(self._noticed(posteriorgram, notice))
        path = Path(audio)
        if path.suffix.lower() == POSTERIORGRAM:
            return self.transcribe_posteriorgram(read_posteriorgram(path), place=str(path))
        posteriorgram = self._acoustic_model().file(path, self.start, self.stop, progress, damage, notice)
        return self._decoded(self._noticed(posteriorgram, notice), str(path))

    def _noticed(self, posteriorgram: Posteriorgram, notice: Callable[[str], None] | None) -> Posteriorgram:
        """The same; a notice where it does not sound like a piano, which only our own models can tell."""
        if notice is not None and self.frontend is None and posteriorgram.onset is not None:
            line = warning(posteriorgram.onset)
            if line is not None:
                notice(line)
        return posteriorgram

    def load(self, *, audio: bool) -> None:
        """Load the models now: the prior, and with `audio` the acoustic model too."""
        assert self.settings is None or isinstance(self.settings, Settings)
        ours = str(self.model) if self.frontend is None else ""
        self._load_prior(self._wanted_prior(ours, self.settings))
        if audio:
            self._acoustic_model()

    def transcribe_posteriorgram(self, posteriorgram: Posteriorgram, *, place: str = "") -> Transcription:
        """Notes of any system's probabilities, between `start` and `stop`; needs no audio library.

        place: what an error calls it; by default its source.
        """
        place = place or posteriorgram.source or "posteriorgram"
        return self._decoded(between(posteriorgram, self.start, self.stop, place), place)

    def _decoded(self, posteriorgram: Posteriorgram, place: str) -> Transcription:
        settings = self._settings_of(posteriorgram)
        complete = all(getattr(posteriorgram, name) is not None for name in NEEDED)
        prior = self._load_prior(self._wanted_prior(posteriorgram.model if complete else "", settings))
        options, track = self._options(settings, prior), self._track(settings, posteriorgram.model)
        with one_thread():
            if self.clock == "beats":
                assert prior is not None
                return self._decoded_at_beats(posteriorgram, prior, settings, track, place)
            decoding = decode(posteriorgram, prior, in_blocks(options, posteriorgram))
            notes = track_notes(decoding, posteriorgram, track)
            beats = None if self.beats is None else self._beats(notes, posteriorgram, place)
        return Transcription(notes, posteriorgram, decoding, beats)

    def _decoded_at_beats(
        self,
        posteriorgram: Posteriorgram,
        prior: Prior,
        settings: Settings | None,
        track: TrackOptions,
        place: str,
    ) -> Transcription:
        """Twice: without a prior for the beats, then with it at their steps."""
        from transcribe.beat_steps import decode_at_beats, notes_at_beats

        alone = in_blocks(preset(prior=False, settings=settings), posteriorgram)
        played = track_notes(decode(posteriorgram, None, alone), posteriorgram, track)
        beats = self._beats(played, posteriorgram, place)
        decoding = decode_at_beats(posteriorgram, prior, self._options(settings), beats, played)
        return Transcription(notes_at_beats(decoding, posteriorgram, track), posteriorgram, decoding, beats)

    def _beats(self, notes: Notes, posteriorgram: Posteriorgram, place: str) -> Beats:
        from transcribe.beat_steps import AUTO, beats_of

        start, stop = (float(posteriorgram.times[row]) for row in (0, -1))
        return beats_of(notes, AUTO if self.beats is None else self.beats, start, stop, place)

    def _settings_of(self, posteriorgram: Posteriorgram) -> Settings | None:
        """What is known of the front end whose posteriorgram it is; None of this package's models."""
        model = posteriorgram.model
        if isinstance(self.settings, Settings):
            self.settings.check(model, posteriorgram.source or "posteriorgram")
            return self.settings
        from acoustic.frontends.loading import CARDS, FRONTENDS
        from acoustic.loading import list_models

        model = model or self.frontend or ""
        if model in FRONTENDS:
            return read_settings(CARDS / f"{model}.json")
        is_ours = (
            self.frontend is None and self._loaded_model is not None and self._loaded_model.name == model
        )
        return None if is_ours or model in list_models() else FOREIGN

    def _options(self, settings: Settings | str | PathLike[str] | None, prior: Prior | None = None) -> object:
        """Options of the decoder for posteriorgrams of a front end, and for the prior that was loaded."""
        assert settings is None or isinstance(settings, Settings)
        choice = Choice(clock=self.clock) if self.decoder is None else self.decoder
        if not isinstance(choice, Choice):
            return choice
        joined = prior is not None and prior.card is not None and bool(prior.card.acoustic_model)
        return choice.options(settings, prior=self.prior is not None, joined=joined)

    def _track(self, settings: Settings | None, model: str) -> TrackOptions:
        """How notes are read off posteriorgrams of a front end, or of this package's model of that name."""
        track = self.track
        if track is None:
            track = TRACK if settings is None else settings.tracking(TRACK)
        if self.min_note is not None:
            track = replace(track, min_note=self.min_note)
        shift = self.onset_shift
        if shift is None:
            shift = self._card_shift(model) if settings is None else settings.onset_shift
        return replace(track, onset_shift=track.onset_shift + shift)

    def _card_shift(self, model: str) -> float:
        """Seconds, by the card of this package's acoustic model of that name."""
        if self._loaded_model is not None and self._loaded_model.name == model:
            return getattr(self._loaded_model, "onset_shift", 0.0)
        from acoustic.loading import read_card, weights_path

        return read_card(weights_path(model).with_suffix(".json")).onset_shift

    def _acoustic_model(self) -> Listener | Frontend:
        """The acoustic model or the front end, loaded once."""
        if self._loaded_model is None and self.frontend is not None:
            from acoustic.frontends.loading import load_frontend

            weights = None if self.model == MODEL else self.model
            self._loaded_model = load_frontend(self.frontend, weights)
        elif self._loaded_model is None:
            from acoustic.inference import load_acoustic

            cents = None if self.tuning is None else 100 * float(pitch_at(self.tuning) - 69)
            device = device_named(self.device)
            self._loaded_model = load_acoustic(self.model, device, bfloat16=self.bfloat16, cents=cents)
            if isinstance(self.settings, Settings):  # before anything is listened to
                self.settings.check(self._loaded_model.name, "acoustic model")
        return self._loaded_model

    def _wanted_prior(self, model: str, settings: Settings | None) -> Prior | str | PathLike[str] | None:
        """The prior for posteriorgrams of an acoustic model of that name."""
        if not isinstance(self.prior, str) or self.prior != AUTO:
            return self.prior
        # Numbers that somebody chose, or fitted to a front end, are for a prior of notes alone; and another
        # network may bear the name of ours.
        free = self.decoder is None or (isinstance(self.decoder, Choice) and self.decoder.weight is None)
        ours = settings is None and Path(self.model).suffix != ".safetensors"
        return JOINS.get(model, PRIOR) if free and ours and self.clock == "frames" else PRIOR

    def _load_prior(self, wanted: Prior | str | PathLike[str] | None) -> Prior | None:
        """The prior, by name loaded once and on the device; None if the decoder reads none."""
        assert self.settings is None or isinstance(self.settings, Settings)
        if wanted is None or not method_of(self._options(self.settings)).reads_prior:
            return None
        if not isinstance(wanted, str | PathLike):  # an object is left where it is
            return self._with_fitting_steps(wanted)
        if str(wanted) not in self._loaded_priors:
            device = device_named(self.device)
            # The search adds costs in float64, which mps does not have.
            prior = load_prior(wanted, torch.device("cpu") if device.type == "mps" else device)
            self._loaded_priors[str(wanted)] = self._with_fitting_steps(prior)
        return self._loaded_priors[str(wanted)]

    def _with_fitting_steps(self, prior: Prior) -> Prior:
        """The prior, refused if its steps are not those of the clock."""
        card = prior.card
        if card is not None and card.clock["kind"] != self.clock:
            place, got = f"prior {card.model}/{card.name}", f"steps of {card.clock['kind']}"
            fitting = ", ".join(priors_with_steps_of(self.clock))
            raise NotebeamError(place, got, f"a prior with steps of {self.clock} ({fitting})")
        if card is None and self.clock == "beats":
            raise NotebeamError("Transcriber.prior", "a prior without a card", "its divisions of the beat")
        return prior


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


def read_posteriorgram(path: Path) -> Posteriorgram:
    """A posteriorgram's `.npz`, or what basic-pitch saved."""
    from acoustic.frontends.basic_pitch_output import is_basic_pitch, read_basic_pitch

    return read_basic_pitch(path) if is_basic_pitch(path) else Posteriorgram.load(path)


def in_blocks(options: object, posteriorgram: Posteriorgram) -> object:
    """Options for a posteriorgram: of a long one a beam settles its rows on the way, to bound the memory."""
    if isinstance(options, Beam) and posteriorgram.count * posteriorgram.hop > LONG:
        return replace(options, look_back=options.look_back or LOOK_BACK)
    return options


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
