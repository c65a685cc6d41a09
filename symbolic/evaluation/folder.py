"""A folder of MIDI files under a prior: the likelihood of each file, and of all, pooled over their steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symbolic.datasets.midi_folder import read_each
from symbolic.estimators.ais import AisOptions
from symbolic.evaluation.surprise import StepScores, placed, step_scores
from symbolic.priors.base import Prior
from symbolic.priors.steps import Roll, read_steps


@dataclass(frozen=True, eq=False)
class FileScores:
    """One file of a folder."""

    file: str  # its place in the folder
    seconds: float
    notes: int
    notes_between_steps: int
    semitones: int  # by which it was shifted first
    roll: Roll  # (T, visible), shifted
    scores: StepScores


def judge_folder(
    prior: Prior, folder: Path, semitones: int | None = 0, ais: AisOptions | None = None
) -> tuple[list[FileScores], list[Exception]]:
    """Scores of every MIDI file below a folder, in order of their paths, and why others have none.

    semitones: up, before the prior reads a file; None: each file in its likeliest key.

    Raises:
        NotebeamError: no such folder, or no file in it that can be judged.
    """
    card = prior.require_card()

    def scored(path: Path) -> FileScores:
        steps = read_steps(path, card)
        shift, roll = placed(prior, steps.roll, semitones, ais)
        (scores,) = step_scores(prior, [roll], ais)
        seconds = float(steps.clock.end - steps.clock.times[0])
        between = int((steps.first < 0).sum())
        name = path.relative_to(folder).as_posix()
        return FileScores(name, seconds, len(steps.notes), between, shift, roll, scores)

    return read_each(folder, scored)


def pooled(files: Sequence[FileScores]) -> StepScores:
    """The steps of all files, one after the other."""
    columns = zip(*((file.scores.log_prob, file.scores.standard_error) for file in files), strict=True)
    return StepScores(*(np.concatenate(column) for column in columns))
