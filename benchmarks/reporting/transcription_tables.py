"""Tables of transcription: decoders, recordings, settings, the whole command."""

from collections.abc import Callable

from benchmarks.reporting.form import read_report
from benchmarks.reporting.markdown import markdown, points, rows_of, source
from benchmarks.reporting.published import MAPS_SYSTEMS

HEADLINE = ("threshold", "beam")  # of our decoders, beside other systems


def headline() -> str:
    """Ours beside other systems on the same recordings."""
    report = read_report("transcription")
    names = ("onset_f1_aligned", "onset_f1_aligned_100ms", "onset_f1", "onset_offset_f1", "frame_f1")
    header = [
        "system",
        "onset F, deviation removed",
        "and 100 ms",
        "onset F, plain",
        "onset + offset F",
        "frame F",
    ]
    average = {row["decoder"]: row for row in rows_of(report) if row["recording"] == "macro average"}
    systems = {f"notebeam, {decoder}": average[decoder] for decoder in HEADLINE} | MAPS_SYSTEMS
    rows = [[title, *(f3(system[name]) for name in names)] for title, system in systems.items()]
    notes = "The rows of other systems were measured by others, on the same recordings with the same scores."
    return f"{markdown(header, rows)}\n\nOurs: {source(report)} {notes}"


def f3(value: float) -> str:
    """A ratio, to three decimals."""
    return f"{value:.3f}"


def transcription() -> str:
    """The decoders as shipped: macro averages."""
    report = read_report("transcription")
    names = ("onset_f1_aligned", "onset_f1_aligned_100ms", "onset_precision", "onset_recall", "onset_f1",
             "onset_offset_f1", "onset_offset_velocity_f1", "frame_f1", "frame_accuracy")  # fmt: skip
    header = ["decoder", "**onset F, deviation removed**", "and 100 ms", "plain: P", "R", "F", "+ offset"]
    header += ["+ velocity", "frame F", "frame accuracy", "real-time factor", "peak MB"]
    average = [row for row in rows_of(report) if row["recording"] == "macro average"]
    rows = [
        [
            row["decoder"],
            *(f3(row[name]) for name in names),
            f3(row["real_time_factor"]),
            str(row["peak_memory_mb"]),
        ]
        for row in average
    ]
    return markdown(header, rows) + "\n\n" + source(report)


def recordings() -> str:
    """The default decoder, recording by recording."""
    report = read_report("transcription")
    names = ("onset_f1", "onset_f1_aligned", "onset_f1_aligned_100ms", "onset_offset_f1", "frame_f1")
    header = [
        "recording",
        "onset F",
        "deviation removed",
        "and 100 ms",
        "+ offset",
        "frame F",
        "median deviation",
    ]
    rows = [
        [row["recording"], *(f3(row[name]) for name in names), f"{1000 * row['median_deviation']:+.0f} ms"]
        for row in rows_of(report)
        if row["decoder"] == "beam"
    ]
    return markdown(header, rows)


def tuning() -> str:
    """Cross-validated figures and the settings found."""
    report = read_report("tuning")
    names = ("onset_f1_aligned_100ms", "onset_f1", "onset_offset_f1", "frame_f1")
    header = [
        "decoder",
        "onset F, deviation removed, cross-validated",
        "95 % interval",
        "and 100 ms",
        "plain",
    ]
    header += ["+ offset", "frame F", "best setting on all", "which has there"]
    rows = [
        [
            row["decoder"],
            f3(row["onset_f1_aligned"]),
            f"{row['onset_f1_aligned_low']:.3f}–{row['onset_f1_aligned_high']:.3f}",
            *(f3(row[name]) for name in names),
            ", ".join(f"{k[5:]} {v}" for k, v in row.items() if k.startswith("best_")),
            f3(row["onset_f1_aligned_best_setting"]),
        ]
        for row in rows_of(report)
    ]
    return markdown(header, rows) + "\n\n" + source(report)


def command() -> str:
    """Time and memory of the whole command."""
    report = read_report("command")
    header = ["music", "beside", "wall time", "real-time factor", "peak memory"]
    rows = [
        [
            f"{row['audio_seconds'] / 60:.0f} min",
            row.get("beside", "nothing"),
            f"{row['wall_seconds']:.1f} s",
            f3(row["real_time_factor"]),
            f"{row['peak_memory_mb']} MB",
        ]
        for row in rows_of(report)
    ]
    return markdown(header, rows) + "\n\n" + source(report)


def front_ends() -> str:
    """basic-pitch's probabilities, as notes by its own program and by ours."""
    report = read_report("front_ends")
    names = ("onset_f1", "onset_f1_aligned", "onset_f1_aligned_100ms", "onset_offset_f1", "frame_f1")
    header = [
        "notes by",
        "**onset F**",
        "95 % interval",
        "deviation removed",
        "and 100 ms",
        "+ offset",
        "frame F",
    ]
    rows = []
    for row in rows_of(report):
        if "onset_f1" not in row:
            continue
        first, *others = (f3(row[name]) for name in names)
        spread = f"{f3(row['onset_f1_low'])}–{f3(row['onset_f1_high'])}"
        rows.append([row["notes"], first, spread, *others])
    return markdown(header, rows) + "\n\n" + source(report)


def front_end_instruments() -> str:
    """The join for basic-pitch beside the prior of notes, on instruments that its fit left out."""
    report = read_report("front_ends")
    rows = [
        [
            row["notes"],
            row["group"],
            f3(row["prior_of_notes"]),
            f3(row["join"]),
            points(row, "gain"),
        ]
        for row in rows_of(report)
        if "gain" in row
    ]
    header = ["instrument", "", "prior of notes", "join", "gain, points"]
    return markdown(header, rows) + "\n\n" + source(report)


TABLES: dict[str, Callable[[], str]] = {
    "front_end_instruments": front_end_instruments,
    "front_ends": front_ends,
    "headline": headline,
    "transcription": transcription,
    "recordings": recordings,
    "tuning": tuning,
    "command": command,
}
