"""POP909: pop songs arranged for piano.

Is: the songs as notes, melody, bridge and piano joined, at the song's tempo.
Is not: the beats, chords and keys that exist for them.
"""

from dataclasses import dataclass
from pathlib import Path

from symbolic.datasets import data_file, unpacked
from symbolic.midi import read_midi
from symbolic.notes import Notes

TRACKS = ("MELODY", "BRIDGE", "PIANO")


@dataclass(frozen=True)
class Song:
    """One song as one piano plays it; offsets are extended by the pedal."""

    name: str  # "001" .. "909"
    notes: Notes


def read_pop909(folder: Path | None = None) -> list[Song]:
    """All songs in order, from `songs.tar.xz` in `folder` (default: the data's `pop909`)."""
    files = unpacked(data_file(folder, "pop909", "songs.tar.xz"))
    return [Song(path.stem, read_midi(path, tracks=TRACKS)) for path in sorted(files.glob("*.mid"))]
