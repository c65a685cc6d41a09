"""What the command does when it is not told: models, and each decoder's settings.

Is: the settings that `python -m benchmarks.tuning` found best on the development recordings.
Is not: the meaning of a setting (symbolic.decoding.options, transcribe.tracking).
"""

from dataclasses import replace

from symbolic.decoding.asking import SEARCHES
from symbolic.decoding.options import DecodeOptions, Method, Transitions
from symbolic.errors import NotebeamError
from transcribe.tracking import TrackOptions

MODEL = "piano"
PRIOR = "event-rnn-nade/piano"
METHOD: Method = "beam"
TRACK = TrackOptions(frame_threshold=0.3, offset_threshold=0.8)
# Seconds added to every onset that our acoustic models heard: real pianos sound later than their MIDI says.
# Other systems' posteriorgrams are left as they are.
ONSET_SHIFTS = dict.fromkeys(("piano", "piano-small", "piano-free"), -0.02)

# With the prior; its step and plane come from its card.
PRESETS: dict[str, DecodeOptions] = {
    "threshold": DecodeOptions(method="threshold", threshold=0.6, prior_weight=0.0),
    "hmm": DecodeOptions(method="hmm", transitions=Transitions.tuned(0.6, 0.5)),
    "greedy": DecodeOptions(method="greedy", prior_weight=0.1, note_penalty=-0.2),
    "beam": DecodeOptions(method="beam", prior_weight=0.1, note_penalty=-0.2),
}
# The HMM with transitions counted in performances, which the user must bring (`Transitions.counted`).
HMM_COUNTED = DecodeOptions(method="hmm", prior_weight=0.2, note_penalty=-0.6)
# Nats that the prior charges for a note that is right, about: a penalty takes back what a weight adds.
NOTE_PRICE = 4.0
# Without a prior a search has only the penalty to say when a key is struck: the threshold's log(p / (1 - p)).
ALONE_PENALTY = 0.6


def preset(method: str = METHOD, *, prior: bool = True, weight: float | None = None) -> DecodeOptions:
    """Tuned options of a decoder, with the built-in prior or without any.

    Args:
        method: the decoder.
        prior: whether there will be one.
        weight: factor on the prior, None for the tuned one; the note penalty goes with it.

    Raises:
        NotebeamError: no decoder of that name, or a bad weight.
    """
    if method not in PRESETS:
        raise NotebeamError("preset(method)", method, f"one of {', '.join(PRESETS)}")
    options = PRESETS[method]
    if method not in SEARCHES:
        return options
    if not prior or weight == 0:
        return replace(options, prior_weight=0.0, note_penalty=ALONE_PENALTY)
    if weight is None:
        return options
    penalty = options.note_penalty - NOTE_PRICE * (weight - options.prior_weight)
    return replace(options, prior_weight=weight, note_penalty=penalty)
