"""Runs that begin with other weights.

Is: copying what fits, and what the card of those weights says of their own training.
Is not: going on from a checkpoint (training.loop).
"""

import json
from pathlib import Path
from typing import Any

import torch

from acoustic.loading import read_weights
from acoustic.network import HarmonicNet
from symbolic.errors import NotebeamError


def begin_with(network: HarmonicNet, path: Path) -> list[str]:
    """Copy a file's weights into `network` wherever name and shape fit; blocks beyond begin as identities.

    So a network may grow deeper and still know what the smaller one knew.

    Returns:
        Names of the network's tensors that are left as they were.

    Raises:
        NotebeamError: no such file, no safetensors, or nothing in it that fits.
    """
    found, own = read_weights(path), network.state_dict()
    fitting = {name: v for name, v in found.items() if name in own and own[name].shape == v.shape}
    if not fitting:
        raise NotebeamError(str(path), "no tensor that fits", "weights of an acoustic model")
    network.load_state_dict(fitting, strict=False)
    for number, block in enumerate(network.blocks):
        if f"blocks.{number}.keys.weight" not in fitting:
            torch.nn.init.zeros_(block.norm.weight)  # type: ignore[union-attr, arg-type]
    return sorted(own.keys() - fitting.keys())


def began_as(weights: Path) -> dict[str, Any]:
    """What the card beside the weights says of how they were made; a model of another shape is no error."""
    card = weights.with_suffix(".json")
    try:
        told = json.loads(card.read_text(encoding="utf-8")) if card.is_file() else {}
    except ValueError as error:
        raise NotebeamError(str(card), "not JSON", "the card of an acoustic model") from error
    return {"weights": weights.name, **{key: told[key] for key in ("command", "training") if key in told}}
