"""Clips and their targets, the loss, a run that is interrupted, and the command as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from oracles_acoustic import onset_target, sine

from acoustic.audio import RATE_HZ
from acoustic.augmentation import AugmentOptions
from acoustic.features import FeatureOptions
from acoustic.model import load_network
from acoustic.network import HEADS, HarmonicNet, NetworkOptions
from acoustic.training.corpus import Batch, Clips, CorpusOptions, Track, targets
from acoustic.training.loop import LoopOptions, Training, learning_rate, losses, total
from symbolic.notes import Notes
from symbolic.pitch import hertz

FEATURES = FeatureOptions()
SMALL = NetworkOptions(spectral_channels=2, channels=3, blocks=1)


def some_notes() -> Notes:
    return Notes.make([0.1, 0.113, 0.5, 0.9], [0.45, 0.5, 0.88, 0.91], [60, 64, 60, 108], [10, 60, 127, 64])


def track(seconds: float = 6.0, pitch: int = 69) -> Track:
    """Three seconds of silence, then a steady tone."""
    tone = sine(float(hertz(np.array(pitch))), seconds - 3.0)
    samples = np.concatenate([np.zeros(3 * RATE_HZ, np.float32), tone])
    notes = Notes.make([3.0], [seconds], [pitch], [80])
    return Track((samples * 32767).astype(np.int16), notes)


def clips(augmentation: AugmentOptions | None, steps: int = 50, **options: float) -> Clips:
    corpus = CorpusOptions(seconds=1.0, clips=4, rendered_share=0.0, **options)  # type: ignore[arg-type]
    return Clips([[track()], []], [1.0, 0.0], corpus, FEATURES, augmentation, steps=steps, seed=5)


def test_onset_targets_equal_the_oracle() -> None:
    notes = some_notes()
    planes = targets(notes, 50, 0.02)
    pairs = list(zip(notes.onset.tolist(), (notes.pitch - 21).tolist(), strict=True))
    assert np.abs(planes["onset"] - onset_target(pairs, 50, 0.02, width=2)).max() < 1e-6


def test_frame_targets_last_from_onset_to_offset_and_at_least_a_frame() -> None:
    planes = targets(some_notes(), 50, 0.02)
    assert np.flatnonzero(planes["frame"][:, 60 - 21]).tolist() == [*range(5, 22), *range(25, 44)]
    assert planes["frame"][:, 108 - 21].sum() == 1
    # Velocity is there wherever the onset's target is above a half.
    assert (planes["velocity"][planes["onset"] > 0.5] > 0).all()
    assert planes["velocity"][25, 39] == 1.0


def test_notes_begun_before_the_clip_still_sound_in_it() -> None:
    planes = targets(Notes.make([-2.0], [0.1], [60], [64]), 10, 0.02)
    assert planes["frame"][:, 39].tolist() == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert planes["onset"].sum() == 0


def test_a_batch_is_a_function_of_its_number() -> None:
    one, other = clips(AugmentOptions())[7], clips(AugmentOptions())[7]
    assert torch.equal(one.spectrum, other.spectrum) and torch.equal(one.onset, other.onset)
    assert not torch.equal(one.spectrum, clips(AugmentOptions())[8].spectrum)


@pytest.mark.parametrize("augmentation", [None, AugmentOptions()])
def test_a_tone_is_labelled_where_it_is_heard(augmentation: AugmentOptions | None) -> None:
    """Whatever the bend by cents, semitones, room and equaliser: key and onset stay with the sound."""
    seen = 0
    for step in range(6):
        batch = clips(augmentation, semitone_chance=1.0)[step]
        for spectrum, frame, onset in zip(batch.spectrum, batch.frame, batch.onset, strict=True):
            if frame[-10:].sum() < 10 or onset.sum() == 0:
                continue
            seen += 1
            key = int(frame[-1].argmax())
            loudest = int(spectrum[0, -5].argmax())
            assert abs(loudest - (3 * key + 1)) <= 1
            struck = int(onset[:, key].argmax())
            level = spectrum[1, :, loudest]
            assert level[struck + 4] - level[max(0, struck - 4)] > 0.3  # 6 dB louder than before
    assert seen >= 3


def test_the_loss_is_cross_entropy_summed_over_keys() -> None:
    draw = torch.Generator().manual_seed(0)
    planes = {name: torch.rand(2, 5, 88, generator=draw) for name in HEADS}
    batch = Batch(spectrum=torch.zeros(0), **planes)
    logits = torch.randn(2, 4, 5, 88, generator=draw)
    prob = torch.sigmoid(logits).double()
    parts = losses(logits, batch)
    for index, name in enumerate(HEADS):
        p, q = planes[name].double(), prob[:, index]
        each = -(p * q.log() + (1 - p) * (1 - q).log())
        if name == "velocity":
            each = each * (planes["onset"] > 0.5)
        assert float(parts[name]) == pytest.approx(float(each.sum()) / 10, rel=1e-5)
    weighted = total(parts, LoopOptions(onset_weight=2, offset_weight=0.5, velocity_weight=0.5))
    expected = 2 * parts["onset"] + parts["frame"] + 0.5 * parts["offset"] + 0.5 * parts["velocity"]
    assert float(weighted) == pytest.approx(float(expected))


def test_the_rate_rises_and_ends_at_nothing() -> None:
    options = LoopOptions(learning_rate=1.0)
    rates = [learning_rate(p, options) for p in (0.0, 0.01, 0.02, 0.5, 1.0)]
    assert rates[0] < 0.01 and rates[1] == pytest.approx(0.5, abs=0.02) and rates[2] > 0.99
    assert rates[3] == pytest.approx(0.5, abs=0.01) and rates[4] == 0


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    def begun() -> Training:
        torch.manual_seed(0)
        options = LoopOptions(minutes=1e9, half_precision=False)
        return Training(HarmonicNet(FEATURES, SMALL), options, tmp_path)

    batches = clips(AugmentOptions())
    whole = begun()
    for step in range(4):
        whole._update(batches[step])
    first = begun()
    for step in range(2):
        first._update(batches[step])
    first.save()
    second = begun()
    second.resume()
    for step in range(second.step, 4):
        second._update(batches[step])
    for name, value in whole.averaged().state_dict().items():
        assert torch.equal(value, second.averaged().state_dict()[name]), name


def test_the_command_learns_a_tone_and_writes_weights_that_load(tmp_path: Path) -> None:
    """A corpus of two tiny recordings in the layout of MAPS; six seconds of training."""
    maps = tmp_path / "data" / "maps"
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
    config = tmp_path / "tiny.toml"
    config.write_text(
        'name = "tiny"\n[network]\nspectral_channels = 2\nchannels = 3\nblocks = 1\n'
        "[corpus]\nrendered_share = 0.0\nclips = 1\nvalid_compositions = 1\n[loop]\nminutes = 0.1\n"
    )
    environment = os.environ | {
        "NOTEBEAM_DATA": str(tmp_path / "data"),
        "NOTEBEAM_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "acoustic.training", str(config), "--out", str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    network, card = load_network(tmp_path / "run" / "tiny.safetensors")
    assert card.name == "tiny" and card.training["steps"] > 0
    assert network.options.channels == 3
    assert json.loads((tmp_path / "run" / "tiny.json").read_text())["command"].endswith(str(config))


def test_an_unknown_option_is_one_line_that_names_it(tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text("[loop]\nminuets = 3\n")
    command = [sys.executable, "-m", "acoustic.training", str(config), "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().startswith(f"acoustic.training: {config}: loop.minuets: got 3")
    assert len(done.stderr.strip().splitlines()) == 1
