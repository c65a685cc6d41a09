"""Weights and checkpoints on disk: tensors as safetensors, written whole, checked when they are read."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from symbolic.errors import NotebeamError
from symbolic.files import open_file, replacing

if TYPE_CHECKING:  # torch takes seconds, and the acoustic package imports this early
    from torch import Tensor


def write_tensors(
    path: Path, tensors: "Mapping[str, Tensor]", metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors, from whatever device, as `path`; until all is written the former file stays.

    Raises:
        OSError: with `path` as its file, when the disk is full or the folder cannot be written in.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    # Copied: weights and averages may share memory, which safetensors refuses.
    plain = {name: values.detach().cpu().clone().contiguous() for name, values in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        try:
            save_file(plain, temporary, metadata=dict(metadata or {}))
        except SafetensorError as error:
            # The library wraps what the system says: "I/O error: File too large (os error 27)".
            number = re.search(r"os error (\d+)", str(error))
            code = int(number[1]) if number else 0
            raise OSError(code, os.strerror(code) if code else str(error), str(path)) from error


def read_tensors(
    path: Path, expected: str, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> "tuple[dict[str, Tensor], dict[str, str]]":
    """Tensors of a file, on the CPU, and its metadata.

    Args:
        path: of the file.
        expected: what it should be, in words for an error: "weights as safetensors".
        shapes: of every tensor that must be there, and of no other; None: whatever is there.

    Raises:
        NotebeamError: no such file, no safetensors, other names or shapes, or a number that is not finite.
    """
    from safetensors import SafetensorError, safe_open

    open_file(path, expected).close()  # the library waits at pipes, and says nothing of what is wrong
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            if shapes is not None:  # before anything is read
                found = {name: tuple(file.get_slice(name).get_shape()) for name in names}
                check_shapes(path, found, shapes)
            tensors = {name: file.get_tensor(name) for name in names}
            metadata = dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise NotebeamError(str(path), f"a file that cannot be read ({error})", expected) from error
    for name, values in tensors.items():
        if values.is_floating_point() and not values.isfinite().all():
            raise NotebeamError(f"weights of {path}", f"not finite: {name}", "finite numbers")
    return tensors, metadata


def check_shapes(
    path: Path, found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuse the first tensor of a file that is missing, or one too many, or of another shape."""
    for name in sorted(set(wanted) | set(found)):
        if name not in found or name not in wanted:
            got = "no such tensor" if name not in found else "a tensor too many"
            expected = f"the tensors of the model on the card ({len(wanted)})"
            raise NotebeamError(f"{path} {name}", got, expected)
        if found[name] != wanted[name]:
            raise NotebeamError(f"{path} {name}", found[name], f"shape {wanted[name]}")


def shapes_of(tensors: "Mapping[str, Tensor]") -> dict[str, tuple[int, ...]]:
    """Shape of each tensor."""
    return {name: tuple(values.shape) for name, values in tensors.items()}


def write_json(path: Path, content: object) -> None:
    """Write a card or the like, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
