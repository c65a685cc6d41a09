"""Runs that begin with other weights.

Is: copying what fits, and what their card records of their own training.
Is not: going on from a checkpoint (training.loop).
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from acoustic.loading import read_weights
from acoustic.network import HarmonicNet
from symbolic.errors import NotebeamError
from symbolic.files import read_json


def begin_with(network: HarmonicNet, path: Path) -> list[str]:
    """Copy a file's weights into `network`; blocks beyond begin as identities, channels beyond unread.

    So a network may grow deeper and wider and still compute what the smaller one did: the old channels do not
    read the new ones until training finds a use for them (Chen et al. 2016, Net2Net, with zeros for copies).

    Returns:
        Names of the network's tensors that are left as they were.

    Raises:
        NotebeamError: no such file, no safetensors, or nothing in it that fits.
    """
    found, own = read_weights(path), network.state_dict()
    trunk = found.get("register_bias", own["register_bias"])
    wider = max(0, network.options.channels - (trunk.shape[1] if trunk.ndim > 1 else 0))
    fitting = {
        name: _grown(tensor, own[name])
        for name, tensor in found.items()
        if name in own and _fits(tensor, own[name], wider)
    }
    if not fitting:
        raise NotebeamError(str(path), "no tensor that fits", "weights of an acoustic model")
    network.load_state_dict(fitting, strict=False)
    for number, block in enumerate(network.blocks):
        if f"blocks.{number}.keys.weight" not in fitting:
            torch.nn.init.zeros_(block.norm.weight)  # type: ignore[union-attr, arg-type]
    return sorted(own.keys() - fitting.keys())


def _fits(old: Tensor, new: Tensor, wider: int) -> bool:
    """Whether each size is the same, or that of outputs and inputs larger by the channels that were added."""
    if old.ndim != new.ndim:
        return False
    more = [after - before for before, after in zip(old.shape, new.shape, strict=True)]
    return all(m in (0, wider) for m in more[:2]) and not any(more[2:])


def _grown(old: Tensor, new: Tensor) -> Tensor:
    """`old` in the first rows and columns of `new`, 0 where an old row would read a new column."""
    if old.shape == new.shape:
        return old
    grown = new.clone()
    grown[: len(old)] = 0
    grown[tuple(slice(size) for size in old.shape)] = old
    return grown


def began_as(weights: Path) -> dict[str, Any]:
    """How the weights were made, by the card beside them; a model of another shape is no error."""
    card = weights.with_suffix(".json")
    stored = read_json(card, "the card of an acoustic model") if card.is_file() else {}
    return {"weights": weights.name, **{key: stored[key] for key in ("command", "training") if key in stored}}
