"""The benchmarks' own arithmetic, and that the README shows what they wrote."""

import re

import numpy as np
import pytest

from benchmarks.tables import README, TABLES, filled, markdown
from benchmarks.tuning import held_out_choice, interval


def test_the_readme_shows_what_the_benchmarks_wrote() -> None:
    text = README.read_text(encoding="utf-8")
    shown = set(re.findall(r"<!-- table (\w+) -->", text))
    assert shown == set(TABLES)
    assert filled(text) == text, "run: python -m benchmarks.tables"


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
