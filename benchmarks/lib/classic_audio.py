"""Pieces of the classic sets as sound, and what an acoustic model says at their steps.

Is: excerpts of a split, rendered on a sampled piano at a known tempo, degraded, listened to, and pooled over
the steps; kept between calls.
Is not: decoding (benchmarks.paper_experiment).
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from acoustic import instruments, rendering
from acoustic.audio import RATE_HZ, Samples
from acoustic.inference import Listener, load_acoustic
from acoustic.instruments import instrument
from acoustic.rendering import Touch
from benchmarks import robustness
from benchmarks.development import posteriorgram_key
from benchmarks.robustness import in_a_room, noisy
from symbolic import datasets
from symbolic.clock import Clock, PianoRoll
from symbolic.datasets.classic import ClassicName, Piece, read_classic
from symbolic.decoding.evidence import Evidence, sounding_evidence
from symbolic.files import replacing
from symbolic.notes import Notes

PIANO = "timgm-grand"  # no acoustic model was trained on it (acoustic.training.renderings.HELD_OUT)
# Seconds a step: a quarter note of the chorales, an eighth of the others, at 120 quarters a minute.
STEP_SECONDS: dict[ClassicName, float] = {
    "piano_midi": 0.25,
    "nottingham": 0.25,
    "musedata": 0.25,
    "jsb": 0.5,
}
EXCERPT_SECONDS = 30.0
PIECES: dict[str, int] = {"valid": 8, "test": 16}  # of a split; fewer choose settings by chance
CHORALES = 2  # times as many: they are half as long
VELOCITIES = (45, 85)  # drawn for each note

Split = str  # "valid" or "test"


@dataclass(frozen=True, eq=False)
class Excerpt:
    """The beginning of a piece, and its sound."""

    index: int  # of the piece in its split
    roll: Piece  # (T, 88) true keys
    audio: Samples


def condition(name: str) -> Callable[[Samples], Samples]:
    """What degrades a recording so: "clean", "room", "pink 10 dB", "white 0 dB" (signal above noise)."""
    if name == "clean":
        return lambda audio: audio
    if name == "room":
        return in_a_room
    colour, level, _ = name.split()
    return partial(noisy, snr_db=float(level), slope={"pink": 0.5, "white": 0.0}[colour])


def chosen(name: ClassicName, split: Split) -> list[tuple[int, Piece]]:
    """Pieces evenly spread over the split, with their places in it, each cut to its first steps."""
    pieces: list[Piece] = getattr(read_classic(name), split)
    count = min(len(pieces), PIECES[split] * (CHORALES if name == "jsb" else 1))
    steps = round(EXCERPT_SECONDS / STEP_SECONDS[name])
    places = [round(place) for place in np.linspace(0, len(pieces) - 1, count)]
    return [(place, pieces[place][:steps]) for place in places]


def step_clock(name: ClassicName, steps: int) -> Clock:
    """Steps at the tempo; a step lasts from its time to the next one's."""
    seconds = STEP_SECONDS[name]
    return Clock(seconds * np.arange(steps), "beats", window=seconds, last=seconds)


def notes_of_piece(name: ClassicName, split: Split, index: int, roll: Piece) -> Notes:
    """A roll as notes; a key that is on at successive steps is one note. Velocities are drawn."""
    clock = step_clock(name, len(roll))
    notes = clock.notes_of(PianoRoll(roll, clock))
    draw = np.random.default_rng(zlib.crc32(f"{name} {split} {index}".encode()))
    velocity = draw.integers(VELOCITIES[0], VELOCITIES[1] + 1, len(notes))
    return Notes.make(notes.onset, notes.offset, notes.pitch, velocity)


def excerpts(name: ClassicName, split: Split) -> list[Excerpt]:
    """The chosen pieces of a split, rendered."""
    piano = instrument(PIANO)
    return [
        Excerpt(index, roll, piano.render(notes_of_piece(name, split, index, roll), Touch()))
        for index, roll in chosen(name, split)
    ]


def _heard(listener: Listener, name: ClassicName, excerpt: Excerpt, degraded: str) -> npt.NDArray[np.float32]:
    """(T, 88) mean of the frame plane over each step."""
    audio = condition(degraded)(excerpt.audio)
    peak = max(1.0, float(np.abs(audio).max(initial=0.0)))
    posteriorgram = listener(audio / peak, rate=RATE_HZ)
    return sounding_evidence(posteriorgram, step_clock(name, len(excerpt.roll))).prob


class Ear:
    """What an acoustic model hears of the sets; A4 is known to be 440 Hz."""

    def __init__(self, model: str) -> None:
        self.listener = load_acoustic(model, cents=0.0)
        code = [instruments, rendering, robustness]
        label = posteriorgram_key(model, self.listener, code)
        own = zlib.crc32(Path(__file__).read_bytes())
        self.folder = datasets.cache_folder() / "classic-audio" / f"{label}-{own:08x}"
        self._excerpts: dict[tuple[str, str], list[Excerpt]] = {}

    def evidence(self, name: ClassicName, split: Split, degraded: str) -> tuple[list[Evidence], list[Piece]]:
        """Evidence of every chosen piece of a split, and the true rolls."""
        rolls = [roll for _, roll in chosen(name, split)]
        kept = self.folder / f"{name}-{split}-{degraded.replace(' ', '-')}.npz"
        if not kept.exists():
            if (name, split) not in self._excerpts:
                self._excerpts = {key: value for key, value in self._excerpts.items() if key[0] == name}
                self._excerpts[name, split] = excerpts(name, split)
            probs = [_heard(self.listener, name, e, degraded) for e in self._excerpts[name, split]]
            kept.parent.mkdir(parents=True, exist_ok=True)
            with replacing(kept) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, *probs)
        with np.load(kept) as stored:
            probs = [stored[f"arr_{index}"] for index in range(len(rolls))]
        return [_evidence(name, prob) for prob in probs], rolls


def _evidence(name: ClassicName, prob: npt.NDArray[np.float32]) -> Evidence:
    clock = step_clock(name, len(prob))
    time = np.broadcast_to(clock.times[:, None], prob.shape)
    return Evidence(prob, time, np.zeros(prob.shape, dtype=np.int32), clock, "active")
