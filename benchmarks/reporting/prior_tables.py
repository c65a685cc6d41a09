"""Tables of what a prior is worth."""

from collections.abc import Callable
from typing import cast

from benchmarks.reporting.form import read_report
from benchmarks.reporting.markdown import markdown, points, rows_of, source

REAL = "maps/real-dev"
JOIN = "beam, join"
THRESHOLD = "best threshold"  # with its number in a row


def prior_gain() -> str:
    """Every decoder on real recordings, and the gain of the join over each."""
    return _on_real_recordings("prior_gain")


def prior_gain_small() -> str:
    """The same behind `piano-small`."""
    return _on_real_recordings("prior_gain_small")


def prior_gain_free() -> str:
    """The same behind `piano-free`."""
    return _on_real_recordings("prior_gain_free")


def _on_real_recordings(name: str) -> str:
    report = read_report(name)
    header = ["recordings", "decoder", "onset F, deviation removed", "and 100 ms", "plain", "+ offset"]
    header += ["the join's gain", "at 100 ms", "real-time factor of decoding"]
    rows = [
        [
            row["condition"],
            row["decoder"],
            *(
                f"{row[name]:.3f}"
                for name in ("onset_f1_aligned", "onset_f1_aligned_100ms", "onset_f1", "onset_offset_f1")
            ),
            _gain(row, "onset_f1_aligned"),
            _gain(row, "onset_f1_aligned_100ms"),
            f"{row['decoding_real_time_factor']:.3f}",
        ]
        for row in rows_of(report)
        if row["group"] == REAL
    ]
    return markdown(header, rows) + "\n\n" + source(report)


def prior_domains() -> str:
    """The same at 100 ms where nothing was trained: a row for each instrument and chain."""
    report = read_report("prior_gain")
    by_condition: dict[str, dict[str, dict[str, float]]] = {}
    groups = {}
    for row in rows_of(report):
        if row["group"] == REAL:
            continue
        by_condition.setdefault(row["condition"], {})[decoder_of(row)] = row
        groups[row["condition"]] = row["group"]
    name = "onset_f1_aligned_100ms"
    decoders = (THRESHOLD, "hmm", "beam, prior of notes", JOIN)
    header = ["instrument, chain", "", *decoders, "gain over best threshold", "over prior of notes"]
    rows = [
        [
            condition,
            groups[condition],
            *(f"{found[decoder][name]:.3f}" for decoder in decoders),
            _gain(found[THRESHOLD], name),
            _gain(found["beam, prior of notes"], name),
        ]
        for condition, found in sorted(by_condition.items(), key=lambda item: groups[item[0]])
    ]
    return markdown(header, rows) + "\n\n" + source(report)


def confidence() -> str:
    """Mean confidence beside the share of notes that was played, by condition, and what it says of a file."""
    report = read_report("confidence")
    header = ["recordings", "", "join: confidence", "precision", "prior of notes: confidence", "precision"]
    priors = ("join", "prior of notes")
    names = [f"{prior}: {name}" for prior in priors for name in ("confidence", "precision")]
    rows = [
        [row["condition"], row["group"], *(f"{row[name]:.3f}" for name in names)] for row in rows_of(report)
    ]
    settings = cast("dict[str, float]", report["settings"])
    said = ", ".join(f"{settings[f'{prior}: correlation']:.2f} ({prior})" for prior in priors)
    line = f"Correlation of a recording's mean confidence with its F, over all of them: {said}."
    return f"{markdown(header, rows)}\n\n{line}\n\n{source(report)}"


def decoder_of(row: dict[str, str]) -> str:
    """A row's decoder, without the number of a threshold."""
    return THRESHOLD if row["decoder"].startswith(THRESHOLD) else row["decoder"]


def _gain(row: dict[str, float], name: str) -> str:
    """Points of F, with the interval; nothing for the join itself."""
    return points(row, f"{name}_gain") if f"{name}_gain" in row else ""


TABLES: dict[str, Callable[[], str]] = {
    "prior_gain": prior_gain,
    "prior_gain_small": prior_gain_small,
    "prior_gain_free": prior_gain_free,
    "prior_domains": prior_domains,
    "confidence": confidence,
}
