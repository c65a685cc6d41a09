"""Fit velocities: `python -m symbolic.training.dynamics --posteriorgrams FOLDER -o WEIGHTS`.

Is: the fit of `symbolic.dynamics` to notes that an acoustic model found, and to how hard they were played.
Is not: the making of the posteriorgrams (acoustic.training.posteriorgrams): this package knows no audio.

The folder is that of a join (training.labelled_onsets). Learnt from are the recordings of instruments as they
are. Renderings answer velocity by a formula, so that a note's own level says too much; behind rooms and
recording chains it says too little (on pianos as they are, models of either were worse than none).
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from symbolic.card import Card, save_network
from symbolic.checkpoints import check_weights_path
from symbolic.console import outcome
from symbolic.decoding.evidence import evidence_of, frames_clock
from symbolic.dynamics.company import company, relative_level
from symbolic.dynamics.model import Dynamics
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.pitch import pitch_of
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.evidence_join import candidates
from symbolic.training.boosting import Growth, grow
from symbolic.training.labelled_onsets import DESCRIBED, STEP, own_onsets, recordings

LIKELY = 0.5  # probability of an onset that is taken for a note
FEWEST = 30  # notes of a recording from which anything is learnt
RENDERED = ("asap-", "pop909-")  # how names of renderings begin
AS_IT_IS = "none"  # of the column `chain`, which a list may lack


@dataclass(frozen=True, kw_only=True)
class DynamicsTraining(Growth):
    """How many trees are grown, how large, and how."""

    trees: int = 200
    leaves: int = 15
    depth: int = 8
    rate: float = 0.06


@dataclass(frozen=True, eq=False)
class FoundNotes:
    """Notes of one recording that were found and played."""

    inputs: NDArray[np.float32]  # (n, F) company of each
    level: NDArray[np.float64]  # (n,) velocity / 127 as the model has it, of the mean of the recording
    played: NDArray[np.float64]  # (n,) as played, likewise
    spread: float  # of the levels of all that was played: its loudest less its softest
    name: str = ""
    composition: str = ""
    instrument: str = ""


def found_notes(posteriorgram: Posteriorgram, notes: Notes, **described: str) -> FoundNotes | None:
    """What is learnt from one recording; None: too few notes, or all as loud."""
    if posteriorgram.velocity is None:
        raise NotebeamError(posteriorgram.place, "no velocities", "the velocity plane")
    _, onsets = candidates(evidence_of(posteriorgram, frames_clock(posteriorgram, STEP), "struck"), LIKELY)
    level = posteriorgram.velocity[onsets.frame, onsets.key].astype(np.float64)
    velocity = np.rint(127 * level).clip(1, 127)
    order = np.lexsort((onsets.key, onsets.time))  # as `Notes` has them
    found = Notes.make(
        onsets.time, onsets.time + STEP, pitch_of(onsets.key), velocity, onsets.prob, place="notes found"
    )
    own = own_onsets(onsets, notes)
    place = np.argsort(order)[own[own >= 0]]
    if len(place) < FEWEST or len(np.unique(notes.velocity)) < 2:
        return None
    played = notes.velocity[own >= 0] / 127.0
    return FoundNotes(
        company(found)[place],
        relative_level(found)[place],
        played - played.mean(),
        float(np.ptp(notes.velocity)) / 127.0,
        **described,
    )


def read(folder: Path) -> Iterator[FoundNotes]:
    """Every recording of the list that is there and is learnt from."""
    for posteriorgram, notes, row in recordings(folder):
        if row.get("chain", AS_IT_IS) == AS_IT_IS and not row["name"].startswith(RENDERED):
            found = found_notes(posteriorgram, notes, **{name: row[name] for name in DESCRIBED})
            if found is not None:
                yield found


def fit(data: Sequence[FoundNotes], options: DynamicsTraining) -> Dynamics:
    """A model of these recordings, least squares."""
    if not data:
        raise NotebeamError("fit(data)", "no recording with velocities", "notes to learn from")
    model = Dynamics(options.trees, options.leaves, options.depth)
    inputs = torch.from_numpy(np.concatenate([part.inputs for part in data]))
    played = torch.from_numpy(np.concatenate([part.played for part in data]))
    grow(model.trees, inputs, played, options)
    return model.eval()


def share_right(level: NDArray[np.float64], part: FoundNotes) -> float:
    """Share of notes whose level is within a tenth of the spread of what was played, after a linear fit.

    As mir_eval judges velocities (Hawthorne et al. 2018), here of the notes found alone.
    """
    design = np.stack([level, np.ones(len(level))], axis=1)
    fitted = design @ np.linalg.lstsq(design, part.played, rcond=None)[0]
    return float((np.abs(fitted - part.played) <= 0.1 * part.spread).mean())


def _scores(data: Sequence[FoundNotes], model: Dynamics) -> str:
    before = np.mean([share_right(part.level, part) for part in data])
    with torch.inference_mode():
        levels = [model.trees(torch.from_numpy(part.inputs)).numpy().astype(np.float64) for part in data]
    after = np.mean([share_right(level, part) for level, part in zip(levels, data, strict=True)])
    return f"velocities right: {before:.3f} estimated, {after:.3f} corrected"


def main(argv: list[str] | None = None) -> int:
    given = DynamicsTraining()
    parser = argparse.ArgumentParser(prog="symbolic.training.dynamics", description="Fit velocities.")
    parser.add_argument(
        "--posteriorgrams", type=Path, required=True, help="folder of acoustic.training.posteriorgrams"
    )
    parser.add_argument(
        "--hold-out-every", type=int, metavar="N", help="score, and don't write: on every N-th composition"
    )
    parser.add_argument("--trees", type=int, default=given.trees)
    parser.add_argument("--seed", type=int, default=given.seed)
    parser.add_argument("-o", "--output", type=Path, help=".safetensors to write")
    args = parser.parse_args(argv)
    if (args.output is None) == (args.hold_out_every is None):
        parser.error("either -o or --hold-out-every")
    if args.hold_out_every is not None and args.hold_out_every < 2:
        parser.error("--hold-out-every: expected 2 or more")
    training = DynamicsTraining(trees=args.trees, seed=args.seed)
    return outcome("symbolic.training.dynamics", lambda: _run(args, training))


def _run(args: argparse.Namespace, training: DynamicsTraining) -> None:
    if args.output is not None:
        check_weights_path(args.output, "--output")
    data = list(read(args.posteriorgrams))
    if args.output is None:
        apart = set(sorted({part.composition for part in data})[:: args.hold_out_every])
        held = [part for part in data if part.composition in apart]
        data = [part for part in data if part.composition not in apart]
        sys.stdout.write(f"{len(data)} recordings to learn from, {len(held)} held out\n")
        sys.stdout.write(_scores(held, fit(data, training)) + "\n")
        return
    model = args.output.stem
    card = Card(
        name=model,
        options={"trees": training.trees, "leaves": training.leaves, "depth": training.depth},
        data=f"{len(data)} posteriorgrams of the acoustic model {model} (acoustic.training.posteriorgrams): "
        "MAPS synthesised pianos as they are",
        licence="CC BY-NC-SA 4.0 (fitted to MAPS)",
        command=f"python -m symbolic.training.dynamics --trees {training.trees} --seed {training.seed}",
        training={key: float(value) for key, value in asdict(training).items()},
    )
    save_network(fit(data, training), card, args.output)


if __name__ == "__main__":
    raise SystemExit(main())
