"""Priors' files: weights as safetensors, a card as JSON beside them."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from symbolic.errors import NotebeamError
from symbolic.files import replacing
from symbolic.priors.base import Prior, PriorCard
from symbolic.priors.registry import build_prior

if TYPE_CHECKING:
    from os import PathLike


def weights_folder() -> Path:
    """Folder of the weights that come with the package."""
    return Path(__file__).parent / "weights"


def list_priors() -> list[str]:
    """Names that `load_prior` takes.

    >>> import notebeam as nb
    >>> "lstm-nade/jsb" in nb.list_priors()
    True
    """
    folder = weights_folder()
    return sorted(
        path.relative_to(folder).with_suffix("").as_posix() for path in folder.glob("*/*.safetensors")
    )


def load_prior(name_or_path: "str | PathLike[str]", device: str | torch.device = "cpu") -> Prior:
    """Trained prior in evaluation mode, by the name of shipped weights or the path of a .safetensors file.

    >>> import notebeam as nb
    >>> prior = nb.load_prior("rnn-nade/jsb")
    >>> prior.visible, prior.card.plane
    (88, 'active')
    """
    text = str(name_or_path)
    path = Path(text)
    if text in list_priors():
        path = weights_folder() / f"{text}.safetensors"
    elif path.suffix != ".safetensors":
        known = ", ".join(list_priors()) or "none yet"
        raise NotebeamError(
            "load_prior", text, f"a prior's name ({known}) or the path of a .safetensors file"
        )
    if not path.is_file():
        raise NotebeamError("load_prior", text, "a file that exists")
    card = read_card(path.with_suffix(".json"))
    prior = build_prior(card.model, card.options)
    _fill(prior, path)
    prior.card = card
    return prior.eval().to(device)


def save_prior(prior: Prior, path: "str | PathLike[str]") -> None:
    """Weights at `path` (.safetensors) and the prior's card beside them; both are replaced whole.

    >>> import notebeam as nb
    >>> nb.save_prior(nb.load_prior("rnn-nade/jsb"), "mine.safetensors")
    >>> nb.load_prior("mine.safetensors").card.name
    'jsb'
    """
    target, card = Path(path), prior.require_card()
    if target.suffix != ".safetensors":
        raise NotebeamError("save_prior(path)", str(path), "a path that ends in .safetensors")
    target.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: values.detach().cpu().contiguous() for name, values in prior.state_dict().items()}
    with replacing(target) as temporary:
        save_file(tensors, temporary, metadata={"model": card.model})
    with replacing(target.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(asdict(card), indent=2) + "\n", encoding="utf-8")


def read_card(path: Path) -> PriorCard:
    """Card of a prior; a field missing or unknown is an error."""
    if not path.is_file():
        raise NotebeamError(str(path), "no such file", "the card (JSON) that belongs beside the weights")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise NotebeamError(str(path), f"no JSON ({error})", "the card of a prior") from error
    wanted = {field.name for field in fields(PriorCard)}
    if not isinstance(content, dict) or set(content) != wanted:
        got = sorted(content) if isinstance(content, dict) else type(content).__name__
        raise NotebeamError(str(path), got, f"a card with the fields {', '.join(sorted(wanted))}")
    clock, plane = content["clock"], content["plane"]
    timed = isinstance(clock, dict) and ("hop" if clock.get("kind") == "frames" else "kind") in clock
    if not timed or plane not in ("struck", "active", "both", "values"):
        raise NotebeamError(
            str(path), {"clock": clock, "plane": plane}, "a clock and a plane, as in PriorCard"
        )
    return PriorCard(**content)


def _fill(prior: Prior, path: Path) -> None:
    """Copy the weights of a file into a prior whose tensors must have the same names and shapes."""
    try:
        with safe_open(path, framework="pt") as file:
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
    except (SafetensorError, OSError) as error:
        raise NotebeamError(
            str(path), f"a file that cannot be read ({error})", "weights as safetensors"
        ) from error
    wanted = prior.state_dict()
    for name in sorted(set(wanted) | set(stored)):
        if name not in stored or name not in wanted:
            got = "no such tensor" if name not in stored else "a tensor too many"
            raise NotebeamError(
                f"{path} {name}", got, f"the tensors of the model on the card ({len(wanted)})"
            )
        if stored[name].shape != wanted[name].shape:
            raise NotebeamError(
                f"{path} {name}", tuple(stored[name].shape), f"shape {tuple(wanted[name].shape)}"
            )
    prior.load_state_dict(stored)
