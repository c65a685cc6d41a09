"""--score: MusicXML that says what was played, as the library reads it back; what is refused."""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from oracles_transcribe import ideal

from symbolic.errors import NotebeamError
from symbolic.metre import Beats
from symbolic.midi import read_midi
from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram
from transcribe.cli import main
from transcribe.musicxml import write_score

partitura = pytest.importorskip("partitura", reason="needs partitura, of the extra score")

BEAT = 0.5  # seconds
# Two bars of three for the right hand: (beat, beats long, pitches); with a triplet, a tie over the bar and
# a syncopation. For the left: a bass that is held under two chords, and octaves.
UPPER = [
    (0.0, 1.0, [72, 76]), (1.0, 0.5, [74]), (1.5, 0.5, [76]), (2.0, 1 / 3, [77]), (2 + 1 / 3, 1 / 3, [76]),
    (2 + 2 / 3, 1 / 3, [74]), (3.0, 0.5, [78]), (3.5, 1.0, [79]), (4.5, 0.5, [78]), (5.0, 2.0, [79]),
    (7.0, 2.0, [74, 79, 83]),
]  # fmt: skip
LOWER = [(0.0, 3.0, [43]), (1.0, 1.0, [55, 59]), (2.0, 1.0, [55, 59]), (3.0, 3.0, [36, 48]), (6.0, 3.0, [43])]


def played(parts: Sequence[Sequence[tuple[float, float, list[int]]]], uneven: float, seed: int = 0) -> Notes:
    """Notes a second late, each a little early or late, released at 0.93 of its length."""
    draw = np.random.default_rng(seed)
    rows = [(begin, length, pitch) for part in parts for begin, length, chord in part for pitch in chord]
    begin, length, pitch = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    onset = 1.0 + BEAT * begin + draw.normal(0, uneven, len(begin))
    offset = np.maximum(onset + 0.05, 1.0 + BEAT * (begin + 0.93 * length))
    # The pedal lets everything ring on: what is written follows the keys.
    return Notes.make(onset, offset + 1.0, pitch, np.full(len(onset), 64), key_offset=offset)


def beats(count: int = 9, usual: int = 3, fifths: int | None = 1) -> Beats:
    return Beats(1.0 + BEAT * np.arange(count), np.arange(count) % usual == 0, fifths=fifths)


def as_read(path: Path) -> tuple[object, NDArray[np.void]]:
    """The part as partitura reads it, and its notes, ties joined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        part = partitura.load_score(str(path)).parts[0]
    return part, part.note_array(include_staff=True, include_pitch_spelling=True)


@pytest.mark.parametrize("uneven", [0.0, 0.012])
def test_what_was_played_is_written(tmp_path: Path, uneven: float) -> None:
    write_score(tmp_path / "a.musicxml", played([UPPER, LOWER], uneven), beats())
    part, table = as_read(tmp_path / "a.musicxml")
    for staff, expected in ((1, UPPER), (2, LOWER)):
        own = table[table["staff"] == staff]
        found = sorted(
            (
                round(float(row["onset_quarter"]), 3),
                round(float(row["duration_quarter"]), 3),
                int(row["pitch"]),
            )
            for row in own
        )
        assert found == sorted((round(b, 3), round(n, 3), p) for b, n, chord in expected for p in chord)
    score = partitura.score
    assert [(t.beats, t.beat_type) for t in part.iter_all(score.TimeSignature)] == [(3, 4)]  # type: ignore[attr-defined]
    assert [key.fifths for key in part.iter_all(score.KeySignature)] == [1]  # type: ignore[attr-defined]
    sharps = {(str(row["step"]), int(row["alter"])) for row in table if row["pitch"] == 78}
    assert sharps == {("F", 1)}


def times_in_file(path: Path) -> list[tuple[int, int, str, str]]:
    """(bar, ticks after its start, step, octave) of every note, as the file's durations add up."""
    found = []
    for number, bar in enumerate(ElementTree.parse(path).getroot().iter("measure")):
        now = start = 0
        for symbol in bar:
            length = int(symbol.findtext("duration") or 0)
            if symbol.tag == "note":
                if symbol.find("chord") is None:
                    start, now = now, now + length
                if symbol.find("pitch") is not None:
                    words = (symbol.findtext(f"pitch/{name}") or "" for name in ("step", "octave"))
                    found.append((number, start, *words))
            elif symbol.tag in ("forward", "backup"):
                now += length if symbol.tag == "forward" else -length
            assert now >= 0
    return sorted(found)


@pytest.mark.parametrize(
    ("downbeat", "bars"),
    [
        (0, [("1", None), ("2", None), ("3", None)]),
        (1, [("0", "yes"), ("1", None), ("2", None), ("3", None)]),
    ],
)
def test_a_pickup_is_not_counted(tmp_path: Path, downbeat: int, bars: list[tuple[str, str | None]]) -> None:
    part = [(float(place), 1.0, [60]) for place in range(9 + downbeat)]
    places = np.arange(10 + downbeat)
    write_score(
        tmp_path / "a.musicxml", played([part], 0.0), Beats(1.0 + BEAT * places, places % 3 == downbeat)
    )
    measures = ElementTree.parse(tmp_path / "a.musicxml").getroot().iter("measure")
    assert [(measure.get("number"), measure.get("implicit")) for measure in measures] == bars


@pytest.mark.parametrize(("by", "signs"), [(0, ["G", "F"]), (24, ["G", "G"]), (-24, ["F", "F"])])
def test_a_hand_has_the_clef_it_needs(tmp_path: Path, by: int, signs: list[str]) -> None:
    notes = played([UPPER, LOWER], 0.0)
    notes = Notes.make(notes.onset, notes.offset, np.maximum(21, notes.pitch + by), notes.velocity)
    write_score(tmp_path / "a.musicxml", notes, beats())
    clefs = ElementTree.parse(tmp_path / "a.musicxml").iterfind(".//attributes/clef")
    assert [clef.findtext("sign") for clef in clefs] == signs


def test_a_second_voice_keeps_its_time_after_a_silence(tmp_path: Path) -> None:
    upper = [(0.0, 4.0, [84]), (4.0, 4.0, [84])]
    inner = [(0.5, 0.5, [72]), (2.5, 0.5, [74])]
    lower = [(0.0, 4.0, [36]), (4.0, 4.0, [36])]
    write_score(tmp_path / "a.musicxml", played([upper, inner, lower], 0.0), beats(9, 4))
    assert [row for row in times_in_file(tmp_path / "a.musicxml") if row[3] == "5"] == [
        (0, 12, "C", "5"),
        (0, 60, "D", "5"),
    ]
    _, table = as_read(tmp_path / "a.musicxml")
    assert table["onset_quarter"][table["pitch"] == 74].tolist() == [2.5]


@pytest.mark.parametrize(
    ("fifths", "tonic", "names"),
    [
        (-4, 68, "A♭ B♭ C D♭ E♭ F G A♭"),
        (-5, 61, "D♭ E♭ F G♭ A♭ B♭ C D♭"),
        (4, 64, "E F♯ G♯ A B C♯ D♯ E"),
        (6, 66, "F♯ G♯ A♯ B C♯ D♯ E♯ F♯"),
    ],
)
def test_notes_are_spelled_as_the_key_signature_says(
    tmp_path: Path, fifths: int, tonic: int, names: str
) -> None:
    scale = [0, 2, 4, 5, 7, 9, 11, 12]
    part = [(float(beat), 1.0, [tonic + scale[min(beat, 14 - beat)]]) for beat in range(15)]
    write_score(tmp_path / "a.musicxml", played([part], 0.0), beats(16, 4, fifths))
    _, table = as_read(tmp_path / "a.musicxml")
    signs = {-1: "♭", 0: "", 1: "♯"}
    found = [str(row["step"]) + signs[int(row["alter"])] for row in table]
    assert found == names.split() + names.split()[-2::-1]
    assert table["pitch"].tolist() == [chord[0] for _, _, chord in part]


@pytest.mark.parametrize("seed", range(3))
def test_every_note_is_in_the_file_where_it_is_in_the_part(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(seed)
    onset = np.sort(draw.uniform(0.3, 24.0, 200))
    notes = Notes.make(
        onset, onset + draw.uniform(0.02, 2.0, 200), draw.permutation(200) % 88 + 21, [64] * 200
    )
    parts = []
    write = partitura.save_musicxml
    monkeypatch.setattr(partitura, "save_musicxml", lambda part: parts.append(part) or write(part))
    write_score(tmp_path / "a.musicxml", notes, beats(40, 4))
    (part,) = parts
    measures = list(part.measures)
    wanted = [
        (number, note.start.t - measure.start.t, note.step, str(note.octave))
        for number, measure in enumerate(measures)
        for note in part.iter_all(partitura.score.Note, measure.start, measure.end)
    ]
    assert len(wanted) >= 200 and times_in_file(tmp_path / "a.musicxml") == sorted(wanted)


def lengths_of_voices(bar: ElementTree.Element) -> dict[str, int]:
    """Ticks of the notes and rests of each voice of a bar; chords count once."""
    lengths: dict[str, int] = {}
    for note in bar.iter("note"):
        if note.find("chord") is None:
            voice = note.findtext("voice") or ""
            lengths[voice] = lengths.get(voice, 0) + int(note.findtext("duration") or 0)
    return lengths


@pytest.mark.parametrize("seed", range(4))
def test_any_music_fills_its_bars_and_keeps_its_notes(tmp_path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    onset = np.sort(draw.uniform(0.3, 24.0, 250))
    offset = onset + draw.uniform(0.02, 2.0, 250)
    notes = Notes.make(onset, offset, draw.permutation(250) % 88 + 21, [64] * 250)
    times = 0.7 + np.cumsum(draw.uniform(0.35, 0.65, 40))
    bars = Beats(times, np.isin(np.arange(40), [2, 6, 10, 13, 17, 21, 29, 33]), division=2 + seed % 2)
    write_score(tmp_path / "a.musicxml", notes, bars)
    root = ElementTree.parse(tmp_path / "a.musicxml").getroot()
    measures = root.findall("part/measure")
    signature, last = 0, len(measures) - 1
    for index, bar in enumerate(measures):
        if bar.find("attributes/time") is not None:
            upper, lower = (
                int(bar.findtext(f"attributes/time/{name}") or 0) for name in ("beats", "beat-type")
            )
            signature = 24 * 4 * upper // lower
        lengths = lengths_of_voices(bar)
        # First voices have a rest wherever they have no note; a first bar may be a pickup.
        assert lengths["1"] == lengths["5"]
        assert lengths["1"] == signature or (index in (0, last) and lengths["1"] < signature)
        assert all(length <= signature for length in lengths.values())
    written = [n for n in root.iter("note") if n.find("pitch") is not None]
    begun = [n for n in written if all(tie.get("type") != "stop" for tie in n.findall("tie"))]
    # Two strokes of a key within a tick are one note.
    assert 0.95 * len(notes) <= len(begun) <= len(notes)
    starts, stops = (
        sum(t.get("type") == kind for n in written for t in n.findall("tie")) for kind in ("start", "stop")
    )
    assert starts == stops > 0
    assert {n.findtext("staff") for n in written} == {"1", "2"}


def test_a_piece_for_one_hand_leaves_the_other_staff_to_rests(tmp_path: Path) -> None:
    write_score(tmp_path / "a.musicxml", played([UPPER], 0.0), beats(fifths=None))
    _, table = as_read(tmp_path / "a.musicxml")
    assert set(table["staff"]) == {1}
    root = ElementTree.parse(tmp_path / "a.musicxml").getroot()
    assert all(bar.findall("note[staff='2']/rest") for bar in root.findall("part/measure"))
    assert root.find(".//key") is None


@pytest.mark.parametrize("late", np.linspace(0.0, 1.0, 9).tolist())
def test_a_last_note_just_before_a_bar_has_a_bar_to_be_in(tmp_path: Path, late: float) -> None:
    onset = np.array([1.0, 1.5, 2.0 + BEAT * late])
    write_score(tmp_path / "a.musicxml", Notes.make(onset, onset + 0.02, [60] * 3, [64] * 3), beats(4))
    _, table = as_read(tmp_path / "a.musicxml")
    assert (
        table["onset_quarter"][:2].tolist() == [0.0, 1.0] and abs(table["onset_quarter"][2] - 2 - late) < 0.13
    )


def test_no_notes_make_no_score(tmp_path: Path) -> None:
    with pytest.raises(NotebeamError, match="write_score: got 'no notes', expected a score's music"):
        write_score(tmp_path / "a.musicxml", Notes.empty(), beats())
    assert not list(tmp_path.iterdir())


def test_the_command_writes_a_score_with_tracked_beats_and_hands(tmp_path: Path) -> None:
    ideal(played([UPPER, LOWER], 0.0)).save(tmp_path / "a.npz")
    assert (
        main([str(tmp_path / "a.npz"), "--score", str(tmp_path / "a.musicxml"), "-q", "--prior", "none"]) == 0
    )
    _, table = as_read(tmp_path / "a.musicxml")
    assert set(table["pitch"]) == {p for part in (UPPER, LOWER) for *_, chord in part for p in chord}
    # The MIDI beside it has a track for each hand.
    right, left = (read_midi(tmp_path / "a.mid", tracks=(f"{hand} hand",)) for hand in ("Right", "Left"))
    assert (len(right), len(left), int(left.pitch.max())) == (14, 8, 59)


def test_hands_without_beats(tmp_path: Path) -> None:
    ideal(played([UPPER, LOWER], 0.0)).save(tmp_path / "a.npz")
    assert main([str(tmp_path / "a.npz"), "--hands", "-q"]) == 0
    assert read_midi(tmp_path / "a.mid", tracks=("Right hand",)).pitch.min() == 72


def test_an_empty_transcription_is_one_line_and_has_no_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Posteriorgram(frame=np.zeros((200, 88)), onset=np.zeros((200, 88)), hop=0.02).save(tmp_path / "a.npz")
    (tmp_path / "beats.txt").write_text("0.5\n1.0\n1.5\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.musicxml").write_text("of an earlier run")
    words = [
        str(tmp_path / "a.npz"),
        "-o",
        str(tmp_path / "out" / "a.mid"),
        "--csv",
        str(tmp_path / "out/a.csv"),
    ]
    words += ["--score", str(tmp_path / "out" / "a.musicxml"), "--beats", str(tmp_path / "beats.txt")]
    assert main([*words, "-q"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"transcribe: {tmp_path}/a.npz: --score: got 'no notes', expected a score's music; "
        "the other files are written"
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.csv", "a.mid"]


def test_a_tempo_and_a_score_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["a.npz", "--score", "a.musicxml", "--tempo", "90"])
    assert leaving.value.code == 2
    assert "--tempo: got 90, expected none: the beats make the file's tempo" in capsys.readouterr().err


def test_a_missing_library_is_one_line_that_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ideal(played([UPPER], 0.0)).save(tmp_path / "a.npz")
    monkeypatch.setitem(
        sys.modules, "partitura", None
    )  # what Python itself does of a module that is not there
    assert main([str(tmp_path / "a.npz"), "--score", str(tmp_path / "a.musicxml")]) == 2
    assert capsys.readouterr().err == (
        "transcribe: --score: got 'no partitura', expected partitura, of the extra score: "
        "pip install 'notebeam[score]'\n"
    )
    assert not (tmp_path / "a.mid").exists()
    assert main([str(tmp_path / "a.npz"), "-q"]) == 0  # all else works without it
