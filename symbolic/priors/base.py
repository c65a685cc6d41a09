"""The class of all priors: what a decoder, a sampler, an evaluator and a training ask of a model of music.

A prior says how likely each step of a roll is, given the steps before it. Four methods are a model's own:
`initial_state`, `advance`, `log_prob` and `sample`. Everything else follows from them, one step at a time; a
model that can do better in parallel overrides it, and a test holds both forms equal.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from symbolic.checks import of_type, one_of
from symbolic.errors import NotebeamError
from symbolic.estimators.prefixes import SharedRows
from symbolic.posteriorgram import Posteriorgram
from symbolic.state import State, hypotheses, select, where

PLANES = ("struck", "active", "both", "values")
CLOCKS = ("frames", "beats", "steps")


@dataclass(frozen=True, kw_only=True)
class PriorCard:
    """What is known about a prior's weights; lies as JSON beside them.

    Raises:
        NotebeamError: a plane, a clock or a score that means nothing.
    """

    name: str  # "jsb"
    model: str  # a name in priors.registry
    options: Mapping[str, Any]  # what build_prior takes
    visible: int  # D
    clock: Mapping[
        str, str | int | float
    ]  # {"kind": "frames", "hop": s} or {"kind": "beats", "divisions": n}
    # A bit means: the key was "struck" at the step, or is "active" (sounds); "both": first the active bits,
    # then the struck ones. "values": the steps are real numbers.
    plane: str
    data: str
    licence: str
    command: str
    scores: Mapping[str, float] = field(default_factory=dict)
    acoustic_model: str = ""  # the one whose posteriorgrams it reads; "": it reads notes alone

    def __post_init__(self) -> None:
        one_of(self.plane, PLANES, "PriorCard.plane")
        clock = of_type(self.clock, Mapping, "PriorCard.clock", "a table with the key kind")
        one_of(clock.get("kind"), CLOCKS, "PriorCard.clock.kind")
        hop, divisions = clock.get("hop"), clock.get("divisions")
        if clock["kind"] == "frames" and not (_is_number(hop) and 1e-3 <= float(hop or 0) <= 10):
            raise NotebeamError("PriorCard.clock.hop", hop, "seconds, 0.001 to 10")
        if clock["kind"] == "beats" and not (isinstance(divisions, int) and 1 <= divisions <= 1000):
            raise NotebeamError("PriorCard.clock.divisions", divisions, "steps a beat, 1 to 1000")
        for name, value in of_type(self.scores, Mapping, "PriorCard.scores", "a table of numbers").items():
            if not _is_number(value):
                raise NotebeamError(f"PriorCard.scores.{name}", value, "a number")

    @property
    def full_name(self) -> str:
        """As in load_prior("lstm-nade/jsb"); of a cache or an ensemble for reading only: all models first."""
        return f"{self.model}/{self.name}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Indexed(Protocol):
    """Numbers that are looked up as those of an array are."""

    def __getitem__(self, at: Any, /) -> NDArray[np.float64]: ...


class StepEvidence(Protocol):
    """What an acoustic model says at each step of a clip, as `symbolic.decoding.evidence.Evidence` does."""

    @property
    def prob(self) -> NDArray[np.float32]:
        """(T, D) probability of each bit."""

    @property
    def time(self) -> "Indexed":
        """(T, D) seconds, at any index of such an array."""

    @property
    def frame(self) -> NDArray[np.int32]:
        """(T, D) row of the posteriorgram."""


class Prior(nn.Module, ABC):
    """A distribution over each step of a roll given the steps before it.

    A step is a float tensor (N, D) of 0/1, one row a hypothesis. Log-probabilities are natural.

    Example: a prior that expects every key to go on as it is.

        >>> import notebeam as nb
        >>> import torch
        >>> from torch import nn
        >>> class Sticky(nb.Prior):
        ...     def __init__(self, visible):
        ...         super().__init__()
        ...         self.visible = visible
        ...         self.stay = nn.Parameter(torch.tensor(2.0))  # logit of a key that is on
        ...         self.begin = nn.Parameter(torch.tensor(-3.0))  # of a key that is off
        ...     def initial_state(self, n):
        ...         return {"last": torch.zeros(n, self.visible)}
        ...     def advance(self, state, step):
        ...         return {"last": step}
        ...     def logits(self, state):
        ...         return torch.where(state["last"] > 0, self.stay, self.begin)
        ...     def log_prob(self, state, candidates):
        ...         logits = self.logits(state)[:, None]
        ...         return (candidates * logits - nn.functional.softplus(logits)).sum(2)
        ...     def sample(self, state, generator, temperature=1.0):
        ...         chance = torch.sigmoid(self.logits(state) / temperature)
        ...         return torch.bernoulli(chance, generator=generator)
        >>> prior = Sticky(visible=3)
        >>> rolls = torch.tensor([[[1.0, 0, 0], [1.0, 0, 0]]])
        >>> prior.sequence_log_prob(rolls, torch.ones(1, 2, dtype=torch.bool)).detach().numpy().round(2)
        array([[-3.15, -0.22]], dtype=float32)
    """

    visible: int  # D
    card: PriorCard | None = None  # set when the prior is trained or loaded
    # False: log_prob leaves out log Z, which may differ from one past to another.
    is_normalized: bool = True
    # True: `shared_log_prob` and `advance` read no number back from the device. What they do depends on
    # shapes alone, so a step can be captured as a CUDA graph.
    is_recordable: bool = False
    renamed: ClassVar[Mapping[str, str]] = {}  # today's name of tensors that older weights call otherwise

    @abstractmethod
    def initial_state(self, n: int) -> State:
        """State of n hypotheses before their first step; one tensor at least, each with n rows."""

    @abstractmethod
    def advance(self, state: State, step: Tensor) -> State:
        """State after `step` (N, D) 0/1; same names and shapes."""

    @abstractmethod
    def log_prob(self, state: State, candidates: Tensor) -> Tensor:
        """(N, K) log-probability, nats, of candidates (N, K, D) 0/1 as the next step."""

    @abstractmethod
    def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """(N, D) 0/1 next steps drawn from the prior, one for each hypothesis."""

    def draws(self, state: State, generator: torch.Generator, count: int) -> Tensor:
        """(N * count, D) so many `sample`s for each hypothesis, those of one beside each other.

        This default repeats the state. Models override it by a form that asks once what all draws share.
        """
        every = torch.arange(hypotheses(state), device=next(iter(state.values())).device)
        return self.sample(select(state, every.repeat_interleave(count)), generator)

    def conditioned_on(
        self, posteriorgrams: Sequence[Posteriorgram], steps: Sequence[StepEvidence]
    ) -> "Prior":
        """The prior that `decode` asks about these clips, in this order; of most priors, the prior itself.

        For a prior that reads more than the notes before: the evidence, or what the piece holds elsewhere.
        Streams do not call it, as they know the past alone.
        """
        return self

    def posterior(self) -> Tensor | None:
        """(B, T, D) probability of each bit given all that the prior is `conditioned_on`; of most, None."""
        return None

    def chunk_log_prob(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, State]:
        """Log-probability of a clip's next steps, and the state after them; what training differentiates.

        This default goes step by step. Models override it by a form that is parallel in T.

        Args:
            state: of B clips.
            rolls: (B, T, D) 0/1.
            mask: (B, T) bool, True at the steps that are music: a clip's steps first, then padding.
            generator: of dropout; None: no dropout.

        Returns:
            (B, T) nats of each step given those before, 0 off the mask; the state after the chunk,
            which means nothing for a clip that ends inside it.
        """
        columns = []
        for t in range(rolls.shape[1]):
            columns.append(torch.where(mask[:, t], self.log_prob(state, rolls[:, t, None])[:, 0], 0.0))
            state = self.advance(state, rolls[:, t])
        return torch.stack(columns, 1) if columns else rolls.new_zeros(mask.shape), state

    def chunk_objective(
        self, state: State, rolls: Tensor, mask: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, State]:
        """What training raises, (B, T), 0 off the mask: the log-probability, unless a model has another."""
        return self.chunk_log_prob(state, rolls, mask, generator)

    def initialise_from_marginals(self, mean: Tensor) -> None:  # noqa: B027, not abstract: nothing is a fine start
        """Set the biases so that training begins at steps of the mean `mean` (D,), each unit on its own."""

    def sequence_log_prob(self, rolls: Tensor, mask: Tensor) -> Tensor:
        """(B, T) log-probability, nats, of each step of rolls (B, T, D) given those before; 0 off the mask.

        mask (B, T) bool is True at the steps that are music: a clip's steps first, then padding.
        """
        return self.chunk_log_prob(self.initial_state(rolls.shape[0]), rolls, mask)[0]

    def shared_log_prob(self, state: State, shared: SharedRows) -> Tensor:
        """(B, W, K) nats of each clip's K rows after each of its W hypotheses (a state of B * W)."""
        clips, each, keys = shared.rows.shape
        width = hypotheses(state) // max(1, clips)
        rows = shared.rows[:, None].expand(-1, width, -1, -1).reshape(clips * width, each, keys)
        return self.log_prob(state, rows).view(clips, width, each)

    def play(self, state: State, rows: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        """Steps in which a hypothesis has no choice.

        Args:
            state: of N hypotheses.
            rows: (N, S, D) 0/1, the steps that follow.
            lengths: (N,) how many of them each hypothesis plays; on the host.

        Returns:
            (N,) the log-probability of all steps played, nats; the state after them.
        """
        total = torch.zeros(len(rows), dtype=rows.dtype, device=rows.device)
        for step in range(rows.shape[1]):
            playing = (lengths > step).to(rows.device)
            log_prob = self.log_prob(state, rows[:, step, None])[:, 0]
            total = total + torch.where(playing, log_prob, 0.0)
            state = where(playing, self.advance(state, rows[:, step]), state)
        return total, state

    def require_card(self) -> PriorCard:
        """The card, for what cannot be done without one.

        Raises:
            NotebeamError: a prior that was built by hand has none.
        """
        if self.card is None:
            raise NotebeamError(
                f"{type(self).__name__}.card", None, "a PriorCard: the clock and plane of its steps"
            )
        return self.card


def spread(flat: Tensor, mask: Tensor) -> Tensor:
    """(B, T) of the values (M,) of the real steps, 0 elsewhere."""
    return torch.zeros(mask.shape, dtype=flat.dtype, device=flat.device).masked_scatter(mask, flat)
