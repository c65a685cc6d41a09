"""Readers of the data sets, one a file. Where the data lies, and where archives are unpacked.

Is: the two folders and the unpacking.
Is not: the data, which is not part of the project.
"""

import lzma
import os
import secrets
import tarfile
import zlib
from pathlib import Path

from symbolic.errors import NotebeamError
from symbolic.files import stamp, temporary_folder

__all__ = ["cache_folder", "data_file", "root", "unpacked"]


def root() -> Path:
    """Folder of the data: NOTEBEAM_DATA, else `shared/data` beside the checkout."""
    given = os.environ.get("NOTEBEAM_DATA")
    checkout = Path(__file__).resolve().parents[2]
    return Path(given) if given else checkout.parent / "shared" / "data"


def cache_folder() -> Path:
    """Folder of everything that can be made again: NOTEBEAM_CACHE, else `~/.cache/notebeam`."""
    given = os.environ.get("NOTEBEAM_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "notebeam"


def data_file(folder: Path | None, default: str, name: str) -> Path:
    """Existing file `name` in `folder`, or in the folder `default` of the data."""
    path = (root() / default if folder is None else Path(folder)) / name
    if not path.exists():
        raise NotebeamError(
            str(path), "no such file", "the data set there (the folder of data is NOTEBEAM_DATA)"
        )
    return path


def unpacked(archive: Path) -> Path:
    """Folder with the content of a tar archive, unpacked at its first use."""
    # Size and time are in the name: a changed archive is another folder, not a stale one.
    label = "-".join((archive.name.split(".")[0], *(f"{number:x}" for number in stamp(archive))))
    folder = cache_folder() / archive.resolve().parent.name / label
    if folder.is_dir():
        return folder
    # Unpacked elsewhere and renamed, so that the folder is whole or not there, whoever else unpacks it too.
    try:
        with temporary_folder(folder.with_name(f".{label}.{secrets.token_hex(4)}")) as temporary:
            with tarfile.open(archive) as tar:
                tar.extractall(temporary, filter="data")
            try:
                temporary.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
    except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error, ValueError, OverflowError) as error:
        damage = f"damage ({type(error).__name__})"
        raise NotebeamError(str(archive), damage, "a whole tar archive") from error
    return folder
