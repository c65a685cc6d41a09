"""Training of the network: loss, schedule, steps, checkpoints.

Is: everything between a corpus and a file of weights.
Is not: the corpus (training.corpus), the command and its config (training.__main__).
"""

import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from acoustic.network import HEADS, PROBABILITIES, HarmonicNet, fused
from acoustic.training.corpus import Batch, Clips
from symbolic.checkpoints import below, check_shapes, parse_metadata, read_tensors, shapes_of, write_tensors
from symbolic.config import at_least, at_most, options_from
from symbolic.errors import NotebeamError
from symbolic.runlog import add_to_log

log = logging.getLogger(__name__)

EVERY = 50  # steps between log lines
EXPECTED = "a checkpoint to resume from"
CHECKPOINT = "checkpoint.safetensors"  # in the run's folder
COUNTERS = ("step", "seconds", "curve")  # in a checkpoint's header


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """What learns, how long and how fast."""

    learn: Literal["all", "trunk", "touch"] = "all"  # trunk: all but velocities; touch: they alone

    steps: int = 4000  # over all resumed parts; the schedule ends with them
    learning_rate: float = 3e-3  # at its highest, after a warm-up of 2 % of the steps
    final_rate: float = 0.0  # part of it that is left at the end; 1 in a stage that another goes on from
    weight_decay: float = 1e-2
    ema: float = 0.998  # of the weights that are kept, a step
    clip_norm: float = 1.0
    onset_weight: float = 2.0  # of its loss
    frame_weight: float = 1.0
    offset_weight: float = 0.5
    held_weight: float = 0.5
    velocity_weight: float = 20.0  # of a squared error, by weights of its own
    checkpoint_minutes: float = 5.0
    bfloat16: bool = True  # bfloat16 in the convolutions

    def __post_init__(self) -> None:
        at_least("loop", self, steps=1, learning_rate=0, weight_decay=0, clip_norm=0, checkpoint_minutes=0)
        at_most("loop", self, steps=10**9, learning_rate=1e3, weight_decay=1e3, clip_norm=1e9)
        if not 0 <= self.ema < 1:
            raise NotebeamError("loop.ema", self.ema, "a number in 0..1, below 1")
        if not self.learning_rate or not self.clip_norm:
            raise NotebeamError("loop", "learning_rate or clip_norm 0", "numbers > 0")
        if not 0 <= self.final_rate <= 1:
            raise NotebeamError("loop.final_rate", self.final_rate, "a part, 0 to 1")


def losses(outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
    """Loss of each head a frame, summed over keys: outputs (B, 5, T, 88) -> scalars by head.

    Cross-entropy in nats for probabilities. The velocity's is its squared error at onsets, in the clips whose
    levels mean something, beyond the clip's mean error: the absolute loudness of a recording is arbitrary.
    """
    outputs = outputs.float()
    frames = outputs.shape[0] * outputs.shape[2]
    result = {}
    for index, name in enumerate(PROBABILITIES):
        target = getattr(batch, name)
        loss = F.binary_cross_entropy_with_logits(outputs[:, index], target, reduction="sum")
        result[name] = loss / frames
    result["velocity"] = velocity_loss(outputs[:, HEADS.index("velocity")], batch)
    return result


def velocity_loss(velocity: Tensor, batch: Batch) -> Tensor:
    """That of `losses`, of velocities (B, T, 88)."""
    weight = ((batch.onset > 0.5) & batch.has_velocity[:, None, None]).float()
    error = velocity.float() - batch.velocity
    mean = (weight * error).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1)
    loss: Tensor = (weight * (error - mean[:, None, None]).square()).sum()
    return loss / (velocity.shape[0] * velocity.shape[1])


def total(parts: dict[str, Tensor], options: LoopOptions) -> Tensor:
    """The weighted sum that is minimised."""
    weights = {
        "onset": options.onset_weight,
        "frame": options.frame_weight,
        "offset": options.offset_weight,
        "held": options.held_weight,
        "velocity": options.velocity_weight,
    }
    return sum((weights[name] * loss for name, loss in parts.items()), torch.zeros(()))


def learning_rate(progress: float, options: LoopOptions) -> float:
    """Linear warm-up over the first 2 %, then half a cosine down to `final_rate`; `progress` in 0..1."""
    warm = min(1.0, (progress + 1e-4) / 0.02)
    fallen = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return options.learning_rate * warm * (options.final_rate + (1 - options.final_rate) * fallen)


@dataclass(frozen=True)
class Counters:
    """What a checkpoint says besides its tensors."""

    step: int
    seconds: float
    curve: tuple[Any, ...]

    def __post_init__(self) -> None:
        at_least("counters", self, step=0, seconds=0)
        for point in self.curve:
            kinds = [type(item) for item in point] if isinstance(point, list) else []
            if kinds not in ([int, float, str], [int, int, str]):
                raise NotebeamError("curve", point, "points [step, minutes, losses]")


class Training:
    """A network on its way: steps, the averaged weights, the time spent; saved and resumed whole."""

    def __init__(self, network: HarmonicNet, options: LoopOptions, folder: Path) -> None:
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.options, self.folder = options, folder
        self.device = network.heads.weight.device  # where the work is done
        network.touch.requires_grad_(options.learn != "trunk")
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, fused=True
        )
        self.average = {name: value.clone() for name, value in network.state_dict().items()}
        self.step, self.seconds = 0, 0.0
        self.curve: list[tuple[int, float, str]] = []  # step, minutes, losses on what is held out

    @property
    def progress(self) -> float:
        """Part of the steps that is done, 0 to 1."""
        return self.step / self.options.steps

    def run(self, clips: Dataset[Batch], valid: Clips, keep: Callable[[], None]) -> None:
        """Train until the steps are done. At every checkpoint, the last one included, `keep` is called."""
        saved, recent, counted = self.seconds, dict.fromkeys(HEADS, 0.0), 0
        begun = time.perf_counter()
        for batch in self._batches(clips):
            parts = self._update(batch)
            recent = {name: recent[name] + float(loss.detach()) for name, loss in parts.items()}
            begun, before = time.perf_counter(), begun
            self.seconds += begun - before
            counted += 1
            if self.step % EVERY == 0:
                shown = " ".join(f"{name} {value / counted:.3f}" for name, value in recent.items())
                log.info("step %d  %.1f min  %s", self.step, self.seconds / 60, shown)
                recent, counted = dict.fromkeys(HEADS, 0.0), 0
            if self.seconds - saved > 60 * self.options.checkpoint_minutes:
                saved = self.seconds
                self._mark(valid, keep)
                begun = time.perf_counter()
        self._mark(valid, keep)

    def _mark(self, valid: Clips, keep: Callable[[], None]) -> None:
        validation = self.validate(valid)
        point = (self.step, round(self.seconds / 60, 1), validation)
        self.curve = [*(earlier for earlier in self.curve if earlier[0] < self.step), point]
        log.info("step %d  valid %s", self.step, validation)
        self.save()
        add_to_log(self.folder, {"step": self.step, "minutes": point[1], "valid": validation})
        keep()

    def _batches(self, clips: Dataset[Batch]) -> Iterator[Batch]:
        # One worker cuts the next clips while the network works; it begins where the checkpoint ended.
        order = range(self.step, self.options.steps)
        yield from DataLoader(clips, batch_size=None, sampler=order, num_workers=1, prefetch_factor=4)

    def _update(self, batch: Batch) -> dict[str, Tensor]:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.progress, self.options)
        parts = self._losses(batch.to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        if not all(bool(loss.isfinite()) for loss in parts.values()):
            raise NotebeamError(
                f"step {self.step}", "a loss that is not finite", "a lower rate, or bfloat16 = false"
            )
        total(parts, self.options).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_norm)
        self.optimizer.step()
        self.step += 1
        # A young average follows faster, or it would remember the initial weights.
        keep = min(self.options.ema, self.step / (self.step + 10))
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - keep)
            else:
                self.average[name].copy_(value)
        return parts

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.bfloat16):
            if self.options.learn == "touch":
                self.network.eval()  # the trunk's normalisations keep their statistics
                return {"velocity": velocity_loss(self.network.velocities(batch.spectrum), batch)}
            self.network.train()
            outputs = self.network(batch.spectrum)
        return losses(outputs, batch)

    def averaged(self) -> HarmonicNet:
        """A copy of the network with the averaged weights, for inference."""
        network = HarmonicNet(self.network.features, self.network.options)
        network.load_state_dict(self.average)
        return network.eval()

    @torch.inference_mode()
    def validate(self, valid: Clips) -> str:
        """Losses of the averaged weights on held-out compositions, as text."""
        network = fused(self.averaged().to(self.device))
        sums = dict.fromkeys(HEADS, 0.0)
        for step in range(len(valid)):
            batch = valid[step].to(self.device)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.bfloat16):
                outputs = network(batch.spectrum)
            for name, loss in losses(outputs, batch).items():
                sums[name] += float(loss) / len(valid)
        return " ".join(f"{name} {value:.3f}" for name, value in sums.items())

    def save(self) -> None:
        """Write the checkpoint: one file of tensors, with the counters in its header."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in slots.items()}
        header = {
            "step": str(self.step),
            "seconds": str(self.seconds),
            "curve": json.dumps(self.curve),
            "options": json.dumps(asdict(self.options)),
        }
        write_tensors(self.folder / CHECKPOINT, tensors, header)

    def resume(self) -> None:
        """Go on from the folder's checkpoint.

        Raises:
            NotebeamError: there is none, it is damaged, or its [loop] is another.
        """
        path = self.folder / CHECKPOINT
        tensors, header = read_tensors(path, EXPECTED)
        *values, stored = parse_metadata(path, header, (*COUNTERS, "options"), EXPECTED)
        if stored != json.loads(json.dumps(asdict(self.options))):
            raise NotebeamError(str(path), f"[loop] {header['options']}", "a checkpoint of this config")
        counters = options_from(Counters, dict(zip(COUNTERS, values, strict=True)), str(path))
        own = shapes_of(self.network.state_dict())
        for group in ("network.", "average."):
            check_shapes(path, shapes_of(below(tensors, group)), own)
        self._check_slots(path, shapes_of(below(tensors, "optimizer.")))
        self.network.load_state_dict(below(tensors, "network."))
        self.average = {name: value.to(self.device) for name, value in below(tensors, "average.").items()}
        state = self.optimizer.state_dict()
        slots: dict[int, dict[str, Tensor]] = {}
        for key, value in below(tensors, "optimizer.").items():
            number, name = key.split(".", 1)
            slots.setdefault(int(number), {})[name] = value
        # In memory as the parameter is: the fused optimiser walks both side by side.
        for index, parameter in enumerate(self.network.parameters()):
            if index not in slots:  # it does not learn
                continue
            for name in ("exp_avg", "exp_avg_sq"):
                slots[index][name] = torch.empty_like(parameter).copy_(slots[index][name])
        self.optimizer.load_state_dict({"state": slots, "param_groups": state["param_groups"]})
        self.step, self.seconds = counters.step, counters.seconds
        self.curve = [(int(s), float(m), str(v)) for s, m, v in counters.curve]

    def _check_slots(self, path: Path, found: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse what AdamW does not keep of such parameters; of one that does not learn, nothing."""
        numbers = {key.split(".", 1)[0] for key in found}
        wanted: dict[str, tuple[int, ...]] = {}
        for index, parameter in enumerate(self.network.parameters()):
            if str(index) in numbers:
                shape = tuple(parameter.shape)
                wanted |= {f"{index}.step": (), f"{index}.exp_avg": shape, f"{index}.exp_avg_sq": shape}
        check_shapes(path, found, wanted)
