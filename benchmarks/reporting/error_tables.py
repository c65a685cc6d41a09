"""Tables of what decoders get wrong, and of other ways to join a prior of notes."""

from collections.abc import Callable
from itertools import chain

from benchmarks.reporting.form import read_report
from benchmarks.reporting.markdown import markdown, points, rows_of, source
from benchmarks.reporting.prior_tables import JOIN, THRESHOLD, decoder_of

KINDS = {"found": "notes found", "false": "false notes", "missed": "missed notes"}


def error_kinds() -> str:
    """A row for each band and kind; for each condition the best threshold beside the join."""
    report = read_report("error_kinds")
    columns: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows_of(report):
        columns.setdefault(row["condition"], {})[decoder_of(row)] = row
    each = [columns[condition][decoder] for condition in columns for decoder in (THRESHOLD, JOIN)]
    names = [name for kind in KINDS for name in dict.fromkeys(chain(*each)) if name.startswith(f"{kind}, ")]
    header = ["", *(f"{condition}: {name}" for condition in columns for name in ("threshold", "join"))]
    rows = [[_label(name), *(_cell(name, row.get(name, 0)) for row in each)] for name in names]
    rows.insert(0, ["notes played", *(str(row["notes"]) for row in each)])
    rows.insert(
        1, ["of them with a possible onset", *(f"{row['possible'] / row['notes']:.1%}" for row in each)]
    )
    return f"{markdown(header, rows)}\n\n{source(report)}"


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
        is_base = row["form"] == "no prior"
        gains = ["" if is_base else points(row, name) for name in ("gain_50ms", "gain_100ms")]
        cells = [row["condition"], row["form"], str(row["settings"])]
        rows.append([*cells, f"{row['onset_f1_50ms']:.3f}", f"{row['onset_f1_100ms']:.3f}", *gains])
    return f"{markdown(header, rows)}\n\n{source(report)}"


def audibility() -> str:
    """How many of the notes that can be judged do not rise at their onset."""
    report = read_report("audibility")
    rows = rows_of(report)
    kinds = list(dict.fromkeys(str(row["kind"]) for row in rows))
    cells = {
        (row["velocity"], row["kind"]): f"{row['silent']} of {row['judged']} ({row['notes']:,})"
        for row in rows
    }
    header = ["velocity", *(f"synthesised: {kind}" if kind == "all" else kind for kind in kinds)]
    bands = dict.fromkeys(row["velocity"] for row in rows)
    body = [[str(band), *(cells[band, kind] for kind in kinds)] for band in bands]
    return markdown(header, body) + "\n\n" + source(report)


TABLES: dict[str, Callable[[], str]] = {
    "error_kinds": error_kinds,
    "log_linear": log_linear,
    "audibility": audibility,
}
