"""The benchmark of what seeds, updates, width and transposition bring: its variants, and that it resumes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import symbolic_ablations as ablations
from benchmarks.lib.training_queue import CONFIGS
from symbolic.datasets.splits import Splits
from symbolic.errors import NotebeamError
from symbolic.priors.loading import load_prior, save_prior, weights_folder
from symbolic.priors.registry import build_prior
from symbolic.training.config import LoopConfig, read_config


def test_each_variant_changes_one_thing() -> None:
    plain = ablations.config_of("piano_midi", ablations.PLAIN)
    found = {name: ablations.config_of("piano_midi", name) for name in ablations.VARIANTS}
    assert found["seed 2"] == replace(plain, seed=2)
    assert found["half the updates"].loop == replace(plain.loop, steps=plain.loop.steps // 2)
    assert found["no transposition"].data.transpose == 0 < plain.data.transpose
    widths = {"units": 128, "hidden": 96, "second": 48}
    assert found["half the width"] == replace(plain, options=dict(plain.options) | widths)


def test_what_ships_is_trained_by_its_config() -> None:
    for dataset, variant in ablations.SHIPPED.items():
        config = read_config(CONFIGS / f"lstm-conv-nade-{dataset}.toml")
        found = ablations.config_of(dataset, variant)
        assert found == config or config.loop.minutes and found == replace(config, loop=found.loop)


def test_lengths_are_in_updates_on_every_set() -> None:
    for dataset in ablations.SETS:
        loop = ablations.config_of(dataset, "seed 1").loop
        assert loop.steps > 0 == loop.minutes


def test_a_change_that_changes_nothing_is_refused() -> None:
    assert "no transposition" not in ablations.usual("jsb")
    assert "no transposition" in ablations.usual("musedata")
    with pytest.raises(NotebeamError, match=r"--variants: got 'no transposition', expected a change of"):
        ablations.config_of("jsb", "no transposition")


def test_a_variant_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rolls = [np.random.default_rng(seed).random((12, 88)) < 0.05 for seed in range(2)]
    reads = []

    def read(_: object) -> Splits:
        reads.append(1)
        return Splits(rolls, rolls, [])

    def config_of(dataset: str, variant: str) -> object:
        config = real(dataset, variant)
        return replace(config, loop=LoopConfig(steps=2, batch_size=2, chunk=6, validate_every=1))

    real = ablations.config_of
    monkeypatch.setattr(ablations, "read_splits", read)
    monkeypatch.setattr(ablations, "config_of", config_of)
    first = ablations.weights_of("jsb", "seed 1", tmp_path)
    before = first.read_bytes()
    assert ablations.weights_of("jsb", "seed 1", tmp_path) == first
    assert first.read_bytes() == before and len(reads) == 1
    assert ablations.weights_of("jsb", "seed 2", tmp_path).read_bytes() != before


def test_what_is_shipped_has_its_row_from_its_card(tmp_path: Path) -> None:
    row = ablations.row_of("nottingham", ablations.PLAIN, tmp_path)
    assert (row["log_likelihood_nats_per_step"], row["best_step"]) == (-1.1577, 2472)
    assert row["parameters"] == 506_996 and not list(tmp_path.iterdir())


def test_seeds_as_one_are_the_mean_of_the_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = weights_folder() / "lstm-conv-nade" / "jsb.safetensors"
    other = build_prior("lstm-conv-nade", load_prior(shipped).require_card().options)
    other.card = load_prior(shipped).card
    save_prior(other, tmp_path / "other.safetensors")  # untrained: all chorales are next to impossible
    paths = {"seed 1": shipped, "seed 2": tmp_path / "other.safetensors"}
    monkeypatch.setattr(ablations, "weights_of", lambda dataset, variant, run: paths[variant])
    row = ablations.row_of("jsb", ablations.TOGETHER, tmp_path)
    assert row["log_likelihood_nats_per_step"] == pytest.approx(-4.6163 + np.log(2 / 3), abs=1e-3)
    assert row["parameters"] == 3 * 385_439 and "best_step" not in row
