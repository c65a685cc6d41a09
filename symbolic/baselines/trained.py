"""Baselines that are trained by gradients: a net over the last steps, and estimators of one step alone.

Is: the MLP over the last n steps; NADE and RBM over single frames, their biases constant; their fits.
Is not: the estimators (symbolic.estimators), or anything with a state (symbolic.priors).
"""

import copy
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symbolic.baselines.mixtures import frames_of, to_numpy
from symbolic.baselines.notes import KeyModel, key_frequencies
from symbolic.baselines.protocol import Roll, Steps, thinned
from symbolic.estimators.ais import ais_log_partition
from symbolic.estimators.nade import Nade, NadeOptions
from symbolic.estimators.protocol import Estimator
from symbolic.estimators.rbm import Rbm, RbmOptions, contrastive_divergence, gibbs_chain, scattered

VALIDATIONS = 10  # in a fit; the weights of the best are kept
VALID_STEPS = 20_000  # for those validations, from pieces evenly spread over the split
SPANS = (1, 2, 4, 8)  # steps before, from which validation chooses
STEPS_AT_ONCE = 8192  # steps evaluated together: bounds the memory
CHAINS = 128  # that train an RBM, and steps of a batch
RESTARTED = 0.002  # share of them that begin anew at random, each update
POOL = 4096  # frames drawn by an estimator whose samples take a long chain; steps share them


def ascend(
    model: nn.Module,
    objective: Callable[[Tensor, torch.Generator], Tensor],
    steps: int,
    score: Callable[[], float],
    *,
    updates: int,
    batch: int = 256,
    rate: float,
    seed: int,
) -> int:
    """Raise the mean `objective` of steps, given by their numbers below `steps`.

    The model keeps the weights of the update with the best score; that update is returned. `rate` is
    Adam's at the first update, and falls to a hundredth along a cosine.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates, rate / 100)
    best, best_update, kept = -np.inf, 0, copy.deepcopy(model.state_dict())
    for update in range(1, updates + 1):
        loss = -objective(torch.randint(steps, (batch,), generator=generator), generator).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if update % max(1, updates // VALIDATIONS) == 0 or update == updates:
            with torch.no_grad():
                found = score()
            if found > best:
                best, best_update, kept = found, update, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    return best_update


class LastSteps(nn.Module):
    """Logits of the keys of a step given the `span` steps before it."""

    def __init__(self, keys: int, span: int, units: int, dropout: float) -> None:
        super().__init__()
        self.span, self.dropout = span, dropout
        self.hidden, self.out = nn.Linear(span * keys, units), nn.Linear(units, keys)

    def forward(self, past: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(N, D) of the steps before (N, span, D), latest last; with a generator, hidden units drop out."""
        hidden = torch.relu(self.hidden(past.flatten(1)))
        if generator is not None:
            kept = torch.rand(hidden.shape, generator=generator) >= self.dropout
            hidden = hidden * kept / (1 - self.dropout)
        logits: Tensor = self.out(hidden)
        return logits

    @torch.no_grad()
    def on(self, roll: Roll) -> Steps:
        """(T, D) probability of every key at every step; kept from 0 and 1, from which no step recovers."""
        past = windows(frames_of([roll]), self.span)
        logits = torch.cat([self(block) for block in torch.split(past, STEPS_AT_ONCE)])
        return np.asarray(to_numpy(torch.sigmoid(logits.double())).clip(1e-9, 1 - 1e-9))


def windows(frames: Tensor, span: int) -> Tensor:
    """(T, span, D) the steps before each of frames (T, D), silence before the first; a view."""
    padded = torch.cat([frames.new_zeros(span, frames.shape[1]), frames])
    return padded.unfold(0, span, 1)[:-1].transpose(1, 2)


def fit_mlp(
    train: Sequence[Roll],
    valid: Sequence[Roll],
    seed: int,
    spans: Sequence[int] = SPANS,
    *,
    units: int = 300,
    dropout: float = 0.5,
    updates: int = 2500,
) -> KeyModel:
    """MLP over the last n steps, Bernoulli outputs; of the spans n, that which predicts validation best."""
    watched, models = thinned(valid, VALID_STEPS), []
    widest = max(spans)
    # All rolls in one, each after as much silence as the widest window: a window is a slice.
    silence = np.zeros((widest, train[0].shape[1]), dtype=np.bool_)
    frames = frames_of([part for roll in train for part in (silence, roll)])
    starts = np.cumsum([0, *(len(roll) + widest for roll in train[:-1])]) + widest
    places = torch.from_numpy(
        np.concatenate(
            [np.arange(start, start + len(roll)) for start, roll in zip(starts, train, strict=True)]
        )
    )
    first = torch.logit(torch.from_numpy(key_frequencies(train))).float()
    for span in spans:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = LastSteps(frames.shape[1], span, units, dropout)
        with torch.no_grad():
            net.out.bias.copy_(first)

        def objective(
            index: Tensor, generator: torch.Generator, net: LastSteps = net, span: int = span
        ) -> Tensor:
            place = places[index]
            past = frames[place[:, None] + torch.arange(-span, 0)]
            logits: Tensor = net(past, generator)
            return (frames[place] * logits - F.softplus(logits)).sum(1)

        model = KeyModel(net.on, {})
        update = ascend(
            net,
            objective,
            len(places),
            lambda model=model: float(model.log_prob(watched).mean()),  # type: ignore[misc]
            updates=updates,
            rate=3e-3,
            seed=seed,
        )
        model.settings = {"steps_before": span, "units": units, "update": update}
        models.append(model)
    return max(models, key=lambda model: model.log_prob(watched).mean())


class FrameModel(nn.Module):
    """An estimator with constant biases: every frame by itself, whatever came before."""

    def __init__(self, estimator: Estimator, mean: Tensor) -> None:
        super().__init__()
        self.estimator = estimator
        self.biases = nn.Parameter(estimator.initialise_from_marginals(mean))
        self.log_z, self.standard_error = 0.0, 0.0  # nats; estimated where the estimator leaves out log Z
        self.settings: dict[str, int | float] = {}

    def unnormalized(self, frames: Tensor) -> Tensor:
        """(N,) nats of frames (N, D), log Z left out where the estimator leaves it out."""
        log_prob: Tensor = self.estimator.log_prob(frames, self.biases.expand(len(frames), -1))
        return log_prob

    @torch.no_grad()
    def log_prob(self, rolls: Sequence[Roll]) -> Steps:
        """(all steps,) nats; the error of log Z, `standard_error`, is common to all."""
        blocks = [self.unnormalized(block) for block in torch.split(frames_of(rolls), STEPS_AT_ONCE)]
        return to_numpy(torch.cat(blocks)) - self.log_z

    def draws(self, rolls: Sequence[Roll], rng: np.random.Generator, count: int) -> Iterator[Roll]:
        """So many times (all steps, D): a draw of every step, out of a pool: no past distinguishes them."""
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        for _ in range(count):
            with torch.no_grad():
                pool = self.estimator.sample(self.biases.expand(POOL, -1), generator)
            yield np.asarray(pool.numpy()[rng.integers(0, POOL, sum(map(len, rolls)))] > 0)

    @torch.no_grad()
    def estimate(self, base: Tensor, seed: int, *, temperatures: int, runs: int) -> None:
        """Set log Z of an RBM by annealed importance sampling from independent keys of logits `base` (D,)."""
        estimator = self.estimator
        assert isinstance(estimator, Rbm)
        biases = estimator.split(self.biases[None])
        generator = torch.Generator().manual_seed(seed)
        log_z, error = ais_log_partition(
            estimator.weight, *biases, base, generator, temperatures=temperatures, runs=runs
        )
        self.log_z, self.standard_error = log_z.item(), error.item()


def _frame_model(
    make: Callable[[int], Estimator], train: Sequence[Roll], seed: int
) -> tuple[FrameModel, Tensor]:
    """Untrained model, and the training frames."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = FrameModel(make(train[0].shape[1]), torch.from_numpy(key_frequencies(train)).float())
    return model, frames_of(train)


def fit_nade(
    train: Sequence[Roll], valid: Sequence[Roll], seed: int, *, hidden: int = 300, updates: int = 2500
) -> FrameModel:
    """NADE over single frames."""
    model, frames = _frame_model(lambda keys: Nade(keys, NadeOptions(hidden=hidden)), train, seed)
    watched = thinned(valid, VALID_STEPS)
    update = ascend(
        model,
        lambda index, generator: model.unnormalized(frames[index]),
        len(frames),
        lambda: float(model.log_prob(watched).mean()),
        updates=updates,
        rate=1e-2,
        seed=seed,
    )
    model.settings = {"hidden": hidden, "update": update}
    return model


def fit_rbm(
    train: Sequence[Roll], valid: Sequence[Roll], seed: int, *, hidden: int = 200, updates: int = 32_000
) -> FrameModel:
    """RBM over single frames by persistent contrastive divergence; log Z by AIS.

    Its chains go on from update to update (Tieleman 2008) and so come farther than chains that begin at the
    data; a few begin anew at random, so that no likely state stays unseen however far it is from the data.
    The weights kept are the best by likelihood less the error of log Z, whose last estimate has 10,000
    temperatures and 100 runs.
    """
    options = RbmOptions(hidden=hidden, sample_gibbs=200)
    model, frames = _frame_model(lambda keys: Rbm(keys, options), train, seed)
    rbm = model.estimator
    assert isinstance(rbm, Rbm)
    base = torch.logit(torch.from_numpy(key_frequencies(train))).float()
    watched = thinned(valid, VALID_STEPS)
    chains = frames[torch.randint(len(frames), (CHAINS,), generator=torch.Generator().manual_seed(seed))]

    def objective(index: Tensor, generator: torch.Generator) -> Tensor:
        nonlocal chains
        biases = rbm.split(model.biases.expand(CHAINS, -1))
        chains = scattered(chains, RESTARTED, generator)
        chains = gibbs_chain(chains, *biases, rbm.weight, generator, count=5)
        return contrastive_divergence(frames[index], *biases, rbm.weight, generator, count=0, start=chains)

    def score() -> float:
        model.estimate(base, seed, temperatures=500, runs=50)
        return float(model.log_prob(watched).mean()) - model.standard_error

    update = ascend(model, objective, len(frames), score, updates=updates, batch=CHAINS, rate=1e-2, seed=seed)
    # Another seed than that by which the best update was chosen: its luck is not carried over.
    model.estimate(base, seed + 1, temperatures=10_000, runs=100)
    model.settings = {"hidden": hidden, "update": update, "temperatures": 10_000, "runs": 100}
    return model
