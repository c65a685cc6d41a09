"""A tiny corpus to train on: a tone after silence, as clips and as files; a recording to make others of."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from oracles_acoustic import sine

from acoustic.audio import RATE_HZ
from acoustic.augmentation import AugmentOptions
from acoustic.features import FeatureOptions
from acoustic.network import NetworkOptions
from acoustic.training.corpus import Clips, CorpusOptions, Track
from acoustic.training.recordings import Item
from symbolic.datasets.maps import Recording
from symbolic.notes import Notes, write_tsv
from symbolic.pitch import hertz

FEATURES = FeatureOptions()
SMALL = NetworkOptions(spectral_channels=2, channels=3, dilations=(1,))
SCALE = Notes.make(np.arange(20) * 0.5, np.arange(20) * 0.5 + 0.4, 50 + np.arange(20), np.full(20, 70))


def track(seconds: float = 6.0, pitch: int = 69) -> Track:
    """Three seconds of silence, then a steady tone."""
    tone = sine(float(hertz(np.array(pitch))), seconds - 3.0)
    samples = np.concatenate([np.zeros(3 * RATE_HZ, np.float32), tone])
    notes = Notes.make([3.0], [seconds], [pitch], [80])
    return Track((samples * 32767).astype(np.int16), notes)


def clips(augmentation: AugmentOptions | None, steps: int = 50, **options: Any) -> Clips:
    corpus = CorpusOptions(seconds=1.0, batch_size=4, rendered_share=0.0, **options)
    return Clips([[track()], []], [1.0, 0.0], corpus, FEATURES, augmentation, steps=steps, seed=5)


def corpus_folder(folder: Path) -> Path:
    """A corpus of two tiny recordings in the layout of MAPS."""
    maps = folder / "data" / "maps"
    (maps / "synth").mkdir(parents=True)
    rows = ["set,name,composition,instrument,seconds,notes"]
    for number, pitch in enumerate((60, 67)):
        piece = track(pitch=pitch)
        name = f"piece{number}_X"
        soundfile.write(maps / "synth" / f"{name}.opus", piece.samples, RATE_HZ, format="OGG", subtype="OPUS")
        table = f"onset\toffset\tkey_offset\tpitch\tvelocity\n3.0\t6.0\t6.0\t{pitch}\t80\n"
        (maps / "synth" / f"{name}.tsv").write_text(table)
        rows.append(f"synth,{name},piece{number},X,6.0,1")
    (maps / "recordings.csv").write_text("\n".join(rows) + "\n")
    config = folder / "tiny.toml"
    config.write_text(
        'name = "tiny"\n[network]\nspectral_channels = 2\nchannels = 3\ndilations = [1]\n'
        "[corpus]\nrendered_share = 0.0\nbatch_size = 1\nvalid_compositions = 1\n[loop]\nsteps = 5\n"
    )
    return config


def recorded(folder: Path) -> Item:
    """A cut from 3 s on of a recording of ten seconds of noise."""
    audio, table = folder / "piece.wav", folder / "piece.tsv"
    soundfile.write(audio, np.random.default_rng(0).normal(0, 0.1, 160_000).astype(np.float32), 16_000)
    write_tsv(table, SCALE)
    source = Recording("piece", "piece", "StbgTGd2", 10.0, audio, table)
    return Item(
        name="piece", composition="piece", instrument="StbgTGd2", chain=None, source=source, start=3.0
    )


def command(config: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    folder = config.parent
    environment = os.environ | {
        "NOTEBEAM_DATA": str(folder / "data"),
        "NOTEBEAM_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    words = [sys.executable, "-m", "acoustic.training", str(config), "--run", str(folder / "run"), *options]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
