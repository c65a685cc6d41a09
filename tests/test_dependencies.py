"""What is imported is declared in pyproject.toml, and what is declared is imported."""

import ast
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

TREE = Path(__file__).parents[1]
OURS = {"notebeam", "symbolic", "acoustic", "transcribe", "benchmarks", "tests", "tools"}
# Names of modules that differ from those of their distributions.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml"}
TOOLS = {"ruff", "mypy"}  # run as commands
# Imported only where they are asked for.
EXTRAS = ("video", "frontends", "onnx", "archive", "score", "written")


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def declared(extra: str | None = None) -> set[str]:
    """Names of the distributions that the package, or an extra of it, requires."""
    table = project()
    entries = table["dependencies"] if extra is None else table["optional-dependencies"][extra]
    return {entry.split(">=")[0].split("[")[0].strip() for entry in entries}


def imported(folders: Iterable[str]) -> set[str]:
    """Distributions that Python files import, anywhere in them; not the standard library nor this project."""
    found: set[str] = set()
    for folder in folders:
        root = TREE / folder
        for path in [root] if root.is_file() else root.rglob("*.py"):
            # Test files import each other's helpers without a package.
            helpers = {other.stem for other in (TREE / "tests").glob("*.py")} if folder == "tests" else set()
            found |= imports_of(ast.parse(path.read_text(encoding="utf-8"))) - helpers
    return {DISTRIBUTIONS.get(name, name) for name in found - OURS - sys.stdlib_module_names}


def imports_of(tree: ast.AST) -> set[str]:
    """First parts of all absolute imports of a file."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_the_packages_import_what_is_declared_and_no_more() -> None:
    optional = set().union(*map(declared, EXTRAS))
    assert imported(["notebeam.py", "symbolic", "acoustic", "transcribe"]) - declared() == optional
    assert optional <= declared("dev")  # each is tested


def test_what_is_declared_is_imported() -> None:
    # A library of the benchmarks alone would belong into their extra.
    assert declared() <= imported(["notebeam.py", "symbolic", "acoustic", "transcribe"])


@pytest.mark.parametrize(("folder", "extra"), [("tests", "dev"), ("benchmarks", "benchmarks")])
def test_tests_and_benchmarks_import_what_their_extra_declares(folder: str, extra: str) -> None:
    more = imported([folder]) - declared()
    assert more <= declared(extra) | declared("dev")
    through_the_packages = set().union(*map(declared, EXTRAS))
    assert declared(extra) - TOOLS - through_the_packages <= more


def test_examples_and_tools_need_only_the_package() -> None:
    assert imported(["examples", "tools"]) <= declared()


def test_lower_bounds_only() -> None:
    table = project()
    entries = [
        *table["dependencies"],
        *(e for extra in table["optional-dependencies"].values() for e in extra),
    ]
    assert all(">=" in entry and "<" not in entry and "==" not in entry for entry in entries)


def test_one_version_everywhere() -> None:
    version = project()["version"]
    assert f"\nversion: {version}\n" in (TREE / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (TREE / "CHANGELOG.md").read_text(encoding="utf-8")
    assert next(line for line in changelog.splitlines() if line.startswith("## ")) == f"## {version}"
