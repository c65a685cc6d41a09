"""The device of a name, refused where it is missing."""

from typing import TYPE_CHECKING

from symbolic.checks import brief
from symbolic.errors import NotebeamError

if TYPE_CHECKING:
    import torch


def device_named(name: "str | torch.device", place: str = "device") -> "torch.device":
    """The device of that name; "auto" is cuda where there is one, else cpu.

    Raises:
        NotebeamError: no name of a device, or one that this machine lacks.
    """
    import torch

    if isinstance(name, torch.device):
        return name
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not isinstance(name, str):
        raise NotebeamError(place, brief(name), f"one of auto, {', '.join(present)}")
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "cpu") if present[kind]))
    kind, _, index = name.partition(":")
    if not present.get(kind, False) or (name != kind and not index.isdigit()):
        there = ", ".join(kind for kind, is_there in present.items() if is_there)
        raise NotebeamError(place, name, f"a device of this machine ({there}) or auto")
    return torch.device(name)
