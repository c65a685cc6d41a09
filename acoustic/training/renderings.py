"""Which performances are rendered on which piano, and where the renderings lie.

Is: a command, `python -m acoustic.training.renderings`, that fills a cache folder once; and its listing.
Is not: the sampler (acoustic.rendering).
"""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle
from pathlib import Path
from typing import TypeVar

import numpy as np

from acoustic.audio import RATE_HZ
from acoustic.rendering import SampledPiano, Touch
from symbolic import datasets
from symbolic.errors import NotebeamError
from symbolic.files import replacing
from symbolic.notes import Notes, write_tsv

Item = TypeVar("Item")

# The player piano is out of tune and has one layer of velocity: half as often as the others.
PIANOS = ("headroom-close", "splendid", "headroom-decca", "upright-kw", "salamander", "honky-fb",
          "splendid", "salamander", "headroom-close", "upright-kw", "headroom-decca")  # fmt: skip
SETS = ("asap", "pop909")
PEAK = 0.5  # of full scale, so that 16 bits hold it; training draws its own gain


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One rendering: an excerpt of a performance, a piano, and a seed for the touch."""

    name: str
    notes: Notes
    piano: str
    seed: int


def folder() -> Path:
    """Where renderings are kept."""
    return datasets.cache_folder() / "renderings"


def plan(asap: int, pop909: int, seconds: float, seed: int) -> list[Plan]:
    """Excerpts of at most `seconds`, `asap` performances and `pop909` songs spread evenly over the sets."""
    from symbolic.datasets.asap import read_asap
    from symbolic.datasets.pop909 import read_pop909

    draw = np.random.default_rng(seed)
    sources = [(f"asap-{i:03d}", p.notes) for i, p in _spread(read_asap(), asap)]
    sources += [(f"pop909-{i:03d}", s.notes) for i, s in _spread(read_pop909(), pop909)]
    plans = []
    for number, ((name, notes), piano) in enumerate(zip(sources, cycle(PIANOS), strict=False)):
        latest = max(0.0, float(notes.onset.max(initial=0.0)) - seconds)
        start = float(draw.uniform(0, latest))
        excerpt = notes.cut(start, start + seconds).shifted(0.2 - start)
        plans.append(Plan(name=f"{name}-{piano}", notes=excerpt, piano=piano, seed=seed * 10_000 + number))
    return plans


def _spread(items: list[Item], count: int) -> list[tuple[int, Item]]:
    """`count` of the items at even distances, each with its place."""
    chosen = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int))
    return [(int(i), items[i]) for i in chosen]


@lru_cache(maxsize=1)
def _piano(name: str) -> SampledPiano:
    return SampledPiano(datasets.root() / "pianos", name)


def render(item: Plan) -> str:
    """Write one rendering, unless it is there: NAME.flac, and NAME.tsv as the tables of MAPS."""
    import soundfile

    sound, table = folder() / f"{item.name}.flac", folder() / f"{item.name}.tsv"
    if sound.exists() and table.exists():
        return item.name
    draw = np.random.default_rng(item.seed)
    touch = Touch(dynamics=draw.uniform(1.3, 2.2), fade_seconds=draw.uniform(0.06, 0.2))
    audio = _piano(item.piano).render(item.notes, touch)
    audio *= PEAK / max(float(np.abs(audio).max(initial=0.0)), 1e-6)
    write_tsv(table, item.notes)
    with replacing(sound) as temporary:
        soundfile.write(str(temporary), audio, RATE_HZ, subtype="PCM_16", format="FLAC")
    return item.name


def rendered(performances: Sequence[str] = SETS) -> list[tuple[Path, Path]]:
    """(audio, table) of every rendering in the cache whose performance is of one of these sets."""
    sounds = sorted(sound for name in performances for sound in folder().glob(f"{name}-*.flac"))
    return [(sound, sound.with_suffix(".tsv")) for sound in sounds]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="acoustic.training.renderings", description="Render training audio."
    )
    parser.add_argument("--asap", type=int, default=474, help="performances to take")
    parser.add_argument("--pop909", type=int, default=237, help="songs to take")
    parser.add_argument("--seconds", type=float, default=75.0, help="longest excerpt")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args(argv)
    try:
        # By piano, so that each worker decodes one piano's samples at a time.
        plans = sorted(plan(args.asap, args.pop909, args.seconds, args.seed), key=lambda p: p.piano)
        folder().mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(args.jobs) as pool:
            for number, name in enumerate(pool.map(render, plans, chunksize=8), start=1):
                sys.stderr.write(f"\r{number}/{len(plans)} {name:<40}")
        sys.stderr.write("\n")
    except (NotebeamError, OSError) as error:
        sys.stderr.write(f"acoustic.training.renderings: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
