"""Recording chains: what loudspeakers, webcams, codecs and old records make of a sound, at random.

Is: functions of clips (B, S) and a generator, each of which degrades every clip it is given, no two alike.
Is not: which clips go through which chain, rooms, noise and gain (acoustic.augmentation).

None moves an onset by more than a few milliseconds. Filters are those of circuits, evaluated on the
frequency axis: causal, as zero-phase ones would ring before a strike.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

TINY = 1e-7
RINGING = 8192  # samples that a filter may ring
BLOCK_SECONDS = 0.02  # in which an automatic gain decides
CRACKLES_A_SECOND = (1.0, 20.0)


def uniform(clips: int, bounds: tuple[float, float], generator: torch.Generator) -> Tensor:
    """(B, 1) uniform draws."""
    low, high = bounds
    drawn: Tensor = torch.rand(clips, 1, generator=generator)
    return low + (high - low) * drawn


def log_uniform(clips: int, bounds: tuple[float, float], generator: torch.Generator) -> Tensor:
    """(B, 1) draws, even over octaves."""
    low, high = bounds
    return uniform(clips, (math.log(low), math.log(high)), generator).exp()


def decibels(db: Tensor) -> Tensor:
    """Amplitude factor."""
    return torch.exp(db * (math.log(10) / 20))


def peaking(hertz: Tensor, centre: Tensor, quality: Tensor, gain_db: Tensor) -> Tensor:
    """Complex response (B, lines) at `hertz` (lines,) of a resonance (gain > 0) or an absorption.

    The analogue peaking filter of Bristow-Johnson's "Audio EQ Cookbook", at s = j hertz / centre.
    """
    s = 1j * hertz / centre
    root = decibels(gain_db / 2)
    return (s * s + s * (root / quality) + 1) / (s * s + s / (root * quality) + 1)


def high_pass(hertz: Tensor, corner: Tensor, quality: Tensor) -> Tensor:
    """Complex response (B, lines) of second order, 12 dB an octave."""
    s = 1j * hertz / corner
    return s * s / (s * s + s / quality + 1)


def low_pass(hertz: Tensor, corner: Tensor, quality: Tensor) -> Tensor:
    """Complex response (B, lines) of second order, 12 dB an octave."""
    s = 1j * hertz / corner
    return 1 / (s * s + s / quality + 1)


def filtered(audio: Tensor, response: Tensor) -> Tensor:
    """Clips (B, S) through complex responses (B, RINGING // 2 + 1) at `line_hertz`."""
    samples = audio.shape[1]
    size = -(-(samples + RINGING) // 4096) * 4096  # fast to transform, and nothing wraps around
    impulse = torch.fft.irfft(response, RINGING)
    result: Tensor = torch.fft.irfft(torch.fft.rfft(audio, size) * torch.fft.rfft(impulse, size), size)
    return result[:, :samples]


def line_hertz(rate_hz: int, size: int = RINGING) -> Tensor:
    """(size // 2 + 1,) frequencies of the lines of a spectrum, by default those of responses."""
    from librosa import fft_frequencies  # slow to import: only training needs it

    return torch.from_numpy(fft_frequencies(sr=rate_hz, n_fft=size)).float()


def loudspeaker(audio: Tensor, rate_hz: int, generator: torch.Generator) -> Tensor:
    """Small loudspeakers, of a digital piano or a laptop: no bass, a boxy sound, soft clipping."""
    clips = len(audio)
    hertz = line_hertz(rate_hz)
    corner = log_uniform(clips, (60.0, 350.0), generator)
    response = high_pass(hertz, corner, uniform(clips, (0.6, 1.8), generator))
    response = response * low_pass(hertz, log_uniform(clips, (4000.0, 12000.0), generator), torch.tensor(0.7))
    for _ in range(5):  # of the cone and its box
        centre = log_uniform(clips, (120.0, 5000.0), generator)
        quality = log_uniform(clips, (1.5, 10.0), generator)
        response = response * peaking(hertz, centre, quality, uniform(clips, (-9.0, 9.0), generator))
    linear = filtered(audio, response)
    peak = linear.abs().amax(dim=1, keepdim=True).clamp(min=TINY)
    drive, skew = log_uniform(clips, (0.2, 3.0), generator), uniform(clips, (-0.2, 0.2), generator)
    # A cone that moves further one way than the other adds even harmonics.
    bent = torch.tanh(drive * (linear / peak) + skew) - torch.tanh(skew)
    return bent * peak / torch.tanh(drive)


def automatic_gain(audio: Tensor, rate_hz: int, generator: torch.Generator) -> Tensor:
    """Held at one level by a gain that falls within some 20 ms and rises within a second or several."""
    clips, samples = audio.shape
    block = round(BLOCK_SECONDS * rate_hz)
    padded = F.pad(audio, (0, -samples % block))
    level = padded.square().reshape(clips, -1, block).mean(dim=2).sqrt()
    floor = level.mean(dim=1) * decibels(uniform(clips, (-40.0, -20.0), generator))[:, 0] + TINY
    fall = torch.exp(-BLOCK_SECONDS / log_uniform(clips, (0.01, 0.1), generator))[:, 0]
    rise = torch.exp(-BLOCK_SECONDS / log_uniform(clips, (0.3, 4.0), generator))[:, 0]
    follower = level.mean(dim=1)
    followed = []
    for now in level.unbind(dim=1):
        follower = now + torch.where(now > follower, fall, rise) * (follower - now)
        followed.append(follower)
    amount = uniform(clips, (0.3, 0.9), generator)  # 1 would leave one level
    gain = torch.maximum(torch.stack(followed, dim=1), floor[:, None]) ** -amount
    smooth = F.interpolate(gain[:, None], scale_factor=float(block), mode="linear")[:, 0, :samples]
    return _at_level_of(audio, audio * smooth)


def suppressed(audio: Tensor, rate_hz: int, generator: torch.Generator) -> Tensor:
    """Noise suppression that takes what goes on for noise, and so thins held tones out."""
    clips, samples = audio.shape
    size = 2 ** round(math.log2(0.032 * rate_hz))
    taper = torch.hann_window(size)
    spectrum = torch.stft(audio, size, size // 2, window=taper, pad_mode="constant", return_complex=True)
    magnitude = spectrum.abs()
    memory = round(2 * rate_hz / size)  # frames of the second over which the going level is the mean
    going = F.avg_pool1d(F.pad(magnitude, (memory - 1, 0), mode="replicate"), memory, 1)
    strength = uniform(clips, (0.2, 0.9), generator)[:, :, None]
    least = decibels(uniform(clips, (-25.0, -6.0), generator))[:, :, None]
    gain = torch.maximum(1 - strength * going / (magnitude + TINY), least)
    gain = F.avg_pool1d(F.pad(gain, (1, 1), mode="replicate"), 3, 1)
    result: Tensor = torch.istft(spectrum * gain, size, size // 2, window=taper, length=samples)
    return _at_level_of(audio, result)


def microphone(audio: Tensor, rate_hz: int, generator: torch.Generator) -> Tensor:
    """A webcam's or telephone's: a narrow band, automatic gain, for half of the clips noise suppression."""
    clips = len(audio)
    hertz = line_hertz(rate_hz)
    response = high_pass(hertz, log_uniform(clips, (40.0, 300.0), generator), torch.tensor(0.7))
    top = log_uniform(clips, (3400.0, 12000.0), generator)
    response = response * low_pass(hertz, top, torch.tensor(0.6)) * low_pass(hertz, top, torch.tensor(1.2))
    presence = uniform(clips, (0.0, 8.0), generator)
    response = response * peaking(
        hertz, log_uniform(clips, (1500.0, 5000.0), generator), torch.tensor(1.5), presence
    )
    result = automatic_gain(filtered(audio, response), rate_hz, generator)
    chosen = torch.rand(clips, generator=generator) < 0.5
    if chosen.any():
        result[chosen] = suppressed(result[chosen], rate_hz, generator)
    return result


def coded(audio: Tensor, rate_hz: int, generator: torch.Generator) -> Tensor:
    """As after a lossy codec at a low rate: what lies far below its band's loudest is rounded away.

    Spectra of 32 ms (at 16 kHz), rounded in steps that grow with the level of their band, as a bit budget
    makes them; the top of the spectrum is left out.
    """
    clips, samples = audio.shape
    size = 2 ** round(math.log2(0.04 * rate_hz))
    taper = torch.hann_window(size).sqrt()
    spectrum = torch.stft(audio, size, size // 2, window=taper, pad_mode="constant", return_complex=True)
    lines = size // 2 + 1
    width = 8  # lines of a band: 250 Hz
    power = spectrum.abs().square()
    bands = F.avg_pool1d(
        F.pad(power.transpose(1, 2), (0, -lines % width)).flatten(0, 1)[:, None], width, width
    )
    level = bands.repeat_interleave(width, dim=2)[:, 0, :lines].reshape(clips, -1, lines).transpose(1, 2)
    whole = level.mean(dim=(1, 2), keepdim=True)
    coarse = log_uniform(clips, (0.25, 2.5), generator)[:, :, None]
    # Between steps relative to the band (as loud bands are masked) and one step for all (as bits are few).
    step = coarse * (level.sqrt() ** 0.7) * (whole.sqrt() ** 0.3) + TINY
    real, imaginary = ((part / step).round() * step for part in (spectrum.real, spectrum.imag))
    highest = log_uniform(clips, (3500.0, 8000.0), generator)[:, :, None]
    kept = (torch.arange(lines) * rate_hz / size)[None, :, None] < highest
    result: Tensor = torch.istft(
        torch.complex(real, imaginary) * kept, size, size // 2, window=taper, length=samples
    )
    return result


def old_record(audio: Tensor, rate_hz: int, generator: torch.Generator) -> Tensor:
    """An old record or tape: 4 kHz, wow and flutter, hiss and crackle."""
    clips, samples = audio.shape
    wavering = _wavering(audio, rate_hz, generator)
    hertz = line_hertz(rate_hz)
    response = high_pass(hertz, log_uniform(clips, (60.0, 250.0), generator), torch.tensor(0.8))
    top = log_uniform(clips, (2500.0, 6000.0), generator)
    response = response * low_pass(hertz, top, torch.tensor(0.6)) * low_pass(hertz, top, torch.tensor(1.2))
    for _ in range(2):  # of the horn
        centre = log_uniform(clips, (250.0, 2500.0), generator)
        response = response * peaking(hertz, centre, torch.tensor(3.0), uniform(clips, (0.0, 8.0), generator))
    level = audio.square().mean(dim=1, keepdim=True).sqrt()
    hiss = level * decibels(uniform(clips, (-45.0, -20.0), generator))
    rate = log_uniform(clips, CRACKLES_A_SECOND, generator) / rate_hz
    struck = torch.rand(clips, samples, generator=generator) < rate
    size = level * decibels(uniform(clips, (0.0, 22.0), generator))
    crackle = struck * torch.randn(clips, samples, generator=generator) * size
    return filtered(wavering + crackle, response) + hiss * torch.randn(clips, samples, generator=generator)


def _wavering(audio: Tensor, rate_hz: int, generator: torch.Generator) -> Tensor:
    """Played at a speed that wavers by up to half a percent, about its place in time."""
    clips, samples = audio.shape
    time = torch.arange(samples)[None] / rate_hz
    late = torch.zeros(clips, samples)  # samples
    for bounds, depth in (((0.4, 1.5), 0.004), ((5.0, 12.0), 0.001)):  # wow, flutter
        hertz = log_uniform(clips, bounds, generator)
        phase = uniform(clips, (0.0, 2 * math.pi), generator)
        speed = uniform(clips, (0.0, depth), generator)
        swing = speed / (2 * math.pi * hertz) * rate_hz
        late += swing * torch.sin(2 * math.pi * hertz * time + phase)
    place = torch.arange(samples)[None] - late
    first = place.floor()
    part = place - first
    index = first.long()

    def at(step: int) -> Tensor:
        return audio.gather(1, (index + step).clamp(0, samples - 1))

    # Catmull and Rom's cubic through four samples.
    a, b, c, d = (at(step) for step in (-1, 0, 1, 2))
    curve = 2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)
    return b + 0.5 * part * (c - a + part * curve)


def _at_level_of(reference: Tensor, audio: Tensor) -> Tensor:
    """`audio` (B, S) scaled to the root mean square of `reference` (B, S)."""
    before, after = (x.square().mean(dim=1, keepdim=True).sqrt() for x in (reference, audio))
    return audio * (before / after.clamp(min=TINY))
