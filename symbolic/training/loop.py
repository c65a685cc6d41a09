"""The training run: chunks in, weights out, resumable at every checkpoint.

Is: updates, validations and checkpoints in their order, the end.
Is not: one update (training.run), files of a run (training.checkpoint), any model.
"""

import time
from collections.abc import Callable
from pathlib import Path

from symbolic.errors import NotebeamError
from symbolic.priors.base import Prior, PriorCard
from symbolic.priors.loading import save_prior
from symbolic.training.checkpoint import read_checkpoint, write_checkpoint
from symbolic.training.config import TrainingConfig
from symbolic.training.data import Splits, clock_of, described, plane_of
from symbolic.training.pretraining import pretrain
from symbolic.training.processes import Processes
from symbolic.training.run import Run
from symbolic.training.validation import measure, score


def train(
    config: TrainingConfig,
    splits: Splits,
    folder: Path,
    *,
    output: Path,
    command: str,
    resume: bool,
    log: Callable[[str], None],
    processes: Processes | None = None,
) -> Prior:
    """Train, and write the best weights with their card to `output`; the checkpoint lies in `folder`.

    Of several processes the first validates, writes and logs; all must see `folder` to resume.
    """
    if output.suffix != ".safetensors":
        raise NotebeamError("--output", str(output), "a path that ends in .safetensors")
    run = Run(config, splits, processes)
    if run.processes.rank:
        log = _silent
    if resume:
        read_checkpoint(run, folder)
        log(f"resumed at update {run.progress.update}")
    elif config.pretraining.frames_updates or config.pretraining.recurrence_updates:
        with _Working(run):
            pretrain(run, log)
        write_checkpoint(run, folder)
    name = measure(run.prior, splits.valid)
    while not run.finished():
        began = time.monotonic()
        total, steps = _updates(run, folder)
        speed = steps / (time.monotonic() - began)
        with _Working(run):
            valid = run.validate()
        write_checkpoint(run, folder)
        log(
            f"update {run.progress.update}  {run.progress.seconds / 60:.1f} min  {speed:.0f} steps/s  "
            f"train {total / steps:.4f}  valid {valid:.4f}  best {run.progress.best:.4f} {name}"
        )
    return _finish(run, output, command, log)


def _updates(run: Run, folder: Path) -> tuple[float, int]:
    """Updates up to the next validation; sum of their objectives, and their steps."""
    loop, total, steps = run.config.loop, 0.0, 0
    written = run.progress.seconds
    while True:
        with _Working(run):
            value, count = run.update()
        total, steps = total + value * count, steps + count
        if run.share_done() >= 1 or run.progress.update % loop.validate_every == 0:
            return total, steps
        if run.progress.seconds - written >= 60 * loop.checkpoint_minutes:
            write_checkpoint(run, folder)
            written = run.progress.seconds


class _Working:
    """Adds the time inside to the run's seconds."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def __enter__(self) -> None:
        self.began = time.monotonic()

    def __exit__(self, *raised: object) -> None:
        progress = self.run.progress
        progress.seconds += time.monotonic() - self.began
        if not any(raised):
            progress.seconds = self.run.processes.agreed(progress.seconds)


def _silent(line: str) -> None:
    pass


def _finish(run: Run, output: Path, command: str, log: Callable[[str], None]) -> Prior:
    """The best weights with their card, written and returned."""
    config, prior = run.config, run.averaged
    if not run.best:
        raise NotebeamError("validation", "no score that is a number", "one: a lower loop.rate may help")
    prior.load_state_dict(run.best)
    if run.processes.rank:
        return prior
    name = measure(prior, run.splits.valid)
    scores = {f"valid_{name}": round(run.progress.best, 4), "best_update": run.progress.best_update}
    if run.splits.test:
        scores[f"test_{name}"] = round(score(prior.eval(), run.splits.test, config.loop), 4)
    prior.card = PriorCard(
        name=config.name,
        model=config.model,
        options=config.options,
        visible=prior.visible,
        clock=clock_of(config.data),
        plane=plane_of(config.data),
        data=described(config.data),
        licence=config.licence,
        command=command,
        scores=scores | {"minutes": round(run.progress.seconds / 60, 1), "seed": config.seed},
    )
    save_prior(prior, output)
    log(f"wrote {output}  " + "  ".join(f"{name} {value}" for name, value in scores.items()))
    return prior
