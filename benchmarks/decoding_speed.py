"""How long does decoding take, and how much of it is the prior?

Is: seconds per step of every decoder, on made evidence of a given density, with an untrained RNN-NADE.
Is not: a measure of accuracy; an untrained prior costs as much time as a trained one.
"""

import argparse
import os
import sys
import time

import numpy as np
import torch

from benchmarks.report import write_report
from symbolic.clock import Clock
from symbolic.decoding.decode import DECODERS, decode_evidence
from symbolic.decoding.evidence import Evidence
from symbolic.decoding.options import DecodeOptions
from symbolic.priors.registry import build_prior

STEP = 0.04  # seconds
# Evident notes and doubtful peaks a second: a clean piano, a recorded one, a very poor acoustic model.
DENSITIES = {"clean": (10, 10), "recorded": (10, 50), "poor": (20, 400)}


def made_evidence(steps: int, notes: float, doubts: float, generator: np.random.Generator) -> Evidence:
    """Notes of probability above 0.6 and doubtful peaks below, anywhere, so many a second."""
    prob = np.zeros((steps, 88), dtype=np.float32)
    for rate, low, high in ((doubts, 0.01, 0.6), (notes, 0.6, 0.999)):
        count = int(steps * STEP * rate)
        at = generator.integers(0, steps, count), generator.integers(0, 88, count)
        prob[at] = generator.uniform(low, high, count)
    clock = Clock.frames(steps, STEP)
    time = np.broadcast_to(clock.times[:, None], prob.shape)
    return Evidence(prob, time, np.zeros(prob.shape, dtype=np.int32), clock)


def measure(steps: int, clips: int, repeats: int) -> list[dict[str, str | int | float]]:
    """One row for each density and method; the fastest of the repeats, as the others were disturbed more.

    On a busy machine the clock on the wall counts other people's work; the processor's own does not.
    """
    torch.manual_seed(0)
    prior = build_prior("lstm-nade", {"units": 256, "hidden": 128}).eval()
    rows: list[dict[str, str | int | float]] = []
    for density, (notes, doubts) in DENSITIES.items():
        generator = np.random.default_rng(0)
        batch = [made_evidence(steps, notes, doubts, generator) for _ in range(clips)]
        for method in DECODERS:
            taken = []
            for _ in range(repeats):
                wall, processor = time.perf_counter(), time.process_time()
                decode_evidence(batch, prior, DecodeOptions(method=method))
                taken.append((time.perf_counter() - wall, time.process_time() - processor))
            seconds, cpu_seconds = min(taken)
            row: dict[str, str | int | float] = {
                "evidence": density,
                "method": method,
                "clips": clips,
                "steps": steps,
            }
            row |= {"seconds": round(seconds, 3), "cpu_seconds": round(cpu_seconds, 3)}
            rows.append(row | {"seconds_per_step": float(f"{seconds / (steps * clips):.3g}")})
            print(f"{density:10} {method:10} {seconds:8.2f} s, {cpu_seconds:8.2f} s of the processor")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--steps", type=int, default=4500, help="steps a clip, 40 ms each (default: 3 minutes)"
    )
    parser.add_argument("--clips", type=int, default=1, help="clips decoded together")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    options = DecodeOptions()
    settings = {
        "prior": "lstm-nade, untrained, 256 LSTM units, 128 hidden",
        "threads": args.threads,
        "beam_width": options.beam_width,
        "candidates": options.candidates,
        "densities": {name: list(rates) for name, rates in DENSITIES.items()},
        "repeats": args.repeats,
        "load_before": round(os.getloadavg()[0], 2),
    }
    rows = measure(args.steps, args.clips, args.repeats)
    write_report("decoding_speed", "How long does decoding take?", settings, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
