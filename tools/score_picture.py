"""Draws the command page's score of the bundled recording: `python -m tools.score_picture`.

Needs MuseScore, and the extra `score`.
"""

import tempfile
from pathlib import Path

import numpy as np
from matplotlib.image import imread, imsave

import notebeam as nb
from benchmarks.lib.musescore import convert
from transcribe.musicxml import write_score

TREE = Path(__file__).resolve().parent.parent
AUDIO = TREE / "examples" / "gymnopedie.flac"
PICTURE = TREE / "docs" / "figures" / "score.png"
EDGE = 12  # pixels of white around the music
INK = 0.9  # below it a pixel is not paper


def main() -> int:
    result = nb.transcribe(AUDIO, beats="auto")
    assert result.beats is not None
    with tempfile.TemporaryDirectory() as name:
        score = Path(name) / "score.musicxml"
        write_score(score, result.notes, result.beats)
        convert(score, Path(name) / "page.png")
        page = imread(Path(name) / "page-1.png")
    # MuseScore draws on a transparent page.
    shown = page[..., :3] * page[..., 3:] + 1 - page[..., 3:]
    rows, columns = np.nonzero(shown.min(axis=2) < INK)
    top, left = max(0, rows.min() - EDGE), max(0, columns.min() - EDGE)
    imsave(PICTURE, shown[top : rows.max() + EDGE, left : columns.max() + EDGE])
    print(f"{PICTURE}: written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
