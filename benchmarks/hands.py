"""How many notes does the hand model give to the hand whose staff they are on?

Is: the model's costs fitted on all composers but one, and measured on that one's pieces, in turn; the split
at middle C beside it, and the split of each piece that would have been best; the same played unevenly.
Is not: performances; music on two staves of which performances are known is not among our data.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.lib.staves import PIECES, Piece, fitted, read_pieces, uneven
from benchmarks.reporting.form import benchmark_parser, parsed, write_report
from symbolic.hands import COSTS, MIDDLE, WEIGHTS, right_hand

UNEVEN = 0.015  # seconds
Row = dict[str, str | float]


def share(piece: Piece, right: NDArray[np.bool_]) -> float:
    """Share of the notes that are in the hand of their staff."""
    return round(float((piece.right == right).mean()), 4)


def best_split(piece: Piece) -> float:
    """The share of the best pitch to split this piece at."""
    return max(share(piece, piece.notes.pitch >= pitch) for pitch in range(36, 85))


def rows_of(pieces: Sequence[Piece], weights: NDArray[np.float64]) -> list[Row]:
    """A row for each of some pieces, whose composer the weights have not seen."""
    rows: list[Row] = []
    for piece in pieces:
        played = uneven(piece, UNEVEN, seed=0)
        rows.append(
            {
                "composer": piece.composer,
                "piece": piece.name,
                "notes": len(piece.notes),
                "middle_c": share(piece, piece.notes.pitch >= MIDDLE),
                "best_split": best_split(piece),
                "model": share(piece, right_hand(piece.notes, weights)),
                "model_uneven": share(played, right_hand(played.notes, weights)),
            }
        )
        print(rows[-1], flush=True)
    return rows


def averaged(rows: Sequence[Row]) -> Row:
    """The mean of all notes."""
    notes = np.array([float(row["notes"]) for row in rows])
    names = ("middle_c", "best_split", "model", "model_uneven")
    means = {n: round(float(np.average([float(r[n]) for r in rows], weights=notes)), 4) for n in names}
    return {
        "composer": f"all {len(PIECES)}",
        "piece": f"{len(rows)} pieces",
        "notes": int(notes.sum()),
        **means,
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("hands", __doc__)
    parser.add_argument("--fit", action="store_true", help="only print costs fitted on all pieces")
    args = parser.parse_args(argv)
    if not args.fit:
        parsed(parser, argv)
    pieces, start = read_pieces(), np.zeros(len(WEIGHTS))
    start[list(COSTS).index("pitch")] = 1.0  # the split at middle C
    if args.fit:
        for name, weight in zip(COSTS, fitted(pieces, start), strict=True):
            print(f'"{name}": {weight:.2f},')
        return 0
    rows: list[Row] = []
    for composer in PIECES:
        others = [piece for piece in pieces if piece.composer != composer]
        own = [piece for piece in pieces if piece.composer == composer]
        rows += rows_of(own, fitted(others, start))
    rows.append(averaged(rows))
    print(rows[-1])
    settings = {
        "data": f"music21's corpus: {len(pieces)} piano parts on two staves, each composer left out in turn",
        "uneven": f"onsets and releases off by a normal deviate of {1000 * UNEVEN:g} ms",
    }
    question = "How many notes are given to the hand on whose staff they are?"
    write_report(args.output, question, settings, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
