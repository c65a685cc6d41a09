"""Where do labels lie against the sound, and does moving them onto it bring them nearer?

Is: renderings, whose onsets are known, with labels scattered as a player piano scatters them; and recordings
of MAPS, whose labels are judged by the onsets an acoustic model detects, as nobody knows the truth. A row
for each instrument: median deviation, its spread, and the share of notes off by more than 30 ms.
Is not: training (acoustic.training), or a claim about single notes.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from acoustic.audio import Samples, read_audio
from acoustic.inference import load_acoustic
from acoustic.instruments import instrument
from acoustic.labels import SnapOptions, assigned, moved, rises
from acoustic.rendering import Touch
from acoustic.training.renderings import HELD_OUT, PIANOS
from benchmarks.reporting.form import benchmark_parser, merge_report, parsed
from symbolic.datasets.asap import read_asap
from symbolic.datasets.maps import read_maps
from symbolic.decoding.evidence import find_peaks
from symbolic.notes import Notes, read_tsv
from symbolic.pitch import LOWEST
from transcribe.presets import MODEL

SECONDS = 40.0
EXCERPTS = 4  # of performances, on each piano
LATE_SECONDS, SCATTER_SECONDS, SOFT_SCATTER_SECONDS = 0.02, 0.012, 0.035  # what scattered labels lack
SOFT = 45  # velocities below which player pianos answer unevenly
FAR = 0.03  # seconds
NEAR = 0.1  # seconds within which a detected onset is taken for a label's
Floats = npt.NDArray[np.float64]
Row = dict[str, str | float]


def scattered(notes: Notes, draw: np.random.Generator) -> Notes:
    """Labels that come before the sound, and unevenly, more so where notes are soft."""
    spread = np.where(notes.velocity < SOFT, SOFT_SCATTER_SECONDS, SCATTER_SECONDS)
    onset = np.maximum(notes.onset - LATE_SECONDS + spread * draw.normal(size=len(notes)), 0)
    return in_place(notes, onset)


def in_place(notes: Notes, onset: Floats) -> Notes:
    """Notes with other onsets, in the order that they had (which `Notes.make` would change)."""
    return Notes(onset, np.maximum(notes.offset, onset + 0.02), notes.pitch, notes.velocity)


def summary(prefix: str, deviation: Floats) -> Row:
    """Of deviations in seconds; the spread is about their median."""
    known = deviation[np.isfinite(deviation)]
    median = float(np.median(known))
    about = np.abs(known - median)
    return {
        f"{prefix}_median_ms": round(1e3 * median, 1),
        f"{prefix}_spread_ms": round(1e3 * float(np.median(about)), 1),
        f"{prefix}_far": round(float((about > FAR).mean()), 4),
    }


def row_of(corpus: str, name: str, before: list[Floats], after: list[Floats], soft: list[Floats]) -> Row:
    """Deviations of the labels before and after, the latter for soft notes as well."""
    return {
        "corpus": corpus,
        "instrument": name,
        "notes": sum(map(len, before)),
        **summary("before", np.concatenate(before)),
        **summary("after", np.concatenate(after)),
        **summary("soft_after", np.concatenate(soft)),
    }


def snapped_onsets(notes: Notes, samples: Samples, options: SnapOptions) -> Floats:
    """(N,) seconds, in the order of the notes."""
    found = assigned(notes, rises(samples), options)
    shift = found - notes.onset
    # Those without a rise move as `moved` says; the others' order does not matter here.
    return np.where(np.isfinite(shift), found, notes.onset + np.nanmedian(shift))


def rendered_rows(options: SnapOptions) -> Iterator[Row]:
    """Against the truth."""
    performances = read_asap()[:: len(read_asap()) // EXCERPTS][:EXCERPTS]
    for piano in dict.fromkeys((*PIANOS, *HELD_OUT)):
        before, after, soft = [], [], []
        for number, performance in enumerate(performances):
            notes = performance.notes.cut(20.0, 20.0 + SECONDS).shifted(-19.5)
            samples = instrument(piano).render(notes, Touch())
            labels = scattered(notes, np.random.default_rng(number))
            moved_to = snapped_onsets(labels, samples, options)
            before.append(labels.onset - notes.onset)
            after.append(moved_to - notes.onset)
            soft.append(after[-1][notes.velocity < SOFT])
        yield row_of("renderings", piano, before, after, soft)


def recorded_rows(options: SnapOptions, each: int) -> Iterator[Row]:
    """Of MAPS, against what the acoustic model detects; `each` recordings of an instrument."""
    listener = load_acoustic(MODEL)
    for part in ("synth", "real-dev"):
        recordings = read_maps(part)
        for name in sorted({recording.instrument for recording in recordings}):
            before, after, soft = [], [], []
            for recording in [r for r in recordings if r.instrument == name][:each]:
                stop = 2 * SECONDS
                notes = read_tsv(recording.table).cut(0.0, stop - 1)
                samples = read_audio(recording.audio, 0.0, stop)
                onset = listener.file(recording.audio, 0.0, stop).onset
                assert onset is not None
                snapped = moved(notes, assigned(notes, rises(samples), options), options)
                before.append(deviations(notes, onset, listener.network.features.hop))
                after.append(deviations(snapped, onset, listener.network.features.hop))
                soft.append(after[-1][snapped.velocity < SOFT])
            yield row_of(f"maps/{part}", name, before, after, soft)


def deviations(notes: Notes, onset: npt.NDArray[np.float32], hop: float) -> Floats:
    """(N,) label minus the nearest detected onset of its key, seconds; nan where none is near."""
    peaks = find_peaks(onset, hop)
    sure = peaks.value > 0.5
    times, keys = peaks.place[sure] * hop, peaks.key[sure]
    result = np.full(len(notes), np.nan)
    for pitch in np.unique(notes.pitch):
        detected = np.sort(times[keys == pitch - LOWEST])
        rows = np.flatnonzero(notes.pitch == pitch)
        if len(detected):
            distance = notes.onset[rows][:, None] - detected
            nearest = np.abs(distance).argmin(axis=1)
            least = distance[np.arange(len(rows)), nearest]
            result[rows] = np.where(np.abs(least) <= NEAR, least, np.nan)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("labels", __doc__)
    parser.add_argument("--each", type=int, default=4, help="recordings of each instrument of MAPS")
    args = parsed(parser, argv)
    options = SnapOptions()
    rows = []
    for row in (*rendered_rows(options), *recorded_rows(options, args.each)):
        rows.append(row)
        print(row, flush=True)
    settings = {"excerpts": EXCERPTS, "seconds": SECONDS, "each": args.each, "options": repr(options)}
    question = "Where do labels lie against the sound, and does moving them bring them nearer?"
    merge_report(args.output, question, settings, rows, ("corpus", "instrument"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
