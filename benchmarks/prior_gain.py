"""What is a prior worth, on real recordings and on pianos and recording chains that training leaves out?

Is: note-onset F, the deviation removed, by the best threshold, the HMM, the beam alone, with the prior of
notes and with the join, on maps/real-dev as recorded, with noise and in a room, and on the instruments of
benchmarks.domains; the gain of the join over each, with paired intervals over compositions; decoding time.
Is not: a fit. Nothing was chosen on these recordings but the threshold, the best of several in hindsight for
each condition, and, on real-dev, settings of the HMM, the beam alone and the prior of notes.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from acoustic import augmentation, chains, instruments, rendering, soundfonts
from acoustic.audio import RATE_HZ, Samples, read_audio
from acoustic.inference import load_acoustic
from acoustic.loading import list_models
from acoustic.training import renderings
from acoustic.training.renderings import HELD_OUT, Excerpt, sound_of
from benchmarks import robustness
from benchmarks.development import posteriorgram_key
from benchmarks.domains import CHAINS, excerpts
from benchmarks.reporting.form import Row, benchmark_parser, merge_report, parsed
from benchmarks.robustness import in_a_room, noisy
from benchmarks.tuning import interval
from symbolic import datasets
from symbolic.datasets.maps import Recording, read_maps
from symbolic.decoding.options import Threshold
from symbolic.notes import Notes, read_tsv
from symbolic.posteriorgram import Posteriorgram
from transcribe.pipeline import Transcriber
from transcribe.presets import JOINS, MODEL, PRIOR, preset
from transcribe.scoring import Scores, score
from transcribe.scoring.matching import TOLERANCE, WIDE_TOLERANCE, aligned_onset, onset_ratios

DEGRADED: dict[str, Callable[[Samples], Samples]] = {
    "as recorded": lambda audio: audio,
    "noise at 10 dB": lambda audio: noisy(audio, 10),
    "in a room": in_a_room,
}
THRESHOLDS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75)
SCORES = ("onset_f1_aligned", "onset_f1_aligned_100ms")
JOIN = "beam, join"
# The code that the sound of a condition depends on.
SOUND = (robustness, renderings, instruments, rendering, soundfonts, chains, augmentation)


@dataclass(frozen=True, eq=False)
class Clip:
    """A recording of a condition."""

    composition: str
    reference: Notes
    seconds: float
    posteriorgram: Posteriorgram


@dataclass(frozen=True)
class Condition:
    """Recordings of one kind, before they are listened to."""

    name: str
    group: str  # "real" or "rendered"
    items: Sequence[tuple[str, str, Callable[[], Samples], Callable[[], Notes]]]  # name, composition, ...


def conditions(instruments: Sequence[str], count: int, seconds: float) -> Iterator[Condition]:
    """All of them."""
    for name, change in DEGRADED.items():
        yield Condition(
            name,
            "maps/real-dev",
            [
                (r.name, r.composition, partial(_recorded, r, change), partial(read_tsv, r.table))
                for r in read_maps("real-dev")
            ],
        )
    for instrument in instruments:
        made = excerpts(instrument, count, seconds)
        for chain, alter in CHAINS.items():
            yield Condition(
                f"{instrument}, {chain}",
                "left out of training" if instrument in HELD_OUT else "no piano",
                [
                    (item.name, item.name, partial(_rendered, item, alter, number), partial(_notes, item))
                    for number, item in enumerate(made)
                ],
            )


def _recorded(recording: Recording, change: Callable[[Samples], Samples]) -> Samples:
    return change(read_audio(recording.audio))


def _rendered(item: Excerpt, change: Callable[[Samples, int], Samples], number: int) -> Samples:
    return change(sound_of(item), number)


def _notes(item: Excerpt) -> Notes:
    return item.notes


def read_condition(condition: Condition, model: str = MODEL) -> list[Clip]:
    """Its posteriorgrams by that acoustic model, computed once for each version of weights and code."""
    listener = load_acoustic(model)
    key = posteriorgram_key(model, listener, SOUND)
    folder = datasets.cache_folder() / "posteriorgrams" / f"{key}-gain" / condition.name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    clips = []
    for name, composition, sound, notes in condition.items:
        path = Path(folder) / f"{name}.npz"
        if not path.exists():
            replace(listener(sound(), rate=RATE_HZ), source=name).save(path)
        posteriorgram = Posteriorgram.load(path)
        clips.append(Clip(composition, notes(), posteriorgram.count * posteriorgram.hop, posteriorgram))
    return clips


def aligned_f1(reference: Notes, estimate: Notes) -> list[float]:
    """Onset F, the deviation removed, at 50 and at 100 ms."""
    onset = aligned_onset(reference, estimate)
    return [
        onset_ratios(reference, estimate, onset=onset, tolerance=tolerance).f1
        for tolerance in (TOLERANCE, WIDE_TOLERANCE)
    ]


def best_threshold(clips: Sequence[Clip]) -> float:
    """Of those tried, in hindsight: that of the highest mean of both scores."""

    def quality(threshold: float) -> float:
        transcriber = Transcriber(decoder=Threshold(threshold=threshold), prior=None)
        total = 0.0
        for clip in clips:
            notes = transcriber.transcribe_posteriorgram(clip.posteriorgram).notes
            total += sum(aligned_f1(clip.reference, notes))
        return total

    return max(THRESHOLDS, key=quality)


def transcribers(clips: Sequence[Clip], join: str) -> dict[str, Transcriber]:
    """By the name of the row."""
    best = best_threshold(clips)
    return {
        f"best threshold, {best:g}": Transcriber(decoder=Threshold(threshold=best), prior=None),
        "hmm": Transcriber(decoder=preset("hmm"), prior=None),
        "beam alone": Transcriber(prior=None),
        "beam, prior of notes": Transcriber(prior=PRIOR),
        JOIN: Transcriber(prior=join),
    }


def rows_of(condition: Condition, clips: Sequence[Clip], join: str) -> list[Row]:
    """A row for each decoder."""
    scores, factors = {}, {}
    for name, transcriber in transcribers(clips, join).items():
        transcriber.load(audio=False)
        begun = time.process_time()
        notes = [transcriber.transcribe_posteriorgram(clip.posteriorgram).notes for clip in clips]
        factors[name] = (time.process_time() - begun) / sum(clip.seconds for clip in clips)
        scores[name] = [
            score(clip.reference, each, duration=clip.seconds)
            for clip, each in zip(clips, notes, strict=True)
        ]
    rows: list[Row] = []
    for name in scores:
        row: dict[str, str | float] = {"group": condition.group, "condition": condition.name}
        row |= {"decoder": name, "recordings": len(clips)}
        for each in (*SCORES, "onset_f1", "onset_offset_f1", "frame_f1"):
            row[each] = round(_mean(scores[name], each), 4)
        row["decoding_real_time_factor"] = round(factors[name], 4)
        for each in SCORES if name != JOIN else ():
            gains = [
                getattr(ours, each) - getattr(theirs, each)
                for ours, theirs in zip(scores[JOIN], scores[name], strict=True)
            ]
            low, high = interval(gains, [clip.composition for clip in clips])
            row[f"{each}_gain"] = round(float(np.mean(gains)), 4)
            row[f"{each}_gain_low"], row[f"{each}_gain_high"] = round(low, 4), round(high, 4)
        print(row, flush=True)
        rows.append(row)
    return rows


def _mean(scores: Sequence[Scores], name: str) -> float:
    return float(np.mean([getattr(each, name) for each in scores]))


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("prior_gain", __doc__)
    parser.add_argument("--model", choices=list_models(), default=MODEL, help=f"(default: {MODEL})")
    parser.add_argument("--join", help="name or file of the join's weights (default: that of the model)")
    parser.add_argument("--instruments", nargs="*", default=[*HELD_OUT, "timgm-guitar"])
    parser.add_argument("--count", type=int, default=8, help="performances on each instrument")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each, at most")
    parser.add_argument("--only", nargs="+", metavar="CONDITION", help="names of conditions")
    parser.add_argument("--listen", action="store_true", help="keep the posteriorgrams, and no more")
    args = parsed(parser, argv)
    if args.join is None:
        if args.model not in JOINS:
            parser.error(f"--join: expected one, as none was fitted to {args.model}")
        args.join = JOINS[args.model].name
    rows: list[Row] = []
    for condition in conditions(args.instruments, args.count, args.seconds):
        if args.only and condition.name not in args.only:
            continue
        clips = read_condition(condition, args.model)
        rows += [] if args.listen else rows_of(condition, clips, args.join)
    if not args.listen:
        settings = {"model": args.model, "join": args.join, "prior of notes": PRIOR, "precision": "bfloat16"}
        settings |= {"thresholds": list(THRESHOLDS), "interval": "95 %, paired bootstrap over compositions"}
        settings |= {"performances": args.count, "seconds": args.seconds}
        question = "What is a prior worth, on real recordings and on pianos left out of training?"
        merge_report(args.output, question, settings, rows, ("condition",))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
