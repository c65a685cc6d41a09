"""A trained network on disk: weights in safetensors, a JSON card beside them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from acoustic.calibration import Scaling
from acoustic.features import FeatureOptions
from acoustic.network import PROBABILITIES, HarmonicNet, NetworkOptions
from symbolic.checkpoints import read_tensors, shapes_of, write_json, write_tensors
from symbolic.config import options_from
from symbolic.errors import NotebeamError
from symbolic.files import read_json

WEIGHTS = Path(__file__).parent / "weights"
KIND = "notebeam acoustic model"
WEIGHTS_EXPECTED = "weights of an acoustic model"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a file of weights is, for users, and what the code needs to use it."""

    name: str
    features: FeatureOptions = field(default_factory=FeatureOptions)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    data: str = ""
    licence: str = ""
    command: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)  # steps, minutes, losses
    scalings: Mapping[str, Scaling] = field(default_factory=dict)  # by head; see acoustic.calibration
    onset_shift: float = 0.0  # seconds added to every onset that is read off its posteriorgrams
    scores: Mapping[str, Any] = field(default_factory=dict)  # on which recordings, by which command
    kind: str = KIND

    def __post_init__(self) -> None:
        for head, value in self.scalings.items():
            if head not in PROBABILITIES:
                raise NotebeamError(f"scalings.{head}", value, f"one of {', '.join(PROBABILITIES)}")


def list_models() -> list[str]:
    """Names for `load_network`."""
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


def known_weights(name: str | Path) -> Path:
    """`weights_path` of weights that are there.

    Raises:
        NotebeamError: an unknown name.
    """
    path = weights_path(name)
    if not path.is_file():
        expected = f"a .safetensors file or one of {', '.join(list_models())}"
        raise NotebeamError("acoustic model", str(name), expected)
    return path


def weights_path(name: str | Path) -> Path:
    """The file of a shipped model's weights by its name; any other name is a path already."""
    return WEIGHTS / f"{name}.safetensors" if str(name) in list_models() else Path(name)


def save_network(path: Path, network: HarmonicNet, card: ModelCard) -> None:
    """Write `path` (.safetensors, float32) and its card (.json), each whole."""
    write_json(path.with_suffix(".json"), asdict(card))
    write_tensors(path, network.state_dict())


def update_card(path: Path, **fields: object) -> None:
    """Replace fields of the card at `path`: what was measured once the weights were there."""
    card = replace(read_card(path), **fields)  # type: ignore[arg-type]
    write_json(path, asdict(card))


def load_network(name: str | Path, device: torch.device | str = "cpu") -> tuple[HarmonicNet, ModelCard]:
    """A network in evaluation mode, by the name of a shipped model or the path of a .safetensors file.

    Raises:
        NotebeamError: an unknown name, a file that is no such model, or a card that does not fit it.
    """
    path = known_weights(name)
    card = read_card(path.with_suffix(".json"))
    network = HarmonicNet(card.features, card.network)
    tensors, _ = read_tensors(path, WEIGHTS_EXPECTED, shapes_of(network.state_dict()))
    network.load_state_dict(tensors)
    return network.eval().to(device), card


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file, whatever network they are of.

    Raises:
        NotebeamError: no such file, no safetensors, or numbers that are not finite.
    """
    return read_tensors(path, WEIGHTS_EXPECTED)[0]


def read_card(path: Path) -> ModelCard:
    """The card of an acoustic model.

    Raises:
        NotebeamError: no card, no JSON, or the card of something else.
    """
    table = read_json(path, "the card beside the weights")
    found = table.get("kind") if isinstance(table, dict) else table
    if found != KIND:
        raise NotebeamError(str(path), found, f"the card of a {KIND}")
    table["features"] = options_from(FeatureOptions, table.get("features", {}), f"{path}: features")
    table["network"] = options_from(NetworkOptions, table.get("network", {}), f"{path}: network")
    scalings = table.get("scalings", {})
    if not isinstance(scalings, dict):
        raise NotebeamError(f"{path}: scalings", scalings, "a table")
    table["scalings"] = {
        head: options_from(Scaling, value, f"{path}: scalings.{head}") for head, value in scalings.items()
    }
    return options_from(ModelCard, table, str(path))
