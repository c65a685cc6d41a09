"""Endless batches of consecutive chunks, whose place can be written down and found again.

Is: which steps of which piece come next in each row of a batch.
Is not: the pieces or their augmentation (training.data).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symbolic.datasets.splits import Piece, Roll
from symbolic.errors import NotebeamError


@dataclass(frozen=True)
class Chunk:
    """The next steps of B rows; a row that `begins` has no past."""

    rolls: Tensor  # (B, T, D) float32: 0/1, or the numbers of a set of real steps
    mask: Tensor  # (B, T) bool, False where a piece has ended
    begins: Tensor  # (B,) bool

    def part(self, rows: slice) -> "Chunk":
        """Some of the rows, no longer than the longest of them."""
        mask = self.mask[rows]
        steps = int(mask.sum(1).max())
        return Chunk(self.rolls[rows, :steps], mask[:, :steps], self.begins[rows])


class ChunkStream:
    """B rows, each an endless sequence of pieces, cut into chunks of at most `chunk` steps.

    Rows move on alone: a piece that ends leaves padding to the chunk's end, and no more than that. Piece
    number i of the run belongs to epoch i // pieces; its order and its augmentation are drawn from (seed, i)
    alone, so the place in the stream is two integers a row.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        augment: Callable[[Piece, np.random.Generator], Roll],
        *,
        batch: int,
        chunk: int,
        seed: int,
    ) -> None:
        self.pieces, self.augment = pieces, augment
        self.batch, self.chunk, self.seed = batch, chunk, seed
        self.place = torch.zeros(batch, 2, dtype=torch.int64)  # number of the piece, first step not yet given
        self.place[:, 0] = torch.arange(batch)
        self._rolls: dict[int, Roll] = {}  # of the pieces under way, by number

    def next(self) -> Chunk:
        """The next chunk of every row; T is the longest of them."""
        numbers, starts = self.place[:, 0].tolist(), self.place[:, 1].tolist()
        rows: list[Roll] = []
        upcoming = max(numbers) + 1
        for row, (number, start) in enumerate(zip(numbers, starts, strict=True)):
            roll = self._roll(number)
            rows.append(roll[start : start + self.chunk])
            if start + self.chunk < len(roll):
                self.place[row, 1] += self.chunk
            else:
                self.place[row, 0], self.place[row, 1] = upcoming, 0
                del self._rolls[number]
                upcoming += 1
        steps = max(len(roll) for roll in rows)
        rolls = np.zeros((self.batch, steps, rows[0].shape[1]), dtype=np.float32)
        mask = np.zeros((self.batch, steps), dtype=np.bool_)
        for row, roll in enumerate(rows):
            rolls[row, : len(roll)] = roll
            mask[row, : len(roll)] = True
        return Chunk(torch.from_numpy(rolls), torch.from_numpy(mask), torch.tensor(starts) == 0)

    def move_to(self, place: Tensor, named: str) -> None:
        """Go on from a place (B, 2) that was written down; `named` says in errors whose it is.

        Raises:
            NotebeamError: no place of such a stream.
        """
        numbers, starts = place.long().T.tolist()
        good = place.dtype == torch.int64 and min(numbers) >= 0 and len(set(numbers)) == len(numbers)
        if not good or not all(
            0 <= start < len(self._roll(number)) for number, start in zip(numbers, starts, strict=True)
        ):
            raise NotebeamError(named, place.tolist(), "a step of another piece for each row")
        self.place = place

    def _roll(self, number: int) -> Roll:
        if number not in self._rolls:
            epoch, index = divmod(number, len(self.pieces))
            order: NDArray[np.int64] = np.random.default_rng((self.seed, 0, epoch)).permutation(
                len(self.pieces)
            )
            piece = self.pieces[int(order[index])]
            self._rolls[number] = self.augment(piece, np.random.default_rng((self.seed, 1, number)))
        return self._rolls[number]
