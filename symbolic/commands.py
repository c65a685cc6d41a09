"""What every command does with a user's errors and interrupts: one line on stderr, and an exit code."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

from symbolic.errors import NotebeamError

MODULE_HELP = "a Python module that registers a model of your own, imported first"
INTERRUPTED = 130  # as a shell does: 128 and the signal's number


def exit_code(command: str, work: Callable[[], None], *, when_interrupted: str = "interrupted") -> int:
    """Do a command's work; 0, or 1 after an error that a user can cause, or 130 after Ctrl-C."""
    try:
        work()
    except (NotebeamError, OSError, MemoryError) as error:
        text = " ".join(str(error).splitlines()) or "not enough memory"
        print(f"{command}: {text}", file=sys.stderr)  # noqa: T201, the one line of a command
        return 1
    except KeyboardInterrupt:
        print(f"{command}: {when_interrupted}", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    return 0


def import_models(module: str, place: str = "--module", beside: Path | None = None) -> None:
    """Import a module, which registers models (priors.registry.register_prior).

    It is looked for in the working folder, in the folder `beside`, and among what is installed.

    Raises:
        NotebeamError: it is found nowhere. What it raises itself is left as it is.
    """
    folders = [str(Path.cwd()), *([str(beside.resolve())] if beside is not None else [])]
    sys.path[:0] = folders
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # one that the module itself asks for
        expected = "a Python module in the working folder, beside the config, or installed"
        raise NotebeamError(place, module, expected) from error
    finally:
        for folder in folders:
            sys.path.remove(folder)
