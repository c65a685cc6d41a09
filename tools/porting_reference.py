"""Makes the case that a port is tested against: planes of a few keys, and the notes that come from them.

python -m tools.porting_reference    writes docs/porting.json
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from symbolic.decoding.options import Threshold
from symbolic.posteriorgram import Posteriorgram
from transcribe.pipeline import Transcriber
from transcribe.presets import MODEL, TRACK, preset

PATH = Path(__file__).parents[1] / "docs" / "porting.json"
KEYS = (0, 39, 87)
PLANES = ("onset", "frame", "offset", "velocity")
FRAMES, HOP = 160, 0.02
ONSET_SHIFT = -0.02


def drawn_planes(seed: int = 0) -> dict[str, np.ndarray]:
    """(FRAMES, keys) each, in hundredths: equal values, close strokes, gaps and ends of all kinds."""
    draw = np.random.default_rng(seed)
    shape = (FRAMES, len(KEYS))
    planes = {name: np.zeros(shape) for name in PLANES}
    for key in range(len(KEYS)):
        for begin in np.cumsum(draw.integers(2, 14, size=24)):
            if begin + 4 >= FRAMES:
                break
            height, width = draw.uniform(0.4, 1.0), draw.integers(1, 4)
            planes["onset"][begin : begin + width, key] = height
            planes["onset"][begin + width, key] = height * draw.choice([0.3, 1.0])
            late, length = draw.integers(0, 7), draw.integers(1, 12)
            fall = np.linspace(draw.uniform(0.3, 1.0), 0.1, length)
            stop = min(FRAMES, begin + late + length)
            planes["frame"][begin + late : stop, key] = fall[: max(0, stop - begin - late)]
            planes["offset"][min(FRAMES - 1, begin + late + draw.integers(0, 8)), key] = draw.uniform(0.6, 1)
            planes["velocity"][begin : begin + 4, key] = draw.uniform(0, 1)
    planes["frame"][-6:, 1] = 0.9  # sounds to the end
    return {name: np.round(plane, 2) for name, plane in planes.items()}


def reference() -> dict[str, Any]:
    """The file's content."""
    drawn = drawn_planes()
    planes = {name: np.zeros((FRAMES, 88), dtype=np.float32) for name in PLANES}
    for name, plane in planes.items():
        plane[:, list(KEYS)] = drawn[name]
    decoder = preset("threshold")
    assert isinstance(decoder, Threshold)
    transcriber = Transcriber(prior=None, decoder=decoder, onset_shift=ONSET_SHIFT, dynamics=False)
    notes = transcriber.transcribe_posteriorgram(Posteriorgram(**planes, hop=HOP, model=MODEL)).notes
    rows = zip(notes.onset, notes.offset, notes.pitch, notes.velocity, notes.confidence, strict=True)
    return {
        "options": {
            "hop": HOP,
            "threshold": decoder.threshold,
            "frame_threshold": TRACK.frame_threshold,
            "offset_threshold": TRACK.offset_threshold,
            "gap": TRACK.gap,
            "lead": TRACK.lead,
            "shortest": TRACK.shortest,
            "onset_shift": ONSET_SHIFT,
        },
        "planes": {
            str(key): {name: drawn[name][:, place].tolist() for name in PLANES}
            for place, key in enumerate(KEYS)
        },
        "notes": [
            {
                "onset": round(float(onset), 6),
                "offset": round(float(offset), 6),
                "pitch": int(pitch),
                "velocity": int(velocity),
                "confidence": round(float(confidence), 6),
            }
            for onset, offset, pitch, velocity, confidence in rows
        ],
    }


def as_text(content: dict[str, Any]) -> str:
    """JSON with a plane or a note on each line."""
    keys = ",\n".join(
        f'  "{key}": {{\n'
        + ",\n".join(f'   "{name}": {json.dumps(plane)}' for name, plane in planes.items())
        + "\n  }"
        for key, planes in content["planes"].items()
    )
    notes = ",\n".join(f"  {json.dumps(note)}" for note in content["notes"])
    options = json.dumps(content["options"])
    return f'{{\n "options": {options},\n "planes": {{\n{keys}\n }},\n "notes": [\n{notes}\n ]\n}}\n'


if __name__ == "__main__":
    PATH.write_text(as_text(reference()), encoding="utf-8")
    print(f"{PATH}: {PATH.stat().st_size / 1000:.0f} kB")
