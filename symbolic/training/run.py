"""What changes while a prior is trained, and one update of it.

Is: the weights, their averages, the optimiser, the data's place; an update, a validation.
Is not: batches (training.stream), the loop around updates (training.loop), files (training.checkpoint).
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from symbolic.datasets.splits import Splits
from symbolic.errors import NotebeamError
from symbolic.priors.base import Prior
from symbolic.priors.loading import load_prior
from symbolic.priors.methods import check_methods
from symbolic.priors.registry import build_prior, full_options
from symbolic.state import State, where
from symbolic.training.config import TrainingConfig
from symbolic.training.curvature import newton_update
from symbolic.training.data import augmented_roll, step_mean
from symbolic.training.hessian_free import HessianFree
from symbolic.training.optimizers import build_optimizer, learning_rate_at
from symbolic.training.processes import Processes
from symbolic.training.stream import ChunkStream
from symbolic.training.validation import score


@dataclass
class Progress:
    """How far a run is."""

    step: int = 0  # of the optimiser
    seconds: float = 0.0  # of work, over all resumptions
    best: float = -float("inf")  # score of the best validation so far (training.validation)
    best_step: int = 0
    worse: int = 0  # validations since the best


class Run:
    """Everything that changes while a prior is trained."""

    def __init__(self, config: TrainingConfig, splits: Splits, processes: Processes | None = None) -> None:
        self.processes = processes or Processes()
        if self.processes.count > 1 and config.loop.optimizer == "hessian-free":
            expected = "adam or sgd where several processes train"
            raise NotebeamError("loop.optimizer", config.loop.optimizer, expected)
        # The initial weights come from the global generator, which is put back as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.prior = build_prior(config.model, config.options)
        check_methods(self.prior.eval())
        self.prior.train()
        width = splits.valid[0].shape[1]
        if self.prior.visible != width:
            raise NotebeamError(
                "options.visible", self.prior.visible, f"{width}, the numbers of a step of the data"
            )
        if config.init:
            begin_with(self.prior, config)
        else:
            self.prior.initialise_from_marginals(step_mean(splits.train, config.data))
        self.config, self.splits = config, splits
        self.averaged = copy.deepcopy(self.prior) if config.loop.ema else self.prior
        self.best: dict[str, Tensor] = {}  # weights of the best validation so far
        self.optimizer = build_optimizer(config.loop, self.prior.parameters())
        self.stream = ChunkStream(
            splits.train,
            lambda piece, rng: augmented_roll(piece, config.data, rng),
            batch=config.loop.batch_size,
            chunk=config.loop.chunk,
            seed=config.seed,
        )
        self.rows = self.processes.rows(config.loop.batch_size)
        self.state: State = self.prior.initial_state(self.rows.stop - self.rows.start)  # of the own rows
        self.progress = Progress()

    def share_done(self) -> float:
        """Progress of the run, 0..1: by updates or by minutes, whichever is further."""
        loop = self.config.loop
        by_updates = self.progress.step / loop.steps if loop.steps else 0.0
        by_minutes = self.progress.seconds / (60 * loop.minutes) if loop.minutes else 0.0
        return min(1.0, max(by_updates, by_minutes))

    def update(self) -> tuple[float, int]:
        """One step of the optimiser; objective of its chunk (log-likelihood, nats) a step, and its steps."""
        loop, everything = self.config.loop, self.stream.next()
        chunk = everything.part(self.rows) if self.processes.count > 1 else everything
        fresh = self.prior.initial_state(len(chunk.begins))
        state = where(chunk.begins, fresh, self.state)
        if isinstance(self.optimizer, HessianFree):
            value, after = newton_update(self.optimizer, self.prior, state, chunk, loop.curvature_rows)
            self._moved(after)
            return value, int(chunk.mask.sum())
        # Seeded by the update's number, so that a resumed run drops the same units; the global generator too,
        # which a prior of one's own may use (nn.Dropout does).
        generator = self.processes.generator(self.config.seed * 1_000_003 + self.progress.step)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(generator.initial_seed())
            objective, after = self.prior.chunk_objective(state, chunk.rolls, chunk.mask, generator)
        # A share of the mean over the steps of all processes: the gradients' sum is that of the whole batch.
        steps = int(everything.mask.sum())
        loss = -objective.sum() / steps
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(loop, self.share_done(), self.progress.step)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        value = self.processes.summed(list(self.prior.parameters()), -loss.item())
        torch.nn.utils.clip_grad_norm_(self.prior.parameters(), loop.clip_norm)
        self.optimizer.step()
        self._moved(after)
        return value, steps

    def _moved(self, after: State) -> None:
        """The weights have moved; the state after the chunk goes on to the next."""
        self.state = {name: values.detach() for name, values in after.items()}
        self.progress.step += 1
        self._average()

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the present ones."""
        if self.averaged is self.prior:
            return
        # The first averages forget faster, or the random start would weigh in for long.
        decay = min(self.config.loop.ema, (1 + self.progress.step) / (10 + self.progress.step))
        for mean, value in zip(self.averaged.parameters(), self.prior.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)
        for kept, new in zip(self.averaged.buffers(), self.prior.buffers(), strict=True):
            kept.copy_(new)  # statistics of the data (of a normalisation), no weights

    def validate(self) -> float:
        """Score of the validation rolls (training.validation); keeps the weights if it is the best yet."""
        valid, loop, progress = self.splits.valid, self.config.loop, self.progress
        if loop.validate_steps:
            each = max(1, loop.validate_steps // len(valid))
            valid = [roll[:each] for roll in valid]
        # One process is enough, and the others wait.
        found = score(self.averaged.eval(), valid, loop) if self.processes.rank == 0 else 0.0
        found = self.processes.agreed(found)
        self.prior.train()
        if found > progress.best:
            progress.best, progress.best_step, progress.worse = found, progress.step, 0
            self.best = {name: values.clone() for name, values in self.averaged.state_dict().items()}
        else:
            progress.worse += 1
        return found

    def finished(self) -> bool:
        """The limit is reached, or the validations no longer get better."""
        patience = self.config.loop.patience
        return self.share_done() >= 1 or bool(patience and self.progress.worse >= patience)


def begin_with(prior: Prior, config: TrainingConfig) -> None:
    """Give a prior the weights of `config.init`, which must be of its model and options."""
    given, place = load_prior(config.init), f"init {config.init}"
    card = given.require_card()
    if card.model != config.model:
        raise NotebeamError(place, f"a {card.model}", f"a {config.model}, as is trained")
    stored, wanted = given.state_dict(), prior.state_dict()
    if {name: values.shape for name, values in stored.items()} != {
        name: values.shape for name, values in wanted.items()
    }:
        has, needs = (full_options(config.model, one) for one in (card.options, config.options))
        names = [name for name in needs if has[name] != needs[name]]
        got = ", ".join(f"{name} {has[name]}" for name in names)
        raise NotebeamError(place, got, ", ".join(f"{name} {needs[name]}" for name in names))
    prior.load_state_dict(stored)
