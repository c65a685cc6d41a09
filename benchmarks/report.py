"""The form in which every benchmark leaves its answer: `benchmarks/results/NAME.json`.

Is: the header (question, command, commit, machine, versions) and the file.
Is not: a measurement, or the README's tables (benchmarks.tables).
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import cast

from symbolic.files import replacing

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "numpy", "mir_eval", "librosa", "soundfile")
MADE = (
    ":!benchmarks/results",
    ":!README.md",
    ":!docs",
    ":!acoustic/weights",
)  # changes that benchmarks themselves make
Row = Mapping[str, str | int | float]


def write_report(
    name: str, question: str, settings: Mapping[str, object], rows: Sequence[Row], folder: Path = RESULTS
) -> Path:
    """Write the answer of benchmark `name`; units stand in the rows' keys."""
    found = {
        "question": question,
        "command": " ".join(["python", "-m", f"benchmarks.{name}", *sys.argv[1:]]),
        **origin(),
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
        "settings": dict(settings),
        "rows": [dict(row) for row in rows],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")
    return path


def merge_report(
    name: str,
    question: str,
    settings: Mapping[str, object],
    rows: Sequence[Row],
    keys: Sequence[str],
    folder: Path = RESULTS,
) -> Path:
    """`write_report` of the rows that are there and these, which replace all with the same `keys`.

    Each row carries its own commit, date and machine, since they need not be of one run.
    """
    found: dict[tuple[object, ...], list[Row]] = {}
    if (folder / f"{name}.json").is_file():
        found = _grouped(cast("list[Row]", read_report(name, folder)["rows"]), keys)
    made = origin()
    found |= _grouped([{**row, **made} for row in rows], keys)
    return write_report(name, question, settings, list(chain.from_iterable(found.values())), folder)


def _grouped(rows: Sequence[Row], keys: Sequence[str]) -> dict[tuple[object, ...], list[Row]]:
    """Rows by their values at `keys`, in order."""
    found: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row.get(key) for key in keys), []).append(row)
    return found


def origin() -> dict[str, str]:
    """Where and when figures are made."""
    return {
        "commit": _git("rev-parse", "--short", "HEAD")
        + ("+" if _git("status", "--porcelain", "-uno", "--", ".", *MADE) else ""),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
    }


def read_report(name: str, folder: Path = RESULTS) -> dict[str, object]:
    """What `write_report` wrote."""
    found: dict[str, object] = json.loads((folder / f"{name}.json").read_text())
    return found


def peak_memory_mb() -> int:
    """Largest memory this process has held, MB.

    From Linux' own status, where there is one: getrusage remembers that of the process which forked this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return round(int(line.split()[1]) / 1024)
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _git(*words: str) -> str:
    """Output of a git command, empty outside a checkout."""
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    """The processor's own name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    names = (
        [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0].split(":", 1)[1].strip() if names else platform.machine()
