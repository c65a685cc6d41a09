"""Draws the command page's picture, the page of the bundled recording: `python -m tools.page_picture`.

Needs Debian's Chromium.
"""

import subprocess
import tempfile
from pathlib import Path

import notebeam as nb
from transcribe.page.page import write_page

TREE = Path(__file__).resolve().parent.parent
AUDIO = TREE / "examples" / "gymnopedie.flac"
PICTURE = TREE / "docs" / "figures" / "page.png"
SIZE = (1180, 620)  # pixels
PATIENCE = 3000  # ms that the page gets to draw itself


def main() -> int:
    result = nb.transcribe(AUDIO)
    with tempfile.TemporaryDirectory() as name:
        target = Path(name) / "page.html"
        write_page(target, result.posteriorgram, result.notes, AUDIO.name, AUDIO)
        options = (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={name}/profile",
            f"--window-size={SIZE[0]},{SIZE[1]}",
            f"--virtual-time-budget={PATIENCE}",
            f"--screenshot={PICTURE}",
        )
        subprocess.run(["chromium", *options, target.as_uri()], check=True, capture_output=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
