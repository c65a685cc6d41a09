"""`python -m acoustic.training CONFIG.toml [--resume]`: the command that trains what ships.

Is: config, logging, and the files at the end. Is not: the training itself (training.loop).
"""

import argparse
import logging
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from acoustic.augmentation import AugmentOptions
from acoustic.features import FeatureOptions
from acoustic.model import ModelCard, save_network
from acoustic.network import HarmonicNet, NetworkOptions
from acoustic.training.corpus import Clips, CorpusOptions, Track, load_track
from acoustic.training.loop import LoopOptions, Training
from acoustic.training.renderings import rendered
from symbolic.config import options_from, read_toml
from symbolic.datasets.maps import read_maps
from symbolic.errors import NotebeamError

SECTIONS: dict[str, Any] = {
    "features": FeatureOptions,
    "network": NetworkOptions,
    "corpus": CorpusOptions,
    "augment": AugmentOptions,
    "loop": LoopOptions,
}
VALID_STEPS = 8


@dataclass(frozen=True, kw_only=True)
class Run:
    """Top of the config: what the run is called and where it writes."""

    name: str = "harmonic"
    seed: int = 0
    data: str = ""
    licence: str = ""


def tracks(options: CorpusOptions) -> tuple[list[list[Track]], list[Track]]:
    """([synthesised, rendered] for training, synthesised for validation), apart by composition."""
    recordings = read_maps("synth")
    compositions = sorted({recording.composition for recording in recordings})
    held = set(compositions[:: -(-len(compositions) // max(options.valid_compositions, 1))])
    loaded = [(r.composition in held, load_track(r.audio, r.table)) for r in recordings]
    synthesised = [track for valid, track in loaded if not valid]
    renderings = [load_track(audio, table) for audio, table in rendered()]
    if options.rendered_share and not renderings:
        raise NotebeamError("corpus.rendered_share", options.rendered_share, "0, or renderings in the cache")
    return [synthesised, renderings], [track for valid, track in loaded if valid]


def train(config: Path, out: Path, *, resume: bool) -> None:
    """Train by a config into folder `out`: checkpoints on the way, NAME.safetensors and card at the end."""
    table = read_toml(config)
    parts: dict[str, Any] = {
        name: options_from(kind, table.pop(name, {}), f"{config}: {name}") for name, kind in SECTIONS.items()
    }
    run = options_from(Run, table, str(config))
    features, sizes, corpus, augment, loop = parts.values()
    torch.manual_seed(run.seed)
    training = Training(HarmonicNet(features, sizes), loop, out)
    if resume:
        training.resume()
    groups, valid = tracks(corpus)
    shares = [1 - corpus.rendered_share, corpus.rendered_share]
    clips = Clips(groups, shares, corpus, features, augment, steps=10**7, seed=run.seed)
    held_out = Clips([valid], [1.0], corpus, features, None, steps=VALID_STEPS, seed=run.seed)
    hours = [sum(len(t.samples) for t in group) / features.rate_hz / 3600 for group in groups]
    logging.info("%.2f h synthesised, %.2f h rendered, resumed at step %d", *hours, training.step)
    training.run(clips, held_out)
    figures = {
        "steps": training.step,
        "minutes": round(training.seconds / 60, 1),
        "hours_synthesised": round(hours[0], 2),
        "hours_rendered": round(hours[1], 2),
        "validation_nats_a_frame": training.validate(held_out),
        **{name: asdict(part) for name, part in parts.items() if name in ("corpus", "augment", "loop")},
    }
    command = f"python -m acoustic.training {config}"
    card = ModelCard(name=run.name, features=features, network=sizes, data=run.data, licence=run.licence,
                     command=command, training=figures)  # fmt: skip
    save_network(out / f"{run.name}.safetensors", training.averaged(), card)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="acoustic.training", description="Train the acoustic network.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME of the config file)")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    args = parser.parse_args(argv)
    out = args.out or Path("runs") / args.config.stem
    out.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [logging.StreamHandler(), logging.FileHandler(out / "log.txt")]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers)
    try:
        train(args.config, out, resume=args.resume)
    except (NotebeamError, OSError) as error:
        sys.stderr.write(f"acoustic.training: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("acoustic.training: interrupted; --resume goes on from the last checkpoint\n")
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
