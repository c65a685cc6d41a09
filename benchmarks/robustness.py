"""How robust is the acoustic model to degraded recordings?

Is: note-onset F on the development recordings, degraded in one way after another, by the acoustic model
with the shipped threshold.
Is not: augmentation for training (acoustic.augmentation); the room here is an image-source model of another
program, so that the network did not train on its like.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from acoustic.audio import RATE_HZ, read_audio
from acoustic.inference import Listener, load_acoustic
from acoustic.training.workers import workers
from benchmarks.development import rounded
from benchmarks.reporting.form import benchmark_parser, merge_report, parsed
from symbolic.datasets.maps import Recording, read_maps
from symbolic.notes import Notes, read_tsv
from transcribe.pipeline import Transcriber
from transcribe.presets import MODEL, preset
from transcribe.scoring import Scores, mean, score

Samples = npt.NDArray[np.float32]
MP3_HZ = 44_100  # at which mp3 has rates from 32 to 320 kbit/s
MP3_KBITS = (32, 320)
MP3_DELAY = 1105  # samples, of LAME's encoder and the decoder
ROOM_METRES, RT60_SECONDS = (6.5, 4.8, 2.7), 0.5  # a living room
SILENCE_SECONDS = 120.0
PIANO, MICROPHONE = (1.6, 1.3, 0.9), (3.7, 2.9, 1.4)  # 2.7 m apart


def noisy(audio: Samples, snr_db: float, slope: float = 0.5) -> Samples:
    """Noise so far below the recording's level; its amplitude falls as frequency to the power `slope`.

    0.5 is pink noise, 0 white.
    """
    draw = np.random.default_rng(abs(round(snr_db)))
    spectrum = np.fft.rfft(draw.normal(size=len(audio)))
    spectrum /= np.maximum(1, np.arange(len(spectrum))) ** slope
    noise = np.fft.irfft(spectrum, len(audio))
    level = np.sqrt(np.mean(audio**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)
    return np.asarray(audio + level * noise, dtype=np.float32)


@lru_cache(maxsize=1)
def room_response() -> Samples:
    """Of a shoebox room, by image sources (pyroomacoustics), from the arrival of the direct sound on."""
    import pyroomacoustics

    absorption, order = pyroomacoustics.inverse_sabine(RT60_SECONDS, ROOM_METRES)
    room = pyroomacoustics.ShoeBox(
        ROOM_METRES, fs=RATE_HZ, materials=pyroomacoustics.Material(absorption), max_order=min(order, 40)
    )
    room.add_source(PIANO)
    room.add_microphone(MICROPHONE)
    room.compute_rir()
    response = np.asarray(room.rir[0][0])
    metres = float(np.linalg.norm(np.subtract(PIANO, MICROPHONE)))
    # The program's fractional delays are centred half a filter late.
    late = pyroomacoustics.constants.get("frac_delay_length") // 2
    direct = round(metres / pyroomacoustics.constants.get("c") * RATE_HZ) + late
    return np.asarray(response[direct:], dtype=np.float32)


def in_a_room(audio: Samples) -> Samples:
    """As a microphone 2.7 m from the piano records it, as loud as before."""
    from scipy.signal import fftconvolve

    reverberant = fftconvolve(audio, room_response())[: len(audio)]
    return np.asarray(reverberant / np.abs(reverberant).max() * np.abs(audio).max(), dtype=np.float32)


def clipped(audio: Samples) -> Samples:
    """So loud that one sample in fifty is cut off."""
    limit = np.quantile(np.abs(audio), 0.98)
    return np.asarray(np.clip(audio, -limit, limit) / limit * 0.99, dtype=np.float32)


def telephone(audio: Samples) -> Samples:
    """300 to 3400 Hz."""
    from scipy.signal import butter, sosfilt

    band = butter(6, (300, 3400), btype="bandpass", fs=RATE_HZ, output="sos")
    return np.asarray(sosfilt(band, audio), dtype=np.float32)


def written(audio: Samples, path: Path, rate_hz: int = RATE_HZ) -> Path:
    """A FLAC at this rate."""
    import soundfile
    import soxr

    if rate_hz != RATE_HZ:
        audio = soxr.resample(audio, RATE_HZ, rate_hz)
    peak = max(1.0, float(np.abs(audio).max(initial=0.0)))
    soundfile.write(path.with_suffix(".flac"), audio / peak, rate_hz)
    return path.with_suffix(".flac")


def mp3(audio: Samples, path: Path, kbits: int) -> Path:
    """What comes back from a constant-rate mp3 of a mono recording."""
    import soundfile
    import soxr

    low, high = MP3_KBITS
    level = min(0.9999, (high - kbits) / (high - low))  # libsndfile refuses 1
    path = path.with_suffix(".mp3")
    with soundfile.SoundFile(
        path, "w", MP3_HZ, 1, format="MP3", bitrate_mode="CONSTANT", compression_level=level
    ) as file:
        file.write(soxr.resample(audio, RATE_HZ, MP3_HZ))
    found = read_audio(path)
    path.unlink()
    # Files too small for the header that tells the encoder's delay come back late and longer.
    late = round(MP3_DELAY / MP3_HZ * RATE_HZ) if len(found) > len(audio) + RATE_HZ // 100 else 0
    return written(found[late:], path)


def detuned(audio: Samples, path: Path, cents: float) -> Path:
    """Played faster or slower; the notes' times move with it, see `moved`."""
    import soxr

    return written(soxr.resample(audio, RATE_HZ * 2 ** (cents / 1200), RATE_HZ), path)


def moved(notes: Notes, cents: float) -> Notes:
    """The notes of a detuned recording."""
    speed = 2 ** (cents / 1200)
    return Notes.make(notes.onset / speed, notes.offset / speed, notes.pitch, notes.velocity)


def peaking(audio: Samples, path: Path, dbfs: float) -> Path:
    """At that peak, in 24 bits."""
    import soundfile

    level = 10 ** (dbfs / 20) / max(float(np.abs(audio).max(initial=0.0)), 1e-9)
    soundfile.write(path.with_suffix(".flac"), level * audio, RATE_HZ, subtype="PCM_24")
    return path.with_suffix(".flac")


def inverted(audio: Samples, path: Path) -> Path:
    """Two channels, the second wired the wrong way round and a little fainter."""
    import soundfile

    soundfile.write(path.with_suffix(".flac"), np.stack([audio, -0.97 * audio], axis=1), RATE_HZ)
    return path.with_suffix(".flac")


def offset(audio: Samples, path: Path) -> Path:
    """With an offset voltage of a tenth of full scale."""
    return written(0.85 * audio + 0.1, path)


def after_silence(audio: Samples, path: Path) -> Path:
    """Behind two minutes of nothing; the notes' times move with it."""
    return written(np.concatenate([np.zeros(round(SILENCE_SECONDS * RATE_HZ), np.float32), audio]), path)


def changed(change: Callable[[Samples], Samples], audio: Samples, path: Path) -> Path:
    """A FLAC of changed samples."""
    return written(change(audio), path)


AS_RECORDED = "as recorded"
AFTER_SILENCE = "2 min silence first"
# name -> (samples, path without suffix) -> file
CONDITIONS: dict[str, Callable[[Samples, Path], Path]] = {
    AS_RECORDED: written,
    **{f"noise {db} dB": partial(changed, partial(noisy, snr_db=db)) for db in (30, 20, 10, 5)},
    "room": partial(changed, in_a_room),
    "mp3 64 kbit/s": partial(mp3, kbits=64),
    "mp3 32 kbit/s": partial(mp3, kbits=32),
    "telephone band": partial(changed, telephone),
    "clipping": partial(changed, clipped),
    **{f"{cents:+d} cents": partial(detuned, cents=cents) for cents in (30, -30, 50, -50)},
    **{f"peak {db} dBFS": partial(peaking, dbfs=db) for db in (0, -30, -50, -60)},
    "one channel inverted": inverted,
    "offset voltage": offset,
    AFTER_SILENCE: after_silence,
    "8 kHz": partial(written, rate_hz=8_000),
    "32 kHz": partial(written, rate_hz=32_000),
}


def scores(condition: str, model: str) -> Scores:
    """Macro average of every score on recordings degraded so."""
    listener = load_acoustic(model)
    transcriber = Transcriber(model=model, decoder=preset("threshold"), prior=None)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        return mean([_score(r, condition, listener, transcriber, place) for r in read_maps("real-dev")])


def _score(
    recording: Recording, condition: str, listener: Listener, transcriber: Transcriber, folder: Path
) -> Scores:
    path = CONDITIONS[condition](read_audio(recording.audio), folder / recording.name)
    posteriorgram = listener.file(path)
    path.unlink()
    reference = read_tsv(recording.table)
    if condition.endswith("cents"):
        reference = moved(reference, float(condition.split()[0]))
    if condition == AFTER_SILENCE:
        reference = reference.shifted(SILENCE_SECONDS)
    return score(reference, transcriber.transcribe_posteriorgram(posteriorgram).notes)


def main(argv: Sequence[str] | None = None) -> int:
    parser = benchmark_parser("robustness", __doc__)
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--conditions", nargs="+", choices=list(CONDITIONS), default=list(CONDITIONS))
    parser.add_argument("--jobs", type=int, default=2)
    args = parsed(parser, argv)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of each job
    with workers(args.jobs) as pool:
        found = pool.map(partial(scores, model=args.model), args.conditions)
        rows: list[dict[str, str | float]] = []
        for condition, values in zip(args.conditions, found, strict=True):
            rows.append({"condition": condition, "model": args.model, **rounded(values)})
            print(condition, values.onset_f1, flush=True)
    settings = {"model": args.model, "data": "maps/real-dev", "decoder": "threshold"}
    settings["recordings"] = len(read_maps("real-dev"))
    settings |= {"room_metres": ROOM_METRES, "reverberation_seconds": RT60_SECONDS}
    question = "How robust is the acoustic model to degraded recordings?"
    merge_report(args.output, question, settings, rows, ("condition", "model"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
