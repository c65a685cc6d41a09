"""Priors that factor a step from the lowest key to the highest, with the same net at every key.

With two planes a key has a bit for sounding and one for being struck, which only a sounding key can be:
visible is 2 D, the sounding bits first. Keys outside low..high - 1 are left to a fixed probability each: no
work where a set never goes. D' below is the number of keys in range.
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.estimators.prefixes import SharedRows
from symbolic.pitch import KEYS
from symbolic.priors.base import Prior, spread
from symbolic.state import State

MOST = 1 - 1e-3  # probability that a bit begins with


@dataclass(frozen=True, kw_only=True)
class KeywiseOptions:
    """Keys, planes, and what all keywise priors are sized by."""

    visible: int = KEYS  # planes times D
    planes: int = 1  # 2: a bit for sounding and one for being struck
    low: int = 0  # the first key that is modelled
    high: int = 0  # the key after the last one; 0: D
    window: int = 12  # keys read on either side
    hidden: int = 64  # of the net up the keys
    dropout: float = 0.0  # of the outputs of all layers; 0..1

    def __post_init__(self) -> None:
        at_least(self, visible=1, planes=1, low=0, high=0, window=1, hidden=1)
        if self.planes > 2 or self.visible % self.planes:
            raise NotebeamError("options.planes", self.planes, "1, or 2 for an even number of visible")
        if not self.low < (self.high or self.keys) <= self.keys:
            raise NotebeamError("options.high", self.high, f"0, or above low ({self.low}) to {self.keys}")
        if not 0 <= self.dropout < 1:
            raise NotebeamError("options.dropout", self.dropout, "a number in 0..1, below 1")

    @property
    def keys(self) -> int:
        """D."""
        return self.visible // self.planes


def at_least(options: object, **least: int) -> None:
    """Refuse options that are no integers, or too small."""
    for name, limit in least.items():
        value = getattr(options, name)
        if not isinstance(value, int) or value < limit:
            raise NotebeamError(f"options.{name}", value, f"an integer >= {limit}")


def bit_log_prob(bits: Tensor, logits: Tensor) -> Tensor:
    """(...) log-probability of keys with bits (..., P), 0/1, under their logits (..., P).

    A key that is struck and does not sound counts as silent: no key can be that.
    """
    each = bits * logits - F.softplus(logits)
    # A key that does not sound has no choice of being struck.
    return each[..., 0] + (each[..., 1:] * bits[..., :1]).sum(-1)


class KeywisePrior(Prior):
    """What is known of each key, and a net up the keys."""

    outside: Tensor

    def __init__(self, options: KeywiseOptions) -> None:
        super().__init__()
        self.visible, self.planes, self.keys = options.visible, options.planes, options.keys
        self.low, self.high = options.low, options.high or options.keys
        self.register_buffer("outside", torch.full((options.visible,), -6.0))  # logits of keys out of range

    @abstractmethod
    def past(self, state: State) -> Tensor:
        """(N, D', U) what is known of each key before the next step."""

    @abstractmethod
    def chunk_past(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        """The same (M, D', U) for the M real steps, in the order of rolls[mask], and the state after them."""

    @abstractmethod
    def step_logits(self, inside: Tensor, past: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(N, D', P) logits of each key's bits given the keys below, and the sounding bit for the struck one.

        inside (N, D', P) the keys in range of a step; past (N, D', U).
        """

    @abstractmethod
    def shared_logits(self, inside: Tensor, past: Tensor) -> Tensor:
        """(B, W, K, D', P) `step_logits` of rows (B, K, D', P) after each past (B, W, D', U)."""

    @abstractmethod
    def set_constant_biases(self, biases: Tensor) -> None:
        """Set the constant part of all keys' logits (P,)."""

    @torch.no_grad()
    def initialise_from_marginals(self, mean: Tensor) -> None:
        sounding = mean[: self.keys]
        # A bit for being struck is asked of keys that sound.
        mean = torch.cat([sounding, (mean[self.keys :] / sounding.repeat(self.planes - 1)).clamp(max=MOST)])
        # In range, at their average: the net is the same at every key.
        self.outside.copy_(torch.logit(mean))
        self.set_constant_biases(torch.logit(self.inside(mean[None]).mean((0, 1))))

    def log_prob(self, state: State, candidates: Tensor) -> Tensor:
        n, k, visible = candidates.shape
        past = self.past(state).repeat_interleave(k, 0)
        return self._score(candidates.reshape(n * k, visible), past).view(n, k)

    def shared_log_prob(self, state: State, shared: SharedRows) -> Tensor:
        clips, count, _ = shared.rows.shape
        inside = self.inside(shared.rows.flatten(0, 1))
        inside = inside.reshape(clips, count, *inside.shape[1:])  # (B, K, D', P)
        past = self.past(state)
        past = past.view(clips, -1, *past.shape[1:])  # (B, W, D', U)
        logits = self.shared_logits(inside, past)
        bits = self._inside_log_prob(inside[:, None].expand_as(logits), logits)
        return bits + self._outside_log_prob(shared.rows.flatten(0, 1)).view(clips, 1, count)

    @torch.no_grad()
    def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        return self._drawn(self.past(state), generator, temperature)

    @torch.no_grad()
    def draws(self, state: State, generator: torch.Generator, count: int) -> Tensor:
        return self._drawn(self.past(state), generator, count=count)

    def _drawn(
        self, past: Tensor, generator: torch.Generator, temperature: float = 1.0, count: int = 1
    ) -> Tensor:
        """(N * count, visible) steps drawn after each past (N, D', U)."""
        every = torch.sigmoid(self.outside / temperature).expand(len(past) * count, -1)
        drawn = self._by_plane(torch.bernoulli(every, generator=generator))
        inside = self.sample_inside(past, generator, temperature, count)
        drawn[:, :, self.low : self.high] = inside.transpose(1, 2)
        # Only what sounds is struck.
        drawn[:, 1:] *= drawn[:, :1]
        return drawn.flatten(1)

    def chunk_log_prob(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        past, after = self.chunk_past(state, rolls, mask, generator)
        flat = self._score(rolls[mask], past, generator)
        return spread(flat, mask), after

    def sample_inside(
        self, past: Tensor, generator: torch.Generator, temperature: float, count: int
    ) -> Tensor:
        """(N * count, D', P) the keys in range of steps, drawn from the lowest up after each past (N, D', U).

        Draws that are alike so far share a row, which the net sees once.
        """
        size, keys = past.shape[:2]
        drawn = past.new_zeros(size * count, keys, self.planes)
        live = torch.arange(size * count, device=past.device)  # draws that are not finished
        owner = live // count  # row of each of them
        rows, row_past = past.new_zeros(size, keys, self.planes), past
        last = torch.full((size, 1), -1, device=past.device)  # the highest key on so far
        above = torch.arange(keys, device=past.device)
        # One pass finds the next key on of every draw, as in estimators.nade.nade_sample.
        while live.numel():
            logits = self.step_logits(rows, row_past) / temperature
            off = torch.where(above > last, -F.softplus(logits[..., 0]), 0.0).cumsum(1)
            uniform = torch.rand(len(live), 1, generator=generator, dtype=off.dtype, device=off.device)
            silent = (off[owner] > uniform.log()).sum(1)
            found = silent < keys
            live, owner, next_on = live[found], owner[found], silent[found]
            prob = torch.sigmoid(logits[owner, next_on])
            prob[:, 0] = 1.0
            bits = torch.bernoulli(prob, generator=generator)
            drawn[live, next_on] = bits
            # A row of the next pass: the row before, the key that is on now, and whether it is struck.
            code = (owner * keys + next_on) * 2 + bits[:, -1].long()
            different, owner = torch.unique(code, return_inverse=True)
            row_past, last = row_past[different // (2 * keys)], (different // 2 % keys)[:, None]
            rows = drawn[live.new_empty(len(different)).scatter_(0, owner, live)]  # any draw that has it
        return drawn

    def inside(self, step: Tensor) -> Tensor:
        """(N, D', P) the keys in range of steps (N, visible)."""
        return self._by_plane(step)[:, :, self.low : self.high].transpose(1, 2)

    def _by_plane(self, step: Tensor) -> Tensor:
        """(N, P, D) planes of steps (N, visible)."""
        return step.reshape(len(step), self.planes, self.keys)

    def _score(self, step: Tensor, past: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(M,) log-probability of steps (M, visible) given past (M, D', U)."""
        inside = self.inside(step)
        logits = self.step_logits(inside, past, generator)
        return self._inside_log_prob(inside, logits) + self._outside_log_prob(step)

    def _inside_log_prob(self, inside: Tensor, logits: Tensor) -> Tensor:
        """(...) log-probability of the keys in range (..., D', P) under their logits."""
        bits = bit_log_prob(inside, logits).sum(-1)
        # What does not sound is not struck.
        wrong = (inside[..., 1:] > inside[..., :1]).flatten(-2).any(-1)
        return bits.masked_fill(wrong, -torch.inf)

    def _outside_log_prob(self, step: Tensor) -> Tensor:
        """(M,) log-probability of the keys out of range of steps (M, visible)."""
        planes = self._by_plane(step)  # (M, P, D)
        each = self._by_plane(step * self.outside - F.softplus(self.outside))
        each = torch.cat([each[:, :1], torch.where(planes[:, :1] > 0, each[:, 1:], 0.0)], 1).sum(1)
        wrong = (planes[:, 1:] > planes[:, :1]).any(1)
        each = each.masked_fill(wrong, -torch.inf)
        return each[:, : self.low].sum(1) + each[:, self.high :].sum(1)
