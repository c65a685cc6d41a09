"""Which settings of each decoder are best on the development recordings, and what are they worth on others?

Is: a grid for each decoder, note-onset F at 50 ms, the deviation removed, of every setting on every
recording, the setting that is best on all of them (about what ships in transcribe.presets), and the
cross-validated scores: each composition is scored with the setting that is best on the other compositions.
With --posteriorgrams and --references: the same of another front end's posteriorgrams, and its settings in a
file for `transcribe --settings`; a report of these is written only where -o says.
Is not: the table of the shipped settings (benchmarks.transcription).
"""

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.development import STEP, DevRecording, counted_transitions, read_development, rounded
from benchmarks.lib.front_ends import fit, read_clips
from benchmarks.reporting.form import RESULTS, benchmark_parser, command_line, parsed, write_report
from symbolic.decoding.decode import decode_evidence
from symbolic.decoding.evidence import Evidence, evidence_of, frames_clock
from symbolic.decoding.options import Beam, Greedy, Hmm, Threshold
from symbolic.errors import NotebeamError
from symbolic.files import check_writable
from symbolic.notes import Notes
from symbolic.priors.base import Prior
from symbolic.priors.loading import load_prior
from transcribe.pipeline import Transcriber
from transcribe.presets import MODEL, NOTE_PRICE, PRIOR, TRACK, Options
from transcribe.scoring import mean, score
from transcribe.scoring.matching import aligned_onset, onset_ratios
from transcribe.tracking import track_notes

log = logging.getLogger(__name__)
RESAMPLES = 2000
OWN = RESULTS / "tuning.json"  # of this package's front end


def shown(options: Options) -> dict[str, float | int | str]:
    """The cells of a setting in the table."""
    if isinstance(options, Threshold):
        return {"threshold": options.threshold}
    if isinstance(options, Hmm):
        counted = isinstance(options.off_after_off, tuple)
        cells: dict[str, float | int | str] = {"form": "counted" if counted else "tuned"}
        cells |= {"prior_weight": options.prior_weight, "note_penalty": options.note_penalty}
        if not isinstance(options.off_after_off, tuple) and not isinstance(options.off_after_on, tuple):
            cells |= {"off_after_off": options.off_after_off, "off_after_on": options.off_after_on}
        return cells
    return {
        "prior_weight": options.prior_weight,
        "note_penalty": options.note_penalty,
        "temperature": options.temperature,
        "beam_width": options.width if isinstance(options, Beam) else 1,
    }


# Nats for each note on top of what the prior charges; 0.2 is a threshold of 0.55 where there is no prior.
STARTS = (-0.2, 0.2, 0.6)


def grid(name: str) -> Iterator[Options]:
    """The settings tried for one row of the table."""
    if name == "threshold":
        for threshold in np.arange(0.3, 0.86, 0.05).round(2):
            yield Threshold(threshold=float(threshold))
    elif name == "hmm tuned":
        for stay_off, leave_on in product((0.5, 0.6, 0.7, 0.8), (0.2, 0.5, 0.8, 0.95)):
            yield Hmm(off_after_off=stay_off, off_after_on=leave_on)
    elif name == "hmm counted":
        chain = counted_transitions()
        for weight, start in product((0.05, 0.1, 0.2, 0.4), STARTS):
            # Log-odds of a stroke at a step, about, are what the chain charges.
            penalty = round(start - 6.0 * weight, 3)
            yield replace(chain, prior_weight=weight, note_penalty=penalty)
    else:
        for weight, start in product((0.0,) if name == "beam alone" else (0.05, 0.1, 0.2), STARTS):
            penalty = round(start - NOTE_PRICE * weight, 3)
            if name == "greedy":
                yield Greedy(prior_weight=weight, note_penalty=penalty)
            else:
                yield Beam(prior_weight=weight, note_penalty=penalty, n_best=1)


ROWS = ("threshold", "hmm tuned", "hmm counted", "beam alone", "greedy", "beam")


def tried(
    name: str, recordings: Sequence[DevRecording], clips: Sequence[Evidence], prior: Prior
) -> tuple[list[Options], npt.NDArray[np.float64], list[list[Notes]]]:
    """Settings, onset F with the deviation removed (settings, recordings), and the notes of each."""
    settings, scores, kept = [], [], []
    for options in grid(name):
        decodings = decode_evidence(clips, prior if isinstance(options, Greedy | Beam) else None, options)
        pairs = list(zip(decodings, recordings, strict=True))
        notes = [track_notes(decoding, item.posteriorgram, TRACK) for decoding, item in pairs]
        settings.append(options)
        scores.append([aligned_f(item, n) for item, n in zip(recordings, notes, strict=True)])
        kept.append(notes)
        log.info("%s %s: %.4f", name, shown(options), np.mean(scores[-1]))
    return settings, np.array(scores), kept


def aligned_f(item: DevRecording, notes: Notes) -> float:
    """Note-onset F at 50 ms, the median deviation removed."""
    return onset_ratios(item.reference, notes, onset=aligned_onset(item.reference, notes)).f1


def held_out_choice(scores: npt.NDArray[np.float64], compositions: Sequence[str]) -> list[int]:
    """For each recording the setting that is best on the recordings of other compositions."""
    names = np.array(compositions)
    return [int(scores[:, names != composition].mean(axis=1).argmax()) for composition in compositions]


def interval(values: Sequence[float], compositions: Sequence[str], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over recordings, compositions drawn with replacement."""
    draw = np.random.default_rng(seed)
    names = sorted(set(compositions))
    groups = [[v for v, c in zip(values, compositions, strict=True) if c == name] for name in names]
    means = []
    for _ in range(RESAMPLES):
        drawn = [value for index in draw.integers(0, len(groups), len(groups)) for value in groups[index]]
        means.append(float(np.mean(drawn)))
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def row_of(
    name: str, recordings: Sequence[DevRecording], clips: Sequence[Evidence], prior: Prior
) -> dict[str, object]:
    """The table's row of one decoder."""
    compositions = [item.recording.composition for item in recordings]
    settings, scores, notes = tried(name, recordings, clips, prior)
    best = int(scores.mean(axis=1).argmax())
    choice = held_out_choice(scores, compositions)
    found = [
        score(item.reference, notes[chosen][index], duration=item.recording.seconds)
        for index, (item, chosen) in enumerate(zip(recordings, choice, strict=True))
    ]
    low, high = interval([s.onset_f1_aligned for s in found], compositions)
    return {
        "decoder": name,
        **rounded(mean(found)),
        "onset_f1_aligned_low": round(low, 4),
        "onset_f1_aligned_high": round(high, 4),
        "onset_f1_aligned_best_setting": round(float(scores[best].mean()), 4),
        **{f"best_{key}": value for key, value in shown(settings[best]).items()},
    }


def tune_front_end(args: argparse.Namespace) -> None:
    """Fit settings to a folder of posteriorgrams, report what they are worth on other compositions."""
    if args.save_settings is not None:
        check_writable(args.save_settings)
    clips = read_clips(args.posteriorgrams, args.references, args.compositions)
    prior = load_prior(args.prior)
    model = clips[0].posteriorgram.model
    settings, others = fit(clips, prior, model)
    log.info("%s", settings)
    found = []
    for clip in clips:
        transcriber = Transcriber(prior=prior, settings=others[clip.composition])
        notes = transcriber.transcribe_posteriorgram(clip.posteriorgram).notes
        found.append(score(clip.reference, notes, duration=clip.posteriorgram.duration))
    low, high = interval([s.onset_f1 for s in found], [c.composition for c in clips])
    row = {"front_end": model, **rounded(mean(found))}
    row |= {"onset_f1_low": round(low, 4), "onset_f1_high": round(high, 4)}
    data = f"{len(clips)} recordings of {len(others)} compositions"
    if args.save_settings is not None:
        scores = {"onset_f1, cross-validated": row["onset_f1"]}
        replace(settings, data=data, command=command_line(), scores=scores).save(args.save_settings)
    numbers = ("temperature", "prior_weight", "note_penalty", "alone_penalty", "threshold", "onset_shift",
               "frame_threshold", "sounding")  # fmt: skip
    row |= {name: getattr(settings, name) for name in numbers}
    if args.output != OWN:
        question = "Which settings of a front end are best, and what are they worth on other compositions?"
        write_report(
            args.output, question, {"prior": args.prior, "data": data, "resamples": RESAMPLES}, [row]
        )
    print(row)


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("tuning", __doc__)
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--prior", default=PRIOR)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=ROWS)
    parser.add_argument(
        "--posteriorgrams", type=Path, metavar="FOLDER", help="another front end's .npz files"
    )
    parser.add_argument(
        "--references", type=Path, metavar="FOLDER", help="its notes, .mid or .tsv of the same names"
    )
    parser.add_argument("--compositions", type=Path, metavar="FILE.csv", help="columns name and composition")
    parser.add_argument("--save-settings", type=Path, metavar="FILE.json", help="for transcribe --settings")
    args = parser.parse_args(argv)
    if (args.posteriorgrams is None) != (args.references is None):
        parser.error("--posteriorgrams and --references go together")
    if args.posteriorgrams is None and (args.compositions or args.save_settings):
        parser.error("--compositions and --save-settings go with --posteriorgrams")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if args.posteriorgrams is not None:
        try:
            tune_front_end(args)
        except (NotebeamError, OSError) as error:
            parser.error(str(error))
        return 0
    args = parsed(parser, argv)  # refuses to write figures of uncommitted code
    recordings, prior = read_development(args.model, cached=True), load_prior(args.prior)
    clocks = [frames_clock(item.posteriorgram, STEP) for item in recordings]
    pairs = zip(recordings, clocks, strict=True)
    clips = [evidence_of(item.posteriorgram, clock, "struck") for item, clock in pairs]
    with torch.inference_mode():
        rows = [row_of(name, recordings, clips, prior) for name in args.rows]
    compositions = {item.recording.composition for item in recordings}
    settings = {"model": args.model, "prior": args.prior, "resamples": RESAMPLES}
    settings |= {"recordings": len(recordings), "compositions": len(compositions)}
    question = (
        "Which settings are best on maps/real-dev, and what is each decoder worth on other compositions?"
    )
    write_report(args.output, question, settings, rows)  # type: ignore[arg-type]
    for row in rows:
        print(row)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
