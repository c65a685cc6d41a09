"""Defaults of the pipeline: its models, and the settings that `python -m benchmarks.tuning` found best."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from symbolic.checks import Checked, of_type
from symbolic.decoding.options import Beam, Greedy, Hmm, Threshold
from symbolic.errors import NotebeamError
from transcribe.settings import Settings
from transcribe.tracking import TrackOptions

Options = Threshold | Hmm | Greedy | Beam

MODEL = "piano"
PRIOR = "event-rnn-nade/piano"
# "auto": of posteriorgrams of these acoustic models the join that was fitted to them, of all others PRIOR.
AUTO = "auto"


@dataclass(frozen=True)
class Join:
    """A prior that was fitted to one acoustic model."""

    name: str
    planes: int  # that it reads, as in `symbolic.priors.surroundings`


JOINS = {
    "piano": Join("evidence-join/piano", 4),
    "piano-small": Join("evidence-join/piano-small", 4),
    "piano-free": Join("evidence-join/piano-free", 4),
    "basic-pitch": Join("evidence-join/basic-pitch", 1),
}
# Acoustic models whose velocities are corrected by the notes around (symbolic.dynamics); of others they stay.
DYNAMICS = ("piano", "piano-small")
METHOD = "beam"
TRACK = TrackOptions(frame_threshold=0.3, offset_threshold=0.8)

# By the name of the method; a search's with the prior.
PRESETS: dict[str, Options] = {
    "threshold": Threshold(threshold=0.6),
    "hmm": Hmm(),
    "greedy": Greedy(prior_weight=0.1, note_penalty=-0.2),
    "beam": Beam(prior_weight=0.1, note_penalty=-0.2),
}
# At steps of beats, whose rows are sounding keys; a step is worth as much acoustic evidence as many frames.
# The penalty gives back what a prior charges for a note, about 3 nats (by validation pieces of the sets).
BEAT_NOTE_PRICE = 3.0
AT_BEATS: dict[str, Greedy | Beam] = {
    "greedy": Greedy(prior_weight=0.4, note_penalty=-1.2),
    "beam": Beam(prior_weight=0.4, note_penalty=-1.2),
}
# With a join, whose log-probability is relative to the acoustic model's: it has the last word.
JOINED: dict[str, Greedy | Beam] = {
    "greedy": Greedy(prior_weight=1.0),
    "beam": Beam(prior_weight=1.0),
}
# For an HMM whose transitions are counted in performances, which the user must bring (`Hmm.counted`).
HMM_COUNTED = Hmm(prior_weight=0.2, note_penalty=-0.6)
# Nats that the prior charges for a note that is right, about: a penalty takes back what a weight adds.
NOTE_PRICE = 4.0
# Without a prior a search has only the penalty to say when a key is struck: the threshold's log(p / (1 - p)).
ALONE_PENALTY = 0.6
# Of posteriorgrams of a system that is not known here. A peak of its onset plane that no sound follows is no
# note; an onset is not shifted, as nobody said that it is late.
FOREIGN = Settings(prior_weight=0.1, note_penalty=0.2, alone_penalty=0.6, threshold=0.6, sounding=0.0465)


@dataclass(frozen=True, kw_only=True)
class Choice(Checked):
    """A method whose numbers are left to the front end's settings, but for those that are given."""

    method: str = METHOD
    weight: float | None = None  # factor on the prior
    clock: str = "frames"  # or "beats": what the prior's steps are
    numbers: Mapping[str, Any] = field(default_factory=dict)  # fields of its options

    def __post_init__(self) -> None:
        self._check_word("method", PRESETS)
        self._check_word("clock", ("frames", "beats"))
        self._number("weight", "a number, or None for the tuned one", none=0.0)
        of_type(self.numbers, Mapping, "Choice.numbers", "names and numbers of the method's options")

    def options(self, settings: Settings | None, *, prior: bool, joined: bool = False) -> Options:
        """The options; `settings` of a front end, None for this package's models; see `preset`."""
        options = preset(
            self.method, prior=prior, weight=self.weight, settings=settings, clock=self.clock, joined=joined
        )
        return replace(options, **self.numbers)


def preset(
    method: str = METHOD,
    *,
    prior: bool = True,
    weight: float | None = None,
    settings: Settings | None = None,
    clock: str = "frames",
    joined: bool = False,
) -> Options:
    """Tuned options of a method, with the built-in prior or without any.

    Args:
        method: its name.
        prior: whether there will be one.
        weight: factor on the prior, None for the tuned one; the note penalty goes with it.
        settings: of a front end; None: of this package's acoustic models.
        clock: "frames" or "beats", what the prior's steps are.
        joined: whether the prior is a join (`symbolic.priors.evidence_join`).

    Raises:
        NotebeamError: no method of that name, or a bad weight.
    """
    if method not in PRESETS:
        raise NotebeamError("preset(method)", method, f"one of {', '.join(PRESETS)}")
    if clock == "beats" and method in AT_BEATS:
        return _at_beats(AT_BEATS[method], weight, settings)
    if joined and method in JOINED and weight != 0:
        return JOINED[method] if weight is None else replace(JOINED[method], prior_weight=weight)
    options = PRESETS[method] if settings is None else settings.applied(PRESETS[method])
    if not isinstance(options, Greedy | Beam):
        return options
    if not prior or weight == 0:
        alone = ALONE_PENALTY if settings is None else settings.alone_penalty
        return replace(options, prior_weight=0.0, note_penalty=alone)
    if weight is None:
        return options
    penalty = options.note_penalty - NOTE_PRICE * (weight - options.prior_weight)
    return replace(options, prior_weight=weight, note_penalty=penalty)


def _at_beats(options: Greedy | Beam, weight: float | None, settings: Settings | None) -> Options:
    """Of a front end only the temperature holds there: its weight and penalties are those of strokes."""
    if settings is not None:
        options = replace(options, temperature=settings.temperature)
    if weight is None:
        return options
    return replace(options, prior_weight=weight, note_penalty=-BEAT_NOTE_PRICE * weight)
