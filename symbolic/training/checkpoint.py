"""The file from which an interrupted run goes on, bit for bit.

Is: weights, averages, best weights, optimiser, carried state and place in the data, in one safetensors file.
Is not: the weights that a run ends with (priors.registry). No random state: every draw of a run is seeded by
the number of its update or piece.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from symbolic.errors import NotebeamError
from symbolic.files import replacing

if TYPE_CHECKING:
    from symbolic.training.loop import Run

FILE = "checkpoint.safetensors"


@dataclass
class Progress:
    """How far a run is."""

    update: int = 0
    seconds: float = 0.0  # of work, over all resumptions
    best: float = -float("inf")  # validation log-likelihood, nats a step
    best_update: int = 0
    worse: int = 0  # validations since the best


def write_checkpoint(run: "Run", folder: Path) -> None:
    """Write the run's checkpoint whole, in one rename."""
    groups: dict[str, dict[str, Tensor]] = {
        "prior": run.prior.state_dict(),
        "averaged": run.averaged.state_dict() if run.averaged is not run.prior else {},
        "best": run.best,
        "state": run.state,
        "stream": {"place": run.stream.place},
    }
    for index, values in run.optimizer.state_dict()["state"].items():
        groups[f"optimizer/{index}"] = values
    # Copied: weights and averages may share memory, which safetensors refuses.
    tensors = {
        f"{group}/{name}": value.detach().clone().contiguous()
        for group, values in groups.items()
        for name, value in values.items()
    }
    metadata = {"progress": json.dumps(asdict(run.progress)), "config": _identity(run)}
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / FILE) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def read_checkpoint(run: "Run", folder: Path) -> None:
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
    if metadata.get("config") != _identity(run):
        raise NotebeamError(str(path), "a run of another config", "the config that the run began with")
    run.progress = Progress(**json.loads(metadata["progress"]))
    run.prior.load_state_dict(_group(tensors, "prior"))
    if run.averaged is not run.prior:
        run.averaged.load_state_dict(_group(tensors, "averaged"))
    run.best = _group(tensors, "best")
    run.state = _group(tensors, "state")
    run.stream.place = tensors["stream/place"]
    stored = run.optimizer.state_dict()
    count = len(stored["param_groups"][0]["params"])
    stored["state"] = {index: _group(tensors, f"optimizer/{index}") for index in range(count)}
    run.optimizer.load_state_dict(stored)


def _group(tensors: dict[str, Tensor], group: str) -> dict[str, Tensor]:
    """Tensors of a group, without its name."""
    prefix = f"{group}/"
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _identity(run: "Run") -> str:
    """What must not change between the parts of a run."""
    data = [len(run.splits.train), len(run.splits.valid)]
    return json.dumps(
        {"config": asdict(run.config), "pieces": data, "torch": torch.__version__}, sort_keys=True
    )
