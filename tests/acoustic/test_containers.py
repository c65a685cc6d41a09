"""What the bytes of a recording tell of losses that decoders leap over."""

import platform
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from acoustic import audio, mpeg
from acoustic.audio import RATE_HZ, DamagedRecording, read_audio
from acoustic.containers import layout
from symbolic.errors import NotebeamError

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


def test_an_mp3_is_read_on_behind_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    rate_hz = 48_000
    samples = np.where(np.arange(8 * rate_hz) > 7 * rate_hz, 0.3, 0.01) * np.sin(np.arange(8 * rate_hz) / 20)
    soundfile.write(path, samples, rate_hz)
    data = path.read_bytes()
    places = [data.index(b"\xff\xfb")]
    while places[-1] < len(data):
        places.append(places[-1] + mpeg._LENGTHS[data[places[-1] + 1 : places[-1] + 3]])
    low, high = places[100], places[150]
    junk = np.random.default_rng(0).bytes(high - low)
    for hole, message in (
        (data[:low] + junk + data[high:], "bytes between its frames that are no audio"),
        (data[:low] + bytes(high - low) + data[high:], "zeros between its frames"),
        (data[: low + 9] + data[high - 9 :], "bytes between its frames that are no audio"),
    ):
        path.write_bytes(hole)
        faults: list[DamagedRecording] = []
        found = read_audio(path, damage=faults.append)
        assert message in str(faults[0])
        assert len(found) / RATE_HZ == pytest.approx(8 - 50 * 1152 / rate_hz, abs=0.1)
        assert np.sqrt(np.mean(found[-RATE_HZ // 2 :] ** 2)) > 0.1


def test_padding_of_joined_mp3s_is_no_hole(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, SAMPLES, RATE_HZ)
    data = path.read_bytes()
    path.write_bytes(data + bytes(500) + data + bytes(500))
    assert layout(path).fault == "" and len(read_audio(path)) == pytest.approx(
        2 * len(SAMPLES), abs=RATE_HZ / 2
    )


def test_tags_behind_an_mp3_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, SAMPLES, RATE_HZ)
    item = struct.pack("<II", 4, 0) + b"Title\0" + b"Song"
    # APEv2: its size counts the items and the footer, and not the header, whose flags have bit 29.
    size = len(item) + 32
    head, foot = (
        b"APETAGEX" + struct.pack("<IIII", 2000, size, 1, flags) + bytes(8)
        for flags in (1 << 31 | 1 << 29, 1 << 31)
    )
    id3 = b"TAG" + 30 * b"t" + 30 * b"a" + 65 * b"x"
    sound = path.read_bytes()
    path.write_bytes(sound + head + item + foot + id3)
    assert layout(path).fault == ""
    # APEv1 has no header; what stands before its footer is the tag only if the size says so.
    foot = b"APETAGEX" + struct.pack("<IIII", 1000, size, 1, 0) + bytes(8)
    path.write_bytes(sound + item + foot + id3)
    assert layout(path).fault == ""
    path.write_bytes(sound + item + item + foot + id3)
    assert layout(path).fault == "bytes at its end that are no audio"


def test_what_a_decoder_makes_of_damage_costs_a_moment_and_not_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, SAMPLES, RATE_HZ)
    path.write_bytes(path.read_bytes() + b"?" * 500)
    expected = read_audio(path, damage=lambda _: None)
    blocks = audio._Opened.blocks

    def spiked(*words: Any) -> Iterator[Any]:
        for block in blocks(*words):
            block[100], block[101] = 700.0, np.nan
            yield block

    monkeypatch.setattr(audio._Opened, "blocks", spiked)
    found = read_audio(path, damage=lambda _: None)
    assert found[100] == found[101] == 0 and np.array_equal(found[102:], expected[102:])
    soundfile.write(path, SAMPLES, RATE_HZ)  # whole: then the samples are what the file says
    with pytest.raises(NotebeamError, match="samples up to|NaN"):
        read_audio(path)


def test_tags_of_flv_and_frames_of_tta_are_counted(tmp_path: Path) -> None:
    tag = b"\x08" + (5).to_bytes(3, "big") + bytes(7) + b"sound" + (16).to_bytes(4, "big")
    flv = b"FLV\x01\x04" + (9).to_bytes(4, "big") + bytes(4) + 3 * tag
    frames = (30, 40, 20)
    head = b"TTA1" + bytes(6) + (44_100).to_bytes(4, "little") + (110_000).to_bytes(4, "little") + bytes(4)
    tta = head + b"".join(size.to_bytes(4, "little") for size in frames) + bytes(4 + sum(frames))
    for name, data, cases in (
        (
            "a.flv",
            flv,
            {
                flv[:-10]: "the last tag is cut",
                flv + flv: "more data after its end",
                flv[:24] + bytes(20) + flv[44:]: "bytes between its tags that are no audio",
            },
        ),
        (
            "a.tta",
            tta,
            {
                tta[:-80]: f"{len(tta) - 80} of {len(tta)} bytes",
                tta + tta: "more data after its end",
                tta[:25]: "its table of frames is cut",
            },
        ),
    ):
        for damaged, fault in {data: "", **cases}.items():
            (tmp_path / name).write_bytes(damaged)
            assert layout(tmp_path / name).fault == fault


def test_the_holes_of_an_avi_are_found_between_its_chunks(tmp_path: Path) -> None:
    chunk = b"00wb" + (5).to_bytes(4, "little") + b"sound\0"
    sound = b"LIST" + (4 + 9 * len(chunk)).to_bytes(4, "little") + b"movi" + 9 * chunk
    head = b"LIST" + (16).to_bytes(4, "little") + b"hdrlstrh" + (4).to_bytes(4, "little") + bytes(4)
    body = b"AVI " + head + sound + b"idx1" + (80).to_bytes(4, "little") + bytes(80)
    avi = b"RIFF" + len(body).to_bytes(4, "little") + body
    at = avi.index(b"00wb")
    cases = {
        avi: "",
        b"RIFF" + bytes(4) + avi[8:]: "",  # a size that was never filled in
        avi + bytes(100): "",
        avi[: at + 3] + bytes(30) + avi[at + 33 :]: "bytes between its chunks that are no audio",
        avi[: at + 20] + avi[at + 25 :]: "bytes between its chunks that are no audio",
        avi[:-84]: f"{len(avi) - 84} of {len(avi)} bytes",
        avi + avi: "more data after its end",
    }
    for data, fault in cases.items():
        (tmp_path / "a.avi").write_bytes(data)
        assert layout(tmp_path / "a.avi").fault == fault


def test_an_flv_that_tells_its_size_is_not_cut_unseen(tmp_path: Path) -> None:
    tag = b"\x08" + (5).to_bytes(3, "big") + bytes(7) + b"sound" + (16).to_bytes(4, "big")
    size = 13 + 11 + 19 + 4 + 6 * len(tag)
    told = b"\0\x08filesize\0" + struct.pack(">d", size)
    script = b"\x12" + len(told).to_bytes(3, "big") + bytes(7) + told + (11 + len(told)).to_bytes(4, "big")
    flv = b"FLV\x01\x04" + (9).to_bytes(4, "big") + bytes(4) + script + 6 * tag
    assert len(flv) == size
    for data, fault in ((flv, ""), (flv[: -4 * len(tag)], f"{size - 80} of {size} bytes")):
        (tmp_path / "a.flv").write_bytes(data)
        assert layout(tmp_path / "a.flv").fault == fault


@pytest.mark.parametrize(
    ("kind", "field", "value", "exact"),
    [("WAV", b"fmt ", 22, True), ("RF64", b"fmt ", 22, False), ("W64", b"fmt ", 38, False)]
    + [("AIFF", b"COMM", 14, False), ("CAF", b"desc", 40, False)],
)
def test_a_width_of_samples_that_does_not_fit_is_said(
    tmp_path: Path, kind: str, field: bytes, value: int, exact: bool
) -> None:
    """Sixteen bits become seven, which libsndfile reads as one byte: twice as long, and noise."""
    path = tmp_path / "a"
    soundfile.write(path, SAMPLES, RATE_HZ, format=kind, subtype="PCM_16")
    data, whole = bytearray(path.read_bytes()), read_audio(path)
    at = data.index(field) + value
    low = at + (kind == "AIFF") + 3 * (kind == "CAF")
    assert data[low] == 16
    data[low] = 7
    path.write_bytes(data)
    faults: list[DamagedRecording] = []
    found = read_audio(path, damage=faults.append)
    assert "bits in" in str(faults[0]) or "bytes of sound where" in str(faults[0])
    assert not exact or np.array_equal(found, whole)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="C's stderr is a variable of glibc")
def test_what_a_library_prints_of_damage_is_not_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, SAMPLES, RATE_HZ)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3] + data[len(data) // 2 :])
    soundfile.read(path)
    loud = capfd.readouterr().err
    read_audio(path, damage=lambda _: None)
    assert capfd.readouterr().err == ""
    soundfile.read(path)
    assert capfd.readouterr().err == loud  # others are heard as before
    assert loud  # or the damage were none that it tells of


def adts_frame() -> bytes:
    """50 bytes."""
    return bytes([0xFF, 0xF1, 0x50, 0x80, 50 >> 3, (50 & 7) << 5, 0xFC]) + bytes(43)


def dts_frame() -> bytes:
    """96 bytes, the least there is."""
    return b"\x7f\xfe\x80\x01\xfc" + bytes([95 >> 12, 95 >> 4 & 255, (95 & 15) << 4]) + bytes(88)


def program_pack() -> bytes:
    return b"\0\0\x01\xba\x44" + bytes(8) + b"\xf8" + b"\0\0\x01\xc0" + (40).to_bytes(2, "big") + bytes(40)


PACKETS = {
    "aac": adts_frame(),
    "dts": dts_frame(),
    "mpg": program_pack(),
    "ts": b"\x47" + bytes(187),
    "m2ts": bytes(4) + b"\x47" + bytes(187),
    "voc": b"\x02" + (60).to_bytes(3, "little") + bytes(60),
}


@pytest.mark.parametrize("kind", PACKETS)
def test_holes_and_cuts_between_packets_are_found(tmp_path: Path, kind: str) -> None:
    packet = PACKETS[kind]
    head = b"Creative Voice File\x1a" + bytes([26, 0, 0x14, 1, 0x1F, 0x11]) if kind == "voc" else b""
    whole, size = head + 12 * packet, len(packet)
    at = len(head) + 4 * size + 10
    cut = whole[: -size // 2]
    other = "bytes between its frames that are no audio"
    cases = {
        whole: "",
        cut: "the last frame is cut",
        whole[:at] + b"\x7b" * 2 * size + whole[at + 2 * size :]: other,
    }
    if kind == "voc":  # of what is lost few bytes may be padding
        whole += b"\x02" + (6000).to_bytes(3, "little") + bytes(6000)
        cases[whole + b"\0"] = ""
        cases[whole[:-3000]] = f"{len(whole) - 3000} of {len(whole)} bytes"
        del cases[cut]
    if kind == "aac":
        tag = b"ID3\4\0\0\0\0\0\x0a" + bytes(10)
        cases[tag + whole + tag + whole + b"TAG" + bytes(125)] = ""
    for data, fault in cases.items():
        (tmp_path / "a").write_bytes(data)
        assert layout(tmp_path / "a").fault == fault
