"""A trained network that teaches another: distillation (Hinton et al. 2015).

Is: batches whose labels are mixed with a teacher's probabilities.
Is not: the loss (training.loop), or weights to begin with (training.starting).

The teacher sees each clip as the other does, degraded alike: what it doubts there, the other learns to doubt
(Beyer et al. 2022, a patient and consistent teacher).
"""

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from acoustic.features import FeatureOptions
from acoustic.loading import load_network
from acoustic.network import PROBABILITIES, HarmonicNet, fused
from acoustic.training.corpus import Batch, Clips
from symbolic.errors import NotebeamError


@dataclass(frozen=True, kw_only=True)
class TeacherOptions:
    """Who teaches, and how much its word counts."""

    weights: str = ""  # a file with its card, its path as seen from the config; none: labels alone
    weight: float = 0.5  # of the teacher's probabilities in the targets, the rest being the labels'
    bfloat16: bool = True  # bfloat16 in its convolutions

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise NotebeamError("TeacherOptions.weight", self.weight, "a part, 0 to 1")


@dataclass(frozen=True)
class Teacher:
    """A network for inference, on the CPU, and how it is used."""

    network: HarmonicNet
    options: TeacherOptions
    origin: dict[str, Any]  # for the card of what it teaches

    def probabilities(self, spectrum: Tensor) -> Tensor:
        """Spectra (B, windows, T, M) -> (B, 4, T, 88) in the order of `PROBABILITIES`."""
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self.options.bfloat16):
            outputs: Tensor = self.network(spectrum)
        return outputs[:, : len(PROBABILITIES)].float().sigmoid()


class TaughtClips(Dataset[Batch]):
    """Clips whose targets are `weight` parts of the teacher's probabilities, the rest of their labels.

    Cross-entropy is linear in its target, so that against the mixture is the mixture of both. The teacher
    works where clips are cut, in a process beside the one that learns.
    """

    def __init__(self, clips: Clips, teacher: Teacher) -> None:
        self.clips, self.teacher = clips, teacher

    def __getitem__(self, step: int) -> Batch:
        batch, weight = self.clips[step], self.teacher.options.weight
        if not weight:
            return batch
        planes = self.teacher.probabilities(batch.spectrum).unbind(dim=1)
        pairs = zip(PROBABILITIES, planes, strict=True)
        return replace(
            batch, **{name: torch.lerp(getattr(batch, name), plane, weight) for name, plane in pairs}
        )


def load_teacher(options: TeacherOptions, folder: Path, features: FeatureOptions) -> Teacher | None:
    """The teacher that a config in `folder` names, if it names one.

    Raises:
        NotebeamError: no such file, weights that are not finite, or a network of other spectra or hop.
    """
    if not options.weights:
        return None
    path = folder / options.weights
    network, card = load_network(path)
    found = asdict(card.features)
    for name, value in asdict(features).items():
        if found[name] != value:
            raise NotebeamError(f"teacher {path}: {name}", found[name], f"{value}, as what it teaches")
    network = fused(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    origin = {
        "weights": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "command": card.command,
        "weight": options.weight,
    }
    return Teacher(network, options, origin)
