"""Models of one's own, for the commands of all packages: a module that registers them is imported by name."""

import importlib
import sys
from pathlib import Path

from symbolic.errors import NotebeamError

MODULE_HELP = "a Python module that registers a model of your own, imported first"


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
