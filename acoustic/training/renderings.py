"""Which performances are rendered on which piano, and where the renderings lie.

Is: a command, `python -m acoustic.training.renderings`, that fills a cache folder once; and its listing.
Is not: the players (acoustic.instruments).

A cache folder is named by what its renderings were made from, and holds the list of them once all are there:
what other settings made is never taken for it, nor a part for the whole.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import TypeVar

import numpy as np

from acoustic.audio import RATE_HZ, Samples
from acoustic.instruments import MODELLED, Instrument, instrument, source
from acoustic.rendering import AS_RECORDED, Touch, Tuning
from acoustic.training.exercises import exercise
from acoustic.training.workers import workers
from symbolic import datasets
from symbolic.config import check_seed
from symbolic.console import outcome
from symbolic.datasets.tables import read_table
from symbolic.errors import NotebeamError, renamed
from symbolic.files import replacing, stamp
from symbolic.notes import Notes, write_tsv
from symbolic.pitch import HIGHEST, LOWEST

Item = TypeVar("Item")

# Drawn from evenly, so that what stands here twice is drawn twice as often. The player piano is out of tune
# and has one layer of velocity; of the soundfonts one answers velocity with brightness.
PIANOS = (
    *("headroom-close", "splendid", "salamander") * 3,
    *("musescore-grand", "fluid-grand") * 2,
    *("honky-fb", "fluid-bright", "fluid-electric"),
)
HELD_OUT = ("headroom-decca", "upright-kw", "timgm-grand")  # for benchmarks.domains: never trained on
SETS = ("asap", "pop909")
EXERCISES = "exercise"  # beside the sets: notes drawn by chance
PEAK = 0.5  # of full scale, so that 16 bits hold it; training draws its own gain
CODE = 2  # raised when the same settings come to sound otherwise
LISTING = "renderings.json"
TUNINGS = 3  # of each sampled piano, beside the one as it was recorded
FEW_VELOCITIES = 8  # a file with fewer was not played, and gets drawn ones


@dataclass(frozen=True, kw_only=True)
class RenderOptions:
    """What is rendered; each choice is drawn for each excerpt."""

    asap: int = 474  # excerpts, spread evenly over the performances
    pop909: int = 326
    exercises: int = 160
    seconds: float = 75.0  # longest excerpt
    seed: int = 0
    pianos: tuple[str, ...] = PIANOS
    splits: tuple[str, ...] = ("train", "valid")  # of ASAP; the test split is for benchmarks.domains
    transpose_chance: float = 0.4  # of an excerpt that is moved by up to five semitones
    soft_chance: float = 0.25  # of an excerpt played softly throughout
    tuned_chance: float = 0.6  # of a sampled piano tuned otherwise than it was recorded
    modelled_chance: float = 0.4  # of an excerpt that a piano drawn by chance plays instead

    def __post_init__(self) -> None:
        counts = (self.asap, self.pop909, self.exercises)
        if min(counts) < 0 or not any(counts):
            raise NotebeamError("RenderOptions", counts, "counts >= 0, one above it")
        if not 0 < self.seconds < inf:
            raise NotebeamError("RenderOptions.seconds", self.seconds, "a number above 0")
        check_seed(self.seed, "RenderOptions.seed")
        for name in ("transpose_chance", "soft_chance", "tuned_chance", "modelled_chance"):
            if not 0 <= getattr(self, name) <= 1:
                raise NotebeamError(f"RenderOptions.{name}", getattr(self, name), "a probability")
        for name in self.pianos:
            source(name)  # refuses one whose licence is not known
        if not self.pianos:
            raise NotebeamError("RenderOptions.pianos", self.pianos, "at least one piano")


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """One rendering: some notes, the piano that plays them, and its touch."""

    name: str
    notes: Notes
    piano: str
    tuning: Tuning
    touch: Touch


def folder(options: RenderOptions) -> Path:
    """Where renderings of these settings, pianos, files and this code are kept."""
    table = datasets.root() / "pianos" / "samples.csv"
    parts = [repr(options), str(CODE), *(repr(source(name)) for name in sorted(set(options.pianos)))]
    parts += [_stamp(path) for path in _files(options, table)]
    content = os.fsencode("\n".join(parts)) + (table.read_bytes() if table.is_file() else b"")
    return datasets.cache_folder() / "renderings" / hashlib.sha256(content).hexdigest()[:12]


def _files(options: RenderOptions, table: Path) -> Iterator[Path]:
    """Of the pianos' samples, those of `table` and soundfonts, and of the music; some may not be there."""
    rows = read_table(table, ("piano", "file")) if table.is_file() else []
    yield from sorted({table.parent / row["file"] for row in rows if row["piano"] in options.pianos})
    for name in sorted(set(options.pianos)):
        font = source(name).font
        with suppress(NotebeamError):  # it is nowhere, which the renderings will say
            if font is not None:
                yield font.path
    if options.asap:
        yield from (datasets.root() / "asap" / name for name in ("metadata.csv", "performances.tar.xz"))
    if options.pop909:
        yield datasets.root() / "pop909" / "songs.tar.xz"


def _stamp(path: Path) -> str:
    """A file's name in the data's folder, its size and the time of its change; quicker than its content."""
    name = path.relative_to(datasets.root()) if path.is_relative_to(datasets.root()) else path.name
    return " ".join(map(str, (name, *(stamp(path) if path.is_file() else ()))))


def plan(options: RenderOptions) -> list[Excerpt]:
    """Excerpts of performances and songs spread evenly over the sets, and exercises."""
    from symbolic.datasets.asap import read_asap
    from symbolic.datasets.pop909 import read_pop909

    sources: list[tuple[str, Notes]] = []
    if options.asap:
        found = [performance for performance in read_asap() if performance.split in options.splits]
        sources += [(f"asap-{n}", p.notes) for n, p in spread_over(found, options.asap)]
    if options.pop909:
        sources += [(f"pop909-{n}", s.notes) for n, s in spread_over(read_pop909(), options.pop909)]
    for number in range(options.exercises):
        draw = np.random.default_rng((options.seed, number, len(EXERCISES)))
        sources.append((f"{EXERCISES}-{number:03d}", exercise(options.seconds, draw)))
    return [excerpt_of(name, notes, options, number) for number, (name, notes) in enumerate(sources)]


def spread_over(items: list[Item], count: int) -> list[tuple[str, Item]]:
    """`count` of the items at even distances, each as often as needed, with a name for each time."""
    chosen = np.linspace(0, len(items), count, endpoint=False).astype(int)
    first = np.searchsorted(chosen, chosen)
    return [(f"{i:03d}-{n - first[n]}", items[i]) for n, i in enumerate(chosen)]


def excerpt_of(name: str, notes: Notes, options: RenderOptions, number: int) -> Excerpt:
    draw = np.random.default_rng((options.seed, number))
    piano = options.pianos[int(draw.integers(len(options.pianos)))]
    latest = max(0.0, float(notes.onset.max(initial=0.0)) - options.seconds)
    start = float(draw.uniform(0, latest))
    part = notes.cut(start, start + options.seconds).shifted(0.2 - start)
    if draw.random() < options.transpose_chance and len(part):
        lowest, highest = LOWEST - int(part.pitch.min()), HIGHEST - int(part.pitch.max())
        part = part.transposed(int(draw.integers(max(-5, lowest), min(5, highest) + 1)))
    part = played(part, draw, soft=draw.random() < options.soft_chance)
    tuning = AS_RECORDED
    if draw.random() < options.tuned_chance:
        # Few of each piano, since every one transposes its samples anew.
        kind = int(draw.integers(TUNINGS))
        tuning = Tuning(stretch=(0.0, 8.0, -5.0)[kind], spread=(3.0, 4.0, 8.0)[kind], seed=kind)
    touch = Touch(dynamics=draw.uniform(1.3, 2.2), fade_seconds=draw.uniform(0.06, 0.2))
    if draw.random() < options.modelled_chance:
        piano, tuning = f"{MODELLED}{number}", AS_RECORDED
    return Excerpt(name=f"{name}-{piano}", notes=part, piano=piano, tuning=tuning, touch=touch)


def played(notes: Notes, draw: np.random.Generator, *, soft: bool) -> Notes:
    """The notes with other velocities: drawn ones where a file has few, other contrasts, soft throughout.

    Drawn ones follow a slow curve, as phrases do, with a voice above the rest and a scatter.
    """
    velocity = notes.velocity.astype(np.float64)
    if len(np.unique(velocity)) < FEW_VELOCITIES and len(notes):
        grid = np.arange(0, notes.onset[-1] + 8, 4.0)
        curve = np.interp(notes.onset, grid, draw.normal(0, 12, len(grid)))
        voice = draw.uniform(0, 14) * (notes.pitch - notes.pitch.mean()) / 24
        velocity = draw.uniform(50, 85) + curve + voice + draw.normal(0, 8, len(notes))
    mean = velocity.mean() if len(notes) else 0.0
    velocity = mean + draw.uniform(0.8, 1.4) * (velocity - mean)
    if soft:
        velocity = velocity * draw.uniform(0.3, 0.65)
    whole = np.clip(np.round(velocity), 1, 127)
    return Notes.make(notes.onset, notes.offset, notes.pitch, whole, key_offset=notes.key_offset)


@lru_cache(maxsize=1)
def player(piano: str, tuning: Tuning) -> Instrument:
    """The instrument of that name, kept until the next: its samples take long to decode."""
    return instrument(piano, tuning)


def sound_of(item: Excerpt) -> Samples:
    """(S,) the excerpt played, at the level of all renderings."""
    audio = player(item.piano, item.tuning).render(item.notes, item.touch)
    audio *= PEAK / max(float(np.abs(audio).max(initial=0.0)), 1e-6)
    return audio


def render(item: Excerpt, into: Path) -> str:
    """Write one rendering, unless it is there: NAME.flac, and NAME.tsv as the tables of MAPS."""
    import soundfile

    sound, table = into / f"{item.name}.flac", into / f"{item.name}.tsv"
    if sound.exists() and table.exists():
        return item.name
    audio = sound_of(item)
    write_tsv(table, item.notes)
    with replacing(sound) as temporary:
        soundfile.write(str(temporary), audio, RATE_HZ, subtype="PCM_16", format="FLAC")
    return item.name


def render_all(options: RenderOptions, jobs: int = 1) -> Path:
    """Fill the folder of these settings, and list what is in it at the end."""
    into = folder(options)
    # By piano, so that each worker decodes one piano's samples at a time.
    excerpts = sorted(plan(options), key=lambda item: (item.piano, repr(item.tuning)))
    into.mkdir(parents=True, exist_ok=True)
    with workers(jobs) as pool:
        names = pool.map(render, excerpts, [into] * len(excerpts), chunksize=8)
        for number, name in enumerate(names, start=1):
            sys.stderr.write(f"\r{number}/{len(excerpts)} {name:<40}")
    sys.stderr.write("\n")
    listing = {"settings": asdict(options), "names": sorted(item.name for item in excerpts)}
    with replacing(into / LISTING) as temporary:
        temporary.write_text(json.dumps(listing, indent=1) + "\n")
    return into


def rendered(
    performances: Sequence[str] = SETS, options: RenderOptions | None = None
) -> list[tuple[Path, Path]]:
    """(audio, table) of every rendering of these settings whose performance is of one of these sets.

    Raises:
        NotebeamError: these settings were not rendered, or not to the end.
    """
    options = options or RenderOptions()
    into = folder(options)
    if not (into / LISTING).is_file():
        raise NotebeamError(
            f"renderings {into}",
            "none of these settings, or not all",
            "python -m acoustic.training.renderings first",
        )
    names: list[str] = json.loads((into / LISTING).read_text())["names"]
    chosen = [name for name in names if name.split("-", 1)[0] in performances]
    return [(into / f"{name}.flac", into / f"{name}.tsv") for name in chosen]


def main(argv: list[str] | None = None) -> int:
    given = RenderOptions()
    parser = argparse.ArgumentParser(
        prog="acoustic.training.renderings", description="Render training audio."
    )
    parser.add_argument("--asap", type=int, default=given.asap, help="excerpts of performances")
    parser.add_argument("--pop909", type=int, default=given.pop909, help="excerpts of songs")
    parser.add_argument("--exercises", type=int, default=given.exercises, help="notes drawn by chance")
    parser.add_argument("--seconds", type=float, default=given.seconds, help="longest excerpt")
    parser.add_argument("--seed", type=int, default=given.seed)
    parser.add_argument("--pianos", nargs="+", help="drawn from evenly, no modelled ones among them")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args(argv)
    return outcome("acoustic.training.renderings", lambda: _run(args))


def _run(args: argparse.Namespace) -> None:
    given = RenderOptions()
    if args.jobs < 1:
        raise NotebeamError("--jobs", args.jobs, "a number above 0")
    with renamed({"RenderOptions.seconds": "--seconds", "RenderOptions.seed": "--seed"}):
        options = RenderOptions(
            asap=args.asap,
            pop909=args.pop909,
            exercises=args.exercises,
            seconds=args.seconds,
            seed=args.seed,
            pianos=tuple(args.pianos or given.pianos),
            modelled_chance=0.0 if args.pianos else given.modelled_chance,
        )
    render_all(options, args.jobs)


if __name__ == "__main__":
    raise SystemExit(main())
