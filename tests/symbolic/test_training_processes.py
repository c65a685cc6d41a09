"""Several processes under torchrun: the same weights as one process, and one's checkpoint for any number."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from symbolic.datasets.splits import read_splits
from symbolic.errors import NotebeamError
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes
from symbolic.training.config import read_config
from symbolic.training.loop import train
from symbolic.training.processes import Processes
from symbolic.training.run import Run
from symbolic.training.stream import Chunk

ROOT = Path(__file__).parents[2]
# Plain gradients: Adam would divide them by themselves, and with them the last digits of what is about zero.
CONFIG = """
name = "few"
model = "rnn-nade"
licence = "MIT"
[options]
units = 6
hidden = 4
[data]
midi = "{folder}"
hop = 0.25
transpose = 3
[loop]
steps = 5
batch_size = 3
chunk = 6
optimizer = "sgd"
learning_rate = 0.5
clip_norm = 0.5
warmup = 0
ema = 0.5
validate_every = 2
[pretraining]
estimator_steps = 2
recurrence_steps = 2
"""

# The command as `python -m` runs it. No thread may be left at its end: one of gloo's that still held a tensor
# would be ended by force, and the process with it, once in some forty runs.
COUNTED = """
import atexit, os, runpy, sys
atexit.register(lambda: os.write(1, b"%d thread at the end\\n" % len(os.listdir("/proc/self/task"))))
runpy.run_module("symbolic.training", run_name="__main__", alter_sys=True)
"""


def write_config(folder: Path) -> Path:
    """A config, and the music that it learns from: pieces of unlike lengths."""
    rng = np.random.default_rng(0)
    for index, count in enumerate((6, 9, 4, 15, 7, 2)):
        onset = 0.25 * np.arange(count)
        pitch = rng.integers(50, 70, count)
        write_midi(folder / f"{index}.mid", Notes.make(onset, onset + 0.25, pitch, [64] * count))
    path = folder / "few.toml"
    path.write_text(CONFIG.format(folder=folder))
    return path


def silent(line: str) -> None:
    pass


def test_two_processes_end_with_the_weights_of_one(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    config = read_config(path)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--master_port",
        "29631",
    ]
    counted = tmp_path / "counted.py"
    counted.write_text(COUNTED)
    command += ["--", str(counted), str(path), "--run", str(tmp_path / "two")]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    # The first process alone writes and logs.
    assert done.stdout.count("wrote ") == 1
    assert done.stdout.count("step 4 ") == 1
    assert done.stdout.count("1 thread at the end") == 2

    def one(folder: Path, *, resume: bool = False) -> dict[str, torch.Tensor]:
        output = folder / "w.safetensors"
        train(config, read_splits(config.data), folder, output=output, command="", resume=resume, log=silent)
        return load_file(folder / "checkpoint.safetensors")

    two, alone = load_file(tmp_path / "two" / "checkpoint.safetensors"), one(tmp_path / "one")
    assert two.keys() == alone.keys()
    for name, values in alone.items():  # weights, averages, momenta, the states of all three rows
        torch.testing.assert_close(two[name], values, rtol=1e-4, atol=1e-6, msg=name)
    moved = Run(config, read_splits(config.data)).prior.state_dict()["estimator.out"]
    assert (alone["prior/estimator.out"] - moved).abs().max() > 1e-3
    # A run of two goes on as one.
    one(tmp_path / "two", resume=True)


def test_rows_are_shared_out_without_overlap() -> None:
    for count in (1, 2, 3):
        rows = [row for rank in range(count) for row in range(7)[Processes(rank, count).rows(7)]]
        assert rows == list(range(7))
    with pytest.raises(
        NotebeamError, match=r"loop\.batch_size: got 1, expected 2 at least, a row for each process"
    ):
        Processes(0, 2).rows(1)


def test_a_part_of_a_chunk_is_as_long_as_its_longest_row() -> None:
    mask = torch.tensor([[True, True, True], [True, False, False], [True, True, False]])
    chunk = Chunk(torch.arange(9.0).view(3, 3, 1), mask, torch.tensor([True, False, True]))
    part = chunk.part(slice(1, 3))
    assert part.rolls[..., 0].tolist() == [[3.0, 4.0], [6.0, 7.0]]
    assert part.mask.tolist() == [[True, False], [True, True]]
    assert part.begins.tolist() == [False, True]


def test_no_two_processes_draw_the_same_numbers() -> None:
    draws = [torch.rand(3, generator=Processes(rank, 3).generator(5)).tolist() for rank in range(3)]
    assert draws[0] == torch.rand(3, generator=torch.Generator().manual_seed(5)).tolist()
    assert draws[0] != draws[1] != draws[2] != draws[0]


def test_hessian_free_is_refused_in_several_processes(tmp_path: Path) -> None:
    config = read_config(write_config(tmp_path))
    splits = read_splits(config.data)
    config = replace(config, loop=replace(config.loop, optimizer="hessian-free"))
    with pytest.raises(
        NotebeamError, match=r"loop\.optimizer: got 'hessian-free', expected adam or sgd where"
    ):
        Run(config, splits, Processes(0, 2))
