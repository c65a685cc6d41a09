"""Fit the weight of a cache: `python -m symbolic.training.piece_cache PRIOR ...`.

Is: the two numbers of `priors.piece_cache` that make the validation music of all these priors likeliest, and
what each gains by them. They are printed; `OFFSET` and `SLOPE` there are written by hand.
Is not: the cache, or a test (benchmarks.symbolic_models).
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from symbolic.console import outcome
from symbolic.datasets.classic import ClassicName, read_classic
from symbolic.errors import NotebeamError
from symbolic.evaluation.likelihood import padded_batches
from symbolic.priors.loading import load_prior
from symbolic.priors.piece_cache import PieceCache, mixed, weight_of

CLASSIC: tuple[ClassicName, ...] = ("piano_midi", "nottingham", "musedata", "jsb")


@dataclass(frozen=True, eq=False)
class Guesses:
    """Steps (N,) of one set: log-probability by the prior alone, and what the cache guessed."""

    plain: Tensor  # float64
    same: Tensor  # bool, whether the guess was right
    length: Tensor  # of the stretch that it follows; 0: no guess

    def log_prob(self, offset: Tensor, slope: Tensor) -> Tensor:
        """(N,) nats of each step by the mixture."""
        return mixed(self.plain, self.same, weight_of(self.length.double(), offset, slope))


@torch.no_grad()  # not inference mode: the fit goes back through what is found
def guesses(name: str) -> Guesses:
    """What a prior and its cache make of the validation split of the set it was trained on."""
    prior = load_prior(name)
    dataset = prior.require_card().name.split("-")[0]
    if dataset not in CLASSIC:
        raise NotebeamError(name, dataset, f"a prior of one of the sets {', '.join(CLASSIC)}")
    cache, parts = PieceCache(prior), []
    for batch, mask in padded_batches(read_classic(dataset).valid):
        plain = prior.sequence_log_prob(batch, mask)
        same, length, _ = cache.guesses(cache.initial_state(len(batch)), batch)
        parts.append((plain[mask].double(), same[mask], length[mask]))
    return Guesses(*(torch.cat(column) for column in zip(*parts, strict=True)))


def fit(sets: Sequence[Guesses]) -> tuple[float, float]:
    """Offset and slope that make the mean over the sets of nats a step greatest."""
    numbers = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([numbers], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = -torch.stack([part.log_prob(numbers[0], numbers[1]).mean() for part in sets]).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    offset, slope = numbers.detach().tolist()
    return offset, slope


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="symbolic.training.piece_cache", description="Fit a cache's weight."
    )
    parser.add_argument(
        "priors", nargs="+", metavar="PRIOR", help="of the classic sets, such as lstm-nade/jsb"
    )
    args = parser.parse_args(argv)
    return outcome("symbolic.training.piece_cache", lambda: _run(args.priors))


def _run(names: Sequence[str]) -> None:
    sets = [guesses(name) for name in names]
    offset, slope = fit(sets)
    sys.stdout.write(f"offset {offset:.2f}, slope {slope:.2f}\n")
    for name, part in zip(names, sets, strict=True):
        with_cache = part.log_prob(torch.tensor(offset), torch.tensor(slope)).mean()
        guessed = (part.length > 0).double().mean()
        sys.stdout.write(
            f"{name}, validation: {part.plain.mean():.3f} -> {with_cache:.3f} nats a step; a guess for "
            f"{guessed:.0%} of the steps, right for {part.same.double().mean():.0%}\n"
        )


if __name__ == "__main__":
    raise SystemExit(main())
