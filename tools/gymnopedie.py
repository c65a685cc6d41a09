"""Makes the bundled recording: the first twelve bars of Satie's Gymnopédie No. 1 (1888) on a sampled piano.

Is: the score, typed here; a slightly uneven performance; its rendering in a small room. Music and samples
(Splendid Grand) are in the public domain, and the result with them.
Is not: training or test data.

    python -m tools.gymnopedie    needs the sampled pianos, writes examples/gymnopedie.flac and .tsv
"""

from pathlib import Path

import numpy as np
import soundfile
import torch

from acoustic.audio import RATE_HZ
from acoustic.augmentation import AugmentOptions, augment
from acoustic.rendering import SampledPiano, Touch
from symbolic import datasets
from symbolic.notes import Notes, write_tsv

BEAT = 60 / 74  # seconds
FOLDER = Path(__file__).parent.parent / "examples"

# (bar, beat, beats held, MIDI pitch, velocity); bars and beats count from 0, three beats a bar.
Line = list[tuple[int, float, float, int, int]]
BASS: Line = [(bar, 0, 3, 43 if bar % 2 == 0 else 38, 44) for bar in range(12)]
CHORDS: Line = [
    (bar, 1, 2, pitch, 34) for bar in range(12) for pitch in ((59, 62, 66) if bar % 2 == 0 else (57, 61, 66))
]
MELODY: Line = [
    (4, 1, 1, 78, 62), (4, 2, 1, 81, 66), (5, 0, 1, 79, 64), (5, 1, 1, 78, 60), (5, 2, 1, 73, 56),
    (6, 0, 1, 71, 56), (6, 1, 1, 73, 58), (6, 2, 1, 74, 60), (7, 0, 3, 69, 58),
]  # fmt: skip


def performance(seed: int = 1) -> Notes:
    """The score as hands play it: onsets uneven by some milliseconds, chords not quite together."""
    draw = np.random.default_rng(seed)
    rows = [*BASS, *CHORDS, *MELODY]
    onset = np.array([(3 * bar + beat) * BEAT + 0.6 for bar, beat, *_ in rows]) + draw.normal(
        0, 0.012, len(rows)
    )
    held = np.array([beats for _, _, beats, *_ in rows]) * BEAT
    velocity = [round(row[4] + draw.normal(0, 3)) for row in rows]
    return Notes.make(onset, onset + held - 0.03, [row[3] for row in rows], velocity)


def main() -> int:
    notes = performance()
    dry = SampledPiano(datasets.root() / "pianos", "splendid").render(notes, Touch(dynamics=1.4), tail=2.0)
    room = AugmentOptions(
        gain_db=(0, 0), equaliser_db=1.0, noise_db=(-50, -50), room_chance=1.0, decay_seconds=(0.6, 0.6),
        direct_db=(8, 8),
    )  # fmt: skip
    audio = augment(torch.from_numpy(dry)[None], room, RATE_HZ, torch.Generator().manual_seed(1))[0].numpy()
    audio *= 0.5 / np.abs(audio).max()
    soundfile.write(FOLDER / "gymnopedie.flac", audio, RATE_HZ, subtype="PCM_16")
    write_tsv(FOLDER / "gymnopedie.tsv", notes)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
