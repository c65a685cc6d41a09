"""The file from which an interrupted run goes on, bit for bit.

Is: weights, averages, best weights, optimiser, carried state and place in the data, in one safetensors file.
Is not: the weights that a run ends with (priors.registry). No random state: every draw of a run is seeded by
the number of its update or piece.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.files import replacing
from symbolic.training.config import TABLES, TrainingConfig
from symbolic.training.run import Progress, Run

FILE = "checkpoint.safetensors"


def write_checkpoint(run: Run, folder: Path) -> None:
    """Write the checkpoint whole, in one rename; all of several processes call this, the first does it."""
    state = run.processes.whole(run.state, run.config.loop.batch)
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
    # Copied: weights and averages may share memory, which safetensors refuses.
    tensors = {
        f"{group}/{name}": value.detach().clone().contiguous()
        for group, values in groups.items()
        for name, value in values.items()
    }
    # Numbers that an optimiser changes, such as a damping; the rate is set at each update.
    numbers = [
        {key: value for key, value in group.items() if isinstance(value, float)}
        for group in run.optimizer.param_groups
    ]
    metadata = {
        "progress": json.dumps(asdict(run.progress)),
        "groups": json.dumps(numbers),
        "config": json.dumps(_identity(run), sort_keys=True),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / FILE) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def read_checkpoint(run: Run, folder: Path) -> None:
    """Put a fresh run of the same config where the checkpoint left off."""
    path = folder / FILE
    if not path.is_file():
        raise NotebeamError(str(path), "no such file", "the checkpoint of a run to resume")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
    except (SafetensorError, OSError) as error:
        raise NotebeamError(str(path), f"a file that cannot be read ({error})", "a checkpoint") from error
    _refuse_another(metadata, _identity(run), path)
    run.progress = Progress(**json.loads(metadata["progress"]))
    run.prior.load_state_dict(_group(tensors, "prior"))
    if run.averaged is not run.prior:
        run.averaged.load_state_dict(_group(tensors, "averaged"))
    run.best = _group(tensors, "best")
    run.state = {name: values[run.rows] for name, values in _group(tensors, "state").items()}
    run.stream.place = tensors["stream/place"]
    stored = run.optimizer.state_dict()
    count = len(stored["param_groups"][0]["params"])
    stored["state"] = {index: _group(tensors, f"optimizer/{index}") for index in range(count)}
    for group, numbers in zip(stored["param_groups"], json.loads(metadata.get("groups", "[]")), strict=False):
        group.update(numbers)
    run.optimizer.load_state_dict(stored)


def _group(tensors: dict[str, Tensor], group: str) -> dict[str, Tensor]:
    """Tensors of a group, without its name."""
    prefix = f"{group}/"
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _identity(run: Run) -> dict[str, Any]:
    """What must not change between the parts of a run."""
    data = [len(run.splits.train), len(run.splits.valid)]
    return {"config": asdict(run.config), "pieces": data, "torch": torch.__version__}


def _refuse_another(metadata: Mapping[str, str], wanted: dict[str, Any], path: Path) -> None:
    """Raise at the first thing in which the checkpoint's run differs from this one."""
    if "config" not in metadata:
        raise NotebeamError(str(path), "no config in it", "a checkpoint")
    was, now = _flat(json.loads(metadata["config"])), _flat(json.loads(json.dumps(wanted)))
    # An option younger than the checkpoint had its default, which changes nothing.
    was = _defaults() | was
    for name in sorted(was.keys() | now.keys()):
        old, new = was.get(name, "nothing"), now.get(name, "nothing")
        if old != new and name != "config.loop.checkpoint_minutes":
            raise NotebeamError(
                f"{path}: {name.removeprefix('config.')}", new, f"{old!r}, with which the run began"
            )


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with names such as "config.loop.rate"."""
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
