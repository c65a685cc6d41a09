"""Imports, read from every source: one direction between packages, folders and files; and light."""

import ast
import subprocess
import sys
from collections.abc import Collection
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
CORE = {
    "allocation",
    "arrays",
    "checkpoints",
    "checks",
    "clock",
    "config",
    "console",
    "datasets",
    "devices",
    "errors",
    "files",
    "lazy",
    "midi",
    "midi_writing",
    "notes",
    "pitch",
    "planes",
    "posteriorgram",
    "runlog",
}
MOST_FILES, MOST_LEVELS, MOST_ARROWS = 16, 9, 45  # of symbolic/decoding
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


def arrows_within(package: str) -> dict[str, set[str]]:
    """Which files of a package each of its files imports, dotted; the package's lazy `__init__` aside."""
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in files_of(package)
    }
    del names[package]
    return {
        name: {module_of(target, names) for target in imported(path.read_text(encoding="utf-8"))} - {name, ""}
        for name, path in names.items()
    }


def module_of(target: str, names: Collection[str]) -> str:
    """The file that an imported dotted name is, or is in; "" for none of these."""
    while target and target not in names:
        target = target.rpartition(".")[0]
    return target


def between_folders(arrows: dict[str, set[str]], depth: int) -> dict[str, set[str]]:
    """The arrows between folders, or files that lie beside them, so many parts deep."""
    found: dict[str, set[str]] = {}
    for name, targets in arrows.items():
        start = ".".join(name.split(".")[:depth])
        ends = {".".join(target.split(".")[:depth]) for target in targets}
        found[start] = found.get(start, set()) | (ends - {start})
    return found


def levels_of(arrows: dict[str, set[str]]) -> list[set[str]]:
    """Names by level: each imports from lower levels alone. Raises where some import in a circle."""
    levels: list[set[str]] = []
    rest = dict(arrows)
    while rest:
        level = {name for name, targets in rest.items() if not targets & rest.keys()}
        if not level:
            raise AssertionError(f"a circle among {', '.join(sorted(circle_in(rest)))}")
        levels.append(level)
        rest = {name: targets for name, targets in rest.items() if name not in level}
    return levels


def circle_in(arrows: dict[str, set[str]]) -> set[str]:
    """What is left once nobody is left whom nobody imports."""
    while unused := arrows.keys() - set().union(*arrows.values()):
        arrows = {name: targets for name, targets in arrows.items() if name not in unused}
    return set(arrows)


def test_levels_are_counted_and_circles_found() -> None:
    arrows = {"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": {"c"}}
    assert levels_of(arrows) == [{"c"}, {"b", "d"}, {"a"}]
    with pytest.raises(AssertionError, match="a circle among a, b, c"):
        levels_of(arrows | {"c": {"a"}})
    assert between_folders({"p.a.x": {"p.b.y", "p.a.z"}, "p.c": {"p.a.x"}}, 2) == {
        "p.a": {"p.b"},
        "p.c": {"p.a"},
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_imports_in_a_circle(package: str) -> None:
    arrows = arrows_within(package)
    assert sum(map(len, arrows.values())) > 5
    levels_of(arrows)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_imports_in_a_circle(package: str) -> None:
    levels_of(between_folders(arrows_within(package), 2))


def test_the_decoder_can_be_seen() -> None:
    folder = "symbolic.decoding"
    arrows = {
        name: {target for target in targets if target.startswith(f"{folder}.")}
        for name, targets in arrows_within("symbolic").items()
        if name.startswith(f"{folder}.")
    }
    assert 10 < len(arrows) <= MOST_FILES
    assert len(levels_of(arrows)) <= MOST_LEVELS
    assert sum(map(len, arrows.values())) <= MOST_ARROWS


def loaded_after(statement: str) -> list[str]:
    """Heavy libraries that a fresh interpreter holds after a statement."""
    code = f"import sys; {statement}; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_importing_the_packages_is_light() -> None:
    assert loaded_after("import notebeam, symbolic, acoustic, transcribe") == []


def test_importing_the_core_types_is_light() -> None:
    modules = ", ".join(f"symbolic.{name}" for name in sorted(CORE))
    assert loaded_after(f"import {modules}") == []
