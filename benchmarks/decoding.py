"""How fast is decoding, on what does its time depend, and how much of the machine does it use?

Is: seconds a step over clips, widths, candidates, hidden sizes, steps and priors, and of the way published
programs do it; operations, bytes, and the share of the machine's matrix rate; real recordings; memory.
Is not: accuracy (benchmarks.transcription).

    python -m benchmarks.decoding                      # everything, about half an hour on two cores
    python -m benchmarks.decoding --parts real memory  # some
    python -m benchmarks.decoding --parts grid --device cuda --steps 4000  # a GPU first records

Steps of made evidence all need a search: 4 certain keys and log2(K) of unsure ones, so that K candidates are
searched at every step. Priors of a given size are untrained, which costs as much time as a trained one.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from benchmarks.made import STEP, evidence, free, lstm_nade, made_clip, made_hour, search_options
from benchmarks.naive_beam import naive_beam
from benchmarks.reporting.form import benchmark_parser, merge_report, parsed, peak_memory_mb
from benchmarks.work import Work, counted, matrix_rate, timed
from symbolic.decoding.decode import decode_evidence
from symbolic.decoding.evidence import Evidence, Plane, evidence_of, frames_clock
from symbolic.decoding.options import Beam
from symbolic.decoding.streaming import Stream
from symbolic.priors.base import Prior
from symbolic.priors.loading import list_priors, load_prior
from symbolic.priors.recurrent import RecurrentPrior
from transcribe.presets import MODEL

QUESTION = "How fast is decoding, on what does its time depend, and how much of the machine does it use?"
KEYS = (
    "part",
    "device",
    "prior",
    "evidence",
    "clips",
    "beam_width",
    "candidates",
    "hidden",
    "steps",
    "way",
)
CLIPS, WIDTHS, CANDIDATES, HIDDEN = (1, 8, 64), (1, 4, 16, 64), (8, 32, 128), (128, 256, 512)
RAMP = 2  # steps after which eight candidates have made 64 hypotheses of one
WORK = 400_000  # hypotheses times candidates that a timing should be about
WAYS = ("at once", "in blocks", "as a stream")  # of decoding an hour
STREAM_STEPS = 500  # steps of a block, and of the look-back
Row = dict[str, str | int | float]


def measured(
    prior: Prior,
    clips: Sequence[Evidence],
    options: Beam,
    device: torch.device,
    *,
    ramp: int = 0,
    count: bool = True,
) -> Row:
    """Time of a batch, the best of three, less that of its first `ramp` steps; and its work, on request."""

    def run(steps: int | None = None) -> None:
        decode_evidence([evidence(clip.prob[:steps]) for clip in clips], prior, options)

    def spent(steps: int | None = None) -> float:
        return min(timed(lambda: run(steps), device) for _ in range(3))

    run(100)  # warms up
    rate = matrix_rate(device)
    seconds = spent() - (spent(ramp) if ramp else 0)
    rate = max(rate, matrix_rate(device))
    steps = max(len(clip.prob) for clip in clips) - ramp
    played = sum(len(clip.prob) - ramp for clip in clips) * STEP
    row: Row = {"seconds_per_step": digits(seconds / steps), "real_time_factor": digits(seconds / played)}
    if not count:
        return row
    work = counted(run) - (counted(lambda: run(ramp)) if ramp else Work())
    return row | {
        "gigaflops_per_step": digits(work.flops / steps / 1e9),
        "megabytes_per_step": digits(work.bytes / steps / 1e6),
        "operations_per_step": round(work.operations / steps),
        "gigaflops_per_second": digits(work.flops / seconds / 1e9),
        "matrix_gigaflops_per_second": digits(rate / 1e9),
        "share_of_matrix_rate": digits(work.flops / seconds / rate),
    }


def made(
    part: str, clips: int, width: int, candidates: int, hidden: int, device: torch.device, steps: int = 0
) -> Row:
    """A row on made evidence, once there are as many hypotheses as there may be."""
    steps = steps or int(np.clip(WORK // (clips * width * candidates), 4, 200))
    batch = [made_clip(RAMP + steps, candidates, seed) for seed in range(clips)]
    prior, options = lstm_nade(hidden).to(device), search_options(width, candidates)
    row: Row = {
        "part": part,
        "device": device.type,
        "prior": "lstm-nade, untrained, 256 units",
        "clips": clips,
        "beam_width": width,
        "candidates": candidates,
        "hidden": hidden,
        "steps": steps,
    }
    return row | measured(prior, batch, options, device, ramp=RAMP)


def grid(device: torch.device, steps: int = 0) -> Iterator[Row]:
    """Clips, widths and candidates; hidden sizes in the middle; of `steps` steps, or as many as work asks."""
    for clips in CLIPS:
        for width in WIDTHS:
            for candidates in CANDIDATES:
                yield made("grid", clips, width, candidates, 256, device, steps)
    for hidden in HIDDEN:
        if hidden != 256:
            yield made("grid", 8, 16, 32, hidden, device, steps)


def growth(device: torch.device) -> Iterator[Row]:
    """How time grows when one size doubles at a time; the exponent stands on each row."""
    start = {"clips": 8, "width": 16, "candidates": 32, "steps": 24}
    for name in start:
        rows = [
            made("growth", **{**start, name: start[name] * factor}, hidden=256, device=device)
            for factor in (1, 2, 4, 8)
        ]
        times = [float(row["seconds_per_step"]) * int(row["steps"]) for row in rows]
        exponent = np.polyfit(np.log([1, 2, 4, 8]), np.log(times), 1)[0]
        for row, seconds in zip(rows, times, strict=True):
            yield row | {
                "part": f"growth in {name}",
                "seconds": digits(seconds),
                "exponent": digits(exponent),
            }


def naive(device: torch.device) -> Iterator[Row]:
    """Against one clip and one hypothesis at a time; the costs must agree."""
    for candidates in (32, 128):
        for hidden in (128, 256):
            row = made("naive", 1, 16, candidates, hidden, device, steps=40)
            prior, options = lstm_nade(hidden).to(device), search_options(16, candidates)
            clip = made_clip(40, candidates, 0)
            assert isinstance(prior, RecurrentPrior)
            seconds, cost = min(_naively(clip, prior, options, device) for _ in range(3))
            found = float(decode_evidence([clip], prior, options)[0].costs[0])
            if abs(cost - found) > 1e-4 * 40:
                raise AssertionError(f"costs differ: {cost} naive, {found} decoded")
            times = seconds / 40 / float(row["seconds_per_step"])
            yield row | {"naive_seconds_per_step": digits(seconds / 40), "times_naive": digits(times)}


def _naively(
    clip: Evidence, prior: RecurrentPrior, options: Beam, device: torch.device
) -> tuple[float, float]:
    """Seconds that the naive beam took, and the cost it found, nats."""
    costs: list[float] = []
    seconds = timed(lambda: costs.append(naive_beam(clip.prob, prior, options)), device)
    return seconds, costs[0]


def priors(device: torch.device) -> Iterator[Row]:
    """Every shipped prior of 88 keys, on made evidence."""
    for name in list_priors():
        prior = free(load_prior(name)).to(device)
        if prior.visible != 88:
            continue
        batch = [made_clip(RAMP + 4, 32, seed) for seed in range(8)]
        row: Row = {"part": "priors", "device": device.type, "prior": name}
        row |= {"clips": 8, "beam_width": 16, "candidates": 32, "steps": 4}
        yield row | measured(prior, batch, search_options(16, 32), device, ramp=RAMP, count=False)


def real(device: torch.device) -> Iterator[Row]:
    """Recordings of `maps/real-dev` at 20 ms, the first alone and the first eight together."""
    from benchmarks.development import read_development

    posteriorgrams = [one.posteriorgram for one in read_development(MODEL, cached=True)[:8]]
    planes: tuple[tuple[Plane, str], ...] = (
        ("struck", "event-rnn-nade/piano"),
        ("struck", "lstm-nade/jsb"),
        ("active", "lstm-nade/jsb"),
    )
    for plane, name in planes:
        prior = free(load_prior(name)).to(device)
        options = Beam(width=16, candidates=32, prior_weight=0.5)
        clips = [evidence_of(one, frames_clock(one, STEP), plane) for one in posteriorgrams]
        for count in (1, 8):
            row: Row = {
                "part": "real",
                "device": device.type,
                "prior": name,
                "evidence": plane,
                "clips": count,
            }
            row |= {
                "beam_width": 16,
                "candidates": 32,
                "recording_seconds": round(sum(len(c.prob) for c in clips[:count]) * STEP),
            }
            yield row | measured(prior, clips[:count], options, device, count=False)


def memory(device: torch.device) -> Iterator[Row]:
    """An hour, in each way, each in a process of its own."""
    for way in WAYS:
        command = [sys.executable, "-m", "benchmarks.decoding", "--hour", way]
        command += ["--device", device.type, "--threads", str(torch.get_num_threads())]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        before, after = (float(word) for word in done.stdout.split()[-2:])
        yield {
            "part": "memory of an hour",
            "device": device.type,
            "prior": "event-rnn-nade/piano",
            "clips": 1,
            "beam_width": 16,
            "candidates": 32,
            "way": way,
            "look_back": 0 if way == "at once" else STREAM_STEPS,
            "megabytes_before": round(before),
            "megabytes_added": round(after - before),
        }


def hour(way: str, device: torch.device) -> None:
    """Decode an hour; prints the peak of memory before and after, MB."""
    clip, prior = made_hour(), free(load_prior("event-rnn-nade/piano")).to(device)
    options = Beam(width=16, candidates=32, prior_weight=0.5, n_best=1)
    decode_evidence([evidence(clip.prob[:STREAM_STEPS])], prior, options)
    before = peak_memory_mb()
    in_blocks = replace(options, look_back=STREAM_STEPS)
    if way == "as a stream":
        stream = Stream(prior, in_blocks)
        for begin in range(0, len(clip.prob), STREAM_STEPS):
            stream.push(clip.prob[begin : begin + STREAM_STEPS])
        stream.finish()
    else:
        decode_evidence([clip], prior, in_blocks if way == "in blocks" else options)
    print(before, peak_memory_mb())


def digits(value: float) -> float:
    """Three of them."""
    return float(f"{value:.3g}")


PARTS = {"grid": grid, "growth": growth, "naive": naive, "priors": priors, "real": real, "memory": memory}


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("decoding", __doc__)
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=tuple(PARTS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=0, help="of the grid's clips; by default few")
    parser.add_argument("--hour", choices=WAYS, help=argparse.SUPPRESS)
    args = parsed(parser, argv)
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    if args.hour is not None:
        hour(args.hour, device)
        return 0
    settings = {
        "step_seconds": STEP,
        "times": "the best of three runs",
    }
    for part in args.parts:
        for row in grid(device, args.steps) if part == "grid" else PARTS[part](device):
            print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
            merge_report(args.output, QUESTION, settings, [row | {"threads": args.threads}], KEYS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
