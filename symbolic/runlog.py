"""The log of a training run, as JSON lines: one object for each validation."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from symbolic.files import replacing

FILE = "log.jsonl"


def begin_log(folder: Path, step: int) -> None:
    """Begin the log of a run; of one resumed at `step` > 0, take out what it will do again."""
    path, kept = folder / FILE, []
    if step and path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue  # cut short by a full disk
            at = row.get("step", step) if isinstance(row, dict) else None
            if isinstance(at, int | float) and at <= step:
                kept.append(line + "\n")
    with replacing(path) as temporary:
        temporary.write_text("".join(kept), encoding="utf-8")


def add_to_log(folder: Path, row: Mapping[str, float | str]) -> None:
    """One more line; numbers that are not finite, which JSON has none of, become null."""
    plain = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
    with (folder / FILE).open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(plain) + "\n")
