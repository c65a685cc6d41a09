"""Priors by name: what is saved comes back, and everything else is refused in one line."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from symbolic.checkpoints import write_json, write_tensors
from symbolic.errors import NotebeamError
from symbolic.priors.base import PriorCard
from symbolic.priors.loading import list_priors, load_prior, save_prior, weights_folder
from symbolic.priors.lstm_conv_nade import LstmConvNade
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
    assert prior.card is not None
    assert prior.card.options == OPTIONS | {"attention": 0}  # in full
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


@pytest.mark.parametrize("name", ["lstm-conv-nade/jsb", "lstm-conv-nade/nottingham"])
def test_weights_with_the_names_of_older_files_load_the_same(tmp_path: Path, name: str) -> None:
    shipped = load_prior(name)
    named = {new: old for old, new in LstmConvNade.renamed.items()}
    assert named.keys() < shipped.state_dict().keys() and len(named) == 2
    older = {named.get(key, key): values for key, values in shipped.state_dict().items()}
    write_tensors(tmp_path / "old.safetensors", older, {"model": "lstm-conv-nade"})
    write_json(tmp_path / "old.json", asdict(shipped.require_card()))
    loaded = load_prior(tmp_path / "old.safetensors").state_dict()
    assert list(loaded) == list(shipped.state_dict())
    assert all(torch.equal(loaded[key], values) for key, values in shipped.state_dict().items())


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(
        NotebeamError, match=r"load_prior: got 'lstm-nade/bach', expected a prior's name \(.*\)"
    ) as caught:
        load_prior("lstm-nade/bach")
    assert all(name in str(caught.value) for name in list_priors())  # none is cut


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
    with pytest.raises(NotebeamError, match=r"small\.json: .*card"):
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": 10**9}, r"lstm-nade options\.units: got 1000000000, expected 100000 at most"),
        ({"units": 90_000}, r"lstm-nade options: got '\d+ parameters', expected 1000000000 at most"),
        ({"hidden": True}, r"lstm-nade options\.hidden: got True, expected an integer"),
    ],
)
def test_sizes_beyond_all_bounds_are_refused_before_memory_is_asked_for(
    options: dict[str, int], message: str
) -> None:
    with pytest.raises(NotebeamError, match=message):
        build_prior("lstm-nade", options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visible": 7}, r"visible: got 7, expected 6, as the options say"),
        ({"name": 5}, r"card\.name: got 5, expected a string"),
        ({"options": {"visible": 6, "units": 10**7}}, r"options\.units: got 10000000, expected 100000"),
        ({"clock": {"kind": "hours"}}, r"clock\.kind: got 'hours', expected one of frames"),
        ({"clock": {"kind": "frames", "hop": 0}}, r"clock\.hop: got 0, expected seconds"),
        ({"clock": {"kind": "frames", "hop": float("nan")}}, r"clock\.hop: got nan, expected seconds"),
        ({"clock": {"kind": "beats", "divisions": -1}}, r"clock\.divisions: got -1"),
        ({"plane": "heard"}, r"plane: got 'heard', expected one of struck"),
        ({"scores": {"a": "good"}}, r"scores\.a: got 'good', expected a number"),
        ({"model": "gru-nade"}, r"small\.safetensors.*: got .*, expected"),
        ({"colour": "red"}, r"card\.colour: got 'red', expected one of the keys name"),
    ],
)
def test_a_damaged_card_is_one_line(tmp_path: Path, change: dict[str, object], message: str) -> None:
    prior = build_prior("lstm-nade", {"visible": 6, "units": 5, "hidden": 4})
    frames: dict[str, str | int | float] = {"kind": "frames", "hop": 0.04}
    about = {"plane": "struck", "data": "", "licence": "", "command": ""}
    options = {"visible": 6, "units": 5, "hidden": 4}
    prior.card = PriorCard(name="small", model="lstm-nade", options=options, visible=6, clock=frames, **about)
    save_prior(prior, tmp_path / "small.safetensors")
    card = json.loads((tmp_path / "small.json").read_text())
    (tmp_path / "small.json").write_text(json.dumps(card | change))
    with pytest.raises(NotebeamError, match=message) as raised:
        load_prior(tmp_path / "small.safetensors")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("clock", "message"),
    [
        ({}, r"PriorCard\.clock\.kind: got None, expected one of frames, beats, steps"),
        (None, r"PriorCard\.clock: got None, expected a table with the key kind"),
        ({"kind": "frames"}, r"PriorCard\.clock\.hop: got None, expected seconds"),
        ({"kind": "beats"}, r"PriorCard\.clock\.divisions: got None, expected steps a beat"),
    ],
)
def test_a_card_made_by_hand_says_what_its_clock_lacks(clock: Any, message: str) -> None:
    about = {"data": "", "licence": "", "command": ""}
    with pytest.raises(NotebeamError, match=message):
        PriorCard(name="a", model="b", options={}, visible=88, clock=clock, plane="struck", **about)


def test_only_a_prior_is_saved(tmp_path: Path) -> None:
    with pytest.raises(NotebeamError, match=r"save_prior\(prior\): got 'lstm-nade/jsb', expected a Prior"):
        save_prior("lstm-nade/jsb", tmp_path / "a.safetensors")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_weights_are_not_saved_where_their_card_cannot_lie(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    with pytest.raises(NotebeamError, match=r"save_prior\(path\) .*a\.json: got 'a folder', expected the na"):
        save_prior(load_prior("lstm-nade/jsb"), tmp_path / "a.safetensors")
    assert not (tmp_path / "a.safetensors").exists()


def test_weights_that_are_not_finite_are_refused_on_loading(tmp_path: Path) -> None:
    prior = load_prior("lstm-nade/jsb")
    with torch.no_grad():
        next(prior.parameters()).view(-1)[3] = torch.nan
    save_prior(prior, tmp_path / "broken.safetensors")
    with pytest.raises(NotebeamError, match=r"weights of .*broken\.safetensors: got 'not finite: recurrence"):
        load_prior(tmp_path / "broken.safetensors")
