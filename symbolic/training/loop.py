"""The training run: chunks in, weights out, resumable at every validation.

Is: one update, the schedule, averaging, validation, early stopping, the end.
Is not: batches (training.stream), files of a run (training.checkpoint), any model.
"""

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from symbolic.evaluation.likelihood import log_likelihood
from symbolic.priors.protocol import PriorCard, State
from symbolic.priors.registry import Prior, build_prior, save_prior
from symbolic.training.checkpoint import Progress, read_checkpoint, write_checkpoint
from symbolic.training.config import LoopConfig, TrainingConfig
from symbolic.training.data import Splits, augmented_roll, clock_of, described, key_frequencies
from symbolic.training.stream import Stream


class Run:
    """Everything that changes while a prior is trained."""

    def __init__(self, config: TrainingConfig, splits: Splits) -> None:
        # The initial weights come from the global generator, which is put back as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.prior = build_prior(config.model, config.options)
        self.prior.begin_at(key_frequencies(splits.train, config.data))
        self.config, self.splits = config, splits
        self.averaged = copy.deepcopy(self.prior) if config.loop.ema else self.prior
        self.best: dict[str, Tensor] = {}  # weights of the best validation so far
        self.optimizer = torch.optim.AdamW(
            self.prior.parameters(), lr=config.loop.rate, weight_decay=config.loop.weight_decay
        )
        self.stream = Stream(
            splits.train,
            lambda piece, rng: augmented_roll(piece, config.data, rng),
            batch=config.loop.batch,
            chunk=config.loop.chunk,
            seed=config.seed,
        )
        self.state: State = self.prior.initial_state(config.loop.batch)
        self.progress = Progress()

    def share_done(self) -> float:
        """Progress of the run, 0..1: by updates or by minutes, whichever is further."""
        loop = self.config.loop
        by_updates = self.progress.update / loop.updates if loop.updates else 0.0
        by_minutes = self.progress.seconds / (60 * loop.minutes) if loop.minutes else 0.0
        return min(1.0, max(by_updates, by_minutes))

    def update(self) -> tuple[float, int]:
        """One step of the optimiser; log-likelihood of its chunk in nats a step, and its steps."""
        loop, chunk = self.config.loop, self.stream.next()
        fresh = self.prior.initial_state(loop.batch)
        state = {
            name: torch.where(chunk.begins.view(-1, *[1] * (values.dim() - 1)), fresh[name], values)
            for name, values in self.state.items()
        }
        # Seeded by the update's number, so that a resumed run drops the same units.
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.progress.update)
        log_prob, after = self.prior.chunk_log_prob(state, chunk.rolls, chunk.mask, generator)
        steps = int(chunk.mask.sum())
        loss = -log_prob.sum() / steps
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(loop, self.share_done(), self.progress.update)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.prior.parameters(), loop.clip)
        self.optimizer.step()
        self.state = {name: values.detach() for name, values in after.items()}
        self.progress.update += 1
        self._average()
        return -loss.item(), steps

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the present ones."""
        if self.averaged is self.prior:
            return
        # The first averages forget faster, or the random start would weigh in for long.
        decay = min(self.config.loop.ema, (1 + self.progress.update) / (10 + self.progress.update))
        for mean, value in zip(self.averaged.parameters(), self.prior.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)

    def validate(self) -> float:
        """Log-likelihood of the validation rolls, nats a step; keeps the weights if it is the best yet."""
        valid = self.splits.valid
        if self.config.loop.validate_steps:
            each = max(1, self.config.loop.validate_steps // len(valid))
            valid = [roll[:each] for roll in valid]
        score = log_likelihood(self.averaged.eval(), valid).per_step
        self.prior.train()
        if score > self.progress.best:
            self.progress.best, self.progress.best_update, self.progress.worse = (
                score,
                self.progress.update,
                0,
            )
            self.best = {name: values.clone() for name, values in self.averaged.state_dict().items()}
        else:
            self.progress.worse += 1
        return score

    def finished(self) -> bool:
        """The limit is reached, or the validations no longer get better."""
        patience = self.config.loop.patience
        return self.share_done() >= 1 or bool(patience and self.progress.worse >= patience)


def rate_at(loop: LoopConfig, done: float, update: int) -> float:
    """Learning rate after the share `done` of a run."""
    rising = min(1.0, (update + 1) / loop.warmup) if loop.warmup else 1.0
    if loop.schedule == "cosine":
        return loop.rate * rising * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
    return loop.rate * rising * (1.0 if done < 0.6 else 0.1 if done < 0.85 else 0.01)


def train(
    config: TrainingConfig,
    splits: Splits,
    folder: Path,
    *,
    output: Path,
    command: str,
    resume: bool,
    log: Callable[[str], None],
) -> Prior:
    """Train, and write the best weights with their card to `output`; the checkpoint lies in `folder`."""
    run = Run(config, splits)
    if resume:
        read_checkpoint(run, folder)
        log(f"resumed at update {run.progress.update}")
    while not run.finished():
        began, before = time.monotonic(), run.progress.seconds
        total, steps = 0.0, 0
        for _ in range(config.loop.validate_every):
            score, count = run.update()
            total, steps = total + score * count, steps + count
            run.progress.seconds = before + time.monotonic() - began
            if run.share_done() >= 1:
                break
        speed = steps / (time.monotonic() - began)
        valid = run.validate()
        run.progress.seconds = before + time.monotonic() - began
        write_checkpoint(run, folder)
        log(
            f"update {run.progress.update}  {run.progress.seconds / 60:.1f} min  {speed:.0f} steps/s  "
            f"train {total / steps:.4f}  valid {valid:.4f}  best {run.progress.best:.4f} nats/step"
        )
    return _finish(run, output, command, log)


def _finish(run: Run, output: Path, command: str, log: Callable[[str], None]) -> Prior:
    """The best weights with their card, written and returned."""
    config, prior = run.config, run.averaged
    prior.load_state_dict(run.best)
    scores = {"valid_nats_per_step": round(run.progress.best, 4), "best_update": run.progress.best_update}
    if run.splits.test:
        scores["test_nats_per_step"] = round(log_likelihood(prior.eval(), run.splits.test).per_step, 4)
    prior.card = PriorCard(
        name=config.name,
        model=config.model,
        options=config.options,
        visible=prior.visible,
        clock=clock_of(config.data),
        plane=config.data.plane,
        data=described(config.data),
        licence=config.licence,
        command=command,
        scores=scores | {"minutes": round(run.progress.seconds / 60, 1)},
    )
    save_prior(prior, output)
    log(f"wrote {output}  " + "  ".join(f"{name} {value}" for name, value in scores.items()))
    return prior
