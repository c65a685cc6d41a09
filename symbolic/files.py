"""Output files that are never half-written.

Is: `replacing`, the one way in which the project writes a user's file.
Is not: any file format.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from symbolic.errors import NotebeamError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path`: renamed to it on success, deleted on any failure.

    The temporary file keeps the target's suffix, for writers that look at it. A link is followed,
    so that what it points to is replaced and not the link.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        # os.replace would put a plain file in the place of a device such as /dev/null.
        raise NotebeamError(str(path), "a folder or device", "the path of a plain file")
    # Beside the target, because a rename is atomic only within one file system.
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{target.suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.filename in (None, str(temporary), temporary):
            # The user named the target and has never heard of the temporary file.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    except BaseException:  # an interrupt must not leave rubbish either
        temporary.unlink(missing_ok=True)
        raise
