"""Recordings whose notes are known, from which a join learns an acoustic model's mistakes.

Is: which music on which piano through which chain, and its sound.
Is not: what an acoustic model makes of them (training.posteriorgrams), or what that learns from
(training.renderings).

Songs of POP909 that were not rendered for the acoustic model, and performances of ASAP's training split cut,
transposed and played otherwise, on its pianos, on three that it never heard, and on modelled pianos, each
another one; recordings of MAPS' synthesised pianos. Most are degraded by rooms, noise, filters and recording
chains. Left out is what benchmarks.domains tests on: ASAP's test split, its instruments, and its chain of
loudspeaker and webcam.

`free` leaves out ASAP and MAPS, whose licence is not for commercial use: songs, and exercises.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from acoustic.audio import RATE_HZ, Samples, read_audio
from acoustic.augmentation import AugmentOptions, augment
from acoustic.instruments import MODELLED
from acoustic.training.exercises import exercise
from acoustic.training.renderings import (
    EXERCISES,
    PIANOS,
    Excerpt,
    RenderOptions,
    excerpt_of,
    sound_of,
    spread_over,
)
from symbolic.datasets.maps import Recording, read_maps
from symbolic.notes import Notes, read_tsv

NEVER_HEARD = ("musescore-bright", "musescore-honky", "fluid-honky")  # by the acoustic model
MODELLED_RUNS = 8  # beside the 22 of the others
FIRST_MODELLED = 100_000  # seeds from here on: far from those of the acoustic model's own renderings
COLUMNS = ("name", "composition", "instrument", "chain", "corpus")
CLEAN = 0.25  # of the recordings
BLOCK = (5, 3)  # renderings on one piano, then recordings of MAPS
SPOILING = AugmentOptions(
    noise_db=(-45.0, -7.0),
    room_chance=0.6,
    direct_db=(-10.0, 15.0),
    reflections=8,
    equaliser_db=6.0,
    band_chance=0.15,
    compression_chance=0.15,
    record_chance=0.04,
    codec_chance=0.15,
)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One recording to be made: a rendering, or a cut of a recording."""

    name: str
    composition: str
    instrument: str
    chain: AugmentOptions | None  # None: as it is
    source: Excerpt | Recording
    start: float = 0.0  # seconds, of the cut

    def row(self) -> dict[str, str]:
        """Its line of the list."""
        chain = "none" if self.chain is None else "degraded"
        corpus = "maps" if isinstance(self.source, Recording) else self.name.partition("-")[0]
        return {"name": self.name, "composition": self.composition, "instrument": self.instrument,
                "chain": chain, "corpus": corpus}  # fmt: skip


class Source(NamedTuple):
    """Music to be rendered."""

    name: str
    composition: str
    notes: Notes


def plan(count: int, seconds: float, seed: int = 0, *, free: bool = False) -> list[Item]:
    """`count` recordings of at most so many seconds, fewer where the data has no more.

    free: nothing of ASAP and MAPS.
    """
    draw = np.random.default_rng(seed)
    renderings = _renderings(_free(seconds, draw) if free else _played(draw), seconds, draw)
    cuts = iter(()) if free else _cuts(seconds, draw)
    items: list[Item] = []
    while len(items) < count:
        more = [*_up_to(BLOCK[0], renderings), *_up_to(BLOCK[1], cuts)]
        if not more:
            break
        items += more
    return items[:count]


def _up_to(count: int, items: Iterator[Item]) -> list[Item]:
    return [item for _, item in zip(range(count), items, strict=False)]


def _played(draw: np.random.Generator) -> Iterator[Source]:
    """Performances and songs in turn."""
    from symbolic.datasets.asap import read_asap

    songs = _songs(draw)
    played = [p for p in read_asap() if p.split in RenderOptions().splits]
    performances = [
        Source(f"asap-{number:03d}", f"{played[i].composer} {played[i].title}", played[i].notes)
        for number, i in enumerate(draw.permutation(len(played)))
    ]
    for pair in zip(performances, songs, strict=False):
        yield from pair


def _free(seconds: float, draw: np.random.Generator) -> Iterator[Source]:
    """Songs, and after every third an exercise."""
    for number, song in enumerate(_songs(draw), start=1):
        yield song
        if number % 3 == 0:
            name = f"{EXERCISES}-{number // 3:03d}"
            yield Source(name, name, exercise(seconds, draw))


def _songs(draw: np.random.Generator) -> list[Source]:
    """Those that were not rendered for the acoustic model, in random order."""
    from symbolic.datasets.pop909 import read_pop909

    songs = read_pop909()
    rendered = {song.name for _, song in spread_over(songs, RenderOptions().pop909)}
    found = [Source(f"pop909-{s.name}", f"pop909-{s.name}", s.notes) for s in songs if s.name not in rendered]
    return [found[i] for i in draw.permutation(len(found))]


def _renderings(sources: Iterable[Source], seconds: float, draw: np.random.Generator) -> Iterator[Item]:
    """A few on each piano, and as many each on a modelled one of its own."""
    given = RenderOptions(modelled_chance=0.0)
    pianos = [*PIANOS, *NEVER_HEARD * 2, *[MODELLED] * MODELLED_RUNS]
    for number, played in enumerate(sources):
        if number % (BLOCK[0] * len(pianos)) == 0:
            order = draw.permutation(len(pianos))
        piano = pianos[order[number // BLOCK[0] % len(pianos)]]
        if piano == MODELLED:
            piano += str(FIRST_MODELLED + number)
        options = replace(given, pianos=(piano,), seconds=seconds, seed=int(draw.integers(2**31)))
        source = excerpt_of(played.name, played.notes, options, number)
        yield _degraded(
            Item(name=source.name, composition=played.composition, instrument=piano, chain=None,
                 source=source),
            draw,
        )  # fmt: skip


def _cuts(seconds: float, draw: np.random.Generator) -> Iterator[Item]:
    """MAPS' synthesised recordings in random order."""
    recordings = read_maps("synth")
    for number in draw.permutation(len(recordings)):
        found = recordings[number]
        start = float(draw.uniform(0, max(0.0, found.seconds - seconds)))
        start = start if start > 5 else 0.0
        yield _degraded(
            Item(name=found.name, composition=found.composition, instrument=found.instrument, chain=None,
                 source=found, start=start),
            draw,
        )  # fmt: skip


def _degraded(item: Item, draw: np.random.Generator) -> Item:
    """The same through a chain, for most; never through loudspeaker and webcam both."""
    kind = draw.random()
    if kind < CLEAN:
        return item
    chain = SPOILING
    if kind > 0.8:
        chain = replace(SPOILING, loudspeaker_chance=1.0)
    elif kind > 0.6:
        chain = replace(SPOILING, microphone_chance=1.0)
    return replace(item, name=f"{item.name}-degraded", chain=chain)


def sound(item: Item, seconds: float, seed: int) -> tuple[Samples, Notes]:
    """The recording (S,), and its notes in its seconds."""
    if isinstance(item.source, Excerpt):
        audio, notes = sound_of(item.source), item.source.notes
    else:
        whole = read_audio(item.source.audio)
        audio = whole[round(item.start * RATE_HZ) : round((item.start + seconds) * RATE_HZ)]
        notes = read_tsv(item.source.table).cut(item.start, item.start + seconds).shifted(-item.start)
    if item.chain is not None:
        generator = torch.Generator().manual_seed(seed)
        audio = augment(torch.from_numpy(audio)[None], item.chain, RATE_HZ, generator)[0].numpy()
        audio *= min(1.0, 0.99 / max(float(np.abs(audio).max(initial=0.0)), 1e-6))
    return audio, notes
