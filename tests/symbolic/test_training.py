"""Training: configs, augmentation, the stream, and runs that resume bit for bit."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from symbolic.checkpoints import read_tensors, write_tensors
from symbolic.datasets import root
from symbolic.datasets.config import DataConfig
from symbolic.datasets.splits import Splits, frames_roll, read_splits
from symbolic.errors import NotebeamError
from symbolic.notes import Notes
from symbolic.priors.loading import load_prior
from symbolic.training.__main__ import main
from symbolic.training.config import LoopConfig, TrainingConfig, read_config
from symbolic.training.data import augmented_roll
from symbolic.training.loop import train
from symbolic.training.optimizers import learning_rate_at
from symbolic.training.run import Run
from symbolic.training.stream import ChunkStream

CONFIGS = sorted((Path(__file__).parents[2] / "symbolic" / "training" / "configs").glob("*.toml"))
CONFIG = TrainingConfig(
    name="small",
    model="lstm-nade",
    licence="MIT",
    data=DataConfig(set="jsb", transpose=2),
    loop=LoopConfig(steps=8, batch_size=3, chunk=4, warmup=2, ema=0.9, validate_every=2, learning_rate=1e-2),
    options={"visible": 6, "units": 5, "layers": 2, "hidden": 4, "dropout": 0.3},
)


def pieces(lengths: tuple[int, ...], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random((length, 6)) < 0.3 for length in lengths]


SPLITS = Splits(pieces((9, 3, 12, 5, 1)), pieces((7, 2), 1), pieces((4,), 2))


def silent(line: str) -> None:
    pass


def run(folder: Path, *, resume: bool = False, log: Callable[[str], None] = silent) -> Path:
    output = folder / "weights.safetensors"
    train(CONFIG, SPLITS, folder, output=output, command="none", resume=resume, log=log)
    return output


def test_an_interrupted_run_resumed_is_the_whole_run(tmp_path: Path) -> None:
    def stop_at_5(line: str) -> None:
        if line.startswith("step 4 "):
            raise KeyboardInterrupt

    whole = load_file(run(tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", log=stop_at_5)
    lines: list[str] = []
    parts = load_file(run(tmp_path / "parts", resume=True, log=lines.append))
    assert lines[0] == "resumed at step 4"
    assert lines[1].startswith("step 6 ")
    for name, values in whole.items():
        assert torch.equal(values, parts[name]), name
    # Not only the best weights: everything that the two runs would go on from.
    ends = [load_file(tmp_path / part / "checkpoint.safetensors") for part in ("whole", "parts")]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_training_learns_and_its_weights_load(tmp_path: Path) -> None:
    # A roll that repeats one pattern: a prior that learns it nears 0 nats; a coin has -6 ln 2 = -4.2.
    pattern = np.tile(np.eye(6, dtype=bool), (10, 1))
    loop = replace(CONFIG.loop, steps=150, chunk=20, validate_every=50, ema=0.0, learning_rate=3e-2)
    config = replace(
        CONFIG, loop=loop, data=DataConfig(set="jsb"), options={"visible": 6, "units": 16, "hidden": 8}
    )
    splits = Splits([pattern, pattern[3:]], [pattern], [])
    train(
        config, splits, tmp_path, output=tmp_path / "w.safetensors", command="none", resume=False, log=silent
    )
    card = load_prior(tmp_path / "w.safetensors").card
    assert card.scores["valid_nats_per_step"] > -0.5
    assert card.clock == {"kind": "beats", "divisions": 1}


def test_a_run_can_go_on_from_its_very_start(tmp_path: Path) -> None:
    class Ended(Run):
        def update(self) -> tuple[float, int]:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("symbolic.training.loop.Run", Ended)
        run(tmp_path / "parts")
    whole, parts = run(tmp_path / "whole"), run(tmp_path / "parts", resume=True)
    assert whole.read_bytes() == parts.read_bytes()


def test_resuming_under_another_config_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    other = replace(CONFIG, seed=1)
    with pytest.raises(NotebeamError, match=r"checkpoint\.safetensors: seed: got 1, expected 0, with which"):
        train(other, SPLITS, tmp_path, output=tmp_path / "w.safetensors", command="", resume=True, log=silent)
    other = replace(CONFIG, model="gru-nade")
    with pytest.raises(
        NotebeamError, match=r"model: got 'gru-nade', expected 'lstm-nade', with which the run"
    ):
        train(other, SPLITS, tmp_path, output=tmp_path / "w.safetensors", command="", resume=True, log=silent)


def test_a_run_goes_on_from_a_checkpoint_between_validations(tmp_path: Path) -> None:
    loop = replace(CONFIG.loop, steps=7, validate_every=4, checkpoint_minutes=0.0)  # after each update
    config = replace(CONFIG, loop=loop)
    results: dict[str, dict[str, torch.Tensor]] = {}
    lines: list[str] = []
    for name, stop in (("whole", 99), ("parts", 3)):

        class Counted(Run):
            def update(self) -> tuple[float, int]:
                if self.progress.step == stop:  # noqa: B023, used within the loop's turn
                    raise KeyboardInterrupt
                return super().update()

        def go(kind: type[Run], *, resume: bool, folder: Path = tmp_path / name) -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("symbolic.training.loop.Run", kind)
                output = folder / "w.safetensors"
                train(config, SPLITS, folder, output=output, command="", resume=resume, log=lines.append)

        if name == "whole":
            go(Run, resume=False)
        else:
            with pytest.raises(KeyboardInterrupt):
                go(Counted, resume=False)
            lines.clear()
            go(Run, resume=True)
            assert [line.split("  ")[0] for line in lines[:3]] == [
                "resumed at step 3",
                "step 4",
                "step 7",
            ]
        results[name] = load_file(tmp_path / name / "checkpoint.safetensors")
    assert results["whole"].keys() == results["parts"].keys()
    for key, values in results["whole"].items():
        assert torch.equal(values, results["parts"][key]), key


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "sgd", "schedule": "constant"},
        {"optimizer": "sgd", "momentum": 0.0, "ema": 0.0, "schedule": "exponential", "decay_every": 2},
        {"optimizer": "hessian-free", "iterations": 4, "curvature_rows": 2},
    ],
)
def test_every_optimiser_resumes_bit_for_bit(tmp_path: Path, changes: dict[str, object]) -> None:
    config = replace(CONFIG, loop=replace(CONFIG.loop, **changes))  # type: ignore[arg-type]
    assert_resumes(config, tmp_path)


def test_a_prior_without_log_z_is_validated_by_sampling_and_resumes_bit_for_bit(tmp_path: Path) -> None:
    loop = replace(CONFIG.loop, steps=6, ais_temperatures=5, ais_runs=2, ais_steps=4)
    options = {"visible": 6, "units": 3, "hidden": 3, "gibbs": 2}
    assert_resumes(replace(CONFIG, model="rnn-rbm", options=options, loop=loop), tmp_path)
    scores = load_prior(tmp_path / "whole" / "w.safetensors").card.scores
    assert -20 < scores["valid_nats_per_step"] < 0 and -20 < scores["test_nats_per_step"] < 0


def test_real_steps_without_log_z_are_validated_by_the_error_of_their_prediction(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    real = [rng.normal(size=(length, 6)).astype(np.float32) for length in (9, 4, 6)]
    splits = Splits(real[:2], real[2:], [])
    options = {"visible": 6, "units": 3, "hidden": 3}
    config = replace(
        CONFIG,
        model="rnn-gaussian-rbm",
        options=options,
        data=DataConfig(set="motion"),
        loop=LoopConfig(steps=2),
    )
    output = tmp_path / "w.safetensors"
    train(config, splits, tmp_path, output=output, command="", resume=False, log=silent)
    card = load_prior(output).card
    assert (card.plane, card.clock) == ("values", {"kind": "steps"})
    # Six numbers of variance one: their mean predicts them with an error of 6; a chain adds its own noise.
    assert -20 < card.scores["valid_minus_squared_error_per_step"] < -3


def assert_resumes(config: TrainingConfig, folder: Path) -> None:
    """A run stopped after its checkpoint at step 4 ends like one that was not."""

    def stop_at_4(line: str) -> None:
        if line.startswith("step 4 "):
            raise KeyboardInterrupt

    def go(part: str, *, resume: bool, log: Callable[[str], None]) -> None:
        output = folder / part / "w.safetensors"
        train(config, SPLITS, folder / part, output=output, command="", resume=resume, log=log)

    go("whole", resume=False, log=silent)
    with pytest.raises(KeyboardInterrupt):
        go("parts", resume=False, log=stop_at_4)
    go("parts", resume=True, log=silent)
    whole, parts = (load_file(folder / part / "checkpoint.safetensors") for part in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    for name, values in whole.items():
        assert torch.equal(values, parts[name]), name


def test_a_checkpoint_older_than_an_option_goes_on(tmp_path: Path) -> None:
    """An option that the checkpoint's writer did not know had its default."""
    run(tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    config = json.loads(metadata["config"])
    del config["config"]["loop"]["momentum"], config["config"]["init"]
    save_file(load_file(path), path, metadata=metadata | {"config": json.dumps(config)})
    run(tmp_path, resume=True)
    config["config"]["loop"]["learning_rate"] = 1.0
    save_file(load_file(path), path, metadata=metadata | {"config": json.dumps(config)})
    with pytest.raises(
        NotebeamError, match=r"checkpoint\.safetensors: loop\.learning_rate: got 0\.01, expected 1\.0, w"
    ):
        run(tmp_path, resume=True)


@pytest.mark.parametrize("part", ["train", "valid"])
def test_a_run_does_not_go_on_with_other_pieces(tmp_path: Path, part: str) -> None:
    """As many, and as long; a checkpoint of before the pieces were written down goes on."""
    run(tmp_path)
    path, output = tmp_path / "checkpoint.safetensors", tmp_path / "w.safetensors"
    old, *others = getattr(SPLITS, part)
    other = replace(SPLITS, **{part: [~old, *others]})
    wrong = r"checkpoint\.safetensors: contents of the pieces: got 'sha256 \w{64}', expected 'sha256 "
    with pytest.raises(NotebeamError, match=wrong):
        train(CONFIG, other, tmp_path, output=output, command="", resume=True, log=silent)
    tensors, metadata = read_tensors(path, "a checkpoint")
    config = json.loads(metadata["config"])
    del config["contents of the pieces"]
    write_tensors(path, tensors, metadata | {"config": json.dumps(config)})
    train(CONFIG, other, tmp_path, output=output, command="", resume=True, log=silent)


def test_the_same_music_has_the_same_digest_whatever_it_was_read_from() -> None:
    played = [Notes.make([0.0, onset], [1.0, 2.0], [60, 64], [80, 80]) for onset in (0.5, 0.5, 0.6)]
    digests = [Splits([piece], SPLITS.valid, []).digest for piece in played]
    assert digests[0] == digests[1] != digests[2]


def test_a_run_begins_with_the_weights_of_init(tmp_path: Path) -> None:
    weights = run(tmp_path)
    config = replace(CONFIG, init=str(weights))
    begun = Run(config, SPLITS).averaged.state_dict()
    for name, values in load_file(weights).items():
        assert torch.equal(begun[name], values)
    with pytest.raises(
        NotebeamError, match=r"init .*: got 'a lstm-nade', expected a gru-nade, as is trained"
    ):
        Run(replace(config, model="gru-nade"), SPLITS)
    with pytest.raises(NotebeamError, match=r"init .*: got 'units 5', expected units 7"):
        Run(replace(config, options=dict(CONFIG.options) | {"units": 7}), SPLITS)


def test_data_of_another_width_is_refused() -> None:
    options = dict(CONFIG.options) | {"visible": 12}
    with pytest.raises(NotebeamError, match=r"options\.visible: got 12, expected 6, the numbers of a step"):
        Run(replace(CONFIG, options=options), SPLITS)


def test_a_run_that_never_scores_a_number_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("symbolic.training.run.score", lambda *given: float("nan"))
    with pytest.raises(NotebeamError, match=r"validation: got 'no score that is a number', expected"):
        run(tmp_path)


def test_weights_that_cannot_be_written_are_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(NotebeamError, match=r"--output: got '.*/w\.pt', expected a path that ends in"):
        train(CONFIG, SPLITS, tmp_path, output=tmp_path / "w.pt", command="", resume=False, log=silent)
    assert not list(tmp_path.iterdir())
    (tmp_path / "w.json").mkdir()  # where the card would lie
    (tmp_path / "file").touch()
    for name, got in (
        ("w", r"w\.json: got 'a folder'"),
        ("file/w", r"file/w\.safetensors: got '.*, no fold"),
    ):
        output = tmp_path / f"{name}.safetensors"
        with pytest.raises(NotebeamError, match=rf"--output .*{got}"):
            train(CONFIG, SPLITS, tmp_path / "run", output=output, command="", resume=False, log=silent)
    assert not (tmp_path / "run").exists()


def test_resuming_without_a_checkpoint_or_with_a_text_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotebeamError, match="got 'no such file', expected the checkpoint of a run"):
        run(tmp_path, resume=True)
    (tmp_path / "checkpoint.safetensors").write_text("not a checkpoint")
    with pytest.raises(NotebeamError, match="cannot be read .* expected the checkpoint of a run"):
        run(tmp_path, resume=True)


@pytest.mark.parametrize(
    ("tensor", "change", "message"),
    [
        (
            "prior/estimator.weight",
            lambda values: values * torch.nan,
            "weights of .*: got .not finite: prior",
        ),
        (
            "prior/estimator.weight",
            lambda values: values[1:],
            r"weight: got \(5, 4\), expected shape \(6, 4\)",
        ),
        ("best/estimator.weight", lambda values: None, r"best/estimator.weight: got 'no such tensor'"),
        ("state/hidden", lambda values: values[:, :1], r"state/hidden: got .*, expected shape"),
        ("stream/place", lambda values: None, r"stream/place: got 'no such tensor'"),
        ("optimizer/0/exp_avg", lambda values: values[1:], r"optimizer/0/exp_avg: got .*, expected shape"),
    ],
)
def test_a_damaged_checkpoint_is_one_line(
    tmp_path: Path, tensor: str, change: Callable[[torch.Tensor], torch.Tensor | None], message: str
) -> None:
    run(tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    tensors, metadata = read_tensors(path, "a checkpoint")
    changed = change(tensors.pop(tensor))
    if changed is not None:
        tensors[tensor] = changed
    write_tensors(path, tensors, metadata)
    with pytest.raises(NotebeamError, match=message):
        run(tmp_path, resume=True)


@pytest.mark.parametrize("name", ["config", "progress", "groups"])
def test_a_checkpoint_without_its_numbers_is_one_line(tmp_path: Path, name: str) -> None:
    run(tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    tensors, metadata = read_tensors(path, "a checkpoint")
    write_tensors(path, tensors, metadata | {name: "{"})
    with pytest.raises(NotebeamError, match=rf"checkpoint\.safetensors: {name}: got .no JSON"):
        run(tmp_path, resume=True)
    del metadata[name]
    write_tensors(path, tensors, metadata)
    with pytest.raises(NotebeamError, match=f"got 'no {name} in it'"):
        run(tmp_path, resume=True)


def test_the_stream_gives_every_step_of_an_epoch_once_and_in_order() -> None:
    lengths = (9, 3, 12, 5, 1)
    stream = ChunkStream(pieces(lengths), lambda piece, rng: piece, batch=2, chunk=4, seed=0)  # type: ignore[arg-type,return-value]
    rows: list[list[list[np.ndarray]]] = [[], []]  # row -> pieces -> chunks
    for _ in range(40):
        chunk = stream.next()
        for row in range(2):
            if chunk.begins[row]:
                rows[row].append([])
            rows[row][-1].append(chunk.rolls[row][chunk.mask[row]].numpy() > 0)
    whole = [np.concatenate(parts).tobytes() for row in rows for parts in row[:-1]]
    known = [piece.tobytes() for piece in pieces(lengths)]
    assert set(whole) == set(known)
    # Forty chunks are several epochs: each piece comes as often as any other, but for the ends.
    counts = [whole.count(name) for name in known]
    assert max(counts) - min(counts) <= 2


def test_rows_that_end_together_take_the_next_pieces_of_the_epoch() -> None:
    short = pieces((2, 3, 4, 1, 4, 2))
    stream = ChunkStream(short, lambda piece, rng: piece, batch=2, chunk=4, seed=0)  # type: ignore[arg-type,return-value]
    known = sorted(piece.tobytes() for piece in short)
    for _ in range(3):  # epochs of three chunks
        chunks = [stream.next() for _ in range(3)]
        given = [c.rolls[row][c.mask[row]].numpy() > 0 for c in chunks for row in range(2)]
        assert sorted(piece.tobytes() for piece in given) == known


def test_a_row_that_begins_a_piece_forgets_the_last_one() -> None:
    options = {"visible": 6, "units": 5, "hidden": 4}
    run = Run(replace(CONFIG, data=DataConfig(set="jsb"), options=options), SPLITS)
    fresh = {name: values.clone() for name, values in run.state.items()}
    with torch.no_grad():
        for parameter in run.prior.parameters():  # large enough for the past to matter
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    chunk = ChunkStream(SPLITS.train, lambda piece, rng: piece, batch=3, chunk=4, seed=0).next()  # type: ignore[arg-type,return-value]
    expected = run.prior.chunk_log_prob(fresh, chunk.rolls, chunk.mask)[0].sum() / chunk.mask.sum()
    run.state = {name: values + 1 for name, values in run.state.items()}
    assert run.update()[0] == pytest.approx(expected.item(), rel=1e-5)


def test_the_stream_goes_on_from_its_place() -> None:
    def stream() -> ChunkStream:
        return ChunkStream(
            SPLITS.train, lambda p, rng: augmented_roll(p, CONFIG.data, rng), batch=2, chunk=4, seed=3
        )

    one, other = stream(), stream()
    for _ in range(7):
        one.next()
    other.place = one.place.clone()
    for _ in range(5):
        expected, got = one.next(), other.next()
        assert torch.equal(expected.rolls, got.rolls)
        assert torch.equal(expected.mask, got.mask)
        assert torch.equal(expected.begins, got.begins)


def test_transposition_keeps_every_note_on_the_keyboard() -> None:
    config = DataConfig(performances=("asap",), plane="struck", transpose=6, stretch=1.25)
    notes = Notes.make([1.0, 2.0, 2.0], [1.5, 3.0, 3.0], [23, 60, 107], [64, 64, 64])
    shifts, lengths = set(), set()
    for seed in range(200):
        roll = augmented_roll(notes, config, np.random.default_rng(seed))
        assert roll.sum() == 3
        lengths.add(len(roll))
        shifts.add(int(np.flatnonzero(roll.any(0))[0]) - 2)
    assert shifts == {-2, -1, 0, 1}  # 23 may fall to 21, 107 rise to 108
    # 2 s of music at 0.8 to 1.25 times its length, after up to 1 s: 40 to 87.5 steps of 40 ms, and the end.
    assert 41 <= min(lengths) < 50
    assert 75 < max(lengths) <= 90


def test_a_roll_of_frames_strikes_each_key_at_its_nearest_step() -> None:
    config = DataConfig(performances=("asap",), plane="struck", hop=0.5)
    notes = Notes.make([1.0, 1.7, 2.8], [2.2, 2.0, 3.0], [21, 22, 21], [64, 64, 64])
    roll = frames_roll(notes, config)
    # From 1.0 s on: 0.7 s is nearest to step 1, 1.8 s to step 4.
    assert np.argwhere(roll).tolist() == [[0, 0], [1, 1], [4, 0]]
    active = frames_roll(notes, replace(config, plane="active"))
    assert np.argwhere(active[:, 1]).ravel().tolist() == [1]
    assert (roll & ~active).sum() == 0


def test_the_rate_rises_and_falls() -> None:
    loop = LoopConfig(steps=100, learning_rate=1.0, warmup=10)
    assert learning_rate_at(loop, 0.0, 0) == pytest.approx(0.1)
    assert learning_rate_at(loop, 0.5, 50) == pytest.approx(0.01 + 0.99 / 2)
    assert learning_rate_at(loop, 1.0, 100) == pytest.approx(0.01)
    step = replace(loop, schedule="step")
    assert [learning_rate_at(step, done, 50) for done in (0.5, 0.7, 0.9)] == [1.0, 0.1, 0.01]
    exponential = replace(loop, schedule="exponential", decay=0.5, decay_every=20)
    assert [learning_rate_at(exponential, 0.5, update) for update in (20, 40, 60)] == [0.5, 0.25, 0.125]
    assert learning_rate_at(replace(loop, schedule="constant"), 1.0, 100) == 1.0


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_are_read(path: Path) -> None:
    config = read_config(path)
    assert path.stem == f"{config.model}-{config.name}"


GOOD = 'name = "a"\nmodel = "lstm-nade"\nlicence = "MIT"\n[data]\nset = "jsb"\n[loop]\nsteps = 1\n'


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("steps = 1", "steps = 1\nspeed = 2", r"loop\.speed: got 2, expected one of the keys steps"),
        ('name = "a"', 'name = "a"\ncolour = 1', r"colour: got 1, expected one of the keys name"),
        ("steps = 1", 'steps = "1"', r"loop\.steps: got '1', expected an integer"),
        ("steps = 1", "steps = true", r"loop\.steps: got True, expected an integer"),
        ("steps = 1", "batch = 1", r"loop\.batch: got 1, expected one of the keys steps"),
        ("steps = 1", "batch_size = 1000000000000", r"loop\.batch_size: got 1000000000000, expected 100000"),
        ("steps = 1", "learning_rate = 1e308", r"loop\.learning_rate: got 1e\+308, expected 1000"),
        ("steps = 1", "learning_rate = nan", r"loop\.learning_rate: got nan, expected"),
        (
            "steps = 1",
            'steps = 1\noptimizer = "hessian-free"\nweight_decay = 0.1',
            r"loop\.weight_decay: got 0\.1, expected 0 where",
        ),
        (
            "steps = 1",
            "steps = 1\nlearning_rate = 0",
            r"learning_rate: got 0\.0, expected a number > 0",
        ),
        (
            "steps = 1",
            'steps = 1\nschedule = "up"',
            r"loop\.schedule: got 'up', expected one of cosine, step",
        ),
        ('model = "lstm-nade"\n', "", r"model: got 'nothing', expected a value"),
        (
            "[loop]",
            'module = "no_such_module"\n[loop]',
            r"data\.module: got 'no_such_module', expected one of",
        ),
        (
            'name = "a"',
            'module = "no_such_module"',
            r"module: got 'no_such_module', expected a Python module",
        ),
        ('set = "jsb"', 'set = "bach"', r"data\.set: got 'bach', expected one of piano_midi"),
        ('set = "jsb"', 'performances = ["maps"]', r"data\.performances: got 'maps'"),
        ('set = "jsb"', "", "expected either a set or performances or a folder"),
        ('set = "jsb"', 'set = "jsb"\nplane = "struck"', r"data\.set: got 'jsb'"),
        ("[data]", "[data", "expected a TOML file"),
    ],
)
def test_a_bad_config_is_one_line_that_names_the_key(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(GOOD)
    read_config(path)
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(
        NotebeamError, match=r"bad\.toml: .*" + expected if "TOML" not in expected else expected
    ):
        read_config(path)


def test_the_command_prints_one_line_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.toml")]) == 1
    assert capsys.readouterr().err.endswith("none.toml: got 'no such file', expected a TOML file\n")


def test_missing_data_and_unknown_models_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOTEBEAM_DATA", str(tmp_path))
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    assert main([str(path), "--run", str(tmp_path)]) == 1
    assert "jsb.json.gz: got 'no such file'" in capsys.readouterr().err
    monkeypatch.delenv("NOTEBEAM_DATA")
    if (root() / "symbolic").is_dir():
        path.write_text(GOOD.replace("lstm-nade", "rnn-rbn"))
        assert main([str(path), "--run", str(tmp_path)]) == 1
        assert "got 'rnn-rbn', expected one of rnn-bernoulli" in capsys.readouterr().err


@pytest.mark.skipif(not (root() / "symbolic").is_dir(), reason="needs the classic sets (NOTEBEAM_DATA)")
def test_a_classic_set_keeps_its_splits() -> None:
    splits = read_splits(DataConfig(set="jsb"))
    assert [len(part) for part in (splits.train, splits.valid, splits.test)] == [229, 76, 77]
    assert sum(map(len, splits.test)) == 4725


def test_minutes_of_work_leave_out_what_other_programs_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Run.update

    def waiting(self: Run) -> tuple[float, int]:
        time.sleep(0.5)  # as long as another program had the processor
        return update(self)

    monkeypatch.setattr(Run, "update", waiting)
    began, lines = time.monotonic(), list[str]()
    train(
        replace(CONFIG, loop=replace(CONFIG.loop, steps=2)),
        SPLITS,
        tmp_path,
        output=tmp_path / "w.safetensors",
        command="",
        resume=False,
        log=lines.append,
    )
    waited = time.monotonic() - began
    row = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert waited > 1 and 60 * row["minutes"] < waited - 0.9
