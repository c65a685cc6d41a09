"""The network of tempo: from tempograms to the time between beats.

Convolutions along the logarithm of time see a tempo and its double alike wherever they lie (after Schreiber
and Müller, 2018). It answers what the network of beats, which sees chords and not time, can hardly know.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from symbolic.beats.chords import Chords
from symbolic.beats.network import TEMPI, Readings, weights_path
from symbolic.beats.tempogram import BELOW, CHANNELS, CLASSES, tempogram_of
from symbolic.card import load_network

KERNEL = 27  # classes: an octave and a fifth, a third of a tempo, to either side
LAST_KERNEL = 9


class TempoNetwork(nn.Module):
    """Two convolutions along classes of time, a head for tempo.

    In training another head tells beats of three thirds from those of two halves at the tempo found; in use
    `symbolic.beats.division` does, better.
    """

    def __init__(self, channels: int = 24, dropout: float = 0.0) -> None:
        super().__init__()
        self.first = nn.Conv1d(CHANNELS, channels, KERNEL, padding=KERNEL // 2)
        self.second = nn.Conv1d(channels, channels, KERNEL, padding=KERNEL // 2)
        self.tempo = nn.Conv1d(channels, 1, LAST_KERNEL, padding=LAST_KERNEL // 2)
        self.usual = nn.Parameter(torch.zeros(CLASSES))  # some tempi are more frequent
        self.thirds = nn.Linear(channels, 1)
        self.dropout = nn.Dropout1d(dropout)
        self.plain_dropout = nn.Dropout(dropout)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, TEMPI) of the tempo and (N,) of thirds, of pictures (N, CHANNELS, CLASSES)."""
        hidden = F.gelu(self.first(pictures))
        hidden = F.gelu(self.second(self.dropout(hidden))) + hidden
        beats = slice(BELOW, BELOW + TEMPI)
        tempo = (self.tempo(self.dropout(hidden))[:, 0] + self.usual)[:, beats]
        at_tempo = (hidden[:, :, beats] * tempo.softmax(dim=1)[:, None]).sum(dim=2)
        return tempo, self.thirds(self.plain_dropout(at_tempo))[:, 0]


@torch.inference_mode()
def read_tempo(network: TempoNetwork, chords: Chords, readings: Readings) -> NDArray[np.float32]:
    """(C, TEMPI) log-probability of the tempo, between windows interpolated."""
    tempogram = tempogram_of(chords, readings)
    logits, _ = network(torch.from_numpy(tempogram.pictures))
    place = np.interp(chords.time, tempogram.time, np.arange(len(tempogram.time)))
    before = place.astype(np.int64)
    after, part = np.minimum(before + 1, len(tempogram.time) - 1), (place - before).astype(np.float32)
    tempo = logits.log_softmax(dim=1).numpy()
    return np.asarray((1 - part[:, None]) * tempo[before] + part[:, None] * tempo[after])


def load_tempo_network(path: Path | None = None) -> TempoNetwork:
    """The trained network, in evaluation mode.

    Raises:
        NotebeamError: weights or a card that are missing, damaged or do not fit each other.
    """
    return load_network(TempoNetwork, "tempo", path or weights_path("tempo"))
