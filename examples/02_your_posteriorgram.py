"""Decode probabilities of your own: `python examples/02_your_posteriorgram.py`.

Here they are made up: a rising scale, a note every half a second, with noise. Put your model's output in
their place.
"""

import numpy as np

import notebeam as nb

HOP = 0.02  # seconds between frames
SCALE = [60, 62, 64, 65, 67, 69, 71, 72]  # MIDI pitches

rng = np.random.default_rng(0)
frame = rng.uniform(0.0, 0.2, (220, 88)).astype(np.float32)  # (T, 88) the key sounds; column 0 is pitch 21
onset = rng.uniform(0.0, 0.2, (220, 88)).astype(np.float32)  # (T, 88) a note begins
for number, pitch in enumerate(SCALE):
    first = 10 + 25 * number
    frame[first : first + 24, pitch - 21] = 0.9
    onset[first, pitch - 21] = 0.8

p = nb.Posteriorgram(frame=frame, onset=onset, hop=HOP)

# Piano rolls with their costs, for any prior and any of the four decoders ...
best = nb.decode(p, "event-rnn-nade/piano", nb.Beam(width=8, prior_weight=0.1))
print(
    f"{int(best.roll.sum())} notes, cost {best.costs[0]:.1f}, log P of the prior {best.prior_log_prob[0]:.1f}"
)

# ... or notes with onsets, offsets and velocities.
notes = nb.Transcriber().transcribe_posteriorgram(p).notes
print("pitches:", *notes.pitch)
