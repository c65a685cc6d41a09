"""Piano music whose score says which hand plays what, and costs of hands fitted to it.

Is: the piano parts on two staves in the corpus that the library music21 brings along; the averaged structured
perceptron (Collins, 2002).
Is not: the costs themselves, or the search (symbolic.hands).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbolic.datasets.written import parts_of, single_notes
from symbolic.hands import Chord, after, at_rest, chords_of, divide, features, rows_of_chords
from symbolic.notes import Notes

# Files of the corpus with a part for piano, by composer.
PIECES = {
    "J. S. Bach": ["bach/bwv846.mxl"],
    "C. P. E. Bach": ["cpebach/h186.mxl"],
    "Beach": ["beach/prayer_of_a_tired_child.musicxml"],
    "Handel": ["handel/rinaldo/Lascia_chio_pianga.mxl"],
    "Joplin": ["joplin/maple_leaf_rag.mxl"],
    "Liliuokalani": ["liliuokalani/aloha_oe.mxl"],
    "Mozart": ["mozart/k545/movement1_exposition.mxl"],
    "Schoenberg": ["schoenberg/opus19/movement2.mxl", "schoenberg/opus19/movement6.mxl"],
    "Schubert": ["schubert/Lindenbaum.xml"],
    "C. Schumann": [
        *(f"schumann_clara/polonaise_op1n{number}.mxl" for number in (1, 2, 3, 4)),
        "schumann_clara/opus17/movement3.xml",
    ],
    "R. Schumann": ["schumann_robert/opus48no2.mxl"],
    "Verdi": ["verdi/laDonnaEMobile.mxl"],
    "Weber": ["weber/concertino_clarinet.mxl"],
}
QUARTER = 0.6  # seconds
EXCERPT, SHORTEST = 48, 8  # chords between two updates of the weights
PASSES, WIDTH = 5, 8  # over the music; hypotheses of the search meanwhile


@dataclass(frozen=True, eq=False)
class Piece:
    """One piano part, played in time."""

    composer: str
    name: str
    notes: Notes
    right: NDArray[np.bool_]  # (N,) on the upper staff


def read_pieces() -> list[Piece]:
    """All pieces; grace notes, which have no time, are left out."""
    return [_piece(composer, name) for composer, names in PIECES.items() for name in names]


def _piece(composer: str, name: str) -> Piece:
    tables = [part.note_array(include_staff=True) for part in parts_of(name)]
    table = next(table for table in tables if len(np.unique(table["staff"])) == 2)
    table = table[single_notes(table)]
    onset = (table["onset_quarter"] - table["onset_quarter"].min()).astype(np.float64) * QUARTER
    order = np.lexsort((table["pitch"], onset))
    offset = onset + table["duration_quarter"] * QUARTER
    notes = Notes.make(onset, offset, table["pitch"], np.full(len(onset), 64), place=name)
    return Piece(composer, name, notes, (table["staff"] == table["staff"].min())[order])


@dataclass(frozen=True, eq=False)
class Written:
    """A piece as it is written, from its first beat on; N notes."""

    onset: NDArray[np.float64]  # (N,) quarter notes
    offset: NDArray[np.float64]  # (N,) quarter notes
    pitch: NDArray[np.int64]  # (N,)
    right: NDArray[np.bool_]  # (N,) on the upper staff; of four voices the upper two
    beats: int
    beat_quarters: float  # a beat's; 1.5 in 6/8
    beats_a_bar: int
    first_downbeat: int
    fifths: int
    metre: str


def written_piece(name: str, bars: int) -> Written:
    """The first bars of a piece of the corpus, on two staves or in four voices."""
    from partitura import score

    parts = parts_of(name)
    tables = [part.note_array(include_staff=True) for part in parts]
    if len(parts) == 4:
        right = np.concatenate([np.full(len(t), row < 2) for row, t in enumerate(tables)])
        table = np.concatenate(tables)
    else:
        table = next(table for table in tables if len(np.unique(table["staff"])) == 2)
        right = table["staff"] == table["staff"].min()
    signature = next(parts[0].iter_all(score.TimeSignature))
    key = next(parts[0].iter_all(score.KeySignature), None)
    is_compound = signature.beat_type == 8 and signature.beats % 3 == 0
    quarters = 1.5 if is_compound else 4 / signature.beat_type
    a_bar = signature.beats // 3 if is_compound else signature.beats
    first = float(table["onset_quarter"].min())  # below 0: before the first whole bar
    lead = round(-first / quarters) if first < 0 else 0
    onset = table["onset_quarter"].astype(np.float64) + lead * quarters
    kept = single_notes(table)
    kept = kept[onset[kept] < (lead + bars * a_bar) * quarters]
    table, right, onset = table[kept], right[kept], onset[kept]
    offset = onset + table["duration_quarter"]
    return Written(
        onset=onset,
        offset=offset,
        pitch=table["pitch"].astype(np.int64),
        right=right,
        beats=int(np.ceil(offset.max() / quarters)),
        beat_quarters=quarters,
        beats_a_bar=a_bar,
        first_downbeat=lead,
        fifths=0 if key is None else int(key.fifths),
        metre=f"{signature.beats}/{signature.beat_type}",
    )


def uneven(piece: Piece, seconds: float, seed: int) -> Piece:
    """The same, onsets and releases off by a normal deviate."""
    draw, count = np.random.default_rng(seed), len(piece.notes)
    onset = np.maximum(0, piece.notes.onset + draw.normal(0, seconds, count))
    offset = np.maximum(piece.notes.offset + draw.normal(0, seconds, count), onset + 0.03)
    order = np.lexsort((piece.notes.pitch, onset))
    notes = Notes.make(onset, offset, piece.notes.pitch, piece.notes.velocity)
    return Piece(piece.composer, piece.name, notes, piece.right[order])


def fitted(pieces: Sequence[Piece], start: NDArray[np.float64], seed: int = 0) -> NDArray[np.float64]:
    """Weights (F,) under which the true divisions are the cheapest as often as may be.

    The mean of all weights on the way. Where a chord's hands cross, the division that errs least is the true
    one.
    """
    draw = np.random.default_rng(seed)
    excerpts = [excerpt for piece in pieces for excerpt in _excerpts(piece)]
    weights, total, count = start.copy(), np.zeros_like(start), 0
    for _ in range(PASSES):
        for row in draw.permutation(len(excerpts)):
            chords, truth = excerpts[row]
            found = divide(chords, weights, WIDTH)
            if found != truth:
                weights = weights + (_summed(chords, found) - _summed(chords, truth)) / len(chords)
            total, count = total + weights, count + 1
    return np.asarray(total / count)


def _excerpts(piece: Piece) -> list[tuple[list[Chord], list[int]]]:
    rows = rows_of_chords(piece.notes)
    chords, truth = chords_of(piece.notes, rows), [_division(piece.right[own]) for own in rows]
    begins = range(0, len(chords), EXCERPT)
    parts = [(chords[begin : begin + EXCERPT], truth[begin : begin + EXCERPT]) for begin in begins]
    return [part for part in parts if len(part[0]) >= SHORTEST]


def _division(right: NDArray[np.bool_]) -> int:
    """The division with the fewest notes in the wrong hand."""
    wrong = [right[:k].sum() + (~right[k:]).sum() for k in range(len(right) + 1)]
    return int(np.argmin(wrong))


def _summed(chords: Sequence[Chord], divisions: Sequence[int]) -> NDArray[np.float64]:
    """(F,) features of divisions, added up."""
    hands, total = at_rest(chords[0].time), 0.0
    for index, (chord, division) in enumerate(zip(chords, divisions, strict=True)):
        total = total + features(chord, hands)[0, division]
        hands = after(hands, np.array([0]), np.array([division]), chord, index)
    return np.asarray(total)
