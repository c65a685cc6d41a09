"""Calibration: do the acoustic model's predicted probabilities match observed frequencies?

Is: for each head a scaling fitted on the development recordings, what it is worth on compositions that it was
not fitted on, and the bins of a reliability diagram. `--write-card` keeps the scalings.
Is not: a choice of thresholds (benchmarks.tuning).

An onset is right if a note of its key was struck within 100 ms of it, the recording's median deviation taken
off: whether it was detected, not how exactly. Other heads are compared frame by frame. Only what is in doubt
counts, probabilities of at least 0.02.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from acoustic.calibration import Scaling, fit_scaling, log_loss, reliability
from acoustic.loading import list_models, read_card, update_card, weights_path
from acoustic.network import PROBABILITIES
from acoustic.training.corpus import targets
from benchmarks.development import DevRecording, read_development
from benchmarks.reporting.form import benchmark_parser, merge_report, parsed
from symbolic.decoding.evidence import find_peaks
from symbolic.notes import Notes
from symbolic.pitch import LOWEST
from symbolic.posteriorgram import Posteriorgram
from transcribe.scoring.matching import WIDE_TOLERANCE, median_deviation

DOUBT = 0.02
Row = dict[str, str | float]
Pairs = tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]  # predicted probabilities (N,), truth (N,)


def doubtful(item: DevRecording) -> dict[str, Pairs]:
    """The doubtful probabilities of each head on one recording, and the truth."""
    p, reference = item.posteriorgram, item.reference
    assert p.onset is not None and p.offset is not None and p.held is not None
    peaks = find_peaks(p.onset, p.hop)
    sure = peaks.value >= DOUBT
    key, prob, seconds = peaks.key[sure], peaks.value[sure], p.start + p.hop * peaks.place[sure]
    likely = prob > 0.5
    found = Notes.make(seconds[likely], seconds[likely] + 0.1, key[likely] + LOWEST, [64] * likely.sum())
    deviation = median_deviation(reference, found)
    pairs = {"onset": (prob, struck(key, seconds - deviation, prob, reference))}
    planes = targets(reference.shifted(deviation), p.count, p.hop)
    for head in ("frame", "offset", "held"):
        plane = getattr(p, head)
        kept = plane >= DOUBT
        pairs[head] = plane[kept], planes[head][kept] > 0.5
    return pairs


def struck(
    key: npt.NDArray[np.int64],
    seconds: npt.NDArray[np.float64],
    prob: npt.NDArray[np.float32],
    reference: Notes,
) -> npt.NDArray[np.bool_]:
    """(N,) whether each peak is a note, the likeliest first; a note is found once."""
    result = np.zeros(len(key), dtype=np.bool_)
    free = {k: list(reference.onset[reference.pitch == k + LOWEST]) for k in np.unique(key)}
    for i in np.argsort(-prob, kind="stable"):
        left = free[key[i]]
        nearest = min(left, key=lambda onset: abs(onset - seconds[i]), default=np.inf)
        if abs(nearest - seconds[i]) <= WIDE_TOLERANCE:
            left.remove(nearest)
            result[i] = True
    return result


def joined(pairs: Sequence[Pairs]) -> Pairs:
    """Pairs of several recordings as one."""
    return np.concatenate([p for p, _ in pairs]), np.concatenate([t for _, t in pairs])


def rows_of(head: str, pairs: Sequence[Pairs], compositions: Sequence[str]) -> list[Row]:
    """A summary and the bins of the diagram, before and after; after is cross-validated."""
    prob, true = joined(pairs)
    scaling = fit_scaling(prob, true)
    fitted = {
        name: fit_scaling(*joined([pair for pair, c in zip(pairs, compositions, strict=True) if c != name]))
        for name in set(compositions)
    }
    after = [fitted[c](p) for (p, _), c in zip(pairs, compositions, strict=True)]
    stages = {"before": prob, "after": np.concatenate(after)}
    summary: Row = {"head": head, "part": "summary", "doubtful": len(prob)}
    summary |= {"temperature": round(scaling.temperature, 3), "bias": round(scaling.bias, 3)}
    rows = [summary]
    for stage, predicted in stages.items():
        diagram = reliability(predicted, true)
        summary[f"log_loss_{stage}"] = round(log_loss(predicted, true), 4)
        summary[f"calibration_error_{stage}"] = round(diagram.error, 4)
        rows += [
            {"head": head, "part": stage, "predicted": round(p, 4), "observed": round(o, 4), "count": int(n)}
            for p, o, n in zip(diagram.predicted, diagram.observed, diagram.count, strict=True)
        ]
    return rows


def scaled(posteriorgram: Posteriorgram, scalings: Mapping[str, Scaling]) -> Posteriorgram:
    """Every head's probabilities through its scaling."""
    planes = {head: scaling(getattr(posteriorgram, head)) for head, scaling in scalings.items()}
    return replace(posteriorgram, **planes)  # type: ignore[arg-type]


def calibrated(model: str, *, write_card: bool) -> tuple[list[Row], int, int]:
    """(rows, recordings, compositions) of one model."""
    card = weights_path(model).with_suffix(".json")
    undo = {head: scaling.inverse for head, scaling in read_card(card).scalings.items()}
    recordings = [
        replace(item, posteriorgram=scaled(item.posteriorgram, undo))
        for item in read_development(model, cached=True)
    ]
    pairs = [doubtful(item) for item in recordings]
    compositions = [item.recording.composition for item in recordings]
    rows = [row for head in PROBABILITIES for row in rows_of(head, [p[head] for p in pairs], compositions)]
    if write_card:
        kept = {
            str(row["head"]): Scaling(temperature=float(row["temperature"]), bias=float(row["bias"]))
            for row in rows
            if row["part"] == "summary"
        }
        update_card(card, scalings=kept)
    name = weights_path(model).stem
    return [{"model": name, **row} for row in rows], len(recordings), len(set(compositions))


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("calibration", __doc__)
    parser.add_argument("--models", nargs="+", default=list_models(), help="names or .safetensors files")
    parser.add_argument("--write-card", action="store_true", help="keep the scalings in the models' cards")
    args = parsed(parser, argv)
    rows: list[Row] = []
    recordings = compositions = 0
    for model in args.models:
        found, recordings, compositions = calibrated(model, write_card=args.write_card)
        rows += found
        for row in found:
            if row["part"] == "summary":
                print(row, flush=True)
    settings = {"data": "maps/real-dev", "recordings": recordings, "compositions": compositions}
    settings |= {"doubt": DOUBT}
    question = "Do the acoustic model's predicted probabilities match observed frequencies?"
    merge_report(args.output, question, settings, rows, ("model",))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
