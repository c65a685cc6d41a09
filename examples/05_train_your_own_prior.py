"""Train a prior on a folder of MIDI, use it: `python examples/05_train_your_own_prior.py [FOLDER]`.

Without a folder it makes one: the bundled piece, moved into twelve keys. Twenty steps teach a prior nothing:
raise STEPS for music of your own.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import notebeam as nb

STEPS = 20
CONFIG = """
name = "mine"
model = "event-rnn-nade"
licence = "as my MIDI files"

[options]
units = 64
hidden = 32

[data]
midi = "{midi}"
plane = "struck"
hop = 0.04
transpose = 3

[loop]
steps = {steps}
batch_size = 4
chunk = 200
learning_rate = 2e-3
validate_every = 10
"""
AUDIO = Path(__file__).parent / "gymnopedie.flac"

with tempfile.TemporaryDirectory() as name:
    work = Path(name)
    if len(sys.argv) > 1:
        midi = Path(sys.argv[1]).resolve()
    else:
        midi = work / "my_midi"
        midi.mkdir()
        notes = nb.transcribe(AUDIO).notes
        for semitones in range(-6, 6):
            notes.transposed(semitones).save(midi / f"{semitones:+d}.mid")

    config = work / "my.toml"
    config.write_text(CONFIG.format(midi=midi.as_posix(), steps=STEPS))
    run = work / "run"
    subprocess.run([sys.executable, "-m", "symbolic.training", config, "--run", run], check=True)

    prior = nb.load_prior(run / "weights.safetensors")
    print("validation:", prior.card.scores["valid_nats_per_step"], "nats a step")
    result = nb.transcribe(AUDIO, prior=prior)
    print(len(result.notes), "notes with this prior")
