"""How the network of beats learns: losses, schedule, steps, and the checkpoint from which a run goes on.

Is not: the excerpts (symbolic.beats.excerpts), the command (symbolic.beats.training).
"""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from symbolic.beats.chords import FEATURES, chords_of
from symbolic.beats.excerpts import UNKNOWN, Example, Piece, example, excerpt
from symbolic.beats.network import HEADS, BeatNetwork, follow
from symbolic.checkpoints import below, check_shapes, parse_metadata, read_tensors, shapes_of, write_tensors
from symbolic.config import at_least, at_most, options_from
from symbolic.errors import NotebeamError
from symbolic.runlog import add_to_log

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.safetensors"
EXPECTED = "a checkpoint to resume from"
WEIGHTS = {"beat": 1.0, "downbeat": 0.5, "tempo": 0.1, "bar": 0.1, "thirds": 0.05, "place": 0.1}
WARM_UP = 50  # steps
SLOTS = ("step", "exp_avg", "exp_avg_sq")  # what the optimiser keeps of a parameter

Batch = tuple[Tensor, dict[str, Tensor]]


@dataclass(frozen=True, kw_only=True)
class LearningOptions:
    """What learns, on how much, how long and how fast."""

    channels: int = 64
    blocks: int = 4  # dilated by 1, 2, 4, ...
    kernel: int = 3  # chords
    hidden: int = 64  # units of the LSTM, each way
    dropout: float = 0.2
    steps: int = 1800  # over all resumed parts; of more the loss on validation pieces rises
    batch_size: int = 24  # excerpts
    seconds: float = 60.0  # of an excerpt at most,
    chords: int = 400  # of which so many at most
    learning_rate: float = 3e-3  # at its highest, up to `decay_steps`
    decay_steps: int = 500  # then it falls with the square root of the steps, which may go on for ever
    ema: float = 0.998  # of the weights that are kept, a step
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    validation_steps: int = 100  # between validations, and checkpoints
    validation_seconds: float = 150.0  # of each validation piece
    bfloat16: bool = True  # in the convolutions
    written: bool = False  # whether written music, played, is among the pieces
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("learning", self, channels=1, blocks=1, kernel=1, hidden=1, steps=1, batch_size=1)
        at_least("learning", self, dropout=0, ema=0, learning_rate=0, clip_norm=0, weight_decay=0)
        at_least("learning", self, decay_steps=1, validation_steps=1, validation_seconds=1, seconds=1)
        at_least("learning", self, chords=1, seed=0)
        at_most("learning", self, dropout=0.9, ema=0.99999, steps=10**9, seed=2**31)

    def network(self) -> BeatNetwork:
        """A fresh network."""
        return BeatNetwork(**self.shape, dropout=self.dropout)

    @property
    def shape(self) -> dict[str, int]:
        """What the weights depend on."""
        return {name: int(getattr(self, name)) for name in ("channels", "blocks", "kernel", "hidden")}


@dataclass(kw_only=True)
class Progress:
    """What a checkpoint says besides its tensors."""

    step: int = 0
    minutes: float = 0.0  # of processor time
    best: float = 1e9  # loss of the validation pieces


def losses(logits: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
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


def total(each: Mapping[str, Tensor]) -> Tensor:
    """The weighted sum, which is learned."""
    return torch.stack([weight * each[name] for name, weight in WEIGHTS.items()]).sum()


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


class Learning:
    """A network on its way. Every draw is seeded by its step, so a run that is resumed is the same run."""

    def __init__(self, options: LearningOptions, training: Sequence[Piece], valid: Sequence[Piece]) -> None:
        torch.manual_seed(options.seed)
        self.options, self.training, self.progress = options, training, Progress()
        self.network, self.averaged = options.network(), options.network().eval()
        self.averaged.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), options.learning_rate, weight_decay=options.weight_decay
        )
        whole = [(piece.notes.cut(0.0, options.validation_seconds), piece.beats) for piece in valid]
        self.valid = batched([example(chords_of(notes), beats) for notes, beats in whole])
        # Long pieces more often, but not as much as they are longer.
        share = np.array([len(piece.notes) for piece in training], dtype=np.float64) ** 0.5
        self.share = share / share.sum()

    def run(self, folder: Path, keep: Callable[[Mapping[str, float]], None]) -> None:
        """Learn until the steps are done; `keep` gets the figures of each best validation so far."""
        options, progress, trained = self.options, self.progress, list[float]()
        begun = time.process_time() - 60 * progress.minutes
        while progress.step < options.steps:
            trained.append(self._step())
            progress.step += 1
            progress.minutes = (time.process_time() - begun) / 60
            if progress.step % options.validation_steps and progress.step < options.steps:
                continue
            scores = {"training": float(np.mean(trained))} | self.validated()
            trained.clear()
            figures = {name: round(value, 4) for name, value in scores.items()}
            row = {"step": progress.step, "minutes": round(progress.minutes, 1), **figures}
            add_to_log(folder, row)
            log.info(" ".join(f"{name} {value:g}" for name, value in row.items()))
            if scores["loss"] < progress.best:
                progress.best = scores["loss"]
                keep(scores)
            self.save(folder / CHECKPOINT)

    def _step(self) -> float:
        """One update; the loss before it, nats."""
        options, step = self.options, self.progress.step
        draw = np.random.default_rng((options.seed, step))
        torch.manual_seed(int(draw.integers(2**31)))  # of dropout
        part = min(1.0, (step + 1) / WARM_UP, (options.decay_steps / (step + 1)) ** 0.5)
        for group in self.optimizer.param_groups:
            group["lr"] = options.learning_rate * part
        rows = draw.choice(len(self.training), options.batch_size, p=self.share)
        excerpts = [excerpt(self.training[row], options.seconds, draw) for row in rows]
        features, targets = batched([one.first(options.chords) for one in excerpts])
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bfloat16):
            logits = self.network(features)
        loss = total(losses(logits, targets))
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), options.clip_norm)
        self.optimizer.step()
        # Of the first weights, which are of no use, the average keeps little.
        kept = min(options.ema, (step + 1) / (step + 10))
        follow(self.averaged, self.network, kept)
        return float(loss.detach())

    @torch.no_grad()
    def validated(self) -> dict[str, float]:
        """Losses of the averaged weights on the validation pieces, nats; "loss" is the one that counts."""
        each = losses(self.averaged(self.valid[0]), self.valid[1])
        return {"loss": float(each["beat"] + 0.5 * each["downbeat"])} | {
            name: float(value) for name, value in each.items()
        }

    def save(self, path: Path) -> None:
        """Write the checkpoint, whole."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.averaged.state_dict().items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in slots.items()}
        header = {"progress": json.dumps(asdict(self.progress)), "options": json.dumps(asdict(self.options))}
        write_tensors(path, tensors, header)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            NotebeamError: there is none, it is damaged, or it is of another run.
        """
        own = shapes_of(self.network.state_dict())
        wanted = {f"{kind}.{name}": shape for kind in ("network", "average") for name, shape in own.items()}
        for index, parameter in enumerate(self.network.parameters()):
            for name in SLOTS:
                wanted[f"optimizer.{index}.{name}"] = () if name == "step" else tuple(parameter.shape)
        tensors, header = read_tensors(path, EXPECTED)
        progress, learned = parse_metadata(path, header, ("progress", "options"), EXPECTED)
        stored = options_from(LearningOptions, learned, f"{path}: options")
        for name, value in asdict(self.options).items():
            if name != "steps" and getattr(stored, name) != value:
                expected = f"{getattr(stored, name)}, with which the run began"
                raise NotebeamError(f"{path}: {name}", value, expected)
        check_shapes(path, shapes_of(tensors), wanted)
        self.progress = options_from(Progress, progress, f"{path}: progress")
        self.network.load_state_dict(below(tensors, "network."))
        self.averaged.load_state_dict(below(tensors, "average."))
        state = self.optimizer.state_dict()
        state["state"] = {
            index: below(tensors, f"optimizer.{index}.") for index, _ in enumerate(self.network.parameters())
        }
        self.optimizer.load_state_dict(state)
