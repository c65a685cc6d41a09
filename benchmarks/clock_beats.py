"""What is a prior of chorales or tunes worth at its own steps (`transcribe --clock beats`), and where?

Is: test pieces of two classic sets on a sampled piano that the acoustic model was not trained on, as they are
and in noise, and beginnings of real recordings; decoded as the command does by default, by a threshold, and
by priors at beats that are given or found. Each row has its gain over the default, paired by pieces.
Is not: known steps, and tuned settings (benchmarks.paper_experiment).

    python -m benchmarks.clock_beats --materials jsb --priors rnn-nade/jsb rnn-rbm/jsb
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from acoustic.audio import RATE_HZ
from acoustic.inference import Listener, load_acoustic
from acoustic.instruments import instrument
from acoustic.rendering import Touch
from benchmarks.development import rounded
from benchmarks.lib.classic_audio import EXCERPT_SECONDS, chosen, condition, notes_of_piece
from benchmarks.reporting.form import benchmark_parser, merge_report, parsed
from benchmarks.tuning import interval
from symbolic.datasets.classic import ClassicName
from symbolic.datasets.maps import read_maps
from symbolic.errors import NotebeamError
from symbolic.metre import Beats
from symbolic.notes import Notes, read_tsv
from symbolic.posteriorgram import Posteriorgram
from transcribe.pipeline import Transcriber
from transcribe.presets import MODEL, preset
from transcribe.scoring import Scores, mean, score

QUESTION = "What is a prior at its own steps worth, in its own style and in others?"
PIANO = "headroom-decca"
NOISY = "pink 0 dB"
REAL = "real-dev"
SETS: tuple[ClassicName, ...] = ("jsb", "nottingham")
QUARTER = 0.5  # seconds, in what is rendered
DEFAULT = "beam, default"
MODELS = ("rnn-bernoulli", "rnn-nade", "lstm-nade", "rnn-rbm", "rtrbm", "lstm-conv-nade", "biaxial")
ONE = "rnn-nade"  # of the sets that are another's style
Row = dict[str, str | int | float]


@dataclass(frozen=True, eq=False)
class Item:
    """A piece as it is heard."""

    name: str
    composition: str  # pieces of one are drawn together by the intervals
    notes: Notes
    posteriorgram: Posteriorgram
    beats: Beats | None  # None: nobody knows them


def rendered(listener: Listener, name: ClassicName, heard: str, count: int) -> list[Item]:
    """Test pieces of a set, evenly spread."""
    pieces, piano, items = chosen(name, "test"), instrument(PIANO), []
    for index, roll in pieces[:: max(1, len(pieces) // count)][:count]:
        notes = notes_of_piece(name, "test", index, roll)
        audio = condition(heard)(piano.render(notes, Touch()))
        posteriorgram = listener(audio / max(1.0, float(np.abs(audio).max(initial=0.0))), rate=RATE_HZ)
        times = np.arange(0.0, float(posteriorgram.times[-1]), QUARTER)
        beats = Beats(times, np.arange(len(times)) % 4 == 0)
        items.append(Item(f"{name} {index}", f"{name} {index}", notes, posteriorgram, beats))
    return items


def recorded(listener: Listener, count: int) -> list[Item]:
    """Beginnings of development recordings, evenly spread."""
    recordings = read_maps(REAL)
    return [
        Item(
            one.name,
            one.composition,
            read_tsv(one.table).cut(0.0, EXCERPT_SECONDS),
            listener.file(one.audio, stop=EXCERPT_SECONDS),
            None,
        )
        for one in recordings[:: max(1, len(recordings) // count)][:count]
    ]


def scores_of(transcriber: Transcriber, items: Sequence[Item], beats: str) -> list[Scores]:
    """Scores of each piece; `beats`: "given", "found", or "" of a decoder that needs none."""
    found = []
    for item in items:
        asked = replace(transcriber, beats=item.beats if beats == "given" else None)
        notes = asked.transcribe_posteriorgram(item.posteriorgram, place=item.name).notes
        found.append(score(item.notes, notes))
    return found


def priors_for(material: str) -> list[str]:
    """Priors of a material's own set, one of each other; none of the piano sets: they hold pieces of MAPS."""
    own = [f"{model}/{material}" for model in MODELS] if material != REAL else []
    return own + [f"{ONE}/{name}" for name in SETS if name != material]


def rows_of(items: Sequence[Item], place: Row, priors: Sequence[str]) -> list[Row]:
    """A row for each decoder."""
    systems = [
        ("threshold", "", Transcriber(decoder=preset("threshold"), prior=None)),
        (DEFAULT, "", Transcriber()),
    ]
    ways = ("found",) if items[0].beats is None else ("given", "found")
    systems += [(name, way, Transcriber(prior=name, clock="beats")) for name in priors for way in ways]
    results = {}
    for name, way, transcriber in systems:
        results[name, way] = scores_of(transcriber, items, way)
        print(*place.values(), name, way, round(mean(results[name, way]).onset_f1_aligned, 4), flush=True)
    compositions = [item.composition for item in items]
    rows = []
    for (name, way), scores in results.items():
        row = place | {"decoder": name, "beats": way, "pieces": len(items)} | rounded(mean(scores))
        for against, other in (("default", DEFAULT), ("threshold", "threshold")):
            gains = [
                a.onset_f1_aligned - b.onset_f1_aligned
                for a, b in zip(scores, results[other, ""], strict=True)
            ]
            values = (float(np.mean(gains)), *interval(gains, compositions))
            for suffix, value in zip(("", "_low", "_high"), values, strict=True):
                row[f"gain_over_{against}{suffix}"] = round(value, 4)
        rows.append(row)
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("clock_beats", __doc__)
    parser.add_argument("--materials", nargs="+", choices=(*SETS, REAL), default=(*SETS, REAL))
    parser.add_argument("--heard", nargs="+", default=["clean", NOISY], help="of what is rendered")
    parser.add_argument(
        "--priors", nargs="+", metavar="NAME", help="(default: of the material's set, one of others)"
    )
    parser.add_argument("--pieces", type=int, default=8, help="of each material (default: 8)")
    args = parsed(parser, argv)
    listener = load_acoustic(MODEL)
    settings = {"model": MODEL, "piano": PIANO, "seconds": EXCERPT_SECONDS, "quarter_seconds": QUARTER}
    try:
        for material in args.materials:
            for heard in ["as recorded"] if material == REAL else args.heard:
                items = (
                    recorded(listener, args.pieces)
                    if material == REAL
                    else rendered(listener, material, heard, args.pieces)
                )
                place: Row = {"material": material, "heard": heard}
                rows = rows_of(items, place, args.priors or priors_for(material))
                merge_report(args.output, QUESTION, settings, rows, ("material", "heard"))
    except NotebeamError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
