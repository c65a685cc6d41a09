"""Tables of the acoustic models."""

from collections.abc import Callable

from benchmarks.reporting.form import read_report
from benchmarks.reporting.markdown import markdown, rows_of, source
from transcribe.presets import MODEL


def acoustic_models() -> str:
    """Scores and costs of the shipped models."""
    header = ["model", "parameters", "**onset F**", "95 % interval", "deviation removed", "and 100 ms"]
    header += ["decoded by default", "and 100 ms", "+ offset", "+ velocity", "uncorrected", "frame F"]
    header += ["real-time factor", "in bfloat16", "peak MB", "start-up"]
    names = (
        "onset_f1_aligned", "onset_f1_aligned_100ms", "default_onset_f1_aligned",
        "default_onset_f1_aligned_100ms", "onset_offset_f1", "onset_offset_velocity_f1",
        "network_velocity_f1", "frame_f1",
    )  # fmt: skip
    found = rows_of(read_report("acoustic_models"))
    costs = {(row["model"], row["precision"]): row for row in found if row["part"] == "costs"}
    rows = []
    for row in (row for row in found if row["part"] == "scores"):
        cost, half = costs[row["model"], "float32"], costs.get((row["model"], "bfloat16"))
        rows.append(
            [
                f"`{row['model']}`",
                f"{cost['parameters']:,}",
                f"{row['onset_f1']:.3f}",
                f"{row['onset_f1_low']:.3f}–{row['onset_f1_high']:.3f}",
                *(f"{row[name]:.3f}" for name in names),
                f"{cost['real_time_factor']:.3f}",
                "–" if half is None else f"{half['real_time_factor']:.3f}",
                str(cost["peak_memory_mb"]),
                f"{cost['start_up_seconds']:.1f} s",
            ]
        )
    return markdown(header, rows) + "\n\n" + source(read_report("acoustic_models"))


def ablations() -> str:
    """One thing changed at a time, in a short training."""
    return _ablations(300)


def longer_ablations() -> str:
    """Harmonics gathered again and recurrent heads, in a longer one."""
    return _ablations(600)


def _ablations(steps: int) -> str:
    header = ["the small model, trained briefly", "onset F", "difference", "95 % interval"]
    header += ["deviation removed, 100 ms", "+ offset", "+ velocity", "frame F"]
    names = ("onset_f1_aligned_100ms", "onset_offset_f1", "onset_offset_velocity_f1", "frame_f1")
    rows = [
        [
            row["variant"],
            f"{row['onset_f1']:.3f}",
            f"{row['difference']:+.3f}",
            f"{row['difference_low']:+.3f} to {row['difference_high']:+.3f}",
            *(f"{row[name]:.3f}" for name in names),
        ]
        for row in rows_of(read_report("ablations"))
        if row["steps"] == steps
    ]
    return markdown(header, rows) + "\n\n" + source(read_report("ablations"))


def robustness() -> str:
    """Degraded recordings."""
    header = ["the recordings", "onset F", "change", "deviation removed, 100 ms", "frame F"]
    rows = [row for row in rows_of(read_report("robustness")) if row["model"] == MODEL]
    clean = next(row for row in rows if row["condition"] == "as recorded")
    rows = [
        [
            row["condition"],
            f"{row['onset_f1']:.3f}",
            f"{row['onset_f1'] - clean['onset_f1']:+.3f}",
            f"{row['onset_f1_aligned_100ms']:.3f}",
            f"{row['frame_f1']:.3f}",
        ]
        for row in rows
    ]
    return markdown(header, rows) + "\n\n" + source(read_report("robustness"))


def domains() -> str:
    """Instruments and chains, left out of training and used."""
    header = ["instrument", "in training", "chain", "model", "onset F, deviation removed", "95 % interval"]
    header += ["precision", "recall", "+ offset", "frame F", "noticed"]
    names = ("onset_precision", "onset_recall", "onset_offset_f1", "frame_f1")
    rows = [
        [
            row["instrument"],
            row["training"],
            row["chain"],
            f"`{row['model']}`",
            f"{row['onset_f1_aligned']:.3f}",
            f"{row['low']:.3f}–{row['high']:.3f}",
            *(f"{row[name]:.3f}" for name in names),
            f"{row['noticed']:.0%}",
        ]
        for row in rows_of(read_report("domains"))
    ]
    return markdown(header, rows) + "\n\n" + source(read_report("domains"))


def calibration() -> str:
    """Scalings, and what they are worth on compositions that they were not fitted on."""
    header = ["model", "head", "temperature", "bias", "nats, as output", "scaled"]
    header += ["calibration error, as output", "scaled"]
    names = ("log_loss_before", "log_loss_after", "calibration_error_before", "calibration_error_after")
    rows = [
        [
            f"`{row['model']}`",
            row["head"],
            f"{row['temperature']:.2f}",
            f"{row['bias']:+.2f}",
            *(f"{row[name]:.3f}" for name in names),
        ]
        for row in rows_of(read_report("calibration"))
        if row["part"] == "summary"
    ]
    return markdown(header, rows) + "\n\n" + source(read_report("calibration"))


def labels() -> str:
    """Where labels lie against the sound, before and after they are moved onto it."""
    report = read_report("labels")
    header = [
        "recordings",
        "instrument",
        "notes",
        "before, ms",
        "off by > 30 ms",
        "after, ms",
        "off by > 30 ms",
    ]
    header += ["soft notes after, ms", "off by > 30 ms"]
    rows = [
        [
            row["corpus"],
            row["instrument"],
            str(row["notes"]),
            *(
                text
                for when in ("before", "after", "soft_after")
                for text in (
                    f"{row[f'{when}_median_ms']:+.1f} ± {row[f'{when}_spread_ms']:.1f}",
                    f"{100 * row[f'{when}_far']:.1f} %",
                )
            ),
        ]
        for row in rows_of(report)
    ]
    return markdown(header, rows) + "\n\n" + source(report)


def softness() -> str:
    """How much softer soft notes sound, in recordings and in what training plays."""
    report = read_report("softness")
    header = ["recordings", "instrument", "recordings of it", "notes that begin alone", "power"]
    rows = [
        [
            row["corpus"],
            row["instrument"],
            str(row["recordings"]),
            str(row["notes"]),
            f"{row['power']:.2f} ± {row['error']:.2f}",
        ]
        for row in rows_of(report)
    ]
    return markdown(header, rows) + "\n\n" + source(report)


TABLES: dict[str, Callable[[], str]] = {
    "acoustic_models": acoustic_models,
    "ablations": ablations,
    "longer_ablations": longer_ablations,
    "robustness": robustness,
    "domains": domains,
    "calibration": calibration,
    "labels": labels,
    "softness": softness,
}
