"""Which mistakes does the join mend, and which are left?

Is: of every decoder of benchmarks.prior_gain, on the development recordings as recorded, in noise and in a
room: the share of notes found by velocity and by register, false notes by kind, missed notes by kind, and the
oracle, the best that could be chosen among the onsets that the acoustic model thinks possible at all.
Notes are matched at 100 ms, the deviation removed; shares are of the notes of all recordings.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.development import STEP
from benchmarks.prior_gain import Clip, conditions, read_condition, transcribers
from benchmarks.reporting.form import Row, benchmark_parser, merge_report, parsed
from symbolic.decoding.evidence import evidence_of, frames_clock
from symbolic.notes import Notes
from symbolic.pitch import LOWEST
from symbolic.priors.evidence_join import candidates
from transcribe.presets import JOINS, MODEL
from transcribe.scoring.matching import WIDE_TOLERANCE, aligned_onset, matched

VELOCITIES = {"softer than 40": (0, 40), "40 to 59": (40, 60), "60 to 79": (60, 80), "80 and more": (80, 128)}
REGISTERS = {"below C2": (0, 36), "C2 to B3": (36, 60), "C4 to B5": (60, 84), "C6 and above": (84, 128)}
PARTIALS = (12, 19, 24, 28, 31, 34, 36)  # semitones from a note to its second to eighth
NEAR = 0.3  # seconds: a false note so near a note of its key is that note, displaced


def false_kinds(
    reference: Notes, estimate: Notes, onset: NDArray[np.float64], false: NDArray[np.int64]
) -> Counter[str]:
    """Of the estimate's notes `false` (rows), the first kind that fits each; `onset` (N,) seconds."""
    count: Counter[str] = Counter()
    for row in false:
        pitch, time = int(estimate.pitch[row]), onset[row]
        same = reference.pitch == pitch
        struck = reference.pitch[np.abs(reference.onset - time) <= WIDE_TOLERANCE]
        if (np.abs(reference.onset[same] - time) <= NEAR).any():
            count["beside a note of the same key"] += 1
        elif ((reference.onset[same] < time) & (reference.offset[same] > time)).any():
            count["repeats a sounding key"] += 1
        elif np.isin(pitch - struck, PARTIALS).any():
            count["partial of a struck note"] += 1
        elif np.isin(struck - pitch, PARTIALS).any():
            count["has a struck note as partial"] += 1
        else:
            count["other"] += 1
    return count


def missed_kinds(reference: Notes, missed: NDArray[np.int64]) -> Counter[str]:
    """Of the reference's notes `missed` (rows), the first kind that fits each."""
    count: Counter[str] = Counter()
    for row in missed:
        pitch, time = reference.pitch[row], reference.onset[row]
        same = reference.pitch == pitch
        at_once = reference.pitch[(np.abs(reference.onset - time) <= STEP)]
        if ((reference.onset[same] < time) & (reference.offset[same] >= time - STEP)).any():
            count["repetition of a sounding key"] += 1
        elif np.isin(pitch - at_once, PARTIALS).any():
            count["partial of a note struck with it"] += 1
        elif reference.velocity[row] < 40:
            count["softer than 40"] += 1
        else:
            count["other"] += 1
    return count


def oracle(clip: Clip) -> tuple[int, int]:
    """Of a clip, how many of its notes have a possible onset, by the largest matching; and all notes."""
    evidence = evidence_of(clip.posteriorgram, frames_clock(clip.posteriorgram, STEP), "struck")
    _, onsets = candidates(evidence)
    onsets = onsets.take(onsets.time.argsort(kind="stable"))
    possible = Notes.make(onsets.time, onsets.time + STEP, onsets.key + LOWEST, np.full(len(onsets.key), 64))
    onset = aligned_onset(clip.reference, possible)
    pairs = matched(clip.reference, possible, onset, tolerance=WIDE_TOLERANCE)
    return len(pairs), len(clip.reference)


def rows_of(name: str, clips: Sequence[Clip], join: str) -> list[Row]:
    """A row for each decoder."""
    rows: list[Row] = []
    possible = np.array([oracle(clip) for clip in clips]).sum(axis=0)
    for decoder, transcriber in transcribers(clips, join).items():
        false: Counter[str] = Counter()
        missed: Counter[str] = Counter()
        truth, found = [], []
        estimated = 0
        for clip in clips:
            reference = clip.reference
            notes = transcriber.transcribe_posteriorgram(clip.posteriorgram).notes
            onset = aligned_onset(reference, notes)
            pairs = matched(reference, notes, onset, tolerance=WIDE_TOLERANCE)
            false += false_kinds(reference, notes, onset, np.setdiff1d(np.arange(len(notes)), pairs[:, 1]))
            missed += missed_kinds(reference, np.setdiff1d(np.arange(len(reference)), pairs[:, 0]))
            truth.append(np.stack([reference.pitch, reference.velocity], axis=1))
            found.append(np.isin(np.arange(len(reference)), pairs[:, 0]))
            estimated += len(notes)
        row: dict[str, str | int | float] = {"condition": name, "decoder": decoder}
        row |= {"notes": int(possible[1]), "possible": int(possible[0]), "written": estimated}
        keys, hit = np.concatenate(truth), np.concatenate(found)
        for kind, bands, column in (("velocity", VELOCITIES, 1), ("register", REGISTERS, 0)):
            for band, (low, high) in bands.items():
                inside = (keys[:, column] >= low) & (keys[:, column] < high)
                row[f"found, {kind} {band}"] = round(float(hit[inside].mean()), 4) if inside.any() else 0.0
        row |= {f"false, {kind}": number for kind, number in sorted(false.items())}
        row |= {f"missed, {kind}": number for kind, number in sorted(missed.items())}
        print(row, flush=True)
        rows.append(row)
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("error_kinds", __doc__)
    parser.add_argument("--join", default=JOINS[MODEL].name, help="name or file of the join's weights")
    args = parsed(parser, argv)
    rows: list[Row] = []
    for condition in conditions((), 0, 0.0):
        rows += rows_of(condition.name, read_condition(condition), args.join)
    settings = {"model": MODEL, "join": args.join, "tolerance_seconds": WIDE_TOLERANCE}
    merge_report(
        args.output, "Which mistakes does the join mend, and which are left?", settings, rows, ("condition",)
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
