"""Tables of what is written for score programs (`benchmarks.scores`, `benchmarks.hands`)."""

from benchmarks.reporting.form import read_report
from benchmarks.reporting.markdown import markdown, rows_of, source


def scores() -> str:
    """Metre and ties, piece by piece and in all."""
    report = read_report("scores")
    counts = ("ties_true_midi", "ties_midi", "ties_score")
    rows = [
        [f"`{row['piece']}`", str(row["notes"]), row["true_metre"], row["metre"]]
        + [str(row[name]) for name in counts]
        for row in rows_of(report)
    ]
    right = sum(row["metre"] == row["true_metre"] for row in rows_of(report))
    totals = [str(sum(row[name] for row in rows_of(report))) for name in counts]
    rows.append(["all", str(sum(row["notes"] for row in rows_of(report))), "", f"{right} right", *totals])
    header = ["piece", "notes", "metre", "found", "ties: true notes' MIDI", "our MIDI", "our MusicXML"]
    return markdown(header, rows) + "\n\n" + source(report)


def hands() -> str:
    """Share of the notes in the right hand, piece by piece and of all."""
    report = read_report("hands")
    shares = ("middle_c", "best_split", "model", "model_uneven")
    rows = [
        [row["composer"], f"`{row['piece'].split('.')[0]}`", f"{row['notes']:.0f}"]
        + [f"{row[name]:.3f}" for name in shares]
        for row in rows_of(report)
    ]
    rows[-1][1] = rows_of(report)[-1]["piece"]
    header = ["composer", "piece", "notes", "split at middle C", "best split", "**hand model**"]
    return markdown([*header, "played unevenly"], rows) + "\n\n" + source(report)


TABLES = {"scores": scores, "hands": hands}
