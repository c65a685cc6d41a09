"""Every reader of outside data: a seed, how it is damaged, and the call that reads it.

Is: what is tried; each call is what a command or a public function does with such a file.
Is not: the process that tries it (lib.fuzz.child).
"""

import gzip
import lzma
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from acoustic.audio import read_audio
from acoustic.features import FeatureOptions
from acoustic.instruments import source
from acoustic.loading import ModelCard, load_network, save_network
from acoustic.network import HarmonicNet, NetworkOptions
from acoustic.rendering import SampledPiano, Touch
from acoustic.training.__main__ import SECTIONS
from acoustic.training.loop import LoopOptions, Training
from benchmarks.lib.fuzz import mutations as mutate
from benchmarks.lib.fuzz import seeds
from symbolic.config import options_from, read_toml
from symbolic.datasets import unpacked
from symbolic.datasets.classic import read_classic
from symbolic.datasets.drums import read_drum_rolls
from symbolic.datasets.maps import read_maps
from symbolic.datasets.motion import read_motion
from symbolic.datasets.splits import read_splits
from symbolic.datasets.tables import read_table
from symbolic.datasets.words import read_word_vectors
from symbolic.midi import read_midi
from symbolic.notes import Notes, read_csv, read_tsv
from symbolic.posteriorgram import Posteriorgram
from symbolic.priors.base import PriorCard
from symbolic.priors.loading import load_prior, save_prior
from symbolic.priors.registry import build_prior
from symbolic.priors.steps import read_steps
from symbolic.runlog import begin_log
from symbolic.training.checkpoint import read_checkpoint, write_checkpoint
from symbolic.training.config import read_config
from symbolic.training.run import Run

TINY = NetworkOptions(spectral_channels=2, channels=3, dilations=(1,), touch_channels=2)


@dataclass(frozen=True)
class Reader:
    """One kind of file and whoever reads it."""

    file: str  # name of the damaged file in a folder of its own
    prepare: Callable[[Path], None]  # writes the good file, and what else the reader needs
    damage: mutate.Mutation
    read: Callable[[Path], object]  # the folder in which the file lies


def _just(content: Callable[[], bytes], file: str) -> Callable[[Path], None]:
    return lambda folder: _write(folder / file, content())


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _recording(suffix: str) -> Reader:
    file = f"a.{suffix}"
    damage = mutate.any_of(mutate.of_bytes, mutate.of_heads)
    good = _just(partial(seeds.sound, suffix), file)
    return Reader(file, good, damage, lambda folder: read_audio(folder / file))


def _read_midi(folder: Path) -> None:
    """As transcriptions are scored and priors of frames are trained."""
    read_midi(folder / "a.mid", "keys")
    read_steps(folder / "a.mid", _card("lstm-nade", {}, {"kind": "frames", "hop": 0.04}))


def _read_on_beats(folder: Path) -> None:
    read_steps(folder / "a.mid", _card("lstm-nade", {}, {"kind": "beats", "divisions": 4}))


def _read_drums(folder: Path) -> None:
    read_drum_rolls([folder / "a.mid"], part="all")


def _card(model: str, options: dict[str, int | float], clock: dict[str, str | int | float]) -> PriorCard:
    return PriorCard(
        name="x", model=model, options=options, visible=88, clock=clock, plane="active", data="d",
        licence="l", command="c", scores={"valid": -1.0},
    )  # fmt: skip


def _prepare_samples(folder: Path) -> None:
    _write(folder / "a.wav", seeds.sound("wav"))
    _write(folder / "samples.csv", seeds.samples_csv())


def _play(folder: Path) -> None:
    notes = Notes.make([0.1, 0.2], [0.3, 0.4], [60, 90], [64, 100])
    SampledPiano(folder, "toy").render(notes, Touch())


def _prepare_maps(folder: Path) -> None:
    _write(folder / "recordings.csv", seeds.maps_csv())
    for part, file in (("real-dev", "one.flac"), ("synth", "two.opus")):
        (folder / part).mkdir()
        for name in (file, file[:3] + ".tsv"):
            (folder / part / name).touch()


def _read_maps(folder: Path) -> None:
    read_maps("real-dev", folder)
    read_maps("synth", folder)


# ---- priors: cards, weights, configs, checkpoints


def _prepare_prior(folder: Path) -> None:
    torch.manual_seed(0)
    prior = build_prior("lstm-nade", {"units": 4, "hidden": 3})
    prior.card = _card("lstm-nade", {"units": 4, "hidden": 3}, {"kind": "beats", "divisions": 4})
    save_prior(prior, folder / "w.safetensors")


def _load_prior(folder: Path) -> None:
    prior = load_prior(folder / "w.safetensors")
    roll = torch.zeros(1, 3, prior.visible)
    prior.sequence_log_prob(roll, torch.ones(1, 3, dtype=torch.bool))


def _prepare_training(folder: Path) -> None:
    _write(folder / "c.toml", seeds.prior_config())
    (folder / "midi").mkdir()
    for name in "abc":
        _write(folder / "midi" / f"{name}.mid", seeds.midi())


def _config(folder: Path) -> None:
    config = read_config(folder / "c.toml")
    build_prior(config.model, config.options)


def _run(folder: Path) -> Run:
    config = read_config(folder / "c.toml")
    return Run(config, read_splits(replace(config.data, midi=str(folder / "midi"))))


def _prepare_checkpoint(folder: Path) -> None:
    _prepare_training(folder)
    run = _run(folder)
    run.update()
    run.validate()
    write_checkpoint(run, folder)


def _resume_prior(folder: Path) -> None:
    run = _run(folder)
    read_checkpoint(run, folder)
    run.update()


# ---- acoustic models


def _prepare_network(folder: Path) -> None:
    torch.manual_seed(0)
    network = HarmonicNet(FeatureOptions(), TINY)
    card = ModelCard(name="x", network=TINY, training={"steps": 3}, scores={"f": 0.5})
    save_network(folder / "w.safetensors", network, card)


def _training(folder: Path) -> Training:
    return Training(HarmonicNet(FeatureOptions(), TINY), LoopOptions(steps=3), folder)


def _prepare_acoustic_checkpoint(folder: Path) -> None:
    torch.manual_seed(0)
    training = _training(folder)
    _step(training)
    training.step, training.curve = 1, [(1, 0.5, "onset 1.0")]
    training.save()


def _step(training: Training) -> None:
    for parameter in training.network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    training.optimizer.step()


def _resume_network(folder: Path) -> None:
    training = _training(folder)
    training.resume()
    _step(training)


def _acoustic_config(folder: Path) -> None:
    table = read_toml(folder / "c.toml")
    parts = {
        name: options_from(kind, table.pop(name, {}), f"{folder / 'c.toml'}: {name}")
        for name, kind in SECTIONS.items()
    }
    HarmonicNet(parts["features"], parts["network"])


# ---- data sets


def _unpack(folder: Path) -> None:
    os.environ["NOTEBEAM_CACHE"] = str(folder / "cache")
    try:
        read_midi(unpacked(folder / "a.tar.xz") / "two.mid")
    finally:
        shutil.rmtree(folder / "cache", ignore_errors=True)


NPZ = mutate.any_of(mutate.of_npz, mutate.of_bytes)
TEXT = mutate.any_of(mutate.of_text, mutate.of_bytes)
JSON = mutate.any_of(mutate.of_json, mutate.of_text, mutate.of_bytes)
TENSORS = mutate.of_safetensors
MIDI = mutate.any_of(mutate.of_midi, mutate.of_midi, mutate.of_bytes)
TAR = mutate.within(lzma.decompress, lzma.compress, mutate.of_bytes)
GZIP = mutate.within(gzip.decompress, gzip.compress, JSON)
PERFORMANCES = ("composer", "title", "folder", "midi", "split")

READERS: dict[str, Reader] = {
    **{f"recording, {suffix}": _recording(suffix) for suffix in seeds.LIBSNDFILE},
    **{f"recording, {suffix} (ffmpeg)": _recording(suffix) for suffix in seeds.FFMPEG},
    "MIDI": Reader("a.mid", _just(seeds.midi, "a.mid"), MIDI, _read_midi),
    "MIDI, on its beats": Reader("a.mid", _just(seeds.midi, "a.mid"), MIDI, _read_on_beats),
    "MIDI, drums": Reader("a.mid", _just(seeds.midi, "a.mid"), MIDI, _read_drums),
    "posteriorgram": Reader(
        "a.npz", _just(seeds.posteriorgram, "a.npz"), NPZ, lambda f: Posteriorgram.load(f / "a.npz")
    ),
    "notes, tsv": Reader("a.tsv", _just(seeds.note_table, "a.tsv"), TEXT, lambda f: read_tsv(f / "a.tsv")),
    "notes, csv": Reader("a.csv", _just(seeds.note_csv, "a.csv"), TEXT, lambda f: read_csv(f / "a.csv")),
    "prior's card": Reader("w.json", _prepare_prior, JSON, _load_prior),
    "prior's weights": Reader("w.safetensors", _prepare_prior, TENSORS, _load_prior),
    "prior's config": Reader("c.toml", _prepare_training, TEXT, _config),
    "prior's checkpoint": Reader("checkpoint.safetensors", _prepare_checkpoint, TENSORS, _resume_prior),
    "acoustic card": Reader("w.json", _prepare_network, JSON, lambda f: load_network(f / "w.safetensors")),
    "acoustic weights": Reader(
        "w.safetensors", _prepare_network, TENSORS, lambda f: load_network(f / "w.safetensors")
    ),
    "acoustic config": Reader("c.toml", _just(seeds.acoustic_config, "c.toml"), TEXT, _acoustic_config),
    "acoustic checkpoint": Reader(
        "checkpoint.safetensors", _prepare_acoustic_checkpoint, TENSORS, _resume_network
    ),
    "log of a run": Reader("log.jsonl", _just(seeds.log, "log.jsonl"), TEXT, lambda f: begin_log(f, 1)),
    "table of samples": Reader("samples.csv", _prepare_samples, TEXT, _play),
    "licences": Reader(
        "licences.csv", _just(seeds.licences_csv, "licences.csv"), TEXT, lambda f: source("toy", f)
    ),
    "table of MAPS": Reader("recordings.csv", _prepare_maps, TEXT, _read_maps),
    "table of performances": Reader(
        "metadata.csv",
        _just(seeds.performances_csv, "metadata.csv"),
        TEXT,
        lambda f: read_table(f / "metadata.csv", PERFORMANCES),
    ),
    "archive": Reader("a.tar.xz", _just(seeds.archive, "a.tar.xz"), TAR, _unpack),
    "classic set": Reader(
        "jsb.json.gz", _just(seeds.classic, "jsb.json.gz"), GZIP, lambda f: read_classic("jsb", f)
    ),
    "motion capture": Reader("mit.npz", _just(seeds.motion, "mit.npz"), NPZ, read_motion),
    "word vectors, text": Reader(
        "v.txt", _just(seeds.vectors, "v.txt"), TEXT, lambda f: read_word_vectors(f / "v.txt")
    ),
    "word vectors, npz": Reader(
        "v.npz", _just(seeds.vectors_npz, "v.npz"), NPZ, lambda f: read_word_vectors(f / "v.npz")
    ),
}


def available() -> list[str]:
    """Names of the readers that can be tried here."""
    return [name for name in READERS if "ffmpeg" not in name or seeds.has_ffmpeg()]


def damaged(name: str, good: bytes, seed: int, number: int) -> bytes:
    """Input `number` of a reader: the good file under its mutation, the same for the same numbers."""
    draw = random.Random(f"{name}/{seed}/{number}")
    return READERS[name].damage(good, draw)
