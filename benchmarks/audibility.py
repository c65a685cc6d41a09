"""How many of the notes that the tables name can be heard at all?

Is: of the notes with two partials or more that no other note touches, the share of which none rises at the
onset: by velocity, of recordings of a Disklavier and, to compare, of synthesised pianos, on which every note
sounds; and apart for the notes that the command writes and for those that it misses, with a possible onset or
without.
Is not: which mistakes are made (benchmarks.error_kinds).

The judge is a constant-Q spectrum, no network. Soft notes on a player piano may move the hammer too slowly to
reach the string, or find the key not yet up.
"""

from collections.abc import Iterator, Mapping, Sequence

import librosa
import numpy as np
import numpy.typing as npt

from acoustic.audio import RATE_HZ, Samples, read_audio
from benchmarks.development import STEP, DevRecording, read_development
from benchmarks.error_kinds import PARTIALS
from benchmarks.reporting.form import Row, benchmark_parser, merge_report, parsed
from symbolic.datasets.maps import read_maps
from symbolic.decoding.evidence import evidence_of, frames_clock
from symbolic.notes import Notes, read_tsv
from symbolic.pitch import HIGHEST, LOWEST
from symbolic.priors.evidence_join import candidates
from transcribe.pipeline import Transcriber
from transcribe.presets import MODEL
from transcribe.scoring.matching import WIDE_TOLERANCE, aligned_onset, matched

VELOCITIES = ((1, 25), (25, 30), (30, 35), (35, 40), (40, 50), (50, 128))
HOP = 128  # samples
BINS = 3  # a semitone
TOUCHING = (0, *PARTIALS)  # semitones above another note
LOOKED_AT = TOUCHING[:4]  # above the note itself
BEFORE, AFTER = (-0.11, -0.03), (0.03, 0.17)  # seconds from the onset
RISE_DB = 6.0  # less is none
FEWEST = 2  # partials that must be free
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def rises(audio: Samples, notes: Notes, late: float) -> Floats:
    """(N,) dB by which the best free partial of each note rises; NaN where too few are free.

    late: seconds by which the sound is later than the table says.
    """
    spectrum = np.abs(
        librosa.cqt(audio, sr=RATE_HZ, hop_length=HOP, fmin=librosa.midi_to_hz(LOWEST),
                    n_bins=(HIGHEST - LOWEST + 1) * BINS, bins_per_octave=12 * BINS, filter_scale=0.6)
    )  # fmt: skip
    level = librosa.amplitude_to_db(spectrum, ref=1.0)
    found = np.full(len(notes), np.nan)
    for row, (onset, pitch) in enumerate(zip(notes.onset, notes.pitch, strict=True)):
        near = (notes.onset < onset + AFTER[1]) & (notes.offset > onset + BEFORE[0])
        near[row] = False
        touched = (notes.pitch[near, None] + np.array(TOUCHING)).reshape(-1)
        free = [
            p for p in pitch + np.array(LOOKED_AT) if p < HIGHEST and not (np.abs(touched - p) <= 1).any()
        ]
        if len(free) >= FEWEST:
            before, after = (_part(level, onset + late + start, onset + late + stop)
                             for start, stop in (BEFORE, AFTER))  # fmt: skip
            found[row] = max(_peak(after, p) - _peak(before, p) for p in free)
    return found


def _part(level: Floats, start: float, stop: float) -> Floats:
    first = max(0, round(start * RATE_HZ / HOP))
    return level[:, first : max(first + 1, round(stop * RATE_HZ / HOP))]


def _peak(part: Floats, pitch: int) -> float:
    bin_ = (pitch - LOWEST) * BINS
    return float(part[max(0, bin_ - 1) : bin_ + 2].max())


def of_a_player_piano(item: DevRecording, transcriber: Transcriber) -> tuple[Notes, Floats, dict[str, Mask]]:
    """A development recording's notes, their rises, and which the command writes and which it misses."""
    reference, posteriorgram = item.reference, item.posteriorgram
    notes = transcriber.transcribe_posteriorgram(posteriorgram).notes
    onset = aligned_onset(reference, notes)
    late = float(np.median(notes.onset - onset))
    rows = np.arange(len(reference))
    written = np.isin(rows, matched(reference, notes, onset, tolerance=WIDE_TOLERANCE)[:, 0])
    _, possible = candidates(evidence_of(posteriorgram, frames_clock(posteriorgram, STEP), "struck"))
    time = possible.time - late
    has_onset = np.array([
        bool((np.abs(time[possible.key == p - LOWEST] - o) <= WIDE_TOLERANCE).any())
        for o, p in zip(reference.onset, reference.pitch, strict=True)
    ])  # fmt: skip
    kinds = {
        "written": written,
        "missed, possible": ~written & has_onset,
        "missed, no onset": ~written & ~has_onset,
    }
    return reference, rises(read_audio(item.recording.audio), reference, late), kinds


def rows_of(
    recordings: str, velocity: npt.NDArray[np.int64], rise: Floats, kinds: Mapping[str, Mask]
) -> Iterator[Row]:
    """A row for each band of velocity and each kind of note."""
    for low, high in (*VELOCITIES, (1, 128)):
        band = (velocity >= low) & (velocity < high)
        for kind, chosen in kinds.items():
            judged = band & chosen & ~np.isnan(rise)
            yield {
                "recordings": recordings,
                "velocity": f"{low} to {high - 1}",
                "kind": kind,
                "notes": int((band & chosen).sum()),
                "judged": int(judged.sum()),
                "silent": int((rise[judged] < RISE_DB).sum()),
            }


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("audibility", __doc__)
    parser.add_argument("--count", type=int, default=15, help="synthesised recordings")
    args = parsed(parser, argv)
    rows: list[Row] = []
    transcriber = Transcriber()
    parts = [of_a_player_piano(item, transcriber) for item in read_development(MODEL, cached=True)]
    kinds = {name: np.concatenate([kind[name] for _, _, kind in parts]) for name in parts[0][2]}
    velocity = np.concatenate([notes.velocity for notes, _, _ in parts])
    rows += rows_of("real-dev", velocity, np.concatenate([rise for _, rise, _ in parts]), kinds)
    chosen = read_maps("synth")
    chosen = [chosen[n] for n in np.linspace(0, len(chosen), args.count, endpoint=False).astype(int)]
    tables = [read_tsv(recording.table) for recording in chosen]
    rise = np.concatenate([rises(read_audio(r.audio), t, 0.0) for r, t in zip(chosen, tables, strict=True)])
    velocity = np.concatenate([table.velocity for table in tables])
    rows += rows_of("synth", velocity, rise, {"all": np.ones(len(rise), dtype=bool)})
    for row in rows:
        print(row, flush=True)
    settings = {"model": MODEL, "rise_db": RISE_DB, "partials": FEWEST, "tolerance_seconds": WIDE_TOLERANCE}
    question = "How many of the notes that the tables name can be heard at all?"
    merge_report(args.output, question, settings, rows, ("recordings", "velocity", "kind"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
