"""Performances played on sampled pianos: training audio whose notes are known exactly.

Is: a sampler (pick, transpose, scale, ring, damp, add) for folders of single notes with a `samples.csv`.
Is not: rooms, noise and equalisers (augmentation), or the choice of what to render (training.renderings).
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from acoustic.audio import RATE_HZ, Samples, read_audio
from symbolic.datasets.tables import number, read_table
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.pitch import KEYS, LOWEST

ATTACK_SECONDS = 0.005  # every sample is cut so that its attack comes this long after its start
UNDAMPED_PITCH = 90  # strings above have no damper
COLUMNS = ("piano", "file", "pitch", "low_key", "high_key", "low_velocity", "high_velocity", "gain_db")
MOST_GAIN_DB = 200.0


@dataclass(frozen=True)
class Sample:
    """One row of `samples.csv`."""

    path: Path
    pitch: int  # MIDI number that was recorded
    keys: tuple[int, int]  # MIDI numbers, inclusive
    velocities: tuple[int, int]  # inclusive
    gain_db: float  # undoes the file's normalisation


@dataclass(frozen=True, kw_only=True)
class Touch:
    """How one rendering answers velocity and release; drawn anew for every rendering."""

    dynamics: float = 1.75  # amplitude grows as velocity to this power
    fade_seconds: float = 0.12  # time in which a damper quiets a string in the middle register
    level: float = 0.25  # amplitude of a full-velocity note, relative to full scale

    def fade(self, pitch: int) -> float:
        """Seconds in which a damper quiets the strings of a key: heavy ones take longer."""
        return float(self.fade_seconds * 2 ** ((60 - pitch) / 36))


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How a tuner left the keys, relative to the samples."""

    stretch: float = 0.0  # cents that the highest key lies above and the lowest below, growing outwards
    spread: float = 0.0  # cents, standard deviation of each key on its own
    seed: int = 0  # of those

    def cents(self) -> npt.NDArray[np.float64]:
        """(88,) cents of every key."""
        outwards = np.linspace(-1, 1, KEYS) ** 3
        drawn = np.random.default_rng(self.seed).normal(size=KEYS)
        return self.stretch * outwards + self.spread * drawn


AS_RECORDED = Tuning()


class SampledPiano:
    """A piano of `samples.csv`, its samples decoded, transposed and tuned once each."""

    def __init__(self, folder: Path, name: str, tuning: Tuning = AS_RECORDED) -> None:
        """Read the rows of piano `name` from `folder/samples.csv`.

        Raises:
            NotebeamError: no such table, damage in it, no such piano, or a recording that cannot be read.
        """
        table = folder / "samples.csv"
        rows = read_table(table, COLUMNS)
        self.samples = [_sample(row, table) for row in rows if row["piano"] == name]
        if not self.samples:
            raise NotebeamError(
                str(table), name, f"one of {', '.join(sorted({row['piano'] for row in rows}))}"
            )
        # Layers are normalised each by its maker: their loudest note is set to one level.
        layers = {sample.velocities for sample in self.samples}
        self.layer_peak = {layer: self._layer_peak(layer) for layer in layers}
        self._cents = tuning.cents()
        self._sounds: dict[tuple[Path, int], Samples] = {}

    def _layer_peak(self, layer: tuple[int, int]) -> float:
        # Around middle C, where every maker recorded.
        middle = sorted((s for s in self.samples if s.velocities == layer), key=lambda s: abs(s.pitch - 60))
        peaks = [np.abs(_recorded(sample)).max() for sample in middle[:9]]
        if not min(peaks) > 0:
            raise NotebeamError(str(middle[int(np.argmin(peaks))].path), "silence", "the sound of a key")
        return float(np.median(peaks))

    def _find(self, pitch: int, velocity: int) -> Sample:
        """The sample whose ranges hold the note; the nearest key's where none does."""

        def distance(sample: Sample) -> tuple[int, int]:
            (low, high), (soft, loud) = sample.keys, sample.velocities
            return max(low - pitch, pitch - high, 0), max(soft - velocity, velocity - loud, 0)

        return min(self.samples, key=distance)

    def sound(self, pitch: int, velocity: int) -> Samples:
        """(S,) the note as recorded, transposed to `pitch`, 1 = the layer's usual peak."""
        import soxr

        sample = self._find(pitch, velocity)
        key = (sample.path, pitch)
        if key not in self._sounds:
            # Played faster by the semitones between: resampled from a rate that much higher.
            ratio = 2 ** ((pitch - sample.pitch + self._cents[pitch - LOWEST] / 100) / 12)
            audio = _recorded(sample)
            if ratio != 1:
                audio = soxr.resample(audio, RATE_HZ * ratio, RATE_HZ, quality="HQ").astype(np.float32)
            self._sounds[key] = audio / self.layer_peak[sample.velocities]
        return self._sounds[key]

    def render(self, notes: Notes, touch: Touch, tail: float = 1.0) -> Samples:
        """(S,) the notes played from time 0, `tail` seconds beyond the last offset; sounding offsets damp."""
        length = round((float(notes.offset.max(initial=0.0)) + tail) * RATE_HZ)
        audio = np.zeros(length, dtype=np.float32)
        columns = zip(notes.onset, notes.offset, notes.pitch, notes.velocity, strict=True)
        for onset, offset, pitch, velocity in columns:
            sound = self.sound(int(pitch), int(velocity))
            first = max(0, round((onset - ATTACK_SECONDS) * RATE_HZ))
            held = round((offset - onset) * RATE_HZ)
            fade = round(touch.fade(int(pitch)) * RATE_HZ)
            ringing = len(sound) if pitch > UNDAMPED_PITCH else min(len(sound), held + fade)
            ringing = min(ringing, length - first)
            played = sound[:ringing] * (touch.level * (velocity / 127) ** touch.dynamics)
            if ringing > held:
                damped = np.linspace(1, 0, ringing - held, dtype=np.float32) ** 2
                played[held:] *= damped if pitch <= UNDAMPED_PITCH else 1
            audio[first : first + ringing] += played
        return audio


def _sample(row: dict[str, str], table: Path) -> Sample:
    pitch, *bounds = (_midi_number(row, column, table) for column in COLUMNS[2:-1])
    gain_db = number(row, "gain_db", table, -MOST_GAIN_DB)
    if gain_db > MOST_GAIN_DB:
        raise NotebeamError(f"{table}: gain_db", gain_db, f"{MOST_GAIN_DB:g} at most")
    return Sample(table.parent / row["file"], pitch, (bounds[0], bounds[1]), (bounds[2], bounds[3]), gain_db)


def _midi_number(row: dict[str, str], column: str, table: Path) -> int:
    value = number(row, column, table, 0)
    if value > 127 or value != int(value):
        raise NotebeamError(f"{table}: {column}", row[column], "an integer from 0 to 127")
    return int(value)


@lru_cache(maxsize=1024)
def _recorded(sample: Sample) -> Samples:
    """(S,) the file with its normalisation undone; read-only."""
    audio = np.asarray(read_audio(sample.path) * 10 ** (sample.gain_db / 20), dtype=np.float32)
    audio.flags.writeable = False
    return audio
