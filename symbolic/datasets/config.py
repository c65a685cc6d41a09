"""Which data, as a config says: a set, performances or a folder of MIDI files, and what their steps are."""

from dataclasses import dataclass
from typing import Literal

from symbolic.config import at_least, at_most
from symbolic.errors import NotebeamError

PERFORMANCES = ("asap", "pop909")
CLASSIC = ("piano_midi", "nottingham", "musedata", "jsb")
REAL = ("motion", "bouncing-balls")  # sets whose steps are real numbers


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What a prior learns from: one set, or performances, or a folder of MIDI files."""

    set: str = ""  # one of CLASSIC or REAL, with its own splits and its own steps
    performances: tuple[str, ...] = ()  # of PERFORMANCES; split by composition
    midi: str = ""  # folder, with its subfolders, of *.mid and *.midi; split by file
    # What a bit is: the key sounds ("active"), or is struck there; both: (T, 176), the first bits, then the
    # others. "": struck, as `transcribe` asks for, where steps are frames; else active.
    plane: Literal["", "active", "struck", "both"] = ""
    hop: float = 0.04  # seconds between the steps of notes; 0, of MIDI files only: steps are parts of beats
    divisions: int = 1  # steps a beat (quarter note) where hop is 0; a classic set has its own
    held_out: float = 0.05  # share of the songs for validation where a set has no split of its own
    transpose: int = 0  # semitones, at most, up or down, drawn per piece and epoch
    stretch: float = 1.0  # a piece is played up to so many times slower or faster, likewise

    def __post_init__(self) -> None:
        if sum(map(bool, (self.set, self.performances, self.midi))) != 1:
            got = {"set": self.set, "performances": self.performances, "midi": self.midi}
            raise NotebeamError("data", got, "either a set or performances or a folder of MIDI files (midi)")
        if self.set and self.set not in CLASSIC + REAL:
            raise NotebeamError("data.set", self.set, f"one of {', '.join(CLASSIC + REAL)}")
        for name in self.performances:
            if name not in PERFORMANCES:
                raise NotebeamError("data.performances", name, f"some of {', '.join(PERFORMANCES)}")
        if not self.plane:
            in_frames = not self.set and not (self.midi and self.hop == 0)
            object.__setattr__(self, "plane", "struck" if in_frames else "active")
        if self.set and (self.plane != "active" or self.stretch != 1.0):
            raise NotebeamError("data.set", self.set, 'plane "active" and stretch 1 (it has no note times)')
        if self.set in REAL and self.transpose:
            raise NotebeamError("data.transpose", self.transpose, f"0 ({self.set} has no keys)")
        if self.midi and self.hop == 0 and self.stretch != 1.0:
            raise NotebeamError("data.stretch", self.stretch, "1 (at beats, hop 0, tempo changes nothing)")
        if not (self.midi and self.hop == 0):
            at_least("data", self, hop=1e-3)
        at_least("data", self, divisions=1, transpose=0, stretch=1.0)
        at_most("data", self, hop=10, divisions=1000, transpose=88, stretch=100)
        if not 0 < self.held_out < 1:
            raise NotebeamError("data.held_out", self.held_out, "a share between 0 and 1")
