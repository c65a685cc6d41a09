"""MuseScore without a display: files turned into others, and what it makes of music."""

import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

NAMES = ("mscore3", "musescore3", "mscore", "musescore", "mscore4", "mscore4portable")
SECONDS = 120.0  # that it may take for one file


def musescore() -> str | None:
    """The program, if it is installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def convert(source: Path, target: Path) -> None:
    """Open a file in MuseScore and save it as another: .pdf, .png, .musicxml, .mid.

    Raises:
        RuntimeError: MuseScore is not installed, or does not read the file.
    """
    program = musescore()
    if program is None:
        raise RuntimeError("MuseScore is not installed (Debian: apt-get install musescore3)")
    with tempfile.TemporaryDirectory() as home:  # its settings, and no session of a user's
        display = {"QT_QPA_PLATFORM": "offscreen", "HOME": home, "XDG_RUNTIME_DIR": home}
        done = subprocess.run(
            [program, "-o", str(target), str(source)],
            env=os.environ | display,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    written = target.with_stem(f"{target.stem}-1") if target.suffix == ".png" else target  # a file a page
    if done.returncode or not written.exists():
        raise RuntimeError(f"MuseScore: {source}: {done.stderr[-500:]}")


def as_opened(source: Path) -> str:
    """The MusicXML that MuseScore makes of a file."""
    with tempfile.TemporaryDirectory() as folder:
        convert(source, Path(folder) / "opened.musicxml")
        return (Path(folder) / "opened.musicxml").read_text(encoding="utf-8")


def ties(text: str) -> int:
    """Ties of a score's MusicXML."""
    return len(re.findall(r'<tie type="start"', text))


def metre(text: str) -> str:
    """The time signature that most bars of a score's first part have, as "3/4"."""
    bars: Counter[str] = Counter()
    signature = ""
    for bar in re.split(r"<measure\b", text.split("</part>")[0])[1:]:
        found = re.search(r"<beats>(\d+)</beats>\s*<beat-type>(\d+)</beat-type>", bar)
        signature = f"{found[1]}/{found[2]}" if found else signature
        bars[signature] += 1
    return bars.most_common(1)[0][0]
