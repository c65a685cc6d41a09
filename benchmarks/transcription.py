"""How well does each decoder transcribe the development recordings, as shipped, and how fast?

Is: every score of `transcribe.scoring` for each recording and their macro average, with the command's own
settings (transcribe.presets), real-time factor and peak memory.
Is not: an estimate for other recordings, as settings were tuned on these: benchmarks.tuning cross-validates.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from acoustic.training.workers import workers
from benchmarks.development import counted_transitions, read_development, rounded
from benchmarks.reporting.form import benchmark_parser, parsed, peak_memory_mb, write_report
from symbolic.midi import read_midi
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes
from transcribe.pipeline import Transcriber
from transcribe.presets import HMM_COUNTED, JOINS, MODEL, PRIOR, preset
from transcribe.scoring import Scores, mean, score

Row = dict[str, str | float]
PEDAL = "beam, as keys and pedal"  # through the MIDI file of `transcribe --pedal`


def shipped() -> dict[str, Transcriber]:
    """The transcriber of each row of the table."""
    chain = counted_transitions()
    counted = replace(HMM_COUNTED, off_after_off=chain.off_after_off, off_after_on=chain.off_after_on)
    return {
        "threshold": Transcriber(decoder=preset("threshold"), prior=None),
        "hmm tuned": Transcriber(decoder=preset("hmm"), prior=None),
        "hmm counted": Transcriber(decoder=counted, prior=None),
        "beam alone": Transcriber(decoder=preset("beam", prior=False), prior=None),
        "greedy": Transcriber(decoder=preset("greedy")),
        "beam, prior of notes": Transcriber(prior=PRIOR),
        "beam": Transcriber(),
        PEDAL: Transcriber(),
    }


def rows_of(name: str, transcriber: Transcriber, acoustic_seconds: dict[str, float]) -> list[Row]:
    """A row for each recording, and their average; `acoustic_seconds`: time of the acoustic model."""
    transcriber.load(audio=False)
    rows, scores, work, length = [], [], 0.0, 0.0
    for item in read_development(MODEL, cached=True):
        begun = time.perf_counter()
        notes = transcriber.transcribe_posteriorgram(item.posteriorgram).notes
        if name == PEDAL:
            notes = through_midi(notes)
        seconds = acoustic_seconds[item.recording.name] + time.perf_counter() - begun
        work, length = work + seconds, length + item.recording.seconds
        scores.append(score(item.reference, notes, duration=item.recording.seconds))
        rows.append(_row(name, item.recording.name, scores[-1], seconds / item.recording.seconds))
    return [*rows, _row(name, "macro average", mean(scores), work / length)]


def through_midi(notes: Notes) -> Notes:
    """As they sound after having been written as keys and pedal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "notes.mid"
        write_midi(path, notes, pedal=True)
        return read_midi(path)


def _row(decoder: str, recording: str, scores: Scores, factor: float) -> Row:
    # Of this process, which holds all posteriorgrams and runs one decoder.
    peak = peak_memory_mb()
    place = {"decoder": decoder, "recording": recording}
    return {**place, **rounded(scores), "real_time_factor": round(factor, 4), "peak_memory_mb": peak}


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("transcription", __doc__)
    args = parsed(parser, argv)
    acoustic_seconds = {item.recording.name: item.seconds for item in read_development(MODEL, cached=False)}
    rows: list[Row] = []
    for name, transcriber in shipped().items():
        # A process of its own for each decoder: the system only tells the largest memory a process ever had.
        with workers(1) as pool:
            rows += pool.submit(rows_of, name, transcriber, acoustic_seconds).result()
    for row in rows:
        if row["recording"] == "macro average":
            print(row)
    settings = {"model": MODEL, "prior": JOINS[MODEL].name, "prior of notes": PRIOR}
    settings |= {"data": "maps/real-dev, 15 recordings", "precision": "as the command has it on this machine"}
    write_report(
        args.output, "How well does each decoder transcribe, as shipped, and how fast?", settings, rows
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
