"""Damaged inputs: some for every reader in the suite; `python -m benchmarks.reliability` tries thousands."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.lib.fuzz import child, mutations, seeds
from benchmarks.lib.fuzz.readers import READERS, available, damaged
from benchmarks.lib.fuzz.trials import trials
from symbolic.errors import NotebeamError

EACH = 12


def test_damaged_inputs_are_read_or_refused_in_one_line_that_names_them() -> None:
    names = available()
    found = list(trials(names, EACH, seed=1))
    assert [(t.reader, t.number) for t in found] == [(name, i) for name in names for i in range(EACH)]
    assert not [trial for trial in found if not trial.is_good]
    ends = Counter(trial.end for trial in found)
    # The mutations neither leave files as they are nor destroy them all.
    assert ends["clean"] > len(found) // 20 and ends["refused"] > len(found) // 4


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (None, "clean"),
        (NotebeamError("/tmp/x/a.mid", "damage", "a MIDI file"), "refused"),
        (FileNotFoundError(2, "No such file", "/tmp/x/b"), "refused"),
        (NotebeamError("midi", "damage", "a MIDI file"), "unnamed"),
        (FileNotFoundError(2, "No such\nfile", "/tmp/x/b"), "long message"),
        (ValueError("x"), "traceback"),
        (MemoryError(), "memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory"),
        (KeyboardInterrupt(), "traceback"),
    ],
)
def test_ends_are_told_apart(error: BaseException | None, end: str) -> None:
    def read() -> None:
        if error is not None:
            raise error

    assert child.outcome(read, "/tmp/x")[0] == end


def test_the_same_numbers_give_the_same_input_and_others_another() -> None:
    good = seeds.midi()
    assert damaged("MIDI", good, 0, 3) == damaged("MIDI", good, 0, 3)
    assert len({damaged("MIDI", good, seed, number) for seed in range(2) for number in range(20)}) > 35


@pytest.mark.parametrize("name", ["posteriorgram", "prior's weights", "classic set"])
def test_damage_gets_behind_the_first_check(name: str, tmp_path: Path) -> None:
    """Archives stay archives and headers headers, most of the time."""
    reader = READERS[name]
    reader.prepare(tmp_path)
    good = (tmp_path / reader.file).read_bytes()
    made = [reader.damage(good, random.Random(number)) for number in range(60)]
    begins = has_header if name == "prior's weights" else (lambda data: data[:2] == good[:2])
    assert sum(data != good and begins(data) for data in made) > 40


def has_header(data: bytes) -> bool:
    """Whether data begin with the size of a header of JSON, and that header."""
    size = int.from_bytes(data[:8], "little")
    try:
        return isinstance(json.loads(data[8 : 8 + size]), dict)
    except ValueError:
        return False


def test_values_of_json_are_replaced_anywhere() -> None:
    value = {"a": [1, {"b": 2.5}], "c": "x"}
    made = [mutations.of_value(value, random.Random(number)) for number in range(200)]
    assert value == {"a": [1, {"b": 2.5}], "c": "x"}
    assert any(isinstance(m, dict) and isinstance(m.get("a"), list) and m["a"] != value["a"] for m in made)
    assert any(isinstance(m, dict) and "c" not in m for m in made)


def test_a_library_that_says_much_stops_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it prints: a pipe that nobody reads would be full after 64 KiB."""
    is_child = "sys.orig_argv[1:3] == ['-m', 'benchmarks.lib.fuzz.child']"
    hook = f"import os, sys\nif {is_child}:\n    os.write(2, b'x' * 300_000)\n"
    (tmp_path / "sitecustomize.py").write_text(hook)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert [trial.is_good for trial in trials(["notes, tsv"], 3)] == [True] * 3
