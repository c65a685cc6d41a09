"""How fast are many recordings done by one process, by `--jobs`, over Ray, and does memory stay flat?

Is: wall time of whole commands on the same minutes of music, start-up included; the largest memory of any of
their processes that holds models; and over many short files that memory early and late.
Is not: the command on one recording (benchmarks.command).

    python -m benchmarks.archive --parts ways     # one process, one thread and more; two; Ray: each twice
    python -m benchmarks.archive --parts processes --count 8 --seconds 240 --repeats 1   # the last two alone
    python -m benchmarks.archive --parts short    # --short 1000
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from acoustic.audio import RATE_HZ, read_audio
from benchmarks.reporting.form import benchmark_parser, merge_report, parsed
from symbolic.datasets.maps import read_maps

QUESTION = "How fast are many recordings done, and in how much memory?"
PARTS = ("ways", "processes", "short")
WAYS = {
    "one process, one thread": ["transcribe", "--threads", "1"],
    "one process": ["transcribe"],
    "--jobs {jobs}": ["transcribe", "--jobs", "{jobs}"],
    "Ray, {jobs} actors": ["transcribe.archive", "--jobs", "{jobs}"],
}
PROCESSES = list(WAYS)[2:]  # on two cores as many processes, with and without Ray
SAMPLED_EVERY = 0.5  # seconds
MODELS_MB = 150  # that a process with models has at least
Row = dict[str, str | int | float]


def cut_into(folder: Path, count: int, seconds: float) -> None:
    """So many recordings of that length, from the development recordings."""
    audio = np.concatenate([read_audio(one.audio) for one in read_maps("real-dev")])
    length = round(seconds * RATE_HZ)
    for number in range(count):
        begin = (number * length) % (len(audio) - length)
        soundfile.write(folder / f"{number:04d}.flac", audio[begin : begin + length], RATE_HZ)


class Watch(threading.Thread):
    """Samples of a process and all that it starts: (seconds, MB of the largest, how many hold models)."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.process, self.ended = process, threading.Event()
        self.samples: list[tuple[float, float, int]] = []

    def run(self) -> None:
        begun = time.perf_counter()
        while not self.ended.wait(SAMPLED_EVERY):
            sizes = [resident_mb(number) for number in descendants(self.process)]
            large = [size for size in sizes if size > MODELS_MB]
            self.samples.append((time.perf_counter() - begun, max(sizes, default=0.0), len(large)))


def descendants(process: int) -> list[int]:
    """A process and what it, and they, have started."""
    found = [process]
    for number in found:
        for path in Path(f"/proc/{number}/task").glob("*/children"):
            try:
                found += map(int, path.read_text().split())
            except OSError:  # it has ended
                continue
    return found


def resident_mb(process: int) -> float:
    """Memory that a process has of its own, MB: not what it shares with others, as Ray's store."""
    try:
        pages, shared = map(int, Path(f"/proc/{process}/statm").read_text().split()[1:3])
    except (OSError, ValueError):
        return 0.0
    return (pages - shared) * os.sysconf("SC_PAGE_SIZE") / 1e6


def run(words: Sequence[str], folder: Path) -> tuple[float, Watch]:
    """Wall seconds of a command on all of a folder, and its memory."""
    with tempfile.TemporaryDirectory() as output:
        begun = time.perf_counter()
        command = [sys.executable, "-m", *words, str(folder), "-o", output, "-q"]
        with subprocess.Popen(command) as process:
            watch = Watch(process.pid)
            watch.start()
            code = process.wait()
        seconds = time.perf_counter() - begun
        watch.ended.set()
        watch.join()
        assert code == 0 and len(list(Path(output).iterdir())) == len(list(folder.iterdir()))
    return seconds, watch


def ways(names: Sequence[str], jobs: int, count: int, seconds: float, repeats: int) -> list[Row]:
    """Each way on the same recordings, one after the other and again; the fastest time of each counts."""
    walls: dict[str, list[float]] = {name: [] for name in names}
    peaks: dict[str, float] = dict.fromkeys(names, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        cut_into(Path(folder), count, seconds)
        for _ in range(repeats):
            for name in names:
                wall, watch = run([word.format(jobs=jobs) for word in WAYS[name]], Path(folder))
                walls[name].append(wall)
                peaks[name] = max(peaks[name], *(size for _, size, _ in watch.samples))
                print(name.format(jobs=jobs), f"{wall:.1f} s", flush=True)
    first = min(walls[names[0]])
    return [
        {
            "way": name.format(jobs=jobs),
            "audio_seconds": count * seconds,
            "wall_seconds": round(min(values), 2),
            "speed": round(first / min(values), 3),
            "process_memory_mb": round(peaks[name]),
            "runs": repeats,
            "load_before": round(os.getloadavg()[0], 2),
        }
        for name, values in walls.items()
    ]


def short(jobs: int, count: int) -> list[Row]:
    """Many files of three seconds, over Ray: memory in the second quarter of the time and in the last."""
    with tempfile.TemporaryDirectory() as folder:
        cut_into(Path(folder), count, 3.0)
        wall, watch = run(["transcribe.archive", "--jobs", str(jobs)], Path(folder))
    working = [
        size for _, size, models in watch.samples if models > jobs
    ]  # the command itself loads them too
    quarter = max(1, len(working) // 4)
    return [
        {
            "way": f"Ray, {jobs} actors",
            "files": count,
            "audio_seconds": 3.0 * count,
            "wall_seconds": round(wall, 2),
            "early_memory_mb": round(max(working[quarter : 2 * quarter])),
            "late_memory_mb": round(max(working[-quarter:])),
            "load_before": round(os.getloadavg()[0], 2),
        }
    ]


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("archive", __doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--count", type=int, default=8, help="recordings (default: 8)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each (default: 60)")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--short", type=int, default=200, help="short files (default: 200)")
    args = parsed(parser, argv)
    for part in args.parts:
        if part == "short":
            rows = short(args.jobs, args.short)
        else:
            names = PROCESSES if part == "processes" else list(WAYS)
            rows = ways(names, args.jobs, args.count, args.seconds, args.repeats)
        for row in rows:
            print(row)
        merge_report(args.output, QUESTION, {}, [{"part": part, **row} for row in rows], ("part",))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
