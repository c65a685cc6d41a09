"""A queue of trainings that survives interruption: priors of a list of configs, one after the other.

All state is in one folder for each config, `RUN/NAME/`: the checkpoint and the log of its training, then the
weights and their card, then `row.json`, the row of a table that was measured with them. Each is written whole
or not at all, so a queue that was killed at any moment goes on from what it finds there.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from symbolic.config import read_toml
from symbolic.datasets.splits import Splits, read_splits
from symbolic.errors import NotebeamError
from symbolic.files import replacing
from symbolic.training.checkpoint import FILE as CHECKPOINT
from symbolic.training.config import TrainingConfig, read_config
from symbolic.training.loop import train

WEIGHTS = "weights.safetensors"  # in the folder of a training
CONFIGS = Path(__file__).parents[2] / "symbolic" / "training" / "configs"
Row = dict[str, Any]
Log = Callable[[str], None]


class SliceEnded(Exception):
    """The time of this call is over; the training goes on in the next."""


def read_queue(path: Path) -> list[Path]:
    """Configs of a queue file: TOML with `configs`, a list of paths from the current folder.

    Raises:
        NotebeamError: not such a file, a config that does not exist or cannot be read, the same one twice.
    """
    table = read_toml(path)
    names = table.get("configs")
    if set(table) != {"configs"} or not isinstance(names, list) or not names:
        raise NotebeamError(str(path), table, 'a queue: configs = ["CONFIG.toml", ...]')
    for name in names:
        if not isinstance(name, str) or names.count(name) > 1:
            raise NotebeamError(f"{path}: configs", name, "paths of configs, each once")
        read_config(name)
    return [Path(name) for name in names]


def row_file(config: Path, run: Path) -> Path:
    """Where the finished row of a config is kept."""
    return run / config.stem / "row.json"


def finished_rows(configs: Sequence[Path], run: Path) -> list[Row]:
    """Rows of the configs that are trained and measured, in the queue's order."""
    files = [row_file(config, run) for config in configs]
    return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]


@contextmanager
def only_one(run: Path) -> Iterator[None]:
    """Holds the folder of a queue; a second process is refused."""
    run.mkdir(parents=True, exist_ok=True)
    with (run / "queue.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NotebeamError(str(run), "a folder in which another queue works", "one queue") from error
        yield


def train_rows(
    configs: Sequence[Path],
    run: Path,
    *,
    measure: Callable[[Path], Row],
    finished: Callable[[Row], None],
    log: Log,
    minutes: float = 0.0,
) -> list[str]:
    """Train and measure what is not yet finished; -> what went wrong, a line for each config that failed.

    A training that fails costs only its own row, and is tried again by the next call.

    Args:
        measure: from the path of the weights to the finished row.
        finished: called with every new row.
        minutes: of this call, after which it stops at the next validation; 0: no limit.

    Raises:
        SliceEnded: the minutes are over before the queue is.
    """
    deadline = time.monotonic() + 60 * minutes if minutes else None
    failures = []
    splits: dict[str, Splits] = {}  # of the last set, since rows of one set stand together
    for path in configs:
        if row_file(path, run).is_file():
            continue
        config = read_config(path)
        key = repr(config.data)
        if key not in splits:
            splits = {key: read_splits(config.data)}
        # As it would be typed here: the card names no folder of this machine.
        command = f"python -m symbolic.training {os.path.relpath(path)}"
        folder = run / path.stem
        try:
            weights = trained_in(folder)
            if weights is None:
                weights = train_in(folder, config, splits[key], command=command, log=log, deadline=deadline)
            row = measure(weights)
        except NotebeamError as error:
            failures.append(f"{path}: {error}")
            log(f"{path.stem}: {error}")
            continue
        with replacing(row_file(path, run)) as temporary:
            temporary.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
        finished(row)
    return failures


def trained_in(folder: Path) -> Path | None:
    """The weights of a training that was finished in a folder; None: there are none yet."""
    weights = folder / WEIGHTS
    return weights if weights.is_file() and weights.with_suffix(".json").is_file() else None


def train_in(
    folder: Path,
    config: TrainingConfig,
    splits: Splits,
    *,
    command: str,
    log: Log,
    deadline: float | None = None,
) -> Path:
    """Train a prior in a folder, from its checkpoint if there is one, its log beside it; -> its weights.

    `command` is for the card.

    Raises:
        SliceEnded: at a validation after the deadline, a time of `time.monotonic`.
    """
    weights = folder / WEIGHTS
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "training.log").open("a", encoding="utf-8") as file:

        def note(line: str) -> None:
            file.write(line + "\n")
            file.flush()
            log(f"{folder.name}: {line}")
            # Lines come after a checkpoint was written: nothing is lost if the training stops here.
            if line.startswith("step "):
                _in_time(deadline)

        resume = (folder / CHECKPOINT).is_file()
        train(config, splits, folder, output=weights, command=command, resume=resume, log=note)
    _in_time(deadline)  # measuring has no checkpoints: it stands at the beginning of a slice
    return weights


def _in_time(deadline: float | None) -> None:
    if deadline is not None and time.monotonic() >= deadline:
        raise SliceEnded
