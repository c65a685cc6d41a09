"""TensorSteps of fixed shapes, replayed: the same rolls and costs as those of the shapes at hand.

A recording is traced here with tensors that have shapes and no numbers. So it does what a CUDA graph does:
the operations of one call again, on other numbers; and what asks for a number fails.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from oracles_decoding import PRUNED, TablePrior, evidence, loud_prior, random_table, sparse_clips
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from symbolic.decoding import cuda_graphs, search
from symbolic.decoding.cuda_graphs import Capture, ReplayedStep, TensorStep, replay_on
from symbolic.decoding.decode import decode_evidence
from symbolic.decoding.evidence import Evidence
from symbolic.decoding.options import Beam
from symbolic.decoding.schedule import rounded_up
from symbolic.errors import NotebeamError
from symbolic.estimators import nade
from symbolic.estimators.nade import nade_prefix_log_prob
from symbolic.estimators.prefixes import prefix_trees
from symbolic.priors.base import Prior
from symbolic.priors.methods import HYPOTHESES
from symbolic.priors.registry import PRIORS, build_prior
from symbolic.state import State

SMALL = {"visible": 6, "units": 8, "hidden": 5}
ESTIMATORS, CELLS = ("bernoulli", "nade", "rbm"), ("rnn", "gru", "lstm")
EXTRA = {
    "rtrbm": {"hidden": 5},
    "lstm-rtrbm": {"units": 8, "hidden": 5},
    "attentive": {"units": 8, "attention": 3},
}
RECORDABLE = [
    *(f"{cell}-{name}" for cell in CELLS for name in ESTIMATORS),
    "rtrbm",
    "lstm-rtrbm",
    "event-rnn-nade",
]


def traced(step: TensorStep, tensors: list[Tensor]) -> TensorStep:
    graph = make_fx(lambda given: step(given), tracing_mode="fake", _allow_non_fake_inputs=True)(tensors)  # type: ignore[no-untyped-call]
    return graph  # type: ignore[no-any-return]


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[torch.Size, ...]]]:
    """Shapes of the steps that were recorded since."""
    found: list[tuple[torch.Size, ...]] = []

    def record(step: TensorStep, tensors: list[Tensor]) -> TensorStep:
        found.append(tuple(values.shape for values in tensors))
        return traced(step, tensors)

    monkeypatch.setattr(search, "capture_on", lambda device: record)
    monkeypatch.setattr(cuda_graphs, "WARM_UP", 1)
    yield found


def untidy(model: str) -> Prior:
    """Random, with weights large enough for past and lower keys to matter."""
    torch.manual_seed(0)
    name, _, more = model.partition(", ")
    prior = build_prior(name, {"visible": 6} | EXTRA.get(more or name, {"units": 8, "layers": 2}))
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return prior.eval()


def exact_options(prior: Prior) -> Beam:
    """Options under which a prior is called as it is: of RBM types a wider search estimates log Z."""
    width = PRUNED.width if prior.is_normalized else 1
    return replace(PRUNED, width=width, hash_steps=0, prior_weight=0.3)


def counting(captured: list[int]) -> Callable[[torch.device], Capture | None]:
    """`capture_on`, counting the tensors that go into each graph."""

    def capture_on(device: torch.device) -> Capture | None:
        record = cuda_graphs.capture_on(device)

        def counted(step: TensorStep, tensors: list[Tensor]) -> TensorStep:
            assert record is not None
            captured.append(len(tensors))
            return record(step, tensors)

        return record and counted

    return capture_on


def assert_same(clips: list[Evidence], prior: Prior | None, options: Beam) -> None:
    """With graphs what there is without."""
    plain = decode_evidence(clips, prior, replace(options, cuda_graphs=False))
    for one, other in zip(plain, decode_evidence(clips, prior, options), strict=True):
        np.testing.assert_array_equal(one.rolls, other.rolls)
        np.testing.assert_allclose(one.costs, other.costs, atol=1e-4)
        np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-4)
        if one.prior_log_prob is not None:
            np.testing.assert_allclose(one.prior_log_prob, other.prior_log_prob, atol=1e-4)  # type: ignore[arg-type]


@pytest.mark.parametrize("hash_steps", [0, 1, 3])
@pytest.mark.parametrize("look_back", [0, 40])
def test_replayed_steps_find_what_the_others_do(
    hash_steps: int, look_back: int, graphs: list[tuple[torch.Size, ...]]
) -> None:
    # Clips of which some are over long before others, at doubts of every size.
    clips = [
        sparse_clips(40 + n, (length,), keys=6, doubt=doubt)[0]
        for n, (length, doubt) in enumerate(((50, 0.2), (80, 1.0), (1, 1.0), (33, 0.4), (80, 0.05)) * 3)
    ]
    assert_same(clips, loud_prior(6), replace(PRUNED, hash_steps=hash_steps, look_back=look_back))
    assert len(graphs) == len(set(graphs)) > 2


def test_clips_that_are_over_stay_as_they_are(graphs: list[tuple[torch.Size, ...]]) -> None:
    # As many steps each, of which ever fewer are searched; and all would have a choice at the last.
    clips = [sparse_clips(50 + n, (40,), keys=6, doubt=0.08 * n)[0] for n in range(13)]
    for clip in clips:
        clip.prob[-1, :3] = 0.6, 0.5, 0.4
    assert_same(clips, loud_prior(6), replace(PRUNED, hash_steps=0, candidates=12))
    # Few shapes: of 13 clips that are over one by one, of lists, of trees.
    alive, rows, sets = ({shapes[place] for shapes in graphs} for place in (10, 11, 12))
    assert all(clips in (13, rounded_up(clips)) for (clips,) in alive) and 9 < rounded_up(9) < 13
    assert all(count == rounded_up(count) for _, count, _ in rows)
    assert all(nodes == rounded_up(nodes) for nodes, _ in sets) and max(nodes for nodes, _ in sets) > 16


def test_replayed_steps_find_what_the_others_do_without_a_prior(
    graphs: list[tuple[torch.Size, ...]],
) -> None:
    assert_same(sparse_clips(41, (60, 44), keys=6, doubt=1.0), None, replace(PRUNED, prior_weight=0.0))
    assert graphs


@pytest.mark.parametrize("model", [*RECORDABLE, "lstm-nade, attentive"])
def test_priors_that_say_so_read_nothing_back(model: str, graphs: list[tuple[torch.Size, ...]]) -> None:
    prior = untidy(model)
    assert_same(sparse_clips(42, (30, 21), keys=6, doubt=0.6), prior, exact_options(prior))
    assert graphs


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("captures", [True, False])
@pytest.mark.parametrize("look_back", [0, 40])
@pytest.mark.parametrize("model", RECORDABLE)
def test_a_gpu_decodes_as_the_processor_does(
    model: str, look_back: int, captures: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_graphs, "WARM_UP", 1)
    captured: list[int] = []
    monkeypatch.setattr(search, "capture_on", counting(captured))
    clips, prior = sparse_clips(45, (90, 80, 31, 1), keys=6, doubt=0.4), untidy(model)
    options = replace(exact_options(prior), look_back=look_back, cuda_graphs=captures)
    near = decode_evidence(clips, prior, options)
    assert not captured
    for one, other in zip(near, decode_evidence(clips, prior.to("cuda"), options), strict=True):
        np.testing.assert_array_equal(one.roll, other.roll)
        np.testing.assert_allclose(one.costs, other.costs, atol=1e-4)
        np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-4)
    assert bool(captured) == captures


def test_models_whose_steps_are_recorded() -> None:
    assert {model for model in PRIORS if build_prior(model).is_recordable} == set(RECORDABLE)


def test_a_prior_that_reads_back_what_it_says_it_does_not_cannot_be_recorded(
    graphs: list[tuple[torch.Size, ...]],
) -> None:
    class Nosy(TablePrior):
        is_recordable = True

        def advance(self, state: State, step: Tensor) -> State:
            return super().advance(state, step) if step.any() else state

    with pytest.raises(Exception, match="data-dependent|Data-dependent|bool"):
        decode_evidence(sparse_clips(43, (60,), keys=3, doubt=1.0), Nosy(random_table(3, 5)), PRUNED)
    assert graphs


def test_nan_is_told_after_a_replay(graphs: list[tuple[torch.Size, ...]]) -> None:
    prior = build_prior("lstm-nade", SMALL).eval()
    with torch.no_grad():
        prior.estimator.weight[3] = torch.nan  # type: ignore[union-attr, index]
    with pytest.raises(NotebeamError, match=r"decode\(prior\): got nan"):
        decode_evidence(sparse_clips(44, (60,), keys=6, doubt=1.0), prior, PRUNED)
    assert graphs


def test_searches_run_in_full_precision_and_leave_the_setting_as_it_was() -> None:
    class Watcher(TablePrior):
        def advance(self, state: State, step: Tensor) -> State:
            if len(step) > HYPOTHESES:  # of the search, not of the trial before it
                seen.add(layers.fp32_precision)
            return super().advance(state, step)

    layers: Any = torch.backends.cudnn.rnn
    usual = layers.fp32_precision
    for before in ("ieee", "tf32", usual):
        layers.fp32_precision = before
        seen = set[str]()
        decode_evidence(sparse_clips(46, (9,), keys=3), Watcher(random_table(3, 5)), PRUNED)
        assert layers.fp32_precision == before and seen == {"ieee"}


def test_a_search_in_which_the_prior_adds_notes_is_not_recorded(
    graphs: list[tuple[torch.Size, ...]],
) -> None:
    options, clips = replace(PRUNED, prior_notes=2), sparse_clips(47, (60,), keys=6, doubt=1.0)
    assert_same(clips, loud_prior(6), options)
    assert not graphs


def test_what_a_prior_says_after_a_clips_end_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "capture_on", lambda device: lambda step, tensors: step)

    class Fixed(TablePrior):
        is_recordable = True

    # One clip of ten ends after the rows 1 and 2, after which the table has nothing but nan.
    prob = np.full((2, 3), 0.001)
    prob[0, 0], prob[1, 1] = 0.999, 0.999
    table = random_table(3, 48)
    table[1, 2] = np.nan
    others = np.full((40, 3), 0.5) * [0.0, 0.0, 1.0]
    clips = [*(evidence(others) for _ in range(9)), evidence(prob)]
    decode_evidence(clips, Fixed(table), replace(PRUNED, hash_steps=1, floor=0.0))


def test_steps_are_recorded_when_their_shapes_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "WARM_UP", 2)
    monkeypatch.setattr(cuda_graphs, "MAX_GRAPHS", 2)
    calls: list[str] = []

    def step(tensors: list[Tensor]) -> list[Tensor]:
        calls.append("step")
        return [tensors[0] * 2]

    def record(step: TensorStep, tensors: list[Tensor]) -> TensorStep:
        calls.append("capture")
        return lambda tensors: calls.append("replay") or [tensors[0] * 2]  # type: ignore[func-returns-value]

    recorded = ReplayedStep(step, record)
    for size in (3, 3, 4, 3, 3, 4, 4, 5, 5, 5):
        assert recorded([torch.ones(size)])[0].tolist() == [2.0] * size
    assert calls == ["step"] * 3 + ["capture", "replay", "replay", "step", "capture", "replay"] + ["step"] * 3


def test_a_recording_takes_numbers_in_and_hands_copies_out() -> None:
    given, found = [torch.zeros(2), torch.zeros(3)], [torch.zeros(2)]

    def again() -> None:
        found[0].copy_(given[0] * 2 + given[1].sum())

    replay = replay_on(given, found, again)
    first = replay([torch.ones(2), torch.ones(3)])
    second = replay([torch.zeros(2), torch.ones(3)])
    assert first[0].tolist() == [5.0, 5.0] and second[0].tolist() == [3.0, 3.0]


def test_padded_trees_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    g = torch.Generator().manual_seed(3)
    rows = (torch.rand(1, 3, 8, 20, generator=g) < 0.2).float()
    tree = prefix_trees(rows)[0]
    biases = torch.randn(3, 4, 20, generator=g), torch.randn(3, 4, 7, generator=g)
    weights = torch.randn(20, 7, generator=g), torch.randn(20, 7, generator=g)
    expected = nade_prefix_log_prob(tree, *biases, *weights)
    nodes, ranks = tree.sizes
    for more, wider in ((0, 0), (5, 0), (9, 3)):
        padded = tree.padded(nodes + more, ranks + wider)
        torch.testing.assert_close(nade_prefix_log_prob(padded, *biases, *weights), expected)
        monkeypatch.setattr(nade, "MAX_BLOCK", 9 * 4 * 7)  # nine nodes at a time
        torch.testing.assert_close(nade_prefix_log_prob(padded, *biases, *weights), expected)


def test_rooms_are_few_and_near() -> None:
    rooms = [rounded_up(count) for count in range(1, 1025)]
    assert all(count <= found <= 1.25 * count for count, found in enumerate(rooms, 1))
    assert all(rounded_up(found) == found for found in rooms)
    assert len(set(rooms)) == 8 + 4 * 7
