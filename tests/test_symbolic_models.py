"""The benchmark of the symbolic models: its rows, its marks, and that a partial run keeps the others."""

import json
from pathlib import Path

import pytest

from benchmarks.reporting import symbolic_tables
from benchmarks.reporting.form import merge_report
from benchmarks.reporting.published import OURS, SETS, SOURCES, TITLES, published
from benchmarks.symbolic_models import beside_published, main, row_of
from symbolic.baselines.table import BASELINES


def test_every_row_that_is_published_has_a_title_and_a_source() -> None:
    assert BASELINES.keys() <= TITLES.keys()
    for row in TITLES:
        figures = [figure for dataset in SETS for figure in published(row, dataset)]
        assert bool(figures) == (row not in OURS), row
        assert {figure.source for figure in figures} <= SOURCES.keys()
        assert all(figure.log_likelihood < 0 for figure in figures)
        assert all(figure.acc12 is None or 0 < figure.acc12 < 1 for figure in figures)


def test_figures_stand_in_the_order_of_the_sets() -> None:
    # Spot checks against the paper's page: RNN-RBM on Nottingham, RNN-NADE on the chorales.
    assert published("rnn-rbm", "nottingham")[0].log_likelihood == -2.39
    assert published("rnn-nade", "jsb")[0].acc12 == 0.3211
    assert [figure.source for figure in published("lstm-bernoulli", "jsb")] == ["LWZ15", "BKK18"]


def test_a_prior_is_a_row_on_a_set() -> None:
    assert row_of("rnn-nade", "jsb") == ("rnn-nade", "jsb")
    assert row_of("rnn-nade", "piano_midi-hf") == ("rnn-nade-hf", "piano_midi")
    assert row_of("event-rnn-nade", "piano") is None


def test_only_what_is_more_than_5_percent_worse_is_marked() -> None:
    # Published: -5.83; 5 % below is -6.1215.
    assert beside_published("rnn-nade", "jsb", -6.12)["within_5_percent_or_better"] is True
    assert beside_published("rnn-nade", "jsb", -6.13)["within_5_percent_or_better"] is False
    assert beside_published("lstm-conv-nade", "jsb", -5.0) == {}


def test_a_partial_run_replaces_its_own_rows_only(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        rows = [{"row": "a", "set": "x", "value": value}]
        merge_report(tmp_path / "test.json", "?", {}, rows, ("row", "set"))
        other = [{"row": "b", "set": "x", "value": 7.0}]
        merge_report(tmp_path / "test.json", "?", {}, other, ("row", "set"))
    rows = json.loads((tmp_path / "test.json").read_text())["rows"]
    assert [(row["row"], row["value"]) for row in rows] == [("a", 2.0), ("b", 7.0)]
    assert all({"commit", "date", "machine"} <= row.keys() for row in rows)


def test_several_rows_of_one_key_are_replaced_together(tmp_path: Path) -> None:
    for values in ((1.0, 2.0, 3.0), (4.0, 5.0)):
        rows = [{"model": "a", "value": value} for value in values]
        rows.append({"model": "b", "value": 6.0})
        merge_report(tmp_path / "test.json", "?", {}, rows, ("model",))
    found = json.loads((tmp_path / "test.json").read_text())["rows"]
    assert [row["value"] for row in found] == [4.0, 5.0, 6.0]


def test_the_table_shows_ours_beside_the_published_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    base = {"commit": "c", "date": "2026-01-01", "kind": "trained"}
    row = base | {"row": "rnn-rbm", "set": "jsb", "log_likelihood_nats_per_step": -7.0, "acc12": 0.3}
    row |= {"standard_error": 0.021} | beside_published("rnn-rbm", "jsb", -7.0)
    other = base | {"row": "new", "set": "nottingham", "log_likelihood_nats_per_step": -1.5, "acc12": 0.8}
    monkeypatch.setattr(symbolic_tables, "read_report", lambda name: {"rows": [other, row]})
    lines = symbolic_tables.symbolic_models().splitlines()
    assert lines[2] == "| RNN-RBM |  |  |  | -7.00 ± 0.02 / -6.27 † |  |  |  | 30.0 / 33.1 |"
    assert lines[3] == "| `new` |  | -1.50 |  |  |  | 80.0 |  |  |"


def test_a_row_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--rows", "rnn-made", "--run", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("benchmarks.symbolic_models: --rows: got 'rnn-made', expected some of random, ")
    assert error.count("\n") == 1
