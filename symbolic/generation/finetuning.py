"""A prior moved towards one's own music: a short training run on a folder of MIDI files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from symbolic.datasets.config import DataConfig
from symbolic.datasets.midi_folder import read_folder
from symbolic.datasets.splits import Piece, Splits, is_held_out
from symbolic.errors import NotebeamError
from symbolic.estimators.ais import AisOptions
from symbolic.evaluation.likelihood import log_likelihood
from symbolic.evaluation.surprise import best_key
from symbolic.files import temporary_folder
from symbolic.priors.base import Prior, PriorCard
from symbolic.priors.loading import load_prior, members_of
from symbolic.priors.piece_cache import SUFFIX
from symbolic.priors.steps import Roll, read_steps, transposed
from symbolic.training.config import LoopConfig, TrainingConfig
from symbolic.training.loop import train

LICENCE = "that of the prior it began with and of your own files"


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions:
    """A short run at a small rate, ended when the files held out no longer get likelier."""

    steps: int = 100
    learning_rate: float = 3e-4
    batch_size: int = 8
    validate_every: int = 10  # steps
    patience: int = 3  # validations without a better one
    held_out: float = 0.1  # share of the files, one at least
    seed: int = 0


def finetune(
    name: str, folder: Path, output: Path, options: FinetuneOptions, log: Callable[[str], None]
) -> Prior:
    """The prior `name` after a short run on the MIDI files in a folder; its weights are written to `output`.

    Where the prior counts in beats each file is moved into the key that the prior likes best: the classic
    sets are all in C. Whether the files held out became likelier is logged.
    """
    if name.endswith(SUFFIX):
        raise NotebeamError("--finetune", name, f"{name.removesuffix(SUFFIX)}: a cache has nothing to learn")
    if len(members_of(name)) > 1:
        raise NotebeamError("--finetune", name, "one of these priors: each is trained by itself")
    prior = load_prior(name)
    splits = _splits(prior, folder, options)
    loop = LoopConfig(
        steps=options.steps,
        batch_size=options.batch_size,
        chunk=400 if prior.require_card().clock["kind"] == "frames" else 100,
        learning_rate=options.learning_rate,
        warmup=0,
        validate_every=options.validate_every,
        patience=options.patience,
    )
    config = TrainingConfig(
        name=f"{prior.require_card().name}-finetuned",
        model=prior.require_card().model,
        licence=f"{LICENCE}; began with: {prior.require_card().licence}",
        data=_data(prior.require_card(), folder),
        loop=loop,
        options=dict(prior.require_card().options),
        init=name,
        seed=options.seed,
    )
    ais = AisOptions(temperatures=loop.ais_temperatures, runs=loop.ais_runs, steps=loop.ais_steps)
    before = log_likelihood(prior, splits.valid, ais).per_step
    log(f"{len(splits.train)} files to learn from, {len(splits.valid)} held out: {before:.4f} nats a step")
    with temporary_folder() as checkpoints:
        tuned = train(
            config,
            splits,
            checkpoints,
            output=output,
            command=f"python -m symbolic.generation --prior {name} --finetune {folder}",
            resume=False,
            log=log,
        )
    after = float(tuned.require_card().scores["valid_nats_per_step"])
    if after <= before:
        log(f"no gain on the files held out ({after:.4f} after): more files, or files of one kind, may help")
    return tuned.eval()


def _splits(prior: Prior, folder: Path, options: FinetuneOptions) -> Splits:
    pieces = read_folder(folder, lambda path: read_steps(path, prior.require_card()))
    if len(pieces) < 2:
        expected = "at least two, one of which is held out"
        raise NotebeamError(str(folder), f"{len(pieces)} MIDI file that can be read", expected)
    train: list[Piece] = []
    valid: list[Roll] = []
    for index, steps in enumerate(pieces):
        roll = steps.roll
        if prior.require_card().clock["kind"] == "beats":
            moved = transposed(roll, best_key(prior, roll, AisOptions()))
            assert moved is not None
            roll = moved
        if is_held_out(index, options.held_out):
            valid.append(roll)
        else:
            # Notes begin between two steps, and do so anew in every epoch.
            train.append(steps.notes if prior.require_card().clock["kind"] == "frames" else roll)
    return Splits(train, valid, [])


def _data(card: PriorCard, folder: Path) -> DataConfig:
    """What the card will say of the data, and how training makes rolls of notes."""
    plane = cast(Literal["active", "struck", "both"], card.plane)
    hop = float(card.clock.get("hop", 0.0))
    return DataConfig(midi=str(folder), hop=hop, divisions=int(card.clock.get("divisions", 1)), plane=plane)
