"""The network: log-frequency spectra to key probabilities, the same weights for every key.

Is: the module and its options.
Is not: spectra (features), losses (training), audio in chunks (inference).

A harmonic of a note lies at the same distance above its fundamental for every key once frequency is
logarithmic (Bittner et al. 2017, harmonic stacking): shifted copies of the spectrum become channels, and
convolutions tied across pitch then see all partials of a key at one place. Not tied are a bias of each
register, and the place on the keyboard from which velocities are read.

How hard a key was struck is read apart, from levels: the trunk learns under random equalisers and rooms to
detect a note whatever its level, and so to forget what a velocity is read from.
"""

import copy
import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from acoustic.features import FeatureOptions
from symbolic.errors import NotebeamError
from symbolic.pitch import KEYS

PROBABILITIES = ("onset", "frame", "offset", "held")  # held: until the key is released, whatever sounds on
HEADS = (*PROBABILITIES, "velocity")
MOST = 4096  # of any size: a damaged card must not ask for all memory
TOUCH_FRAMES = 7  # around a strike, from which its velocity is read
GATHERED = (2, 3, 4, 5, 6, 7, 8)  # partials, and as many fundamentals below, that a gathering block sees
SETTLING_FRAMES = 96  # on either side, after which a recurrence has forgotten where it began


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """Sizes of a `HarmonicNet`; part of a model's card."""

    harmonics: tuple[float, ...] = (0.5, 1, 2, 3, 4, 5, 6, 7, 8)
    spectral_channels: int = 24  # while bins are finer than keys
    channels: int = 48  # from one bin a key on; 24 gave gradients of bfloat16 that were not finite on a CPU
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32)  # of each block: frames it looks to either side
    touch_channels: int = 32  # that read the velocity
    gathering: tuple[int, ...] = ()  # numbers of the blocks that look at all partials and subharmonics
    gathered_channels: int = 16  # that such a block sends from each of them
    recurrent: int = 0  # hidden units of the heads' recurrence along time, each way; 0: heads without
    head_channels: int = 24  # of each recurrent head's own last layer

    def __post_init__(self) -> None:
        sizes = (
            self.spectral_channels, self.channels, self.touch_channels, *self.dilations,
            self.gathered_channels, self.head_channels,
        )  # fmt: skip
        if min(sizes) < 1 or not self.dilations or not self.harmonics or min(self.harmonics) <= 0:
            raise NotebeamError("NetworkOptions", self, "positive sizes and positive harmonics")
        if not set(self.gathering) <= set(range(len(self.dilations))):
            raise NotebeamError("NetworkOptions.gathering", self.gathering, "numbers of blocks, from 0")
        if max(*sizes, self.recurrent) > MOST:
            raise NotebeamError("NetworkOptions", self, f"sizes of at most {MOST}")
        if self.recurrent < 0:
            raise NotebeamError("NetworkOptions.recurrent", self.recurrent, "a number >= 0")

    @property
    def reach_frames(self) -> int:
        """Frames on either side that can change a frame's output, or do so by more than a trace."""
        trunk = 2 + sum(self.dilations) + (SETTLING_FRAMES if self.recurrent else 0)
        return max(trunk, TOUCH_FRAMES // 2)


def stack_harmonics(spectrum: Tensor, harmonics: tuple[float, ...], bins_per_semitone: int) -> Tensor:
    """Copies of the spectrum shifted so that each key finds its partials at its own place.

    (B, C, T, M) -> (B, C * harmonics, T, 88 * bins_per_semitone); what lies outside the axis is 0.
    """
    width = KEYS * bins_per_semitone
    shifts = [round(12 * bins_per_semitone * math.log2(h)) for h in harmonics]
    below, above = max(0, -min(shifts)), max(0, max(shifts) + width - spectrum.shape[-1])
    padded = F.pad(spectrum, (below, above))
    return torch.cat([padded[..., below + s : below + s + width] for s in shifts], dim=1)


def _shifted(x: Tensor, shifts: tuple[int, ...]) -> Tensor:
    """Copies of (B, C, T, 88) shifted along the keys, as channels; 0 comes in from beyond the keyboard."""
    reach = max(map(abs, shifts))
    padded = F.pad(x, (reach, reach))
    return torch.cat([padded[..., reach + s : reach + s + x.shape[-1]] for s in shifts], dim=1)


class _Shifted(torch.autograd.Function):
    """`_shifted` with a gradient in one tensor; autograd would pad one for each copy."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shifts: tuple[int, ...]) -> Tensor:
        ctx.shifts = shifts
        return _shifted(x, shifts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        parts, keys = grad.chunk(len(ctx.shifts), dim=1), grad.shape[-1]
        result = torch.zeros_like(parts[0])
        for part, shift in zip(parts, ctx.shifts, strict=True):
            low, high = max(0, shift), min(keys, keys + shift)  # of the keys that were sent
            result[..., low:high] += part[..., low - shift : high - shift]
        return result, None


class Gather(nn.Module):
    """What lies at the partials of each key and at the keys whose partial it is, mixed by a 1x1.

    Begins as 0, so that a network that is given one still computes what it did.
    """

    def __init__(self, channels: int, gathered: int) -> None:
        super().__init__()
        steps = [round(12 * math.log2(partial)) for partial in GATHERED]
        self.shifts = (*(-step for step in reversed(steps)), *steps)
        self.send = nn.Conv2d(channels, gathered, 1)
        self.mix = nn.Conv2d(len(self.shifts) * gathered, channels, 1, bias=False)
        nn.init.zeros_(self.mix.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, 88) -> the same; beyond the keyboard lies 0."""
        sent = F.relu(self.send(x), inplace=True)
        # Without gradients the plain function, which can be exported.
        shift = _Shifted.apply if torch.is_grad_enabled() else _shifted
        mixed: Tensor = self.mix(shift(sent, self.shifts))
        return mixed


class Block(nn.Module):
    """Residual: along time (dilated), across octaves and neighbouring keys; beside it maybe a `Gather`."""

    def __init__(self, channels: int, dilation: int, gathered: int = 0) -> None:
        super().__init__()
        self.time = nn.Conv2d(channels, channels, (3, 1), padding=(dilation, 0), dilation=(dilation, 1))
        self.octaves = nn.Conv2d(channels, channels, (1, 3), padding=(0, 12), dilation=(1, 12))
        self.keys = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1), bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(channels)
        self.gather = Gather(channels, gathered) if gathered else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, 88) -> the same."""
        y = F.relu(self.octaves(F.relu(self.time(x), inplace=True)), inplace=True)
        y = x + self.norm(self.keys(y))
        return F.relu(y if self.gather is None else y + self.gather(x), inplace=True)


class RecurrentHeads(nn.Module):
    """What each probability's logit gains from an LSTM both ways along time, the same for every key.

    The recurrence is shared by the heads, the last layers are each head's own. Begins as 0.
    """

    def __init__(self, channels: int, hidden: int, own: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, hidden, 1)
        self.recurrence = nn.LSTM(hidden, hidden, bidirectional=True)
        self.own = nn.Conv2d(2 * hidden + channels, own * len(PROBABILITIES), 1)
        self.logits = nn.Conv2d(own * len(PROBABILITIES), len(PROBABILITIES), 1, groups=len(PROBABILITIES))
        nn.init.zeros_(self.logits.weight)
        assert self.logits.bias is not None
        nn.init.zeros_(self.logits.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, 88) -> (B, 4, T, 88)."""
        clips, _, frames, keys = x.shape
        entered = F.relu(self.enter(x), inplace=True)
        past, _ = self.recurrence(entered.permute(2, 0, 3, 1).reshape(frames, clips * keys, -1))
        around = past.to(x.dtype).view(frames, clips, keys, -1).permute(1, 3, 0, 2)
        # The trunk's channels come last: where they grow, the old ones keep their place.
        both = torch.cat([around, x], dim=1)
        logits: Tensor = self.logits(F.relu(self.own(both), inplace=True))
        return logits


class HarmonicNet(nn.Module):
    """Spectra (B, windows, T, M) -> (B, 5, T, 88) in the order of `HEADS`.

    Logits of `PROBABILITIES`; the velocity as it is, in units of 127, but for a constant of the recording:
    it is learnt from differences within a clip (`training.loop.losses`).
    """

    def __init__(self, features: FeatureOptions, options: NetworkOptions) -> None:
        super().__init__()
        self.features, self.options = features, options
        inputs = len(features.windows) * len(options.harmonics)
        narrow, wide, step = options.spectral_channels, options.channels, features.bins_per_semitone
        self.fine = nn.Conv2d(inputs, narrow, 3, padding=1, bias=False)
        self.fine_norm: nn.Module = nn.BatchNorm2d(narrow)
        # Stride `step` from the first bin of each key: one column a key, centred on it.
        self.to_keys = nn.Conv2d(narrow, wide, (3, step), stride=(1, step), padding=(1, 0), bias=False)
        self.keys_norm: nn.Module = nn.BatchNorm2d(wide)
        # Not tied: how a register sounds (bass strings, undamped treble).
        self.register_bias = nn.Parameter(torch.zeros(1, wide, 1, KEYS))
        self.blocks = nn.ModuleList(
            Block(wide, dilation, options.gathered_channels if number in options.gathering else 0)
            for number, dilation in enumerate(options.dilations)
        )
        self.heads = nn.Conv2d(wide, len(PROBABILITIES), 1)
        hidden, own = options.recurrent, options.head_channels
        self.recurrent = RecurrentHeads(wide, hidden, own) if hidden else None
        self.touch = Touch(len(options.harmonics), options.touch_channels, step)
        with torch.no_grad():  # sigmoid(-4) is about how often a key is on, starts and ends
            assert self.heads.bias is not None
            self.heads.bias[:] = -4.0

    def forward(self, spectrum: Tensor) -> Tensor:
        stacked = self._stacked(spectrum)
        x = F.relu(self.fine_norm(self.fine(stacked)), inplace=True)
        x = self.keys_norm(self.to_keys(x))
        # In the type of the sum: else autocast would carry float32 through all the blocks.
        x = F.relu(x + self.register_bias.to(x.dtype), inplace=True)
        for block in self.blocks:
            x = block(x)
        logits = self.heads(x) if self.recurrent is None else self.heads(x) + self.recurrent(x)
        return torch.cat([logits, self._touched(stacked)], dim=1)

    def velocities(self, spectrum: Tensor) -> Tensor:
        """The velocity alone, (B, T, 88); the trunk need not run for it."""
        return self._touched(self._stacked(spectrum))[:, 0]

    def _stacked(self, spectrum: Tensor) -> Tensor:
        stacked = stack_harmonics(spectrum, self.options.harmonics, self.features.bins_per_semitone)
        return stacked.contiguous(memory_format=torch.channels_last)

    def _touched(self, stacked: Tensor) -> Tensor:
        # Harmonics lie one after the other, each with all windows.
        windows = len(self.features.windows)
        finest = min(range(windows), key=self.features.windows.__getitem__)
        velocity: Tensor = self.touch(stacked[:, finest::windows])
        return velocity


def fused(network: HarmonicNet) -> HarmonicNet:
    """A copy for inference, normalisations folded into the convolutions before them: equal, and faster."""
    result = copy.deepcopy(network).eval()
    pairs = [(result, "fine", "fine_norm"), (result, "to_keys", "keys_norm")]
    for module, convolution, norm in [*pairs, *((block, "keys", "norm") for block in result.blocks)]:
        both = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
        setattr(module, convolution, both)
        setattr(module, norm, nn.Identity())
    return result


class Touch(nn.Module):
    """Velocity from how the levels of a key's harmonics rise around a strike, and from where the key lies.

    Reads the window that is finest in time alone: in the longer one a strike is smeared over its past.
    """

    place: Tensor

    def __init__(self, harmonics: int, channels: int, step: int) -> None:
        super().__init__()
        self.step = step
        self.levels = nn.Conv2d(harmonics, channels, (TOUCH_FRAMES, 1), padding=(TOUCH_FRAMES // 2, 0))
        self.register = nn.Conv2d(2, channels, 1, bias=False)
        self.inner = nn.Conv2d(channels, channels, 1)
        self.velocity = nn.Conv2d(channels, 1, 1)
        place = torch.linspace(0, 1, KEYS)
        self.register_buffer("place", torch.stack([place, place**2])[None, :, None], persistent=False)

    def forward(self, stacked: Tensor) -> Tensor:
        """(B, harmonics, T, 88 * step), log magnitudes -> (B, 1, T, 88)."""
        loudest = F.max_pool2d(stacked, (1, self.step))
        levels = F.relu(self.levels(loudest) + self.register(self.place), inplace=True)
        velocity: Tensor = self.velocity(F.relu(self.inner(levels), inplace=True))
        return velocity
