"""A prior of one's own: trained by the command, loaded, decoded with, without a change to the package."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles_decoding import sparse_clips
from safetensors.torch import load_file

import notebeam as nb
from symbolic.datasets.config import DataConfig
from symbolic.datasets.splits import Splits
from symbolic.decoding.decode import decode_evidence
from symbolic.decoding.options import Beam
from symbolic.errors import NotebeamError
from symbolic.generation.sampling import SampleOptions, sample_steps
from symbolic.midi_writing import write_midi
from symbolic.notes import Notes
from symbolic.priors import registry
from symbolic.priors.loading import load_prior
from symbolic.priors.registry import build_prior, register_prior
from symbolic.state import State
from symbolic.training.config import TrainingConfig
from symbolic.training.run import Run

ROOT = Path(__file__).resolve().parents[2]
MODULE = '''
from dataclasses import dataclass

import torch
from torch import nn

from symbolic.priors.base import Prior
from symbolic.priors.registry import register_prior


@dataclass(frozen=True)
class StickyOptions:
    visible: int = 88
    start: float = 0.0


class Sticky(Prior):
    """Every key goes on as it is, or not."""

    def __init__(self, options):
        super().__init__()
        self.visible = options.visible
        self.off = nn.Parameter(torch.full((options.visible,), options.start))
        self.on = nn.Parameter(torch.zeros(options.visible))

    def initial_state(self, n):
        return {"last": torch.zeros(n, self.visible)}

    def advance(self, state, step):
        return {"last": step}

    def logits(self, state):
        return torch.where(state["last"] > 0, self.on, self.off)

    def log_prob(self, state, candidates):
        logits = self.logits(state)[:, None]
        return (candidates * logits - nn.functional.softplus(logits)).sum(2)

    def sample(self, state, generator, temperature=1.0):
        return torch.bernoulli(torch.sigmoid(self.logits(state) / temperature), generator=generator)


register_prior("sticky", StickyOptions, Sticky)
'''


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-m", *words]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, env=environment)


def music(folder: Path, files: int = 3) -> None:
    folder.mkdir()
    for number in range(files):
        onset = np.arange(20) * 0.4
        pitch = 60 + (np.arange(20) + number) % 5
        write_midi(folder / f"{number}.mid", Notes.make(onset, onset + 0.3, pitch, np.full(20, 80)))


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Folder of a run of the command; the module lies beside the config, not where the command is called."""
    music(tmp_path / "midi")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "sticky_prior.py").write_text(MODULE)
    config = tmp_path / "configs" / "mine.toml"
    config.write_text(
        'model = "sticky"\nmodule = "sticky_prior"\n[data]\n'
        f'midi = "{tmp_path / "midi"}"\n[loop]\nsteps = 60\nlearning_rate = 0.1\n'
        "chunk = 50\nvalidate_every = 30\n"
    )
    done = command(tmp_path, "symbolic.training", str(config), "--run", "run")
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_a_module_of_ones_own_is_trained_saved_loaded_and_decoded_with(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [json.loads(line) for line in (trained / "run" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [30, 60]
    assert rows[1]["valid_nats_per_step"] > rows[0]["valid_nats_per_step"] > -88 * np.log(2)
    assert json.loads((trained / "run" / "config.json").read_text())["loop"]["batch_size"] == 32
    weights = trained / "run" / "weights.safetensors"
    # In a process that has not imported the module the model is unknown, and the message says so.
    monkeypatch.setattr(registry, "PRIORS", dict(registry.PRIORS))
    with pytest.raises(NotebeamError, match="got 'sticky', .*registered by a module that is imported"):
        load_prior(weights)
    monkeypatch.syspath_prepend(str(trained / "configs"))
    __import__("sticky_prior")
    prior = load_prior(weights)
    assert prior.card is not None
    assert (prior.card.name, prior.card.plane) == ("mine", "struck")
    assert prior.card.options == {"visible": 88, "start": 0.0}  # in full
    # It has learnt that keys 60 to 64 are struck and that others are not.
    off = prior.state_dict()["off"]
    assert off[60 - 21 : 65 - 21].min() > off[0]
    clips = sparse_clips(3, (40,), keys=88)
    found = decode_evidence(clips, prior, Beam(width=4))[0]
    assert found.rolls.shape[1:] == (40, 88) and np.isfinite(found.costs).all()
    assert found.prior_log_prob is not None
    roll = torch.from_numpy(found.rolls[:1]).float()
    log_prob = prior.sequence_log_prob(roll, torch.ones(1, 40, dtype=torch.bool)).detach().sum()
    assert found.prior_log_prob[0] == pytest.approx(float(log_prob), rel=1e-4)
    # As an object, and as a file, through the whole pipeline; the prior changes what is found.
    plane = (np.random.default_rng(0).random((500, 88)) ** 8).astype(np.float32)
    posteriorgram = nb.Posteriorgram(frame=plane, onset=plane, hop=0.02)
    results = [
        nb.Transcriber(prior=each, decoder=nb.Beam(width=4, prior_weight=weight)).transcribe_posteriorgram(
            posteriorgram
        )
        for each, weight in ((prior, 1.0), (str(weights), 1.0), (prior, 0.0))
    ]
    pitches = [result.notes.pitch.tolist() for result in results]
    assert pitches[0] == pitches[1] and len(pitches[0]) and pitches[0] != pitches[2]


def test_the_other_commands_take_it_by_its_module(trained: Path) -> None:
    weights, midi = str(trained / "run" / "weights.safetensors"), str(trained / "midi" / "0.mid")
    words = [weights, midi, "--module", "sticky_prior", "--json"]
    done = command(trained / "configs", "symbolic.evaluation", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["log_likelihood_nats_per_step"] < 0
    output = str(trained / "new.mid")
    words = ["--module", "sticky_prior", "--prior", weights, "-o", output, "--steps", "40"]
    done = command(trained / "configs", "symbolic.generation", *words)
    assert done.returncode == 0, done.stderr
    assert Path(output).is_file()
    done = command(trained, "symbolic.evaluation", weights, midi, "--module", "no_such")
    assert done.returncode == 1
    assert done.stderr.startswith("symbolic.evaluation: --module: got 'no_such', expected a Python module")


NORMAL = (
    MODULE.replace("return torch.where(", "return self.normal(self.drop(state['last'])) + torch.where(")
    .replace(
        "self.on =",
        "self.normal, self.drop = nn.BatchNorm1d(options.visible), nn.Dropout(0.2)\n        self.on =",
    )
    .replace('"sticky"', '"normal"')
)


def test_a_prior_of_torchs_own_layers_is_trained_by_its_seed_and_kept_with_its_statistics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    music(tmp_path / "midi")
    (tmp_path / "normal_prior.py").write_text(NORMAL)
    (tmp_path / "c.toml").write_text(
        'model = "normal"\nmodule = "normal_prior"\n[data]\nmidi = "midi"\n[loop]\nsteps = 6\nchunk = 20\n'
        "batch_size = 4\nvalidate_every = 6\nema = 0.9\n"
    )
    for run in ("a", "b"):
        done = command(tmp_path, "symbolic.training", "c.toml", "--run", run)
        assert done.returncode == 0, done.stderr
    one, other = (load_file(tmp_path / run / "weights.safetensors") for run in ("a", "b"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert one["normal.num_batches_tracked"] > 0 and (one["normal.running_mean"] != 0).any()
    monkeypatch.setattr(registry, "PRIORS", dict(registry.PRIORS))
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("normal_prior")
    plane = (np.random.default_rng(0).random((100, 88)) ** 8).astype(np.float32)
    posteriorgram, prior = nb.Posteriorgram(frame=plane, onset=plane, hop=0.02), build_prior("normal", {})
    with pytest.raises(NotebeamError, match=r"got 'a Sticky in training mode, .*', expected prior\.eval\(\)"):
        nb.decode(posteriorgram, prior, Beam(width=4))
    costs = [nb.decode(posteriorgram, prior.eval(), Beam(width=4)).costs[0] for _ in range(2)]
    assert costs[0] == costs[1]
    for layer in (torch.nn.LSTM(4, 4, 2, dropout=0.5), torch.nn.MultiheadAttention(4, 2, dropout=0.5)):
        prior.add_module("within", layer)  # in training mode, as new layers are
        with pytest.raises(NotebeamError, match=r"in training mode, .*', expected prior\.eval\(\)"):
            nb.decode(posteriorgram, prior, Beam(width=4))
    prior.add_module("within", torch.nn.LSTM(4, 4))
    nb.decode(posteriorgram, prior, Beam(width=4))


@dataclass(frozen=True)
class EvenOptions:
    visible: int = 88


class Even(nb.Prior):
    """Every step is as likely as any other."""

    def __init__(self, options: object = None) -> None:
        super().__init__()
        self.visible = 88
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def initial_state(self, n: int) -> State:
        return {"last": torch.zeros(n, 4)}

    def advance(self, state: State, step: torch.Tensor) -> State:
        return state

    def log_prob(self, state: State, candidates: torch.Tensor) -> torch.Tensor:
        return self.weight + torch.zeros(candidates.shape[:2])

    def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> torch.Tensor:
        return torch.zeros(len(state["last"]), 88)


WRONG = [
    (
        "log_prob",
        lambda self, state, rows: rows.sum(1),
        r"log_prob: got 'torch\.float32 \(2, 88\)', expected \(2, 3\), one number for each of candidates",
    ),
    ("log_prob", lambda self, state, rows: 0.0, r"log_prob: got 0\.0, expected \(2, 3\), one number"),
    (
        "advance",
        lambda self, state, step: {"last": step},
        r"advance: got \{'last': \(2, 88\)\}, expected \{'last': \(2, 4\)\}, as of initial_state\(2\)",
    ),
    ("advance", lambda self, state, step: None, r"advance: got None, expected \{'last': \(2, 4\)\}"),
    (
        "initial_state",
        lambda self, n: {"last": torch.zeros(1, 4)},
        r"initial_state\(2\): last: got 'torch\.float32 \(1, 4\)', expected a tensor of 2 rows",
    ),
    ("initial_state", lambda self, n: torch.zeros(n), r"initial_state\(2\): got .*, expected a dict of ten"),
]


@pytest.mark.parametrize(("method", "body", "message"), WRONG)
def test_a_method_that_gives_another_shape_is_one_line(
    monkeypatch: pytest.MonkeyPatch, method: str, body: Any, message: str
) -> None:
    """In a search, a stream and a training run alike."""
    plane = np.full((20, 88), 0.4, np.float32)
    posteriorgram = nb.Posteriorgram(frame=plane, onset=plane, hop=0.02)
    monkeypatch.setattr(registry, "PRIORS", dict(registry.PRIORS))
    register_prior("even", EvenOptions, Even)
    config = TrainingConfig(name="a", model="even", data=DataConfig(set="jsb"))
    pieces = [np.zeros((5, 88), dtype=np.bool_)]
    nb.decode(posteriorgram, Even(), Beam())
    Run(config, Splits(pieces, pieces, []))
    monkeypatch.setattr(Even, method, body)
    with pytest.raises(NotebeamError, match=rf"^Even\.{message}"):
        nb.decode(posteriorgram, Even(), Beam())
    with pytest.raises(NotebeamError, match=rf"^Even\.{message}"):
        nb.Stream(Even(), Beam(look_back=3))
    with pytest.raises(NotebeamError, match=rf"^Even\.{message}"):
        Run(config, Splits(pieces, pieces, []))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("visible", None, r"visible: got None, expected the number of keys, D"),
        ("card", {"clock": {}}, r"card: got 'dict', expected a PriorCard, or None"),
    ],
)
def test_a_prior_without_its_width_or_with_a_plain_dict_as_card_is_one_line(
    name: str, value: object, message: str
) -> None:
    prior, plane = Even(), np.zeros((9, 88), np.float32)
    setattr(prior, name, value)
    with pytest.raises(NotebeamError, match=rf"^Even\.{message}"):
        nb.decode(nb.Posteriorgram(plane, plane, hop=0.02), prior, Beam())
    with pytest.raises(NotebeamError, match=rf"^Even\.{message}"):
        nb.Stream(prior, Beam(look_back=3))


def test_options_without_a_width_are_refused_where_they_are_registered() -> None:
    @dataclass(frozen=True)
    class Narrow:
        units: int = 3

    for options, got in ((dict, "dict"), (Narrow, "Narrow"), (EvenOptions(), "EvenOptions")):
        with pytest.raises(NotebeamError, match=rf"register_prior\(options\): got '{got}', expected a datac"):
            register_prior("even", options, Even)  # type: ignore[arg-type]
    assert "even" not in registry.PRIORS


def test_draws_of_another_shape_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sample_steps(Even(), SampleOptions(steps=3, count=2)).shape == (2, 3, 88)
    monkeypatch.setattr(Even, "sample", lambda self, *given: torch.zeros(88))
    with pytest.raises(
        NotebeamError, match=r"Even\.sample: got 'torch\.float32 \(88,\)', expected \(2, 88\)"
    ):
        sample_steps(Even(), SampleOptions(steps=3, count=2))


def test_names_of_the_package_are_not_taken_over() -> None:
    with pytest.raises(NotebeamError, match=r"register_prior\(name\): got 'lstm-nade'"):
        register_prior("lstm-nade", object, lambda options: build_prior("rnn-nade"))


def test_the_shortest_config_of_a_folder_of_midi_works(tmp_path: Path) -> None:
    music(tmp_path / "m", files=2)
    (tmp_path / "c.toml").write_text('model = "lstm-nade"\n[data]\nmidi = "m"\n[loop]\nsteps = 1\n')
    done = command(tmp_path, "symbolic.training", "c.toml", "--run", "r", "-o", "w.safetensors")
    assert done.returncode == 0, done.stderr
    card = json.loads((tmp_path / "w.json").read_text())
    assert (card["name"], card["licence"], card["plane"]) == ("c", "not stated", "struck")
