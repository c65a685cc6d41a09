"""Posteriorgrams of recordings whose notes are known: what a join learns an acoustic model's mistakes from.

Is: a command, `python -m acoustic.training.posteriorgrams -o FOLDER`; it writes NAME.npz, NAME.tsv, a list;
with `--audio` NAME.flac in place of NAME.npz, for other systems to listen to.
Is not: the choice of the recordings (training.recordings), or the fit (symbolic.training.join).

What is there is kept, so the command goes on where it was stopped; any part of the list, from its start,
is a good mix. `settings.json` says with what options a folder is filled; others are refused.
"""

import argparse
import csv
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import soundfile

from acoustic.audio import RATE_HZ
from acoustic.frontends.loading import FRONTENDS, Frontend, load_frontend
from acoustic.inference import Listener, load_acoustic
from acoustic.loading import known_weights, list_models
from acoustic.training.recordings import BLOCK, COLUMNS, Item, plan, sound
from acoustic.training.renderings import CODE
from acoustic.training.workers import workers
from symbolic import datasets
from symbolic.arrays import read_arrays
from symbolic.checkpoints import write_json
from symbolic.checks import of_type
from symbolic.config import check_seed
from symbolic.console import outcome
from symbolic.errors import NotebeamError
from symbolic.files import read_json, replacing
from symbolic.notes import write_tsv

LIST = "recordings.csv"
SETTINGS = "settings.json"  # beside the list: the options that decide what a file of some name holds
AUDIO = ".flac"  # of the recordings themselves


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
    return load_acoustic(name)


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
    of = {"model": model, "weights": weights_of(model)}
    keep_settings(into, of | {"seconds": seconds, "seed": seed, "free": free, "sound": CODE})
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
    with workers(jobs) as pool:
        for done in [pool.submit(_write, part, model, into, seconds) for part in parts]:
            done.result()


def weights_of(model: str | None) -> str | None:
    """What tells the weights of an acoustic model from others of its name; None: no model of ours."""
    if model is None or model in FRONTENDS:
        return None
    return hashlib.sha256(known_weights(model).read_bytes()).hexdigest()[:12]


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
    # An older version may not have said all of it.
    other = {name: found[name] for name in asked if name in found and found[name] != asked[name]}
    if "model" in other:
        other.pop("weights", None)  # of course
    if other:
        same = f"the same settings ({_as_options(asked)}), or another folder"
        raise NotebeamError(str(folder), _as_options(other), same)


def _as_options(settings: dict[str, Any]) -> str:
    """As the command has them."""
    words = {name: f"--{name} {value}" for name, value in settings.items()}
    # No options, but what the model and the instruments were then.
    words |= {name: f"{name} {settings[name]}" for name in ("weights", "sound") if name in settings}
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
