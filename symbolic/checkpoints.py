"""Weights and checkpoints on disk: tensors as safetensors, written whole, checked when they are read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symbolic.errors import NotebeamError
from symbolic.files import check_writable, open_file, parse_json, replacing

if TYPE_CHECKING:  # torch takes seconds, and the acoustic package imports this early
    from torch import Tensor


def check_weights_path(path: Path, place: str) -> None:
    """Refuse a path that weights cannot be written to, before they are made; their card lies beside it.

    Raises:
        NotebeamError: it does not end in .safetensors, or one of the two cannot be written.
    """
    if path.suffix != ".safetensors":
        raise NotebeamError(place, str(path), "a path that ends in .safetensors")
    for file in (path, path.with_suffix(".json")):
        check_writable(file, f"{place} {file}")


def write_tensors(
    path: Path, tensors: "Mapping[str, Tensor]", metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors, from whatever device, as `path`; until all is written the former file stays.

    Raises:
        OSError: with `path` as its file, when the disk is full or the folder cannot be written in.
    """
    from safetensors.torch import save

    # Copied: weights and averages may share memory, which safetensors refuses.
    plain = {name: values.detach().cpu().clone().contiguous() for name, values in tensors.items()}
    with replacing(path) as temporary:
        # Not by its save_file: nobody but their owner may read its files, and its errors hide the system's.
        temporary.write_bytes(save(plain, metadata=dict(metadata or {})))


def read_tensors(
    path: Path,
    expected: str,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    renamed: Mapping[str, str] | None = None,
) -> "tuple[dict[str, Tensor], dict[str, str]]":
    """Tensors of a file, on the CPU, and its metadata.

    Args:
        path: of the file.
        expected: what it should be, in words for an error: "weights as safetensors".
        shapes: of every tensor that must be there, and of no other; None: whatever is there.
        renamed: today's name of tensors that older files call otherwise.

    Raises:
        NotebeamError: no such file, no safetensors, other names or shapes, or a number that is not finite.
    """
    from safetensors import SafetensorError, safe_open

    open_file(path, expected).close()  # the library waits at pipes, and says nothing of what is wrong
    try:
        with safe_open(path, framework="pt") as file:
            stored = {(renamed or {}).get(name, name): name for name in file.keys()}
            if shapes is not None:  # before anything is read
                found = {name: tuple(file.get_slice(at).get_shape()) for name, at in stored.items()}
                check_shapes(path, found, shapes)
            tensors = {name: file.get_tensor(at) for name, at in stored.items()}
            metadata = dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise NotebeamError(str(path), f"a file that cannot be read ({error})", expected) from error
    for name, values in tensors.items():
        if values.is_floating_point() and not values.isfinite().all():
            raise NotebeamError(f"weights of {path}", f"not finite: {name}", "finite numbers")
    return tensors, metadata


def parse_metadata(path: Path, metadata: Mapping[str, str], names: Sequence[str], expected: str) -> list[Any]:
    """What a file's metadata hold as JSON under these names, all of which must be there."""
    for name in names:
        if name not in metadata:
            raise NotebeamError(str(path), f"no {name} in it", expected)
    return [parse_json(metadata[name], f"{path}: {name}", expected) for name in names]


def below(tensors: "Mapping[str, Tensor]", prefix: str) -> "dict[str, Tensor]":
    """Tensors whose names begin so, without that beginning."""
    return {name.removeprefix(prefix): values for name, values in tensors.items() if name.startswith(prefix)}


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
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
