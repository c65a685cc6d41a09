"""How well does each acoustic model transcribe with plain thresholds, and what does it cost?

Is: every score on the development recordings with one setting for all of them and all models, and onset F of
the command's own decoder behind each; parameters, real-time factor, memory and start-up of that model alone.
`--write-cards` puts the scores on the cards; `--parts` leaves the scores or the costs as they were measured.
Is not: all decoders (benchmarks.transcription) or the whole command (benchmarks.command).
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import torch

from acoustic.inference import load_acoustic, multiplies_bfloat16
from acoustic.loading import list_models, load_network, update_card, weights_path
from acoustic.training.workers import workers
from benchmarks.development import DevRecording, read_development, rounded
from benchmarks.reporting.form import benchmark_parser, merge_report, origin, parsed, peak_memory_mb
from benchmarks.tuning import interval
from symbolic.datasets.maps import read_maps
from symbolic.decoding.options import Threshold
from transcribe.pipeline import Transcriber
from transcribe.presets import preset
from transcribe.scoring import mean, score

Row = dict[str, str | float]
PARTS = ("scores", "costs")
SCORES = ("onset_f1", "onset_f1_aligned", "onset_f1_aligned_100ms", "onset_offset_f1",
          "onset_offset_velocity_f1", "frame_f1")  # fmt: skip


def scored(
    recordings: Sequence[DevRecording], transcriber: Transcriber
) -> tuple[dict[str, float], list[float], list[str]]:
    """Average of every score; onset F and composition of each recording."""
    found = [
        score(
            item.reference,
            transcriber.transcribe_posteriorgram(item.posteriorgram).notes,
            duration=item.recording.seconds,
        )
        for item in recordings
    ]
    return (
        rounded(mean(found)),
        [s.onset_f1 for s in found],
        [item.recording.composition for item in recordings],
    )


def speed(model: str, repeats: int, *, bfloat16: bool) -> tuple[float, int]:
    """(least real-time factor of the passes, peak MB) over all recordings, one after the other."""
    listener = load_acoustic(model, bfloat16=bfloat16)
    recordings = read_maps("real-dev")
    length = sum(recording.seconds for recording in recordings)
    walls = []
    for _ in range(repeats):
        begun = time.perf_counter()
        for recording in recordings:
            listener.file(recording.audio)
        walls.append(time.perf_counter() - begun)
    return min(walls) / length, peak_memory_mb()


def start_up(model: str) -> float:
    """Seconds from nothing to a model that is ready."""
    program = f"from acoustic.inference import load_acoustic; load_acoustic({model!r})"
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - begun


def scores_of(model: str) -> Row:
    """Scores of one model, in float32: bfloat16 changes few notes."""
    recordings = read_development(model, cached=True, bfloat16=False)
    threshold = Transcriber(decoder=preset("threshold"), prior=None)
    average, each, compositions = scored(recordings, threshold)
    uncorrected, _, _ = scored(recordings, replace(threshold, dynamics=False))
    default, _, _ = scored(recordings, Transcriber(model=model))
    low, high = interval(each, compositions)
    return {
        "part": "scores",
        "model": weights_path(model).stem,
        **{name: average[name] for name in SCORES},
        "network_velocity_f1": uncorrected["onset_offset_velocity_f1"],
        "default_onset_f1_aligned": default["onset_f1_aligned"],
        "default_onset_f1_aligned_100ms": default["onset_f1_aligned_100ms"],
        "onset_f1_low": round(low, 4),
        "onset_f1_high": round(high, 4),
    }


def cost_of(model: str, repeats: int, *, bfloat16: bool) -> Row:
    """What one model costs."""
    network, _ = load_network(model)
    path = weights_path(model)
    with workers(1) as pool:
        factor, peak = pool.submit(speed, model, repeats, bfloat16=bfloat16).result()
    return {
        "part": "costs",
        "model": path.stem,
        "precision": "bfloat16" if bfloat16 else "float32",
        "parameters": sum(p.numel() for p in network.parameters()),
        "megabytes": round(path.stat().st_size / 1e6, 2),
        "real_time_factor": round(factor, 4),
        "peak_memory_mb": peak,
        "start_up_seconds": round(min(start_up(model) for _ in range(3)), 2),
        "threads": torch.get_num_threads(),
    }


def counts() -> dict[str, int]:
    """Recordings and compositions that scores are means over."""
    recordings = read_maps("real-dev")
    return {"recordings": len(recordings), "compositions": len({r.composition for r in recordings})}


def _write_card(row: Row) -> None:
    kept = {name: row[name] for name in SCORES} | {
        "on": "maps/real-dev (MAPS ENSTDkCl and ENSTDkAm); none of its compositions is in training",
        **counts(),
        "command": "python -m benchmarks.acoustic_models",
        **{key: value for key, value in origin().items() if key in ("commit", "date")},
    }
    update_card(weights_path(str(row["model"])).with_suffix(".json"), scores=kept)


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("acoustic_models", __doc__)
    parser.add_argument("--models", nargs="+", default=list_models(), help="names or .safetensors files")
    parser.add_argument(
        "--repeats", type=int, default=2, help="passes that are timed, of which the best counts"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--write-cards", action="store_true")
    args = parsed(parser, argv)
    rows = [scores_of(model) for model in args.models if "scores" in args.parts]
    if args.write_cards:
        for row in rows:
            _write_card(row)
    # Where it is not native, bfloat16 takes many times as long.
    precisions = (False, True) if multiplies_bfloat16(torch.device("cpu")) else (False,)
    if "costs" in args.parts:
        rows += [cost_of(model, args.repeats, bfloat16=b) for model, b in product(args.models, precisions)]
    for row in rows:
        print(row)
    decoder = preset("threshold")
    assert isinstance(decoder, Threshold)
    settings = {"data": "maps/real-dev", **counts(), "threshold": decoder.threshold}
    question = "How well does each acoustic model transcribe with plain thresholds, and what does it cost?"
    merge_report(args.output, question, settings, rows, ("part", "model", "precision"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
