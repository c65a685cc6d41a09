"""How well do the shipped priors predict music they have not seen?

Is: exact log-likelihood a step and accuracies of each shipped prior on a test set, beside the note 1-gram of
the same training set and, where there is one, the published figure.
Is not: what a prior is worth in transcription (benchmarks.tuning).
"""

import argparse

from benchmarks.report import write_report
from symbolic.baselines.notes import independent_log_prob, key_frequencies
from symbolic.evaluation.__main__ import scores
from symbolic.notes import Notes
from symbolic.priors.registry import load_prior
from symbolic.training.config import CLASSIC, DataConfig
from symbolic.training.data import Roll, frames_roll, read_splits

# Boulanger-Lewandowski et al. 2012, table 1, RNN-NADE: nats a step and accuracy (ACC12 of sampled steps).
PUBLISHED = {("lstm-nade/jsb", "jsb"): (-5.83, 0.3211)}
PAIRS = (("lstm-nade/jsb", "jsb", 20), ("event-rnn-nade/piano", "asap", 0))


def one_gram(name: str, dataset: str) -> float:
    """Test log-likelihood a step of the note 1-gram of the training pieces, in the prior's own steps."""
    card = load_prior(name).card
    if dataset in CLASSIC:
        config = DataConfig(set=dataset)
    else:
        plane = "struck" if card.plane == "struck" else "active"
        config = DataConfig(performances=(dataset,), hop=float(card.clock["hop"]), plane=plane)
    splits = read_splits(config)
    train: list[Roll] = [frames_roll(p, config) if isinstance(p, Notes) else p for p in splits.train]
    on = key_frequencies(train)
    parts = [independent_log_prob(roll, on) for roll in splits.test]
    return float(sum(part.sum() for part in parts) / sum(len(part) for part in parts))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    rows = []
    for name, dataset, samples in PAIRS:
        row = scores(name, dataset, "test", samples=samples, seed=0)
        row["note_1_gram_nats_per_step"] = one_gram(name, dataset)
        if (name, dataset) in PUBLISHED:
            row["published_nats_per_step"], row["published_acc12"] = PUBLISHED[name, dataset]
        prior = load_prior(name)
        row["parameters"] = sum(p.numel() for p in prior.parameters())
        row["training_minutes"] = prior.card.scores["minutes"]
        rows.append(row)
        print(row)
    question = "How well do the shipped priors predict music they have not seen?"
    write_report("priors", question, {"likelihood": "pooled over steps, step 0 counts, natural log"}, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
