"""Tensors and JSON on disk: written whole or not at all, refused in one line when damaged."""

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.testing import assert_close

from symbolic.checkpoints import read_tensors, shapes_of, write_tensors
from symbolic.errors import NotebeamError
from symbolic.files import read_json
from symbolic.runlog import add_to_log, begin_log

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_written_is_read_even_of_shared_memory(tmp_path: Path) -> None:
    values = torch.arange(6.0)
    tensors = {"a": values, "b": values.view(2, 3).t()}
    write_tensors(tmp_path / "new" / "x.safetensors", tensors, {"model": "m"})
    found, metadata = read_tensors(tmp_path / "new" / "x.safetensors", "x", shapes_of(tensors))
    (tmp_path / "plain").write_text("")  # whoever may read other files of this user may read weights
    assert (tmp_path / "new" / "x.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert metadata == {"model": "m"}
    for name, each in tensors.items():
        assert_close(found[name], each, rtol=0, atol=0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_told_as_the_weights(tmp_path: Path, value: float) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.tensor([1.0, value]), "n": torch.tensor([3])}, path)
    with pytest.raises(NotebeamError, match=r"weights of .*x\.safetensors: got 'not finite: a'"):
        read_tensors(path, "weights")


def test_a_full_disk_is_one_line_and_leaves_the_former_file(tmp_path: Path) -> None:
    """The system's limit on the size of a file stands for a disk that is full."""
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": torch.ones(3)})
    code = (
        "import torch; from pathlib import Path; from symbolic.checkpoints import write_tensors\n"
        "from symbolic.console import outcome\n"
        f"work = lambda: write_tensors(Path({str(path)!r}), {{'a': torch.zeros(9999)}})\n"
        "raise SystemExit(outcome('it', work))"
    )

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    command = [sys.executable, "-B", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, preexec_fn=limit)  # noqa: PLW1509
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "File too large" in done.stderr and str(path) in done.stderr
    assert_close(read_tensors(path, "x")[0]["a"], torch.ones(3))
    assert [each.name for each in tmp_path.iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a": ' + "9" * 5000 + "}", "\xff"])
def test_json_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "card.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(
        NotebeamError, match=r"card\.json: got .(no JSON|bytes that are not).*, expected a card"
    ):
        read_json(path, "a card")


def test_a_huge_json_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('"' + "a" * 2_000_000 + '"')
    with pytest.raises(NotebeamError, match="got '2000002 bytes', expected a card of at most 1048576 bytes"):
        read_json(tmp_path / "card.json", "a card")


def test_a_log_that_is_resumed_says_nothing_twice(tmp_path: Path) -> None:
    begin_log(tmp_path, 0)
    for step in (2, 4, 6):
        add_to_log(tmp_path, {"step": step, "valid": float("-inf") if step == 2 else -1.0})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.writelines(f"{line}\n" for line in ('{"step": null}', '{"step": "3"}', '{"step": [1]}', "[4]"))
        file.write('{"step": 8, "val')  # the disk was full
    begin_log(tmp_path, 4)
    add_to_log(tmp_path, {"step": 6, "valid": -0.5})
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows == [{"step": 2, "valid": None}, {"step": 4, "valid": -1.0}, {"step": 6, "valid": -0.5}]
    begin_log(tmp_path, 0)
    assert not (tmp_path / "log.jsonl").read_text()
