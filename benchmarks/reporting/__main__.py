"""`python -m benchmarks.reporting`: writes the tables of `benchmarks/results` into README.md and docs/."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.reporting import (
    acoustic_tables,
    beat_tables,
    decoding_tables,
    error_tables,
    paper_tables,
    prior_tables,
    reliability_tables,
    score_tables,
    symbolic_tables,
    transcription_tables,
)
from benchmarks.reporting.form import ROOT
from benchmarks.reporting.markdown import filled
from symbolic.errors import NotebeamError
from symbolic.files import replacing

TABLES: dict[str, Callable[[], str]] = {
    **transcription_tables.TABLES,
    **acoustic_tables.TABLES,
    **symbolic_tables.TABLES,
    **decoding_tables.TABLES,
    **paper_tables.TABLES,
    **prior_tables.TABLES,
    **reliability_tables.TABLES,
    **score_tables.TABLES,
    **beat_tables.TABLES,
    **error_tables.TABLES,
}


def pages(root: Path = ROOT) -> list[Path]:
    """Every page that may hold tables."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def main(argv: Sequence[str] | None = None) -> int:
    """Fill all pages; with `--check` only say which are not up to date. The exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reporting", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 if a page is out of date"
    )
    args = parser.parse_args(argv)
    stale = False
    for page in pages():
        text = page.read_text(encoding="utf-8")
        try:
            new = filled(text, TABLES, page.relative_to(ROOT).as_posix())
        except NotebeamError as error:
            print(f"benchmarks.reporting: {error}", file=sys.stderr)
            return 1
        if new == text:
            continue
        stale = True
        print(f"{page.relative_to(ROOT)}: {'stale' if args.check else 'written'}")
        if not args.check:
            with replacing(page) as temporary:
                temporary.write_text(new, encoding="utf-8")
    return 1 if stale and args.check else 0


if __name__ == "__main__":
    sys.exit(main())
