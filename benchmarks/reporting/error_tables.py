"""Tables of what decoders get wrong, and of other ways to join a prior of notes."""

from collections.abc import Callable

from benchmarks.reporting.form import read_report
from benchmarks.reporting.markdown import markdown, rows_of, source
from benchmarks.reporting.prior_tables import JOIN

THRESHOLD = "best threshold"
KINDS = {"found": "notes found", "false": "false notes", "missed": "missed notes"}


def error_kinds() -> str:
    """A row for each band and kind; for each condition the best threshold beside the join."""
    report = read_report("error_kinds")
    columns: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows_of(report):
        decoder = THRESHOLD if row["decoder"].startswith(THRESHOLD) else row["decoder"]
        columns.setdefault(row["condition"], {})[decoder] = row
    each = [columns[condition][decoder] for condition in columns for decoder in (THRESHOLD, JOIN)]
    names = sorted({name for row in each for name in row if name.split(",")[0] in KINDS}, key=_order)
    header = ["", *(f"{condition}: {name}" for condition in columns for name in ("threshold", "join"))]
    rows = [[_label(name), *(_cell(name, row.get(name, 0)) for row in each)] for name in names]
    rows.insert(0, ["notes played", *(str(row["notes"]) for row in each)])
    rows.insert(
        1, ["of them with a possible onset", *(f"{row['possible'] / row['notes']:.1%}" for row in each)]
    )
    return f"{markdown(header, rows)}\n\n{source(report)}"


def _order(name: str) -> tuple[int, str]:
    kind, rest = name.split(", ", 1)
    bands = ("velocity softer", "velocity", "register below", "register", "")
    return list(KINDS).index(
        kind
    ), f"{next(i for i, band in enumerate(bands) if rest.startswith(band))} {rest}"


def _label(name: str) -> str:
    kind, rest = name.split(", ", 1)
    return f"{KINDS[kind]}: {rest}"


def _cell(name: str, value: float) -> str:
    return f"{value:.1%}" if name.startswith("found") else str(int(value))


def log_linear() -> str:
    """A row for each condition and form."""
    report = read_report("log_linear")
    header = ["recordings", "form", "settings tried", "onset F, deviation removed", "and 100 ms"]
    header += ["gain over no prior", "at 100 ms"]
    rows = []
    for row in rows_of(report):
        gains = []
        for name in ("gain_50ms", "gain_100ms"):
            gain, low, high = (100 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
            gains.append("" if row["form"] == "no prior" else f"{gain:+.2f} ({low:+.2f} to {high:+.2f})")
        cells = [row["condition"], row["form"], str(row["settings"])]
        rows.append([*cells, f"{row['onset_f1_50ms']:.3f}", f"{row['onset_f1_100ms']:.3f}", *gains])
    return f"{markdown(header, rows)}\n\n{source(report)}"


TABLES: dict[str, Callable[[], str]] = {"error_kinds": error_kinds, "log_linear": log_linear}
