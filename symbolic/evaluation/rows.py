"""What `python -m symbolic.evaluation` shows: a row of a data set, of a MIDI file, of a folder of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from symbolic.datasets.config import CLASSIC, PERFORMANCES, DataConfig
from symbolic.datasets.splits import frames_roll, read_splits
from symbolic.errors import NotebeamError
from symbolic.estimators.ais import AisOptions
from symbolic.evaluation.accuracy import expected_accuracies
from symbolic.evaluation.folder import FileScores, judge_folder, pooled
from symbolic.evaluation.likelihood import log_likelihood
from symbolic.evaluation.picture import save_surprise
from symbolic.evaluation.surprise import Judgement, StepScores, judge, semitones_of
from symbolic.notes import Notes
from symbolic.pitch import name as pitch_name
from symbolic.priors.base import Prior
from symbolic.priors.loading import load_prior
from symbolic.priors.steps import read_steps

Row = dict[str, str | int | float]
SHOWN = 5  # notes in the table


def scores(
    name: str, dataset: str, split: str, *, samples: int, seed: int, ais: AisOptions | None = None
) -> Row:
    """One row: the prior's scores on a split of a set."""
    prior = load_prior(name)
    card = prior.require_card()
    hop = card.clock.get("hop")
    if dataset in PERFORMANCES and not isinstance(hop, float):
        raise NotebeamError(f"{name}: clock", card.clock, f"frames, which {dataset} is judged in")
    if dataset in CLASSIC and (card.clock["kind"], card.plane) != ("beats", "active"):
        got = f"{card.plane} keys at steps of {card.clock['kind']}"
        raise NotebeamError(name, got, f"active keys at steps of beats, as {dataset} has them")
    config = DataConfig(set=dataset) if dataset in CLASSIC else DataConfig(performances=(dataset,))
    if isinstance(hop, float) and dataset in PERFORMANCES:
        config = replace(config, hop=hop, plane=cast(Literal["active", "struck", "both"], card.plane))
    pieces = getattr(read_splits(config), split)
    rolls = [frames_roll(piece, config) if isinstance(piece, Notes) else piece for piece in pieces]
    if not rolls:
        raise NotebeamError("--split", split, f"a split that {dataset} has")
    likelihood = log_likelihood(prior, rolls, ais)
    row: Row = {"prior": name, "dataset": dataset, "split": split}
    row |= {
        "pieces": len(rolls),
        "steps": likelihood.steps,
        "log_likelihood_nats_per_step": likelihood.per_step,
    }
    if likelihood.ais is not None:
        row |= {
            "standard_error": likelihood.standard_error,
            "standard_error_of_a_step": likelihood.spread,
            "ais_runs": likelihood.ais.runs,
            "ais_temperatures": likelihood.ais.temperatures,
        }
    return row | _accuracies(prior, rolls, samples, seed)


def folder_scores(
    name: str, folder: Path, transpose: str | None, ais: AisOptions, *, samples: int, seed: int
) -> tuple[Row, list[Row], list[Exception]]:
    """A row of all MIDI files of a folder, a row each, and why others have none."""
    prior = load_prior(name)
    files, failures = judge_folder(prior, folder, semitones_of(transpose, prior.require_card()), ais)
    each = [_file_row(file) for file in files]
    row: Row = {"prior": name, "folder": str(folder), "files": len(files)}
    row |= {"seconds": sum(file.seconds for file in files), "notes": sum(file.notes for file in files)}
    row |= {"notes_between_steps": sum(file.notes_between_steps for file in files)}
    row |= {"steps": sum(len(file.roll) for file in files)}
    row |= likelihood_of(pooled(files))
    return row | _accuracies(prior, [file.roll for file in files], samples, seed), each, failures


def _file_row(file: FileScores) -> Row:
    row: Row = {
        "file": file.file,
        "seconds": file.seconds,
        "notes": file.notes,
        "notes_between_steps": file.notes_between_steps,
        "steps": len(file.roll),
        "transposed_semitones": file.semitones,
    }
    return row | likelihood_of(file.scores)


def _accuracies(prior: Prior, rolls: Sequence[NDArray[Any]], samples: int, seed: int) -> Row:
    """Expected accuracies of `samples` draws a step; of none, nothing."""
    if not samples:
        return {}
    accuracies = expected_accuracies(prior, rolls, torch.Generator().manual_seed(seed), samples=samples)
    return {"samples": samples, "seed": seed, "acc12": accuracies.acc12, "bay": accuracies.bay}


def judged(name: str, path: Path, transpose: str | None, ais: AisOptions, picture: Path | None) -> Judgement:
    """A MIDI file judged by a prior; the picture, if one is requested, is written."""
    prior = load_prior(name)
    steps = read_steps(path, prior.require_card())
    judgement = judge(prior, steps, semitones_of(transpose, prior.require_card()), ais)
    if picture is not None:
        title = f"{path.name} to {name}: {judgement.scores.per_step:.3f} nats a step"
        save_surprise(picture, judgement, title)
    return judgement


def summary(name: str, path: Path, judgement: Judgement) -> Row:
    """One row: a MIDI file's scores."""
    steps = judgement.steps
    row: Row = {
        "prior": name,
        "file": str(path),
        "seconds": float(steps.clock.end - steps.clock.times[0]),
        "notes": len(steps.notes),
        "notes_between_steps": int((steps.first < 0).sum()),
        "steps": len(steps.roll),
        "transposed_semitones": judgement.semitones,
    }
    return row | likelihood_of(judgement.scores)


def likelihood_of(scores: StepScores) -> Row:
    """Mean over the steps, and its error where it is an estimate."""
    row: Row = {"log_likelihood_nats_per_step": scores.per_step}
    if scores.standard_error.any():
        row["standard_error"] = scores.error_of_mean
        row["standard_error_of_a_step"] = float(scores.standard_error.mean())
    return row


def most_surprising(judgement: Judgement) -> Row:
    """The notes that the prior expected least, for the table."""
    notes = judgement.steps.notes
    order = np.argsort(-np.nan_to_num(judgement.notes, nan=-1.0), kind="stable")[:SHOWN]
    lines = [
        f"{notes.onset[i]:.2f} s {pitch_name(int(notes.pitch[i]))} {judgement.notes[i]:.2f} nats"
        for i in order.tolist()
        if not np.isnan(judgement.notes[i])
    ]
    return {"most_surprising_notes": ", ".join(lines) or "none"}


def lists(judgement: Judgement) -> dict[str, list[object]]:
    """Every step and every note, for JSON; null: the note lies between the steps."""
    notes = judgement.steps.notes
    return {
        "step_seconds": judgement.steps.clock.times.round(4).tolist(),
        "step_log_prob_nats": judgement.scores.log_prob.round(4).tolist(),
        "note_seconds": notes.onset.round(4).tolist(),
        "note_pitch": notes.pitch.tolist(),
        "note_surprise_nats": [None if nats != nats else round(nats, 4) for nats in judgement.notes.tolist()],
    }
