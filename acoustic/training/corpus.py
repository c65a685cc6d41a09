"""Clips of audio and what the network should say about them.

Is: recordings with their note tables, decoded once; batches cut from them as a function of (seed, step).
Is not: augmentation that leaves the notes alone (acoustic.augmentation), losses and steps (training.loop).
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from acoustic.audio import RATE_HZ, Samples, read_audio
from acoustic.augmentation import AugmentOptions, augment
from acoustic.features import FeatureOptions, margin_samples, spectra
from acoustic.training.renderings import EXERCISES, SETS
from symbolic import datasets
from symbolic.clock import filled_roll
from symbolic.errors import NotebeamError
from symbolic.files import replacing, stamp
from symbolic.notes import Notes, read_tsv
from symbolic.pitch import KEYS, LOWEST

FULL_SCALE = 32767
GROUPS = ("synthesised", "rendered")


@dataclass(frozen=True, kw_only=True)
class CorpusOptions:
    """What clips are cut, and how they are augmented."""

    seconds: float = 5.0
    batch_size: int = 8  # B clips
    rendered_share: float = 0.5  # of clips that come from rendered performances rather than MAPS
    performances: tuple[str, ...] = SETS  # that were rendered
    semitone_chance: float = 0.3  # of a clip that is played a semitone higher or lower
    cents: float = 10.0  # standard deviation of the detuning
    valid_compositions: int = 4  # of MAPS' synthesised ones, held out
    plain_chance: float = 0.3  # of a clip with gain and noise alone, from which velocities may be learnt
    velocities: tuple[str, ...] = ("synthesised",)  # groups whose levels mean something

    def __post_init__(self) -> None:
        if self.seconds <= 0 or self.batch_size < 1 or not 0 <= self.rendered_share <= 1:
            raise NotebeamError("CorpusOptions", self, "seconds > 0, batch_size >= 1, rendered_share in 0..1")
        for name in ("semitone_chance", "plain_chance"):
            if not 0 <= getattr(self, name) <= 1:
                raise NotebeamError(f"CorpusOptions.{name}", getattr(self, name), "a probability")
        if not self.cents >= 0:
            raise NotebeamError("CorpusOptions.cents", self.cents, "a number, 0 or more")
        known = (*SETS, EXERCISES)
        if not self.performances or not set(self.performances) <= set(known):
            expected = f"some of {', '.join(known)}"
            raise NotebeamError("CorpusOptions.performances", self.performances, expected)
        if not set(self.velocities) <= set(GROUPS):
            raise NotebeamError("CorpusOptions.velocities", self.velocities, f"some of {', '.join(GROUPS)}")


@dataclass(frozen=True)
class Track:
    """One recording: samples (S,) int16, memory-mapped, and its notes with their keys' offsets."""

    samples: npt.NDArray[np.int16]
    notes: Notes


@dataclass(frozen=True)
class Batch:
    """Clips and their targets; all targets (B, T, 88) in 0..1."""

    spectrum: Tensor  # (B, windows, T, M)
    onset: Tensor
    frame: Tensor
    offset: Tensor
    held: Tensor
    velocity: Tensor  # meaningful where onset > 0.5
    has_velocity: Tensor  # (B,) bool: whether the clip's levels tell of its velocities

    def to(self, device: torch.device) -> "Batch":
        """The same on another device."""
        return Batch(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def load_track(audio: Path, table: Path) -> Track:
    """A recording decoded to 16 bits in the cache, the first time, and mapped into memory from there."""
    cached = _decoded(audio)
    if not cached.exists():
        samples = np.round(read_audio(audio).clip(-1, 1) * FULL_SCALE).astype(np.int16)
        with replacing(cached) as temporary:
            np.save(temporary, samples)
    return Track(np.load(cached, mmap_mode="r"), read_tsv(table))


def _decoded(audio: Path) -> Path:
    """Where the cache has a recording: the name tells the file, its size and the time of its change."""
    content = os.fsencode(" ".join(map(str, (audio.resolve(), *stamp(audio)))))
    label = hashlib.sha256(content).hexdigest()[:12]
    return datasets.cache_folder() / "decoded" / f"{audio.parent.name}-{audio.stem}-{label}.npy"


def targets(notes: Notes, frames: int, hop: float) -> dict[str, npt.NDArray[np.float32]]:
    """(T, 88) arrays that the heads learn; times of `notes` in seconds from frame 0.

    An onset is 1 for the frames within one hop of it and falls to 0 at two, so that the peak of the
    posterior is the probability of a strike whether or not the frame is known exactly; offsets, which
    are vaguer, one frame wider. `frame` is 1 from the onset's frame up to the offset's.
    """
    shape = (frames, KEYS)
    onset, offset, velocity = (np.zeros(shape, dtype=np.float32) for _ in range(3))
    key = notes.pitch - LOWEST
    key_offset = notes.offset if notes.key_offset is None else notes.key_offset
    _mark(onset, notes.onset / hop, key, width=2)
    _mark(offset, notes.offset / hop, key, width=3)
    first = np.round(notes.onset / hop).astype(int)
    for step in range(-2, 3):
        row = first + step
        inside = (row >= 0) & (row < frames)
        velocity[row[inside], key[inside]] = notes.velocity[inside] / 127
    return {
        "onset": onset,
        "frame": _spans(notes, notes.offset, frames, hop),
        "offset": offset,
        "held": _spans(notes, key_offset, frames, hop),
        "velocity": velocity,
    }


def _spans(notes: Notes, stop: npt.NDArray[np.float64], frames: int, hop: float) -> npt.NDArray[np.float32]:
    """(T, 88) 1 from each note's onset up to `stop` (N,) seconds, one frame at least."""
    key = notes.pitch - LOWEST
    first = np.round(notes.onset / hop).astype(int)
    last = np.maximum(np.round(stop / hop).astype(int), first + 1)
    return filled_roll(first, last, key, frames).astype(np.float32)


def _mark(
    plane: npt.NDArray[np.float32], at: npt.NDArray[np.float64], key: npt.NDArray[np.int64], width: int
) -> None:
    """Raise `plane` to clip(width - |distance in frames|, 0, 1) around each event."""
    nearest = np.round(at).astype(int)
    for step in range(-width, width + 1):
        row = nearest + step
        value = np.clip(width - np.abs(row - at), 0, 1).astype(np.float32)
        inside = (row >= 0) & (row < len(plane))
        np.maximum.at(plane, (row[inside], key[inside]), value[inside])


@dataclass(frozen=True)
class _Clip:
    samples: Samples  # (S,) with the margin that spectra need
    notes: Notes  # in seconds from frame 0
    group: int  # in GROUPS


class Clips(Dataset[Batch]):
    """Batch number i, the same for the same seed whatever was read before: so training can resume."""

    def __init__(
        self,
        groups: Sequence[Sequence[Track]],
        shares: Sequence[float],
        options: CorpusOptions,
        features: FeatureOptions,
        augmentation: AugmentOptions | None,
        *,
        steps: int,
        seed: int,
    ) -> None:
        self.groups, self.shares, self.options = groups, shares, options
        self.features, self.augmentation = features, augmentation
        self.steps, self.seed = steps, seed
        self.chances = [np.array([len(t.samples) for t in group], dtype=float) for group in groups]
        self.frames = round(options.seconds / features.hop)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        draw = np.random.default_rng((self.seed, step))
        cut = [self._clip(draw) for _ in range(self.options.batch_size)]
        audio = torch.from_numpy(np.stack([clip.samples for clip in cut]))
        plain = torch.from_numpy(draw.random(len(cut)) < self.options.plain_chance)
        if self.augmentation is None:
            plain[:] = True
        else:
            generator = torch.Generator().manual_seed(int(draw.integers(2**62)))
            audio = augment(audio, self.augmentation, self.features.rate_hz, generator, plain)
        planes = [targets(clip.notes, self.frames, self.features.hop) for clip in cut]
        stacked = {name: torch.from_numpy(np.stack([p[name] for p in planes])) for name in planes[0]}
        known = torch.tensor([GROUPS[clip.group] in self.options.velocities for clip in cut])
        return Batch(spectrum=spectra(audio, self.features), has_velocity=plain & known, **stacked)

    def _clip(self, draw: np.random.Generator) -> _Clip:
        group = int(draw.choice(len(self.groups), p=np.array(self.shares)))
        chance = self.chances[group]
        track = self.groups[group][draw.choice(len(chance), p=chance / chance.sum())]
        bend = self.augmentation is not None
        shift = int(draw.choice((-1, 1))) if bend and draw.random() < self.options.semitone_chance else 0
        cents = draw.normal(0, self.options.cents) if bend else 0.0
        speed = 2 ** (shift / 12 + cents / 1200)
        length = len(track.samples) / RATE_HZ
        start = draw.uniform(0, max(0.0, length - self.options.seconds * speed))
        samples = self._play(track, start, speed)
        stop = start + self.options.seconds * speed
        near = track.notes
        # Also those still sounding from before; their strike lies before frame 0.
        chosen = (near.onset < stop) & (near.offset > start) & (near.pitch + shift >= LOWEST)
        chosen &= near.pitch + shift < LOWEST + KEYS
        key_offset = near.offset if near.key_offset is None else near.key_offset
        notes = Notes.make(
            (near.onset[chosen] - start) / speed,
            (near.offset[chosen] - start) / speed,
            near.pitch[chosen] + shift,
            near.velocity[chosen],
            key_offset=(key_offset[chosen] - start) / speed,
        )
        return _Clip(samples, notes, group)

    def _play(self, track: Track, start: float, speed: float) -> Samples:
        """The clip from `start` seconds, `speed` times as fast and high."""
        import soxr

        margin = margin_samples(self.features)
        needed = margin + (self.frames - 1) * self.features.hop_samples + margin
        first = round(start * RATE_HZ - margin * speed)
        last = first + round(needed * speed) + 8
        inside = track.samples[max(first, 0) : max(last, 0)].astype(np.float32) / FULL_SCALE
        padded = np.pad(inside, (max(-first, 0), last - max(first, 0) - len(inside)))
        if speed != 1.0:
            padded = soxr.resample(padded, RATE_HZ * speed, RATE_HZ, quality="LQ")
        whole = np.pad(padded, (0, max(0, needed - len(padded))))[:needed]
        return np.asarray(whole, dtype=np.float32)
