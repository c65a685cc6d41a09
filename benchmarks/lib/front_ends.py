"""Settings of a front end, fitted to its posteriorgrams of recordings whose notes are known.

Is: temperature and onset shift in closed form, the rest chosen from small grids by note-onset F; all of it
again without each composition, which is what is reported.
Is not: the command (benchmarks.tuning) or the settings' file (transcribe.settings).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from acoustic.calibration import fit_scaling
from benchmarks.calibration import DOUBT, struck
from symbolic.datasets.tables import read_table
from symbolic.decoding.decode import decode_evidence
from symbolic.decoding.evidence import STEP, Evidence, evidence_of, find_peaks, frames_clock
from symbolic.decoding.options import Beam, Threshold
from symbolic.errors import NotebeamError
from symbolic.midi import read_midi
from symbolic.notes import Notes, read_tsv
from symbolic.pitch import LOWEST
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.base import Prior
from transcribe.posteriorgrams import read_posteriorgram
from transcribe.presets import FOREIGN, NOTE_PRICE, TRACK
from transcribe.scoring.matching import median_deviation, onset_ratios
from transcribe.settings import Settings
from transcribe.tracking import sounding_seconds

THRESHOLDS = (0.5, 0.6, 0.7)
SOUNDING = (0.0, 0.0465, 0.07)  # seconds
FRAME_THRESHOLDS = (0.3, 0.4)
WEIGHTS = (0.1, 0.2)
STARTS = (0.0, 0.4)  # nats a note on top of what is best without a prior
READERS = {".mid": read_midi, ".midi": read_midi, ".tsv": read_tsv}

Scores = npt.NDArray[np.float64]  # (settings, recordings) note-onset F


@dataclass(frozen=True, eq=False)
class Clip:
    """A posteriorgram and what was played."""

    name: str
    composition: str
    reference: Notes
    posteriorgram: Posteriorgram


@dataclass(frozen=True, eq=False)
class Strokes:
    """Strokes of a decoded clip: onset (N,) seconds, key (N,), and how long the frame plane follows each."""

    onset: npt.NDArray[np.float64]
    key: npt.NDArray[np.int64]
    lit: Mapping[float, npt.NDArray[np.float64]]  # by the frame threshold, (N,) seconds

    def notes(self, settings: Settings) -> Notes:
        """Their onsets, of those that sound long enough."""
        keep = self.lit[settings.frame_threshold] >= settings.sounding - 1e-9
        onset = np.maximum(self.onset[keep] + settings.onset_shift, 0.0)
        return Notes.make(onset, onset + 0.1, self.key[keep] + LOWEST, np.full(len(onset), 64))


def read_clips(posteriorgrams: Path, references: Path, compositions: Path | None) -> list[Clip]:
    """Every `.npz` of a folder with the notes of the same name (.mid or .tsv) of another.

    compositions: a table with the columns `name` and `composition`; None: each recording is one of its own.

    Raises:
        NotebeamError: no posteriorgrams, one without notes, without an onset plane, or of another front end.
    """
    paths = sorted(posteriorgrams.glob("*.npz"))
    if len(paths) < 2:
        raise NotebeamError(
            str(posteriorgrams), f"{len(paths)} posteriorgrams", "a folder of .npz, two or more"
        )
    table = {} if compositions is None else _compositions(compositions)
    clips: list[Clip] = []
    for path in paths:
        found = [references / f"{path.stem}{suffix}" for suffix in READERS]
        known = next((file for file in found if file.is_file()), None)
        if known is None:
            raise NotebeamError(str(path), f"no notes in {references}", f"{path.stem}.mid or .tsv there")
        p = read_posteriorgram(path)
        if p.onset is None:
            raise NotebeamError(str(path), "no onset plane", "an onset plane, to find strokes in")
        if clips and p.model != clips[0].posteriorgram.model:
            other = clips[0].posteriorgram.model
            raise NotebeamError(
                str(path), f"a posteriorgram of {p.model!r}", f"all of one model, as {other!r}"
            )
        if table and path.stem not in table:
            raise NotebeamError(str(compositions), f"no row for {path.stem}", "one for each posteriorgram")
        name = table.get(path.stem, path.stem)
        clips.append(Clip(path.stem, name, READERS[known.suffix](known), p))
    if len({clip.composition for clip in clips}) < 2:
        raise NotebeamError(str(compositions), "one composition", "two or more, to leave out one at a time")
    return clips


def _compositions(path: Path) -> dict[str, str]:
    rows = read_table(path, ("name", "composition"))
    if not rows:
        raise NotebeamError(str(path), "no rows", "one for each posteriorgram")
    return {row["name"]: row["composition"] for row in rows}


def fit(clips: Sequence[Clip], prior: Prior, front_end: str) -> tuple[Settings, dict[str, Settings]]:
    """Settings fitted on all clips, and for each composition those fitted on the others.

    Raises:
        NotebeamError: clips of which no onset is near a note that was played.
    """
    evidence = [evidence_of(c.posteriorgram, frames_clock(c.posteriorgram, STEP), "struck") for c in clips]
    groups = {"": range(len(clips))} | {
        name: [i for i, c in enumerate(clips) if c.composition != name]
        for name in sorted({c.composition for c in clips})
    }
    pairs = [_peaks(clip) for clip in clips]
    alone = {t: _decoded(clips, evidence, None, Threshold(threshold=t)) for t in THRESHOLDS}
    shifts = [median_deviation(c.reference, s.notes(FOREIGN)) for c, s in zip(clips, alone[0.6], strict=True)]
    fitted = {}
    for name, rows in groups.items():
        predicted, true = (np.concatenate([pairs[i][part] for i in rows]) for part in (0, 1))
        if not true.any():
            of = f"{len(rows)} recordings" if not name else f"the recordings other than of {name!r}"
            got = f"no onset probability near a note in {of}"
            raise NotebeamError("posteriorgrams", got, "those of the recordings whose notes are given")
        begun = replace(
            FOREIGN,
            front_end=front_end,
            temperature=round(fit_scaling(predicted, true).temperature, 2),
            onset_shift=-round(float(np.mean([shifts[i] for i in rows])), 3),
        )
        # Of the others nothing is known here, not even where the grid begins.
        own, strokes = [clips[i] for i in rows], {t: [found[i] for i in rows] for t, found in alone.items()}
        fitted[name] = _fit_prior(own, [evidence[i] for i in rows], prior, _fit_alone(own, strokes, begun))
    return fitted[""], {name: settings for name, settings in fitted.items() if name}


def _fit_alone(clips: Sequence[Clip], alone: Mapping[float, Sequence[Strokes]], begun: Settings) -> Settings:
    """Threshold, how long a struck key is to sound, and above which frame probability, without a prior."""
    grid = [
        replace(begun, threshold=t, sounding=sounding, frame_threshold=frame)
        for t, sounding, frame in product(THRESHOLDS, SOUNDING, FRAME_THRESHOLDS)
        if sounding or frame == FRAME_THRESHOLDS[0]
    ]
    best = max(grid, key=lambda settings: np.mean(scored(clips, alone[settings.threshold], settings)))
    # In the search a key is struck above the threshold if its log-odds pay the penalty.
    odds = math.log(best.threshold / (1 - best.threshold)) / begun.temperature
    return replace(best, alone_penalty=round(odds, 3))


def _fit_prior(
    clips: Sequence[Clip], evidence: Sequence[Evidence], prior: Prior, fitted: Settings
) -> Settings:
    """Weight and note penalty of the prior."""
    grid = [
        replace(
            fitted,
            prior_weight=weight,
            note_penalty=round(fitted.alone_penalty + start - NOTE_PRICE * weight, 3),
        )
        for weight, start in product(WEIGHTS, STARTS)
    ]

    def worth(tried: Settings) -> float:
        strokes = _decoded(clips, evidence, prior, tried.applied(Beam(n_best=1)))
        return float(np.mean(scored(clips, strokes, tried)))

    return max(grid, key=worth)


def scored(clips: Sequence[Clip], strokes: Sequence[Strokes], settings: Settings) -> list[float]:
    """Note-onset F of each clip."""
    pairs = zip(clips, strokes, strict=True)
    return [onset_ratios(clip.reference, s.notes(settings)).f1 for clip, s in pairs]


def _peaks(clip: Clip) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Doubtful onset probabilities (N,), and whether each is a note."""
    p = clip.posteriorgram
    assert p.onset is not None
    peaks = find_peaks(p.onset, p.hop)
    kept = peaks.value >= DOUBT
    seconds = p.start + p.hop * peaks.place[kept]
    return peaks.value[kept], struck(peaks.key[kept], seconds, peaks.value[kept], clip.reference)


def _decoded(
    clips: Sequence[Clip], evidence: Sequence[Evidence], prior: Prior | None, options: object
) -> list[Strokes]:
    result = []
    for clip, decoding in zip(clips, decode_evidence(evidence, prior, options), strict=True):
        key, step = np.nonzero(np.asarray(decoding.roll).T)
        frame = decoding.evidence.frame[step, key].astype(np.int64)
        lit = {
            t: sounding_seconds(frame, key, clip.posteriorgram, replace(TRACK, frame_threshold=t))
            for t in FRAME_THRESHOLDS
        }
        result.append(Strokes(decoding.evidence.time[step, key].astype(np.float64), key, lit))
    return result
