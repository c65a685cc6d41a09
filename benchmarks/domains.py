"""How well does the acoustic model hear pianos and recording chains that it never saw?

Is: note-onset F on performances rendered on instruments that training leaves out and on some that it uses,
each as it is and through a small loudspeaker and a webcam, and on instruments that are no pianos; a row for
each, with an interval over performances and the share that draws the notice that it is no piano (`doubt`).
Is not: real recordings (benchmarks.acoustic_models).

The performances are of ASAP's test split, which renderings for training leave out. Weights that were trained
on the renderings of 0.2.0 or earlier may know their notes, but not these instruments.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from acoustic.audio import RATE_HZ, Samples
from acoustic.chains import loudspeaker, microphone
from acoustic.inference import load_acoustic
from acoustic.training.renderings import HELD_OUT, Excerpt, RenderOptions, plan, sound_of
from benchmarks.development import rounded
from benchmarks.reporting.form import benchmark_parser, merge_report, parsed
from benchmarks.tuning import interval
from transcribe.doubt import warning
from transcribe.pipeline import Transcriber
from transcribe.presets import preset
from transcribe.scoring import mean, score

USED = ("splendid", "salamander", "fluid-grand")  # by training
OTHER = ("timgm-organ", "timgm-guitar", "timgm-strings", "timgm-choir", "timgm-brass")  # no pianos


def as_it_is(audio: Samples, number: int) -> Samples:
    """No chain."""
    return audio


def webcam(audio: Samples, number: int) -> Samples:
    """Played by a small loudspeaker and recorded by a webcam or telephone, drawn by the excerpt's number."""
    generator = torch.Generator().manual_seed(number)
    played = loudspeaker(torch.from_numpy(audio)[None], RATE_HZ, generator)
    return microphone(played, RATE_HZ, generator)[0].numpy()


CHAINS: dict[str, Callable[[Samples, int], Samples]] = {
    "as it is": as_it_is,
    "loudspeaker and webcam": webcam,
}


def excerpts(instrument: str, count: int, seconds: float) -> list[Excerpt]:
    """The same performances, cuts, velocities and touches for each instrument."""
    options = RenderOptions(
        asap=count,
        pop909=0,
        exercises=0,
        seconds=seconds,
        seed=99,
        pianos=(instrument,),
        tuned_chance=0.0,
        modelled_chance=0.0,
        splits=("test",),
    )
    return plan(options)


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("domains", __doc__)
    parser.add_argument("--models", nargs="+", default=["piano"], help="names or files of weights")
    parser.add_argument("--instruments", nargs="+", default=[*HELD_OUT, *USED, *OTHER])
    parser.add_argument("--count", type=int, default=16, help="performances")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each, at most")
    args = parsed(parser, argv)
    rows: list[dict[str, str | float]] = []
    models = [load_acoustic(name) for name in args.models]
    transcriber = Transcriber(decoder=preset("threshold"), prior=None)
    for instrument in args.instruments:
        items = excerpts(instrument, args.count, args.seconds)
        audios = [sound_of(item) for item in items]
        for chain, change in CHAINS.items():
            for name, listener in zip(args.models, models, strict=True):
                found, noticed = [], 0
                for number, (item, audio) in enumerate(zip(items, audios, strict=True)):
                    posteriorgram = listener(change(audio, number), rate=RATE_HZ)
                    assert posteriorgram.onset is not None
                    noticed += warning(posteriorgram.onset) is not None
                    found.append(score(item.notes, transcriber.transcribe_posteriorgram(posteriorgram).notes))
                low, high = interval([s.onset_f1_aligned for s in found], [item.name for item in items])
                kind = {**dict.fromkeys(HELD_OUT, "left out"), **dict.fromkeys(OTHER, "no piano")}
                row = {
                    "model": Path(name).stem if name.endswith(".safetensors") else name,
                    "instrument": instrument,
                    "training": kind.get(instrument, "used"),
                    "chain": chain,
                }
                row |= rounded(mean(found)) | {"low": round(low, 4), "high": round(high, 4)}
                row["noticed"] = round(noticed / len(items), 3)
                rows.append(row)
                print(
                    name,
                    instrument,
                    chain,
                    row["onset_f1_aligned"],
                    row["onset_offset_f1"],
                    row["noticed"],
                    flush=True,
                )
    settings = {
        "performances": args.count,
        "seconds": args.seconds,
        "decoder": "threshold",
        "precision": "bfloat16",
    }
    question = "How well does the acoustic model hear pianos and recording chains that it never saw?"
    merge_report(args.output, question, settings, rows, ("model", "instrument", "chain"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
