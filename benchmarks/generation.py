"""Is music drawn from a prior like the music that it learnt from?

Is: plain figures of the test pieces of a classic set and of as many drawn ones, of the same lengths; and the
README's picture of one of each, side by side.
Is not: a judgement by ear, or the likelihood of either (benchmarks.priors).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.reporting.form import benchmark_parser, parsed, write_report
from symbolic.datasets.classic import read_classic
from symbolic.evaluation.likelihood import log_likelihood
from symbolic.generation.picture import Panel, save_rolls
from symbolic.generation.sampling import SampleOptions, sample_steps
from symbolic.pitch import pitch_of
from symbolic.priors.loading import list_priors, load_prior
from symbolic.priors.steps import clock_for, notes_of_steps

PICTURE = Path(__file__).parent.parent / "docs" / "figures" / "generation.png"
SHOWN, TEMPO = 24, 84.0  # the test chorale of the picture; quarter notes a minute
WHITE = (0, 2, 4, 5, 7, 9, 11)  # pitch classes of C major, in which the set is
Roll = NDArray[np.bool_]


def figures(rolls: Sequence[Roll]) -> dict[str, float]:
    """What can be counted in rolls (T, D)."""
    steps = np.concatenate(rolls)
    after, before = (np.concatenate([roll[part] for roll in rolls]) for part in (slice(1, None), slice(-1)))
    counts = steps.sum(1)
    white = np.isin(pitch_of(np.arange(steps.shape[1])) % 12, WHITE)
    return {
        "notes_per_step": float(counts.mean()),
        "share_of_steps_with_four_notes": float((counts == 4).mean()),
        "keys_changed_per_step": float((after != before).sum(1).mean()),
        "share_of_repeated_steps": float((after == before).all(1).mean()),
        "share_of_notes_in_c_major": float(steps[:, white].sum() / steps.sum()),
        "distinct_steps_per_1000": float(1000 * len(np.unique(steps, axis=0)) / len(steps)),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("generation", __doc__)
    parser.add_argument(
        "--prior", default="lstm-conv-nade/jsb", choices=list_priors(), help="one that learnt the chorales"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parsed(parser, argv)
    prior, real = load_prior(args.prior), read_classic("jsb").test
    options = SampleOptions(steps=max(map(len, real)), count=len(real), seed=args.seed)
    drawn = [roll[: len(other)] for roll, other in zip(sample_steps(prior, options), real, strict=True)]
    rows = [
        {"music": music, "pieces": len(rolls), "nats_per_step": log_likelihood(prior, rolls).per_step}
        | figures(rolls)
        for music, rolls in (("Bach", real), ("drawn", drawn))
    ]
    for row in rows:
        print(row)
    question = "Is music drawn from a prior like the music that it learnt from?"
    write_report(args.output, question, {"prior": args.prior, "seed": args.seed}, rows)
    panels = []
    for title, roll in (("J. S. Bach", real[SHOWN]), (f"drawn from {args.prior}", drawn[SHOWN])):
        clock = clock_for(prior.require_card(), len(roll), TEMPO)
        # What was drawn has the other colour: all of it lies after the seam.
        seam = clock.end if roll is real[SHOWN] else 0.0
        panels.append(Panel(title, notes_of_steps(roll, clock, prior.require_card()), seam, clock.end))
    save_rolls(PICTURE, panels, columns=2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
