"""`python -m acoustic.training CONFIG.toml`: train an acoustic model."""

from symbolic.console import RESUMABLE, end_at_signals, outcome

if __name__ == "__main__":  # before all other imports, which take seconds
    end_at_signals("acoustic.training", RESUMABLE)

import argparse
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from acoustic.audio import RATE_HZ
from acoustic.augmentation import AugmentOptions
from acoustic.features import FeatureOptions
from acoustic.loading import ModelCard, save_network
from acoustic.network import HarmonicNet, NetworkOptions
from acoustic.training.corpus import Clips, CorpusOptions, Track, load_track
from acoustic.training.loop import CHECKPOINT, LoopOptions, Training
from acoustic.training.renderings import rendered
from acoustic.training.starting import began_as, begin_with
from acoustic.training.teaching import TaughtClips, TeacherOptions, load_teacher
from symbolic.allocation import keep_freed
from symbolic.checkpoints import check_weights_path, write_json
from symbolic.config import check_seed, options_from, read_toml
from symbolic.datasets.maps import read_maps
from symbolic.errors import NotebeamError
from symbolic.files import read_json
from symbolic.runlog import begin_log

SECTIONS: dict[str, Any] = {
    "features": FeatureOptions,
    "network": NetworkOptions,
    "corpus": CorpusOptions,
    "augment": AugmentOptions,
    "loop": LoopOptions,
    "teacher": TeacherOptions,
}
CONFIG = "config.json"  # in full, in the run's folder
VALID_STEPS = 8
TAKEN = ("checkpoint", "config")  # names of other files of a run
CURVE_POINTS = 12  # of the learning curve that the card shows
HELD_OUT = 20  # one of so many renderings, where there is nothing else


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Top of the config: what the run is called and where it writes."""

    name: str
    seed: int = 0
    start: str = ""  # a file of weights to begin with, wherever they fit; its path as seen from the config
    data: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if not self.name or self.name in TAKEN or not {*"/\\"}.isdisjoint(self.name):
            expected = f"the name of a file, without its suffix, and not {' or '.join(TAKEN)}"
            raise NotebeamError("name", self.name, expected)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """All options of a run: those at the top of the config, and a table for each part."""

    run: RunOptions
    features: FeatureOptions
    network: NetworkOptions
    corpus: CorpusOptions
    augment: AugmentOptions
    loop: LoopOptions
    teacher: TeacherOptions

    def whole(self) -> dict[str, Any]:
        """As JSON has it: the top's options, then the tables."""
        tables = asdict(self)
        whole: dict[str, Any] = json.loads(json.dumps(tables.pop("run") | tables))
        return whole


def run_config(table: Mapping[str, Any], path: Path) -> RunConfig:
    """Options of the table of a config, whose file `path` errors name.

    Raises:
        NotebeamError: an unknown option, a bad value, or options that do not go together.
    """
    parts: dict[str, Any] = {
        name: options_from(kind, table.get(name, {}), f"{path}: {name}") for name, kind in SECTIONS.items()
    }
    top = {name: value for name, value in table.items() if name not in SECTIONS}
    config = RunConfig(run=options_from(RunOptions, top, str(path)), **parts)
    if config.teacher.weights and config.loop.learn != "trunk":
        expected = 'loop.learn = "trunk": all but velocities'
        raise NotebeamError(f"{path}: teacher", config.teacher.weights, expected)
    if config.features.rate_hz != RATE_HZ:
        expected = f"{RATE_HZ}, the corpus's"
        raise NotebeamError(f"{path}: features.rate_hz", config.features.rate_hz, expected)
    return config


def tracks(options: CorpusOptions) -> tuple[list[list[Track]], list[Track]]:
    """([synthesised, rendered] for training, some for validation): no composition of MAPS is in both.

    Recordings of MAPS are held out, or every twentieth rendering where the training takes renderings alone.
    """
    synthesised: list[Track] = []
    renderings: list[Track] = []
    valid: list[Track] = []
    if options.rendered_share:
        renderings = [load_track(audio, table) for audio, table in rendered(options.performances)]
        if not renderings:
            found = f"{options.rendered_share}, no renderings in the cache"
            raise NotebeamError(
                "corpus.rendered_share", found, "python -m acoustic.training.renderings first"
            )
    if options.rendered_share == 1:
        return [[], [t for i, t in enumerate(renderings) if i % HELD_OUT]], renderings[::HELD_OUT]
    recordings = read_maps("synth")
    compositions = sorted({recording.composition for recording in recordings})
    if max(options.valid_compositions, 1) >= len(compositions):
        expected = f"fewer than the {len(compositions)} compositions that there are"
        raise NotebeamError("corpus.valid_compositions", options.valid_compositions, expected)
    held = set(compositions[:: -(-len(compositions) // max(options.valid_compositions, 1))])
    for recording in recordings:
        part = valid if recording.composition in held else synthesised
        part.append(load_track(recording.audio, recording.table))
    return [synthesised, renderings], valid


def train(
    table: dict[str, Any], config: Path, folder: Path, *, resume: bool, output: Path | None = None
) -> Path:
    """Train by the table of a config.

    In `folder` lie the checkpoint, the config in full (config.json) and a log of validations (log.jsonl).

    Returns:
        The file of weights, by default `folder`/NAME.safetensors; its card lies beside it.

    Raises:
        NotebeamError: a bad config, nothing to learn from, a run of another config to resume.
    """
    options = run_config(table, config)
    run, features, loop = options.run, options.features, options.loop
    path = output or folder / f"{run.name}.safetensors"
    if path.resolve() == (folder / CHECKPOINT).resolve():
        raise NotebeamError("--output", str(path), "another file than the run's checkpoint")
    if resume:
        check_same(folder / CONFIG, options.whole())
    teacher = load_teacher(options.teacher, config.parent, features)
    torch.manual_seed(run.seed)
    network = HarmonicNet(features, options.network)
    start: dict[str, Any] = {}
    if run.start:
        start = began_as(config.parent / run.start)
        fresh = begin_with(network, config.parent / run.start)
        logging.info("begun with %s; %d tensors are new", run.start, len(fresh))
    training = Training(network.to("cuda" if torch.cuda.is_available() else "cpu"), loop, folder)
    if resume:
        training.resume()
    write_json(folder / CONFIG, options.whole())
    begin_log(folder, training.step)
    corpus = options.corpus
    groups, valid = tracks(corpus)
    shares = [1 - corpus.rendered_share, corpus.rendered_share]
    clips = Clips(groups, shares, corpus, features, options.augment, steps=loop.steps, seed=run.seed)
    held_out = Clips([valid], [1.0], corpus, features, None, steps=VALID_STEPS, seed=run.seed)
    hours = [sum(len(t.samples) for t in group) / features.rate_hz / 3600 for group in groups]
    logging.info("%.2f h synthesised, %.2f h rendered, resumed at step %d", *hours, training.step)

    def keep() -> None:
        """The averaged weights so far, with their card."""
        figures = {
            "start": start,
            **({"teacher": teacher.origin} if teacher else {}),
            "steps": training.step,
            "minutes": round(training.seconds / 60, 1),
            "hours_synthesised": round(hours[0], 2),
            "hours_rendered": round(hours[1], 2),
            "learning_curve": [f"step {s}, {m} min: {v}" for s, m, v in _thinned(training.curve)],
            **{name: asdict(getattr(options, name)) for name in ("corpus", "augment", "loop")},
        }
        command = f"python -m acoustic.training {config}"
        card = ModelCard(
            name=run.name,
            features=features,
            network=options.network,
            data=run.data,
            licence=run.licence,
            command=command,
            training=figures,
        )
        save_network(path, training.averaged(), card)

    training.run(TaughtClips(clips, teacher) if teacher else clips, held_out, keep)
    return path


def check_same(path: Path, config: Mapping[str, Any]) -> None:
    """Refuse to go on under another config than the one in full of the run's folder.

    What it does not say (one of an older version may lack an option) may be anything.
    """
    if not path.is_file():
        return
    now = _flat(config)
    for place, value in _flat(read_json(path, "the config of the run")).items():
        if now.get(place, value) != value:
            raise NotebeamError(place, now[place], f"{value}, as the run to resume has it ({path})")


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """The seed and the options of all sections, by their places."""
    options = {
        f"{section}.{name}": value for section in SECTIONS for name, value in config.get(section, {}).items()
    }
    return options | ({"seed": config["seed"]} if "seed" in config else {})


def _thinned(curve: list[tuple[int, float, str]]) -> list[tuple[int, float, str]]:
    """At most about a dozen points, the last one among them."""
    return curve[::-1][:: max(1, len(curve) // CURVE_POINTS)][::-1]


def build_parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m acoustic.training", description="Train an acoustic model."
    )
    parser.add_argument("config", metavar="CONFIG.toml", type=Path, help="what is trained, on what, how")
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    parser.add_argument(
        "--run",
        metavar="FOLDER",
        type=Path,
        help="of the checkpoint, the logs and the config in full (default: runs/NAME of the config file)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE.safetensors",
        type=Path,
        help="of the weights; the card goes beside them (default: NAME.safetensors in the run's folder)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    args = build_parser().parse_args(argv)
    return outcome("acoustic.training", lambda: _train(args), RESUMABLE)


def _train(args: argparse.Namespace) -> None:
    if args.output is not None:
        check_weights_path(args.output, "--output")
    keep_freed()
    table = read_toml(args.config)
    folder = args.run or Path("runs") / args.config.stem
    folder.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [logging.StreamHandler(), logging.FileHandler(folder / "log.txt")]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers)
    train(table, args.config, folder, resume=args.resume, output=args.output)


if __name__ == "__main__":
    raise SystemExit(main())
