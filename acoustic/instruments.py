"""The pianos on which performances are rendered, and whose they are.

Is: a name for each instrument, its licence, and what plays it.
Is not: the playing (acoustic.rendering, acoustic.soundfonts), or what is rendered for training
(acoustic.training.renderings).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from acoustic.audio import Samples
from acoustic.modelled import PianoModel
from acoustic.rendering import AS_RECORDED, SampledPiano, Touch, Tuning
from acoustic.soundfonts import SoundFont
from symbolic import datasets
from symbolic.datasets.tables import read_table
from symbolic.errors import NotebeamError
from symbolic.notes import Notes


class Instrument(Protocol):
    """What plays notes."""

    def render(self, notes: Notes, touch: Touch, tail: float = 1.0) -> Samples:
        """(S,) at `acoustic.audio.RATE_HZ`, time 0 at sample 0."""


@dataclass(frozen=True)
class Source:
    """Where an instrument comes from."""

    credit: str
    licence: str
    font: SoundFont | None = None  # None: single notes in the data's folder `pianos`


_FLUID = "Fluid R3 by Frank Wen", "MIT"
_MUSESCORE = "MuseScore General by S. Christian Collins", "MIT"
_TIMGM = "TimGM6mb by Tim Brechbill", "GPL-2"
SOURCES = {
    "headroom-close": Source("Headroom Piano by Bengt Nilsson", "CC BY 4.0"),
    "headroom-decca": Source("Headroom Piano by Bengt Nilsson", "CC BY 4.0"),
    "splendid": Source("Splendid Grand (AKAI)", "public domain"),
    "upright-kw": Source("Upright KW (FreePats)", "CC0"),
    "honky-fb": Source("Piano FB (FreePats)", "CC0"),
    "salamander": Source("Salamander Grand Piano by Alexander Holm", "CC BY 3.0"),
    "fluid-grand": Source(*_FLUID, SoundFont(file="FluidR3_GM.sf2", delay_seconds=0.0047)),
    "fluid-bright": Source(*_FLUID, SoundFont(file="FluidR3_GM.sf2", program=1, delay_seconds=0.0047)),
    "fluid-electric": Source(*_FLUID, SoundFont(file="FluidR3_GM.sf2", program=2, delay_seconds=0.0047)),
    "fluid-honky": Source(*_FLUID, SoundFont(file="FluidR3_GM.sf2", program=3, delay_seconds=0.0047)),
    "musescore-grand": Source(
        *_MUSESCORE, SoundFont(file="MuseScore_General_Lite.sf3", delay_seconds=0.0039)
    ),
    "musescore-bright": Source(
        *_MUSESCORE, SoundFont(file="MuseScore_General_Lite.sf3", program=1, delay_seconds=0.0039)
    ),
    "musescore-honky": Source(
        *_MUSESCORE, SoundFont(file="MuseScore_General_Lite.sf3", program=3, delay_seconds=0.0039)
    ),
    "musescore-electric": Source(
        *_MUSESCORE, SoundFont(file="MuseScore_General_Lite.sf3", program=2, delay_seconds=0.0039)
    ),
    "timgm-grand": Source(*_TIMGM, SoundFont(file="TimGM6mb.sf2", delay_seconds=0.0048)),
    # No pianos, by their programs of General MIDI: for benchmarks.domains.
    "timgm-organ": Source(*_TIMGM, SoundFont(file="TimGM6mb.sf2", program=19)),
    "timgm-guitar": Source(*_TIMGM, SoundFont(file="TimGM6mb.sf2", program=24)),
    "timgm-strings": Source(*_TIMGM, SoundFont(file="TimGM6mb.sf2", program=48)),
    "timgm-choir": Source(*_TIMGM, SoundFont(file="TimGM6mb.sf2", program=52)),
    "timgm-brass": Source(*_TIMGM, SoundFont(file="TimGM6mb.sf2", program=61)),
}
MODELLED = "modelled-"  # and a seed: a piano drawn by chance
_OURS = Source("pianos modelled by notebeam", "CC0")
LICENCES = "licences.csv"  # beside the `samples.csv` of other sampled pianos: piano,credit,licence


def source(name: str, folder: Path | None = None) -> Source:
    """Of an instrument: ours by name, or one that `licences.csv` of `folder` (default: the data's) lists.

    Raises:
        NotebeamError: an instrument whose licence nobody stated.
    """
    if name in SOURCES:
        return SOURCES[name]
    if _seed(name) is not None:
        return _OURS
    table = (folder or datasets.root() / "pianos") / LICENCES
    for row in read_table(table, ("piano",)) if table.exists() else ():
        if row["piano"] == name and row.get("licence"):
            return Source(row.get("credit") or name, row["licence"])
    known = ", ".join(SOURCES)
    raise NotebeamError(
        f"piano {name}", "no licence", f"a row piano,credit,licence in {table}, or one of {known}"
    )


def instrument(name: str, tuning: Tuning = AS_RECORDED, folder: Path | None = None) -> Instrument:
    """What plays as that name; soundfonts and modelled pianos are tuned as they are.

    Raises:
        NotebeamError: no such instrument, no such file, or no licence.
    """
    if (seed := _seed(name)) is not None:
        return PianoModel(seed)
    found = source(name, folder)
    return found.font or SampledPiano(folder or datasets.root() / "pianos", name, tuning)


def _seed(name: str) -> int | None:
    """Of a modelled piano's name."""
    number = name.removeprefix(MODELLED)
    return int(number) if name.startswith(MODELLED) and number.isdecimal() else None


def credit(names: Iterable[str]) -> str:
    """The instruments' makers and licences in one line, each once."""
    found = dict.fromkeys((source(name).credit, source(name).licence) for name in names)
    return "; ".join(f"{maker}, {licence}" for maker, licence in found)
