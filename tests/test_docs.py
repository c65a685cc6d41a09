"""What the pages say is so: links resolve, code runs, options exist, tables agree."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pages import (
    GENERATED,
    PAGES,
    TREE,
    Block,
    blocks_of,
    headings_of,
    in_tree,
    links_of,
    section_of,
    slug,
    without_code,
)

from symbolic.decoding.decode import DECODERS
from symbolic.decoding.options import METHODS
from symbolic.priors.registry import PRIORS

README = TREE / "README.md"
NAMES = [str(page.relative_to(TREE)) for page in PAGES]
WITH_PYTHON = [page for page in PAGES if any((b.language, b.word) == ("python", "") for b in blocks_of(page))]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run a page in, with the examples beside it as in a checkout."""
    (tmp_path / "examples").symlink_to(TREE / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_resolve(page: Path) -> None:
    for link in links_of(page):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link}: no such file"
        if anchor:
            assert anchor in [slug(heading) for heading in headings_of(target)], f"{link}: no such section"


def test_every_page_and_figure_can_be_reached() -> None:
    linked = {(page.parent / link.partition("#")[0]).resolve() for page in PAGES for link in links_of(page)}
    files = [*(TREE / "docs").rglob("*.md"), *(TREE / "docs").rglob("*.png")]
    assert [str(file) for file in files if file not in linked] == []


@pytest.mark.parametrize("picture", sorted((TREE / "docs").rglob("*.png")), ids=lambda path: path.name)
def test_every_picture_is_written_by_one_command_which_its_page_names(picture: Path) -> None:
    sources = [*(TREE / "tools").glob("*.py"), *(TREE / "benchmarks").rglob("*.py")]
    writers = [
        source.relative_to(TREE).with_suffix("").as_posix().replace("/", ".")
        for source in sources
        if f'"figures" / "{picture.name}"' in source.read_text(encoding="utf-8")
    ]
    assert len(writers) == 1, writers
    shown = [page for page in PAGES if any(link.endswith(f"/{picture.name}") for link in links_of(page))]
    for page in shown:
        assert f"`python -m {writers[0]}`" in page.read_text(encoding="utf-8"), page.name


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_line_is_longer_than_120_characters(page: Path) -> None:
    # A row of a generated table cannot be broken.
    text = GENERATED.sub(lambda match: "\n" * match[0].count("\n"), page.read_text(encoding="utf-8"))
    assert [line for line in text.splitlines() if len(line) > 120] == []


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 160


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_code_is_run_or_marked(page: Path) -> None:
    for block in blocks_of(page):
        where = f"{page.name} line {block.line}"
        assert block.language in ("python", "sh", "text", "toml", "bibtex"), where
        assert block.word in ("", "no-run") or block.language == "toml", where
        # Shell commands of other pages need data or time; those of docs/training.md are a newcomer's test.
        if block.language == "sh" and block.word == "":
            assert page.name in ("README.md", "training.md"), where


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_python_runs(page: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # A page may register a decoder or a prior of its own: other tests must not meet it.
    registries: list[dict[Any, Any]] = [METHODS, DECODERS, PRIORS]
    before = [dict(registry) for registry in registries]
    try:
        run_python(page)
    finally:
        for registry, known in zip(registries, before, strict=True):
            registry.clear()
            registry.update(known)


def run_python(page: Path) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks_of(page):
        if (block.language, block.word) == ("python", ""):
            # Lines are the page's, so that a traceback points into it.
            exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), names)


def shell(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a block of shell commands."""
    return subprocess.run(
        ["bash", "-e", "-c", block.code],
        cwd=folder,
        env=in_tree(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_readmes_command_prints_what_the_readme_shows(folder: Path) -> None:
    blocks = blocks_of(README)
    place = next(i for i, block in enumerate(blocks) if (block.language, block.word) == ("sh", ""))
    command, shown = blocks[place], blocks[place + 1]
    assert shown.language == "text"
    done = shell(command, folder)
    assert done.returncode == 0, done.stderr
    last, expected = done.stderr.splitlines()[-1], shown.code.strip()
    # Times differ from run to run, and a note or two from machine to machine.
    numbers = r"\d+(?:\.\d+)?"
    assert re.sub(numbers, "N", last) == re.sub(numbers, "N", expected)
    count, there = (int(re.search(r"(\d+) notes", line)[1]) for line in (last, expected))  # type: ignore[index]
    assert abs(count - there) <= 2
    assert (folder / "notes.mid").is_file()


def test_every_option_of_the_command_is_explained_and_no_other() -> None:
    from transcribe.arguments import build_parser

    options = {option for action in build_parser()._actions for option in action.option_strings}
    text = (TREE / "docs" / "command.md").read_text(encoding="utf-8")
    explained = {word for cell in re.findall(r"^\| (`-.*?) \|", text, re.MULTILINE) for word in flags(cell)}
    assert explained == options
    for page in PAGES:
        for block in blocks_of(page):
            for line in block.code.splitlines():
                if line.startswith("transcribe ") and block.language == "sh":
                    assert flags(line.partition("#")[0]) <= options, f"{page.name}: {line}"


def flags(text: str) -> set[str]:
    """Options in a line of shell or of a table."""
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", text))


def test_every_public_name_is_on_the_page_about_python() -> None:
    import notebeam

    text = (TREE / "docs" / "python.md").read_text(encoding="utf-8")
    first = text.split("\n## ")[0]
    assert set(re.findall(r"`(\w+)`", first)) - {"pitch"} == {*notebeam.__all__} - {"__version__"}


def test_every_key_of_a_training_config_is_explained_and_no_other() -> None:
    from dataclasses import fields

    from symbolic.training.config import TABLES, TrainingConfig

    section = section_of(TREE / "docs" / "training.md", "all-keys-of-a-config")
    tables = {name: section.partition(f"| `[{name}]` |")[2].partition("\n\n")[0] for name in TABLES}
    for name, kind in TABLES.items():
        cells = re.findall(r"^\| (`[^|]+) \|", tables[name], re.MULTILINE)
        assert {word for cell in cells for word in re.findall(r"`(\w+)`", cell)} == {
            f.name for f in fields(kind)
        }
    top = {field.name for field in fields(TrainingConfig)} - {*TABLES, "options"}
    assert top <= set(re.findall(r"`(\w+)`", section.partition("\n| ")[0]))


def test_the_page_about_decoding_names_every_file_of_it() -> None:
    section = section_of(TREE / "docs" / "decoding.md", "how-the-search-works")
    cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    named = {word for cell in cells for word in re.findall(r"`(\w+)`", cell)}
    assert named == {path.stem for path in (TREE / "symbolic" / "decoding").glob("*.py")} - {"__init__"}


def test_modules_that_the_pages_name_exist() -> None:
    names = set()
    for page in PAGES:
        if page.name == "CHANGELOG.md":
            continue
        text = page.read_text(encoding="utf-8")
        names |= set(
            re.findall(r"`((?:symbolic|acoustic|transcribe|benchmarks)(?:[./]\w+)+(?:\.\w+)?)`", text)
        )
        names |= set(re.findall(r"python -m ((?:symbolic|acoustic|benchmarks|tools)[.\w]*)", text))
    missing = [name for name in sorted(names) if "NAME" not in name and not is_there(name)]
    assert missing == []


def is_there(name: str) -> bool:
    """Whether a name as a page writes it is a file, a folder, a module, or something of a module."""
    if (TREE / name).exists():
        return True
    parts = name.split(".")
    for count in (len(parts), len(parts) - 1):
        base = TREE.joinpath(*parts[:count])
        if base.with_suffix(".py").is_file() or base.is_dir():
            if count == len(parts):
                return True
            source = base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"
            return source.is_file() and parts[-1] in source.read_text(encoding="utf-8")
    return False


def test_pages_keep_to_the_plain_words() -> None:
    # Words that once stood for the field's own.
    coined = r"\b(?:posteriors|spoilt|foretell|so-manieth|foretold)\b"
    for page in PAGES:
        if page.name == "CHANGELOG.md":  # it also names what once was
            continue
        assert re.findall(coined, without_code(page.read_text(encoding="utf-8"))) == [], page.name
