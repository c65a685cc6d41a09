"""Does the confidence of a transcription tell how right it is, in domains that training left out?

Is: the mean confidence of the written notes beside the share of them that was played, condition by condition
of benchmarks.prior_gain, with the prior of notes (confidence: the acoustic model's probability) and with the
join (its own); how the mean confidence of each recording goes with its F.
Is not: the acoustic model's calibration on its own kind of recordings (benchmarks.calibration).
"""

from collections.abc import Sequence

import numpy as np

from acoustic.training.renderings import HELD_OUT
from benchmarks.prior_gain import Clip, conditions, read_condition
from benchmarks.reporting.form import benchmark_parser, parsed, write_report
from transcribe.pipeline import Transcriber
from transcribe.presets import JOINS, MODEL, PRIOR
from transcribe.scoring.matching import WIDE_TOLERANCE, aligned_onset, matched

PRIORS = {"prior of notes": PRIOR, "join": JOINS[MODEL].name}
Row = dict[str, str | int | float]


def judged(clip: Clip, transcriber: Transcriber) -> tuple[float, int, int, float]:
    """Sum of confidences, notes, those that were played, and F; within 100 ms, the deviation removed."""
    notes = transcriber.transcribe_posteriorgram(clip.posteriorgram).notes
    onset = aligned_onset(clip.reference, notes)
    right = len(matched(clip.reference, notes, onset, tolerance=WIDE_TOLERANCE))
    assert notes.confidence is not None
    f1 = 2 * right / max(1, len(notes) + len(clip.reference))
    return float(notes.confidence.sum()), len(notes), right, f1


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("confidence", __doc__)
    parser.add_argument("--instruments", nargs="*", default=[*HELD_OUT, "timgm-guitar"])
    parser.add_argument("--count", type=int, default=8, help="performances on each instrument")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each, at most")
    args = parsed(parser, argv)
    transcribers = {name: Transcriber(prior=prior) for name, prior in PRIORS.items()}
    rows: list[Row] = []
    files: dict[str, list[tuple[float, float]]] = {name: [] for name in PRIORS}
    for condition in conditions(args.instruments, args.count, args.seconds):
        clips = read_condition(condition)
        row: Row = {"condition": condition.name, "group": condition.group, "recordings": len(clips)}
        for name, transcriber in transcribers.items():
            found = [judged(clip, transcriber) for clip in clips]
            confidence, notes, right, _ = np.sum(found, axis=0)
            row |= {f"{name}: confidence": round(confidence / notes, 4), f"{name}: precision": right / notes}
            files[name] += [(total / max(1, count), f1) for total, count, _, f1 in found]
        rows.append(row)
        print(row, flush=True)
    settings = {
        f"{name}: correlation": float(np.corrcoef(*np.transpose(each))[0, 1]) for name, each in files.items()
    }
    write_report(args.output, "Does confidence tell how right a transcription is?", settings, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
