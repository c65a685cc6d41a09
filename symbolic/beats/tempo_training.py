"""`python -m symbolic.beats.tempo_training -o FOLDER`: train the network of tempo on ASAP's training pieces.

It reads what the networks of beats say, which are therefore trained first (symbolic.beats.training).
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from symbolic.beats.chords import chords_of
from symbolic.beats.excerpts import UNKNOWN, Example, Piece, example, excerpt
from symbolic.beats.network import TEMPI, BeatNetwork, follow, load_networks, read_chords
from symbolic.beats.tempo import TempoNetwork
from symbolic.beats.tempogram import WINDOW, tempogram_of
from symbolic.beats.training import card_of, run
from symbolic.card import save_network
from symbolic.checkpoints import write_json
from symbolic.config import at_least, at_most
from symbolic.runlog import add_to_log, begin_log

log = logging.getLogger(__name__)

MIDDLE = WINDOW / 3  # seconds around a window's middle whose tempo it should tell
SPREAD = 0.7  # classes: deviation of what is asked for, since tempi near it are nearly right
THIRDS_WEIGHT = 0.3


@dataclass(frozen=True, kw_only=True)
class TempoOptions:
    """What learns, on how much, and how fast."""

    channels: int = 24
    dropout: float = 0.2
    versions: int = 3  # of each performance, each played otherwise
    windows: int = 10  # of each of them: neighbours say the same
    batch_size: int = 64
    learning_rate: float = 2e-3  # falls in a line to 0
    weight_decay: float = 0.05
    ema: float = 0.98  # of the weights that are kept, a step
    validation_steps: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("tempo", self, channels=1, versions=1, windows=1, batch_size=1, validation_steps=1, seed=0)
        at_least("tempo", self, dropout=0, learning_rate=0, weight_decay=0, ema=0)
        at_most("tempo", self, dropout=0.9, ema=0.99999, seed=2**31)


@dataclass(frozen=True, eq=False)
class Windows:
    """N windows and what should be said of each."""

    pictures: Tensor  # (N, CHANNELS, CLASSES) float16: there are many
    tempo: Tensor  # (N, TEMPI) probabilities
    thirds: Tensor  # (N,) 0 or 1

    def rows(self, which: Tensor) -> "Windows":
        """Some of them."""
        return Windows(self.pictures[which], self.tempo[which], self.thirds[which])


def windows_of(item: Example, networks: Sequence[BeatNetwork]) -> Windows:
    """All windows of an example in whose middle the tempo is known."""
    chords = item.chords
    tempogram = tempogram_of(chords, read_chords(networks, chords))
    rows, tempi, thirds = [], [], []
    for row, middle in enumerate(tempogram.time):
        near = (np.abs(chords.time - middle) < MIDDLE) & (item.targets["tempo"] != UNKNOWN)
        if near.sum() > 1:
            rows.append(row)
            tempi.append(float(np.median(item.targets["tempo"][near])))
            thirds.append(float(item.targets["thirds"][near].mean() > 0.5))
    pictures = torch.from_numpy(tempogram.pictures[rows].astype(np.float16))
    return Windows(pictures, torch.from_numpy(_around(np.array(tempi))), torch.tensor(thirds))


def _around(classes: NDArray[np.float64]) -> NDArray[np.float32]:
    """(N, TEMPI) probabilities around classes (N,)."""
    distance = (np.arange(TEMPI) - classes.reshape(-1, 1)) / SPREAD
    near = np.exp(-0.5 * distance**2)
    return np.asarray(near / near.sum(axis=1, keepdims=True), dtype=np.float32)


def joined(parts: Iterable[Windows]) -> Windows:
    """All windows of all parts."""
    pictures, tempo, thirds = zip(*((p.pictures, p.tempo, p.thirds) for p in parts), strict=True)
    return Windows(torch.cat(pictures), torch.cat(tempo), torch.cat(thirds))


def played(
    training: Sequence[Piece], networks: Sequence[BeatNetwork], options: TempoOptions
) -> Iterator[Windows]:
    """Some windows of every performance, again and again otherwise."""
    for version in range(options.versions):
        for number, piece in enumerate(training):
            draw = np.random.default_rng((options.seed, version, number))
            length = float(piece.notes.onset[-1] - piece.notes.onset[0])
            found = windows_of(excerpt(piece, length + 1, draw), networks)
            chosen = draw.permutation(len(found.thirds))[: options.windows]
            yield found.rows(torch.from_numpy(chosen))


def losses(network: TempoNetwork, windows: Windows) -> tuple[Tensor, Tensor]:
    """(N,) cross entropy of the tempo, and that of thirds, nats."""
    tempo, thirds = network(windows.pictures.float())
    return -(windows.tempo * tempo.log_softmax(dim=1)).sum(dim=1), F.binary_cross_entropy_with_logits(
        thirds, windows.thirds, reduction="none"
    )


@torch.inference_mode()
def validated(network: TempoNetwork, valid: Sequence[Windows]) -> dict[str, float]:
    """Means over performances: each counts once, however long it is."""
    each = [[float(loss.mean()) for loss in losses(network, windows)] for windows in valid]
    tempo, thirds = np.mean(each, axis=0).tolist()
    return {"tempo": tempo, "thirds": thirds}


def train(folder: Path, options: TempoOptions, training: Sequence[Piece], valid: Sequence[Piece]) -> None:
    """Train. In `folder` lie the weights that were best on the validation pieces, their card, the config in
    full (config.json) and a log of validations (log.jsonl)."""
    torch.manual_seed(options.seed)
    begun, beats = time.process_time(), load_networks()
    network, averaged = TempoNetwork(options.channels, options.dropout), TempoNetwork(options.channels).eval()
    averaged.load_state_dict(network.state_dict())
    write_json(folder / "config.json", asdict(options))
    begin_log(folder, 0)
    held_out = [windows_of(example(chords_of(piece.notes), piece.beats), beats) for piece in valid]
    material = joined(played(training, beats, options))
    log.info(f"{len(material.thirds)} windows")
    optimizer = torch.optim.AdamW(
        network.parameters(), options.learning_rate, weight_decay=options.weight_decay
    )
    order = torch.randperm(len(material.thirds))
    batches = [order[row : row + options.batch_size] for row in range(0, len(order), options.batch_size)]
    best = float("inf")
    for step, rows in enumerate(batches, start=1):
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * (1 - (step - 1) / len(batches))
        tempo, thirds = losses(network, material.rows(rows))
        optimizer.zero_grad()
        (tempo.mean() + THIRDS_WEIGHT * thirds.mean()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        kept = min(options.ema, step / (step + 10))  # of the first weights little
        follow(averaged, network, kept)
        if step % options.validation_steps and step < len(batches):
            continue
        scores = {name: round(value, 4) for name, value in validated(averaged, held_out).items()}
        minutes = round((time.process_time() - begun) / 60, 1)
        row = {
            "step": step,
            "processor_minutes": minutes,
            "training": round(float(tempo.mean().detach()), 4),
            **scores,
        }
        add_to_log(folder, row)
        log.info(" ".join(f"{name} {value:g}" for name, value in row.items()))
        if scores["tempo"] < best:
            best = scores["tempo"]
            card = card_of("tempo", "tempo_training", asdict(options), row, ("tempo", "thirds"))
            save_network(averaged, card, folder / "tempo.safetensors", half=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    return run(
        "tempo_training", __doc__, argv, lambda folder, *splits: train(folder, TempoOptions(), *splits)
    )


if __name__ == "__main__":
    raise SystemExit(main())
