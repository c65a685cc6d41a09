"""Neural autoregressive distribution estimator (NADE) of one step of a piano roll.

Is: the exact log-probability of columns, the probability of each key given the lower ones, sampling; the
estimator that holds the weights.
Is not: what sets the biases (priors.recurrent) or what a column means.

With a_0 = c, key d (from the lowest) is on with probability sigmoid(b_d + V_d . sigmoid(a_d)), and
a_{d+1} = a_d + v_d W_d (Larochelle and Murray 2011). The hidden vector changes only above a key that is on,
so a column with m keys on has m + 1 distinct hidden vectors, not D. Everything below computes those alone.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symbolic.errors import NotebeamError
from symbolic.estimators.prefixes import Prefixes, SharedRows

UNITS_AT_ONCE = (
    1 << 20
)  # hidden units at once in `nade_prefix_log_prob`, so that they stay in a processor's cache
MAX_BLOCK = 1 << 27  # the same under capture, where blocks may not depend on numbers
ALIGN = 16  # pad matrix products to a multiple of so many columns (up to 1.5 times faster)
MIN_NODES = 32  # nodes that it may cut off by themselves: later ones have fewer keys above them


@dataclass(frozen=True, kw_only=True)
class NadeOptions:
    """Size of a NADE."""

    hidden: int = 128  # H

    def __post_init__(self) -> None:
        if not isinstance(self.hidden, int) or self.hidden < 1:
            raise NotebeamError("NadeOptions.hidden", self.hidden, "an integer >= 1")


class Nade(nn.Module):
    """NADE as an estimator: W and V are its own, b (D,) and c (H,) come from outside, in this order."""

    is_normalized = True
    is_recordable = True

    def __init__(self, visible: int, options: NadeOptions) -> None:
        super().__init__()
        self.visible, self.biases = visible, visible + options.hidden
        self.weight = nn.Parameter(torch.randn(visible, options.hidden) * 0.01)  # W
        self.out = nn.Parameter(torch.randn(visible, options.hidden) * 0.01)  # V

    def log_prob(self, step: Tensor, biases: Tensor) -> Tensor:
        return nade_log_prob(step, *self.split(biases), self.weight, self.out)

    def shared_log_prob(self, shared: SharedRows, biases: Tensor) -> Tensor:
        return nade_prefix_log_prob(shared.prefixes, *self.split(biases), self.weight, self.out)

    def objective(self, step: Tensor, biases: Tensor, generator: torch.Generator) -> Tensor:
        return self.log_prob(step, biases)

    def logits(self, step: Tensor, biases: Tensor) -> Tensor:
        """(N, D) logit of every key given the lower keys of the step (N, D)."""
        return nade_logits(step, *self.split(biases), self.weight, self.out)

    def sample(self, biases: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        return nade_sample(*self.split(biases), self.weight, self.out, generator, temperature)

    def initialise_from_marginals(self, mean: Tensor) -> Tensor:
        # Exact while W and V are about zero, as they are before training.
        return torch.cat([torch.logit(mean), mean.new_zeros(self.biases - self.visible)])

    def split(self, biases: Tensor) -> tuple[Tensor, Tensor]:
        """b (..., D) and c (..., H) of biases (..., P)."""
        return biases[..., : self.visible], biases[..., self.visible :]


def nade_logits(column: Tensor, key_bias: Tensor, hidden_bias: Tensor, weight: Tensor, out: Tensor) -> Tensor:
    """Logit of every key given the lower keys of the same column.

    Args:
        column: (N, D) 0/1.
        key_bias: (N, D) b of each column.
        hidden_bias: (N, H) c of each column.
        weight: (D, H) W, what a key that is on adds to the hidden vector.
        out: (D, H) V, weights from the hidden vector to each key.

    Returns:
        (N, D) logits.
    """
    on = column > 0.5
    below = on.cumsum(1) - on.long()  # (N, D) keys on below each key
    rows = below[:, -1] + on[:, -1] + 1  # (N,) distinct hidden vectors of each column
    first = rows.cumsum(0) - rows  # (N,) index of each column's first one
    owner = torch.repeat_interleave(rows)  # (R,) column of each hidden vector
    rank = torch.arange(owner.shape[0], device=owner.device) - first[owner]  # (R,) keys on below it
    prefix = on[owner] & (below[owner] < rank[:, None])  # (R, D) those keys
    hidden = torch.sigmoid(hidden_bias[owner] + prefix.to(weight.dtype) @ weight)  # (R, H)
    every = hidden @ out.t()  # (R, D): each hidden vector to all keys, though it serves only some
    return key_bias + every.gather(0, first[:, None] + below)


def nade_log_prob(
    column: Tensor, key_bias: Tensor, hidden_bias: Tensor, weight: Tensor, out: Tensor
) -> Tensor:
    """(N,) exact log-probability of each column, nats; arguments as in `nade_logits`."""
    logits = nade_logits(column, key_bias, hidden_bias, weight, out)
    # log sigmoid(z) where the key is on, log sigmoid(-z) where it is off: both are v z - softplus(z).
    return (column * logits - F.softplus(logits)).sum(1)


@torch.no_grad()
def nade_prefix_log_prob(
    prefixes: Prefixes, key_bias: Tensor, hidden_bias: Tensor, weight: Tensor, out: Tensor
) -> Tensor:
    """Log-probability of rows that share their prefixes, under the biases of many hypotheses; no gradients.

    A node of the tree has one hidden vector, for the logits of the keys above its own until the next key
    that is on: between the two, log P is a difference of running sums of -softplus. Where a row ends they
    are those of all keys above.

    Args:
        prefixes: of B lists of K rows.
        key_bias: (B, W, D) b of each hypothesis.
        hidden_bias: (B, W, H) c of each hypothesis.
        weight, out: (D, H) W and V.

    Returns:
        (B, W, K) nats.
    """
    nodes, width, hidden = len(prefixes.key), key_bias.shape[1], weight.shape[1]
    key_bias, hidden_bias = key_bias.contiguous(), hidden_bias.contiguous()
    hidden_input = prefixes.sets @ weight  # (R, H), alike for all hypotheses
    past = torch.arange(len(out), device=out.device) <= prefixes.key[:, None]  # (R, D) up to the own key
    own, off_above = (key_bias.new_zeros(nodes, width) for _ in range(2))
    most = (
        MAX_BLOCK
        if prefixes.inner is None
        else min(UNITS_AT_ONCE, max(MIN_NODES, nodes // 4) * width * hidden)
    )
    size = max(1, most // max(1, width * hidden))
    units = key_bias.new_empty(0)
    for block, born, reached in prefixes.blocks(size):
        clip, count, keys = prefixes.clip[block], block.stop - block.start, _evenly(reached)
        # Used by one block after the other: fresh memory would cost more than the sums.
        units = units if len(units) >= count else key_bias.new_empty(count, width, hidden)
        units_on = _added(hidden_input[block, None], hidden_bias, clip, out=units[:count]).sigmoid_()
        logits = _added(units_on @ out[keys].t(), key_bias[:, :, keys], clip)  # (r, W, some keys)
        # A node has no logits for keys up to its own.
        off = F.softplus(logits.masked_fill(past[block, None, keys], -torch.inf)).cumsum(2)
        off_above[block] = off[:, :, -1]  # where a row ends: minus log P(all keys above the own one off)
        # The block's children: log P(the keys between off, the child's key on).
        logits.sub_(off)
        if born is None:  # every node is evaluated, and the others' children keep what they have
            place = prefixes.parent - block.start
            values = logits[place.clamp(0, count - 1), :, prefixes.key]
            own = torch.where(((place >= 0) & (place < count))[:, None], values, own)
        else:
            own[born] = logits[prefixes.parent[born] - block.start, :, prefixes.key[born] - keys.start]
    return prefixes.row_sums(own, -off_above)


def _added(values: Tensor, biases: Tensor, clip: Tensor, out: Tensor | None = None) -> Tensor:
    """(r, W, P) values (r, W or 1, P) plus biases (B, W, P) of clips (r,); these uncopied where B is 1."""
    if len(biases) == 1:
        return torch.add(values, biases, out=out)
    return torch.index_select(biases, 0, clip, out=out).add_(values)


def _evenly(keys: slice) -> slice:
    """The keys, or a few more below, so that their number is what products like."""
    return slice(max(0, keys.stop - -(-(keys.stop - keys.start) // ALIGN) * ALIGN), keys.stop)


def nade_conditionals(
    column: Tensor, key_bias: Tensor, hidden_bias: Tensor, weight: Tensor, out: Tensor
) -> Tensor:
    """(N, D) probability that each key is on given the lower keys; arguments as in `nade_logits`."""
    return torch.sigmoid(nade_logits(column, key_bias, hidden_bias, weight, out))


def nade_sample(
    key_bias: Tensor,
    hidden_bias: Tensor,
    weight: Tensor,
    out: Tensor,
    generator: torch.Generator,
    temperature: float = 1.0,
    *,
    at_least_one: bool = False,
) -> Tensor:
    """Columns drawn from the distribution, key by key from the lowest.

    Args:
        key_bias: (N, D). hidden_bias: (N, H). weight, out: (D, H), as in `nade_logits`.
        generator: the only source of randomness.
        temperature: every logit is divided by it; below 1 the likely becomes likelier.
        at_least_one: leave out the column without any key on; the others keep their ratios.

    Returns:
        (N, D) 0/1 in the dtype of `key_bias`.
    """
    if not temperature > 0:
        raise NotebeamError("nade_sample(temperature)", temperature, "a number > 0")
    count, keys = key_bias.shape
    column = torch.zeros_like(key_bias)
    last = torch.full((count, 1), -1, device=key_bias.device)  # the highest key on so far
    live = torch.arange(count, device=key_bias.device)  # columns that are not finished
    above = torch.arange(keys, device=key_bias.device)
    hidden_input = hidden_bias
    # One pass finds the next key on of every column: between two of them the hidden vector stands still, so
    # the chance that all keys up to d stay off is a cumulative product, and one uniform number inverts it.
    while live.numel():
        logits = (key_bias[live] + torch.sigmoid(hidden_input) @ out.t()) / temperature
        off = torch.where(above > last, -F.softplus(logits), 0.0).cumsum(1)  # (n, D) log P(off up to d)
        uniform = torch.rand(live.shape[0], 1, generator=generator, dtype=off.dtype, device=off.device)
        on = -torch.expm1(off)  # (n, D) P(some key up to d is on), exact however small
        drawn = 1 - uniform  # above 0
        if at_least_one:
            # Beyond P(any key on) the column would be silent: draw up to it, at the first pass.
            drawn, at_least_one = drawn * on[:, -1:], False
        silent = (on < drawn).sum(1)  # (n,) keys up to the next one on
        found = silent < keys
        live, next_on = live[found], silent[found]
        column[live, next_on] = 1.0
        last = next_on[:, None]
        hidden_input = hidden_input[found] + weight[next_on]
    return column
