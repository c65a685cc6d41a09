"""What do long, many and strange inputs ask of the machine?

Is: the command as a process of its own on hours of music, a thousand files, noise, all keys at once and a
million frames; its time, and its largest memory after the first inputs and at the end.
Is not: the time of usual recordings (benchmarks.command) or damaged files (benchmarks.reliability).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from acoustic.audio import RATE_HZ
from benchmarks.command import joined
from benchmarks.reporting.form import benchmark_parser, merge_report, parsed

HOUR = 3600.0
SHORT_FILES, SHORT_SECONDS = 1000, 2.0
EARLY = 100  # files after which memory may no longer grow
DOUBT_SNR_DB = 5.0  # of white noise that leaves many steps in doubt
SEED = 0
# The command, which then tells its memory after each input.
PROGRAM = """
import json, sys
from transcribe import __main__  # as the command begins: threads that do not spin
from benchmarks.reporting.form import peak_memory_mb
from transcribe import cli, single
one, peaks = single.transcribe_one, []
def measured(*words, **named):
    outcome = one(*words, **named)
    peaks.append(peak_memory_mb())
    return outcome
single.transcribe_one = measured
assert cli.main(sys.argv[1:]) == 0
print(json.dumps(peaks))
"""
Samples = npt.NDArray[np.float32]


def an_hour(folder: Path) -> float:
    joined(HOUR, folder / "music.flac")
    return HOUR


def three_hours(folder: Path) -> float:
    joined(3 * HOUR, folder / "music.flac")
    return 3 * HOUR


def an_hour_in_doubt(folder: Path) -> float:
    """Noise over the music: many notes are neither likely nor unlikely, the search has much to compare."""
    joined(HOUR, folder / "music.flac", snr_db=DOUBT_SNR_DB)
    return HOUR


def short_files(folder: Path) -> float:
    """Stretches of the development recordings, one after the other."""
    joined(SHORT_FILES * SHORT_SECONDS, folder / "all.flac")
    samples, rate = soundfile.read(folder / "all.flac", dtype="float32")
    (folder / "all.flac").unlink()
    for number, part in enumerate(np.array_split(samples, SHORT_FILES)):
        soundfile.write(folder / f"{number:04}.flac", part, rate)
    return SHORT_FILES * SHORT_SECONDS


def white_noise(folder: Path) -> float:
    seconds = 600.0
    draw = np.random.default_rng(SEED)
    soundfile.write(folder / "noise.flac", draw.normal(0, 0.1, round(seconds * RATE_HZ)), RATE_HZ)
    return seconds


def all_keys(folder: Path) -> float:
    """All 88 keys struck at once, every half second, for ten minutes: four decaying partials each."""
    seconds, beat = 600.0, 0.5
    time_ = np.arange(round(beat * RATE_HZ)) / RATE_HZ
    chord = np.zeros(len(time_))
    for pitch in range(21, 109):
        for partial in range(1, 5):
            hertz = partial * 440 * 2 ** ((pitch - 69) / 12)
            if hertz < RATE_HZ / 2:
                chord += np.sin(2 * np.pi * hertz * time_ + pitch * partial) * np.exp(-4 * time_) / partial
    chord *= 0.5 / np.abs(chord).max()
    soundfile.write(folder / "keys.flac", np.tile(chord, round(seconds / beat)), RATE_HZ)
    return seconds


def million_frames(folder: Path) -> float:
    """A posteriorgram of 5.6 hours in which a key of 88 is struck every 0.2 s, sure or in doubt."""
    from symbolic.posteriorgram import Posteriorgram

    frames, hop, draw = 1_000_000, 0.02, np.random.default_rng(SEED)
    onset, frame = np.zeros((2, frames, 88), dtype=np.float32)
    at, key = np.arange(5, frames - 20, 10), draw.integers(20, 60, len(range(5, frames - 20, 10)))
    onset[at, key] = draw.random(len(at))
    for later in range(8):
        frame[at + later, key] = 0.9
    Posteriorgram(frame=frame, onset=onset, hop=hop).save(folder / "frames.npz")
    return frames * hop


CASES: dict[str, Callable[[Path], float]] = {
    "an hour": an_hour,
    "three hours": three_hours,
    "an hour in doubt": an_hour_in_doubt,
    "1,000 short files": short_files,
    "white noise": white_noise,
    "all keys at once": all_keys,
    "1,000,000 frames": million_frames,
}


def measure(case: str) -> dict[str, str | int | float]:
    """A row: the command on a case's inputs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "in")
        folder.mkdir()
        seconds = CASES[case](folder)
        words = [sys.executable, "-c", PROGRAM, str(folder), "-o", str(Path(name, "out")), "-q"]
        load, begun = os.getloadavg()[0], time.perf_counter()
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        wall = time.perf_counter() - begun
        peaks = json.loads(done.stdout)
        size = sum(path.stat().st_size for path in Path(name, "out").iterdir())
    return {
        "case": case,
        "files": len(peaks),
        "audio_seconds": seconds,
        "wall_seconds": round(wall, 1),
        "early_memory_mb": peaks[min(EARLY, len(peaks)) - 1],
        "peak_memory_mb": peaks[-1],
        "midi_bytes": size,
        "load_before": round(load, 2),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("load", __doc__)
    parser.add_argument(
        "--cases",
        nargs="+",
        choices=CASES,
        default=list(CASES),
        metavar="CASE",
        help=f"only these, the others' rows stay: {'; '.join(CASES)}",
    )
    args = parsed(parser, argv)
    question = "What do long, many and strange inputs ask of the machine?"
    settings = {"early_files": EARLY, "doubt_snr_db": DOUBT_SNR_DB, "seed": SEED}
    for case in args.cases:
        row = measure(case)
        print(row, flush=True)
        merge_report(args.output, question, settings, [row], keys=("case",))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
