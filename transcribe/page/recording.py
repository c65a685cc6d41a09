"""The recording of a page: mono MP3, which every browser plays and seeks in exactly.

Is: a recording between two times, compressed.
Is not: for listening closely; it is what a page can hold. Other outputs read the recording itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from transcribe.sound_files import Target, blocks_to_hear

RATE_HZ = 32_000
# soundfile's scale for the bit rate, 0..1: this is 64 kbit/s at 32 kHz, 8 kB a second.
COMPRESSION = 0.88


def write_mp3(source: Path, target: BinaryIO | Target, start: float, stop: float | None) -> None:
    """The recording from `start` to `stop` seconds (None: its end) as MP3, in bounded memory.

    Raises:
        NotebeamError: as of `acoustic.audio.read_blocks`.
    """
    import soundfile

    with soundfile.SoundFile(
        target,
        "w",
        RATE_HZ,
        channels=1,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT",  # so that browsers find a time in it without reading all before it
        compression_level=COMPRESSION,
    ) as file:
        for block in blocks_to_hear(source, start, stop, RATE_HZ):
            file.write(block)
