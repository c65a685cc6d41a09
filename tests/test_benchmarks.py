"""The form of reports, the benchmarks' own arithmetic, and that the pages show what they wrote."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reporting import form
from benchmarks.reporting.__main__ import TABLES, main, pages
from benchmarks.reporting.form import RESULTS, check_committed, merge_report, origin, write_report
from benchmarks.reporting.markdown import filled, markdown, source
from benchmarks.tuning import held_out_choice, interval
from symbolic.errors import NotebeamError


def test_the_pages_show_what_the_benchmarks_wrote(capsys: pytest.CaptureFixture[str]) -> None:
    texts = [page.read_text(encoding="utf-8") for page in pages()]
    shown = {name for text in texts for name in re.findall(r"<!-- table: (\S+) -->", text)}
    assert shown == set(TABLES)
    assert main(["--check"]) == 0, capsys.readouterr().out + "run: python -m benchmarks.reporting"


def test_only_what_stands_between_markers_is_replaced() -> None:
    text = "a\n<!-- table: one -->\nold\n<!-- end -->\nb\n<!-- table: one --><!-- end -->"
    new = "<!-- table: one -->\n\nnew\n\n<!-- end -->"
    assert filled(text, {"one": lambda: "new"}, "page") == f"a\n{new}\nb\n{new}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- table: two --><!-- end -->", "page: table: got 'two', expected one of one"),
        ("<!-- table: one -->", "page: tables: got 'a marker without its end'"),
        ("<!-- table: one --><!-- table: one --><!-- end -->", "page: table one: got 'no end'"),
    ],
)
def test_a_bad_marker_is_one_line(text: str, message: str) -> None:
    with pytest.raises(NotebeamError, match=message):
        filled(text, {"one": lambda: "new"}, "page")


def test_a_report_has_a_head_and_flat_rows(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    write_report(path, "Why?", {"seed": 0}, [{"model": "a", "seconds": 1.5}])
    report = json.loads(path.read_text())
    names = ["question", "command", "commit", "date", "machine", "versions", "settings", "rows"]
    assert list(report) == names
    assert report["rows"] == [{"model": "a", "seconds": 1.5}]
    merge_report(path, "Why?", {}, [{"model": "b", "seconds": 2.0}], ("model",))
    merged = json.loads(path.read_text())["rows"]
    assert [row["model"] for row in merged] == ["a", "b"]
    assert merged[1] == {"model": "b", "seconds": 2.0} | origin()


@pytest.mark.parametrize("commit", ["abcdef0+", ""])
def test_figures_of_uncommitted_code_do_not_become_results(
    commit: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(form, "origin", lambda: {"commit": commit})
    before = sorted(RESULTS.iterdir())
    with pytest.raises(NotebeamError, match="figures of uncommitted code"):
        write_report(RESULTS / "new.json", "?", {}, [])
    assert sorted(RESULTS.iterdir()) == before
    write_report(tmp_path / "new.json", "?", {}, [])  # elsewhere they may be written, and say so
    assert json.loads((tmp_path / "new.json").read_text())["commit"] == commit
    monkeypatch.setattr(form, "origin", lambda: {"commit": "abcdef0"})
    check_committed(RESULTS / "new.json")


def test_a_table_is_markdown() -> None:
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_a_composition_is_scored_with_the_choice_of_the_others() -> None:
    # Three settings, four recordings of three compositions; setting 0 is best by far on x alone.
    scores = np.array([[1.0, 1.0, 0.1, 0.1], [0.4, 0.4, 0.5, 0.5], [0.3, 0.3, 0.4, 0.7]])
    choice = held_out_choice(scores, ["x", "x", "y", "z"])
    # Without x: means .1, .5, .55 -> 2. Without y or z: x decides, setting 0.
    assert choice == [2, 2, 0, 0]


def test_the_interval_holds_the_mean_and_resamples_whole_compositions() -> None:
    values, compositions = [0.0, 0.0, 1.0, 1.0], ["a", "a", "b", "b"]
    low, high = interval(values, compositions)
    assert (low, high) == (0.0, 1.0)  # a quarter of the draws is a alone, a quarter b alone
    assert interval([0.5] * 4, compositions) == (pytest.approx(0.5), pytest.approx(0.5))


def test_a_table_names_every_run_that_it_holds() -> None:
    report = {"command": "python -m benchmarks.load --cases noise", "date": "d1", "machine": "m"}
    rows = [{"commit": commit, "date": "d1", "machine": "m"} for commit in ("b", "a", "b")]
    assert source({**report, "commit": "b", "rows": [{}]}) == f"`{report['command']}`, commit b, d1, m."
    assert (
        source({**report, "commit": "b", "rows": rows}) == "`python -m benchmarks.load`, commit b, a, d1, m."
    )
    assert source({**report, "commit": "b", "rows": rows}, rows[1:2]).endswith(", commit a, d1, m.")
