"""Writes the page of a transcription: markup, style, script and data in one HTML file.

Is: what goes into the file, in a form that no name or value can break out of.
Is not: how it looks and behaves (page.html, page.css, the scripts beside them).
"""

from __future__ import annotations

import base64
import html
import io
import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from symbolic.errors import NotebeamError
from symbolic.files import check_name, replacing
from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram
from transcribe.page.recording import write_mp3
from transcribe.page.tiles import COLUMNS, layers
from transcribe.sound_files import opened

LONGEST_INSIDE = 1800.0  # seconds of a recording that the page itself holds: 14 MB, 19 MB as text
BESIDE = ".mp3"  # added to the page's name: the file beside it that holds a longer one
MARK = b'id="data">{"recording":{"file":"'  # in the page of such a one
HEAD = 1 << 16  # bytes of a page, before which its data begin
TIME_UNITS = 10_000  # a second, of the notes' times: finer than a MIDI tick
CONFIDENCE_UNITS = 1_000
SCRIPTS = ("data.js", "midi.js", "sound.js", "roll.js", "page.js")  # as they build on each other


def write_page(
    path: Path, posteriorgram: Posteriorgram, notes: Notes, title: str, recording: Path | None = None
) -> Path | None:
    """Write the page; it appears whole or not at all. Returns the file beside it, if one is needed.

    Args:
        path: the page. A recording longer than `LONGEST_INSIDE` is written beside it, as `path` + ".mp3".
        posteriorgram: what is shown under the notes; it also says which part of the recording is meant.
        notes: what is shown and can be played and downloaded.
        title: the page's, such as the recording's name; any text.
        recording: the audio file; None: the notes alone are played.

    Raises:
        NotebeamError: `path` + ".mp3" would be written and is the recording, or too long a name.
        OSError: a file cannot be written.
    """
    start = posteriorgram.start
    stop = start + posteriorgram.hop * (posteriorgram.count + 1)
    audio, beside = "", None
    if recording is not None and stop - start <= LONGEST_INSIDE:
        audio = inside(recording, start, stop)
    elif recording is not None:
        beside = path.with_name(path.name + BESIDE)
        write_beside(recording, beside, start, stop)
    # As bytes: a name may be no text.
    address = beside and quote(os.fsencode(beside.name))
    data = {
        "recording": None if recording is None else {"file": address},  # first, for `lacks_recording`
        "title": title,
        "begin": start,
        "end": float(notes.offset.max(initial=stop)),
        "posteriorgram": {
            "start": start - posteriorgram.hop / 2,
            "tileColumns": COLUMNS,
            "layers": layers(posteriorgram),
        },
        "notes": note_columns(notes),
    }
    with replacing(path) as temporary:
        temporary.write_text(filled(title, data, audio), encoding="utf-8")
    return beside


def inside(recording: Path, start: float, stop: float) -> str:
    """The recording between two times, as base64 of MP3."""
    file = io.BytesIO()
    write_mp3(recording, file, start, stop)
    return base64.b64encode(file.getvalue()).decode()


def write_beside(recording: Path, beside: Path, start: float, stop: float) -> None:
    """The recording between two times, in a file of its own that never is the recording itself."""
    if beside.exists() and beside.samefile(recording):
        raise NotebeamError(str(beside), "the recording itself", "another name for the page")
    check_name(str(beside), beside)
    with replacing(beside) as temporary, opened(temporary) as target:
        write_mp3(recording, target, start, stop)


def lacks_recording(path: Path) -> bool:
    """Whether a page's recording should lie beside it and does not."""
    try:
        with open(path, "rb") as file:
            is_beside = MARK in file.read(HEAD)
    except OSError:  # no page, or one in a store
        return False
    return is_beside and not path.with_name(path.name + BESIDE).is_file()


def note_columns(notes: Notes) -> dict[str, Any]:
    """Columns of whole numbers, in `TIME_UNITS` and `CONFIDENCE_UNITS`; no confidence where none is known."""
    onset = np.rint(np.maximum(notes.onset, 0.0) * TIME_UNITS).astype(np.int64)
    # At least one unit long: a note without length would not come back.
    offset = np.maximum(np.rint(notes.offset * TIME_UNITS).astype(np.int64), onset + 1)
    confidence = notes.confidence
    return {
        "timeUnits": TIME_UNITS,
        "confidenceUnits": CONFIDENCE_UNITS,
        "onset": onset.tolist(),
        "length": (offset - onset).tolist(),
        "pitch": notes.pitch.tolist(),
        "velocity": notes.velocity.tolist(),
        "confidence": None
        if confidence is None
        else np.rint(confidence.astype(np.float64) * CONFIDENCE_UNITS).astype(np.int64).tolist(),
    }


def filled(title: str, data: dict[str, Any], audio: str) -> str:
    """The whole page; `audio` is base64, "" for none."""
    parts = {
        "title": html.escape(one_title(title)),
        "style": _read("page.css"),
        "data": in_script(data),
        "audio": audio,
        "script": "\n".join(_read(name) for name in SCRIPTS),
    }
    before, *rest = _read("page.html").split("{{")
    # In one pass, so that nothing that is put in is looked at again.
    return before + "".join(parts[name] + text for name, text in (part.split("}}", 1) for part in rest))


def one_title(title: str) -> str:
    """A title that is text: a file's name may hold bytes that are none."""
    return title.encode("utf-8", "replace").decode()


def in_script(data: object) -> str:
    """JSON that can stand in a script element: nothing in it ends the element, or begins a comment."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _read(name: str) -> str:
    return files("transcribe.page").joinpath(name).read_text(encoding="utf-8")
