"""Tables of the symbolic models: likelihoods beside published figures, costs, drawn music."""

from collections.abc import Callable

from benchmarks.reporting.form import read_report
from benchmarks.reporting.markdown import Report, markdown, rows_of, source
from benchmarks.reporting.published import SET_TITLES, TITLES


def priors() -> str:
    """Likelihoods of the shipped priors of performances."""
    report = read_report("priors")
    header = ["prior", "test set", "steps", "nats a step", "note 1-gram", "parameters", "minutes of training"]
    rows = [
        [
            f"`{row['prior']}`",
            row["dataset"],
            str(row["steps"]),
            f"{row['log_likelihood_nats_per_step']:.3f}",
            f"{row['note_1_gram_nats_per_step']:.3f}",
            f"{row['parameters']:,}",
            f"{row['training_minutes']:.1f}",
        ]
        for row in rows_of(report)
        if row["dataset"] not in SET_TITLES
    ]
    return markdown(header, rows) + "\n\n" + source(report)


def symbolic_models() -> str:
    """Every symbolic model on the classic sets, ours / published: log-likelihood, then expected ACC12."""
    report = read_report("symbolic_models")
    cells = {(row["row"], row["set"]): row for row in rows_of(report)}
    names = dict.fromkeys([*TITLES, *(row for row, _ in cells)])
    header = ["nats a step, ours / published", *SET_TITLES.values()]
    header += [f"ACC12 %, {title}" for title in SET_TITLES.values()]
    rows = [
        [
            TITLES.get(name, f"`{name}`"),
            *(_nats(cells.get((name, dataset))) for dataset in SET_TITLES),
            *(_percent(cells.get((name, dataset))) for dataset in SET_TITLES),
        ]
        for name in names
        if any((name, dataset) in cells for dataset in SET_TITLES)
    ]
    dates = sorted({row["date"] for row in cells.values()})
    where = (
        f"{' to '.join(dict.fromkeys([dates[0], dates[-1]]))}; each row's commit and settings are in its JSON"
    )
    notes = (
        "±: log Z is an estimate, and this its standard error. †: more than 5 % below the published figure."
    )
    return f"{markdown(header, rows)}\n\n{notes}\n\n`python -m benchmarks.symbolic_models`, {where}."


def symbolic_costs() -> str:
    """What training cost: parameters, minutes, the step that was kept, on each set."""
    report = read_report("symbolic_models")
    cells = {(row["row"], row["set"]): row for row in rows_of(report) if row["kind"] != "closed form"}
    names = dict.fromkeys([*TITLES, *(row for row, _ in cells)])
    header = ["parameters; minutes; step kept; seed", *SET_TITLES.values()]
    rows = [
        [TITLES.get(name, f"`{name}`"), *(_cost(cells.get((name, dataset))) for dataset in SET_TITLES)]
        for name in names
        if any((name, dataset) in cells for dataset in SET_TITLES)
    ]
    return markdown(header, rows)


def symbolic_ablations() -> str:
    """LSTM-ConvNADE trained with one thing changed at a time: nats a step, and the updates to them."""
    report = read_report("symbolic_ablations")
    cells = {(str(row["variant"]), row["set"]): row for row in rows_of(report)}
    header = ["nats a step (update kept)", *SET_TITLES.values()]
    rows = [
        [variant, *(_variant(cells.get((variant, dataset))) for dataset in SET_TITLES)]
        for variant in dict.fromkeys(variant for variant, _ in cells)
    ]
    return markdown(header, rows) + "\n\n" + source(report)


def _variant(row: Report | None) -> str:
    if row is None:
        return ""
    kept = f" ({row['best_step']})" if "best_step" in row else ""
    return f"{row['log_likelihood_nats_per_step']:.3f}{kept}"


def shared_tunes() -> str:
    """The chorales by whether training holds their tune."""
    report = read_report("shared_tunes")
    rows = rows_of(report)
    parts = {row["part"]: row["chorales"] for row in rows}
    nats = {(row["prior"], row["part"]): row["log_likelihood_nats_per_step"] for row in rows}
    header = ["nats a step", *(f"{part} ({count})" for part, count in parts.items())]
    table = [
        [f"`{prior}`", *(f"{nats[prior, part]:.2f}" for part in parts)]
        for prior in dict.fromkeys(row["prior"] for row in rows)
    ]
    return markdown(header, table) + "\n\n" + source(report)


def padding() -> str:
    """Readings of one printed figure: the splits of the chorales, by every definition that might be meant."""
    report = read_report("padding")
    header = ["split", "real steps", "nats, real steps", "nats, padded", "log10, real steps", "ACC12"]
    header += ["ACC12, padded", "Bay"]
    names = ("nats", "nats_padded", "log10")
    rows = [
        [
            f"{row['split']} ({row['pieces']} pieces)",
            f"{100 * row['real_share']:.1f} %",
            *(f"{row[name]:.2f}" for name in names),
            *(f"{100 * row[name]:.1f}" for name in ("acc12", "acc12_padded", "bay")),
        ]
        for row in rows_of(report)
    ]
    return markdown(header, rows) + "\n\n" + source(report)


def real_sequences() -> str:
    """Squared errors one step ahead of what is no piano roll."""
    report = read_report("real_sequences")
    header = [
        "sequences",
        "prior",
        "a frame",
        "published",
        "a number",
        "published",
        "mean of 20 chains, a frame",
    ]
    header += ["parameters", "minutes"]

    def cell(row: Report, name: str, digits: int) -> str:
        return f"{row[name]:.{digits}f}" if name in row else ""

    rows = [
        [
            row["set"],
            row["row"],
            cell(row, "squared_error_per_frame", 2),
            cell(row, "published_per_frame", 2),
            cell(row, "squared_error_per_dimension", 3),
            cell(row, "published_per_dimension", 2),
            cell(row, "squared_error_per_frame_mean_of_20", 2),
            f"{row['parameters']:,}" if "parameters" in row else "",
            cell(row, "training_minutes", 1),
        ]
        for row in rows_of(report)
    ]
    return markdown(header, rows) + "\n\n" + source(report)


def generation() -> str:
    """What can be counted in real and drawn music."""
    report = read_report("generation")
    names = [name for name in rows_of(report)[0] if name not in ("music", "pieces")]
    rows = [[name.replace("_", " "), *(f"{row[name]:.3g}" for row in rows_of(report))] for name in names]
    header = ["", *(f"{row['music']}, {row['pieces']} pieces" for row in rows_of(report))]
    return markdown(header, rows) + "\n\n" + source(report)


def partition() -> str:
    """One RBM type's log-likelihood by the number of temperatures of AIS."""
    report = read_report("partition")
    counts = list(dict.fromkeys(row["temperatures"] for row in rows_of(report)))
    cells = {(row["base"], row["temperatures"]): row for row in rows_of(report)}
    rows = [
        [
            base,
            *(
                f"{cells[base, count]['log_likelihood_nats_per_step']:.2f}"
                f" ({cells[base, count]['standard_error_of_a_step']:.2f})"
                for count in counts
            ),
        ]
        for base in dict.fromkeys(row["base"] for row in rows_of(report))
    ]
    return markdown(["base \\ temperatures", *map(str, counts)], rows) + "\n\n" + source(report)


def _nats(row: Report | None) -> str:
    """Ours / published of one cell."""
    if row is None:
        return ""
    error = f" ± {row['standard_error']:.2f}" if "standard_error" in row else ""
    ours = f"{row['log_likelihood_nats_per_step']:.2f}{error}"
    if "published_nats_per_step" not in row:
        return ours
    mark = "" if row["within_5_percent_or_better"] else " †"
    return f"{ours} / {row['published_nats_per_step']:.2f}{mark}"


def _percent(row: Report | None) -> str:
    if row is None:
        return ""
    theirs = f" / {100 * row['published_acc12']:.1f}" if "published_acc12" in row else ""
    return f"{100 * row['acc12']:.1f}{theirs}"


def _cost(row: Report | None) -> str:
    if row is None:
        return ""
    kept = row.get("best_step", row.get("best_update", row.get("chosen_update")))
    parts = [f"{row['parameters']:,}" if "parameters" in row else "–"]
    parts += [f"{row['minutes']:.1f}" if "minutes" in row else "–", "–" if kept is None else str(kept)]
    return "; ".join([*parts, str(row.get("seed", "–"))])


TABLES: dict[str, Callable[[], str]] = {
    "priors": priors,
    "symbolic_models": symbolic_models,
    "symbolic_costs": symbolic_costs,
    "symbolic_ablations": symbolic_ablations,
    "padding": padding,
    "shared_tunes": shared_tunes,
    "real_sequences": real_sequences,
    "partition": partition,
    "generation": generation,
}
