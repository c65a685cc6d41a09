"""A prior whose every probability is known, and music for it."""

from pathlib import Path

import numpy as np
import torch

from symbolic.midi_writing import write_midi
from symbolic.notes import Notes
from symbolic.priors.base import Prior, PriorCard
from symbolic.priors.loading import save_prior
from symbolic.priors.registry import build_prior

WHITE = (0, 2, 4, 5, 7, 9, 11)  # pitch classes
WHITE_PROB, BLACK_PROB = 0.1, 0.001


def white_prior() -> Prior:
    """Independent keys, the white ones likely: it knows C major, and nothing of the past."""
    prior = build_prior("lstm-bernoulli", {"units": 2})
    white = torch.tensor([(key + 21) % 12 in WHITE for key in range(88)])
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.zero_()
    prior.initialise_from_marginals(torch.where(white, WHITE_PROB, BLACK_PROB))  # type: ignore[union-attr]
    prior.card = PriorCard(
        name="white",
        model="lstm-bernoulli",
        options={"units": 2},
        visible=88,
        clock={"kind": "beats", "divisions": 1},
        plane="active",
        data="",
        licence="",
        command="",
    )
    return prior


def scale(semitones: int) -> Notes:
    """A scale of C major over two octaves, so many semitones higher, two beats a second."""
    pitch = [60 + 12 * octave + degree + semitones for octave in range(2) for degree in WHITE]
    onset = np.arange(len(pitch)) / 2
    return Notes.make(onset, onset + 0.5, pitch, [64] * len(pitch))


def write_files(folder: Path) -> Path:
    """The folder, with a prior, a scale in E flat, and a file without notes."""
    save_prior(white_prior(), folder / "white.safetensors")
    write_midi(folder / "scale.mid", scale(3))
    write_midi(folder / "empty.mid", Notes.empty())
    return folder
