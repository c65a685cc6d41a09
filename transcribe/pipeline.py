"""A recording in, notes out: the one place that knows every part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from math import inf
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symbolic.checks import Checked, brief, of_type
from symbolic.decoding.decode import decode
from symbolic.decoding.options import method_of
from symbolic.errors import NotebeamError
from symbolic.metre import Beats
from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.base import Prior
from symbolic.priors.surroundings import PLANES, planes_of
from transcribe.doubt import warning
from transcribe.models import (
    DEVICES,
    check_model,
    fitting_prior,
    load_fitting_prior,
    load_listener,
    with_dynamics,
)
from transcribe.options import decoder_options, in_blocks, onset_shift_of, settings_of, track_options
from transcribe.outputs import POSTERIORGRAM
from transcribe.posteriorgrams import between, read_posteriorgram
from transcribe.presets import AUTO, MODEL, Choice, preset
from transcribe.settings import Settings, read_settings
from transcribe.threads import one_thread
from transcribe.tracking import TrackOptions, track_notes
from transcribe.transcription import Transcription, asked_for

if TYPE_CHECKING:  # the audio side is imported where audio is read: a posteriorgram needs none of it
    from numpy.typing import ArrayLike

    from acoustic.frontends.loading import Frontend
    from acoustic.inference import Listener

CLOCKS = ("frames", "beats")
Damage = Callable[[NotebeamError], None]
A4_RANGE_HZ = (370.0, 523.0)  # three semitones either way of 440
# Of the fields of a `Transcriber`, and how an error says it.
FIELD_TYPES: dict[str, tuple[Any, str]] = {
    "model": (str | PathLike, "a name or file"),
    "prior": (Prior | str | PathLike | None, "a Prior, its name or file, or None"),
    "beats": (Beats | str | PathLike | None, "Beats, auto, a file, or None"),
    "track": (TrackOptions | None, "TrackOptions, or None"),
    "settings": (Settings | str | PathLike | None, "Settings, their file, or None"),
    "bfloat16": (bool | None, "True, False, or None"),
    "dynamics": (bool, "True or False"),
}


@dataclass(eq=False, kw_only=True)
class Transcriber(Checked):
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
    # Of the acoustic model: twice as fast, a little less exact; None: where the processor multiplies it
    bfloat16: bool | None = None
    tuning: float | None = None  # Hz of A4; None: estimated, within half a semitone of 440
    # Whether velocities are corrected by the notes around (symbolic.dynamics); else the acoustic model's own
    dynamics: bool = True
    onset_shift: float | None = None  # seconds added to every onset; None: that of the acoustic model's card
    start: float = 0.0  # seconds; what lies before is not read, the times stay the recording's
    stop: float | None = None  # seconds
    _loaded_model: Listener | Frontend | None = field(default=None, init=False, repr=False)
    _loaded_priors: dict[str, Prior] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for name, (kinds, expected) in FIELD_TYPES.items():
            self._check(name, expected, holds=isinstance(getattr(self, name), kinds))
        self._check_word("device", DEVICES)
        self._check_word("clock", CLOCKS)
        low, high = A4_RANGE_HZ
        self._check_between("tuning", low, high, f"Hz of A4, {low:g} to {high:g}", none=low)
        self._check_between("onset_shift", -1, 1, "seconds, -1 to 1", none=0)
        self._check_between("start", 0, inf, "seconds >= 0")
        self._check_between("min_note", 0, inf, "seconds >= 0", none=0)
        expected = f"seconds after the start, {self.start:g}"
        self._check("stop", expected, holds=self._number("stop", expected, none=inf) > self.start)
        expected = "options (Threshold(), Hmm(), Greedy() or Beam()), or None"
        self._check("decoder", expected, holds=not isinstance(self.decoder, str))
        good = not isinstance(self.decoder, Choice) or self.decoder.clock == self.clock
        self._check("decoder", f"a choice for the clock {self.clock}", holds=good)
        if isinstance(self.settings, str | PathLike):
            self.settings = read_settings(self.settings)
        if self.frontend is not None:
            self._check_frontend()
        reads_prior = method_of(self._options(self._given_settings())).reads_prior
        if self.clock == "beats" and not (reads_prior and self.prior is not None):
            expected = "a prior with steps of beats, and Greedy or Beam, for the clock beats"
            raise NotebeamError("Transcriber.prior", self.prior if reads_prior else self.decoder, expected)

    def _check_frontend(self) -> None:
        """That it is known, and is asked for nothing that it has not."""
        from acoustic.frontends.loading import FRONTENDS

        self._check_word("frontend", FRONTENDS)
        none = f"none: {self.frontend} has no such setting"
        self._check("tuning", none, holds=self.tuning is None)
        self._check("bfloat16", none, holds=self.bfloat16 is None)

    def __getstate__(self) -> dict[str, Any]:
        """The options alone: a worker loads its own models."""
        options: dict[str, Any] = {option.name: getattr(self, option.name) for option in fields(self)}
        return options | {"_loaded_model": None, "_loaded_priors": {}}

    def __call__(
        self,
        audio: str | PathLike[str] | ArrayLike,
        rate: float | None = None,
        progress: Callable[[float], None] | None = None,
        damage: Damage | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> Transcription:
        """Notes of an audio file, of a posteriorgram's `.npz`, or of samples; times are the recording's.

        Args:
            audio: the file, or samples (S,) or (S, channels), full scale 1.
            rate: samples a second, in Hz; of samples alone.
            progress: is called with the fraction of the recording that was read, 0..1.
            damage: is called with what is wrong with a cut or damaged recording, whose notes are those of
                what is there, or with why no beats were found, which are then None; None raises instead.
            notice: is called with what a user should know of the recording: its channels cancel, its tuning
                is a tie, it does not sound like a piano.

        Raises:
            NotebeamError: what is wrong with the file, or with the models.
            OSError: the file cannot be read.
        """
        if not isinstance(audio, str | PathLike):
            if isinstance(audio, list | tuple) and any(isinstance(one, str | PathLike) for one in audio):
                raise NotebeamError("transcribe(audio)", f"a {type(audio).__name__} of files", "one file")
            if not isinstance(audio, list | tuple) and not hasattr(audio, "__array__"):
                expected = "a file or samples (transcribe_posteriorgram takes a Posteriorgram)"
                raise NotebeamError("transcribe(audio)", brief(audio), expected)
            if rate is None:
                raise NotebeamError("transcribe(rate)", None, "samples a second, in Hz, of samples")
            posteriorgram = self._acoustic_model()(audio, rate=rate, notice=notice)
            self._is_doubtful(posteriorgram, notice)  # all of it, not only from `start` to `stop`
            place = posteriorgram.source
            return self._decoded(between(posteriorgram, self.start, self.stop, place), place, damage=damage)
        path = Path(audio)
        if path.suffix.lower() == POSTERIORGRAM:
            part = between(read_posteriorgram(path), self.start, self.stop, str(path))
            if notice is not None:
                for option in self._unused(part):
                    notice(f"a posteriorgram was listened to before: no use for {option}")
            return self._decoded(part, str(path), notice, damage)
        posteriorgram = self._acoustic_model().file(path, self.start, self.stop, progress, damage, notice)
        return self._decoded(posteriorgram, str(path), notice, damage)

    def _unused(self, posteriorgram: Posteriorgram) -> Iterator[str]:
        """What was asked for and changes nothing of what somebody else listened to."""
        if self.tuning is not None:
            yield "a tuning"
        if self.frontend is not None and posteriorgram.model not in ("", self.frontend):
            yield f"the front end {self.frontend}, as it is one of {posteriorgram.model}"
        is_own = Path(self.model).suffix == ".safetensors"  # whose card may have that name
        if posteriorgram.model and str(self.model) not in (MODEL, posteriorgram.model) and not is_own:
            yield f"the model {self.model}, as it is one of {posteriorgram.model}"

    def _is_doubtful(self, posteriorgram: Posteriorgram, notice: Callable[[str], None] | None = None) -> bool:
        """Whether it does not sound like a piano; a notice of that, which only our own models can tell."""
        line = None if posteriorgram.onset is None else warning(posteriorgram.onset)
        if line is not None and notice is not None and self.frontend is None:
            notice(line)
        return line is not None

    def load(self, *, audio: bool) -> None:
        """Load the models now: the prior, and with `audio` the acoustic model too."""
        self._load_prior(self.frontend or str(self.model))
        if audio:
            self._acoustic_model()
        elif self.frontend is None:
            check_model(self.model)

    def transcribe_posteriorgram(self, posteriorgram: Posteriorgram, *, place: str = "") -> Transcription:
        """Notes of any system's probabilities, between `start` and `stop`; needs no audio library.

        place: what an error calls it; by default its source.
        """
        expected = "a Posteriorgram: Posteriorgram(frame=..., onset=..., hop=...)"
        posteriorgram = of_type(posteriorgram, Posteriorgram, "transcribe_posteriorgram", expected)
        place = place or posteriorgram.source or "posteriorgram"
        return self._decoded(between(posteriorgram, self.start, self.stop, place), place)

    def _decoded(
        self,
        posteriorgram: Posteriorgram,
        place: str,
        notice: Callable[[str], None] | None = None,
        damage: Damage | None = None,
    ) -> Transcription:
        settings = settings_of(posteriorgram, self._given_settings(), self.frontend, self._loaded_model)
        # A join knows the mistakes of its model in pianos; of what is none the prior of notes knows more.
        # Whether it is one cannot be told of a front end's probabilities, for which there are settings.
        doubtful = settings is None and self._is_doubtful(posteriorgram, notice)
        prior = self._load_prior("" if doubtful else posteriorgram.model, planes_of(posteriorgram))
        options, track = self._options(settings, prior), self._track(settings, posteriorgram.model)
        with one_thread():
            if self.clock == "beats":
                assert prior is not None
                return self._decoded_at_beats(posteriorgram, prior, settings, track, place)
            decoding = decode(posteriorgram, prior, in_blocks(options, posteriorgram))
            notes, *others = (
                self._with_dynamics(track_notes(one, posteriorgram, track), posteriorgram)
                for one in asked_for(decoding, options)
            )
            beats = None if self.beats is None else self._beats(notes, posteriorgram, place, damage)
        return Transcription(notes, posteriorgram, decoding, beats, tuple(others))

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
        assert beats is not None
        options = self._options(settings)
        decoding = decode_at_beats(posteriorgram, prior, options, beats, played)
        notes, *others = (
            self._with_dynamics(notes_at_beats(one, posteriorgram, track), posteriorgram)
            for one in asked_for(decoding, options)
        )
        return Transcription(notes, posteriorgram, decoding, beats, tuple(others))

    def _with_dynamics(self, notes: Notes, posteriorgram: Posteriorgram) -> Notes:
        known = self.dynamics and posteriorgram.velocity is not None
        return with_dynamics(notes, posteriorgram.model) if known else notes

    def _beats(
        self, notes: Notes, posteriorgram: Posteriorgram, place: str, damage: Damage | None = None
    ) -> Beats | None:
        from transcribe.beat_steps import beats_of

        start, stop = (float(posteriorgram.times[row]) for row in (0, -1))
        given, is_part = AUTO if self.beats is None else self.beats, self.start > 0 or self.stop is not None
        return beats_of(notes, given, start, stop, place, is_part=is_part, damage=damage)

    def _options(self, settings: Settings | None, prior: Prior | None = None) -> object:
        """Options of the decoder for posteriorgrams of a front end, and for the prior that was loaded."""
        joined = prior is not None and prior.card is not None and bool(prior.card.acoustic_model)
        given = self.prior is not None
        return decoder_options(self.decoder, settings, self.clock, prior=given, joined=joined)

    def _track(self, settings: Settings | None, model: str) -> TrackOptions:
        """How notes are read off posteriorgrams of a front end, or of this package's model of that name."""
        shift = self.onset_shift
        if shift is None:
            shift = onset_shift_of(settings, model, self._loaded_model)
        return track_options(self.track, settings, min_note=self.min_note, shift=shift)

    def _acoustic_model(self) -> Listener | Frontend:
        """The acoustic model or the front end, loaded once."""
        if self._loaded_model is None:
            self._loaded_model = load_listener(
                self.model, self.frontend, self.device, bfloat16=self.bfloat16, tuning=self.tuning
            )
            given = self._given_settings()
            if given is not None and self.frontend is None:  # before anything is listened to
                given.check(self._loaded_model.name, "acoustic model")
        return self._loaded_model

    def _load_prior(self, model: str, planes: int = len(PLANES)) -> Prior | None:
        """The prior for posteriorgrams of an acoustic model of that name, by name loaded once.

        None if there is none to be, or if the decoder reads none. planes: see `surroundings.planes_of`.
        """
        wanted = self.prior
        if wanted is None or not method_of(self._options(self._given_settings())).reads_prior:
            return None
        if wanted == AUTO:
            # Weights of the user's own may bear the name of ours, and settings are for a prior of notes.
            ours = not Path(self.model).suffix and self._given_settings() is None
            wanted = fitting_prior(model if ours else "", planes, self.decoder, self.clock)
        if not isinstance(wanted, str | PathLike):
            return load_fitting_prior(wanted, self.clock, self.device)
        if str(wanted) not in self._loaded_priors:
            self._loaded_priors[str(wanted)] = load_fitting_prior(wanted, self.clock, self.device)
        return self._loaded_priors[str(wanted)]

    def _given_settings(self) -> Settings | None:
        """Those of the user, read when the options were checked."""
        assert self.settings is None or isinstance(self.settings, Settings)
        return self.settings


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
