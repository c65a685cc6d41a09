"""Velocities of a transcription, corrected by the company that its notes keep.

Is: the model, boosted trees over `company`, and its weights' file.
Is not: their fit (symbolic.training.dynamics).
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from symbolic.card import load_network
from symbolic.dynamics.company import company
from symbolic.notes import Notes
from symbolic.trees import TreeOptions, Trees

LOUDEST = 127
BLOCK = 4096  # notes at a time, a number for each tree


class Dynamics(nn.Module):
    """What a note's velocity most likely was, against the mean of its recording."""

    def __init__(self, trees: int = 200, leaves: int = 15, depth: int = 8) -> None:
        super().__init__()
        self.trees = Trees(TreeOptions(count=trees, leaves=leaves, depth=depth))

    @torch.inference_mode()
    def corrected(self, notes: Notes) -> Notes:
        """The notes with likelier velocities; the mean of all stays: absolute loudness is unknown.

        Notes from elsewhere than the acoustic model that it was fitted to may get worse.
        """
        if not len(notes):
            return notes
        inputs = torch.from_numpy(company(notes))
        level = torch.cat([self.trees(block) for block in torch.split(inputs, BLOCK)]).numpy()
        velocity = notes.velocity.mean() + LOUDEST * (level - level.mean())
        whole = np.rint(velocity).clip(1, LOUDEST).astype(np.int64)
        whole.flags.writeable = False
        return replace(notes, velocity=whole)


def weights_path(model: str) -> Path:
    """The weights fitted to an acoustic model, which come with the package; there may be none."""
    return Path(__file__).parent / "weights" / f"{model}.safetensors"


@lru_cache(maxsize=4)
def load_dynamics(path: Path) -> Dynamics:
    """Weights with the card beside them.

    Raises:
        NotebeamError: weights or a card that are missing, damaged or do not fit each other.
    """
    return load_network(Dynamics, "dynamics", path)
