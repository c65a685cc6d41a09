"""A transcription to listen to: a WAV with the recording in the left channel and its notes in the right.

Is: a plain synthesiser of decaying harmonics, and the file: on headphones one hears what is wrong.
Is not: a piano; and the page (transcribe.page) has a synthesiser of its own, in the browser.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from symbolic.files import replacing
from symbolic.notes import Notes
from symbolic.pitch import hertz
from symbolic.posteriorgram import Posteriorgram
from transcribe.sound_files import blocks_to_hear, opened

Samples = npt.NDArray[np.float32]

RATE_HZ = 44_100
SAMPLES_AT_ONCE = 10 * RATE_HZ  # samples that are rendered at once
HARMONICS = 12  # at most; those above half the rate would alias and are left out
DECAY = 0.9  # seconds in which C4 falls to 1/e; twice as long two octaves lower
RELEASE = 0.08  # seconds in which a note dies away after its end
LONGEST = 12.0  # seconds of a tone: by then the lowest is 37 dB down
ATTACK = 0.003  # seconds
PEAK = 0.9  # of full scale
LARGEST_WAV = 0xFFFF_0000  # bytes; longer ones become RF64, which has room for their length


def write_sound(
    path: Path, posteriorgram: Posteriorgram, notes: Notes, recording: Path | None = None
) -> None:
    """Write the WAV, 16 bit at 44.1 kHz, in bounded memory; it appears whole or not at all.

    Args:
        path: the file.
        posteriorgram: says which part of the recording is meant; second 0 of the file is its first frame.
        notes: what the right channel plays.
        recording: the left channel; None: the file has one channel, the notes.

    Raises:
        NotebeamError: the recording cannot be read.
        OSError: the file cannot be written.
    """
    import soundfile

    start = posteriorgram.start
    stop = start + posteriorgram.hop * (posteriorgram.count + 1)
    end = max(stop, float(notes.offset.max(initial=0.0)) + RELEASE)
    count = round((end - start) * RATE_HZ)
    channels = 1 if recording is None else 2
    original: Iterator[Samples] = iter(())
    if recording is not None:
        original = blocks_to_hear(recording, start, stop, RATE_HZ)
    kind = "WAV" if 2 * channels * count < LARGEST_WAV else "RF64"
    with (
        replacing(path) as temporary,
        opened(temporary) as target,
        soundfile.SoundFile(target, "w", RATE_HZ, channels, subtype="PCM_16", format=kind) as file,
    ):
        tones = tone_blocks(notes, start, count)
        sides = [tones] if recording is None else [even_blocks(original, count), tones]
        for blocks in zip(*sides, strict=True):
            file.write(np.clip(np.stack(blocks, axis=1), -1.0, 1.0))


def even_blocks(blocks: Iterator[Samples], count: int) -> Iterator[Samples]:
    """Samples in blocks of `SAMPLES_AT_ONCE`, `count` in all: cut off, or silent at the end."""
    held = np.zeros(0, dtype=np.float32)
    for first in range(0, count, SAMPLES_AT_ONCE):
        size = min(SAMPLES_AT_ONCE, count - first)
        while len(held) < size and (block := next(blocks, None)) is not None:
            held = np.concatenate([held, block])
        yield np.pad(held[:size], (0, max(0, size - len(held))))
        held = held[size:]


def tone_blocks(notes: Notes, start: float, count: int) -> Iterator[Samples]:
    """The notes as sound from second `start` on, in blocks of `SAMPLES_AT_ONCE`, `count` samples in all."""
    first = np.rint((notes.onset - start) * RATE_HZ).astype(np.int64)
    length = np.maximum(1, np.rint((notes.offset - notes.onset) * RATE_HZ).astype(np.int64))
    loud = amplitudes(notes)
    rest = np.zeros(0, dtype=np.float32)  # of tones that go on after the block in which they began
    for begin in range(0, count, SAMPLES_AT_ONCE):
        size = min(SAMPLES_AT_ONCE, count - begin)
        sound = np.zeros(size + tone_samples(LONGEST), dtype=np.float32)
        sound[: len(rest)] = rest
        here = slice(*np.searchsorted(first, (begin if begin else -(1 << 62), begin + size)))
        for at, samples, level, pitch in zip(
            first[here], length[here], loud[here], notes.pitch[here], strict=True
        ):
            add_tone(sound, int(at) - begin, int(samples), float(level), int(pitch))
        yield sound[:size]
        rest = sound[size:]


def add_tone(sound: Samples, at: int, length: int, level: float, pitch: int) -> None:
    """Add a tone to `sound` in place, from sample `at` (which may be before its beginning)."""
    tone = full_tone(pitch)[: length + tone_samples(RELEASE)]
    fade = min(max(0, len(tone) - length), tone_samples(RELEASE))
    played = level * tone
    if fade:
        played[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    at, played = max(at, 0), played[max(0, -at) :]
    played = played[: len(sound) - at]
    sound[at : at + len(played)] += played


@lru_cache(maxsize=128)
def full_tone(pitch: int) -> Samples:
    """A tone of peak 1 that nobody ends, at most `LONGEST` seconds; higher harmonics die sooner."""
    decay = float(decay_of(pitch))
    time = np.arange(tone_samples(min(LONGEST, 6 * decay)), dtype=np.float64) / RATE_HZ
    frequency = float(hertz(pitch))
    # Harmonic k is sin(k x) exp(-(0.7 + 0.3 k) t / decay): both factors by recurrence, for speed.
    twice_cos = 2 * np.cos(2 * np.pi * frequency * time)
    before, wave = np.zeros(len(time)), np.sin(2 * np.pi * frequency * time)
    level, fall = np.exp(-time / decay), np.exp(-0.3 * time / decay)
    tone = np.zeros(len(time))
    for number in range(1, HARMONICS + 1):
        if number * frequency >= 0.45 * RATE_HZ:
            break
        tone += level * wave / number**1.2
        before, wave = wave, twice_cos * wave - before
        level *= fall
    tone *= np.minimum(1.0, time / ATTACK) * np.minimum(1.0, (time[-1] - time) / 0.5)
    return np.asarray(tone / np.abs(tone).max(), dtype=np.float32)


def amplitudes(notes: Notes) -> npt.NDArray[np.float64]:
    """(N,) amplitude of each note by its velocity, such that all together stay within full scale.

    The bound is the sum of what all keys struck so far have decayed to, the loudest of it at an onset.
    """
    loud = (notes.velocity / 127.0) ** 1.5
    highest, before, ringing = 1.0, 0.0, np.zeros(128)
    decay = decay_of(np.arange(128))
    for onset, pitch, level in zip(notes.onset, notes.pitch, loud, strict=True):
        ringing *= np.exp(-(onset - before) / decay)
        ringing[pitch] += level
        highest, before = max(highest, float(ringing.sum())), onset
    return np.asarray(loud * PEAK / highest)


def decay_of(pitch: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Seconds in which a tone of a pitch falls to 1/e."""
    return np.asarray(DECAY * 2.0 ** ((60.0 - np.asarray(pitch)) / 24.0))


def tone_samples(seconds: float) -> int:
    """Seconds as a number of samples."""
    return round(seconds * RATE_HZ)
