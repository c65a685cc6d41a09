"""How well are beats and bars found in performances of compositions that the tracker has not seen?

Is: mir_eval's beat F-measure (70 ms, the first 5 s left out) on ASAP's test compositions: of the whole MIDI
of the performances; and of the beginnings of some, rendered on a sampled piano, by our transcription of the
audio, with librosa's tracker on the same audio beside it; and, played by a program, of Bach's chorales that
nothing was trained on and of accompanied melodies by the rules that made some of the training pieces.
Is not: tuning; the costs of the search were chosen on ASAP's validation compositions.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acoustic.audio import RATE_HZ, Samples
from acoustic.instruments import instrument
from acoustic.rendering import Touch
from benchmarks.reporting.form import benchmark_parser, parsed, write_report
from symbolic.beats.accompaniments import made_by_rule
from symbolic.beats.playing import play
from symbolic.beats.tracking import track_beats
from symbolic.datasets.asap import Annotation, Performance, read_annotation, read_asap
from symbolic.datasets.written import held_out, read_score
from symbolic.metre import Beats
from transcribe.pipeline import Transcriber

RENDERED_SECONDS = 120.0
PIANO = "splendid"
CHORALE_TEMPO = 80.0  # quarter notes a minute
BY_RULE, BY_RULE_SEED = 40, 1  # pieces; those to train on have seed 0
Row = dict[str, str | float]


def f_measure(reference: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """mir_eval's F-measure of beats, in seconds."""
    import mir_eval

    trim = mir_eval.beat.trim_beats
    return float(mir_eval.beat.f_measure(trim(reference), trim(found)))


def row_of(system: str, performance: str, truth: Annotation, beats: Beats, stop: float) -> Row:
    """Scores of one performance up to `stop` seconds."""
    inside = truth.times < stop
    downbeats = truth.times[inside & truth.downbeat]
    return {
        "system": system,
        "performance": performance,
        "beat_f1": round(f_measure(truth.times[inside], beats.times[beats.times < stop]), 4),
        "downbeat_f1": round(f_measure(downbeats, beats.times[beats.downbeat & (beats.times < stop)]), 4),
        "key_right": float(beats.fifths is not None and (beats.fifths - _usual(truth.fifths)) % 12 == 0),
        "beats_a_bar_right": float(beats.beats_a_bar == _beats_a_bar(truth)),
        "thirds_right": float((beats.division == 3) == (truth.thirds.mean() > 0.5)),
    }


def _usual(values: NDArray[np.int64]) -> int:
    """The most frequent of whole numbers."""
    kinds, counts = np.unique(values, return_counts=True)
    return int(kinds[counts.argmax()])


def _beats_a_bar(truth: Annotation) -> int:
    return _usual(np.diff(np.flatnonzero(truth.downbeat))) if truth.downbeat.sum() > 1 else 0


def librosa_beats(samples: Samples) -> Beats:
    """librosa's beats, which know no bars."""
    import librosa

    _, times = librosa.beat.beat_track(y=samples, sr=RATE_HZ, units="time")
    times = np.asarray(times) if len(times) > 1 else np.array([0.0, 1.0])
    return Beats(times, np.zeros(len(times), dtype=np.bool_))


def averaged(rows: Sequence[Row]) -> list[Row]:
    """A row for each system: the mean over performances."""
    averages: list[Row] = []
    for system in dict.fromkeys(row["system"] for row in rows):
        own = [row for row in rows if row["system"] == system]
        names = [name for name in own[0] if name not in ("system", "performance")]
        means = {name: round(float(np.mean([float(row[name]) for row in own])), 4) for name in names}
        averages.append({"system": system, "performance": f"average of {len(own)}", **means})
    return averages


def rendered_rows(performances: Sequence[Performance]) -> list[Row]:
    """Rows of performances played on a sampled piano: our transcription's beats, and librosa's."""
    piano, transcriber = instrument(PIANO), Transcriber()
    rows: list[Row] = []
    for performance in performances:
        truth, stop = read_annotation(performance), RENDERED_SECONDS
        part = performance.notes.cut(0, stop)
        samples = piano.render(part, Touch())
        found = {
            "the same part, performance MIDI": track_beats(part),
            "the same part, our transcription": track_beats(transcriber(samples, rate=RATE_HZ).notes),
            "the same part, librosa on audio": librosa_beats(samples),
        }
        rows += [row_of(system, performance.name, truth, beats, stop) for system, beats in found.items()]
    return rows


def chorale_rows() -> list[Row]:
    """Rows of the chorales that are held out, played by a program."""
    rows: list[Row] = []
    for number, name in enumerate(held_out()):
        score = read_score(name)
        if score is not None:
            piece = play(score, np.random.default_rng(number), CHORALE_TEMPO)
            found = track_beats(piece.notes)
            rows.append(row_of("chorales, played by a program", name, piece.beats, found, np.inf))
    return rows


def rows_by_rule() -> list[Row]:
    """Rows of accompanied melodies."""
    return [
        row_of(
            "accompanied melodies made by rule", str(number), piece.beats, track_beats(piece.notes), np.inf
        )
        for number, piece in enumerate(made_by_rule(BY_RULE, BY_RULE_SEED))
    ]


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("beats", __doc__)
    parser.add_argument("--each", type=int, default=5, help="render every so many performances (default: 5)")
    args = parsed(parser, argv)
    performances = [performance for performance in read_asap() if performance.split == "test"]
    rows = [
        row_of("performance MIDI", p.name, read_annotation(p), track_beats(p.notes), np.inf)
        for p in performances
    ]
    rows += rendered_rows(performances[:: args.each])
    rows += chorale_rows() + rows_by_rule()
    averages = averaged(rows)
    for row in averages:
        print(row)
    settings = {
        "data": f"ASAP, {len(performances)} performances of its test compositions",
        "rendered": f"every {args.each}. performance, its first {RENDERED_SECONDS:.0f} s, on {PIANO}",
    }
    question = "How well are beats and bars found in unseen compositions?"
    write_report(args.output, question, settings, [*averages, *rows])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
