"""How many test chorales are set to a tune that training holds too, and how well is the rest predicted?

Is: the JSB chorales' tunes (the highest sounding key of each step, as intervals, repetitions left out)
compared between test and training split; nats a step of the shipped priors over all test chorales, those
whose tune is in training, and those whose tune is not.
Is not: another split: published figures are over all of them (benchmarks.symbolic_models).

Two tunes count as the same if the matching blocks of `difflib` cover 80 % of both. Few pairs lie near that
border; intervals in reversed order, which are nobody's tune, are the check (`reversed_same` counts those).
"""

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray

from benchmarks.reporting.form import benchmark_parser, parsed, write_report
from symbolic.datasets.classic import read_classic
from symbolic.evaluation.likelihood import log_likelihood
from symbolic.priors.loading import load_prior

SAME = 0.8
EXACT = ("lstm-conv-nade", "biaxial", "tp-lstm-nade", "lstm-nade", "rnn-nade", "rnn-bernoulli")
TOGETHER = "lstm-conv-nade/jsb+biaxial/jsb"
CACHED = [f"{name}+cache" for name in (TOGETHER, "biaxial/jsb", "lstm-conv-nade/jsb")]
PRIORS = [*CACHED, TOGETHER, *(f"{model}/jsb" for model in EXACT)]
Tune = tuple[int, ...]


def tune_of(roll: NDArray[np.uint8]) -> Tune:
    """Semitones between successive highest keys that differ."""
    highest = np.array([np.flatnonzero(step)[-1] for step in roll if step.any()], dtype=np.int64)
    steps = np.diff(highest)
    return tuple(steps[steps != 0].tolist())


def likeness(tune: Tune, others: Sequence[Tune]) -> float:
    """Share of matching intervals, 0 to 1, of the most alike of `others`."""
    matcher = SequenceMatcher(None, autojunk=False)
    matcher.set_seq2(tune)
    best = 0.0
    for other in others:
        matcher.set_seq1(other)
        if matcher.quick_ratio() > best:  # an upper bound, quickly
            best = max(best, matcher.ratio())
    return best


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("shared_tunes", __doc__)
    parser.add_argument("--priors", nargs="+", default=PRIORS, metavar="NAME")
    args = parsed(parser, argv)
    data = read_classic("jsb")
    train, test = [tune_of(roll) for roll in data.train], [tune_of(roll) for roll in data.test]
    alike = np.array([likeness(tune, train) for tune in test])
    reversals = np.array([likeness(tune[::-1], train) for tune in test])
    parts = {
        "all": np.arange(len(test)),
        "tune in training": np.flatnonzero(alike >= SAME),
        "tune not in training": np.flatnonzero(alike < SAME),
    }
    rows: list[dict[str, str | int | float]] = []
    for name in args.priors:
        prior = load_prior(name)
        for part, where in parts.items():
            found = log_likelihood(prior, [data.test[index] for index in where])
            row: dict[str, str | int | float] = {"prior": name, "part": part, "chorales": len(where)}
            rows.append(row | {"steps": found.steps, "log_likelihood_nats_per_step": found.per_step})
            print(rows[-1], flush=True)
    settings = {
        "same": SAME,
        "identical": int((alike == 1).sum()),
        "reversed_same": int((reversals >= SAME).sum()),
        "training_chorales": len(train),
    }
    question = "How many test chorales are set to a tune of training, and how well is the rest predicted?"
    write_report(args.output, question, settings, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
