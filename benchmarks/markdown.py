"""Tables as text.

Is: the one form that all tables of the README have.
Is not: what stands in them (benchmarks.tables, benchmarks.decoding_tables).
"""

from collections.abc import Sequence


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text cells."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
