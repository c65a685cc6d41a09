"""What rooms, microphones and recorders do to a sound, at random.

Is: functions of a batch of audio and a generator. None moves an onset by more than a few milliseconds.
Is not: detuning, which moves the notes too and so belongs to whoever cuts the clips (training.corpus).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from acoustic.chains import coded, decibels, line_hertz, loudspeaker, microphone, old_record, uniform
from symbolic.errors import NotebeamError

SILENCE = 1e-4  # amplitude below which a clip gets no louder noise than that of silence


CHANCES = ("room_chance", "band_chance", "compression_chance", "loudspeaker_chance", "record_chance",
           "microphone_chance", "codec_chance")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class AugmentOptions:
    """Ranges, drawn from uniformly, one value a clip."""

    gain_db: tuple[float, float] = (-15.0, 12.0)
    equaliser_db: float = 5.0  # standard deviation of the curve, before smoothing over frequency
    noise_db: tuple[float, float] = (-65.0, -22.0)  # relative to the clip's own level
    room_chance: float = 0.5
    decay_seconds: tuple[float, float] = (0.15, 1.4)  # until the reverberation is 60 dB down
    direct_db: tuple[float, float] = (-2.0, 18.0)  # direct sound above the reverberation
    band_chance: float = 0.2  # of keeping one band of the spectrum, as a telephone does
    lowest_hz: tuple[float, float] = (30.0, 300.0)  # of that band
    highest_hz: tuple[float, float] = (2500.0, 7000.0)
    compression_chance: float = 0.2
    drive: tuple[float, float] = (0.5, 4.0)  # of the peak into the compressor's tanh
    reflections: int = 0  # early ones of a room, at most, before its reverberation
    # Whole chains; see acoustic.chains.
    loudspeaker_chance: float = 0.0  # before the room
    record_chance: float = 0.0
    microphone_chance: float = 0.0  # after the room and the noise: a webcam's or telephone's
    codec_chance: float = 0.0  # after that

    def __post_init__(self) -> None:
        for name in CHANCES:
            if not 0 <= getattr(self, name) <= 1:
                raise NotebeamError(f"AugmentOptions.{name}", getattr(self, name), "a probability")
        for name in ("drive", "decay_seconds"):
            if not min(getattr(self, name)) > 0:
                raise NotebeamError(f"AugmentOptions.{name}", getattr(self, name), "numbers above 0")
        if self.reflections < 0:
            raise NotebeamError("AugmentOptions.reflections", self.reflections, "a count")


def augment(
    audio: Tensor,
    options: AugmentOptions,
    rate_hz: int,
    generator: torch.Generator,
    plain: Tensor | None = None,
) -> Tensor:
    """Every clip of (B, S) through an equaliser, noise and a gain, some through rooms and chains.

    In the order of a recording: loudspeaker, room, equaliser, band, compressor, record, noise, microphone,
    codec, gain. `plain` (B,) bool: clips that go through noise and gain alone.
    """
    clips, samples = audio.shape
    size = 2 ** math.ceil(math.log2(samples + rate_hz))  # room for one second of reverberation
    response = equaliser(clips, size // 2 + 1, options.equaliser_db, generator)
    response = response * torch.fft.rfft(rooms(clips, options, rate_hz, generator), size)
    response = response * bands(clips, size // 2 + 1, options, rate_hz, generator)
    free = torch.ones(clips, dtype=torch.bool) if plain is None else ~plain
    played = through(loudspeaker, audio, options.loudspeaker_chance, free, rate_hz, generator)
    changed = compressed(
        torch.fft.irfft(torch.fft.rfft(played, size) * response, size)[:, :samples], options, generator
    )
    changed = through(old_record, changed, options.record_chance, free, rate_hz, generator)
    changed = torch.where(free[:, None], changed, audio)
    level = changed.square().mean(dim=1, keepdim=True).sqrt().clamp(min=SILENCE)
    amount = level * decibels(uniform(clips, options.noise_db, generator))
    changed = changed + amount * coloured_noise(clips, samples, generator)
    changed = through(microphone, changed, options.microphone_chance, free, rate_hz, generator)
    changed = through(coded, changed, options.codec_chance, free, rate_hz, generator)
    result: Tensor = changed * decibels(uniform(clips, options.gain_db, generator))
    return result


def through(
    chain: Callable[[Tensor, int, torch.Generator], Tensor],
    audio: Tensor,
    chance: float,
    free: Tensor,
    rate_hz: int,
    generator: torch.Generator,
) -> Tensor:
    """Clips (B, S), each that is `free` (B,) changed by the chain with this chance.

    Work is done for those clips alone; at a chance of 0 nothing is drawn.
    """
    if not chance:
        return audio
    chosen = (torch.rand(len(audio), generator=generator) < chance) & free
    if not chosen.any():
        return audio
    result = audio.clone()
    result[chosen] = chain(audio[chosen], rate_hz, generator)
    return result


def equaliser(clips: int, lines: int, spread_db: float, generator: torch.Generator) -> Tensor:
    """(B, lines) gains of random smooth curves, about one free value an octave over the upper ten octaves."""
    points = 10
    nodes = spread_db * torch.randn(clips, 1, points, generator=generator)
    octave = torch.log2(torch.arange(lines).clamp(min=1) / lines) + points  # 0 at ten octaves below the top
    position = octave.clamp(0, points - 1) / (points - 1) * 2 - 1
    # Linear between the nodes; sampled as an image one pixel high.
    grid = torch.stack([position, torch.zeros_like(position)], dim=-1).expand(clips, 1, lines, 2)
    curve = torch.nn.functional.grid_sample(nodes[:, :, None], grid, align_corners=True)
    return decibels(curve[:, 0, 0])


def bands(
    clips: int, lines: int, options: AugmentOptions, rate_hz: int, generator: torch.Generator
) -> Tensor:
    """(B, lines) gains of bands with slopes of 24 dB an octave; 1 for clips kept whole."""
    hertz = line_hertz(rate_hz, 2 * (lines - 1))
    hertz[0] = hertz[1] / 2  # of a division
    lowest, highest = (
        uniform(clips, bounds, generator) for bounds in (options.lowest_hz, options.highest_hz)
    )
    gains = 1 / ((1 + (lowest / hertz) ** 8) * (1 + (hertz / highest) ** 8)).sqrt()
    chosen = torch.rand(clips, 1, generator=generator) < options.band_chance
    return torch.where(chosen, gains, 1.0)


def compressed(audio: Tensor, options: AugmentOptions, generator: torch.Generator) -> Tensor:
    """(B, S) with loud samples held back, for some of the clips; peaks stay where they are."""
    peak = audio.abs().amax(dim=1, keepdim=True).clamp(min=SILENCE)
    drive = uniform(len(audio), options.drive, generator)
    held = torch.tanh(drive * audio / peak) * peak / torch.tanh(drive)
    chosen = torch.rand(len(audio), 1, generator=generator) < options.compression_chance
    return torch.where(chosen, held, audio)


def coloured_noise(clips: int, samples: int, generator: torch.Generator) -> Tensor:
    """(B, S) unit-variance noise whose power falls by 0 to 2 powers of frequency."""
    lines = samples // 2 + 1
    slope = uniform(clips, (0.0, 1.0), generator)
    shape = torch.arange(lines).clamp(min=1).float()[None] ** -slope
    spectrum = torch.fft.rfft(torch.randn(clips, samples, generator=generator)) * shape
    noise: Tensor = torch.fft.irfft(spectrum, samples)
    return noise / noise.std(dim=1, keepdim=True)


def rooms(clips: int, options: AugmentOptions, rate_hz: int, generator: torch.Generator) -> Tensor:
    """(B, rate_hz) impulse responses of one second: a direct sound at 0, then decaying noise.

    Higher frequencies decay faster, by a second noise that lasts half as long and is differenced.
    Clips that stay dry (1 - room_chance of them) have the direct sound alone.
    """
    time = torch.arange(rate_hz) / rate_hz
    decay = uniform(clips, options.decay_seconds, generator)
    slow, fast = torch.randn(2, clips, rate_hz, generator=generator)
    envelope = 10 ** (-3 * time / decay)
    muffled = (slow + torch.roll(slow, 1, dims=1)) / 2 * envelope
    bright = (fast - torch.roll(fast, 1, dims=1)) / 2 * envelope.square()
    arrival = uniform(clips, (0.001, 0.015), generator)  # of the first reflection, seconds
    tail: Tensor = (muffled + bright) * (time >= arrival)
    if options.reflections:
        tail = tail + reflections(tail, arrival, options.reflections, rate_hz, generator)
    tail = tail / tail.square().sum(dim=1, keepdim=True).sqrt()
    wet = torch.rand(clips, 1, generator=generator) < options.room_chance
    tail = tail * decibels(-uniform(clips, options.direct_db, generator)) * wet
    tail[:, 0] = 1.0
    return tail


def reflections(tail: Tensor, arrival: Tensor, most: int, rate_hz: int, generator: torch.Generator) -> Tensor:
    """(B, rate_hz) of up to `most` single reflections by walls, from `arrival` (B, 1) seconds to 60 ms later.

    Together they are half as strong to twice as strong as the reverberation `tail` (B, rate_hz).
    """
    clips = len(tail)
    time = arrival + 0.06 * torch.rand(clips, most, generator=generator).square()
    sign = torch.rand(clips, most, generator=generator).round() * 2 - 1
    there = torch.rand(clips, most, generator=generator) < torch.rand(clips, 1, generator=generator)
    size = sign * there / (1 + (time - arrival) / 0.02)
    result = torch.zeros_like(tail)
    result.scatter_add_(1, (time * rate_hz).long().clamp(max=tail.shape[1] - 1), size)
    energy, power = (x.square().sum(dim=1, keepdim=True) for x in (tail, result))
    return result * (
        (energy / power.clamp(min=1e-9)).sqrt() * decibels(uniform(clips, (-6.0, 6.0), generator))
    )
