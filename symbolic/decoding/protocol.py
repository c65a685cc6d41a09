"""What passes between `decode` and the decoders.

Is: the padded batch a decoder reads, the hypotheses it hands back, and the protocol it satisfies.
Is not: any decoder, nor the registry of them (symbolic.decoding.decode).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.decoding.options import DecodeOptions
from symbolic.errors import NotebeamError
from symbolic.priors.base import Prior


@dataclass(frozen=True, eq=False)
class Batch:
    """Key probabilities of B clips, longest first: the clips still playing are always the first ones."""

    prob: Tensor  # (B, T, D) float32 0..1; 0 past a clip's end
    lengths: tuple[int, ...]  # (B,) steps, falling

    def __post_init__(self) -> None:
        assert list(self.lengths) == sorted(self.lengths, reverse=True)

    @property
    def playing(self) -> list[int]:
        """(T + 1,) clips that have each step; the last entry is 0."""
        steps = torch.arange(self.prob.shape[1] + 1)
        return [int(n) for n in (torch.tensor(self.lengths)[:, None] > steps).sum(dim=0)]

    def steps(self, start: int, stop: int) -> Tensor:
        """(B, stop - start, D) probabilities of those steps."""
        return self.prob[:, start:stop]


def pad(probs: Sequence[Tensor]) -> Batch:
    """Clips of probabilities (T, D), longest first, as one batch."""
    lengths = tuple(len(prob) for prob in probs)
    if len(probs) == 1:  # as it is: an hour need not be there twice
        return Batch(probs[0][None], lengths)
    return Batch(torch.nn.utils.rnn.pad_sequence(list(probs), batch_first=True), lengths)


def prob_of(values: Tensor | NDArray[np.float32], place: str, keys: int | None = None) -> Tensor:
    """A copy of (T, D) float32 probabilities of at least one step, D being `keys` if given.

    Raises:
        NotebeamError: `values` are something else.
    """
    if not isinstance(values, Tensor | np.ndarray):
        raise NotebeamError(place, f"a {type(values).__name__}", "a tensor or an array")
    kind = str(values.dtype).removeprefix("torch.")
    if kind != "float32":
        raise NotebeamError(place, kind, "float32")
    prob = values.clone() if isinstance(values, Tensor) else torch.tensor(values)
    wanted = "D" if keys is None else str(keys)
    if prob.dim() != 2 or not prob.shape[1] or prob.shape[1] != (keys or prob.shape[1]):
        raise NotebeamError(place, f"shape {tuple(prob.shape)}", f"(T, {wanted}), a row a step")
    if not len(prob):
        raise NotebeamError(place, "0 steps", "at least 1")
    # NaN is on neither side of a comparison.
    wrong = ~((prob >= 0) & (prob <= 1))
    if wrong.any():
        step, key = (int(index) for index in wrong.nonzero()[0])
        value = f"{float(prob[step, key]):g} at step {step}, key {key}"
        raise NotebeamError(place, value, "probabilities 0..1")
    return prob


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """Rolls found for each clip of a batch, best first."""

    rolls: Tensor  # (B, W, T, D) bool; False past a clip's end
    costs: Tensor  # (B, W) float64 nats as the search added them up; +inf: no such hypothesis
    prior_log_prob: Tensor | None  # (B, W) float64 nats; None if nothing was asked of a prior
    # (B, T, D) 0..1 of the best roll's notes, 0 elsewhere; None where nothing but that roll was considered.
    confidence: Tensor | None = None


class Decoder(Protocol):
    """A search for the rolls of least cost."""

    def __call__(self, batch: Batch, prior: Prior | None, options: DecodeOptions) -> Hypotheses:
        """Rolls of every clip of the batch; `prior` is None or ready for the batch's device and D."""
        ...
