"""Notes without an end: every strike is a note, and files that lack nothing stay as they are."""

from pathlib import Path
from typing import Any

import pytest
import symusic
from hypothesis import example, given, settings
from hypothesis import strategies as st

from symbolic import midi
from symbolic.errors import NotebeamError
from symbolic.midi import read_beats, read_midi
from symbolic.midi_mending import closed, is_whole, mended

QUARTER = 480
Strike = tuple[int, bool]  # key, whether it is released before the next strike


def number(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.insert(0, value & 0x7F | 0x80)
    return bytes(groups)


def file_of(events: list[tuple[int, bytes]], closing: bytes = b"\x00\xff\x2f\x00") -> bytes:
    """A file of one track; events are (ticks since the one before, bytes)."""
    body = b"".join(number(delta) + event for delta, event in events) + closing
    head = b"MThd" + (6).to_bytes(4, "big") + bytes([0, 0, 0, 1]) + QUARTER.to_bytes(2, "big")
    return head + b"MTrk" + len(body).to_bytes(4, "big") + body


def events_of(strikes: list[Strike]) -> list[tuple[int, bytes]]:
    """Each strike a quarter after the one before, released an eighth later or never."""
    events = []
    for key, is_released in strikes:
        events.append((QUARTER // 2, bytes([0x90, key, 80])))
        events.append((QUARTER // 2, bytes([0x80, key, 0]) if is_released else bytes([0xB0, 7, 100])))
    return events


@given(st.lists(st.tuples(st.integers(60, 63), st.booleans()), min_size=1, max_size=24))
def test_every_strike_is_a_note(tmp_path_factory: pytest.TempPathFactory, strikes: list[Strike]) -> None:
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    path.write_bytes(file_of(events_of(strikes)))
    notes = read_midi(path)
    begun = [0.25 + 0.5 * place for place in range(len(strikes))]
    assert sorted(zip(notes.onset.tolist(), notes.pitch.tolist(), strict=True)) == sorted(
        zip(begun, [key for key, _ in strikes], strict=True)
    )
    assert (notes.offset > notes.onset).all()


@given(st.lists(st.tuples(st.integers(60, 63), st.just(True)), max_size=24))
def test_a_file_that_lacks_nothing_stays_as_it_is(strikes: list[Strike]) -> None:
    data = file_of(events_of(strikes))
    assert mended(data) == (data, len(strikes))


def rows_of(score: Any) -> list[list[tuple[int, int, int, int]]]:
    return [[(n.time, n.duration, n.pitch, n.velocity) for n in track.notes] for track in score.tracks]


STATUS = st.sampled_from([0x80, 0x90, 0x91, 0x99, 0xB0, 0xC0, 0xE3, 0xF0, 0xFF])


@st.composite
def tracks(draw: st.DrawFn) -> bytes:
    """A track of anything: strikes with and without release, running status, text, system exclusives."""
    body, before = bytearray(), 0
    for _ in range(draw(st.integers(0, 20))):
        status = draw(STATUS)
        body += number(draw(st.sampled_from([0, 1, 240, 480, 20_000])))
        if status >= 0xF0:
            content = draw(st.binary(max_size=4))
            body += bytes([status]) + (b"\x01" if status == 0xFF else b"") + number(len(content)) + content
            before = 0
            continue
        if status != before or draw(st.booleans()):
            body.append(status)
        before = status
        key, value = draw(st.integers(60, 62)), draw(st.sampled_from([0, 64]))
        body += bytes([key]) if status == 0xC0 else bytes([key, value])
    return bytes(body) + draw(st.sampled_from([b"\x00\xff\x2f\x00", b"\x83\x60\xff\x2f\x00", b""]))


@given(
    st.lists(tracks(), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(14, 200), st.integers(0, 255)), max_size=2),
)
@example([b"\x00\xf0\x02\x00\x00\x00\xc0<\x81\x9c \x80<\x00\x00<\x00\x00\xff/\x00"], [(32, 128)])  # no strike
@settings(max_examples=400, deadline=None)
def test_the_fast_check_never_misses_what_the_slow_one_mends(
    bodies: list[bytes], damage: list[tuple[int, int]]
) -> None:
    head = b"MThd" + (6).to_bytes(4, "big") + bytes([0, 1, 0, len(bodies)]) + QUARTER.to_bytes(2, "big")
    data = bytearray(head + b"".join(b"MTrk" + len(body).to_bytes(4, "big") + body for body in bodies))
    for place, value in damage:
        if place < len(data):
            data[place] = value
    try:
        slow = rows_of(symusic.Score.from_midi(mended(bytes(data))[0]))
    except Exception:
        slow = None
    try:
        made = closed(bytes(data))
        assert made is not None
        score = symusic.Score.from_midi(made[0])
        fast = rows_of(score) if is_whole(score, made[1]) else None
    except Exception:
        fast = None  # the slow one is asked
    if fast is not None and slow is not None:
        assert slow == fast
    # A damaged track can be read in more than one way. Refused by the one, it may hold nothing for the other.
    assert slow is not None or not fast


def test_whole_files_are_not_looked_at_event_by_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = file_of(events_of([(60, True), (61, True), (60, True)]))
    (tmp_path / "a.mid").write_bytes(data)

    def slow(_: bytes) -> bytes:
        raise AssertionError("mended")

    monkeypatch.setattr(midi, "mended", slow)
    assert read_midi(tmp_path / "a.mid").pitch.tolist() == [60, 61, 60]


def test_a_last_chord_rings_until_the_end_of_its_track(tmp_path: Path) -> None:
    chord = [(0, bytes([0x90, key, 80])) for key in (60, 64, 67)]
    (tmp_path / "a.mid").write_bytes(file_of([*chord, (2 * QUARTER, bytes([0xB0, 7, 100]))]))
    assert read_midi(tmp_path / "a.mid").offset.tolist() == [1.0, 1.0, 1.0]


def test_a_strike_at_the_very_end_sounds_for_a_beat(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(file_of([(QUARTER, bytes([0x90, 60, 80]))]))
    notes = read_midi(tmp_path / "a.mid")
    assert (notes.onset.tolist(), notes.offset.tolist()) == ([0.5], [1.0])


def test_running_status_and_a_strike_of_velocity_0_are_understood(tmp_path: Path) -> None:
    strike, release, again = bytes([0x90, 60, 80]), bytes([60, 0]), bytes([60, 80])
    (tmp_path / "a.mid").write_bytes(file_of([(0, strike), (QUARTER, release), (QUARTER, again)]))
    notes = read_midi(tmp_path / "a.mid")
    assert (notes.onset.tolist(), notes.offset.tolist()) == ([0.0, 1.0], [0.5, 1.5])


def test_damage_is_named() -> None:
    cut = file_of([(0, b"\x90\x3c\x50")])[:-2]
    for data in (b"MThd", file_of([], closing=b"\x00\x90"), file_of([(0, b"\x3c\x50")]), cut):
        with pytest.raises(ValueError, match=r"."):
            mended(data)


def many(*tracks: bytes, said: int) -> bytes:
    head = b"MThd" + (6).to_bytes(4, "big") + bytes([0, 0, 0, said]) + QUARTER.to_bytes(2, "big")
    return head + b"".join(b"MTrk" + len(track).to_bytes(4, "big") + track for track in tracks)


def note(key: int) -> bytes:
    """A track of one, struck after a quarter and held for one."""
    return b"\x83\x60" + bytes([0x90, key, 80]) + b"\x83\x60" + bytes([0x80, key, 0]) + b"\x00\xff\x2f\x00"


ON, OFF = bytes([0x90, 60, 80]), bytes([0x80, 60, 0])
EXCLUSIVE, TEXT = b"\xf0\x02\x01\xf7", b"\xff\x01\x01x"


@pytest.mark.parametrize(
    ("data", "onsets", "last"),
    [
        pytest.param(many(note(60), note(64), said=1), [0.5, 0.5], 1.0, id="a track not counted"),
        pytest.param(
            file_of([(0, ON), (480, OFF), (0, b"\xff\x2f\x00"), (480, ON), (480, OFF)]),
            [0.0, 1.0],
            1.5,
            id="events after the end of the track",
        ),
        pytest.param(
            file_of([(0, ON), (0, EXCLUSIVE), (240, b"\x3c\x00"), (0, EXCLUSIVE), (240, b"\x3e\x50")]),
            [0.0, 0.5],
            1.0,
            id="running status over system messages",
        ),
        pytest.param(
            file_of([(0, ON), (0, TEXT), (480, b"\x3e\x50"), (0, TEXT), (480, b"\x3c\x00")]),
            [0.0, 0.5],
            1.0,
            id="running status over text, and a release missing",
        ),
        pytest.param(
            file_of([(0, ON), (480, bytes([0xB0, 123, 0])), (4800, bytes([0xB0, 7, 1]))]),
            [0.0],
            0.5,
            id="all notes off",
        ),
        pytest.param(
            file_of([(0, ON), (0, b"\xf8"), (0, b"\xf2\x01\x02"), (480, OFF), (0, ON)]),
            [0.0, 0.5],
            1.0,
            id="the clock's messages",
        ),
        pytest.param(file_of([(0, ON)], closing=b"\x83\x60\xff\x2f\x00\x90\x01"), [0.0], 0.5, id="padding"),
    ],
)
def test_no_note_is_lost_where_files_are_odd(
    tmp_path: Path, data: bytes, onsets: list[float], last: float
) -> None:
    (tmp_path / "a.mid").write_bytes(data)
    notes = read_midi(tmp_path / "a.mid")
    assert notes.onset.tolist() == onsets
    assert notes.offset.max() == last


def test_joined_files_and_notes_that_the_parser_loses_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = many(note(60), said=1)
    (tmp_path / "two.mid").write_bytes(one + one)
    with pytest.raises(NotebeamError, match=r"two\.mid: got 'several files joined to one'"):
        read_midi(tmp_path / "two.mid")
    (tmp_path / "one.mid").write_bytes(one)
    monkeypatch.setattr(midi, "closed", lambda _: None)
    monkeypatch.setattr(midi, "mended", lambda data: (data, 2))
    with pytest.raises(NotebeamError, match=r"one\.mid: got 'damage \(1 of 2 notes\)'"):
        read_midi(tmp_path / "one.mid")


def test_a_strike_days_later_is_refused(tmp_path: Path) -> None:
    music = [(0, bytes([0x90, 60, 80])), (QUARTER, bytes([0x80, 60, 0]))]
    (tmp_path / "a.mid").write_bytes(file_of([*music, (0x0FFFFFFF, music[0][1]), music[1]]))
    with pytest.raises(NotebeamError, match=r"a\.mid: times: got '77\.7 hours without a strike'"):
        read_midi(tmp_path / "a.mid")


def test_more_beats_than_music_has_are_refused(tmp_path: Path) -> None:
    far = file_of([(0x0FFFFFFF, bytes([0x90, 60, 80])), (QUARTER, bytes([0x80, 60, 0]))])
    (tmp_path / "a.mid").write_bytes(far[:12] + (1).to_bytes(2, "big") + far[14:])
    with pytest.raises(NotebeamError, match=r"a\.mid: times: got '268435455 quarter notes without a strike'"):
        read_beats(tmp_path / "a.mid")


def test_a_tempo_of_0_is_refused_by_every_reader(tmp_path: Path) -> None:
    halt = (0, b"\xff\x51\x03\x00\x00\x00")
    (tmp_path / "a.mid").write_bytes(file_of([halt, *events_of([(60, True)])]))
    for read in (read_midi, read_beats):
        with pytest.raises(NotebeamError, match=r"a\.mid: tempo: got 0, expected microseconds"):
            read(tmp_path / "a.mid")


@pytest.mark.parametrize("size", [0, 4, 12])
def test_a_track_whose_length_was_never_filled_in_is_read_to_its_end(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.mid"
    whole = file_of(events_of([(60, True), (62, True), (64, True)]))
    track = whole[14:]
    short = b"MTrk" + size.to_bytes(4, "big") + track[8:]
    for data, count in (
        (whole[:14] + short, 3),
        (whole[:14] + short + bytes(5), 3),  # padding
        (
            whole[:14] + short + track.replace(b"\x3c", b"\x3d"),
            4,
        ),  # another track, its first note a semitone up
        (whole[:14] + b"MTrk" + bytes(4) + track, 3),  # an empty track has no end to look for
    ):
        path.write_bytes(data)
        assert len(read_midi(path)) == count


def test_a_longer_header_is_skipped_and_pieces_of_their_own_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    whole = file_of(events_of([(60, True), (62, True)]))
    path.write_bytes(whole[:4] + (10).to_bytes(4, "big") + whole[8:14] + b"more" + whole[14:])
    assert read_midi(path).pitch.tolist() == [60, 62]
    two = whole[:8] + bytes([0, 2, 0, 2]) + whole[12:] + whole[14:]
    path.write_bytes(two)
    with pytest.raises(NotebeamError, match=r"a\.mid: format: got 2, expected 0 or 1"):
        read_midi(path)
    path.write_bytes(whole[:9] + bytes([2]) + whole[10:])  # one piece alone is as any other
    assert len(read_midi(path)) == 2
