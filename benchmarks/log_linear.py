"""Can the prior of notes be joined to the acoustic model better than as a weighted product?

Is: on maps/real-dev as recorded, with noise and in a room, the forms that speech recognition and other
fields use: a temperature, notes that the prior proposes, a density ratio, notes chosen by their mass over all
hypotheses (minimum Bayes risk) rather than those of the best path. Each composition is scored with the
setting that is best on the others; gains are over the search without a prior, tuned the same way.
Is not: the learnt join (benchmarks.prior_gain).
"""

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.development import STEP
from benchmarks.lib.density_ratio import DensityRatio
from benchmarks.prior_gain import DEGRADED, Clip, aligned_f1, conditions, read_condition
from benchmarks.reporting.form import Row, benchmark_parser, merge_report, parsed
from benchmarks.tuning import held_out_choice, interval
from symbolic.console import outcome
from symbolic.datasets.maps import read_maps
from symbolic.decoding.decode import decode_evidence
from symbolic.decoding.evidence import Evidence, evidence_of, frames_clock
from symbolic.decoding.inputs import Clips
from symbolic.decoding.options import Beam
from symbolic.decoding.results import Decoding
from symbolic.decoding.streaming import Window
from symbolic.midi_writing import write_midi
from symbolic.notes import read_tsv
from symbolic.priors.base import Prior
from symbolic.priors.loading import load_prior
from transcribe.presets import NOTE_PRICE, PRIOR, TRACK
from transcribe.tracking import track_notes

log = logging.getLogger(__name__)
SHIFTED = (-0.4, 0.2)  # nats on a note's price beside the one that gives back what the prior charges
WEIGHTS = (0.05, 0.1, 0.2)
SHARES = (0.5, 1.0)  # of the internal prior, beside the prior's own 1
TEMPERATURES = (0.7, 1.4)
MASSES = (0.35, 0.45, 0.55)  # the least that lies on a note that is chosen; F near 0.9 asks for 0.45
WIDE = Beam(width=16, n_best=16, hash_steps=4, look_back=50)  # hypotheses that differ in the last 2 s


@dataclass(frozen=True)
class Trial:
    """One setting of one form."""

    form: str
    prior: Prior | None
    options: Beam
    mass: float | None = None  # choose by it rather than take the best path

    def shown(self) -> dict[str, float]:
        """Its cells."""
        names = ("prior_weight", "note_penalty", "temperature", "prior_notes")
        cells = {name: float(getattr(self.options, name)) for name in names}
        if isinstance(self.prior, DensityRatio):
            cells["share"] = self.prior.share
        return cells if self.mass is None else cells | {"mass": self.mass}


def trials(prior: Prior, internal: Prior) -> Iterator[Trial]:
    """All of them."""
    for shift in SHIFTED:
        yield Trial("no prior", None, Beam(prior_weight=0.0, note_penalty=0.2 + shift, n_best=1))
    for weight, shift in product(WEIGHTS, SHIFTED):
        plain = Beam(prior_weight=weight, note_penalty=0.2 + shift - NOTE_PRICE * weight, n_best=1)
        yield Trial("prior", prior, plain)
        yield Trial("prior, and notes it proposes", prior, replace(plain, prior_notes=4))
        for temperature in TEMPERATURES:
            yield Trial("prior, temperature", prior, replace(plain, temperature=temperature))
        for share in SHARES:
            # What the ratio charges for a note: the price of one prior less a share of the other's.
            price = 0.2 + shift - NOTE_PRICE * weight * (1 - share)
            yield Trial(
                "density ratio", DensityRatio(prior, internal, share), replace(plain, note_penalty=price)
            )
    for weight, mass in product(WEIGHTS[:2], MASSES):
        penalty = 0.2 - NOTE_PRICE * weight
        yield Trial("prior, by mass", prior, replace(WIDE, prior_weight=weight, note_penalty=penalty), mass)


def opening(clip: Clip, seconds: float) -> Clip:
    """Its first seconds."""
    frames = round(seconds / clip.posteriorgram.hop)
    part = clip.posteriorgram.part(0, min(frames, clip.posteriorgram.count))
    return replace(
        clip,
        reference=clip.reference.cut(0.0, seconds),
        posteriorgram=part,
        seconds=min(seconds, clip.seconds),
    )


def decoded(evidence: Sequence[Evidence], trial: Trial) -> list[Decoding]:
    """Of every clip."""
    if trial.mass is None:
        return decode_evidence(evidence, trial.prior, trial.options)
    return [by_mass(clip, trial.prior, trial.options, trial.mass) for clip in evidence]


@torch.inference_mode()
def by_mass(clip: Evidence, prior: Prior | None, options: Beam, least: float) -> Decoding:
    """The notes on which at least `least` of the hypotheses' probability lies when a step is settled."""
    prob = torch.from_numpy(clip.prob)
    (steps, keys), half = prob.shape, options.look_back // 2
    window = Window(1, keys, prior, options, prob.device)
    mass = torch.zeros(steps, keys)
    for begin in range(0, steps, half):
        part = prob[None, begin : begin + half]
        ends = torch.tensor([begin + half >= steps])
        view, settled = window.push(Clips(part, (part.shape[1],)), ends)
        share = torch.softmax(-view.cost[0, : view.rolls.shape[1]], 0).float()
        held = torch.einsum("w,wsd->sd", share, view.rolls[0].float())
        mass[view.steps()[settled[0]]] = held[settled[0]]
    return made_of(clip, mass.numpy(), least)


def made_of(clip: Evidence, mass: NDArray[np.float32], least: float) -> Decoding:
    """A decoding of the notes of such mass."""
    roll = mass >= least
    none = np.zeros(1)
    return Decoding(roll[None], none, none, None, np.where(roll, mass, np.float32(0)), clip)


def quality(clips: Sequence[Clip], decodings: Sequence[Decoding]) -> NDArray[np.float64]:
    """(2, clips) onset F, the deviation removed, at 50 and at 100 ms."""
    pairs = zip(clips, decodings, strict=True)
    notes = [track_notes(decoding, clip.posteriorgram, TRACK) for clip, decoding in pairs]
    return np.array([aligned_f1(clip.reference, each) for clip, each in zip(clips, notes, strict=True)]).T


def rows_of(name: str, clips: Sequence[Clip], prior: Prior, internal: Prior) -> list[Row]:
    """A row for each form."""
    evidence = [
        evidence_of(clip.posteriorgram, frames_clock(clip.posteriorgram, STEP), "struck") for clip in clips
    ]
    tried: dict[str, list[tuple[Trial, NDArray[np.float64]]]] = {}
    for trial in trials(prior, internal):
        scores = quality(clips, decoded(evidence, trial))
        tried.setdefault(trial.form, []).append((trial, scores))
        log.info("%s: %s %s %s", name, trial.form, trial.shown(), scores.mean(axis=1).round(4))
    compositions = [clip.composition for clip in clips]
    chosen = {form: held_out(found, compositions) for form, found in tried.items()}
    rows: list[Row] = []
    for form, found in tried.items():
        best = max(found, key=lambda each: each[1].mean())[0]
        row: Row = {"condition": name, "form": form, "settings": len(found)}
        for index, tolerance in enumerate(("50ms", "100ms")):
            gain = chosen[form][index] - chosen["no prior"][index]
            low, high = interval(gain.tolist(), compositions)
            row |= {f"onset_f1_{tolerance}": round(float(chosen[form][index].mean()), 4)}
            row |= {f"gain_{tolerance}": round(float(gain.mean()), 4)}
            row |= {f"gain_{tolerance}_low": round(low, 4), f"gain_{tolerance}_high": round(high, 4)}
        rows.append(row | {f"best_{key}": value for key, value in best.shown().items()})
        print(rows[-1], flush=True)
    return rows


def held_out(
    found: Sequence[tuple[Trial, NDArray[np.float64]]], compositions: Sequence[str]
) -> NDArray[np.float64]:
    """(2, clips) each clip's scores with the setting that is best on the other compositions."""
    scores = np.array([each for _, each in found])  # (settings, 2, clips)
    choice = held_out_choice(scores.mean(axis=1), compositions)
    return np.stack([scores[chosen, :, clip] for clip, chosen in enumerate(choice)], axis=1)


def write_labels(folder: Path) -> None:
    """The notes that `piano` was trained on, as MIDI files: what an internal prior is trained on."""
    from acoustic.training.renderings import rendered

    folder.mkdir(parents=True, exist_ok=True)
    tables = [r.table for r in read_maps("synth")] + [table for _, table in rendered()]
    for table in tables:
        write_midi(folder / f"{table.stem}.mid", read_tsv(table))
    print(f"{len(tables)} files in {folder}")


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("log_linear", __doc__)
    parser.add_argument(
        "--labels", type=Path, metavar="FOLDER", help="write what the internal prior is trained on, and stop"
    )
    parser.add_argument("--internal", metavar="FILE", help="weights of the internal prior")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each recording, from its start")
    parser.add_argument("--only", nargs="+", choices=DEGRADED, default=list(DEGRADED))
    args = parsed(parser, argv)
    if args.labels is None and args.internal is None:
        parser.error("--labels FOLDER first, then --internal FILE")
    return outcome("benchmarks.log_linear", lambda: _run(args))


def _run(args: argparse.Namespace) -> None:
    if args.labels is not None:
        return write_labels(args.labels)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    prior, internal = load_prior(PRIOR), load_prior(args.internal)
    assert internal.card is not None
    for condition in conditions((), 0, 0.0):
        if condition.name in args.only:
            settings = {
                "prior": PRIOR,
                "internal prior": {"data": internal.card.data, **internal.card.scores},
            }
            settings |= {"seconds": args.seconds, "interval": "95 %, paired bootstrap over compositions"}
            clips = [opening(clip, args.seconds) for clip in read_condition(condition)]
            rows = rows_of(condition.name, clips, prior, internal)
            question = "Can the prior of notes be joined to the acoustic model better than as a product?"
            merge_report(args.output, question, settings, rows, ("condition",))


if __name__ == "__main__":
    raise SystemExit(main())
