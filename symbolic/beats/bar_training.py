"""`python -m symbolic.beats.bar_training -o FOLDER`: train the networks of bars on ASAP's training pieces
and on accompanied melodies made by rule.

They read what the networks of beats and tempo say, which are therefore trained first
(symbolic.beats.training, symbolic.beats.tempo_training): at the beats that are annotated, a few of them left
out, and at those that are found, with the mistakes that are made in use.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from symbolic.beats.accompaniments import made_by_rule
from symbolic.beats.bars import FEATURES, PITCH_CLASSES, BarNetwork, beat_features
from symbolic.beats.chords import chords_of
from symbolic.beats.excerpts import UNKNOWN, Piece, played_otherwise
from symbolic.beats.network import BARS, follow, load_networks, member
from symbolic.beats.search import find_beats
from symbolic.beats.tempo import load_tempo_network
from symbolic.beats.tracker import Tracker
from symbolic.beats.training import card_of, run
from symbolic.card import save_network
from symbolic.checkpoints import write_json
from symbolic.config import at_least, at_most
from symbolic.datasets.asap import Annotation
from symbolic.runlog import add_to_log, begin_log

log = logging.getLogger(__name__)

LOST = (0.0, 0.01, 0.03)  # share of beats that are left out of a piece: found ones have gaps too
HIDDEN = 0.3  # share of excerpts whose pitch classes are hidden, lest pieces be known by heart
WARM_UP = 30  # steps
BAR_WEIGHT = 0.3
AT_BEAT = 0.07  # seconds that a beat may lie off an annotated one and be it
INSIDE = 0.1  # seconds that a beat may lie before the first chord or after the last


@dataclass(frozen=True, kw_only=True)
class BarOptions:
    """What learns, on how much, how long and how fast."""

    members: int = 4  # networks, alike but for their first weights and the order of excerpts
    channels: int = 32
    dropout: float = 0.2
    versions: int = 1  # of each performance, each played otherwise, at its annotated beats
    tracked_versions: int = 1  # more, at the beats found in them
    by_rule: int = 60  # pieces that are made by rule, among the performances
    steps: int = 450
    batch_size: int = 24  # excerpts
    beats: int = 128  # of an excerpt at most
    learning_rate: float = 3e-3  # falls in a line to 0
    weight_decay: float = 0.02
    ema: float = 0.98  # of the weights that are kept, a step
    validation_steps: int = 75
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("bars", self, members=1, channels=1, versions=1, steps=1, batch_size=1, beats=1)
        at_least("bars", self, validation_steps=1, tracked_versions=0, by_rule=0, dropout=0)
        at_least("bars", self, learning_rate=0, weight_decay=0, ema=0, seed=0)
        at_most("bars", self, dropout=0.9, ema=0.99999, steps=10**9, seed=2**31)


@dataclass(frozen=True, eq=False)
class Bars:
    """N beats and what should be said of them."""

    features: NDArray[np.float32]  # (N, FEATURES)
    downbeat: NDArray[np.int64]  # (N,) 0 or 1
    bar: NDArray[np.int64]  # (N,) index in BARS, or UNKNOWN


def bars_at_annotated(piece: Piece, tracker: Tracker, kept: NDArray[np.bool_] | None = None) -> Bars:
    """The beats of a piece, of one chord at least, those alone that are kept and within its notes."""
    chords, beats = chords_of(piece.notes), piece.beats
    inside = (beats.times >= chords.time[0] - INSIDE) & (beats.times <= chords.time[-1] + INSIDE)
    rows = np.flatnonzero(inside if kept is None else inside & kept)
    features = beat_features(beats.times[rows], chords, tracker.read(chords))
    return Bars(features, beats.downbeat[rows].astype(np.int64), _bar_sizes(beats)[rows])


def bars_at_found(piece: Piece, tracker: Tracker) -> Bars:
    """The beats found in a piece, of one chord at least: downbeats are those near an annotated one."""
    chords, beats = chords_of(piece.notes), piece.beats
    readings = tracker.read(chords)
    times = find_beats(readings)
    features = beat_features(times, chords, readings)
    return Bars(features, downbeats_near(times, beats), np.full(len(times), UNKNOWN))


def downbeats_near(times: NDArray[np.float64], beats: Annotation) -> NDArray[np.int64]:
    """(N,) 1 where a beat at `times` (N,) is at an annotated downbeat, else 0; UNKNOWN beyond all beats."""
    first = np.concatenate([[-np.inf], beats.times[beats.downbeat], [np.inf]])
    after = np.searchsorted(first, times)
    distance = np.minimum(times - first[after - 1], first[after] - times)
    inside = (times >= beats.times[0] - AT_BEAT) & (times <= beats.times[-1] + AT_BEAT)
    return np.where(inside, (distance <= AT_BEAT).astype(np.int64), UNKNOWN)


def _bar_sizes(beats: Annotation) -> NDArray[np.int64]:
    """(N,) index in BARS of the beats in each beat's bar; UNKNOWN of other bars and before the first."""
    first = np.flatnonzero(beats.downbeat)
    if not len(first):
        return np.full(len(beats.times), UNKNOWN)
    size = np.diff(np.append(first, len(beats.times)))
    bar = np.searchsorted(first, np.arange(len(beats.times)), side="right") - 1
    beats_a_bar = np.where(bar >= 0, size[bar], 0)
    return np.where(np.isin(beats_a_bar, BARS), beats_a_bar - BARS[0], UNKNOWN)


def played(training: Sequence[Piece], tracker: Tracker, options: BarOptions) -> list[Bars]:
    """Every performance, again and again otherwise, at its annotated beats and at those found."""
    result = []
    for version in range(options.versions + options.tracked_versions):
        for number, piece in enumerate(training):
            draw = np.random.default_rng((options.seed, version, number))
            length = float(piece.notes.onset[-1] - piece.notes.onset[0])
            other = played_otherwise(piece, length + 1, draw)
            if version >= options.versions:
                result.append(bars_at_found(other, tracker))
            else:
                kept = draw.random(len(other.beats.times)) >= draw.choice(LOST)
                result.append(bars_at_annotated(other, tracker, kept))
    return result


def batch_of(material: Sequence[Bars], options: BarOptions, draw: np.random.Generator) -> list[Tensor]:
    """Features (B, N, FEATURES), downbeats and bars (B, N) of excerpts, padded by what is unknown."""
    shape = (options.batch_size, options.beats)
    features = torch.zeros(*shape, FEATURES)
    downbeat, bar = torch.full(shape, UNKNOWN), torch.full(shape, UNKNOWN)
    for row in range(options.batch_size):
        one = material[int(draw.integers(len(material)))]
        start = int(draw.integers(max(1, len(one.bar) - options.beats + 1)))
        part = slice(start, start + options.beats)
        count = len(one.bar[part])
        features[row, :count] = torch.from_numpy(one.features[part])
        downbeat[row, :count] = torch.from_numpy(one.downbeat[part])
        bar[row, :count] = torch.from_numpy(one.bar[part])
        if draw.random() < HIDDEN:
            features[row, :, -PITCH_CLASSES:] = 0
    return [features, downbeat, bar]


def losses(network: BarNetwork, features: Tensor, downbeat: Tensor, bar: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross entropies of downbeats and of bars, nats, over the beats where they are known."""
    logits, sizes = network(features)
    known, sized = downbeat != UNKNOWN, bar != UNKNOWN
    first = F.binary_cross_entropy_with_logits(logits[known], downbeat[known].float())
    return first, F.cross_entropy(sizes[sized], bar[sized]) if sized.any() else sizes.sum() * 0


@torch.inference_mode()
def validated(network: BarNetwork, annotated: Sequence[Bars], tracked: Sequence[Bars]) -> dict[str, float]:
    """Means over performances: each counts once, however long it is; "loss" is the one that counts."""
    at_annotated, at_found = (
        np.mean([[float(loss) for loss in losses(network, *_tensors(one))] for one in group], axis=0).tolist()
        for group in (annotated, tracked)
    )
    downbeat, bar = at_annotated
    return {
        "loss": downbeat + at_found[0],
        "downbeat": downbeat,
        "downbeat_found": at_found[0],
        "bar": bar,
    }


def _tensors(one: Bars) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of one performance."""
    features, downbeat, bar = (torch.from_numpy(a)[None] for a in (one.features, one.downbeat, one.bar))
    return features, downbeat, bar


def train(folder: Path, options: BarOptions, training: Sequence[Piece], valid: Sequence[Piece]) -> None:
    """Train the members, one after the other, on the same beats. In `folder` lie their weights that were best
    on the validation pieces, their cards, the config in full (config.json) and a log of validations
    (log.jsonl)."""
    tracker = Tracker(load_networks(), load_tempo_network(), [])
    training = [*training, *made_by_rule(options.by_rule, options.seed)]
    write_json(folder / "config.json", asdict(options))
    begin_log(folder, 0)
    held_out = [[at(piece, tracker) for piece in valid] for at in (bars_at_annotated, bars_at_found)]
    material = played(training, tracker, options)
    log.info(f"{sum(len(one.bar) for one in material)} beats")
    for number in range(options.members):
        _train_member(folder, number, options, material, held_out)


def _train_member(
    folder: Path,
    number: int,
    options: BarOptions,
    material: Sequence[Bars],
    held_out: Sequence[Sequence[Bars]],
) -> None:
    """Train one network on beats; keep it where it is best at those that are held out (annotated, found)."""
    torch.manual_seed(options.seed + number)
    begun, draw = time.process_time(), np.random.default_rng(options.seed + number)
    network, averaged = BarNetwork(options.channels, options.dropout), BarNetwork(options.channels).eval()
    averaged.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(
        network.parameters(), options.learning_rate, weight_decay=options.weight_decay
    )
    best, trained, name = float("inf"), list[float](), member("bars", number)
    for step in range(1, options.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * min(1, step / WARM_UP) * (1 - (step - 1) / options.steps)
        downbeat, bar = losses(network, *batch_of(material, options, draw))
        optimizer.zero_grad()
        (downbeat + BAR_WEIGHT * bar).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        trained.append(float(downbeat.detach()))
        kept = min(options.ema, step / (step + 10))  # of the first weights little
        follow(averaged, network, kept)
        if step % options.validation_steps and step < options.steps:
            continue
        scores = {"training": float(np.mean(trained)), **validated(averaged, *held_out)}
        trained.clear()
        row = {"step": step, "processor_minutes": round((time.process_time() - begun) / 60, 1)}
        row |= {key: round(value, 4) for key, value in scores.items()}
        add_to_log(folder, {"member": number, **row})
        log.info(f"{name} " + " ".join(f"{key} {value:g}" for key, value in row.items()))
        if scores["loss"] < best:
            best = scores["loss"]
            names = ("loss", "downbeat", "downbeat_found", "bar")
            card = card_of(name, "bar_training", asdict(options), row, names, by_rule=options.by_rule > 0)
            save_network(averaged, card, folder / f"{name}.safetensors", half=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    return run("bar_training", __doc__, argv, lambda folder, *splits: train(folder, BarOptions(), *splits))


if __name__ == "__main__":
    raise SystemExit(main())
