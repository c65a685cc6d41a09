"""The file from which an interrupted run goes on, bit for bit.

It holds weights, averages, best weights, optimiser, carried state and place in the data. There is no random
state: every draw of a run is seeded by the number of its step or piece.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from symbolic.checkpoints import below, check_shapes, parse_metadata, read_tensors, shapes_of, write_tensors
from symbolic.config import options_from
from symbolic.errors import NotebeamError
from symbolic.training.config import TABLES, TrainingConfig
from symbolic.training.run import Progress, Run

FILE = "checkpoint.safetensors"
EXPECTED = "the checkpoint of a run"
# What each optimiser keeps of a parameter that learns; SCALARS are one number, the others as large as it is.
SLOTS = {"adam": ("step", "exp_avg", "exp_avg_sq"), "sgd": ("momentum_buffer",), "hessian-free": ()}
SCALARS = ("step", "damping")
CONTENTS = "contents of the pieces"


def write_checkpoint(run: Run, folder: Path) -> None:
    """Write the checkpoint whole, in one rename; all of several processes call this, the first does it."""
    state = run.processes.whole(run.state, run.config.loop.batch_size)
    if run.processes.rank:
        return
    groups: dict[str, dict[str, Tensor]] = {
        "prior": run.prior.state_dict(),
        "averaged": run.averaged.state_dict() if run.averaged is not run.prior else {},
        "best": run.best,
        "state": state,
        "stream": {"place": run.stream.place},
    }
    for index, values in run.optimizer.state_dict()["state"].items():
        groups[f"optimizer/{index}"] = {name: value for name, value in values.items() if value is not None}
    tensors = {f"{group}/{name}": value for group, values in groups.items() for name, value in values.items()}
    # Numbers that an optimiser changes, such as a damping; the rate is set at each step.
    numbers = [
        {key: value for key, value in group.items() if isinstance(value, float)}
        for group in run.optimizer.param_groups
    ]
    # JSON has no -inf: a run that was never validated has no best score in its file.
    progress = {name: value for name, value in asdict(run.progress).items() if value != -math.inf}
    metadata = {
        "progress": json.dumps(progress),
        "groups": json.dumps(numbers),
        "config": json.dumps(_identity(run), sort_keys=True),
    }
    write_tensors(folder / FILE, tensors, metadata)


def read_checkpoint(run: Run, folder: Path) -> None:
    """Put a fresh run of the same config where the checkpoint left off.

    Raises:
        NotebeamError: there is none, it is damaged, or it is of another run.
    """
    path = folder / FILE
    tensors, metadata = read_tensors(path, EXPECTED)
    config, progress, numbers = parse_metadata(path, metadata, ("config", "progress", "groups"), EXPECTED)
    _refuse_another(config, _identity(run), path)
    _check(run, tensors, path)
    _check_numbers(numbers, run.optimizer.param_groups, path)
    run.progress = options_from(Progress, progress, f"{path}: progress")
    run.prior.load_state_dict(below(tensors, "prior/"))
    if run.averaged is not run.prior:
        run.averaged.load_state_dict(below(tensors, "averaged/"))
    run.best = below(tensors, "best/")
    run.state = {name: values[run.rows] for name, values in below(tensors, "state/").items()}
    run.stream.move_to(tensors["stream/place"], f"{path} stream/place")
    stored = run.optimizer.state_dict()
    count = len(stored["param_groups"][0]["params"])
    stored["state"] = {index: below(tensors, f"optimizer/{index}/") for index in range(count)}
    for group, changed in zip(stored["param_groups"], numbers, strict=False):
        group.update(changed)
    run.optimizer.load_state_dict(stored)


def _check(run: Run, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Refuse tensors that are not those of such a run."""
    weights, batch = shapes_of(run.prior.state_dict()), run.config.loop.batch_size
    state = shapes_of(run.prior.initial_state(batch))
    wanted: dict[str, dict[str, tuple[int, ...]]] = {
        "prior": weights,
        "state": state,
        "stream": {"place": (batch, 2)},
    }
    wanted["averaged"] = weights if run.averaged is not run.prior else {}
    found = shapes_of(tensors)
    wanted["best"] = weights if any(name.startswith("best/") for name in found) else {}
    flat = {f"{group}/{name}": shape for group, shapes in wanted.items() for name, shape in shapes.items()}
    is_slot = {name: name.startswith("optimizer/") for name in found}
    check_shapes(path, {name: shape for name, shape in found.items() if not is_slot[name]}, flat)
    slots: dict[str, tuple[int, ...]] = {}
    fresh = run.optimizer.state_dict()["state"]
    for index, parameter in enumerate(run.prior.parameters()):
        stored = below(tensors, f"optimizer/{index}/")
        # Of a parameter that nothing depends on, the optimiser keeps nothing.
        names = fresh.get(index) or (SLOTS[run.config.loop.optimizer] if stored else ())
        for name in names:
            slots[f"optimizer/{index}/{name}"] = () if name in SCALARS else tuple(parameter.shape)
    check_shapes(path, {name: shape for name, shape in found.items() if is_slot[name]}, slots)


def _check_numbers(numbers: Any, groups: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Refuse other numbers of the optimiser than it has."""
    good = isinstance(numbers, list) and len(numbers) == len(groups)
    for changed, group in zip(numbers if good else (), groups, strict=True) if good else ():
        good = isinstance(changed, dict) and all(
            isinstance(group.get(name), float) and isinstance(value, float) and math.isfinite(value)
            for name, value in changed.items()
        )
        if not good:
            break
    if not good:
        raise NotebeamError(f"{path}: groups", numbers, "the numbers of the optimiser")


def _identity(run: Run) -> dict[str, Any]:
    """What must not change between the parts of a run."""
    data = [len(run.splits.train), len(run.splits.valid)]
    identity = {"config": asdict(run.config), "pieces": data, CONTENTS: run.splits.digest}
    return identity | {"torch": torch.__version__}


def _refuse_another(stored: Any, wanted: dict[str, Any], path: Path) -> None:
    """Raise at the first thing in which the checkpoint's run differs from this one."""
    if not isinstance(stored, Mapping):
        raise NotebeamError(f"{path}: config", type(stored).__name__, EXPECTED)
    was, now = _flat(stored), _flat(json.loads(json.dumps(wanted)))
    # An option younger than the checkpoint had its default, which changes nothing; the pieces of a checkpoint
    # that does not tell them may be the same.
    was = _defaults() | {CONTENTS: now[CONTENTS]} | was
    for name in sorted(was.keys() | now.keys()):
        old, new = was.get(name, "nothing"), now.get(name, "nothing")
        if old != new and name != "config.loop.checkpoint_minutes":
            raise NotebeamError(
                f"{path}: {name.removeprefix('config.')}", new, f"{old!r}, with which the run began"
            )


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with names such as "config.loop.learning_rate"."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found


def _defaults() -> dict[str, Any]:
    """Defaults of a config, as `_flat` names them."""
    kinds = {"": TrainingConfig} | {f"{name}.": kind for name, kind in TABLES.items()}
    found = {
        f"config.{prefix}{entry.name}": entry.default
        for prefix, kind in kinds.items()
        for entry in fields(kind)
        if entry.default is not MISSING
    }
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
