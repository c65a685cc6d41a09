"""What the benchmarks and tools import is there: no type checker reads them, and they run rarely."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path for folder in ("benchmarks", "tools") for path in (ROOT / folder).rglob("*.py"))
OURS = ("benchmarks", "symbolic", "acoustic", "transcribe", "tools")


def defined(module: Path) -> set[str]:
    """Names at a module's top level, in branches too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_name_that_is_imported_exists(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] not in OURS:
            continue
        place = ROOT.joinpath(*str(node.module).split("."))
        module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        assert module.is_file() or place.is_dir(), f"{path}: no module {node.module}"
        names = defined(module) if module.is_file() else set()
        missing = {
            alias.name
            for alias in node.names
            if alias.name not in names
            and not (place / alias.name).is_dir()
            and not (place / f"{alias.name}.py").is_file()
        }
        assert not missing, f"{path}: {node.module} has no {', '.join(missing)}"
