"""The network of beats: convolutions and an LSTM over chords, a head for each question; its weights' file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from symbolic.beats.chords import FEATURES, Chords
from symbolic.card import load_network

# Networks of beats, which are averaged: of performances alone, and of performances and written music.
MEMBERS = ("piano", "piano-1", "piano-2", "written-1", "written-2", "written-3")
TEMPI = 32  # classes of the time between two beats
SHORTEST_BEAT, LONGEST_BEAT = 0.15, 2.6  # seconds between beats; 3 % and 1 % of ASAP's lie beyond
CLASS = float(np.log(LONGEST_BEAT / SHORTEST_BEAT)) / TEMPI  # logarithm of a class' last time by its first
BARS = (2, 3, 4)  # beats a bar
PLACES = 12  # of a chord within its beat: those of halves, thirds and quarters are among them
HEADS = {"beat": 1, "downbeat": 1, "tempo": TEMPI, "bar": len(BARS), "thirds": 1, "place": PLACES}


@dataclass(frozen=True, eq=False)
class Readings:
    """What the network says of C chords."""

    time: NDArray[np.float64]  # (C,) seconds
    beat: NDArray[np.float32]  # (C,) logit: there is a beat
    downbeat: NDArray[np.float32]  # (C,) logit: if so, it begins a bar
    tempo: NDArray[np.float32]  # (C, TEMPI) log-probability of the time between beats here


class BeatNetwork(nn.Module):
    """Dilated convolutions over chords (after Davies and Böck, 2019), over them an LSTM both ways (after Liu,
    Kong, Morfi and Benetos, 2022), a linear head for each question to both."""

    def __init__(
        self,
        channels: int = 64,
        blocks: int = 4,
        kernel: int = 3,
        hidden: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.first = nn.Conv1d(FEATURES, channels, kernel, padding=kernel // 2)
        self.blocks = nn.Sequential(*(Block(channels, kernel, 2**row, dropout / 2) for row in range(blocks)))
        self.channel_dropout, self.dropout = nn.Dropout1d(dropout), nn.Dropout(dropout)
        self.lstm = nn.LSTM(channels, hidden, bidirectional=True, batch_first=True)
        width = channels + 2 * hidden
        self.heads = nn.ModuleDict({name: nn.Linear(width, size) for name, size in HEADS.items()})

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Logits (B, C, size) of each head, of features (B, C, FEATURES)."""
        near = F.gelu(self.blocks(F.gelu(self.first(features.transpose(1, 2)))))
        far, _ = self.lstm(self.channel_dropout(near).transpose(1, 2))
        both = self.dropout(torch.cat([near.transpose(1, 2), far], dim=2))
        return {name: head(both).float() for name, head in self.heads.items()}


class Block(nn.Module):
    """A residual block of dilated convolutions, which begins as the identity."""

    def __init__(self, channels: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        reach = kernel // 2 * dilation
        self.wide = nn.Conv1d(channels, channels, kernel, padding=reach, dilation=dilation)
        self.dropout = nn.Dropout1d(dropout)  # of whole channels: every chord tells of its neighbours
        self.mix = nn.Conv1d(channels, channels, 1)
        nn.init.zeros_(self.mix.weight)
        assert self.mix.bias is not None
        nn.init.zeros_(self.mix.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, channels, C), likewise."""
        change: Tensor = self.mix(self.dropout(F.gelu(self.wide(hidden))))
        return hidden + change


def tempo_class(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Class 0..TEMPI - 1 of times between two beats, evenly spaced in their logarithm."""
    place = np.log(np.clip(seconds, SHORTEST_BEAT, LONGEST_BEAT) / SHORTEST_BEAT)
    return np.asarray(np.minimum(TEMPI - 1, place / CLASS), dtype=np.int64)


@torch.inference_mode()
def read_chords(networks: Sequence[BeatNetwork], chords: Chords) -> Readings:
    """The answers about each chord: means of the networks' logits."""
    features = torch.from_numpy(chords.features)[None]
    answers = [network(features) for network in networks]
    logits = {name: torch.cat([one[name] for one in answers]).mean(dim=0) for name in HEADS}
    alone = {name: logits[name][:, 0].numpy() for name in ("beat", "downbeat")}
    return Readings(chords.time, tempo=logits["tempo"].log_softmax(dim=1).numpy(), **alone)


def member(what: str, seed: int) -> str:
    """What the network of a seed is called, among those that are averaged."""
    return f"{what}-{seed}" if seed else what


def weights_path(name: str = "piano") -> Path:
    """The weights that come with the package: of beats (MEMBERS), "tempo" or of bars (bars.MEMBERS)."""
    return Path(__file__).parent / "weights" / f"{name}.safetensors"


def load_networks(paths: Sequence[Path] | None = None) -> list[BeatNetwork]:
    """Trained networks, in evaluation mode; by default those that come with the package.

    Raises:
        NotebeamError: weights or a card that are missing, damaged or do not fit each other.
    """
    return [
        load_network(BeatNetwork, "beats", path) for path in paths or [weights_path(name) for name in MEMBERS]
    ]


def follow(average: nn.Module, network: nn.Module, kept: float) -> None:
    """Move an average of weights towards a network's; `kept` is the part that stays."""
    for mean, now in zip(average.parameters(), network.parameters(), strict=True):
        mean.data.lerp_(now.data, 1 - kept)
