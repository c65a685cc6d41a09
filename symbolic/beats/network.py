"""The network of beats: a recurrent net over chords with a head for each question; its weights' file."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from symbolic.beats.chords import FEATURES, Chords
from symbolic.checkpoints import read_tensors, shapes_of, write_json, write_tensors
from symbolic.config import options_from
from symbolic.files import read_json

TEMPI = 32  # classes of the time between two beats
SHORTEST_BEAT, LONGEST_BEAT = 0.15, 2.6  # seconds between beats; 3 % and 1 % of ASAP's lie beyond
BARS = (2, 3, 4)  # beats a bar
HEADS = {"beat": 1, "downbeat": 1, "tempo": TEMPI, "bar": len(BARS), "thirds": 1}


@dataclass(frozen=True)
class BeatCard:
    """What belongs to the weights."""

    name: str
    options: dict[str, float]
    data: str
    licence: str
    command: str
    scores: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Readings:
    """What the network says of C chords."""

    time: NDArray[np.float64]  # (C,) seconds
    beat: NDArray[np.float32]  # (C,) logit: there is a beat
    downbeat: NDArray[np.float32]  # (C,) logit: if so, it begins a bar
    tempo: NDArray[np.float32]  # (C, TEMPI) log-probability of the time between beats here
    bar: NDArray[np.float32]  # (C, 3) log-probability of 2, 3, 4 beats a bar
    thirds: NDArray[np.float32]  # (C,) logit: a beat is three thirds


class BeatNetwork(nn.Module):
    """Layers of GRU in both directions, and a linear head for each question."""

    def __init__(self, units: int = 64, layers: int = 2, dropout: float = 0.0) -> None:
        super().__init__()
        self.gru = nn.GRU(FEATURES, units, layers, batch_first=True, dropout=dropout, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({name: nn.Linear(2 * units, size) for name, size in HEADS.items()})

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Logits (B, C, size) of each head, of features (B, C, FEATURES)."""
        hidden = self.dropout(self.gru(features)[0])
        return {name: head(hidden) for name, head in self.heads.items()}


def tempo_class(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Class 0..TEMPI - 1 of times between two beats, evenly spaced in their logarithm."""
    place = np.log(np.clip(seconds, SHORTEST_BEAT, LONGEST_BEAT) / SHORTEST_BEAT)
    scaled = place / np.log(LONGEST_BEAT / SHORTEST_BEAT) * TEMPI
    return np.asarray(np.minimum(TEMPI - 1, scaled), dtype=np.int64)


@torch.inference_mode()
def read_chords(network: BeatNetwork, chords: Chords) -> Readings:
    """The network's answers about each chord."""
    logits = {name: values[0] for name, values in network(torch.from_numpy(chords.features)[None]).items()}
    alone = {name: logits[name][:, 0].numpy() for name in ("beat", "downbeat", "thirds")}
    shared = {name: logits[name].log_softmax(dim=1).numpy() for name in ("tempo", "bar")}
    return Readings(chords.time, **alone, **shared)


def weights_path() -> Path:
    """The weights that come with the package."""
    return Path(__file__).parent / "weights" / "piano.safetensors"


def load_network(path: Path | None = None) -> BeatNetwork:
    """The trained network, in evaluation mode.

    Raises:
        NotebeamError: weights or a card that are missing, damaged or do not fit each other.
    """
    path = weights_path() if path is None else path
    card = read_card(path.with_suffix(".json"))
    network = BeatNetwork(**{name: int(value) for name, value in card.options.items()})
    stored, _ = read_tensors(path, "weights of beats as safetensors", shapes_of(network.state_dict()))
    network.load_state_dict(stored)
    return network.eval()


def save_network(network: BeatNetwork, card: BeatCard, path: Path) -> None:
    """Weights and, beside them, their card."""
    write_tensors(path, network.state_dict(), {"model": "beats"})
    write_json(path.with_suffix(".json"), asdict(card))


def read_card(path: Path) -> BeatCard:
    """The card of weights."""
    content = read_json(path, "the card (JSON) that belongs beside the weights of beats")
    return options_from(BeatCard, content, f"{path}: card")
