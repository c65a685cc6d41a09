"""`python -m symbolic.beats.training -o FOLDER`: train the network of beats on ASAP's training pieces."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from symbolic.beats.chords import FEATURES, chords_of
from symbolic.beats.excerpts import UNKNOWN, Example, Piece, example, excerpt
from symbolic.beats.network import HEADS, BeatCard, BeatNetwork, save_network
from symbolic.console import outcome
from symbolic.datasets.asap import read_annotation, read_asap

UNITS, LAYERS, DROPOUT = 64, 2, 0.3
SECONDS, CHORDS = 60.0, 400  # of an excerpt at most
BATCH = 24  # excerpts of an update
LEARNING_RATE, CLIP_NORM = 4e-3, 1.0
EVERY = 50  # updates between validations
WEIGHTS = {"beat": 1.0, "downbeat": 0.5, "tempo": 0.1, "bar": 0.1, "thirds": 0.05}
LICENCE = "CC BY-NC-SA 4.0, as ASAP, on which they were trained"

Batch = tuple[Tensor, dict[str, Tensor]]


def pieces(split: str) -> list[Piece]:
    """Performances of a split, with their beats."""
    return [Piece(p.notes, read_annotation(p)) for p in read_asap() if p.split == split]


def losses(logits: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
    """Mean cross entropy of each head, nats, over the chords (B, C) whose target is known."""
    result = {}
    for name, values in logits.items():
        known = targets[name] != UNKNOWN
        chosen, wanted = values[known], targets[name][known]
        if not len(wanted):
            result[name] = values.sum() * 0
        elif values.shape[-1] == 1:
            result[name] = F.binary_cross_entropy_with_logits(chosen[:, 0], wanted.float())
        else:
            result[name] = F.cross_entropy(chosen, wanted)
    return result


def batched(examples: Sequence[Example]) -> Batch:
    """Features (B, C, FEATURES) and targets (B, C) each, padded by chords that say nothing."""
    shape = (len(examples), max(len(item.chords.time) for item in examples))
    features = torch.zeros(*shape, FEATURES)
    targets = {name: torch.full(shape, UNKNOWN) for name in HEADS}
    for row, item in enumerate(examples):
        count = len(item.chords.time)
        features[row, :count] = torch.from_numpy(item.chords.features)
        for name, values in item.targets.items():
            targets[name][row, :count] = torch.from_numpy(values)
    return features, targets


def total(each: dict[str, Tensor]) -> Tensor:
    return torch.stack([weight * each[name] for name, weight in WEIGHTS.items()]).sum()


@torch.no_grad()
def validated(network: BeatNetwork, batch: Batch) -> dict[str, float]:
    """Losses of a batch, nats, without training."""
    network.eval()
    each = losses(network(batch[0]), batch[1])
    network.train()
    return {"loss": float(each["beat"] + 0.5 * each["downbeat"])} | {
        name: float(value) for name, value in each.items()
    }


def train(folder: Path, minutes: float, seed: int) -> None:
    """Train for so many minutes of processor time; the best on the validation compositions is written."""
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    training, valid = pieces("train"), pieces("valid")
    check = batched([example(chords_of(piece.notes.cut(0, 150.0)), piece.beats) for piece in valid])
    share = np.array([len(piece.notes) for piece in training], dtype=np.float64) ** 0.5
    network = BeatNetwork(UNITS, LAYERS, DROPOUT)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.01)
    begun, best, update, trained = time.process_time(), float("inf"), 0, [0.0]
    while (spent := (time.process_time() - begun) / 60) < minutes:
        # A warm-up, then half a cosine to zero at the end of the time.
        rate = LEARNING_RATE * min(1.0, (update + 1) / 50) * 0.5 * (1 + np.cos(np.pi * spent / minutes))
        for group in optimizer.param_groups:
            group["lr"] = rate
        chosen = draw.choice(len(training), BATCH, p=share / share.sum())
        features, targets = batched([excerpt(training[row], SECONDS, draw).first(CHORDS) for row in chosen])
        loss = total(losses(network(features), targets))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
        optimizer.step()
        update += 1
        trained.append(float(loss.detach()))
        if update % EVERY:
            continue
        scores = {"training": float(np.mean(trained[-EVERY:]))} | validated(network, check)
        line = "  ".join(f"{name} {value:.3f}" for name, value in scores.items())
        print(f"{update} updates, {spent:.1f} min  {line}", flush=True)  # noqa: T201
        if scores["loss"] < best:
            best = scores["loss"]
            figures = {
                name if name == "training" else f"valid_{name}": round(value, 4)
                for name, value in scores.items()
            }
            figures |= {"best_update": update, "minutes": minutes, "seed": seed}
            save_network(network, _card(figures, minutes), folder / "piano.safetensors")


def _card(scores: dict[str, float], minutes: float) -> BeatCard:
    return BeatCard(
        name="piano",
        options={"units": UNITS, "layers": LAYERS},
        data="ASAP, performances of its training compositions; transposed, stretched, notes lost and shifted",
        licence=LICENCE,
        command=f"python -m symbolic.beats.training -o FOLDER --minutes {minutes:g}",
        scores=scores,
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m symbolic.beats.training", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="for the weights")
    parser.add_argument("--minutes", type=float, default=20.0, help="processor time (default: 20)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    return outcome("symbolic.beats.training", lambda: train(args.output, args.minutes, args.seed))


if __name__ == "__main__":
    raise SystemExit(main())
