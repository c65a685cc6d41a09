"""Does a score program open our files with the music's metre, and with as few ties as the true notes?

Is: chorales and piano music of music21's corpus, played a little unevenly at a tempo that breathes, rendered
on a sampled piano, transcribed with `--beats auto`; the MIDI and the MusicXML opened by MuseScore, and a MIDI
file of the true notes, bars and hands beside them.
Is not: whether the notes are right (benchmarks.transcription), or the hands (benchmarks.hands).
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acoustic.audio import RATE_HZ
from acoustic.instruments import instrument
from acoustic.rendering import Touch
from benchmarks.lib.musescore import as_opened, metre, ties
from benchmarks.lib.staves import written_piece
from benchmarks.reporting.form import benchmark_parser, parsed, write_report
from symbolic.hands import right_hand
from symbolic.metre import Beats
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes
from transcribe.musicxml import write_score
from transcribe.pipeline import Transcriber

PIANO = "salamander"
UNEVEN, BREATH = 0.01, 0.04  # seconds of each note; share by which the tempo comes and goes
MOST_BARS = 24
# A piece, and the quarter notes a minute at which it is played.
PIECES = {
    "bach/bwv66.6.mxl": 80.0,
    "bach/bwv269.mxl": 80.0,
    "bach/bwv324.mxl": 80.0,
    "bach/bwv347.mxl": 80.0,
    "mozart/k545/movement1_exposition.mxl": 126.0,
    "cpebach/h186.mxl": 84.0,
    "schumann_clara/polonaise_op1n2.mxl": 92.0,
}
Row = dict[str, str | float]


@dataclass(frozen=True, eq=False)
class Played:
    """What a player would play: the true notes in seconds, their beats and hands."""

    notes: Notes
    right: NDArray[np.bool_]  # (N,)
    beats: Beats
    metre: str


def played(name: str, tempo: float) -> Played:
    """A piece of the corpus, its first bars."""
    piece, draw = written_piece(name, MOST_BARS), np.random.default_rng(0)
    beats = np.arange(piece.beats + 1)
    # Seconds of each beat: the tempo comes and goes over some bars.
    lengths = piece.beat_quarters * 60 / tempo * (1 + BREATH * np.sin(beats / 7))
    seconds = 1.0 + np.concatenate([[0.0], np.cumsum(lengths)])

    def at(quarters: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.interp(quarters / piece.beat_quarters, np.arange(len(seconds)), seconds)

    count = len(piece.onset)
    onset = at(piece.onset) + draw.normal(0, UNEVEN, count)
    # Most keys go up a little before the next go down.
    offset = at(piece.onset + 0.92 * (piece.offset - piece.onset))
    offset = np.maximum(offset, onset + 0.05)
    velocity = np.clip(draw.normal(64, 8, count), 30, 100).astype(int)
    order = np.lexsort((piece.pitch, onset))
    notes = Notes.make(onset, offset, piece.pitch, velocity, key_offset=offset)
    downbeat = (beats - piece.first_downbeat) % piece.beats_a_bar == 0
    division = 3 if piece.beat_quarters == 1.5 else 2
    true = Beats(seconds[:-1], downbeat, division, piece.fifths)
    return Played(notes, piece.right[order], true, piece.metre)


def row_of(name: str, tempo: float, transcriber: Transcriber, folder: Path) -> Row:
    """What MuseScore makes of one piece."""
    truth = played(name, tempo)
    samples = instrument(PIANO).render(truth.notes, Touch())
    found = transcriber(samples, rate=RATE_HZ)
    assert found.beats is not None
    write_midi(folder / "true.mid", truth.notes, beats=truth.beats, right=truth.right)
    write_midi(folder / "ours.mid", found.notes, beats=found.beats, right=right_hand(found.notes))
    write_score(folder / "ours.musicxml", found.notes, found.beats)
    true, midi, score = (as_opened(folder / file) for file in ("true.mid", "ours.mid", "ours.musicxml"))
    return {
        "piece": name.removesuffix(".mxl"),
        "notes": len(truth.notes),
        "true_metre": truth.metre,
        "metre": metre(score),
        "ties_true_midi": ties(true),
        "ties_midi": ties(midi),
        "ties_score": ties(score),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("scores", __doc__)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the files of each piece there")
    args = parsed(parser, argv)
    transcriber = Transcriber(beats="auto")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, tempo in PIECES.items():
            folder = (args.keep or Path(temporary)) / Path(name).stem
            folder.mkdir(parents=True, exist_ok=True)
            rows.append(row_of(name, tempo, transcriber, folder))
            print(rows[-1], flush=True)
    settings = {
        "data": f"music21's corpus, at most {MOST_BARS} bars of a piece, on {PIANO}",
        "played": f"each note off by a deviate of {1000 * UNEVEN:g} ms, the tempo by {BREATH:.0%}",
        "program": "MuseScore 3.2.3, without a display",
    }
    question = "Do scores open with the music's metre, and with as few ties as the true notes?"
    write_report(args.output, question, settings, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
