"""The sampler: right sample, right pitch, right time, right end."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from oracles_acoustic import rendered_note, sine

from acoustic.audio import RATE_HZ
from acoustic.rendering import ATTACK_SECONDS, SampledPiano, Touch
from acoustic.training import renderings
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


def test_an_interrupted_rendering_leaves_alone_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTEBEAM_CACHE", str(tmp_path / "cache"))
    pianos = tmp_path / "data" / "pianos"
    pianos.mkdir(parents=True)
    piano(pianos)
    renderings.folder().mkdir(parents=True)
    monkeypatch.setenv("NOTEBEAM_DATA", str(tmp_path / "data"))
    notes = Notes.make([0.1], [0.5], [69], [90], key_offset=[0.3])
    item = renderings.Plan(name="asap-000-toy", notes=notes, piano="toy", seed=1)
    renderings.render(item)
    ((sound, table),) = renderings.rendered()
    assert renderings.rendered(("pop909",)) == []
    found = read_tsv(table)
    assert found.key_offset is not None and found.key_offset.tolist() == [0.3]
    sound.write_bytes(b"rendered before")
    renderings.render(item)
    assert sound.read_bytes() == b"rendered before"
    table.unlink()  # interrupted between the two
    renderings.render(item)
    assert sound.read_bytes() != b"rendered before" and table.exists()
