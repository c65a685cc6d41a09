"""Pre-training: the estimator alone on shuffled steps, then the recurrence by cross-entropy.

Is: both parts, which begin the run where Boulanger-Lewandowski et al. 2012 (section 4) began theirs.
Is not: the run (training.run). Every draw is seeded, and no part goes on from a checkpoint: the result does.

The estimator learns the distribution of steps without their order, its biases being constant; the recurrence
then learns to set the visible biases bv_t so that sigmoid(bv_t) predicts step t; W and the like stand still.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.priors.recurrent import RecurrentPrior
from symbolic.state import where
from symbolic.training.data import augmented_roll, step_mean
from symbolic.training.run import Run
from symbolic.training.stream import ChunkStream

FRAMES, ORDER, AUGMENTATION = 2, 3, 4  # what a draw is for, beside the stream's own 0 and 1
REAL_ESTIMATORS = ("gaussian-rbm", "rnade", "gaussian-rtrbm")  # ends of models whose bv_t are no logits


def pretrain(run: Run, log: Callable[[str], None]) -> None:
    """Do what `pretraining` asks for; the averaged weights begin where it ends."""
    options, prior = run.config.pretraining, run.prior
    if not isinstance(prior, RecurrentPrior):
        expected = "0 steps: this model is no recurrence times an estimator"
        raise NotebeamError("pretraining", run.config.model, expected)
    if options.recurrence_steps and any(run.config.model.endswith(name) for name in REAL_ESTIMATORS):
        expected = "0 for a model of real steps: cross-entropy needs logits"
        raise NotebeamError("pretraining.recurrence_steps", options.recurrence_steps, expected)
    prior.train()
    if run.processes.rank == 0:  # in several processes the first learns for all
        _learn(run, prior, log)
    run.processes.copied(list(prior.state_dict().values()))
    run.averaged.load_state_dict(prior.state_dict())


def _learn(run: Run, prior: RecurrentPrior, log: Callable[[str], None]) -> None:
    options = run.config.pretraining
    if options.estimator_steps:
        last = train_frames(run, prior)
        log(f"pre-trained on {options.estimator_steps} batches of steps  objective {last:.4f} a step")
    if options.recurrence_steps:
        last = train_recurrence(run, prior)
        log(f"pre-trained the recurrence for {options.recurrence_steps} steps  {last:.4f} nats/step")


def train_frames(run: Run, prior: RecurrentPrior) -> float:
    """Train the estimator and constant biases; mean objective of the last tenth of the updates."""
    config, options = run.config, run.config.pretraining
    steps = torch.from_numpy(
        np.concatenate(
            [
                augmented_roll(piece, config.data, np.random.default_rng((config.seed, AUGMENTATION, index)))
                for index, piece in enumerate(run.splits.train)
            ]
        )
    )
    bias = torch.nn.Parameter(
        prior.estimator.initialise_from_marginals(step_mean(run.splits.train, config.data))
    )
    trained = [bias, *_parameters(prior.estimator)]
    generator = _generator(run, FRAMES)

    def objective(update: int) -> Tensor:
        index = torch.randint(len(steps), (options.estimator_batch_size,), generator=generator)
        step = steps[index].to(bias.dtype)
        return prior.estimator.objective(step, bias.expand(len(step), -1), generator).mean()

    last = _raise(objective, trained, options.estimator_steps, run)
    prior.set_constant_biases(bias.detach())
    return last


def train_recurrence(run: Run, prior: RecurrentPrior) -> float:
    """Train all but the estimator by the cross-entropy of sigmoid(bv_t); minus it at the end, nats."""
    config, options = run.config, run.config.pretraining
    own = {id(value) for value in _parameters(prior.estimator)}
    trained = [value for value in prior.parameters() if id(value) not in own]
    generator = _generator(run, ORDER)
    # Another order of the pieces than the run's, so that the run does not begin with what was just learnt.
    stream = ChunkStream(
        run.splits.train,
        lambda piece, rng: augmented_roll(piece, config.data, rng),
        batch=config.loop.batch_size,
        chunk=config.loop.chunk,
        seed=config.seed + 1_000_003,
    )
    state = prior.initial_state(config.loop.batch_size)

    def objective(update: int) -> Tensor:
        nonlocal state
        chunk = stream.next()
        state = where(chunk.begins, prior.initial_state(len(chunk.begins)), state)
        biases, after = prior.chunk_biases(state, chunk.rolls, chunk.mask, generator)
        state = {name: values.detach() for name, values in after.items()}
        logits, target = biases[:, : prior.visible], chunk.rolls[chunk.mask]
        return -F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / len(target)

    return _raise(objective, trained, options.recurrence_steps, run)


def _raise(objective: Callable[[int], Tensor], trained: Sequence[Tensor], updates: int, run: Run) -> float:
    """Raise an objective by Adam, its rate falling linearly; mean over the last tenth of the updates."""
    optimizer = torch.optim.Adam(trained)
    values: list[float] = []
    for update in range(updates):
        for group in optimizer.param_groups:
            group["lr"] = run.config.pretraining.learning_rate * (1 - update / updates)
        # All of the prior's: what is not trained here has collected gradients too.
        run.prior.zero_grad(set_to_none=True)
        optimizer.zero_grad(set_to_none=True)
        value = objective(update)
        (-value).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, run.config.loop.clip_norm)
        optimizer.step()
        values.append(value.item())
    run.prior.zero_grad(set_to_none=True)
    last = values[-max(1, updates // 10) :]
    return sum(last) / len(last)


def _parameters(estimator: object) -> list[torch.nn.Parameter]:
    return list(estimator.parameters()) if isinstance(estimator, torch.nn.Module) else []


def _generator(run: Run, purpose: int) -> torch.Generator:
    seed = np.random.SeedSequence((run.config.seed, purpose)).generate_state(1)
    return torch.Generator().manual_seed(int(seed[0]))
