"""The device of a name, refused where it is missing."""

from typing import TYPE_CHECKING

from symbolic.checks import brief
from symbolic.errors import NotebeamError

if TYPE_CHECKING:
    import torch


def device_named(name: "str | torch.device", place: str = "device") -> "torch.device":
    """The device of that name, or that device; "auto" is cuda where there is one, else cpu.

    Raises:
        NotebeamError: no name of a device, or one that this machine lacks.
    """
    import torch

    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if isinstance(name, torch.device) and name.type not in present:
        return name  # torch knows more kinds than are offered by name
    if not isinstance(name, str | torch.device):
        raise NotebeamError(place, brief(name), f"one of auto, {', '.join(present)}")
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "cpu") if present[kind]))
    kind, _, index = str(name).partition(":")
    named = present.get(kind, False) and (str(name) == kind or index.isdigit())
    if not named or (kind == "cuda" and int(index or 0) >= torch.cuda.device_count()):
        there = ", ".join(kind for kind, is_there in present.items() if is_there)
        raise NotebeamError(place, str(name), f"a device of this machine ({there}) or auto")
    return torch.device(name)
