"""The network: log-frequency spectra to key probabilities, the same weights for every key.

Is: the module and its options.
Is not: spectra (features), losses (training), audio in chunks (inference).

A harmonic of a note lies at the same distance above its fundamental for every key once frequency is
logarithmic (Bittner et al. 2017, harmonic stacking): shifted copies of the spectrum become channels, and
convolutions tied across pitch then see all partials of a key at one place.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from acoustic.features import FeatureOptions
from symbolic.errors import NotebeamError
from symbolic.pitch import KEYS

HEADS = ("onset", "frame", "offset", "velocity")


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """Sizes of a `HarmonicNet`; part of a model's card."""

    harmonics: tuple[float, ...] = (0.5, 1, 2, 3, 4, 5, 6, 7, 8)
    spectral_channels: int = 24  # while bins are finer than keys
    channels: int = 48  # from one bin a key on
    blocks: int = 6  # block i looks 2 ** i frames to either side

    def __post_init__(self) -> None:
        sizes = (self.spectral_channels, self.channels, self.blocks)
        if min(sizes) < 1 or not self.harmonics or min(self.harmonics) <= 0:
            raise NotebeamError("NetworkOptions", self, "positive sizes and positive harmonics")

    @property
    def reach_frames(self) -> int:
        """Frames on either side that can change a frame's output."""
        return 1 + int(2**self.blocks)


def stack_harmonics(spectrum: Tensor, harmonics: tuple[float, ...], bins_per_semitone: int) -> Tensor:
    """Copies of the spectrum shifted so that each key finds its partials at its own place.

    (B, C, T, M) -> (B, C * harmonics, T, 88 * bins_per_semitone); what lies outside the axis is 0.
    """
    width = KEYS * bins_per_semitone
    shifts = [round(12 * bins_per_semitone * math.log2(h)) for h in harmonics]
    below, above = max(0, -min(shifts)), max(0, max(shifts) + width - spectrum.shape[-1])
    padded = F.pad(spectrum, (below, above))
    return torch.cat([padded[..., below + s : below + s + width] for s in shifts], dim=1)


class Block(nn.Module):
    """Residual: along time (dilated), across octaves, across neighbouring keys."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.time = nn.Conv2d(channels, channels, (3, 1), padding=(dilation, 0), dilation=(dilation, 1))
        self.octaves = nn.Conv2d(channels, channels, (1, 3), padding=(0, 12), dilation=(1, 12))
        self.keys = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1), bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, D) -> the same."""
        y = F.relu(self.octaves(F.relu(self.time(x))))
        return F.relu(x + self.norm(self.keys(y)))


class HarmonicNet(nn.Module):
    """Spectra (B, windows, T, M) -> logits (B, 4, T, 88) in the order of `HEADS`."""

    def __init__(self, features: FeatureOptions, options: NetworkOptions) -> None:
        super().__init__()
        self.features, self.options = features, options
        inputs = len(features.windows) * len(options.harmonics)
        narrow, wide, step = options.spectral_channels, options.channels, features.bins_per_semitone
        self.fine = nn.Conv2d(inputs, narrow, 3, padding=1, bias=False)
        self.fine_norm = nn.BatchNorm2d(narrow)
        # Stride `step` from the first bin of each key: one column a key, centred on it.
        self.to_keys = nn.Conv2d(narrow, wide, (3, step), stride=(1, step), padding=(1, 0), bias=False)
        self.keys_norm = nn.BatchNorm2d(wide)
        # The one thing that is not tied: how a register sounds (bass strings, undamped treble).
        self.register_bias = nn.Parameter(torch.zeros(1, wide, 1, KEYS))
        self.blocks = nn.ModuleList(Block(wide, 2**i) for i in range(options.blocks))
        self.heads = nn.Conv2d(wide, len(HEADS), 1)
        with torch.no_grad():  # sigmoid(-4) is about how often a key is on, starts and ends
            assert self.heads.bias is not None
            self.heads.bias[:3] = -4.0

    def forward(self, spectrum: Tensor) -> Tensor:
        stacked = stack_harmonics(spectrum, self.options.harmonics, self.features.bins_per_semitone)
        x = F.relu(self.fine_norm(self.fine(stacked.contiguous(memory_format=torch.channels_last))))
        x = F.relu(self.keys_norm(self.to_keys(x)) + self.register_bias)
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.heads(x)
        return logits
