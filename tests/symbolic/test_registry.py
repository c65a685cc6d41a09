"""Priors by name: what is saved comes back, and everything else is refused in one line."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from symbolic.errors import NotebeamError
from symbolic.priors.base import PriorCard
from symbolic.priors.loading import list_priors, load_prior, save_prior, weights_folder
from symbolic.priors.registry import build_prior

OPTIONS = {"visible": 6, "units": 5, "layers": 1, "hidden": 4, "dropout": 0.25}


def saved(folder: Path) -> Path:
    prior = build_prior("lstm-nade", OPTIONS)
    prior.card = PriorCard(
        name="small",
        model="lstm-nade",
        options=OPTIONS,
        visible=6,
        clock={"kind": "frames", "hop": 0.04},
        plane="struck",
        data="none",
        licence="MIT",
        command="none",
        scores={"log_likelihood": -1.5},
    )
    path = folder / "small.safetensors"
    save_prior(prior, path)
    return path


def test_a_saved_prior_comes_back_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = saved(tmp_path)
    prior = load_prior(path)
    assert not prior.training
    assert prior.card.options == OPTIONS
    assert prior.card.clock == {"kind": "frames", "hop": 0.04}
    for name, values in load_file(path).items():
        assert_close(prior.state_dict()[name], values, rtol=0, atol=0)


def test_every_shipped_prior_loads() -> None:
    for name in list_priors():
        prior = load_prior(name)
        model, _, stem = name.partition("/")
        assert (prior.card.model, prior.card.name) == (model, stem)
        assert prior.card.licence


def test_all_shipped_priors_together_stay_under_30_megabytes() -> None:
    assert sum(path.stat().st_size for path in weights_folder().rglob("*")) < 30e6


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(
        NotebeamError, match=r"load_prior: got 'lstm-nade/bach', expected a prior's name \(.*\)"
    ):
        load_prior("lstm-nade/bach")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotebeamError, match=r"gone\.safetensors', expected a file that exists"):
        load_prior(tmp_path / "gone.safetensors")


def test_a_text_file_is_no_weights(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_text("not weights")
    with pytest.raises(NotebeamError, match=r"small\.safetensors: got .* expected weights as safetensors"):
        load_prior(path)


def test_a_cut_file_is_no_weights(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(NotebeamError, match="expected weights as safetensors"):
        load_prior(path)


def test_a_missing_card_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.with_suffix(".json").unlink()
    with pytest.raises(NotebeamError, match=r"small\.json: got 'no such file', expected the card"):
        load_prior(path)


@pytest.mark.parametrize("text", ["{", "[1]", '{"name": "small"}', "\xff"])
def test_a_card_that_is_no_card_is_refused(tmp_path: Path, text: str) -> None:
    path = saved(tmp_path)
    path.with_suffix(".json").write_text(text, encoding="latin-1")
    with pytest.raises(NotebeamError, match=r"small\.json: got .* card"):
        load_prior(path)


def test_an_unknown_model_on_the_card_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(card | {"model": "rnn-rbn"}))
    with pytest.raises(NotebeamError, match=r"got 'rnn-rbn', expected one of rnn-bernoulli"):
        load_prior(path)


def test_weights_of_other_sizes_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(card | {"options": OPTIONS | {"units": 7}}))
    with pytest.raises(NotebeamError, match=r"conditioner\.weight: got \(10, 5\), expected shape \(10, 7\)"):
        load_prior(path)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    save_file({"melody": torch.zeros(3)}, path)
    with pytest.raises(NotebeamError, match=r"conditioner\.bias: got 'no such tensor'"):
        load_prior(path)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(
        NotebeamError, match=r"lstm-nade options.unit: got 5, expected one of the keys visible, units"
    ):
        build_prior("lstm-nade", {"unit": 5})
