"""The queue of trainings: it survives being killed, and ends in the same weights as one training alone."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.lib.training_queue import SliceEnded, only_one, read_queue, row_file, train_rows
from benchmarks.symbolic_models import main
from symbolic.errors import NotebeamError

CONFIG = """
name = "jsb"
model = "rnn-bernoulli"
licence = "CC0-1.0"
[options]
units = 4
[data]
set = "jsb"
[loop]
steps = {steps}
batch_size = 4
chunk = 20
learning_rate = {rate}
validate_every = 10
validate_steps = 100
"""


def config(folder: Path, name: str, steps: int = 40, rate: float = 1e-2) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(CONFIG.format(steps=steps, rate=rate))
    return path


def queue(folder: Path, *configs: Path) -> Path:
    path = folder / "queue.toml"
    path.write_text(f"configs = {json.dumps([str(config) for config in configs])}\n")
    return path


def measured(path: Path) -> dict[str, object]:
    """Row of a table, as a benchmark would make it."""
    return {"weights": str(path), "sum": float(sum(value.sum() for value in load_file(path).values()))}


def test_rows_are_trained_one_after_the_other_and_only_once(tmp_path: Path) -> None:
    paths = [config(tmp_path, "first"), config(tmp_path, "second", steps=20)]
    rows: list[dict[str, object]] = []
    for _ in range(2):
        lines: list[str] = []
        failures = train_rows(
            paths, tmp_path / "run", measure=measured, finished=rows.append, log=lines.append
        )
        assert failures == []
    assert lines == []  # the second call found everything done
    assert [Path(str(row["weights"])).parent.name for row in rows] == ["first", "second"]
    assert [json.loads(row_file(path, tmp_path / "run").read_text()) for path in paths] == rows
    log = (tmp_path / "run" / "first" / "training.log").read_text().splitlines()
    assert [line.split()[1] for line in log if line.startswith("step ")] == ["10", "20", "30", "40"]


def test_slices_end_in_the_weights_of_a_training_without_them(tmp_path: Path) -> None:
    paths = [config(tmp_path, "sliced")]
    calls = 0
    while not row_file(paths[0], tmp_path / "slices").is_file():
        calls += 1
        try:  # so short that each ends at its first validation
            train_rows(paths, tmp_path / "slices", measure=measured, finished=print, log=print, minutes=1e-6)
        except SliceEnded:
            continue
    assert calls > 4
    train_rows(paths, tmp_path / "whole", measure=measured, finished=print, log=print)
    sliced, whole = (
        load_file(tmp_path / run / "sliced" / "weights.safetensors") for run in ("slices", "whole")
    )
    assert sliced.keys() == whole.keys()
    assert all(torch.equal(sliced[name], whole[name]) for name in whole)


def test_a_training_that_fails_costs_its_own_row_only(tmp_path: Path) -> None:
    paths = [config(tmp_path, "bad"), config(tmp_path, "good", steps=10)]
    # The data have 88 keys: found out when the training begins.
    paths[0].write_text(paths[0].read_text().replace("units = 4", "units = 4\nvisible = 12"))
    rows: list[object] = []
    failures = train_rows(paths, tmp_path, measure=measured, finished=rows.append, log=lambda line: None)
    assert len(failures) == 1 and "bad.toml: options.visible: got 12" in failures[0]
    assert len(rows) == 1


def test_the_command_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    path = config(tmp_path, "long", steps=100_000)
    results, run = tmp_path / "results.json", tmp_path / "run"
    words = ["--train", "--queue", str(queue(tmp_path, path)), "--run", str(run), "-o", str(results)]
    command = [sys.executable, "-m", "benchmarks.symbolic_models", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("long: step 10 "), line
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not results.exists()
    # A second call goes on, and a slice ends it at its next validation.
    done = subprocess.run([*command, "--slice", "1e-6"], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    lines = done.stdout.splitlines()
    assert int(lines[0].removeprefix("long: resumed at step ")) >= 10
    assert lines[-1] == "the slice is over; the same command goes on"


def test_a_finished_row_reaches_the_results_with_its_own_origin(tmp_path: Path) -> None:
    path, run = config(tmp_path, "short", steps=10), tmp_path / "run"
    words = ["--train", "--queue", str(queue(tmp_path, path)), "--run", str(run), "--samples", "1"]
    words += ["--accuracy-steps", "100"]
    assert main([*words, "-o", str(tmp_path / "results.json")]) == 0
    [row] = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert (row["row"], row["set"], row["published_nats_per_step"]) == ("rnn-bernoulli", "jsb", -8.71)
    assert row["training_command"].endswith("short.toml")
    # As if it had been measured elsewhere: merging again keeps what the row says of itself.
    file = row_file(path, run)
    file.write_text(json.dumps(row | {"commit": "abcdef0", "date": "2020-01-01"}))
    assert main([*words, "-o", str(tmp_path / "again.json")]) == 0
    [again] = json.loads((tmp_path / "again.json").read_text())["rows"]
    assert again == row | {"commit": "abcdef0", "date": "2020-01-01"}
    # Without --train the rows that are finished, and no training of others.
    other = config(tmp_path, "other", steps=100_000)
    words = ["--queue", str(queue(tmp_path, other, path)), "--run", str(run)]
    assert main([*words, "-o", str(tmp_path / "third.json")]) == 0
    assert json.loads((tmp_path / "third.json").read_text())["rows"] == [again]
    assert not (run / "other").exists()


def test_a_folder_holds_one_queue(tmp_path: Path) -> None:
    with (
        only_one(tmp_path),
        pytest.raises(NotebeamError, match="another queue works"),
        only_one(tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("configs = []", "expected a queue"),
        ("config = ['a.toml']", "expected a queue"),
        ("configs = ['none.toml']", "none.toml: got 'no such file'"),
        ("configs = [1]", "expected paths of configs"),
        ("configs = [", "expected a TOML file"),
    ],
)
def test_a_bad_queue_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "queue.toml"
    path.write_text(text)
    with pytest.raises(NotebeamError, match=message):
        read_queue(path)


def test_every_queue_of_the_repository_can_be_read() -> None:
    files = sorted(Path("benchmarks/queues").glob("*.toml"))
    assert files
    for file in files:
        assert read_queue(file)
