"""Priors' files: weights as safetensors, a card as JSON beside them."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path

import torch

from symbolic.checkpoints import check_weights_path, read_tensors, shapes_of, write_json, write_tensors
from symbolic.checks import of_type, path_of
from symbolic.config import options_from
from symbolic.devices import device_named
from symbolic.errors import NotebeamError, within
from symbolic.files import read_json
from symbolic.priors.base import Prior, PriorCard
from symbolic.priors.ensemble import JOINED, Ensemble
from symbolic.priors.piece_cache import SUFFIX, PieceCache
from symbolic.priors.registry import build_prior, full_options


def weights_folder() -> Path:
    """Folder of the weights that come with the package."""
    return Path(__file__).parent / "weights"


def list_priors() -> list[str]:
    """Names that `load_prior` takes: model and data of the weights that come with the package.

    Example:
        >>> import notebeam as nb
        >>> "event-rnn-nade/piano" in nb.list_priors()
        True
    """
    folder = weights_folder()
    return sorted(
        path.relative_to(folder).with_suffix("").as_posix() for path in folder.glob("*/*.safetensors")
    )


def priors_with_steps_of(kind: str) -> list[str]:
    """Those of `list_priors` whose steps are of a kind: "frames" or "beats"."""
    cards = {name: read_card(weights_folder() / f"{name}.json") for name in list_priors()}
    return [name for name, card in cards.items() if card.clock["kind"] == kind]


def load_prior(name_or_path: str | PathLike[str], device: str | torch.device = "cpu") -> Prior:
    """Trained prior in evaluation mode.

    Args:
        name_or_path: one of `list_priors()`, or the path of a .safetensors file with its card beside it. The
            module of a model of one's own must be imported first. Several with "+" between them are one
            prior, the mean of their probabilities (priors.ensemble). With "+cache" behind it, the prior is
            mixed with a cache over the piece (priors.piece_cache).
        device: where its weights go.

    Raises:
        NotebeamError: no such prior, a card or weights that are damaged or do not fit each other.

    Example:
        >>> import notebeam as nb
        >>> prior = nb.load_prior("lstm-nade/jsb")
        >>> prior.card.clock["kind"], prior.card.plane, prior.visible
        ('beats', 'active', 88)
    """
    text = path_of(name_or_path, "load_prior", "a prior's name or the path of a .safetensors file")
    if text.endswith(SUFFIX):
        return PieceCache(load_prior(text.removesuffix(SUFFIX), device))
    if len(members := members_of(text)) > 1:
        return Ensemble([load_prior(member, device) for member in members])
    path, place = Path(text), device_named(device, "load_prior(device)")
    if text in list_priors():
        path = weights_folder() / f"{text}.safetensors"
    elif path.suffix != ".safetensors":
        known = ", ".join(list_priors()) or "none yet"
        expected = f"a prior's name ({known}) or the path of a .safetensors file"
        raise NotebeamError("load_prior", text, expected)
    if not path.is_file():
        raise NotebeamError("load_prior", text, "a file that exists")
    card = read_card(path.with_suffix(".json"))
    with within(str(path.with_suffix(".json"))):
        prior = build_prior(card.model, card.options)
    if prior.visible != card.visible:
        beside = f"{path.with_suffix('.json')}: visible"
        raise NotebeamError(beside, card.visible, f"{prior.visible}, as the options say")
    shapes = shapes_of(prior.state_dict())
    stored, metadata = read_tensors(path, "weights as safetensors", shapes, prior.renamed)
    if metadata.get("model", card.model) != card.model:
        raise NotebeamError(str(path), f"weights of a {metadata['model']}", f"a {card.model}, as on the card")
    prior.load_state_dict(stored)
    prior.card = card
    return prior.eval().to(place)


def members_of(text: str) -> list[str]:
    """The priors that a name joins by "+"; a path that holds a "+" itself is one."""
    parts = text.split(JOINED)
    files = all(part.endswith(".safetensors") for part in parts)
    return [text] if len(parts) == 1 or not (files or {*parts} & {*list_priors()}) else parts


def save_prior(prior: Prior, path: str | PathLike[str]) -> None:
    """Write a prior's weights to `path` (.safetensors) and its card, with all options, beside them (.json).

    Both are replaced whole.

    Raises:
        NotebeamError: a path that ends otherwise or cannot be written, or a prior without a card.

    Example:
        >>> import notebeam as nb
        >>> nb.save_prior(nb.load_prior("lstm-nade/jsb"), "mine.safetensors")
        >>> nb.load_prior("mine.safetensors").card.name
        'jsb'
    """
    prior = of_type(prior, Prior, "save_prior(prior)", "a Prior")
    target, card = Path(path_of(path, "save_prior(path)")), prior.require_card()
    if isinstance(prior, PieceCache):
        raise NotebeamError(
            "save_prior(prior)", "a cache around a prior", f"the prior itself, without {SUFFIX}"
        )
    if isinstance(prior, Ensemble):
        raise NotebeamError("save_prior(prior)", "an ensemble", "each of its priors by itself")
    check_weights_path(target, "save_prior(path)")
    card = replace(card, options=full_options(card.model, card.options))
    write_tensors(target, prior.state_dict(), {"model": card.model})
    write_json(target.with_suffix(".json"), asdict(card))


def read_card(path: Path) -> PriorCard:
    """Card of a prior.

    Raises:
        NotebeamError: no such file, no JSON, a field missing, unknown, of another type or out of bounds.
    """
    content = read_json(path, "the card (JSON) that belongs beside the weights")
    if not isinstance(content, Mapping):
        raise NotebeamError(str(path), type(content).__name__, "the card of a prior, a JSON object")
    return options_from(PriorCard, content, f"{path}: card")
