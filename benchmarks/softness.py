"""How much softer do soft notes sound, in recordings and in what training plays?

Is: the power p with which the amplitude of a note grows with its velocity, on every instrument of MAPS and on
renderings; fitted to notes that begin alone, with a level for each recording and a smooth one for the key.
Is not: how well soft notes are heard (benchmarks.error_kinds).

Where soft notes drown in what still sounds, they seem louder than they are: p is a little low everywhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from acoustic.audio import RATE_HZ, Samples, read_audio
from acoustic.training.renderings import PIANOS, RenderOptions, plan, sound_of
from benchmarks.reporting.form import Row, benchmark_parser, merge_report, parsed
from symbolic.datasets.maps import read_maps
from symbolic.notes import Notes, read_tsv

ALONE = 0.12  # seconds to the nearest other onset, and the least length
WINDOW = 1024  # samples
DELAYS = (0.01, 0.03, 0.05, 0.07)  # seconds from the onset to the windows; the loudest counts
PARTIALS = (1, 2, 3)
LOWEST_PITCH, HIGHEST_PITCH = 45, 96  # whose partials a window tells apart, and RATE_HZ holds
Floats = npt.NDArray[np.float64]


def levels(audio: Samples, notes: Notes) -> Floats:
    """(N, 3) pitch, velocity and level in dB of the notes that begin alone."""
    order = np.sort(notes.onset)
    near = np.searchsorted(order, notes.onset + ALONE) - np.searchsorted(order, notes.onset - ALONE)
    whole = notes.onset + max(DELAYS) + WINDOW / RATE_HZ < len(audio) / RATE_HZ
    alone = (near == 1) & (notes.offset - notes.onset >= ALONE) & whole
    alone &= (notes.pitch >= LOWEST_PITCH) & (notes.pitch <= HIGHEST_PITCH)
    pitch, onset = notes.pitch[alone], notes.onset[alone]
    first = np.round((onset[:, None] + np.array(DELAYS)) * RATE_HZ).astype(int)
    parts = audio[first[:, :, None] + np.arange(WINDOW)] * np.hanning(WINDOW)  # (N, D, W)
    hertz = 440 * 2 ** ((pitch[:, None] - 69) / 12) * np.array(PARTIALS)
    waves = np.exp(-2j * np.pi * hertz[:, :, None] * np.arange(WINDOW) / RATE_HZ)  # (N, P, W)
    energy = (np.abs(np.einsum("ndw,npw->ndp", parts, waves)) ** 2).sum(axis=2).max(axis=1)
    return np.stack([pitch, notes.velocity[alone], 10 * np.log10(energy + 1e-12)], axis=1)


def power(recordings: Sequence[Floats]) -> float:
    """By least squares over the notes of all `recordings`, each (N, 3)."""
    found = np.concatenate(recordings)
    number = np.repeat(np.arange(len(recordings)), [len(r) for r in recordings])
    own = number[:, None] == np.arange(len(recordings))
    key = ((found[:, :1] - 72) / 24) ** np.array([1, 2, 3])
    columns = np.concatenate([own, key, 20 * np.log10(found[:, 1:2])], axis=1)
    return float(np.linalg.lstsq(columns, found[:, 2], rcond=None)[0][-1])


def error(recordings: Sequence[Floats]) -> float:
    """Standard error of `power`, by leaving out each recording in turn (the jackknife)."""
    count = len(recordings)
    each = np.array([power([*recordings[:n], *recordings[n + 1 :]]) for n in range(count)])
    return float(np.sqrt((count - 1) * each.var())) if count > 1 else float("nan")


def row_of(corpus: str, instrument: str, recordings: Iterable[Floats]) -> Row:
    """Of an instrument; a recording in which every note has the same velocity tells nothing."""
    kept = [found for found in recordings if len(np.unique(found[:, 1])) > 1]
    return {
        "corpus": corpus,
        "instrument": instrument,
        "recordings": len(kept),
        "notes": sum(map(len, kept)),
        "power": round(power(kept), 2),
        "error": round(error(kept), 2),
    }


def recorded(part: str, each: int) -> Iterator[Row]:
    """Rows of MAPS; `each` recordings of an instrument at most."""
    recordings = sorted(read_maps(part), key=lambda recording: recording.instrument)
    for name, group in groupby(recordings, key=lambda recording: recording.instrument):
        chosen = list(group)[:each]
        yield row_of(f"maps/{part}", name, (levels(read_audio(r.audio), read_tsv(r.table)) for r in chosen))


def rendered(each: int) -> Iterator[Row]:
    """Rows of renderings for training, each with the touch that is drawn for it."""
    for piano in dict.fromkeys(PIANOS):
        options = RenderOptions(asap=each, pop909=0, exercises=0, pianos=(piano,), modelled_chance=0.0)
        yield row_of("renderings", piano, (levels(sound_of(item), item.notes) for item in plan(options)))


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("softness", __doc__)
    parser.add_argument("--each", type=int, default=8, help="recordings of each instrument, at most")
    args = parsed(parser, argv)
    rows = []
    for row in (*recorded("real-dev", args.each), *recorded("synth", args.each), *rendered(args.each)):
        print(row, flush=True)
        rows.append(row)
    question = "How much softer do soft notes sound, in recordings and in what training plays?"
    merge_report(args.output, question, {"each": args.each}, rows, ("corpus", "instrument"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
