"""Does a symbolic prior improve transcription, as Boulanger-Lewandowski et al. 2012 found (their figure 5)?

Is: test pieces of the four classic sets rendered on a sampled piano, degraded, heard by an acoustic model,
and decoded at the true steps: by a threshold, by HMMs, and by the paper's greedy search and our beam with
priors of that set. Whatever is tuned is tuned on validation pieces, in the same condition.
Is not: transcription of recordings whose tempo nobody knows (benchmarks.transcription).

    python -m benchmarks.paper_experiment
    python -m benchmarks.paper_experiment --sets jsb --conditions matched
    python -m benchmarks.paper_experiment --minutes 10    # of processor time; the same command goes on

Priors that are not shipped are read from `runs`: first
`python -m benchmarks.symbolic_models --train --rows rnn-nade rnn-rbm --sets piano_midi musedata`.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from benchmarks.lib.classic_audio import EXCERPT_SECONDS, PIANO, STEP_SECONDS, Ear
from benchmarks.lib.decoder_trials import (
    CANDIDATES,
    RESAMPLES,
    WIDTH,
    Choice,
    Counts,
    Pieces,
    best_of,
    counted_chains,
    decoded,
    gain,
    shown,
    thresholds,
    tuned_chains,
    tuned_search,
)
from benchmarks.reporting.form import benchmark_parser, merge_report, parsed
from benchmarks.reporting.published import FRAME_ACCURACIES
from benchmarks.symbolic_models import weights
from symbolic.datasets.classic import ClassicName, read_classic
from symbolic.decoding.options import Beam, Greedy
from symbolic.errors import NotebeamError
from symbolic.priors.base import Prior
from symbolic.priors.loading import load_prior
from symbolic.priors.piece_cache import SUFFIX

QUESTION = "How much does a symbolic prior improve frame accuracy over an HMM, at known steps?"
# The paper's two, then our best, with the cache over the piece and without.
PRIORS = ("rnn-nade", "rnn-rbm", "lstm-conv-nade" + SUFFIX, "lstm-conv-nade")
# Those in all conditions; their beams have a grid of their own.
OVER_NOISE = ("rnn-nade", "lstm-conv-nade" + SUFFIX)
# Pink noise so strong that the better HMM has the accuracy that the paper's HMM has on the set.
MATCHED = "matched"
CONDITIONS = (MATCHED, "clean", "pink 0 dB", "room", "pink -10 dB", "white 0 dB", "pink 10 dB")
NEAR = 0.01  # of the paper's accuracy
STRONGEST, WEAKEST = -30.0, 40.0  # dB
Row = dict[str, str | int | float]


class Experiment:
    """One set, through one acoustic model."""

    def __init__(self, name: ClassicName, ear: Ear, runs: Path, priors: Sequence[str] = PRIORS) -> None:
        self.name, self.ear = name, ear
        self.train = read_classic(name).train
        found = weights(runs)
        self.priors: dict[str, Prior] = {}
        self._chains: dict[str, dict[str, tuple[Choice, Counts]]] = {}
        for model in priors:
            if (model, name) not in found:
                row = model.removesuffix(SUFFIX)
                expected = f"python -m benchmarks.symbolic_models --train --rows {row} --sets {name}"
                raise NotebeamError(f"{model} of {name}", f"none in {runs}", f"weights: {expected}")
            self.priors[model] = load_prior(found[model, name])

    def pieces(self, condition: str, split: str) -> Pieces:
        """A split in this condition."""
        return Pieces(*self.ear.evidence(self.name, split, condition))

    def chains(self, condition: str) -> dict[str, tuple[Choice, Counts]]:
        """Both HMMs, tuned: how they were chosen, and what they find in the test pieces."""
        if condition not in self._chains:
            valid, test = self.pieces(condition, "valid"), self.pieces(condition, "test")
            grids = {"hmm tuned": tuned_chains(), "hmm counted": counted_chains(self.train)}
            choices = {decoder: best_of(valid, None, grid) for decoder, grid in grids.items()}
            self._chains[condition] = {
                decoder: (choice, decoded(test, None, choice.options)) for decoder, choice in choices.items()
            }
        return self._chains[condition]

    def matched(self) -> str:
        """The condition in which the better HMM is nearest to the paper's; "clean" if it never is better."""
        wanted = FRAME_ACCURACIES[self.name]["hmm"]
        known = {0.0: self._hmm(_LADDER[0.0])}
        other = WEAKEST if known[0.0] < wanted else -10.0
        for _ in range(4):
            level = min(known, key=lambda level: abs(known[level] - wanted))
            guess = other if len(known) == 1 else _crossing(known, wanted)
            if abs(known[level] - wanted) < NEAR or guess in known:
                break
            known[guess] = self._hmm(_LADDER.get(guess, f"pink {guess:g} dB"))
            if known.get(WEAKEST, wanted) < wanted:
                return "clean"
        level = min(known, key=lambda level: abs(known[level] - wanted))
        return _LADDER.get(level, f"pink {level:g} dB")

    def _hmm(self, condition: str) -> float:
        accuracy = float(better(self.chains(condition))[1].bay())
        print(f"{self.name} {condition}: HMM {accuracy:.3f}", flush=True)
        return accuracy

    def rows(self, condition: str, *, every: bool) -> list[Row]:
        """All decoders in one condition, or a threshold, the HMMs and the beams of two priors."""
        valid, test = self.pieces(condition, "valid"), self.pieces(condition, "test")
        cut = best_of(valid, None, thresholds())
        centre = float(np.clip(getattr(cut.options, "threshold"), 0.02, 0.8))  # noqa: B009
        results = {("threshold", ""): (cut, decoded(test, None, cut.options))}
        chains = self.chains(condition)
        results |= {(decoder, ""): result for decoder, result in chains.items()}
        start: Choice | None = None
        for model, prior in self.priors.items():
            if not every and model not in OVER_NOISE:
                continue
            for method in (Beam, Greedy) if every else (Beam,):
                on_grid = method is Beam and model in OVER_NOISE
                choice = tuned_search(valid, prior, method, centre, None if on_grid else start)
                start = choice if on_grid else start
                results[method.__name__.lower(), model] = choice, decoded(test, prior, choice.options)
        hmm = better(chains)[1]
        return [self._row(condition, *key, *result, hmm) for key, result in results.items()]

    def _row(
        self, condition: str, decoder: str, prior: str, choice: Choice, counts: Counts, hmm: Counts
    ) -> Row:
        row: Row = {"set": self.name, "heard": condition, "decoder": decoder, "prior": prior}
        row |= {"bay": round(float(counts.bay()), 4), "acc12": round(float(counts.acc12()), 4)}
        row |= {"valid_bay": round(choice.valid_bay, 4)}
        row |= {"pieces": len(counts.steps), "steps": int(counts.steps.sum())}
        for accuracy in (Counts.bay, Counts.acc12):
            values = gain(counts, hmm, accuracy)
            for suffix, value in zip(("", "_low", "_high"), values, strict=True):
                row[f"gain_{accuracy.__name__}{suffix}"] = round(value, 4)
        return row | shown(choice.options)


_LADDER = {WEAKEST: "clean", 0.0: "pink 0 dB", -10.0: "pink -10 dB"}  # clean counts as 40 dB


def better(chains: dict[str, tuple[Choice, Counts]]) -> tuple[Choice, Counts]:
    """The HMM that is better on the validation pieces."""
    return max(chains.values(), key=lambda result: result[0].valid_bay)


def _crossing(known: dict[float, float], wanted: float) -> float:
    """Level, to half a dB, at which a line through the known accuracies on either side is at `wanted`."""
    above = min(level for level, accuracy in known.items() if accuracy >= wanted)
    below = [level for level, accuracy in known.items() if accuracy < wanted and level < above]
    if not below:
        return max(STRONGEST, above - 6.0)
    low = max(below)
    share = (wanted - known[low]) / (known[above] - known[low])
    return round(2 * (low + share * (above - low))) / 2


def done(output: Path) -> set[tuple[str, str]]:
    """Sets and conditions that the report has."""
    if not output.is_file():
        return set()
    rows = json.loads(output.read_text(encoding="utf-8"))["rows"]
    return {(row["set"], row["condition"]) for row in rows}


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("paper_experiment", __doc__)
    parser.add_argument("--model", default="piano-small", help="acoustic model (default: piano-small)")
    parser.add_argument("--sets", nargs="+", choices=get_args(ClassicName), default=get_args(ClassicName))
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=CONDITIONS)
    parser.add_argument("--priors", nargs="+", choices=PRIORS, default=PRIORS, help="(default: all)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="trained priors (default: runs)")
    parser.add_argument(
        "--minutes", type=float, help="end after the condition in which so much processor time is over"
    )
    parser.add_argument("--again", action="store_true", help="measure also what the report has")
    args = parsed(parser, argv)
    begun = time.process_time()
    ear = Ear(args.model)
    settings = {"model": args.model, "piano": PIANO, "step_seconds": STEP_SECONDS, "seed": 0}
    settings |= {"excerpt_seconds": EXCERPT_SECONDS, "beam_width": WIDTH, "candidates": CANDIDATES}
    settings |= {"greedy": "k = 7, all 128 sets", "resamples": RESAMPLES}
    priors = [model for model in PRIORS if model in args.priors]
    had = set() if args.again else done(args.output)
    experiments: dict[str, Experiment] = {}
    for condition in args.conditions:
        for name in args.sets:
            if (name, condition) in had:
                continue
            if args.minutes is not None and time.process_time() - begun > 60 * args.minutes:
                print("time is over; the same command goes on")
                return 0
            try:
                experiment = experiments.setdefault(name, Experiment(name, ear, args.runs, priors))
            except NotebeamError as error:
                parser.error(str(error))
            with torch.inference_mode():
                heard = experiment.matched() if condition == MATCHED else condition
                rows = experiment.rows(heard, every=condition == MATCHED)
            merge_report(
                args.output,
                QUESTION,
                settings,
                [{"condition": condition, **row} for row in rows],
                ("set", "condition", "decoder", "prior"),
            )
            for row in rows:
                print(name, condition, row["decoder"], row["prior"], row["bay"], row["gain_bay"], flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
