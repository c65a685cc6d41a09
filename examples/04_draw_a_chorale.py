"""Draw a chorale from a prior, step by step: `python examples/04_draw_a_chorale.py [CHORALE.mid [SEED]]`."""

import sys

import numpy as np
import torch

import notebeam as nb

output = sys.argv[1] if len(sys.argv) > 1 else "chorale.mid"
seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
STEPS, QUARTER = 48, 60 / 90  # quarter notes; seconds at 90 a minute

prior = nb.load_prior("lstm-conv-nade/jsb")
generator = torch.Generator().manual_seed(seed)
state = prior.initial_state(1)
steps = []
with torch.inference_mode():
    for _ in range(STEPS):
        step = prior.sample(state, generator, temperature=0.9)  # (1, 88) the keys that sound
        state = prior.advance(state, step)
        steps.append(step[0].numpy() > 0.5)

clock = nb.Clock.beats(np.arange(STEPS) * QUARTER, divisions=1)
notes = clock.notes_of(nb.PianoRoll(np.stack(steps), clock))
notes.save(output)
print(f"{len(notes)} notes in {STEPS} quarter notes, written to {output}")
