"""Settings of a front end: how posteriorgrams of one acoustic model become notes, and their file.

Is: the type, its checks, the JSON that `python -m benchmarks.tuning --save-settings` writes and that
`transcribe --settings` and `Transcriber(settings=...)` read.
Is not: the settings of this package's own acoustic models (transcribe.presets).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from typing import Any

from symbolic.checks import Checked, of_type
from symbolic.config import options_from
from symbolic.decoding.options import MAX_PENALTY, Beam, Greedy, Hmm, Threshold
from symbolic.errors import NotebeamError
from symbolic.files import read_json, replacing
from transcribe.tracking import TrackOptions

KIND = "notebeam settings"


@dataclass(frozen=True, kw_only=True)
class Settings(Checked):
    """What `transcribe` knows of a front end: numbers of the search, and of the way to notes.

    >>> settings = Settings(front_end="mine", onset_shift=-0.01)
    >>> settings.fits("mine"), settings.fits("other"), settings.fits("")
    (True, False, True)
    """

    front_end: str = ""  # the `model` of its posteriorgrams
    temperature: float = 1.0  # its log-odds are divided by
    prior_weight: float = 0.1
    note_penalty: float = 0.0  # nats a note, with a prior of that weight
    alone_penalty: float = 0.6  # nats a note, without a prior
    threshold: float = 0.6  # of the decoder `threshold`
    onset_shift: float = 0.0  # seconds added to every onset: what it hears late
    frame_threshold: float = 0.3  # a key sounds above this
    sounding: float = 0.0  # seconds that a key which is struck is to sound, or it is no note
    data: str = ""  # what it was fitted on
    command: str = ""
    scores: Mapping[str, Any] = field(default_factory=dict)
    kind: str = KIND

    def __post_init__(self) -> None:
        self.applied(Beam())
        self.applied(Threshold())
        self.tracking(TrackOptions())
        expected = f"a number {-MAX_PENALTY}..{MAX_PENALTY}"
        self._check_between("alone_penalty", -MAX_PENALTY, MAX_PENALTY, expected)
        self._check_between("onset_shift", -1, 1, "seconds, -1 to 1")
        of_type(self.front_end, str, "Settings.front_end", "a name")

    def fits(self, model: str) -> bool:
        """Whether they are for posteriorgrams of that model; one that does not say is taken for it."""
        return model in ("", self.front_end)

    def check(self, model: str, place: str) -> None:
        """Refuse posteriorgrams of another model, which `place` names.

        Raises:
            NotebeamError: settings of another front end.
        """
        if not self.fits(model):
            named = repr(self.front_end) if self.front_end else "a front end without a name"
            expected = f"posteriorgrams of {named}, or settings of {model!r} (python -m benchmarks.tuning)"
            raise NotebeamError(f"{place}: settings", f"a posteriorgram of {model}", expected)

    def applied(self, options: Any) -> Any:
        """Options of a method with these numbers, those that it has; with a prior where it reads one."""
        if isinstance(options, Threshold):
            return replace(options, threshold=self.threshold)
        if isinstance(options, Hmm):
            return replace(options, temperature=self.temperature)
        if not isinstance(options, Greedy | Beam):
            return options
        return replace(
            options,
            prior_weight=self.prior_weight,
            note_penalty=self.note_penalty,
            temperature=self.temperature,
        )

    def tracking(self, options: TrackOptions) -> TrackOptions:
        """Options of the way to notes with these numbers, but for the onset shift."""
        return replace(options, frame_threshold=self.frame_threshold, sounding=self.sounding)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the JSON, whole or not at all."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read_settings(path: str | PathLike[str]) -> Settings:
    """Settings from their file.

    Raises:
        NotebeamError: no such file, no JSON, the settings of something else, or a bad number.
    """
    expected = f"a JSON file of {KIND}"
    table = read_json(path, expected)
    found = table.get("kind", "no kind in it") if isinstance(table, dict) else type(table).__name__
    if found != KIND:
        raise NotebeamError(str(path), found, expected)
    try:
        return options_from(Settings, table, "")
    except NotebeamError as error:
        raise NotebeamError(f"{path}: {error.place}", error.value, error.expected) from error
