"""The training run: chunks in, weights out, resumable at every checkpoint."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from symbolic.checkpoints import check_weights_path, write_json
from symbolic.datasets.splits import Splits, clock_of, described, plane_of
from symbolic.errors import NotebeamError
from symbolic.priors.base import Prior, PriorCard
from symbolic.priors.loading import save_prior
from symbolic.runlog import add_to_log, begin_log
from symbolic.training.checkpoint import read_checkpoint, write_checkpoint
from symbolic.training.config import TrainingConfig
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
    """Train, and write the best weights with their card to `output`.

    In `folder` lie the checkpoint, the config in full (config.json) and a log of validations (log.jsonl).
    Of several processes the first validates, writes and logs; all must see `folder` to resume.
    """
    check_weights_path(output, "--output")
    run = Run(config, splits, processes)
    if run.processes.rank:
        log = _silent
    if resume:
        read_checkpoint(run, folder)
        log(f"resumed at step {run.progress.step}")
    elif config.pretraining.estimator_steps or config.pretraining.recurrence_steps:
        with _Working(run):
            pretrain(run, log)
    if not run.processes.rank:
        write_json(folder / "config.json", asdict(config))
        begin_log(folder, run.progress.step)
    if not resume:
        write_checkpoint(run, folder)  # from now on there is something to go on from
    name = measure(run.prior, splits.valid)
    while not run.finished():
        began = time.monotonic()
        total, steps = _updates(run, folder)
        speed = steps / (time.monotonic() - began)
        with _Working(run):
            valid = run.validate()
        write_checkpoint(run, folder)
        progress = run.progress
        if not run.processes.rank:
            row = {"step": progress.step, "minutes": round(progress.seconds / 60, 3)}
            row |= {"steps_per_second": round(speed, 1), "train": total / steps}
            add_to_log(folder, row | {f"valid_{name}": valid, "best": progress.best})
        log(
            f"step {progress.step}  {progress.seconds / 60:.1f} min  {speed:.0f} steps/s  "
            f"train {total / steps:.4f}  valid {valid:.4f}  best {progress.best:.4f} {name}"
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
        if run.share_done() >= 1 or run.progress.step % loop.validate_every == 0:
            return total, steps
        if run.progress.seconds - written >= 60 * loop.checkpoint_minutes:
            write_checkpoint(run, folder)
            written = run.progress.seconds


class _Working:
    """Adds the time inside to the run's seconds, but for what a busy machine's other programs had of it."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def __enter__(self) -> None:
        self.began, self.processor = time.monotonic(), time.process_time()

    def __exit__(self, *raised: object) -> None:
        progress = self.run.progress
        # The processor's time is that of all threads: the shorter one counts.
        progress.seconds += min(time.monotonic() - self.began, time.process_time() - self.processor)
        if not any(raised):
            progress.seconds = self.run.processes.agreed(progress.seconds)


def _silent(line: str) -> None:
    pass


def _finish(run: Run, output: Path, command: str, log: Callable[[str], None]) -> Prior:
    """The best weights with their card, written and returned."""
    config, prior = run.config, run.averaged
    if not run.best:
        raise NotebeamError(
            "validation", "no score that is a number", "one: a lower loop.learning_rate may help"
        )
    prior.load_state_dict(run.best)
    if run.processes.rank:
        return prior
    name = measure(prior, run.splits.valid)
    scores = {f"valid_{name}": round(run.progress.best, 4), "best_step": run.progress.best_step}
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
