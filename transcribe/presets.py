"""Defaults of the pipeline: its models, and the settings that `python -m benchmarks.tuning` found best."""

from dataclasses import replace

from symbolic.decoding.options import Beam, Greedy, Hmm, Threshold
from symbolic.errors import NotebeamError
from transcribe.tracking import TrackOptions

Options = Threshold | Hmm | Greedy | Beam

MODEL = "piano"
PRIOR = "event-rnn-nade/piano"
METHOD = "beam"
TRACK = TrackOptions(frame_threshold=0.3, offset_threshold=0.8)

# By the name of the method; a search's with the prior.
PRESETS: dict[str, Options] = {
    "threshold": Threshold(threshold=0.6),
    "hmm": Hmm(off_after_off=0.6, off_after_on=0.5),
    "greedy": Greedy(prior_weight=0.1, note_penalty=-0.2),
    "beam": Beam(prior_weight=0.1, note_penalty=-0.2),
}
# At steps of beats, whose rows are sounding keys; a step is worth as much acoustic evidence as many frames.
AT_BEATS: dict[str, Greedy | Beam] = {
    "greedy": Greedy(prior_weight=0.2),
    "beam": Beam(prior_weight=0.2),
}
# For an HMM whose transitions are counted in performances, which the user must bring (`Hmm.counted`).
HMM_COUNTED = Hmm(prior_weight=0.2, note_penalty=-0.6)
# Nats that the prior charges for a note that is right, about: a penalty takes back what a weight adds.
NOTE_PRICE = 4.0
# Without a prior a search has only the penalty to say when a key is struck: the threshold's log(p / (1 - p)).
ALONE_PENALTY = 0.6


def preset(
    method: str = METHOD, *, prior: bool = True, weight: float | None = None, clock: str = "frames"
) -> Options:
    """Tuned options of a method, with the built-in prior or without any.

    Args:
        method: its name.
        prior: whether there will be one.
        weight: factor on the prior, None for the tuned one; the note penalty goes with it.
        clock: "frames" or "beats", what the prior's steps are.

    Raises:
        NotebeamError: no method of that name, or a bad weight.
    """
    if method not in PRESETS:
        raise NotebeamError("preset(method)", method, f"one of {', '.join(PRESETS)}")
    if clock == "beats" and method in AT_BEATS:
        return AT_BEATS[method] if weight is None else replace(AT_BEATS[method], prior_weight=weight)
    options = PRESETS[method]
    if not isinstance(options, Greedy | Beam):
        return options
    if not prior or weight == 0:
        return replace(options, prior_weight=0.0, note_penalty=ALONE_PENALTY)
    if weight is None:
        return options
    penalty = options.note_penalty - NOTE_PRICE * (weight - options.prior_weight)
    return replace(options, prior_weight=weight, note_penalty=penalty)
