"""Weights of small networks that read notes, and the card beside them; of beats, of dynamics.

Is not: cards of priors (priors.loading) or acoustic models (acoustic.loading), which hold what those need.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from symbolic.checkpoints import read_tensors, shapes_of, write_json, write_tensors
from symbolic.config import options_from
from symbolic.files import read_json

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Card:
    """What belongs to the weights."""

    name: str
    options: dict[str, float]
    data: str
    licence: str
    command: str
    training: dict[str, float] = field(default_factory=dict)  # its options in full
    scores: dict[str, float] = field(default_factory=dict)


def load_network(kind: Callable[..., Network], what: str, path: Path) -> Network:
    """A network of weights of `what`, in evaluation mode, by the options on their card.

    Raises:
        NotebeamError: weights or a card that are missing, damaged or do not fit each other.
    """
    place = path.with_suffix(".json")
    content = read_json(place, f"the card (JSON) that belongs beside the weights of {what}")
    card = options_from(Card, content, f"{place}: card")
    network = kind(**{name: int(value) for name, value in card.options.items()})
    stored, _ = read_tensors(path, f"weights of {what} as safetensors", shapes_of(network.state_dict()))
    network.load_state_dict(stored)
    return network.eval()


def save_network(network: nn.Module, card: Card, path: Path, *, half: bool = False) -> None:
    """Weights, with `half` in 16 bits, and beside them their card."""
    weights: dict[str, Tensor] = network.state_dict()
    tensors = {name: values.half() if half else values for name, values in weights.items()}
    write_tensors(path, tensors, {"model": card.name})
    write_json(path.with_suffix(".json"), asdict(card))
