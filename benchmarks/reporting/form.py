"""The form of a benchmark's answer: one JSON file, by default `benchmarks/results/NAME.json`."""

import argparse
import functools
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

from symbolic.errors import NotebeamError
from symbolic.files import replacing

ROOT = Path(__file__).parents[2]  # of the repository
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("torch", "numpy", "mir_eval", "librosa", "soundfile")
GENERATED = (
    ":!benchmarks/results",
    ":!README.md",
    ":!docs",
    ":!acoustic/weights",
)  # by benchmarks themselves
Row = Mapping[str, str | int | float]


def benchmark_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Parser of the command `benchmarks.NAME`, with the flag that all of them have."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=RESULTS / f"{name}.json",
        metavar="FILE.json",
        help=f"where the answer goes (default: benchmarks/results/{name}.json)",
    )
    return parser


def parsed(parser: argparse.ArgumentParser, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Arguments of a command that writes a report; ends it in one line if it may not (`check_committed`)."""
    args = parser.parse_args(argv)
    try:
        check_committed(args.output)
    except NotebeamError as error:
        parser.error(str(error))
    return args


def check_committed(output: Path) -> None:
    """Refuse to write into `benchmarks/results` what no commit can make again.

    Long benchmarks call this before they begin. Anywhere else figures of uncommitted code may be written:
    their commit ends in "+".

    Raises:
        NotebeamError: the code differs from its commit, or there is none.
    """
    commit = origin()["commit"]
    if output.resolve().parent == RESULTS and (not commit or commit.endswith("+")):
        expected = "committed code, or -o with a file elsewhere"
        raise NotebeamError(str(output), "figures of uncommitted code", expected)


def write_report(output: Path, question: str, settings: Mapping[str, object], rows: Sequence[Row]) -> None:
    """Write the answer to `question`; the units of a row's numbers stand in its keys."""
    check_committed(output)
    report = {
        "question": question,
        "command": command_line(),
        **origin(),
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
        "settings": dict(settings),
        "rows": [dict(row) for row in rows],
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(output) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def merge_report(
    output: Path,
    question: str,
    settings: Mapping[str, object],
    rows: Sequence[Row],
    keys: Sequence[str],
) -> None:
    """`write_report` of the rows in the file and these, which replace all with the same values of `keys`.

    Each row carries a commit, date and machine of its own, since they need not be of one run; a row that
    already has them keeps them.
    """
    merged: dict[tuple[object, ...], list[Row]] = {}
    if output.is_file():
        stored = json.loads(output.read_text(encoding="utf-8"))
        merged = _grouped(cast("list[Row]", stored["rows"]), keys)
    merged |= _grouped([{**origin(), **row} for row in rows], keys)
    write_report(output, question, settings, list(chain.from_iterable(merged.values())))


def _grouped(rows: Sequence[Row], keys: Sequence[str]) -> dict[tuple[object, ...], list[Row]]:
    """Rows by their values at `keys`, in order."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(key) for key in keys), []).append(row)
    return groups


@functools.cache  # the code that runs is the one that was there when the command began
def origin() -> dict[str, str]:
    """Commit (with "+" where files differ from it), date and machine of this process."""
    return {
        "commit": _git("rev-parse", "--short", "HEAD")
        + ("+" if _git("status", "--porcelain", "--", ".", *GENERATED) else ""),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
    }


def read_report(name: str, folder: Path = RESULTS) -> dict[str, object]:
    """The report of benchmark `name`."""
    report: dict[str, object] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return report


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


def command_line() -> str:
    """The command that was typed."""
    spec = sys.modules["__main__"].__spec__
    return " ".join(["python", "-m", spec.name if spec else sys.argv[0], *sys.argv[1:]])


def _git(*words: str) -> str:
    """Output of a git command in the repository; empty where there is none."""
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    """The processor's own name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line for line in lines if line.startswith("model name")]
    return names[0].split(":", 1)[1].strip() if names else platform.machine()
