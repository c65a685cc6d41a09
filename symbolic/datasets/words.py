"""Word vectors as real-valued sequences: any embeddings, sentences into them and vectors back to words.

Is: reading the usual files, sentences (T, D), the nearest word of a vector, standardising.
Is not: embeddings (the user brings them), or a tokenizer beyond words and marks.
"""

import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from symbolic.arrays import read_arrays
from symbolic.errors import NotebeamError
from symbolic.files import open_file

Vectors = NDArray[np.float32]  # (N, D)
LONGEST_LINE = 1 << 20  # characters
VECTORS_AT_ONCE = 1024  # vectors compared with all words at once


@dataclass(frozen=True, eq=False)
class WordVectors:
    """A vocabulary of V words and a vector for each."""

    words: tuple[str, ...]
    vectors: Vectors  # (V, D)
    place: dict[str, int] = field(init=False, repr=False)  # row of each word

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.words) or not self.vectors.size:
            got = f"{len(self.words)} words, vectors {self.vectors.shape}"
            raise NotebeamError("WordVectors", got, "a vector (D,) for each word")
        place = {word: row for row, word in enumerate(self.words)}
        if len(place) < len(self.words):
            twice = next(word for row, word in enumerate(self.words) if place[word] != row)
            raise NotebeamError("WordVectors.words", twice, "each word once")
        if not np.isfinite(self.vectors).all():
            row = int(np.argmin(np.isfinite(self.vectors).all(1)))
            raise NotebeamError(f"WordVectors {self.words[row]!r}", "nan or infinity", "finite numbers")
        object.__setattr__(self, "place", place)

    def sequence(self, words: Sequence[str], unknown: Literal["error", "skip"] = "error") -> Vectors:
        """(T, D) the vectors of a sentence's words; words without a vector are an error or left out."""
        missing = [word for word in words if word not in self.place]
        if missing and unknown == "error":
            raise NotebeamError("WordVectors.sequence", missing[0], f"one of the {len(self.words)} words")
        return self.vectors[[self.place[word] for word in words if word in self.place]]

    def nearest(self, vectors: Vectors) -> list[str]:
        """The word of largest cosine for each vector (N, D); of equal ones the first."""
        if vectors.ndim != 2 or vectors.shape[1] != self.vectors.shape[1]:
            raise NotebeamError("WordVectors.nearest", vectors.shape, f"shape (N, {self.vectors.shape[1]})")
        # The length of the query does not change which cosine is the largest.
        own = self.vectors / np.maximum(np.linalg.norm(self.vectors, axis=1, keepdims=True), 1e-12)
        rows = [
            (vectors[start : start + VECTORS_AT_ONCE] @ own.T).argmax(1)
            for start in range(0, len(vectors), VECTORS_AT_ONCE)
        ]
        return [self.words[row] for row in np.concatenate([np.zeros(0, dtype=np.int64), *rows])]

    def standardized(self) -> "WordVectors":
        """The same words, every dimension with mean 0 and deviation 1: the unit that estimators expect.

        Log-densities are then per standardised unit, and the cosine is that of the standardised vectors.
        """
        deviation = self.vectors.std(0)
        scaled = (self.vectors - self.vectors.mean(0)) / np.where(deviation > 0, deviation, 1)
        return WordVectors(self.words, scaled.astype(np.float32))


def words_of(sentence: str) -> list[str]:
    """Words and marks of a sentence in lower case: "It's late." gives it ' s late ."""
    return re.findall(r"\w+|[^\w\s]", sentence.lower())


def read_word_vectors(path: str | os.PathLike[str], limit: int | None = None) -> WordVectors:
    """Embeddings from a file.

    Args:
        path: text with a line "word v1 v2 ..." for each word (GloVe; word2vec, whose first line is the two
            sizes), or .npz with `words` (V,) and `vectors` (V, D).
        limit: only so many words, the first ones, which usually are the most frequent.
    """
    source = Path(path)
    words, vectors = _from_npz(source) if source.suffix == ".npz" else _from_text(source, limit)
    try:
        return WordVectors(words[:limit], vectors[:limit])
    except NotebeamError as error:
        raise NotebeamError(f"{path}: {error.place}", error.value, error.expected) from error


def _from_npz(path: Path) -> tuple[tuple[str, ...], Vectors]:
    content = read_arrays(path, ("words", "vectors"))
    expected = "words (V,) of text and vectors (V, D) of numbers"
    for name, kinds, dimensions in (("words", "US", 1), ("vectors", "fiu", 2)):
        if name not in content:
            raise NotebeamError(f"{path}: {name}", "no such array", expected)
        array = content[name]
        if array.dtype.kind not in kinds or array.ndim != dimensions:
            raise NotebeamError(f"{path}: {name}", f"{array.dtype} {array.shape}", expected)
    try:
        words = tuple(content["words"].astype(str).tolist())
    except ValueError as error:  # bytes that are no ASCII
        raise NotebeamError(f"{path}: words", "bytes that are not text", expected) from error
    with np.errstate(over="ignore"):  # infinity is refused later
        return words, content["vectors"].astype(np.float32)


def _from_text(path: Path, limit: int | None) -> tuple[tuple[str, ...], Vectors]:
    words: list[str] = []
    rows: list[Vectors] = []
    size = 0
    expected = 'lines "word v1 v2 ..."'
    with (
        open_file(path, expected) as opened,
        io.TextIOWrapper(opened, encoding="utf-8", newline="\n") as file,
    ):
        try:
            # Bounded: a file without line breaks is no table.
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), ""), 1):
                cells = line.split()
                if number == 1 and len(cells) == 2 and all(re.fullmatch("[0-9]{1,9}", c) for c in cells):
                    size = int(cells[1])
                    continue
                if not cells or (limit is not None and len(words) >= limit):
                    continue
                size = size or max(len(cells) - 1, 1)
                rows.append(_numbers(cells, size, f"{path} line {number}"))
                # From the right: a few words of the large GloVe files hold blanks.
                words.append(" ".join(cells[:-size]))
        except UnicodeDecodeError as error:
            raise NotebeamError(str(path), "bytes that are not text", expected) from error
    if not words:
        raise NotebeamError(str(path), "no words", expected)
    return tuple(words), np.stack(rows)


def _numbers(cells: Sequence[str], size: int, place: str) -> Vectors:
    """(D,) the last cells of a line, which are the numbers behind a word."""
    try:
        if len(cells) <= size:
            raise ValueError("no word, or too few numbers")
        with np.errstate(over="ignore"):  # infinity is refused later
            return np.array(cells[-size:], dtype=np.float64).astype(np.float32)
    except ValueError as error:
        raise NotebeamError(place, " ".join(cells)[:40], f"a word and {size} numbers") from error
