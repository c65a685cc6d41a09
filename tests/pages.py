"""The project's Markdown pages as tests read them: code blocks, links, sections."""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

TREE = Path(__file__).parents[1]
PAGES = sorted([*TREE.glob("*.md"), *(TREE / "docs").rglob("*.md")])
GENERATED = re.compile(r"<!-- table: [\w-]+ -->.*?<!-- end -->", re.DOTALL)
# Blocks that are marked are not run: `sh no-run`, `python no-run`.
UNMARKED = ("python", "sh")


@dataclass(frozen=True)
class Block:
    """One fenced block of code."""

    page: Path
    line: int  # of its first line of code, the page's first line being 1
    language: str
    word: str  # what stands after the language: "no-run", or a file's name
    code: str


def blocks_of(page: Path, text: str | None = None) -> list[Block]:
    """All fenced blocks of a page, or of a part of it, in order."""
    found: list[Block] = []
    opened: tuple[int, str] | None = None
    lines = (page.read_text(encoding="utf-8") if text is None else text).splitlines()
    for number, line in enumerate(lines, 1):
        if not line.startswith("```"):
            continue
        if opened is None:
            opened = number, line[3:].strip()
            continue
        begin, info = opened
        language, _, word = info.partition(" ")
        found.append(Block(page, begin + 1, language, word, "\n".join(lines[begin : number - 1]) + "\n"))
        opened = None
    assert opened is None, f"{page}: a block that begins at line {opened} does not end"
    return found


def without_code(text: str) -> str:
    """A page's text without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def links_of(page: Path) -> list[str]:
    """Targets of all links and pictures of a page."""
    return re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8")))


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def headings_of(page: Path) -> list[str]:
    """Texts of a page's headings."""
    return re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), flags=re.MULTILINE)


def section_of(page: Path, anchor: str) -> str:
    """Text of the section with that anchor, up to the next heading of its level or above."""
    lines, level, inside, fenced = [], 0, False, False
    for line in page.read_text(encoding="utf-8").splitlines():
        fenced ^= line.startswith("```")
        match = None if fenced else re.match(r"(#+) (.+)", line)
        if match and inside and len(match[1]) <= level:
            break
        if match and slug(match[2]) == anchor:
            inside, level = True, len(match[1])
        if inside:
            lines.append(line)
    assert lines, f"{page}: no section #{anchor}"
    return "\n".join(lines) + "\n"


def in_tree() -> dict[str, str]:
    """Environment for commands of the pages: this tree's packages, this Python's commands, one thread."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(TREE), "OMP_NUM_THREADS": "1"}
