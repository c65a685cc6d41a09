"""Pianos drawn by chance: every seed another one, by additive synthesis of what strings, hammer and body do.

Is: a `PianoModel` of a seed, and the notes that it plays. Sampled pianos are a handful; these are as many as
one wants, free for every use, and do what samples do not: soft notes are darker, a key struck again adds to
what still sounds, strings ring along while the pedal is down, hammers and keys knock.
Is not: a model to listen to. Ranges are wide on purpose, wider than those of good pianos.

Inharmonicity after Young (1952), two stages of decay after Weinreich (1977), the hammer's place on the string
after Fletcher and Rossing (1998), chapter 12.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from acoustic.audio import RATE_HZ, Samples
from acoustic.rendering import UNDAMPED_PITCH, Touch, Tuning
from symbolic.config import check_seed
from symbolic.notes import Notes
from symbolic.pitch import KEYS, LOWEST

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

# Each has random numbers of its own, so that one may change without the others.
PARTS = ("pitch", "decay", "timbre", "keys", "hammer", "strings", "knock", "release", "resonance", "playing")
PARTIALS = 64
HIGHEST_HZ = 0.48 * RATE_HZ
BLOCK = 64  # samples between which amplitudes are computed anew
LONGEST_SECONDS = 12.0  # that a string is heard
AUDIBLE_NEPERS = 8.0  # decay after which it is not (70 dB)
AGAIN_SECONDS = 0.03  # a key struck so soon after its offset was not damped
PEDAL_SECONDS = 0.05  # a note that sounds so long beyond its key's release is held by the pedal
STRIKE_SECONDS = 0.002  # from a note's time to its strings' sound, as in samples, whose attack takes as long
KNOCK_SECONDS = 0.25
RESONANCE_SECONDS = 3.0


@dataclass(frozen=True)
class PianoModel:
    """A piano, drawn: the same for the same seed."""

    seed: int

    def __post_init__(self) -> None:
        check_seed(self.seed, "PianoModel.seed")

    def _draw(self, part: str) -> np.random.Generator:
        return np.random.default_rng((self.seed, PARTS.index(part)))

    @cached_property
    def hertz(self) -> Floats:
        """(88, P) every partial of every key."""
        draw = self._draw("pitch")
        spread = float(draw.choice([1.0, 3.0, 8.0], p=[0.6, 0.3, 0.1]))
        cents = Tuning(stretch=draw.uniform(0, 12), spread=spread, seed=self.seed).cents()
        pitch = LOWEST + np.arange(KEYS)
        first = 440 * 2 ** ((pitch - 69 + cents / 100) / 12)
        # Least in the tenor; thick bass strings of short pianos are worse.
        treble, bass = 6e-4 * 2 ** ((pitch - 69) / 7.5), 1.5e-4 * 2 ** ((36 - pitch) / 12)
        inharmonicity = np.exp(draw.uniform(np.log(0.4), np.log(2.5))) * (treble + bass)[:, None]
        number = np.arange(1, PARTIALS + 1)
        stiffened = np.sqrt((1 + inharmonicity * number**2) / (1 + inharmonicity))
        return np.asarray(first[:, None] * number * stiffened)

    @cached_property
    def decay(self) -> Floats:
        """(88, P) nepers a second, of the slow stage."""
        draw = self._draw("decay")
        pitch = LOWEST + np.arange(KEYS)
        seconds = np.exp(np.interp(pitch, (21, 60, 84, 108), np.log((16.0, 9.0, 3.0, 0.8))))
        seconds *= np.exp(draw.normal(0, 0.3)) * np.exp(draw.normal(0, 0.15, KEYS))
        above = self.hertz / self.hertz[:, :1] - 1
        growth = draw.uniform(0.02, 0.2) * above + draw.uniform(0.0, 0.3) * self.hertz / 1000
        jitter = np.exp(draw.normal(0, 0.2, self.hertz.shape))
        return np.asarray(6.9 / seconds[:, None] * (1 + growth) * jitter)

    @cached_property
    def decibels(self) -> Floats:
        """(88, P) level of every partial of a key, but for what the hammer's speed does."""
        draw = self._draw("timbre")
        number = np.arange(1, PARTIALS + 1)
        struck = np.abs(np.sin(np.pi * number * draw.uniform(0.08, 0.16))) + draw.uniform(0.05, 0.3)
        level = 20 * np.log10(struck) - draw.uniform(2, 9) * np.log2(number)
        octaves = np.log2(self.hertz / 27.5)
        body = draw.normal(0, draw.uniform(2, 6), 34)
        level = level + np.interp(octaves, np.linspace(0, 8.5, len(body)), body)
        # A small soundboard hardly moves the air below.
        level -= 10 * np.log10(1 + (draw.uniform(40, 160) / self.hertz) ** 4)
        level += draw.normal(0, draw.uniform(1, 4), self.hertz.shape)
        return np.asarray(np.where(self.hertz < HIGHEST_HZ, level, -np.inf))

    @cached_property
    def key_decibels(self) -> Floats:
        """(88,) how much louder a key is than another: a slope, and uneven hammers."""
        draw = self._draw("keys")
        return draw.uniform(-4, 4) * np.linspace(-1, 1, KEYS) + draw.normal(0, draw.uniform(0.3, 2.5), KEYS)

    @cached_property
    def _hammer(self) -> tuple[float, float, float]:
        """Hertz that the middle key's loudest strike reaches, its growth with speed, exponent of level."""
        draw = self._draw("hammer")
        reach = float(np.exp(draw.uniform(np.log(250), np.log(3500))))
        return reach, draw.uniform(0.2, 1.1), draw.uniform(0.7, 1.4)

    @cached_property
    def _strings(self) -> tuple[float, float, float, float]:
        """Share and speed of the first stage of decay, cents of beating, ms of the middle key's rise."""
        draw = self._draw("strings")
        return draw.uniform(0.5, 0.85), draw.uniform(2.5, 6), draw.uniform(0, 1.2), draw.uniform(0.5, 3.0)

    def amplitudes(self, key: int, velocity: int, touch: Touch) -> Floats:
        """(P,) of the partials; all together grow as velocity to `touch.dynamics`, by piano more or less."""
        reach, growth, contrast = self._hammer
        speed = velocity / 127
        cutoff = reach * speed**growth * 2 ** ((key + LOWEST - 60) / 36)
        level = self.decibels[key] - 8.7 * self.hertz[key] / (cutoff + self.hertz[key, 0])
        amplitude = 10 ** (level / 20)
        amplitude *= 10 ** (self.key_decibels[key] / 20) / np.sqrt((amplitude**2).sum())
        return np.asarray(touch.level * speed ** (touch.dynamics * contrast) * amplitude)

    def modes(
        self, key: int, velocity: int, touch: Touch, draw: np.random.Generator
    ) -> tuple[Complexes, Complexes]:
        """(Q,) phasors at the strike, and what they grow by, a second: nepers, and radians i."""
        amplitude = self.amplitudes(key, velocity, touch)
        heard = amplitude > amplitude.max() * 1e-4
        amplitude, hertz, decay = amplitude[heard], self.hertz[key, heard], self.decay[key, heard]
        share, faster, beat, _ = self._strings
        # The strings of a key together, which the bridge damps, and what is left of them apart.
        stages = np.concatenate([share * amplitude, (1 - share) * amplitude])
        rates = np.concatenate([faster * decay, decay])
        apart = hertz * 2 ** (draw.normal(0, beat, len(hertz)) / 1200)
        phases = np.tile(draw.uniform(0, 2 * np.pi, len(hertz)), 2)
        return stages * np.exp(1j * phases), -rates + 2j * np.pi * np.concatenate([hertz, apart])

    def string(
        self, key: int, velocity: int, seconds: float, touch: Touch, draw: np.random.Generator
    ) -> Floats:
        """(S,) a key's strings from their strike, undamped, `seconds` long at most."""
        phasors, growth = self.modes(key, velocity, touch, draw)
        sound = ringing(
            phasors, growth, min(seconds, LONGEST_SECONDS, AUDIBLE_NEPERS / -float(growth.real.max()))
        )
        rise = round(self._strings[3] * 1e-3 * 2 ** ((60 - LOWEST - key) / 36) * RATE_HZ) + 1
        sound[:rise] *= np.linspace(0, 1, rise)[: len(sound)]
        return sound

    def knock(self, part: str) -> Floats:
        """(S,) the noise of a hammer ("knock") or of a key that is let go ("release"), its peak 1."""
        draw = self._draw(part)
        time = np.arange(round(KNOCK_SECONDS * RATE_HZ)) / RATE_HZ
        noise = draw.normal(size=len(time)) * np.exp(-time / draw.uniform(0.006, 0.04))
        hertz = np.fft.rfftfreq(len(time), 1 / RATE_HZ)
        low, high = draw.uniform(40, 150), draw.uniform(300, 2500)
        band = (hertz / low) ** 2 / (1 + (hertz / low) ** 2) / (1 + (hertz / high) ** 4)
        sound = np.fft.irfft(np.fft.rfft(noise) * band, len(time))
        return np.asarray(sound / np.abs(sound).max())

    def resonance(self) -> Floats:
        """(S,) what all strings answer to a click while no damper lies on them, of energy 1."""
        draw = self._draw("resonance")
        time = np.arange(round(RESONANCE_SECONDS * RATE_HZ)) / RATE_HZ
        answer = np.zeros(len(time))
        for key in range(KEYS):
            hertz = self.hertz[key, :8]
            hertz = hertz[hertz < HIGHEST_HZ, None]
            waves = np.cos(2 * np.pi * hertz * time + draw.uniform(0, 2 * np.pi, (len(hertz), 1)))
            answer += (waves * np.exp(-self.decay[key, : len(hertz), None] * 2 * time)).sum(axis=0)
        return np.asarray(answer / np.sqrt((answer**2).sum()))

    def render(self, notes: Notes, touch: Touch, tail: float = 1.0) -> Samples:
        """(S,) the notes played from time 0, `tail` seconds beyond the last offset; sounding offsets damp."""
        draw = self._draw("playing")
        length = round((float(notes.offset.max(initial=0.0)) + tail) * RATE_HZ)
        dry, knocks = np.zeros(length), np.zeros(length)
        knock_gain, release_gain = 10 ** (draw.uniform(-50, -20, 2) / 20)
        hammer, key_up = self.knock("knock"), self.knock("release")
        released = notes.offset if notes.key_offset is None else notes.key_offset
        damped, again = _damped(notes)
        remains = draw.uniform(0.2, 0.9)
        for row in np.argsort(notes.onset, kind="stable"):
            key, velocity = int(notes.pitch[row]) - LOWEST, int(notes.velocity[row])
            fade = touch.fade(int(notes.pitch[row]))
            held = damped[row] - notes.onset[row] if notes.pitch[row] <= UNDAMPED_PITCH else LONGEST_SECONDS
            sound = self.string(key, velocity, held + fade, touch, draw)
            _fade(sound, held, fade)
            if again[row]:
                sound[round((notes.offset[row] - notes.onset[row]) * RATE_HZ) :] *= remains
            _add(dry, sound, notes.onset[row] + STRIKE_SECONDS)
            loud = touch.level * (velocity / 127) ** (0.7 * touch.dynamics)
            _add(knocks, knock_gain * loud * hammer, notes.onset[row])
            _add(knocks, release_gain * touch.level * 0.3 * key_up, released[row])
        answer = _convolved(dry * _pedal(notes, released, length), self.resonance())
        audio = dry + knocks + 10 ** (draw.uniform(-36, -18) / 20) * answer
        return audio.astype(np.float32)


def ringing(phasors: Complexes, growth: Complexes, seconds: float) -> Floats:
    """(S,) the real part of the sum of phasors (Q,) times exp(growth (Q,) time), in whole blocks."""
    # exp(g (b BLOCK + j)) = exp(g b BLOCK) exp(g j): one product of matrices.
    blocks = np.arange(max(1, int(np.ceil(seconds * RATE_HZ / BLOCK)))) * BLOCK / RATE_HZ
    coarse = (np.exp(blocks[:, None] * growth) * phasors).astype(np.complex64)
    fine = np.exp(np.arange(BLOCK) / RATE_HZ * growth[:, None]).astype(np.complex64)
    return np.asarray((coarse.real @ fine.real - coarse.imag @ fine.imag).reshape(-1), dtype=np.float64)


def _damped(notes: Notes) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """(N,) when a damper falls on what was struck, and whether its key was struck again before."""
    damped, again = notes.offset.astype(np.float64), np.zeros(len(notes), dtype=bool)
    for pitch in np.unique(notes.pitch):
        rows = np.flatnonzero(notes.pitch == pitch)
        rows = rows[np.argsort(notes.onset[rows], kind="stable")]
        for row, following in zip(rows[-2::-1], rows[:0:-1], strict=True):
            if notes.onset[following] <= notes.offset[row] + AGAIN_SECONDS:
                damped[row], again[row] = damped[following], True
    return damped, again


def _fade(sound: Floats, held: float, fade: float) -> None:
    """Damp the sound from `held` seconds on, to nothing after `fade`."""
    first = round(held * RATE_HZ)
    if first < len(sound):
        time = np.arange(len(sound) - first) / RATE_HZ
        sound[first:] *= np.clip(1 - time / fade, 0, 1) ** 2


def _add(audio: Floats, sound: Floats, onset: float) -> None:
    first = round(onset * RATE_HZ)
    part = sound[: max(0, len(audio) - first)]
    audio[first : first + len(part)] += part


def _pedal(notes: Notes, released: Floats, length: int) -> Floats:
    """(S,) 1 where the pedal is down: where a note sounds on beyond its key's release."""
    down = np.zeros(length + 1)
    kept = notes.offset > released + PEDAL_SECONDS
    np.add.at(down, np.minimum(np.round(released[kept] * RATE_HZ).astype(int), length), 1)
    np.add.at(down, np.minimum(np.round(notes.offset[kept] * RATE_HZ).astype(int), length), -1)
    return (down.cumsum()[:length] > 0).astype(np.float64)


def _convolved(audio: Floats, answer: Floats) -> Floats:
    """(S,) as long as `audio`."""
    size = 1 << (len(audio) + len(answer)).bit_length()
    spectrum = np.fft.rfft(audio, size) * np.fft.rfft(answer, size)
    return np.asarray(np.fft.irfft(spectrum, size)[: len(audio)])
