"""Decode in pieces, in bounded memory: `python examples/03_stream.py [AUDIO]`.

The probabilities come from a file here, block by block; live input works the same way.
"""

import sys
from pathlib import Path

import numpy as np

import notebeam as nb

audio = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "gymnopedie.flac"
prior = nb.load_prior("event-rnn-nade/piano")
step = prior.card.clock["hop"]  # seconds

# Onset probabilities (T, 88) at the prior's steps: the evidence that a decoder makes of a posteriorgram.
p = nb.load_acoustic("piano-small").file(audio, stop=12.0)
prob = nb.decode(p, None, nb.Threshold()).evidence.prob

begin = 0
with nb.Stream(prior, nb.Beam(look_back=100, prior_weight=0.1)) as stream:
    for block in np.array_split(prob, 6):
        settled = stream.push(block)  # rows that no later block will change
        for row, key in np.argwhere(settled.roll):
            print(f"{(begin + row) * step:6.2f} s  pitch {key + 21}")
        begin += len(settled.roll)
rest = stream.rest  # what was open at the end
print(f"{int(rest.roll.sum())} more notes in the last {len(rest.roll)} steps; cost {rest.costs[0]:.1f}")
