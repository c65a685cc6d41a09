"""A cache over the piece: any prior, mixed with what followed the last time that the music was like now.

Is: `PieceCache`, a prior around another; `load_prior("lstm-nade/jsb+cache")` makes one.
Is not: a memory that is learnt (recurrence.memory), or likeness by evidence (priors.repetition).

Of all stretches of earlier steps that equal the last L steps, take the longest, of those the latest, and
guess that the step c that followed it follows again:

    P(v) = (1 - w) P_prior(v) + w [v = c],    w = sigmoid(OFFSET + SLOPE log L);  w = 0 where none equals.

Contexts of any length are those of PPM* (Cleary, Teahan 1997), the mixture that of a cache in a language
model (Kuhn, De Mori 1990). Both parts are normalised, so their mixture is.
"""

from dataclasses import replace

import torch
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.estimators.prefixes import SharedRows
from symbolic.priors.base import Prior
from symbolic.state import State

SUFFIX = "+cache"  # of a prior's name
OFFSET, SLOPE = -2.26, 1.47  # by symbolic.training.piece_cache, of lstm-conv-nade on the classic sets
MEMORY = 1024  # steps back that are looked at
BITS = 48  # of a step in one number
OWN = ("cache.steps", "cache.match")  # names in the state beside those of the other prior


class PieceCache(Prior):
    """`prior` mixed with a guess from the piece so far.

    Raises:
        NotebeamError: a prior that leaves out log Z, that reads the evidence, or of real numbers.

    >>> import notebeam as nb
    >>> import torch
    >>> plain, cached = nb.load_prior("lstm-nade/jsb"), nb.load_prior("lstm-nade/jsb+cache")
    >>> phrase = torch.bernoulli(torch.full((8, 88), 0.05), generator=torch.Generator().manual_seed(0))
    >>> twice, mask = phrase.repeat(2, 1)[None], torch.ones(1, 16, dtype=torch.bool)
    >>> gain = (cached.sequence_log_prob(twice, mask) - plain.sequence_log_prob(twice, mask))[0]
    >>> bool(gain[:8].sum() < 0.1), bool(gain[8:].sum() > 50)
    (True, True)
    """

    def __init__(
        self, prior: Prior, memory: int = MEMORY, offset: float = OFFSET, slope: float = SLOPE
    ) -> None:
        super().__init__()
        card = prior.card
        if not prior.is_normalized or (card is not None and (card.acoustic_model or card.plane == "values")):
            place = f"{card.full_name}{SUFFIX}" if card else "PieceCache(prior)"
            expected = "a normalised prior of 0/1 steps that reads notes alone"
            raise NotebeamError(place, type(prior).__name__, expected)
        if memory < 2:
            raise NotebeamError("PieceCache(memory)", memory, "steps, at least 2")
        self.prior, self.memory, self.offset, self.slope = prior, memory, offset, slope
        self.visible, self.is_recordable = prior.visible, prior.is_recordable
        self.card = None if card is None else replace(card, model=card.model + SUFFIX)

    def initial_state(self, n: int) -> State:
        state = self.prior.initial_state(n)
        device = next(iter(state.values())).device
        words = -(-self.visible // BITS)
        steps = torch.full((n, self.memory, words), -1, device=device)  # -1: no step yet
        match = torch.zeros((n, self.memory), dtype=torch.long, device=device)
        return state | dict(zip(OWN, (steps, match), strict=True))

    def advance(self, state: State, step: Tensor) -> State:
        return self.prior.advance(_without_own(state), step) | self._remember(state, step)

    def _remember(self, state: State, step: Tensor) -> State:
        """The last steps (N, M, words), the latest last; how many up to each equal the last ones."""
        steps, match = state["cache.steps"], state["cache.match"]
        now = packed(step)
        same = (steps[:, 1:] == now[:, None]).all(dim=2)
        longer = torch.where(same, match[:, :-1] + 1, 0)
        steps = torch.cat([steps[:, 1:], now[:, None]], dim=1)
        return {"cache.steps": steps, "cache.match": torch.nn.functional.pad(longer, (0, 1))}

    def guess(self, state: State) -> tuple[Tensor, Tensor]:
        """The step (N, D) 0/1 that followed the longest stretch like the last steps, and its length (N,)."""
        match = state["cache.match"]
        latest = torch.arange(self.memory, device=match.device)
        best = (match * self.memory + latest).argmax(dim=1)
        length = match.gather(1, best[:, None])[:, 0]
        row, after = torch.arange(len(match), device=match.device), (best + 1).clamp(max=self.memory - 1)
        return unpacked(state["cache.steps"][row, after], self.visible), length

    def weight(self, length: Tensor) -> Tensor:
        """w of guesses after stretches of so many steps; 0 after none."""
        return weight_of(length, self.offset, self.slope)

    def log_prob(self, state: State, candidates: Tensor) -> Tensor:
        guess, length = self.guess(state)
        same = (candidates == guess[:, None]).all(dim=2)
        plain = self.prior.log_prob(_without_own(state), candidates)
        return mixed(plain, same, self.weight(length)[:, None])

    def shared_log_prob(self, state: State, shared: SharedRows) -> Tensor:
        guess, length = self.guess(state)
        clips = max(1, len(shared.rows))
        same = (shared.rows[:, None] == guess.view(clips, -1, 1, self.visible)).all(dim=3)
        plain = self.prior.shared_log_prob(_without_own(state), shared)
        return mixed(plain, same, self.weight(length).view(clips, -1, 1))

    def chunk_log_prob(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        plain, after = self.prior.chunk_log_prob(_without_own(state), rolls, mask, generator)
        same, length, own = self.guesses(state, rolls)
        return mixed(plain, same, self.weight(length)) * mask, after | own

    def guesses(self, state: State, rolls: Tensor) -> tuple[Tensor, Tensor, State]:
        """Whether each step of rolls (B, T, D) is the guess, after how long a stretch; what is then kept."""
        kept = {name: state[name] for name in OWN}
        same = torch.zeros(rolls.shape[:2], dtype=torch.bool, device=rolls.device)
        lengths = torch.zeros(rolls.shape[:2], dtype=torch.long, device=rolls.device)
        for t in range(rolls.shape[1]):
            guess, lengths[:, t] = self.guess(kept)
            same[:, t] = (rolls[:, t] == guess).all(dim=1)
            kept = self._remember(kept, rolls[:, t])
        return same, lengths, kept

    def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        guess, length = self.guess(state)
        again = self._again(length, generator)
        drawn = self.prior.sample(_without_own(state), generator, temperature)
        return torch.where(again[:, None], guess.to(drawn), drawn)

    def draws(self, state: State, generator: torch.Generator, count: int) -> Tensor:
        guess, length = (values.repeat_interleave(count, 0) for values in self.guess(state))
        again = self._again(length, generator)
        drawn = self.prior.draws(_without_own(state), generator, count)
        return torch.where(again[:, None], guess.to(drawn), drawn)

    def _again(self, length: Tensor, generator: torch.Generator) -> Tensor:
        """(N,) whether a draw is the guess, after stretches of so many steps."""
        chance = self.weight(length)
        return torch.rand(len(chance), generator=generator, device=generator.device).to(chance) < chance


def weight_of(length: Tensor, offset: float | Tensor, slope: float | Tensor) -> Tensor:
    """w of guesses after stretches of so many steps: sigmoid(offset + slope log L); 0 after none."""
    return torch.sigmoid(offset + slope * length.clamp(min=1).log()) * (length > 0)


def mixed(plain: Tensor, same: Tensor, weight: Tensor) -> Tensor:
    """Log-probability of steps: `plain` the prior's, `same` whether they are the guess, of this weight."""
    rest = plain + torch.log1p(-weight)
    guessed = weight.clamp(min=torch.finfo(weight.dtype).tiny).log()
    return torch.where(same, torch.logaddexp(rest, guessed), rest)


def packed(steps: Tensor) -> Tensor:
    """(N, words) whole numbers that are equal where steps (N, D) 0/1 are."""
    bits = torch.nn.functional.pad(steps, (0, -steps.shape[1] % BITS)).long()
    return (bits.view(len(bits), -1, BITS) << torch.arange(BITS, device=bits.device)).sum(dim=2)


def unpacked(words: Tensor, visible: int) -> Tensor:
    """(N, D) float 0/1 steps of (N, words)."""
    bits = words[:, :, None] >> torch.arange(BITS, device=words.device) & 1
    return bits.view(len(words), -1)[:, :visible].float()


def _without_own(state: State) -> State:
    return {name: values for name, values in state.items() if name not in OWN}
