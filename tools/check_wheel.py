"""Builds the wheel and uses it away from the source tree: `python -m tools.check_wheel`.

A fresh environment sees the libraries of the Python that runs this, but not the packages of the source tree,
so that nothing but the wheel itself is installed anew.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
LEFT_OUT = (".*", "build", "*.egg-info", "runs", "benchmarks", "tests", "docs", "examples", "__pycache__")
AUDIO = TREE / "examples" / "gymnopedie.flac"
USE = """
import sys
import notebeam as nb
assert "torch" not in sys.modules, "import notebeam loads torch"
import symbolic, acoustic, transcribe
here = [module.__file__ for module in (nb, symbolic, acoustic, transcribe)]
assert all(path.startswith(sys.prefix) for path in here), here
notes = nb.read_midi("notes.mid")
assert len(notes) > 40, notes
assert nb.list_priors() and nb.load_prior("event-rnn-nade/piano").card is not None
print("wheel", nb.__version__, "transcribed", len(notes), "notes away from the source tree")
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # From a copy: setuptools would leave its build folder in the tree, and pack stale files out of it.
        copy = shutil.copytree(TREE, folder / "source", ignore=shutil.ignore_patterns(*LEFT_OUT))
        run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(copy)], folder)
        wheel = next(folder.glob("*.whl"))
        venv.create(folder / "env", with_pip=True)
        python = folder / "env" / "bin" / "python"
        run([str(python), "-m", "pip", "install", "-q", "--no-deps", str(wheel)], folder)
        see_libraries(python, folder)
        command = str(folder / "env" / "bin" / "transcribe")
        run([command, str(AUDIO), "-o", "notes.mid", "--html", "page.html"], folder)
        run([str(python), "-c", USE], folder)
    return 0


def see_libraries(python: Path, folder: Path) -> None:
    """Let the environment of `python` import what this one has, after its own packages."""
    question = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run([str(python), "-c", question], folder).strip())
    # Folders that a .pth file adds have their own .pth files ignored: an editable install there stays out.
    libraries = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    (site / "libraries.pth").write_text("\n".join(libraries) + "\n")


def run(command: Sequence[str], folder: Path) -> str:
    """Standard output of a command, which must succeed; run in a folder and without PYTHONPATH."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    print(done.stdout, end="")
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} ...: exit code {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
