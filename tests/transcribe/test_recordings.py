"""The command on audio, good and bad; the models are small and untrained."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from oracles_transcribe import assert_same_notes

from acoustic.audio import read_audio
from acoustic.features import FeatureOptions
from acoustic.loading import ModelCard, save_network
from acoustic.network import HarmonicNet, NetworkOptions
from symbolic.midi import read_midi
from symbolic.midi_writing import RINGING
from symbolic.notes import Notes
from symbolic.posteriorgram import Posteriorgram
from transcribe.cli import main
from transcribe.scoring import score

RATE_HZ = 16_000
EXAMPLES = Path(__file__).parents[2] / "examples"
SIZES = NetworkOptions(harmonics=(1.0, 2.0), spectral_channels=2, channels=3, dilations=(1,))


def saved_model(path: Path, *, deaf: bool) -> Path:
    """An untrained acoustic model: one that finds nothing at all, or one that finds notes in any noise."""
    torch.manual_seed(0)
    network = HarmonicNet(FeatureOptions(), SIZES)
    with torch.no_grad():
        # What comes before is never negative: loud is likely, silence is not.
        network.heads.bias.fill_(-10.0 if deaf else -2.0)
        network.heads.weight.fill_(0.0 if deaf else 20.0)
    save_network(path, network, ModelCard(name="test", network=SIZES))
    return path


@pytest.fixture(scope="module")
def deaf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_model(tmp_path_factory.mktemp("deaf") / "model.safetensors", deaf=True)


@pytest.fixture(scope="module")
def keen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_model(tmp_path_factory.mktemp("keen") / "model.safetensors", deaf=False)


def noise(seconds: float, channels: int = 1, rate_hz: int = RATE_HZ) -> np.ndarray:
    """(S, channels) float32 noise that swells twice a second."""
    count = round(seconds * rate_hz)
    swell = np.sin(np.pi * 2 * np.arange(count) / rate_hz) ** 2
    drawn = np.random.default_rng(0).normal(0, 0.1, (count, channels))
    return (drawn * swell[:, None]).astype(np.float32)


def transcribed(model: Path, *args: str | Path) -> int:
    return main([*map(str, args), "--model", str(model), "--prior", "none", "--device", "cpu"])


def test_audio_in_midi_out_and_its_posteriors_give_the_same(tmp_path: Path, keen: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(2.0), RATE_HZ)
    assert transcribed(keen, tmp_path / "a.wav", "-q", "--save-posteriorgram", tmp_path / "heard.npz") == 0
    found = read_midi(tmp_path / "a.mid")
    assert len(found) > 3
    assert transcribed(keen, tmp_path / "heard.npz", "-q") == 0
    assert_same_notes(read_midi(tmp_path / "heard.mid"), found, seconds=1e-9)
    posteriorgram = Posteriorgram.load(tmp_path / "heard.npz")
    assert posteriorgram.hop == pytest.approx(0.02)
    assert posteriorgram.count == pytest.approx(100, abs=2)


def test_keys_and_pedal_are_the_same_notes_and_sound_no_shorter(tmp_path: Path, keen: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(2.0), RATE_HZ)
    assert transcribed(keen, tmp_path / "a.wav", "-q", "--pedal", "-o", tmp_path / "pedal.mid") == 0
    assert transcribed(keen, tmp_path / "a.wav", "-q") == 0
    plain, pedal = read_midi(tmp_path / "a.mid"), read_midi(tmp_path / "pedal.mid")
    assert np.array_equal(plain.onset, pedal.onset) and np.array_equal(plain.pitch, pedal.pitch)
    assert (read_midi(tmp_path / "pedal.mid", "keys").offset <= plain.offset + 1e-3).all()
    # Up to what the pedal is not held responsible for.
    assert (pedal.offset >= plain.offset - RINGING - 1e-3).all()


def test_half_the_digits_give_about_the_same(tmp_path: Path, keen: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(2.0), RATE_HZ)
    frames = []
    for word in ("--no-bfloat16", "--bfloat16"):
        path = tmp_path / f"probabilities{word}.npz"
        assert transcribed(keen, tmp_path / "a.wav", "-q", "--save-posteriorgram", path, word) == 0
        frames.append(Posteriorgram.load(path).frame)
    assert 0 < np.abs(frames[0] - frames[1]).max() < 0.2


@pytest.mark.parametrize(("cents", "words"), [(-35, ()), (-100, ("--tuning", "415.3"))])
def test_a_recording_at_another_pitch_is_written_in_its_own_keys(
    tmp_path: Path, cents: float, words: tuple[str, ...]
) -> None:
    music, speed = read_audio(EXAMPLES / "gymnopedie.flac", 0.0, 9.0), 2 ** (cents / 1200)
    soundfile.write(tmp_path / "straight.wav", music, RATE_HZ)
    soundfile.write(tmp_path / "low.wav", soxr.resample(music, RATE_HZ * speed, RATE_HZ), RATE_HZ)
    assert main([str(tmp_path / "straight.wav"), "-q", "--decoder", "threshold"]) == 0
    assert main([str(tmp_path / "low.wav"), "-q", "--decoder", "threshold", *words]) == 0
    straight, low = read_midi(tmp_path / "straight.mid"), read_midi(tmp_path / "low.mid")
    expected = Notes.make(straight.onset / speed, straight.offset / speed, straight.pitch, straight.velocity)
    assert score(expected, low).onset_f1 > 0.95


def test_posteriors_that_know_no_keys_have_no_pedal_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planes = np.zeros((50, 88), dtype=np.float32)
    planes[10:30, 40] = 0.9
    Posteriorgram(planes, planes, None, None, hop=0.02, duration=1.0).save(tmp_path / "a.npz")
    words = [str(tmp_path / "a.npz"), "--pedal", "--prior", "none", "--device", "cpu"]
    assert main([*words, "--csv", str(tmp_path / "a.csv")]) == 1
    assert "no plane `held`" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_start_and_stop_keep_the_recordings_times(tmp_path: Path, keen: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(4.0), RATE_HZ)
    part = ("--start", "0:01.5", "--stop", "2.5", "--save-posteriorgram", tmp_path / "heard.npz")
    assert transcribed(keen, tmp_path / "a.wav", "-q", *part) == 0
    times = Posteriorgram.load(tmp_path / "heard.npz").times
    assert times[0] == pytest.approx(1.5, abs=0.021)
    assert times[-1] == pytest.approx(2.5, abs=0.041)
    found = read_midi(tmp_path / "a.mid")
    assert len(found)
    assert found.onset.min() >= 1.4
    assert found.onset.max() <= 2.6


@pytest.mark.parametrize("seconds", [2.0, 1 / RATE_HZ])
def test_silence_and_a_single_sample_are_an_empty_file_and_a_notice(
    seconds: float, tmp_path: Path, deaf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(round(seconds * RATE_HZ)), RATE_HZ)
    assert transcribed(deaf, tmp_path / "a.wav", "--picture", tmp_path / "a.png") == 0
    assert len(read_midi(tmp_path / "a.mid")) == 0
    assert "no notes found" in capsys.readouterr().err


def test_eight_channels_at_192_kHz_are_read(tmp_path: Path, keen: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(1.0, channels=8, rate_hz=192_000), 192_000)
    assert transcribed(keen, tmp_path / "a.wav", "-q") == 0
    assert (tmp_path / "a.mid").exists()


def text(path: Path) -> None:
    path.write_text("this is a letter, not a song\n" * 50)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def no_samples(path: Path) -> None:
    soundfile.write(path, np.zeros((0, 1)), RATE_HZ)


def not_a_number(path: Path) -> None:
    samples = noise(1.0)
    samples[777] = np.nan
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")


def infinite(path: Path) -> None:
    samples = noise(1.0)
    samples[777] = np.inf
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")


def cut_mp3(path: Path) -> None:
    soundfile.write(path.with_suffix(".mp3"), noise(20.0), RATE_HZ)
    whole = path.with_suffix(".mp3").read_bytes()
    path.with_suffix(".mp3").write_bytes(whole[: len(whole) // 3])


def cut_flac(path: Path) -> None:
    soundfile.write(path.with_suffix(".flac"), noise(20.0), RATE_HZ)
    whole = path.with_suffix(".flac").read_bytes()
    path.with_suffix(".flac").write_bytes(whole[: len(whole) // 3])


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (text, "expected wav"),
        (empty, "got 'an empty file', expected"),
        (no_samples, "got 'no samples', expected audio"),
        (not_a_number, "got 'NaN or infinite samples', expected finite"),
        (infinite, "got 'NaN or infinite samples', expected finite"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_bad_audio_is_one_line_that_names_it_and_the_others_are_done(
    make: object, expected: str, tmp_path: Path, deaf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(make)
    make(tmp_path / "bad.wav")
    (bad,) = tmp_path.iterdir()
    soundfile.write(tmp_path / "good.wav", noise(0.5), RATE_HZ)
    assert transcribed(deaf, bad, tmp_path / "good.wav", "-q", "--csv", tmp_path / "tables") == 1
    line, count = capsys.readouterr().err.splitlines()
    assert f"{bad}: " in line and expected in line
    assert count == "transcribe: 1 of 2 inputs failed, the others are written"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [bad.name, "good.mid", "good.wav", "tables"]
    )
    assert [path.name for path in (tmp_path / "tables").iterdir()] == ["good.csv"]


@pytest.mark.parametrize("make", [cut_mp3, cut_flac], ids=["mp3", "flac"])
def test_of_a_cut_recording_what_is_there_is_written_and_said(
    make: object, tmp_path: Path, deaf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(make)
    make(tmp_path / "bad.wav")
    (bad,) = tmp_path.iterdir()
    soundfile.write(tmp_path / "good.wav", noise(0.5), RATE_HZ)
    assert transcribed(deaf, bad, tmp_path / "good.wav", "-q", "--csv", tmp_path / "tables") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{bad}: " in line and "what is there is written" in line
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == ["bad.csv", "good.csv"]
    assert (tmp_path / "bad.mid").exists()


def test_start_after_the_end_names_the_file(
    tmp_path: Path, deaf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", noise(1.0), RATE_HZ)
    assert transcribed(deaf, tmp_path / "a.wav", "--start", "10") == 1
    assert "a.wav: got" in capsys.readouterr().err
    assert not (tmp_path / "a.mid").exists()


def test_a_folder_is_transcribed_into_a_folder(tmp_path: Path, deaf: Path) -> None:
    music = tmp_path / "music"
    (music / "live").mkdir(parents=True)
    for name in ("a.wav", "live/b.flac"):
        soundfile.write(music / name, noise(0.3), RATE_HZ)
    assert transcribed(deaf, music, "-o", tmp_path / "midi", "-q") == 0
    found = sorted(
        path.relative_to(tmp_path / "midi").as_posix() for path in (tmp_path / "midi").rglob("*.mid")
    )
    assert found == ["a.mid", "live/b.mid"]


@pytest.mark.parametrize("kind", ["missing", "text", "midi", "prior"])
def test_weights_of_the_wrong_kind_are_named(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", noise(0.3), RATE_HZ)
    weights = tmp_path / "weights.safetensors"
    if kind == "text":
        weights.write_text("no weights")
    elif kind == "midi":
        weights = tmp_path / "a.mid.mid"
        weights.write_bytes(b"MThd")
    elif kind == "prior":
        from symbolic.priors.base import PriorCard
        from symbolic.priors.loading import save_prior
        from symbolic.priors.registry import build_prior

        sizes = {"visible": 88, "units": 2, "hidden": 2}
        prior = build_prior("lstm-nade", sizes)
        prior.card = PriorCard(
            name="test",
            model="lstm-nade",
            options=sizes,
            visible=88,
            clock={"kind": "frames", "hop": 0.04},
            plane="struck",
            data="",
            licence="",
            command="",
        )
        save_prior(prior, weights)
    assert transcribed(weights, tmp_path / "a.wav") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(weights.with_suffix("")) in line and "expected" in line
    assert not (tmp_path / "a.mid").exists()
