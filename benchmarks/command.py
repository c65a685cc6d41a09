"""How long does the whole command take, start-up included, and how much memory?

Is: `transcribe` as a process of its own, on three minutes and on an hour made of development recordings, and
on the three minutes beside a process that keeps every core busy.
Is not: accuracy (benchmarks.transcription) or the decoders apart (benchmarks.decoding).
"""

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from acoustic.audio import RATE_HZ, read_audio
from benchmarks.reporting.form import benchmark_parser, parsed, write_report
from symbolic.datasets.maps import read_maps

# The command, which then tells its memory on standard output.
PROGRAM = """import sys
from transcribe.__main__ import main
assert main(sys.argv[1:]) == 0
from benchmarks.reporting.form import peak_memory_mb
print(peak_memory_mb())
"""


def joined(seconds: float, path: Path, snr_db: float = np.inf) -> None:
    """A FLAC of that length: the development recordings one after the other, again if need be.

    snr_db: of white noise over each of them; none by default.
    """
    left, draw = round(seconds * RATE_HZ), np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE_HZ, channels=1) as file:
        for recording in itertools.cycle(read_maps("real-dev")):
            samples = read_audio(recording.audio)[:left]
            noise = 10 ** (-snr_db / 20) * samples.std()
            file.write(samples + draw.normal(0, noise, len(samples)).astype(np.float32) if noise else samples)
            left -= len(samples)
            if not left:
                return


@contextmanager
def busy() -> Iterator[None]:
    """Beside this, every core has something to do without end."""
    others = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)
    ]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def measure(seconds: float, repeats: int) -> dict[str, str | float]:
    """Median wall time of the command, and the largest memory of any run."""
    with tempfile.TemporaryDirectory() as folder:
        audio, midi = Path(folder) / "music.flac", Path(folder) / "music.mid"
        joined(seconds, audio)
        walls, peak = [], 0
        for _ in range(repeats):
            begun = time.perf_counter()
            command = [sys.executable, "-c", PROGRAM, str(audio), "-o", str(midi), "-q"]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            walls.append(time.perf_counter() - begun)
            peak = max(peak, int(done.stdout))
    wall = float(np.median(walls))
    return {
        "audio_seconds": seconds,
        "wall_seconds": round(wall, 2),
        "real_time_factor": round(wall / seconds, 4),
        "peak_memory_mb": peak,
        "runs": repeats,
        "load_before": round(os.getloadavg()[0], 2),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("command", __doc__)
    parser.add_argument("--hour", action="store_true", help="also an hour of music, once")
    args = parsed(parser, argv)
    rows = [{"beside": "nothing", **measure(180.0, repeats=3)}]
    with busy():
        rows.append({"beside": "every core busy", **measure(180.0, repeats=3)})
    if args.hour:
        rows.append({"beside": "nothing", **measure(3600.0, repeats=1)})
    for row in rows:
        print(row)
    write_report(args.output, "How long does the whole command take, and how much memory?", {}, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
