"""How well does the shipped piano prior predict performances it has not seen?

Is: exact log-likelihood a step of each shipped prior of performances, beside the note 1-gram of the same
training set.
Is not: the models of the classic sets (benchmarks.symbolic_models), or what a prior is worth in transcription
(benchmarks.tuning).
"""

from collections.abc import Sequence

from benchmarks.reporting.form import benchmark_parser, parsed, write_report
from symbolic.baselines.notes import independent_log_prob, key_frequencies
from symbolic.datasets.config import DataConfig
from symbolic.datasets.splits import Roll, frames_roll, read_splits
from symbolic.evaluation.rows import scores
from symbolic.notes import Notes
from symbolic.priors.loading import load_prior

PAIRS = (("event-rnn-nade/piano", "asap"),)


def one_gram(name: str, dataset: str) -> float:
    """Test log-likelihood a step of the note 1-gram of the training pieces, in the prior's own steps."""
    card = load_prior(name).require_card()
    plane = "struck" if card.plane == "struck" else "active"
    config = DataConfig(performances=(dataset,), hop=float(card.clock["hop"]), plane=plane)
    splits = read_splits(config)
    train: list[Roll] = [frames_roll(p, config) if isinstance(p, Notes) else p for p in splits.train]
    on = key_frequencies(train)
    parts = [independent_log_prob(roll, on) for roll in splits.test]
    return float(sum(part.sum() for part in parts) / sum(len(part) for part in parts))


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("priors", __doc__)
    args = parsed(parser, argv)
    rows = []
    for name, dataset in PAIRS:
        row = scores(name, dataset, "test", samples=0, seed=0)
        row["note_1_gram_nats_per_step"] = one_gram(name, dataset)
        prior = load_prior(name)
        row["parameters"] = sum(p.numel() for p in prior.parameters())
        row["training_minutes"] = prior.require_card().scores["minutes"]
        rows.append(row)
        print(row)
    question = "How well does the shipped piano prior predict performances it has not seen?"
    write_report(args.output, question, {"likelihood": "pooled over steps, step 0 counts, natural log"}, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
