"""Posteriorgrams of recordings whose notes are known: what a join learns an acoustic model's mistakes from.

Is: a command, `python -m acoustic.training.posteriorgrams -o FOLDER`; it writes NAME.npz, NAME.tsv, a list;
with `--audio` NAME.flac in place of NAME.npz, for other systems to listen to.
Is not: the fit (symbolic.training.join).

Songs of POP909 that were not rendered for the acoustic model, and performances of ASAP's training split cut,
transposed and played otherwise, on its pianos and on three that it never heard; recordings of MAPS'
synthesised pianos. Most are degraded by rooms, noise, filters and recording chains. Left out is what
benchmarks.domains tests on: ASAP's test split, its instruments, and its chain of loudspeaker and webcam.

`--free` leaves out ASAP and MAPS, whose licence is not for commercial use: songs, and exercises.

What is there is kept, so the command goes on where it was stopped; any part of the list, from its start,
is a good mix. `settings.json` says with what options a folder is filled; others are refused.
"""

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from math import inf
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import torch

from acoustic.audio import RATE_HZ, Samples, read_audio
from acoustic.augmentation import AugmentOptions, augment
from acoustic.frontends.loading import FRONTENDS, Frontend, load_frontend
from acoustic.inference import Listener, load_acoustic
from acoustic.loading import list_models
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
from symbolic import datasets
from symbolic.arrays import read_arrays
from symbolic.checkpoints import write_json
from symbolic.checks import of_type
from symbolic.config import check_seed
from symbolic.console import outcome
from symbolic.datasets.maps import Recording, read_maps
from symbolic.errors import NotebeamError
from symbolic.files import read_json, replacing
from symbolic.notes import Notes, read_tsv, write_tsv

NEVER_HEARD = ("musescore-bright", "musescore-honky", "fluid-honky")  # by the acoustic model
LIST = "recordings.csv"
SETTINGS = "settings.json"  # beside the list: the options that decide what a file of some name holds
COLUMNS = ("name", "composition", "instrument", "chain", "corpus")
AUDIO = ".flac"  # of the recordings themselves
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
    """A few on each piano."""
    given = RenderOptions()
    pianos = [*PIANOS, *NEVER_HEARD * 2]
    for number, played in enumerate(sources):
        if number % (BLOCK[0] * len(pianos)) == 0:
            order = draw.permutation(len(pianos))
        piano = pianos[order[number // BLOCK[0] % len(pianos)]]
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


def listener_named(name: str) -> Listener | Frontend:
    """The front end of another system, or one of our acoustic models.

    Raises:
        NotebeamError: neither has that name, or the other system is not installed.
    """
    if name in FRONTENDS:
        return load_frontend(name)
    if name not in list_models() and not name.endswith(".safetensors"):
        expected = f"a .safetensors file or one of {', '.join((*list_models(), *FRONTENDS))}"
        raise NotebeamError("--model", name, expected)
    # Twice as fast on processors that have it, and the same notes.
    return load_acoustic(name, bfloat16=True)


def write_all(
    items: Sequence[Item],
    model: str | None,
    into: Path,
    seconds: float,
    jobs: int = 1,
    *,
    seed: int = 0,
    free: bool = False,
) -> None:
    """Fill the folder: the list first, then what is not there yet, in so many processes.

    Args:
        model: whose posteriorgrams; None: the recordings themselves.
        seed, free: of the plan.

    Raises:
        NotebeamError: a folder filled with other settings.
    """
    into.mkdir(parents=True, exist_ok=True)
    keep_settings(into, {"model": model, "seconds": seconds, "seed": seed, "free": free})
    with replacing(into / LIST) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(item.row() for item in items)
    made = AUDIO if model is None else ".npz"
    missing = [
        (number, item) for number, item in enumerate(items) if not (into / f"{item.name}{made}").exists()
    ]
    if jobs == 1:
        return _write(missing, model, into, seconds)
    # In runs: what stands together is played on one piano, whose samples take long to decode.
    parts: list[list[tuple[int, Item]]] = [[] for _ in range(jobs)]
    for place, each in enumerate(missing):
        parts[place // sum(BLOCK) % jobs].append(each)
    # Not forked: a process in which torch has used its threads leaves them locked in its copies.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(_write, part, model, into, seconds) for part in parts]:
            done.result()


def keep_settings(folder: Path, asked: dict[str, Any]) -> None:
    """Write down what the folder is filled with, the first time; refuse other settings from then on.

    Raises:
        NotebeamError: the settings there are others, or files of older versions are of another model.
    """
    path, expected = folder / SETTINGS, "the settings of a folder of this command"
    if not path.exists():
        _check_unlabelled(folder, asked["model"])
        write_json(path, asked)
        return
    found = of_type(read_json(path, expected), dict, str(path), expected)
    other = {name: found.get(name) for name in asked if found.get(name) != asked[name]}
    if other:
        same = f"the same settings ({_as_options(asked)}), or another folder"
        raise NotebeamError(str(folder), _as_options(other), same)


def _as_options(settings: dict[str, Any]) -> str:
    """As the command has them."""
    words = {name: f"--{name} {value}" for name, value in settings.items()}
    if settings.get("model", "") is None:
        words["model"] = "--audio"
    if "free" in settings:
        words["free"] = "--free" if settings["free"] else "no --free"
    return " ".join(words.values())


def _check_unlabelled(folder: Path, model: str | None) -> None:
    """Refuse what older versions, which wrote no settings, made with another model."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".npz", AUDIO))
    name = listener_named(model).name if files and model is not None else None
    for path in files:
        found = None
        if not path.with_suffix(AUDIO).exists():  # else it is another system's, which listened to that
            found = str(read_arrays(path, ("model",), "a posteriorgram").get("model", ""))
        if found != name:
            expected = f"{_as_options({'model': name})}, or another folder"
            raise NotebeamError(str(path), _as_options({"model": found}), expected)


def _write(items: Sequence[tuple[int, Item]], model: str | None, into: Path, seconds: float) -> None:
    """Those recordings, each with its number in the list."""
    listener = None if model is None else listener_named(model)
    for number, item in items:
        audio, notes = sound(item, seconds, number)
        write_tsv(into / f"{item.name}.tsv", notes)
        if listener is None:
            with replacing(into / f"{item.name}{AUDIO}") as temporary:
                soundfile.write(temporary, audio, RATE_HZ)
        else:
            replace(listener(audio, rate=RATE_HZ), source=item.name).save(into / f"{item.name}.npz")
        sys.stderr.write(f"\r{number + 1} {item.name:<50}")
    sys.stderr.write("\n")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="acoustic.training.posteriorgrams",
        description="Posteriorgrams of recordings whose notes are known.",
    )
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--model", default="piano", help=f"acoustic model (default: piano), or {', '.join(FRONTENDS)}"
    )
    either.add_argument(
        "--audio", action="store_const", const=None, dest="model",
        help=f"write the recordings themselves, mono FLAC of {RATE_HZ:,} Hz, for any other system",
    )  # fmt: skip
    parser.add_argument("--count", type=int, default=240, help="recordings (default: 240)")
    parser.add_argument("--seconds", type=float, default=100.0, help="of each, at most (default: 100)")
    parser.add_argument("--free", action="store_true", help="nothing of ASAP and MAPS: songs and exercises")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument(
        "-o", "--output", type=Path, default=datasets.cache_folder() / "join", help="folder to fill"
    )
    args = parser.parse_args(argv)
    return outcome("acoustic.training.posteriorgrams", lambda: _run(args))


def _run(args: argparse.Namespace) -> None:
    if args.count < 1 or args.jobs < 1 or not 0 < args.seconds < inf:
        got = (args.count, args.seconds, args.jobs)
        raise NotebeamError("--count, --seconds, --jobs", got, "numbers above 0")
    check_seed(args.seed, "--seed")
    if args.model is not None:
        listener_named(args.model)  # said before anything is made
    items = plan(args.count, args.seconds, args.seed, free=args.free)
    write_all(items, args.model, args.output, args.seconds, args.jobs, seed=args.seed, free=args.free)


if __name__ == "__main__":
    raise SystemExit(main())
