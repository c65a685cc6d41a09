"""The sampler: right sample, right pitch, right time, right end."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from oracles_acoustic import rendered_note, sine

from acoustic import instruments
from acoustic.audio import RATE_HZ
from acoustic.rendering import AS_RECORDED, ATTACK_SECONDS, SampledPiano, Touch, Tuning
from acoustic.soundfonts import SoundFont
from acoustic.training import recordings, renderings
from benchmarks import domains
from symbolic.errors import NotebeamError
from symbolic.notes import Notes, read_tsv

HEADER = "piano,file,pitch,low_key,high_key,low_velocity,high_velocity,seconds,gain_db,level_db"
TOUCH = Touch(dynamics=2.0, fade_seconds=0.1, level=0.5)


def piano(folder: Path) -> SampledPiano:
    """One sample of A4 for the lower keys in two layers, one of A7 above."""
    rows = [HEADER]
    for name, pitch, keys, layer, gain in (
        ("soft", 69, (21, 89), (1, 63), -6.0206),
        ("loud", 69, (21, 89), (64, 127), 0.0),
        ("high", 105, (90, 108), (1, 127), 0.0),
    ):
        soundfile.write(folder / f"{name}.wav", sine(440 * 2 ** ((pitch - 69) / 12), 1.0), RATE_HZ)
        rows.append(f"toy,{name}.wav,{pitch},{keys[0]},{keys[1]},{layer[0]},{layer[1]},1.0,{gain},-10")
    (folder / "samples.csv").write_text("\n".join(rows) + "\n")
    (folder / "licences.csv").write_text("piano,credit,licence\ntoy,nobody,CC0\n")
    return SampledPiano(folder, "toy")


def test_a_note_equals_the_oracle(tmp_path: Path) -> None:
    notes = Notes.make([0.5], [0.8], [69], [127])
    found = piano(tmp_path).render(notes, TOUCH)
    fade = round(0.1 * 2 ** (-9 / 36) * RATE_HZ)
    sample = sine(440, 1.0).astype(float) / 0.5  # the layer's peak is 1
    first = round((0.5 - ATTACK_SECONDS) * RATE_HZ)
    expected = rendered_note(sample, first, round(0.3 * RATE_HZ), fade, 0.5, len(found))
    assert np.abs(found - expected).max() < 1e-3


def test_layers_are_levelled_and_velocity_decides_the_loudness(tmp_path: Path) -> None:
    toy = piano(tmp_path)

    def peak(velocity: int) -> float:
        return float(np.abs(toy.render(Notes.make([0.1], [0.6], [69], [velocity]), TOUCH)).max())

    assert peak(127) == pytest.approx(0.5, rel=0.01)
    assert peak(60) / peak(120) == pytest.approx(0.25, rel=0.01)  # (60 / 120) ** 2, across the layers


def test_a_transposed_note_has_its_own_pitch(tmp_path: Path) -> None:
    audio = piano(tmp_path).render(Notes.make([0.0], [0.9], [57], [100]), TOUCH)  # an octave below A4
    assert np.argmax(np.abs(np.fft.rfft(audio[:8000]))) * 2 == 220


def test_undamped_strings_ring_on_and_nothing_plays_twice(tmp_path: Path) -> None:
    toy = piano(tmp_path)
    audio = toy.render(Notes.make([0.0], [0.1], [105], [100]), TOUCH, tail=2.0)
    assert np.abs(audio[round(0.8 * RATE_HZ) : round(0.95 * RATE_HZ)]).max() > 0.1
    once, twice = (toy.render(Notes.make([0.0], [0.3], [69], [90]), TOUCH) for _ in range(2))
    assert (once == twice).all()  # rendering changes no sample


def test_an_unknown_piano_or_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotebeamError, match="no such file"):
        SampledPiano(tmp_path, "toy")
    piano(tmp_path)
    with pytest.raises(NotebeamError, match="got 'grand', expected one of toy"):
        SampledPiano(tmp_path, "grand")


HEADER = "piano,file,pitch,low_key,high_key,low_velocity,high_velocity,gain_db"


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ("piano,file\ntoy,a.wav", r"samples\.csv line 1: "),
        (f"{HEADER}\ntoy,a.wav,,21,108,1,127,0", r"samples\.csv line 2 pitch: "),
        (
            f"{HEADER}\ntoy,a.wav,60.5,21,108,1,127,0",
            r"samples\.csv: pitch: got '60\.5', expected an int",
        ),
        (f"{HEADER}\ntoy,a.wav,60,21,999,1,127,0", r"samples\.csv: high_key: got '999', expected an integer"),
        (f"{HEADER}\ntoy,a.wav,60,21,108,1,127,nan", r"samples\.csv: gain_db: got 'nan', expected a finite"),
        (f"{HEADER}\ntoy,a.wav,60,21,108,1,127,9999", r"samples\.csv: gain_db: got 9999\.0, expected 200"),
        (f"{HEADER}\ntoy,a.wav,60,21,108,1,127,0", r"a\.wav: got 'no such file', expected a recording"),
        (f"{HEADER}\ntoy,rest.wav,60,21,108,1,127,0", r"rest\.wav: got 'silence', expected the sound"),
        ("\xff", r"samples\.csv: got 'bytes that are not text"),
    ],
)
def test_a_damaged_table_of_samples_is_one_line(tmp_path: Path, table: str, place: str) -> None:
    soundfile.write(tmp_path / "rest.wav", np.zeros(100), RATE_HZ)
    (tmp_path / "samples.csv").write_text(table, encoding="latin-1")
    with pytest.raises(NotebeamError, match=place):
        SampledPiano(tmp_path, "toy")


def test_a_tuned_piano_is_off_by_its_cents_and_stretched_outwards(tmp_path: Path) -> None:
    assert not AS_RECORDED.cents().any()
    stretched = Tuning(stretch=20.0).cents()
    assert stretched[[0, -1]].tolist() == [-20.0, 20.0] and abs(stretched[44]) < 0.01
    assert Tuning(spread=5.0, seed=1).cents().std() == pytest.approx(5.0, rel=0.2)
    piano(tmp_path)
    toy = SampledPiano(tmp_path, "toy", Tuning(stretch=100.0))
    audio = toy.sound(81, 100)  # an octave above A4: 100 * ((81 - 64.5) / 43.5) ** 3 = 5.5 cents sharp
    hertz = np.argmax(np.abs(np.fft.rfft(audio, 160_000))) / 10
    assert hertz == pytest.approx(880 * 2 ** (5.457 / 1200), abs=0.2)


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one piano, and a cache beside it."""
    monkeypatch.setenv("NOTEBEAM_CACHE", str(tmp_path / "cache"))
    pianos = tmp_path / "data" / "pianos"
    pianos.mkdir(parents=True)
    piano(pianos)
    monkeypatch.setenv("NOTEBEAM_DATA", str(tmp_path / "data"))
    return pianos


def excerpt(velocity: int = 90) -> renderings.Excerpt:
    notes = Notes.make([0.1], [0.5], [69], [velocity], key_offset=[0.3])
    return renderings.Excerpt(
        name="asap-000-0-toy", notes=notes, piano="toy", tuning=AS_RECORDED, touch=TOUCH
    )


def test_renderings_are_found_once_all_are_there_by_their_own_settings_alone(
    toys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderings, "plan", lambda options: [excerpt()])
    options = renderings.RenderOptions(pianos=("toy",), modelled_chance=0.0)
    with pytest.raises(NotebeamError, match=r"none of these settings, or not all.*renderings first"):
        renderings.rendered(options=options)
    into = renderings.render_all(options)
    ((sound, table),) = renderings.rendered(options=options)
    found = read_tsv(table)
    assert found.key_offset is not None and found.key_offset.tolist() == [0.3]
    assert sound.exists() and renderings.rendered(("pop909",), options) == []
    for other in (replace(options, seed=1), replace(options, seconds=3.0)):
        assert renderings.folder(other) != into
        with pytest.raises(NotebeamError, match="none of these settings"):
            renderings.rendered(options=other)
    with (toys / "samples.csv").open("a") as file:
        file.write("\n")
    assert renderings.folder(options) != into  # other samples


def test_an_interrupted_rendering_leaves_alone_what_is_there(toys: Path, tmp_path: Path) -> None:
    renderings.render(excerpt(), tmp_path)
    sound, table = (tmp_path / f"asap-000-0-toy.{suffix}" for suffix in ("flac", "tsv"))
    sound.write_bytes(b"rendered before")
    renderings.render(excerpt(), tmp_path)
    assert sound.read_bytes() == b"rendered before"
    table.unlink()  # interrupted between the two
    renderings.render(excerpt(), tmp_path)
    assert sound.read_bytes() != b"rendered before" and table.exists()


def test_a_piano_without_a_licence_is_refused_by_name(toys: Path) -> None:
    renderings.RenderOptions(pianos=("toy", "splendid"))
    (toys / "licences.csv").write_text("piano,credit,licence\ntoy,nobody,\n")
    with pytest.raises(NotebeamError, match=r"piano toy: got 'no licence', expected a row .*licences\.csv"):
        renderings.RenderOptions(pianos=("toy",))
    assert instruments.credit(("headroom-close", "headroom-decca", "upright-kw")) == (
        "Headroom Piano by Bengt Nilsson, CC BY 4.0; Upright KW (FreePats), CC0"
    )


def test_held_out_pianos_are_in_no_training() -> None:
    assert not set(renderings.PIANOS) & set(renderings.HELD_OUT)
    others = {"musescore-electric", *domains.OTHER}  # no pianos
    others |= set(recordings.NEVER_HEARD)
    assert set(renderings.PIANOS) | set(renderings.HELD_OUT) == set(instruments.SOURCES) - others
    assert set(domains.USED) <= set(renderings.PIANOS)


def test_flat_velocities_are_drawn_and_soft_ones_are_soft() -> None:
    onset = np.arange(400) / 4
    flat = Notes.make(onset, onset + 0.2, 40 + np.arange(400) % 40, [100] * 400)
    drawn = renderings.played(flat, np.random.default_rng(0), soft=False)
    assert len(np.unique(drawn.velocity)) > 20 and 40 < drawn.velocity.mean() < 95
    soft = renderings.played(flat, np.random.default_rng(0), soft=True)
    assert soft.velocity.mean() < 0.7 * drawn.velocity.mean() and soft.velocity.min() >= 1
    assert (soft.onset == onset).all()


@pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="FluidSynth is not installed")
@pytest.mark.parametrize("name", ["fluid-grand", "musescore-grand", "timgm-grand"])
def test_soundfonts_sound_at_the_time_and_pitch_of_the_notes(name: str) -> None:
    font = instruments.SOURCES[name].font
    assert font is not None
    try:
        assert font.path.is_file()
    except NotebeamError:
        pytest.skip(f"{font.file} is not installed")
    onset = [0.5, 1.5, 2.5]
    notes = Notes.make(onset, np.array(onset) + 0.4, [57, 69, 81], [100] * 3)
    audio = font.render(notes, TOUCH)
    assert len(audio) == round((2.9 + 1.0) * RATE_HZ)
    for time, hertz in zip(onset, (220, 440, 880), strict=True):
        first = round(time * RATE_HZ)
        attack = np.abs(audio[first - 800 : first + 3200])
        rise = (np.argmax(attack > 0.1 * attack.max()) - 800) / RATE_HZ
        assert abs(rise) < 0.008
        spectrum = np.abs(np.fft.rfft(audio[first : first + 6400], 160_000))[:20_000]
        near = np.abs(np.arange(20_000) / 10 - hertz) < 3
        assert spectrum[near].max() > 0.2 * spectrum.max()


def test_a_missing_font_is_named() -> None:
    with pytest.raises(NotebeamError, match=r"soundfont none\.sf2: got 'no such file'"):
        SoundFont(file="none.sf2").render(Notes.make([0], [1], [60], [64]), TOUCH)
