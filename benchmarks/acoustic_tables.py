"""The README's tables of the acoustic models.

Is: one function a table.
Is not: a measurement, or the places in the README (benchmarks.tables).
"""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.markdown import markdown
from benchmarks.report import read_report

Row = Mapping[str, Any]


def acoustic_models() -> str:
    """Scores and costs of the shipped models."""
    header = [
        "model",
        "numbers",
        "parameters",
        "**onset F**",
        "95 % interval",
        "deviation removed",
        "and 100 ms",
    ]
    header += ["+ offset", "+ velocity", "frame F", "real-time factor", "peak MB", "start-up"]
    names = ("onset_f1_aligned", "onset_f1_aligned_100ms", "onset_offset_f1", "onset_offset_velocity_f1",
             "frame_f1", "real_time_factor")  # fmt: skip
    rows = [
        [
            f"`{row['model']}`",
            row["precision"],
            f"{row['parameters']:,}",
            f"{row['onset_f1']:.3f}",
            f"{row['onset_f1_low']:.3f}–{row['onset_f1_high']:.3f}",
            *(f"{row[name]:.3f}" for name in names),
            str(row["peak_memory_mb"]),
            f"{row['start_up_seconds']:.1f} s",
        ]
        for row in _rows("acoustic_models")
    ]
    return markdown(header, rows) + "\n\n" + _source("acoustic_models")


def ablations() -> str:
    """One thing changed at a time."""
    header = ["the small model, trained briefly", "onset F", "difference, 95 % interval"]
    header += ["deviation removed, 100 ms", "+ offset", "+ velocity", "frame F"]
    names = ("onset_f1_aligned_100ms", "onset_offset_f1", "onset_offset_velocity_f1", "frame_f1")
    rows = [
        [
            row["variant"],
            f"{row['onset_f1']:.3f}",
            f"{row['difference_low']:+.3f} to {row['difference_high']:+.3f}" if number else "",
            *(f"{row[name]:.3f}" for name in names),
        ]
        for number, row in enumerate(_rows("ablations"))
    ]
    return markdown(header, rows) + "\n\n" + _source("ablations")


def robustness() -> str:
    """Spoilt recordings."""
    header = ["the recordings", "onset F", "change", "deviation removed, 100 ms", "frame F"]
    unspoilt = next(row for row in _rows("robustness") if row["condition"] == "as recorded")
    rows = [
        [
            row["condition"],
            f"{row['onset_f1']:.3f}",
            f"{row['onset_f1'] - unspoilt['onset_f1']:+.3f}",
            f"{row['onset_f1_aligned_100ms']:.3f}",
            f"{row['frame_f1']:.3f}",
        ]
        for row in _rows("robustness")
    ]
    return markdown(header, rows) + "\n\n" + _source("robustness")


def calibration() -> str:
    """Scalings, and what they are worth on compositions that they were not fitted on."""
    header = ["head", "temperature", "bias", "nats, as the network says", "scaled"]
    header += ["calibration error, as the network says", "scaled"]
    names = ("log_loss_before", "log_loss_after", "calibration_error_before", "calibration_error_after")
    rows = [
        [
            row["head"],
            f"{row['temperature']:.2f}",
            f"{row['bias']:+.2f}",
            *(f"{row[name]:.3f}" for name in names),
        ]
        for row in _rows("calibration")
        if row["part"] == "summary"
    ]
    return markdown(header, rows) + "\n\n" + _source("calibration")


def _rows(name: str) -> list[Row]:
    rows: list[Row] = read_report(name)["rows"]  # type: ignore[assignment]
    return rows


def _source(name: str) -> str:
    report = read_report(name)
    return f"`{report['command']}`, commit {report['commit']}, {report['date']}, {report['machine']}."


TABLES: dict[str, Callable[[], str]] = {
    "acoustic_models": acoustic_models,
    "robustness": robustness,
    "calibration": calibration,
}
