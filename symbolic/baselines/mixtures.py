"""GMM over frames: a mixture that is a probability of binary frames, fitted by EM.

Is: the components, the mixture, its fit.
Is not: the chain over the components (baselines.chain), or sums over training frames (baselines.frames).

A Gaussian density is no probability of a frame of keys that are on or off: its rows would compare with no
other. So every component is a Gaussian with diagonal covariance confined to the corners {0, 1}**D and
normalised there. In each key its log-odds are ((x - mu)**2 at 0 less that at 1) / (2 s**2)
= (2 mu - 1) / (2 s**2), which any probability p = sigmoid(that) has: such a component is a product of
Bernoullis, and the mixture of largest likelihood is found by EM for a mixture of Bernoullis.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from symbolic.baselines.protocol import Roll, Steps

PRIOR_COUNT = 0.5  # frames of average keys added to every component's counts
SIZES = (64, 256, 1024)  # from which validation chooses
ITERATIONS = 40  # of EM at most; it ends where validation no longer gains 0.001 nats


def component_log_prob(frames: Tensor, on: Tensor) -> Tensor:
    """(N, K) log-probability, nats, of frames (N, D) 0/1 under products of Bernoullis `on` (K, D)."""
    return frames @ torch.logit(on).t() + torch.log1p(-on).sum(1)


def mixture_em(frames: Tensor, counts: Tensor, weight: Tensor, on: Tensor) -> tuple[Tensor, Tensor]:
    """One EM iteration: weights (K,) and components (K, D) of larger likelihood, with a pinch of the average.

    frames (N, D) 0/1, counts (N,) how often each comes.
    """
    joint = component_log_prob(frames, on) + weight.log()
    share = torch.softmax(joint, 1) * counts[:, None]  # (N, K)
    return components_of(share, frames, counts)


def components_of(share: Tensor, frames: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (K,) and components (K, D) of shares (N, K) in frames (N, D)."""
    average = ((counts @ frames) + 1) / (counts.sum() + 2)
    total = share.sum(0)
    on = (share.t() @ frames + PRIOR_COUNT * average) / (total + PRIOR_COUNT)[:, None]
    weight = (total + PRIOR_COUNT) / (total + PRIOR_COUNT).sum()
    return weight, on.clamp(1e-6, 1 - 1e-6)


class Mixture:
    """GMM: components (K, D) with weights (K,), whatever came before."""

    def __init__(self, weight: Tensor, on: Tensor, iterations: int) -> None:
        self.weight, self.on = weight, on
        self.settings = {"components": len(weight), "iterations": iterations}

    def log_prob(self, rolls: Sequence[Roll]) -> Steps:
        """(all steps,) nats."""
        joint = component_log_prob(frames_of(rolls), self.on) + self.weight.log()
        return to_numpy(joint.logsumexp(1))

    def draws(self, rolls: Sequence[Roll], rng: np.random.Generator, count: int) -> Iterator[Roll]:
        """So many times (all steps, D): a draw of every step."""
        return drawn(self.weight.expand(sum(map(len, rolls)), -1), self.on, rng, count)


def fit_mixture(
    train: Sequence[Roll], valid: Sequence[Roll], seed: int, sizes: Sequence[int] = SIZES
) -> Mixture:
    """The mixture, of the sizes given, that predicts the validation rolls best.

    At most as many components as there are different training frames.
    """
    distinct, number = np.unique(np.packbits(np.concatenate(train), axis=1), axis=0, return_counts=True)
    keys = train[0].shape[1]
    frames = torch.from_numpy(np.unpackbits(distinct, axis=1, count=keys).astype(np.float32))
    counts = torch.from_numpy(number.astype(np.float32))
    fitted = [_fit_mixture(frames, counts, valid, seed, min(size, len(frames))) for size in sizes]
    return max(fitted, key=lambda model: model.log_prob(valid).mean())


def _fit_mixture(frames: Tensor, counts: Tensor, valid: Sequence[Roll], seed: int, size: int) -> Mixture:
    # The components begin as different training frames, common ones more likely, mixed with the average.
    rng = np.random.default_rng(seed)
    chance = to_numpy(counts.double() / counts.double().sum())
    first = torch.from_numpy(rng.choice(len(frames), size, replace=False, p=chance))
    average = (counts @ frames + 1) / (counts.sum() + 2)
    weight, on = torch.full((size,), 1 / size), 0.7 * frames[first] + 0.3 * average
    best = Mixture(weight, on, 0)
    score = -np.inf
    for iteration in range(1, ITERATIONS + 1):
        weight, on = mixture_em(frames, counts, weight, on)
        model = Mixture(weight, on, iteration)
        found = model.log_prob(valid).mean()
        if found < score + 1e-3:
            return model if found > score else best
        best, score = model, found
    return best


def frames_of(rolls: Sequence[Roll]) -> Tensor:
    """(all steps, D) float32."""
    return torch.from_numpy(np.concatenate(rolls).astype(np.float32))


def to_numpy(values: Tensor) -> Steps:
    return np.asarray(values.numpy(), dtype=np.float64)


def drawn(chance: Tensor, on: Tensor, rng: np.random.Generator, count: int) -> Iterator[Roll]:
    """So many times (N, D) frames: a component (of K) with the chances of the row (N, K), then its keys."""
    below, keys = chance.cumsum(1).numpy(), on.numpy()
    for _ in range(count):
        component = (below < rng.random((len(below), 1), dtype=np.float32) * below[:, -1:]).sum(1)
        yield rng.random((len(below), on.shape[1]), dtype=np.float32) < keys[component]
