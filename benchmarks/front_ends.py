"""From basic-pitch's probabilities: what do its own notes score, and what do ours?

Is: its note creation with its defaults and tuned (cross-validated over compositions), ours with the defaults
for an unknown front end and with those of `--frontend basic-pitch`, with a prior of notes and with the join
that was fitted to it, all on the same posteriorgrams of maps/real-dev.
Is not: the fit of our settings (benchmarks.tuning --posteriorgrams), which were chosen on these recordings;
what they are worth on other compositions is that command's figure. The join's fit saw no real recording.

`--rows instruments`: the two priors on instruments that the join's fit left out, pianos and others, rendered.

Needs the package `basic-pitch`, installed as docs/python.md says, with pretty_midi and resampy, which its
note creation imports.
"""

import hashlib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np

from acoustic import audio
from acoustic.audio import RATE_HZ
from acoustic.frontends import basic_pitch as front_end
from acoustic.frontends.basic_pitch import BasicPitch
from acoustic.training.renderings import HELD_OUT, sound_of
from benchmarks.development import rounded
from benchmarks.domains import OTHER, excerpts
from benchmarks.reporting.form import benchmark_parser, merge_report, parsed
from benchmarks.tuning import held_out_choice, interval
from symbolic import datasets
from symbolic.datasets.maps import Recording, read_maps
from symbolic.notes import Notes, read_tsv
from symbolic.posteriorgram import Posteriorgram
from transcribe.pipeline import Transcriber
from transcribe.presets import AUTO, JOINS, PRIOR
from transcribe.scoring import Scores, mean, score
from transcribe.scoring.matching import onset_ratios

# Onset threshold, frame threshold, least length in frames, whether notes without onset are looked for.
Setting = tuple[float, float, int, bool]
DEFAULTS: Setting = (0.5, 0.3, 11, True)
GRID: tuple[Setting, ...] = tuple(product((0.5, 0.6, 0.7), (0.2, 0.3), (5, 11), (False,)))
# Ours: what the posteriorgrams say of who made them, and the prior.
OURS = {
    "notebeam, front end unknown": ("", AUTO),
    "notebeam --frontend basic-pitch, prior of notes": (BasicPitch.name, PRIOR),
    "notebeam --frontend basic-pitch": (BasicPitch.name, AUTO),
}
SHIFTS = (0.0, -0.01, -0.018)  # seconds
VELOCITY = 127  # of an amplitude of 1
INSTRUMENTS = (*HELD_OUT, *OTHER)
Item = tuple[Recording, Notes, Posteriorgram]
Row = dict[str, str | float]


def posteriorgrams() -> list[Item]:
    """All recordings, computed once for each version of the code and of the model."""
    listen = BasicPitch()
    files = [listen.model, Path(str(front_end.__file__)), Path(str(audio.__file__))]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    folder = datasets.cache_folder() / "posteriorgrams" / f"{listen.name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    items = []
    for recording in read_maps("real-dev"):
        kept = folder / f"{recording.name}.npz"
        if not kept.exists():
            listen.file(recording.audio).save(kept)
        items.append((recording, read_tsv(recording.table), Posteriorgram.load(kept)))
    return items


def own_notes(creation: ModuleType, p: Posteriorgram, setting: Setting) -> Notes:
    """What basic-pitch's note creation makes of the planes, at their right times."""
    onset, frame, length, melodia = setting
    events = creation.output_to_notes_polyphonic(
        np.array(p.frame),
        np.array(p.onset),
        onset_thresh=onset,
        frame_thresh=frame,
        min_note_len=length,
        infer_onsets=True,
        max_freq=None,
        min_freq=None,
        melodia_trick=melodia,
    )
    first, last, pitch, level = np.array(events, dtype=np.float64).reshape(-1, 4).T
    seconds = [p.start + p.hop * frames for frames in (first, last)]
    return Notes.make(*seconds, pitch, np.rint(VELOCITY * level).clip(1, 127))


def row_of(name: str, items: Sequence[Item], found: Sequence[Scores]) -> Row:
    low, high = interval([s.onset_f1 for s in found], [r.composition for r, _, _ in items])
    spread = {"onset_f1_low": round(low, 4), "onset_f1_high": round(high, 4)}
    return {"notes": name, **rounded(mean(found)), **spread}


def own_rows(items: Sequence[Item]) -> list[Row]:
    """basic-pitch's own notes: with its defaults, and tuned on the other compositions."""
    creation = importlib.import_module("basic_pitch.note_creation")
    by_default = [score(ref, own_notes(creation, p, DEFAULTS), duration=r.seconds) for r, ref, p in items]
    notes = [[own_notes(creation, p, setting) for _, _, p in items] for setting in GRID]
    rows = [row_of("basic-pitch, its defaults", items, by_default)]
    # It has no shift of its own; with one it is compared with ours on equal terms.
    for name, shifts in (("basic-pitch, tuned", (0.0,)), ("basic-pitch, tuned and shifted", SHIFTS)):
        tried = [[n.shifted(shift) for n in found] for found, shift in product(notes, shifts)]
        rows.append(row_of(name, items, held_out(items, tried)))
    return rows


def held_out(items: Sequence[Item], tried: Sequence[Sequence[Notes]]) -> list[Scores]:
    """Scores of each recording's notes by the setting that is best on the other compositions."""
    scores = np.array(
        [[onset_ratios(ref, n).f1 for (_, ref, _), n in zip(items, found, strict=True)] for found in tried]
    )
    choice = held_out_choice(scores, [r.composition for r, _, _ in items])
    return [
        score(ref, tried[best][i], duration=r.seconds)
        for i, (best, (r, ref, _)) in enumerate(zip(choice, items, strict=True))
    ]


def our_rows(items: Sequence[Item]) -> list[Row]:
    """Ours, by what is known of the front end."""
    rows = []
    for name, (model, prior) in OURS.items():
        transcriber, found = Transcriber(prior=prior), []
        for recording, reference, p in items:
            notes = transcriber.transcribe_posteriorgram(replace(p, model=model)).notes
            found.append(score(reference, notes, duration=recording.seconds))
        rows.append(row_of(name, items, found))
    return rows


def instrument_rows(count: int = 8, seconds: float = 40.0) -> list[Row]:
    """Both priors on instruments that the join never heard, as they are."""
    listen, rows = BasicPitch(), list[Row]()
    for instrument in INSTRUMENTS:
        items = excerpts(instrument, count, seconds)
        heard = [listen(sound_of(item), rate=RATE_HZ) for item in items]
        each = {}
        for prior in (PRIOR, AUTO):
            transcriber = Transcriber(prior=prior)
            notes = [transcriber.transcribe_posteriorgram(p).notes for p in heard]
            each[prior] = [
                score(item.notes, n).onset_f1_aligned for item, n in zip(items, notes, strict=True)
            ]
        gains = list(np.subtract(each[AUTO], each[PRIOR]))
        low, high = interval(gains, [item.name for item in items])
        values = {"prior_of_notes": np.mean(each[PRIOR]), "join": np.mean(each[AUTO])}
        values |= {"gain": np.mean(gains), "gain_low": low, "gain_high": high}
        kind = "left out of training" if instrument in HELD_OUT else "no piano"
        row: Row = {"notes": instrument, "group": kind, "pieces": len(items)}
        rows.append(row | {name: round(float(value), 4) for name, value in values.items()})
    return rows


ROWS: dict[str, Callable[[], list[Row]]] = {
    "own": lambda: own_rows(posteriorgrams()),
    "ours": lambda: our_rows(posteriorgrams()),
    "instruments": instrument_rows,
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("front_ends", __doc__)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=ROWS)
    args = parsed(parser, argv)
    rows = [row for name in args.rows for row in ROWS[name]()]
    for row in rows:
        print(row)
    settings = {
        "prior of notes": PRIOR,
        "join": JOINS[BasicPitch.name].name,
        "data": "maps/real-dev, 15 recordings",
        "grid": len(GRID),
    }
    question = "What are basic-pitch's probabilities worth, by its notes and by ours?"
    merge_report(args.output, question, settings, rows, ("notes",))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
