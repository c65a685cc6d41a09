"""How much of an RBM's log-likelihood is the way its log Z was estimated?

Is: the LSTM-RTRBM of the chorales on the same test steps, log Z by annealed importance sampling from two
bases with more and more temperatures. Too few of them leave log Z too low, and the likelihood too high.
Is not: the likelihood to report (benchmarks.symbolic_models).
"""

from collections.abc import Sequence

import torch

from benchmarks.reporting.form import benchmark_parser, parsed, write_report
from symbolic.datasets.classic import read_classic
from symbolic.estimators.ais import ais_log_partition
from symbolic.estimators.rbm import Rbm
from symbolic.evaluation.likelihood import base_logits, padded_batches
from symbolic.priors.loading import load_prior
from symbolic.priors.recurrent import RecurrentPrior

TEMPERATURES = (3, 10, 30, 100, 300)
RUNS = 100


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("partition", __doc__)
    parser.add_argument("--prior", default="lstm-rtrbm/jsb")
    parser.add_argument("--steps", type=int, default=100, help="of the test set, evenly spread")
    args = parsed(parser, argv)
    prior, rolls = load_prior(args.prior), read_classic("jsb").test
    assert isinstance(prior, RecurrentPrior) and isinstance(prior.estimator, Rbm)
    steps, biases = [], []
    with torch.inference_mode():
        for batch, mask in padded_batches(rolls):
            steps.append(batch[mask])
            biases.append(prior.chunk_biases(prior.initial_state(len(batch)), batch, mask)[0])
        every = torch.cat(steps)
        chosen = torch.arange(args.steps) * len(every) // args.steps
        step, bias = every[chosen], torch.cat(biases)[chosen]
        found = prior.estimator.log_prob(step, bias)
        marginals = base_logits(rolls)
        rows = []
        for name, base in (("zeros", torch.zeros_like(marginals)), ("marginals", marginals)):
            for count in TEMPERATURES:
                generator = torch.Generator().manual_seed(0)
                parts = prior.estimator.split(bias)
                log_z, error = ais_log_partition(
                    prior.estimator.weight, *parts, base, generator, temperatures=count, runs=RUNS
                )
                rows.append(
                    {
                        "prior": args.prior,
                        "base": name,
                        "temperatures": count,
                        "log_likelihood_nats_per_step": float((found - log_z).mean()),
                        "standard_error_of_a_step": float(error.mean()),
                        "steps": args.steps,
                    }
                )
                print(rows[-1])
    question = "How much of an RBM's log-likelihood is the way its log Z was estimated?"
    write_report(args.output, question, {"runs": RUNS, "seed": 0, "set": "jsb, test split"}, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
