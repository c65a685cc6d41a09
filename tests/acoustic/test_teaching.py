"""A network that learns from another: targets, resuming, bad teachers, the card."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor
from training_corpus import FEATURES, SMALL, clips, command, corpus_folder

from acoustic.augmentation import AugmentOptions
from acoustic.features import FeatureOptions
from acoustic.loading import ModelCard, load_network, save_network
from acoustic.network import PROBABILITIES, HarmonicNet
from acoustic.training.__main__ import train
from acoustic.training.corpus import Batch, Clips
from acoustic.training.loop import LoopOptions, Training
from acoustic.training.teaching import TaughtClips, Teacher, TeacherOptions, load_teacher
from symbolic.errors import NotebeamError


def saved(folder: Path, features: FeatureOptions = FEATURES) -> Path:
    """Weights of a network that has an opinion of every key, another one on every sound."""
    torch.manual_seed(7)
    network = HarmonicNet(features, SMALL)
    torch.nn.init.normal_(network.heads.weight, std=3.0)
    network.load_state_dict({"heads.bias": torch.tensor([1.0, -1.0, 0.0, 2.0])}, strict=False)
    path = folder / "teacher.safetensors"
    save_network(
        path, network, ModelCard(name="teacher", features=features, network=SMALL, command="made here")
    )
    return path


def teacher_of(folder: Path, weight: float) -> Teacher:
    path = saved(folder)
    options = TeacherOptions(weights=path.name, weight=weight, bfloat16=False)
    teacher = load_teacher(options, folder, FEATURES)
    assert teacher is not None
    return teacher


def trained(folder: Path, batches: "Clips | TaughtClips", steps: range, *, resume: bool = False) -> Training:
    torch.manual_seed(0)
    options = LoopOptions(learn="trunk", steps=10**9, bfloat16=False)
    training = Training(HarmonicNet(FEATURES, SMALL), options, folder)
    if resume:
        training.resume()
    for step in steps:
        training._update(batches[step])
    return training


def doubt(training: Training, batch: Batch, prob: Tensor) -> float:
    """Cross-entropy of the network's probabilities against `prob` (B, 4, T, 88), beyond its own entropy."""
    with torch.inference_mode():
        logits = training.network(batch.spectrum)[:, : len(PROBABILITIES)]
    entropy = F.binary_cross_entropy(prob, prob)
    return float(F.binary_cross_entropy_with_logits(logits, prob) - entropy)


def test_targets_are_the_labels_and_the_teachers_probabilities_by_weight(tmp_path: Path) -> None:
    plain = clips(AugmentOptions())
    batch, taught = plain[3], TaughtClips(plain, teacher_of(tmp_path, 0.25))[3]
    network, _ = load_network(tmp_path / "teacher.safetensors")
    with torch.inference_mode():
        prob = torch.sigmoid(network(batch.spectrum))
    for index, name in enumerate(PROBABILITIES):
        expected = 0.75 * getattr(batch, name) + 0.25 * prob[:, index]
        torch.testing.assert_close(getattr(taught, name), expected, rtol=0, atol=1e-5)
    assert torch.equal(taught.spectrum, batch.spectrum) and torch.equal(taught.velocity, batch.velocity)


def test_a_network_comes_to_say_what_its_teacher_says(tmp_path: Path) -> None:
    plain, teacher = clips(None), teacher_of(tmp_path, 1.0)
    batch, taught = plain[40], TaughtClips(plain, teacher)[40]
    prob = teacher.probabilities(batch.spectrum)
    doubts = []
    for again in ([], [taught] * 8, [batch] * 8):
        torch.manual_seed(0)
        options = LoopOptions(learn="trunk", steps=8, learning_rate=0.5, bfloat16=False)
        training = Training(HarmonicNet(FEATURES, SMALL), options, tmp_path)
        for one in again:
            training._update(one)
        doubts.append(doubt(training, batch, prob))
    before, by_teacher, by_labels = doubts
    assert by_teacher < 0.5 * min(before, by_labels)


def test_a_teacher_without_weight_changes_nothing(tmp_path: Path) -> None:
    plain = clips(AugmentOptions())
    ignored = trained(tmp_path, TaughtClips(plain, teacher_of(tmp_path, 0.0)), range(2))
    alone, taught = (
        trained(tmp_path, batches, range(2)).averaged().state_dict()
        for batches in (plain, TaughtClips(plain, teacher_of(tmp_path, 0.5)))
    )
    for name, value in ignored.averaged().state_dict().items():
        assert torch.equal(value, alone[name]), name
    assert not torch.equal(taught["heads.weight"], alone["heads.weight"])


def test_a_taught_run_goes_on_as_if_it_had_not_been_interrupted(tmp_path: Path) -> None:
    batches = TaughtClips(clips(AugmentOptions()), teacher_of(tmp_path, 0.5))
    whole = trained(tmp_path, batches, range(2))
    trained(tmp_path, batches, range(1)).save()
    second = trained(tmp_path, batches, range(1, 2), resume=True)
    for name, value in whole.averaged().state_dict().items():
        assert torch.equal(value, second.averaged().state_dict()[name]), name


def test_the_card_tells_who_taught(tmp_path: Path) -> None:
    config = corpus_folder(tmp_path)
    saved(tmp_path)
    settings = '[teacher]\nweights = "teacher.safetensors"\nweight = 0.25\n'
    config.write_text(config.read_text() + 'learn = "trunk"\n' + settings)
    done = command(config)
    assert done.returncode == 0, done.stderr
    card = load_network(tmp_path / "run" / "tiny.safetensors")[1]
    teacher = card.training["teacher"]
    assert (teacher["weights"], teacher["weight"], teacher["command"]) == (
        "teacher.safetensors",
        0.25,
        "made here",
    )


def test_a_teacher_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path)
    assert load_teacher(TeacherOptions(), tmp_path, FEATURES) is None
    named = TeacherOptions(weights=path.name)
    with pytest.raises(
        NotebeamError, match=r"teacher .*teacher\.safetensors: hop_samples: got 320, expected 160"
    ):
        load_teacher(named, tmp_path, replace(FEATURES, hop_samples=160))
    with pytest.raises(NotebeamError, match=r"got '.*absent\.safetensors', expected a \.safetensors file"):
        load_teacher(replace(named, weights="absent.safetensors"), tmp_path, FEATURES)
    tensors = load_file(path)
    tensors["heads.bias"][0] = float("nan")
    save_file(tensors, path)
    with pytest.raises(NotebeamError, match=r"teacher\.safetensors: got 'not finite: heads\.bias'"):
        load_teacher(named, tmp_path, FEATURES)
    with pytest.raises(NotebeamError, match=r"TeacherOptions\.weight: got 1\.5, expected a part"):
        TeacherOptions(weight=1.5)


def test_a_missing_teacher_is_one_line_before_training(tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text('name = "bad"\n[teacher]\nweights = "absent.safetensors"\n[loop]\nlearn = "trunk"\n')
    done = command(config)
    assert done.returncode == 1 and "absent.safetensors" in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ({"weights": "teacher.safetensors"}, r"a\.toml: teacher: got .*, expected loop\.learn = \"trunk\""),
        ({"wieght": 0.5}, r"a\.toml: teacher\.wieght: got 0\.5"),
        ({"weight": -1.0}, r"a\.toml.*TeacherOptions\.weight: got -1\.0"),
    ],
)
def test_settings_of_a_teacher_are_checked(tmp_path: Path, teacher: dict[str, Any], message: str) -> None:
    with pytest.raises(NotebeamError, match=message):
        train({"name": "a", "teacher": teacher}, tmp_path / "a.toml", tmp_path, resume=False)
