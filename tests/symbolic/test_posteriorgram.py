"""Posteriorgrams: the file there and back, and everything the loader refuses."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symbolic.errors import NotebeamError
from symbolic.planes import let_go, room_for
from symbolic.posteriorgram import PLANES, Posteriorgram


def random_planes(count: int) -> dict[str, Any]:
    random = np.random.default_rng(0)
    names = ("frame", "onset", "offset", "velocity")
    return {name: random.random((count, 88)).astype(np.float32) for name in names}


def good_file() -> dict[str, Any]:
    """Every key of the format; 5 frames, 20 ms apart, from 10 ms."""
    scalars = {"lowest": 21, "duration": 0.1, "source": "a.wav", "model": "b", "version": 1}
    times = 0.01 + 0.02 * np.arange(5)
    return random_planes(5) | {"times": times, "hop": 0.02, "first": 0.01} | scalars


def test_a_posteriorgram_comes_back_from_its_file(tmp_path: Path) -> None:
    planes = random_planes(400)
    posteriorgram = Posteriorgram(**planes, hop=0.02, start=0.013, duration=8.01, source="ä.wav", model="m")
    posteriorgram.save(tmp_path / "a.posteriors")  # the name is kept, whatever its suffix
    again = Posteriorgram.load(tmp_path / "a.posteriors")
    for name, plane in planes.items():
        assert (getattr(again, name) == plane).all() and getattr(again, name).dtype == np.float32
    assert again.hop == pytest.approx(0.02, abs=1e-12) and again.start == 0.013
    assert (again.duration, again.source, again.model, again.lowest) == (8.01, "ä.wav", "m", 21)
    assert again.count == 400 and again.times[399] == pytest.approx(0.013 + 399 * 0.02)


def test_the_file_holds_the_keys_of_the_format(tmp_path: Path) -> None:
    Posteriorgram(**random_planes(3), hop=0.5, start=0.25).save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert set(arrays) == set(good_file())
        assert arrays["times"].dtype == np.float64 and arrays["times"].tolist() == [0.25, 0.75, 1.25]
        assert (arrays["hop"], arrays["first"], arrays["lowest"], arrays["version"]) == (0.5, 0.25, 21, 1)


def test_missing_planes_stay_missing(tmp_path: Path) -> None:
    frame = random_planes(2)["frame"]
    Posteriorgram(frame, None, None, None, hop=0.02).save(tmp_path / "a.npz")
    again = Posteriorgram.load(tmp_path / "a.npz")
    assert (again.onset, again.offset, again.velocity) == (None, None, None)


def test_arrays_are_read_only() -> None:
    posteriorgram = Posteriorgram(**random_planes(2), hop=0.02)
    with pytest.raises(ValueError, match="read-only"):
        posteriorgram.frame[0, 0] = 1.0


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_frames_come_back(tmp_path: Path, count: int) -> None:
    Posteriorgram(**random_planes(count), hop=0.02, start=0.5).save(tmp_path / "a.npz")
    again = Posteriorgram.load(tmp_path / "a.npz")
    assert again.count == count and again.hop == pytest.approx(0.02)


def test_times_overrule_a_hop_that_drifts(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **(good_file() | {"hop": 0.0201}))
    assert Posteriorgram.load(tmp_path / "a.npz").hop == pytest.approx(0.02)


def test_hop_and_first_do_without_times_and_the_rest_has_defaults(tmp_path: Path) -> None:
    kept = {key: value for key, value in good_file().items() if key in ("frame", "onset", "hop", "first")}
    np.savez(tmp_path / "a.npz", **kept)
    posteriorgram = Posteriorgram.load(tmp_path / "a.npz")
    assert (posteriorgram.hop, posteriorgram.start, posteriorgram.source, posteriorgram.model) == (
        0.02,
        0.01,
        "",
        "",
    )
    assert posteriorgram.duration == pytest.approx(0.11)  # 5 frames from 0.01


def test_half_and_double_precision_are_read(tmp_path: Path) -> None:
    content = good_file()
    content["frame"], content["onset"] = (
        content["frame"].astype(np.float16),
        content["onset"].astype(np.float64),
    )
    np.savez(tmp_path / "a.npz", **content)
    assert Posteriorgram.load(tmp_path / "a.npz").frame.dtype == np.float32


def changed(key: str, index: Any, value: float) -> np.ndarray:
    array = np.array(good_file()[key])
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "frame",
            np.zeros((5, 129), np.float32),
            r"frame: got 'float32 \(5, 129\)', expected float32 \(T, 88\), or \(T, 128\)",
        ),
        ("onset", np.zeros(5, np.float32), r"onset: got 'float32 \(5,\)'"),
        ("frame", np.zeros((5, 88), "U1"), r"frame: got '<U1 \(5, 88\)'"),
        ("onset", np.array(0.5), r"onset: got 'float64 \(\)'"),
        (
            "onset",
            np.zeros((4, 88), np.float32),
            r"onset: got 'float32 \(4, 88\)', expected float32 \(5, 88\)",
        ),
        ("offset", np.zeros((5, 264), np.float32), r"offset: got 'float32 \(5, 264\)'"),
        ("velocity", np.full((5, 88), 64), r"velocity frame 0 key 0: got 64\.0, expected a number 0\.\.1"),
        (
            "frame",
            changed("frame", (3, 7), np.nan),
            r"frame frame 3 key 7: got nan, expected a number 0\.\.1",
        ),
        ("onset", changed("onset", (0, 87), 1.001), r"onset frame 0 key 87: got 1\.00"),
        ("offset", changed("offset", (2, 0), -0.25), r"offset frame 2 key 0: got -0\.25"),
        ("velocity", changed("velocity", (4, 1), np.inf), r"velocity frame 4 key 1: got inf"),
        (
            "times",
            changed("times", 2, 0.0),
            r"times frame 2: got 0\.0, expected a time after the frame before",
        ),
        ("times", changed("times", 2, 0.03), r"times frame 2: got 0\.03, expected a time after"),
        ("times", changed("times", 1, np.nan), r"times frame 1: got nan, expected finite seconds"),
        (
            "times",
            changed("times", slice(1, None), np.array([0.5, 0.51, 0.52, 0.53])),
            r"times frame 1: got 0\.5, expected at most 0\.040 s after the frame before: fill missing",
        ),
        ("times", np.arange(4) * 0.02, r"times: got 'float64 \(4,\)', expected float64 \(5,\)"),
        ("times", np.array(["a"] * 5), r"times: got '<U1 \(5,\)'"),
        ("lowest", 109, r"lowest: got 109, expected the MIDI pitch of column 0, 0 to 108"),
        ("lowest", 60, r"frame: lowest: got 60, expected the MIDI pitch of column 0 of 88"),
        ("logits", 1, r"logits: got 'int64', expected True or False"),
        ("lowest", "A0", r"lowest: got '<U2 \(\)', expected one number"),
        ("duration", -1.0, r"duration: got -1\.0, expected seconds from 0 to"),
        ("duration", np.nan, r"duration: got nan"),
        ("version", 2, r"version: got 2, expected 1"),
        ("source", 3, r"source: got 'int64 \(\)', expected a string"),
        ("model", np.array(["a", "b"]), r"model: got '<U1 \(2,\)', expected a string"),
        ("source", np.array("a.wav", dtype=object), r"source: got 'pickled objects'"),
        (
            "frame",
            np.zeros((5, 88), dtype=object),
            r"frame: got 'pickled objects', expected a plain",
        ),
    ],
)
def test_the_loader_refuses_naming_file_and_key(tmp_path: Path, key: str, value: Any, message: str) -> None:
    content = good_file() | {key: value}
    np.savez(tmp_path / "bad.npz", **{name: array for name, array in content.items() if array is not None})
    with pytest.raises(NotebeamError, match=r"bad\.npz: " + message):
        Posteriorgram.load(tmp_path / "bad.npz")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("hop", None, r"hop: got 'no such key', expected times, or hop and first"),
        ("first", None, r"first: got 'no such key', expected times, or hop and first"),
        ("hop", 0.0, r"hop: got 0\.0, expected seconds > 0"),
        ("hop", -0.02, r"hop: got -0\.02"),
        ("hop", np.nan, r"hop: got nan"),
        ("hop", np.ones(2), r"hop: got 'float64 \(2,\)', expected one number"),
        ("first", np.inf, r"first: got inf, expected seconds, "),
    ],
)
def test_without_times_hop_and_first_are_checked(tmp_path: Path, key: str, value: Any, message: str) -> None:
    content = good_file() | {key: value, "times": None}
    np.savez(tmp_path / "bad.npz", **{name: array for name, array in content.items() if array is not None})
    with pytest.raises(NotebeamError, match=r"bad\.npz: " + message):
        Posteriorgram.load(tmp_path / "bad.npz")


def test_velocities_that_are_too_large_are_not_taken_for_logits() -> None:
    plane = np.zeros((3, 88), np.float32)
    with pytest.raises(NotebeamError, match=r"velocity frame 0 key 0: got 64\.0, .* MIDI velocity / 127"):
        Posteriorgram(plane, plane, velocity=plane + 64, hop=0.02)


def test_a_single_frame_needs_a_hop_and_the_message_says_so(tmp_path: Path) -> None:
    frame, times = np.zeros((1, 88), np.float32), np.array([0.5])
    for planes, got in ((frame, "1 frame"), (frame[:0], "no frames")):
        with pytest.raises(
            NotebeamError, match=rf"times: got '{got}', expected two or more, or `hop` beside"
        ):
            Posteriorgram.at_times(planes, times=times[: len(planes)])
    one = Posteriorgram.at_times(frame, times=times, hop=0.02)
    assert (one.hop, one.start, one.count) == (0.02, 0.5, 1)
    with pytest.raises(NotebeamError, match=r"Posteriorgram\.hop: got 'fast', expected seconds > 0"):
        Posteriorgram.at_times(frame, times=times, hop="fast")  # type: ignore[arg-type]
    np.savez(tmp_path / "one.npz", frame=frame, times=times)
    with pytest.raises(NotebeamError, match=r"one\.npz: times: got '1 frame', expected .*`hop` beside them"):
        Posteriorgram.load(tmp_path / "one.npz")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"a text", b"RIFF" + bytes(1000)):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(NotebeamError, match=r"bad\.npz: got 'another kind of file', expected an \.npz"):
            Posteriorgram.load(tmp_path / "bad.npz")
    with zipfile.ZipFile(tmp_path / "zip.npz", "w") as archive:
        archive.writestr("frame", "no array")
    with pytest.raises(NotebeamError, match=r"zip\.npz: frame: got 'no such key'"):
        Posteriorgram.load(tmp_path / "zip.npz")
    with pytest.raises(NotebeamError, match=r"missing\.npz: got 'no such file'"):
        Posteriorgram.load(tmp_path / "missing.npz")


def test_damage_anywhere_is_refused_in_one_line(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "good.npz", **good_file())
    whole = (tmp_path / "good.npz").read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for trial in range(300):
        damaged = bytearray(whole)
        if trial % 3 == 0:
            damaged = damaged[: random.integers(len(whole))]
        else:
            place = random.integers(len(whole))
            damaged[place] ^= 1 << int(random.integers(8))
        (tmp_path / "bad.npz").write_bytes(damaged)
        try:
            Posteriorgram.load(tmp_path / "bad.npz")
        except NotebeamError as error:
            assert "bad.npz" in str(error) and "\n" not in str(error)
            refused += 1
    assert refused >= 200  # a flipped bit can lie where nothing reads it, such as a date


def test_a_posteriorgram_is_checked_where_it_is_made() -> None:
    planes = random_planes(5)
    with pytest.raises(NotebeamError, match=r"Posteriorgram\.onset: got 'float32 \(4, 88\)'"):
        Posteriorgram(**(planes | {"onset": planes["onset"][:4]}), hop=0.02)
    with pytest.raises(NotebeamError, match=r"Posteriorgram\.hop: got 0"):
        Posteriorgram(**planes, hop=0)
    with pytest.raises(NotebeamError, match=r"Posteriorgram\.frame: got None"):
        Posteriorgram(**(planes | {"frame": None, "onset": None}), hop=0.02)


def test_an_unwritable_target_is_named(tmp_path: Path) -> None:
    posteriorgram = Posteriorgram(**random_planes(1), hop=0.02)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="exists") as caught:
        posteriorgram.save(tmp_path / "file" / "a.npz")
    assert caught.value.filename == str(tmp_path / "file" / "a.npz")


def test_what_other_systems_have_is_taken(tmp_path: Path) -> None:
    """(T, 128), tensors, half precision, zeros and ones, a batch axis, and rounding are the same planes."""
    import torch

    frame = random_planes(6)["frame"]
    every_pitch = np.full((6, 128), 0.9, dtype=np.float32)
    every_pitch[:, 21:109] = frame
    for given in (
        every_pitch,
        torch.tensor(frame),
        torch.tensor(every_pitch)[None],
        frame[None],
        frame.tolist(),
    ):
        if isinstance(given, list):
            with pytest.raises(NotebeamError, match=r"Posteriorgram\.frame: got 'a list', expected an array"):
                Posteriorgram(given, hop=0.02)
        else:
            made = Posteriorgram(given, hop=0.02)
            assert (made.frame == frame).all() and made.lowest == 21
    assert (Posteriorgram(frame > 0.5, hop=0.02).frame == (frame > 0.5)).all()
    above = Posteriorgram(np.full((6, 88), 1.000001, np.float32), hop=0.02)
    assert (above.frame == 1).all()
    np.savez(tmp_path / "all.npz", frame=every_pitch, onset=every_pitch, hop=0.02, first=0.0)
    assert (Posteriorgram.load(tmp_path / "all.npz").frame == frame).all()


def test_columns_go_to_the_pitches_they_are_of() -> None:
    planes = np.random.default_rng(1).random((4, 72)).astype(np.float32)
    middle = Posteriorgram(planes, hop=0.02, lowest=24).frame
    assert (middle[:, 3:75] == planes).all() and not middle[:, :3].any() and not middle[:, 75:].any()
    low = Posteriorgram(planes, planes, hop=0.02, lowest=0)
    assert (low.frame[:, :51] == planes[:, 21:]).all() and (low.onset == low.frame).all()


def test_logits_are_taken_where_it_is_said_and_refused_where_not(tmp_path: Path) -> None:
    prob = random_planes(4)["frame"].clip(0.001, 0.999).astype(np.float64)
    logits = np.log(prob / (1 - prob))
    velocity = random_planes(4)["velocity"]
    made = Posteriorgram(logits, logits, None, velocity, hop=0.02, logits=True)
    assert made.onset is not None and made.velocity is not None
    assert np.allclose(made.frame, prob, atol=1e-6) and (made.velocity == velocity).all()
    assert np.allclose(made.part(1, 3).frame, prob[1:3], atol=1e-6)  # they are made probabilities once
    with pytest.raises(
        NotebeamError, match=r"frame frame .*expected a number 0\.\.1, or logits and logits=True"
    ):
        Posteriorgram(logits, hop=0.02)
    np.savez(tmp_path / "l.npz", frame=logits, onset=logits, hop=0.02, first=0.0, logits=True)
    assert np.allclose(Posteriorgram.load(tmp_path / "l.npz").frame, prob, atol=1e-6)
    extreme = np.array([[-np.inf, np.inf, -1e30] + [0.0] * 85], dtype=np.float32)
    assert Posteriorgram(extreme, hop=0.02, logits=True).frame[0, :4].tolist() == [0.0, 1.0, 0.0, 0.5]
    with pytest.raises(NotebeamError, match=r"frame frame 0 key 0: got nan, expected a logit"):
        Posteriorgram(extreme * np.nan, hop=0.02, logits=True)


def test_without_a_frame_plane_onsets_sound_for_a_tenth_of_a_second() -> None:
    onset = np.zeros((30, 88), dtype=np.float32)
    onset[10, 40] = 0.8
    made = Posteriorgram(None, onset, hop=0.02)
    assert np.flatnonzero(made.frame[:, 40]).tolist() == [10, 11, 12, 13, 14, 15]


def test_uneven_times_are_brought_to_even_ones(tmp_path: Path) -> None:
    """A ramp of known slope is read off right at the even times, whatever the times of its frames."""
    random = np.random.default_rng(2)
    times = 0.3 + 0.02 * np.arange(200) + random.uniform(-0.008, 0.008, 200)
    ramp = np.repeat((times[:, None] / 10), 88, axis=1).astype(np.float32)
    made = Posteriorgram.at_times(ramp, ramp, times=times, source="a", model="m")
    assert made.count == 200 and (made.source, made.model) == ("a", "m")
    assert np.allclose(made.times[[0, -1]], times[[0, -1]]) and np.allclose(made.onset[:, 5], made.times / 10)
    np.savez(tmp_path / "u.npz", frame=ramp, onset=ramp, times=times)
    assert np.allclose(Posteriorgram.load(tmp_path / "u.npz").frame[:, 87], made.times / 10)


def test_at_uneven_times_peaks_keep_their_height_and_velocities_their_number() -> None:
    times = np.concatenate([0.02 * np.arange(200), 3.98 + 0.0202 * np.arange(1, 201)])
    struck, velocity = np.zeros((2, 400, 88), dtype=np.float32)
    for number, frame in enumerate(range(10, 390, 9)):
        struck[frame, 30 + number * 7 % 30], velocity[frame, 30 + number * 7 % 30] = 0.9, 0.6
    made = Posteriorgram.at_times(struck, struck, struck, velocity, times=times)
    assert made.onset is not None and made.offset is not None and made.velocity is not None
    frame, key = np.nonzero(struck)
    for plane in (made.onset, made.offset):
        found = np.nonzero(plane == np.float32(0.9))
        order, expected = np.lexsort(found[::-1]), np.lexsort((key, frame))
        assert found[1][order].tolist() == key[expected].tolist()
        assert np.abs(made.times[found[0][order]] - times[frame[expected]]).max() <= made.hop / 2 + 1e-9
        assert (plane <= np.float32(0.9)).all()
    assert set(np.unique(made.velocity)) == {np.float32(0.0), np.float32(0.6)}


def test_what_packed_zeros_may_become_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symbolic.arrays.LARGEST", 1 << 20)
    silence, path = np.zeros((20_000, 88), dtype=np.float32), tmp_path / "a.npz"
    Posteriorgram(silence, silence, hop=0.02).save(path)
    with pytest.raises(NotebeamError, match=r"a\.npz: got 'arrays of 14\d{6} bytes in .* at most 1048576"):
        Posteriorgram.load(path)
    Posteriorgram(**random_planes(2000), hop=0.02).save(path)  # as many bytes, but they are there
    assert Posteriorgram.load(path).count == 2000


def test_planes_of_a_file_are_not_there_twice(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "a.npz"
    Posteriorgram(**random_planes(10_000), hop=0.02).save(path)
    tracemalloc.start()
    again = Posteriorgram.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.4 * 4 * again.frame.nbytes  # four planes, and what checks them


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="Linux tells what is held")
def test_planes_that_lie_in_a_file_are_checked_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of hours of planes that have been looked at not all are in memory."""
    monkeypatch.setattr("symbolic.planes.IN_MEMORY", 0)
    room = room_for(5, 20_000)
    room[:] = 0.5
    let_go(room)
    given: dict[str, Any] = dict(zip(PLANES, room, strict=True))
    for plane in given.values():
        plane.flags.writeable = False
    before = held_of_files()
    made = Posteriorgram(**given, hop=0.02)
    assert made.held is given["held"]
    assert held_of_files() - before < room.nbytes / 5
    assert made.held[:, :].max() == 0.5 and held_of_files() - before > 0.9 * room.nbytes / 5


def held_of_files() -> int:
    """Bytes of mapped files that are in this process' memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(("RssFile", "RssShmem")))
