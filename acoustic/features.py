"""Log-frequency spectra on torch: the network's input.

Is: two short-time spectra, one fine in pitch and one fine in time, on one log-frequency axis.
Is not: the stacking of harmonics, which belongs to the network.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.pitch import KEYS, LOWEST
from symbolic.pitch import hertz as hertz_of


@dataclass(frozen=True, kw_only=True)
class FeatureOptions:
    """Spectra of a model; part of its card, since the weights fit one choice only."""

    rate_hz: int = 16_000
    hop_samples: int = 320
    windows: tuple[int, ...] = (4096, 1024)  # samples
    bins_per_semitone: int = 3
    octaves: float = 8.2  # of bins above the lowest key: up to 8 kHz

    def __post_init__(self) -> None:
        sizes = (self.hop_samples, self.rate_hz, self.bins_per_semitone, *self.windows)
        if min(sizes) < 1 or not self.windows:
            raise NotebeamError("FeatureOptions", self, "positive sizes")
        if any(window % 2 for window in self.windows):
            raise NotebeamError("FeatureOptions.windows", self.windows, "even numbers of samples")

    @property
    def hop(self) -> float:
        """Seconds between frames."""
        return self.hop_samples / self.rate_hz

    @property
    def bins(self) -> int:
        """M, spectral bins of a frame: at least those of the 88 keys."""
        return max(round(self.octaves * 12), KEYS) * self.bins_per_semitone


def bin_pitches(options: FeatureOptions) -> npt.NDArray[np.float64]:
    """(M,) MIDI pitch, with fractions, of each bin's centre; the middle one of a key's bins lies on it."""
    middle = (options.bins_per_semitone - 1) / 2
    return np.asarray(LOWEST + (np.arange(options.bins) - middle) / options.bins_per_semitone)


@lru_cache(maxsize=8)
def filterbank(options: FeatureOptions, window: int, cents: float = 0.0) -> Tensor:
    """(window // 2 + 1, M) triangles that read a magnitude spectrum on the log-frequency axis.

    They are centred on `bin_pitches`, A4 lying `cents` above 440 Hz. Where the spectrum is coarser than the
    axis, a triangle spans two spectral lines and so interpolates.
    """
    hertz = torch.from_numpy(hertz_of(bin_pitches(options) + cents / 100))
    lines = torch.arange(window // 2 + 1, dtype=torch.float64) * options.rate_hz / window
    spacing = options.rate_hz / window
    # To the next bin's centre, but never less than to the next line.
    reach = (hertz * (2 ** (1 / (12 * options.bins_per_semitone)) - 1)).clamp(min=spacing)
    triangles = (1 - (lines[:, None] - hertz).abs() / reach).clamp(min=0)
    triangles /= triangles.sum(0).clamp(min=1.0)
    triangles[:, hertz > options.rate_hz / 2] = 0
    return triangles.float()


def frame_count(samples: int, options: FeatureOptions) -> int:
    """Frames of a recording of that many samples: one centred on each multiple of the hop within it."""
    return -(-samples // options.hop_samples)


def margin_samples(options: FeatureOptions) -> int:
    """Samples that a frame needs on either side of its centre."""
    return max(options.windows) // 2


def spectra(audio: Tensor, options: FeatureOptions, cents: float = 0.0) -> Tensor:
    """Log magnitudes of the frames of padded audio.

    Args:
        audio: (B, margin + hop * (T - 1) + margin) samples at `rate_hz`, the first frame centred on
            sample `margin_samples`; pad with zeros where a recording has no more.
        cents: how far the recording's A4 lies above 440 Hz; its keys are read where they are.

    Returns:
        (B, windows, T, M), 0 at -60 dB of full scale and 1 for each 20 dB above it, never below -2. Where a
        triangle spans more lines than a tone fills it gives their mean.
    """
    margin = margin_samples(options)
    planes = []
    for window in options.windows:
        skip = margin - window // 2
        inner = audio[:, skip : audio.shape[1] - skip]
        taper = torch.hann_window(window, device=audio.device, dtype=audio.dtype)
        frames = torch.stft(
            inner, window, options.hop_samples, window=taper, center=False, return_complex=True
        )
        magnitude = frames.abs().transpose(1, 2) / (taper.sum() / 2)  # (B, T, lines), 1 for a full-scale sine
        planes.append(magnitude @ filterbank(options, window, cents).to(audio.device))
    return 3.0 + torch.stack(planes, dim=1).clamp(min=1e-5).log10()
