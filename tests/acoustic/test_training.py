"""Clips and their targets, the loss, a run that is interrupted, and the command as a user runs it."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from oracles_acoustic import onset_target
from safetensors.torch import save_file
from training_corpus import FEATURES, SMALL, clips, command, corpus_folder

from acoustic.augmentation import AugmentOptions
from acoustic.loading import ModelCard, load_network, save_network
from acoustic.network import HEADS, PROBABILITIES, HarmonicNet, NetworkOptions
from acoustic.training.__main__ import train
from acoustic.training.corpus import Batch, targets
from acoustic.training.loop import LoopOptions, Training, learning_rate, losses, total, velocity_loss
from acoustic.training.starting import began_as, begin_with
from symbolic.checkpoints import read_tensors, write_tensors
from symbolic.config import read_toml
from symbolic.errors import NotebeamError
from symbolic.notes import Notes


def some_notes() -> Notes:
    return Notes.make([0.1, 0.113, 0.5, 0.9], [0.45, 0.5, 0.88, 0.91], [60, 64, 60, 108], [10, 60, 127, 64])


def test_onset_targets_equal_the_oracle() -> None:
    notes = some_notes()
    planes = targets(notes, 50, 0.02)
    pairs = list(zip(notes.onset.tolist(), (notes.pitch - 21).tolist(), strict=True))
    assert np.abs(planes["onset"] - onset_target(pairs, 50, 0.02, width=2)).max() < 1e-6


def test_frame_targets_last_from_onset_to_offset_and_at_least_a_frame() -> None:
    planes = targets(some_notes(), 50, 0.02)
    assert np.flatnonzero(planes["frame"][:, 60 - 21]).tolist() == [*range(5, 22), *range(25, 44)]
    assert planes["frame"][:, 108 - 21].sum() == 1
    assert np.array_equal(planes["held"], planes["frame"])  # nothing known of the keys
    # Velocity is there wherever the onset's target is above a half.
    assert (planes["velocity"][planes["onset"] > 0.5] > 0).all()
    assert planes["velocity"][25, 39] == 1.0


def test_notes_begun_before_the_clip_still_sound_in_it() -> None:
    planes = targets(Notes.make([-2.0], [0.1], [60], [64]), 10, 0.02)
    assert planes["frame"][:, 39].tolist() == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert planes["onset"].sum() == 0


def test_keys_are_held_until_released_and_sound_on() -> None:
    planes = targets(Notes.make([0.1], [0.5], [60], [64], key_offset=[0.2]), 50, 0.02)
    assert np.flatnonzero(planes["frame"][:, 39]).tolist() == list(range(5, 25))
    assert np.flatnonzero(planes["held"][:, 39]).tolist() == list(range(5, 10))


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


def some_batch(draw: torch.Generator) -> Batch:
    planes = {name: torch.rand(3, 5, 88, generator=draw) for name in HEADS}
    return Batch(spectrum=torch.zeros(0), has_velocity=torch.tensor([True, False, True]), **planes)


def test_losses_are_cross_entropies_summed_over_keys() -> None:
    draw = torch.Generator().manual_seed(0)
    batch, logits = some_batch(draw), torch.randn(3, 5, 5, 88, generator=draw)
    prob = torch.sigmoid(logits).double()
    parts = losses(logits, batch)
    for index, name in enumerate(PROBABILITIES):
        p, q = getattr(batch, name).double(), prob[:, index]
        each = -(p * q.log() + (1 - p) * (1 - q).log())
        assert float(parts[name]) == pytest.approx(float(each.sum()) / 15, rel=1e-5)
    options = LoopOptions(onset_weight=2, offset_weight=0.5, held_weight=0.25, velocity_weight=3)
    expected = 2 * parts["onset"] + parts["frame"] + 0.5 * parts["offset"]
    expected = expected + 0.25 * parts["held"] + 3 * parts["velocity"]
    assert float(total(parts, options)) == pytest.approx(float(expected))


def test_velocities_are_learnt_at_onsets_and_but_for_a_constant_of_the_clip() -> None:
    draw = torch.Generator().manual_seed(0)
    batch, outputs = some_batch(draw), torch.randn(3, 5, 5, 88, generator=draw)
    expected = 0.0
    for clip in (0, 2):  # the second clip's levels mean nothing
        struck = batch.onset[clip] > 0.5
        error = (outputs[clip, HEADS.index("velocity")] - batch.velocity[clip])[struck].double()
        expected += float(((error - error.mean()) ** 2).sum())
    found = float(losses(outputs, batch)["velocity"])
    assert found == pytest.approx(expected / 15, rel=1e-5)
    louder = outputs.clone()
    louder[:, HEADS.index("velocity")] += torch.tensor([1.0, 2.0, -3.0])[:, None, None]
    assert float(losses(louder, batch)["velocity"]) == pytest.approx(found, rel=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_trains_as_the_processor_does_and_goes_on(tmp_path: Path) -> None:
    options, batches, found = LoopOptions(steps=10, bfloat16=False), clips(None), []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        training = Training(HarmonicNet(FEATURES, SMALL).to(device), options, tmp_path)
        found.append([float(part) for s in range(2) for part in training._update(batches[s]).values()])
    assert found[1] == pytest.approx(found[0], rel=1e-3)
    training.save()
    training.resume()
    training._update(batches[2])
    assert training.validate(batches)


@pytest.mark.parametrize("learn", ["touch", "trunk"])
def test_one_part_is_learnt_while_the_other_stays_as_it_is(
    tmp_path: Path, learn: Literal["touch", "trunk"]
) -> None:
    torch.manual_seed(0)
    network = HarmonicNet(FEATURES, SMALL)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    training = Training(network, LoopOptions(learn=learn, steps=10, bfloat16=False), tmp_path)
    batches = clips(AugmentOptions(), plain_chance=1.0)
    for step in range(2):
        training._update(batches[step])
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert all(name.startswith("touch.") == (learn == "touch") for name in moved)
    assert ("touch.velocity.weight" if learn == "touch" else "heads.weight") in moved
    batch = batches[0]
    with torch.inference_mode():
        whole = losses(network(batch.spectrum), batch)["velocity"]
        assert float(velocity_loss(network.velocities(batch.spectrum), batch)) == pytest.approx(float(whole))
    training.save()
    again = Training(HarmonicNet(FEATURES, SMALL), training.options, tmp_path)
    again.resume()
    for either in (training, again):
        either._update(batches[2])
    assert again.step == training.step == 3
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name]), name
    with pytest.raises(NotebeamError, match="expected a checkpoint of this config"):
        Training(HarmonicNet(FEATURES, SMALL), LoopOptions(learn="all"), tmp_path).resume()


def test_only_plain_clips_of_groups_that_tell_teach_velocities() -> None:
    for velocities, plain, expected in (
        (("synthesised",), 1.0, True),
        ((), 1.0, False),
        (("synthesised",), 0.0, False),
    ):
        batch = clips(AugmentOptions(), velocities=velocities, plain_chance=plain)[0]
        assert batch.has_velocity.tolist() == [expected] * 4


def test_a_network_grows_without_forgetting(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = HarmonicNet(FEATURES, SMALL).eval()
    for norm in (small.fine_norm, small.keys_norm, small.blocks[0].norm):
        torch.nn.init.normal_(norm.running_mean)  # type: ignore[arg-type, union-attr]
    path = tmp_path / "small.safetensors"
    save_network(path, small, ModelCard(name="small", network=SMALL))
    large = HarmonicNet(FEATURES, replace(SMALL, dilations=(1, 4, 2))).eval()
    fresh = begin_with(large, path)
    assert fresh and all(name.startswith(("blocks.1.", "blocks.2.")) for name in fresh)
    spectrum = torch.rand(1, 2, 20, FEATURES.bins)
    with torch.inference_mode():
        assert torch.equal(small(spectrum), large(spectrum))
    assert began_as(path)["weights"] == "small.safetensors" and "training" in began_as(path)
    with pytest.raises(NotebeamError, match="absent.*no such file"):
        begin_with(large, tmp_path / "absent.safetensors")
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(NotebeamError, match="no tensor that fits"):
        begin_with(large, tmp_path / "other.safetensors")


def test_a_wider_network_begins_as_the_narrow_one_it_grew_from(tmp_path: Path) -> None:
    options = NetworkOptions(
        spectral_channels=2, channels=3, dilations=(1, 2), gathering=(1,), gathered_channels=2, recurrent=4,
        head_channels=2,
    )  # fmt: skip
    torch.manual_seed(4)
    narrow = HarmonicNet(FEATURES, options).eval()
    for parameter in narrow.parameters():  # what begins as 0 has learnt something
        torch.nn.init.normal_(parameter, std=0.3)
    path = tmp_path / "narrow.safetensors"
    save_file(dict(narrow.state_dict()), path)
    wide = HarmonicNet(FEATURES, replace(options, channels=5)).eval()
    assert begin_with(wide, path) == []
    spectrum = torch.rand(2, 2, 20, FEATURES.bins)
    with torch.inference_mode():
        torch.testing.assert_close(wide(spectrum), narrow(spectrum), rtol=1e-4, atol=1e-5)
    # The new channels are alive: what is learnt can reach them.
    wide(spectrum).square().mean().backward()
    for block in wide.blocks:
        assert block.keys.weight.grad[:, 3:].abs().max() > 0


def test_the_rate_rises_and_ends_at_nothing() -> None:
    options = LoopOptions(learning_rate=1.0)
    rates = [learning_rate(p, options) for p in (0.0, 0.01, 0.02, 0.5, 1.0)]
    assert rates[0] < 0.01 and rates[1] == pytest.approx(0.5, abs=0.02) and rates[2] > 0.99
    assert rates[3] == pytest.approx(0.5, abs=0.01) and rates[4] == 0


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    def begun() -> Training:
        torch.manual_seed(0)
        options = LoopOptions(steps=10**9, bfloat16=False)
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
    config = corpus_folder(tmp_path)
    done = command(config)
    assert done.returncode == 0, done.stderr
    network, card = load_network(tmp_path / "run" / "tiny.safetensors")
    assert card.name == "tiny" and card.training["steps"] == 5
    assert network.options.channels == 3
    assert json.loads((tmp_path / "run" / "tiny.json").read_text())["command"].endswith(str(config))
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [5] and "onset" in rows[0]["valid"]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["loop"]["clip_norm"] == 1.0
    # Done is done: the checkpoint stands at the last step.
    again = command(config, "--resume", "-o", str(tmp_path / "other.safetensors"))
    assert again.returncode == 0 and "resumed at step 5" in again.stderr
    assert load_network(tmp_path / "other.safetensors")[1].training["steps"] == 5
    # A checkpoint with a number that is none is refused as that.
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    tensors, header = read_tensors(checkpoint, "a checkpoint")
    tensors["network.heads.weight"].view(-1)[0] = float("nan")
    write_tensors(checkpoint, tensors, header)
    again = command(config, "--resume")
    assert again.returncode == 1 and "Traceback" not in again.stderr
    assert "got 'not finite: network.heads.weight'" in again.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": float("nan")}, r"loop\.learning_rate: got nan, expected a number >= 0"),
        ({"learning_rate": 0.0}, r"loop: got 'learning_rate or clip_norm 0'"),
        ({"steps": 0}, r"loop\.steps: got 0, expected a number >= 1"),
        ({"ema": 1.0}, r"loop\.ema: got 1\.0"),
    ],
)
def test_numbers_out_of_bounds_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(NotebeamError, match=message):
        LoopOptions(**options)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("piece1_X.tsv", None, r"piece1_X\.tsv: .*no such file"),
        ("piece1_X.opus", None, r"piece1_X\.opus: .*no such file"),
        ("piece1_X.opus", "not a sound", r"piece1_X\.opus"),
        ("piece1_X.tsv", "3.0\t2.0\t2.0\t60\t80", r"piece1_X\.tsv line 2 offset: got 2\.0"),
        ("piece1_X.tsv", "-3.0\t2.0\t2.0\t60\t80", r"piece1_X\.tsv line 2 onset: got -3\.0"),
        ("piece1_X.tsv", "3.0\t4.0\t4.0\t10\t80", r"piece1_X\.tsv line 2 pitch: got 10"),
    ],
)
def test_a_bad_recording_is_named_before_training(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    config = corpus_folder(tmp_path)
    path = tmp_path / "data" / "maps" / "synth" / name
    header = "onset\toffset\tkey_offset\tpitch\tvelocity\n" if name.endswith("tsv") else ""
    path.unlink() if content is None else path.write_text(header + content)
    done = command(config)
    assert done.returncode == 1
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "run" / "checkpoint.safetensors").exists()


def test_an_unknown_option_is_one_line_that_names_it(tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text("[loop]\nstepps = 3\n")
    done = command(config)
    assert done.returncode == 1
    assert done.stderr.strip().startswith(f"acoustic.training: {config}: loop.stepps: got 3")
    assert len(done.stderr.strip().splitlines()) == 1


def run_here(
    config: Path,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    output: Path | None = None,
    *,
    resume: bool = False,
) -> None:
    """The training of a config, in this process."""
    monkeypatch.setenv("NOTEBEAM_DATA", str(config.parent / "data"))
    monkeypatch.setenv("NOTEBEAM_CACHE", str(config.parent / "cache"))
    config.write_text(text)
    train(read_toml(config), config, config.parent / "run", resume=resume, output=output)


def test_a_run_is_not_resumed_under_another_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = corpus_folder(tmp_path)
    text = config.read_text()
    (tmp_path / "run").mkdir()
    run_here(config, text, monkeypatch)
    for other, message in (
        ("seed = 7\n" + text, r"seed: got 7, expected 0, as the run to resume has it"),
        (text.replace("[corpus]", "[corpus]\nseconds = 2.0"), r"corpus\.seconds: got 2\.0, expected 5\.0"),
        (text + "[augment]\nroom_chance = 0.0\n", r"augment\.room_chance: got 0\.0, expected 0\.5"),
    ):
        with pytest.raises(NotebeamError, match=message):
            run_here(config, other, monkeypatch, resume=True)
    # Of an older version, which had no such option yet.
    full = tmp_path / "run" / "config.json"
    stored = json.loads(full.read_text())
    del stored["augment"]["reflections"]
    full.write_text(json.dumps(stored))
    run_here(config, text, monkeypatch, resume=True)


@pytest.mark.parametrize(
    ("part", "instead", "message"),
    [
        ('name = "tiny"', 'name = "checkpoint"', "name: got 'checkpoint', expected the name of a file"),
        ('name = "tiny"', 'name = "a/b"', "name: got 'a/b', expected the name of a file"),
        ('name = "tiny"', 'name = "tiny"\nseed = -1', "seed: got -1, expected an integer 0.."),
        ("valid_compositions = 1", "valid_compositions = 2", "expected fewer than the 2 compositions"),
        ("[corpus]", "[corpus]\ncents = -1.0", r"cents: got -1\.0, expected a number, 0 or more"),
        ("[corpus]", "[features]\nwindows = [4095, 1024]\n[corpus]", "expected even numbers of samples"),
        ("[corpus]", "[features]\nrate_hz = 22050\n[corpus]", r"rate_hz: got 22050, expected 16000"),
        ("[corpus]", "[augment]\ndecay_seconds = [0.0, 0.0]\n[corpus]", "decay_seconds: got"),
    ],
)
def test_a_bad_config_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, instead: str, message: str
) -> None:
    config = corpus_folder(tmp_path)
    with pytest.raises(NotebeamError, match=message):
        run_here(config, config.read_text().replace(part, instead), monkeypatch)


def test_weights_are_not_written_over_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, checkpoint = corpus_folder(tmp_path), tmp_path / "run" / "checkpoint.safetensors"
    with pytest.raises(NotebeamError, match="expected another file than the run's checkpoint"):
        run_here(config, config.read_text(), monkeypatch, output=checkpoint)
