"""Fit a join: `python -m symbolic.training.join --posteriorgrams FOLDER -o WEIGHTS`.

Is: the fit of `priors.evidence_join` to labelled onsets (training.labelled_onsets), and its scores on
recordings held out.
Is not: the making of the posteriorgrams (acoustic.training.posteriorgrams): this package knows no audio.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from symbolic.checkpoints import check_weights_path
from symbolic.console import outcome
from symbolic.errors import NotebeamError
from symbolic.priors.base import PriorCard
from symbolic.priors.evidence_join import FLOOR, EvidenceJoin, EvidenceJoinOptions
from symbolic.priors.loading import save_prior
from symbolic.priors.surroundings import log_odds_count
from symbolic.training.boosting import Growth, grow
from symbolic.training.labelled_onsets import STEP, Judged, check_alike, model_of, read, split

# What the corpora of acoustic.training.posteriorgrams are; with the last two alone a join is free.
CORPORA = {
    "maps": "MAPS synthesised pianos",
    "asap": "ASAP performances",
    "pop909": "POP909 songs",
    "exercise": "notes drawn by chance",
}
FREE = {"pop909", "exercise"}
LICENCE = "CC BY-NC-SA 4.0 (fitted to MAPS and ASAP)"
OWN_LICENCE = "that of the recordings to which it is fitted"
FREE_LICENCE = (
    "MIT, with credit to Headroom Piano by Bengt Nilsson (CC BY 4.0) and Salamander Grand Piano by Alexander "
    "Holm (CC BY 3.0)"
)


@dataclass(frozen=True, kw_only=True)
class JoinTraining:
    """How the networks are fitted."""

    networks: int = 3
    hidden: int = 128
    dropout: float = 0.2
    epochs: int = 6
    batch_size: int = 1024
    learning_rate: float = 2e-3
    weight_decay: float = 0.2
    # Standard deviations by which log-odds are stretched and moved, as another room would have them.
    stretch: float = 0.24
    shift: float = 0.7
    seed: int = 0
    trees: int = 150  # grown one after the other on what those before leave
    tree_rate: float = 0.12  # at which a tree counts
    leaf_size: int = 60  # onsets, at least
    tree_inputs: float = 0.3  # share of the inputs that a node may ask for

    @property
    def sizes(self) -> EvidenceJoinOptions:
        """Of the join."""
        return EvidenceJoinOptions(
            hidden=self.hidden, networks=self.networks, dropout=self.dropout, trees=self.trees
        )


def fit(data: Sequence[Judged], options: JoinTraining) -> EvidenceJoin:
    """A join of these recordings."""
    data, count = [part for part in data if len(part.struck)], len(data)
    if not data:
        raise NotebeamError("fit(data)", f"{count} recordings without an onset", "onsets to learn from")
    check_alike(data)
    torch.manual_seed(options.seed)  # of the first weights and of dropout
    inputs, struck = torch.cat([part.inputs for part in data]), torch.cat([part.struck for part in data])
    join = EvidenceJoin(replace(options.sizes, planes=data[0].planes, inputs=inputs.shape[1]))
    sample = inputs[torch.randperm(len(inputs))[:50_000]].float()
    join.mean.copy_(sample.mean(dim=0))
    join.spread.copy_(sample.std(dim=0, correction=0).clamp(min=0.05))
    optimizer = torch.optim.AdamW(
        join.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    steps = options.epochs * math.ceil(len(inputs) / options.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.learning_rate, total_steps=steps + 1)
    for rows in _batches(len(inputs), options):
        logits = join.logits(jittered(inputs[rows].float(), log_odds_count(join.planes), options))
        target = struck[rows].expand_as(logits)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, target) * options.networks
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    if join.trees is not None:
        growth = Growth(options.tree_rate, options.leaf_size, options.tree_inputs, options.seed)
        grow(join.trees, inputs, struck > 0, growth)
    return join.eval()


def _batches(count: int, options: JoinTraining) -> Iterator[Tensor]:
    for _ in range(options.epochs):
        yield from torch.split(torch.randperm(count), options.batch_size)


def jittered(inputs: Tensor, odds: int, options: JoinTraining) -> Tensor:
    """Each onset's log-odds, the first `odds` of its numbers, stretched and moved together."""
    stretch = 1 + options.stretch * torch.randn(len(inputs), 1)
    move = options.shift * torch.randn(len(inputs), 1)
    return torch.cat([inputs[:, :odds] * stretch + move, inputs[:, odds:]], dim=1)


@dataclass(frozen=True)
class Quality:
    """How well log-odds tell notes from other onsets."""

    nats: float  # of the labels, for each note that was played
    onset_f: float  # of onsets with even odds or better, found if they are a note's own; 0..1


def quality(data: Sequence[Judged], join: EvidenceJoin | None) -> Quality:
    """Means over recordings; of the acoustic model alone where `join` is None."""
    nats, scores = [], []
    for part in data:
        inputs = part.inputs.float()
        with torch.inference_mode():
            logits = inputs[:, 0] if join is None else join.judge(inputs)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, part.struck, reduction="sum")
        nats.append(float(loss) / max(1, part.notes))
        chosen = logits > 0
        hits = float(part.struck[chosen].sum())
        scores.append(2 * hits / max(1, int(chosen.sum()) + part.notes))
    return Quality(float(np.mean(nats)), float(np.mean(scores)))


def card_of(
    name: str, data: Sequence[Judged], options: EvidenceJoinOptions, model: str, command: str
) -> PriorCard:
    """What is known of a fit."""
    corpora = {part.corpus for part in data}
    if corpora <= set(CORPORA):
        licence = FREE_LICENCE if corpora <= FREE else LICENCE
        kinds = ", ".join(kind for corpus, kind in CORPORA.items() if corpus in corpora)
        of = f"{kinds}; on sampled and modelled pianos and soundfonts, "
        of += "as they are, through rooms, noise, recording chains"
    else:
        licence, of = OWN_LICENCE, "recordings of one's own"
    sources = f"{len(data)} posteriorgrams of {model}: {of}"
    return PriorCard(
        name=name, model="evidence-join", options=asdict(options), visible=options.visible,
        clock={"kind": "frames", "hop": STEP}, plane="struck", data=sources,
        licence=licence, command=command, acoustic_model=model,
    )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    given = JoinTraining()
    parser = argparse.ArgumentParser(prog="symbolic.training.join", description="Fit a join.")
    parser.add_argument(
        "--posteriorgrams", type=Path, required=True, help="folder of acoustic.training.posteriorgrams"
    )
    parser.add_argument("--model", help="the system it is for (default: what the posteriorgrams say)")
    parser.add_argument(
        "--hold-out", nargs="+", metavar="INSTRUMENT",
        help="score, and don't write: every third composition on these, neither of which is learnt from",
    )  # fmt: skip
    parser.add_argument("--networks", type=int, default=given.networks)
    parser.add_argument("--trees", type=int, default=given.trees)
    parser.add_argument("--hidden", type=int, default=given.hidden)
    parser.add_argument("--epochs", type=int, default=given.epochs)
    parser.add_argument(
        "--floor", type=float, default=FLOOR,
        help=f"onsets of this probability or more are judged (default: {FLOOR}; higher for a system that is "
        "never sure that nothing begins)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=given.seed)
    parser.add_argument("-o", "--output", type=Path, help=".safetensors to write")
    args = parser.parse_args(argv)
    if not 0 < args.floor < 1:
        parser.error("--floor: expected a probability between 0 and 1")
    if (args.output is None) == (args.hold_out is None):
        parser.error("either -o or --hold-out")
    training = JoinTraining(
        networks=args.networks, hidden=args.hidden, epochs=args.epochs, trees=args.trees, seed=args.seed
    )
    return outcome("symbolic.training.join", lambda: _run(args, training))


def _run(args: argparse.Namespace, training: JoinTraining) -> None:
    if args.output is not None:
        check_weights_path(args.output, "--output")
    data = []
    for part in read(args.posteriorgrams, args.floor):
        data.append(part)
        sys.stderr.write(f"\r{len(data)} {part.name[:60]:<60}")
    sys.stderr.write("\n")
    check_alike(data)
    model = model_of(data, args.model)
    if args.hold_out:
        data, held = split(data, args.hold_out)
        join = fit(data, training)
        sys.stdout.write(f"{len(data)} recordings to learn from, {len(held)} held out\n")
        for name, judge in (("acoustic model", None), ("join", join)):
            found = quality(held, judge)
            line = f"{name}: {found.nats:.4f} nats a note, onset F {found.onset_f:.4f}"
            sys.stdout.write(f"{line}\n")
        return
    join = fit(data, training)
    command = f"python -m symbolic.training.join --model {model} --floor {args.floor:g}"
    for name in ("networks", "hidden", "epochs", "trees", "seed"):
        command += f" --{name} {getattr(training, name)}"
    options = replace(training.sizes, planes=join.planes, inputs=join.inputs, floor=args.floor)
    join.card = card_of(args.output.stem, data, options, model, command)
    save_prior(join, args.output)


if __name__ == "__main__":
    raise SystemExit(main())
