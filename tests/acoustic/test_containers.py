"""What the bytes of a recording tell of losses that decoders leap over."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from acoustic.audio import RATE_HZ, DamagedRecording, read_audio
from acoustic.containers import layout

SAMPLES = np.random.default_rng(0).normal(0, 0.1, 8 * RATE_HZ)


def pages(data: bytes) -> list[bytes]:
    """Pages of an Ogg file."""
    return [b"OggS" + page for page in data.split(b"OggS")[1:]]


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_page_of_ogg_that_is_lost_or_damaged_is_said(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "a.ogg"
    soundfile.write(path, SAMPLES, RATE_HZ, format="OGG", subtype=subtype)
    data = path.read_bytes()
    assert layout(path).fault == "" and len(read_audio(path)) == pytest.approx(len(SAMPLES), abs=RATE_HZ / 50)
    parts = pages(data)
    assert len(parts) > 4
    path.write_bytes(b"".join(parts[:3] + parts[4:]))
    with pytest.raises(DamagedRecording, match="a page is missing"):
        read_audio(path)
    path.write_bytes(b"".join([*parts[:3], parts[3][:-9] + b"?" + parts[3][-8:], *parts[4:]]))
    with pytest.raises(DamagedRecording, match="a damaged page"):
        read_audio(path)
    path.write_bytes(data + data)  # a chain begins to count anew
    assert len(read_audio(path)) == pytest.approx(2 * len(SAMPLES), abs=RATE_HZ / 25)


def test_a_long_wav_whose_sizes_were_never_filled_in_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, SAMPLES, RATE_HZ, format="RF64", subtype="PCM_16")
    whole, data = read_audio(path), bytearray(path.read_bytes())
    assert data[:4] == b"RF64" and len(whole) == len(SAMPLES)
    at = data.index(b"ds64") + 8
    data[at : at + 24] = bytes(24)
    path.write_bytes(data)
    assert np.array_equal(read_audio(path), whole)


def test_a_second_wma_behind_the_first_is_said(tmp_path: Path) -> None:
    head = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
    one = (
        head
        + (40).to_bytes(8, "little")
        + bytes(16)
        + bytes(range(16))
        + (30).to_bytes(8, "little")
        + bytes(6)
    )
    path = tmp_path / "a.wma"
    path.write_bytes(one)
    assert layout(path).fault == ""
    path.write_bytes(one + one)
    assert layout(path).fault == "more data after its end"
