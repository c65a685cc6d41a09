"""Tables of beats: the tracker, and priors at their own steps."""

from collections.abc import Callable

from benchmarks.reporting.form import read_report
from benchmarks.reporting.markdown import markdown, rows_of, source


def beats() -> str:
    """F-measures of the tracker, averaged over performances."""
    report = read_report("beats")
    header = ["heard", "performances", "beat F", "downbeat F", "metre right", "key right", "thirds right"]
    rows = [
        [
            row["system"],
            row["performance"].removeprefix("average of "),
            f"{row['beat_f1']:.3f}",
            *(
                "–" if "librosa" in row["system"] else cell
                for cell in (
                    f"{row['downbeat_f1']:.3f}",
                    *(f"{row[name]:.0%}" for name in ("beats_a_bar_right", "key_right", "thirds_right")),
                )
            ),
        ]
        for row in rows_of(report)
        if row["performance"].startswith("average of")
    ]
    return markdown(header, rows) + "\n\n" + source(report)


def clock_beats() -> str:
    """Priors at their own steps, beside a threshold and the default."""
    report = read_report("clock_beats")
    header = ["music", "heard", "decoder", "beats", "pieces", "onset F, deviation removed", "frame F"]
    header += ["over the default (95 %)", "over the threshold (95 %)"]
    rows = [
        [
            row["material"],
            row["heard"],
            row["decoder"] if not row["beats"] else f"`{row['decoder']}`",
            row["beats"] or "–",
            str(row["pieces"]),
            f"{row['onset_f1_aligned']:.3f}",
            f"{row['frame_f1']:.3f}",
            *(
                f"{row[name]:+.3f} ({row[name + '_low']:+.3f} to {row[name + '_high']:+.3f})"
                for name in ("gain_over_default", "gain_over_threshold")
            ),
        ]
        for row in rows_of(report)
    ]
    return markdown(header, rows) + "\n\n" + source(report)


TABLES: dict[str, Callable[[], str]] = {"beats": beats, "clock_beats": clock_beats}
