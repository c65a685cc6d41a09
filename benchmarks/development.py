"""The recordings on which transcription is measured and tuned, with their posteriorgrams.

Is: `maps/real-dev` as posteriorgrams with their references, and scores averaged over recordings.
Is not: a question of its own (benchmarks.transcription, benchmarks.tuning).
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

from acoustic import audio, channels, concert_pitch, features, inference, network, survey
from acoustic.inference import Listener, load_acoustic
from acoustic.loading import weights_path
from symbolic import datasets
from symbolic.datasets.asap import read_asap
from symbolic.datasets.config import DataConfig
from symbolic.datasets.maps import Recording, read_maps
from symbolic.datasets.splits import frames_roll
from symbolic.decoding.options import Hmm
from symbolic.notes import Notes, read_tsv
from symbolic.posteriorgram import Posteriorgram
from transcribe.scoring import Scores

# The code that a posteriorgram depends on.
ACOUSTIC = (audio, channels, concert_pitch, features, inference, network, survey)
STEP = 0.04  # seconds, of the piano prior


@dataclass(frozen=True, eq=False)
class DevRecording:
    """One recording: its true notes, and its posteriorgram by the acoustic model."""

    recording: Recording
    reference: Notes  # sounding offsets
    posteriorgram: Posteriorgram
    seconds: float  # to compute the posteriorgram; 0 where it came from the cache


def read_development(model: str, *, cached: bool, bfloat16: bool | None = None) -> list[DevRecording]:
    """All recordings; with `cached`, those of the same weights and code are kept between calls.

    bfloat16: None: as the command does here.
    """
    listener = load_acoustic(model, bfloat16=bfloat16)
    name = posteriorgram_key(model, listener) + ("-bfloat16" if listener.bfloat16 else "")
    folder = datasets.cache_folder() / "posteriorgrams" / name
    folder.mkdir(parents=True, exist_ok=True)
    recordings = []
    for recording in read_maps("real-dev"):
        kept = folder / f"{recording.name}.npz"
        begun = time.perf_counter()
        if cached and kept.exists():
            posteriorgram, seconds = Posteriorgram.load(kept), 0.0
        else:
            posteriorgram = listener.file(recording.audio)
            seconds = time.perf_counter() - begun
            posteriorgram.save(kept)
        recordings.append(DevRecording(recording, read_tsv(recording.table), posteriorgram, seconds))
    return recordings


def posteriorgram_key(model: str, listener: Listener, others: Sequence[ModuleType] = ()) -> str:
    """A name that no other weights, scalings or code have; `others`: more code that the result depends on."""
    weights = weights_path(model)
    parts = [weights.read_bytes(), repr(sorted(listener.scalings.items())).encode()]
    parts += [Path(str(module.__file__)).read_bytes() for module in (*ACOUSTIC, *others)]
    return f"{weights.stem}-{hashlib.sha256(b''.join(parts)).hexdigest()[:12]}"


def counted_transitions() -> Hmm:
    """Each key's transitions in a quarter of the ASAP performances, none of which is in MAPS."""
    data = DataConfig(performances=("asap",), plane="struck", hop=STEP)
    return Hmm.counted([frames_roll(performance.notes, data) for performance in read_asap()[::4]])


def rounded(scores: Scores) -> dict[str, float]:
    """Scores as a row's cells."""
    return {name: round(value, 4) for name, value in asdict(scores).items()}
