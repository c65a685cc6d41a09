"""Imports: one direction, and light.

Is: the arrows transcribe -> acoustic -> symbolic, read from the source of every file.
Is not: a check of style.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("symbolic", "acoustic", "transcribe")
AUDIO_LIBRARIES = {"librosa", "soundfile", "soxr", "torchaudio", "audioread"}
FORBIDDEN = {
    "symbolic": {"acoustic", "transcribe", "benchmarks", "tests"} | AUDIO_LIBRARIES,
    "acoustic": {"transcribe", "benchmarks", "tests"},
    "transcribe": {"benchmarks", "tests"},
}
# What acoustic may see of symbolic: core types and data, no prior and no decoder.
CORE = {"clock", "config", "datasets", "errors", "files", "midi", "notes", "pitch", "posteriorgram"}
HEAVY = ("torch", "librosa", "matplotlib", "onnxruntime", "scipy", "sklearn", "symusic", "mido")


def imported(source: str) -> set[str]:
    """Dotted names that a source imports anywhere, in functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # A relative import could hide its package; the project writes names in full.
            names.add(node.module if node.level == 0 and node.module else "a relative import")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files_of(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def test_the_reader_of_imports_sees_every_form() -> None:
    source = "import a.b\nfrom c import d\ndef f():\n    import e as g\n    from . import h\n"
    assert imported(source) >= {"a.b", "c", "c.d", "e", "a relative import"}


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package: str) -> None:
    files = files_of(package)
    assert files
    for path in files:
        names = imported(path.read_text(encoding="utf-8"))
        wrong = {name for name in names if name.split(".")[0] in FORBIDDEN[package] | {"a relative import"}}
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_acoustic_sees_only_the_core_types_of_symbolic() -> None:
    for path in files_of("acoustic"):
        names = imported(path.read_text(encoding="utf-8"))
        parts = {name.split(".")[1] for name in names if name.startswith("symbolic.")}
        assert parts <= CORE, f"{path.relative_to(ROOT)} imports {parts - CORE} of symbolic"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_says_what_it_is(package: str) -> None:
    for path in files_of(package):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path.relative_to(ROOT)


def loaded_after(statement: str) -> list[str]:
    """Heavy libraries that a fresh interpreter holds after a statement."""
    code = f"import sys; {statement}; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_importing_the_packages_is_light() -> None:
    assert loaded_after("import symbolic, acoustic, transcribe") == []


def test_importing_the_core_types_is_light() -> None:
    modules = ", ".join(f"symbolic.{name}" for name in sorted(CORE))
    assert loaded_after(f"import {modules}") == []
