"""Faults that a reviewer of the core types, options and priors met: a test for each."""

import mmap
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch

import notebeam as nb
from symbolic.decoding.search import single_precision
from symbolic.errors import NotebeamError
from symbolic.priors.ensemble import Ensemble
from symbolic.priors.piece_cache import PieceCache
from symbolic.state import State
from transcribe.presets import preset
from transcribe.threads import one_thread

PLANE = np.zeros((5, 88), dtype=np.float32)


def test_a_callers_private_map_keeps_its_data(tmp_path: Path) -> None:
    np.save(tmp_path / "plane.npy", PLANE)
    changed = np.load(tmp_path / "plane.npy", mmap_mode="c")
    alone = np.ndarray(PLANE.shape, np.float32, mmap.mmap(-1, PLANE.nbytes))
    for plane in (changed, alone):
        plane[:] = 0.5
        plane.flags.writeable = False
        made = nb.Posteriorgram(plane, hop=0.02)
        assert (made.frame == 0.5).all() and (plane == 0.5).all()


def test_times_before_0_are_refused_and_told() -> None:
    told = r"got -0\.5, expected seconds >= 0, as MIDI holds no others: shift the frames' times"
    with pytest.raises(NotebeamError, match=rf"^Posteriorgram\.start: {told}$"):
        nb.Posteriorgram(PLANE, hop=0.02, start=-0.5)
    times = np.array([-0.5, -0.48, -0.47, -0.44, -0.42])
    with pytest.raises(NotebeamError, match=rf"^Posteriorgram\.times frame 0: {told}$"):
        nb.Posteriorgram.at_times(PLANE, times=times)


@pytest.mark.parametrize(("name", "key"), [("first", "first"), ("times", "times frame 0")])
def test_a_file_whose_times_begin_before_0_is_refused(tmp_path: Path, name: str, key: str) -> None:
    when: dict[str, Any] = {"first": -0.5, "hop": 0.02, "times": -0.5 + 0.02 * np.arange(5)}
    when = {name: when[name], "hop": 0.02}
    np.savez(tmp_path / "p.npz", frame=PLANE, **when)
    with pytest.raises(NotebeamError, match=rf"p\.npz: {key}: got -0\.5, expected seconds >= 0"):
        nb.Posteriorgram.load(tmp_path / "p.npz")


def test_planes_of_other_widths_may_begin_at_a_pianos_lowest_key(tmp_path: Path) -> None:
    narrow = np.full((5, 72), 0.5, dtype=np.float32)
    np.savez(tmp_path / "p.npz", frame=narrow, times=0.02 * np.arange(5), lowest=21)
    for made in (
        nb.Posteriorgram(narrow, hop=0.02, lowest=21),
        nb.Posteriorgram.at_times(narrow, times=0.02 * np.arange(5), lowest=21),
        nb.Posteriorgram.load(tmp_path / "p.npz"),
    ):
        assert (made.frame[:, :72] == 0.5).all() and not made.frame[:, 72:].any()
    with pytest.raises(NotebeamError, match=r"frame: got 'float32 \(5, 72\)', expected .* with `lowest`"):
        nb.Posteriorgram(narrow, hop=0.02)


@pytest.mark.parametrize(
    ("plane", "message"),
    [
        (np.ma.masked_invalid(np.full((5, 88), np.nan)), "got 'a masked array', expected one without a mask"),
        (torch.zeros(5, 88, dtype=torch.complex64), "got 'torch.complex64, torch.strided', expected a dense"),
        (torch.zeros(5, 88).to_sparse(), "got 'torch.float32, torch.sparse_coo', expected a dense tensor"),
    ],
)
def test_planes_that_are_no_plain_numbers_are_refused(plane: Any, message: str) -> None:
    with pytest.raises(NotebeamError, match=rf"^Posteriorgram\.frame: {message}.*$"):
        nb.Posteriorgram(plane, hop=0.02)


@pytest.mark.parametrize("hop", [torch.tensor(0.25), np.array(0.25), Fraction(1, 4), np.float32(0.25)])
def test_a_posteriorgram_keeps_plain_numbers(tmp_path: Path, hop: Any) -> None:
    made = nb.Posteriorgram(PLANE, hop=hop, start=hop, duration=hop)
    assert [type(value) for value in (made.hop, made.start, made.duration)] == [float] * 3
    assert made.times[1] == 0.5
    made.save(tmp_path / "p.npz")
    assert nb.Posteriorgram.load(tmp_path / "p.npz").hop == 0.25


def precision() -> str:
    layers: Any = torch.backends.cudnn.rnn
    return str(layers.fp32_precision)


@pytest.mark.parametrize(
    ("block", "read", "inside"),
    [(one_thread, torch.get_num_threads, 1), (single_precision, precision, "ieee")],
)
def test_two_blocks_at_once_leave_a_setting_as_it_was(
    block: Callable[[], AbstractContextManager[None]], read: Callable[[], object], inside: object
) -> None:
    """The second begins in the first and ends after it, each in a new thread; a third begins after both."""
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    before = read()
    first_began, second_began, first_ended = (Event() for _ in range(3))

    def first() -> list[object]:
        with block():
            first_began.set()
            assert second_began.wait(10)
        first_ended.set()
        return [read()]

    def second() -> list[object]:
        assert first_began.wait(10)
        with block():
            second_began.set()
            assert first_ended.wait(10)
            within = read()
        return [within, read()]

    try:
        with ThreadPoolExecutor(2) as pool:
            ran = pool.submit(first), pool.submit(second)
            one, (within, two) = (made.result() for made in ran)
        with ThreadPoolExecutor(1) as pool:
            after = pool.submit(read).result()
    finally:
        torch.set_num_threads(threads)
    assert within == inside and two == after == before
    assert one == [before] or block is single_precision  # of the process: the second still runs


@pytest.mark.parametrize("number", [np.array(0.25), torch.tensor(0.25), Fraction(1, 4), np.float32(0.25)])
def test_options_keep_plain_numbers(number: Any) -> None:
    assert type(nb.Threshold(threshold=number).threshold) is float
    assert type(nb.Beam(floor=number).floor) is float
    hmm = nb.Hmm(off_after_off=(number, number), off_after_on=number)
    assert hmm.off_after_off == (0.25, 0.25) and type(hmm.off_after_on) is float
    assert nb.decode(nb.Posteriorgram(PLANE, hop=0.02), None, nb.Threshold(threshold=number)).roll.size
    assert type(nb.Beam(width=np.array(4)).width) is int


@pytest.mark.parametrize("number", [np.array(0.25), torch.tensor(0.25), Fraction(1, 4), np.float32(0.25)])
def test_clocks_keep_plain_numbers(number: Any) -> None:
    clock = nb.Clock.frames(np.array(3), hop=number, start=number)  # type: ignore[arg-type]
    assert clock.times.tolist() == [0.25, 0.5, 0.75] and type(clock.last) is float
    assert type(nb.Clock(clock.times, "frames", window=number, last=number).window) is float
    assert type(nb.Clock.onsets([0.0, 1.0], number).window) is float


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nb.Clock.onsets([0.0, np.nan, 0.5], 0.05), "Clock.onsets(onset_times): got [0.0, nan, 0.5]"),
        (
            lambda: nb.Clock.beats(np.arange(102), 10**6),
            "Clock.beats(divisions): got '1000000 for each of 102 beats', expected 100000000 steps at most",
        ),
        (lambda: nb.Stream(None, nb.Beam(look_back=2), start="a"), "Stream(start): got 'a'"),  # type: ignore[arg-type]
        (lambda: nb.Stream(None, nb.Beam(look_back=2), start=np.nan), "Stream(start): got nan"),
    ],
)
def test_a_clock_that_cannot_be_meant_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(NotebeamError, match=f"^{re.escape(message)}"):
        make()


def test_an_error_is_one_line_whatever_it_names() -> None:
    assert str(NotebeamError("a\nb.npz", np.eye(2), "c\r\nd")).splitlines() == [
        r"a\nb.npz: got array([[1., 0.],        [0., 1.]]), expected c\r\nd"
    ]


def test_a_prior_without_a_state_is_refused() -> None:
    class Forgetful(nb.Prior):
        visible = 88

        def initial_state(self, n: int) -> State:
            return {}

        def advance(self, state: State, step: torch.Tensor) -> State:
            return {}

        def log_prob(self, state: State, candidates: torch.Tensor) -> torch.Tensor:
            return torch.zeros(candidates.shape[:2])

        def sample(self, state: State, generator: torch.Generator, temperature: float = 1.0) -> torch.Tensor:
            return torch.zeros(1, 88)

    empty = r"\(prior\): got 'a prior with an empty state', expected one tensor in it at least$"
    with pytest.raises(NotebeamError, match=rf"^decode{empty}"):
        nb.decode(nb.Posteriorgram(PLANE, hop=0.02), Forgetful(), nb.Greedy())
    with pytest.raises(NotebeamError, match=rf"^decode{empty}"):
        nb.Stream(Forgetful(), nb.Beam(look_back=2))
    with pytest.raises(NotebeamError, match=rf"^PieceCache{empty}"):
        PieceCache(Forgetful())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda prior: PieceCache(PieceCache(prior)),
            "PieceCache(prior): got 'a PieceCache', expected a prior",
        ),
        (lambda _: PieceCache("lstm-nade/jsb"), "PieceCache(prior): got 'lstm-nade/jsb'"),  # type: ignore[arg-type]
        (lambda prior: PieceCache(prior, memory=2.5), "PieceCache(memory): got 2.5"),
        (lambda prior: PieceCache(prior, memory=1), "PieceCache(memory): got 1"),
        (lambda prior: PieceCache(prior, offset=np.nan), "PieceCache(offset): got nan"),
        (lambda prior: PieceCache(prior, slope="1"), "PieceCache(slope): got '1'"),
        (lambda prior: Ensemble(prior), "Ensemble(priors): got 'RnnPrior', expected a list of priors"),
        (lambda prior: Ensemble([prior, "a"]), "Ensemble(priors): got 'a', expected a list of priors"),
        (lambda _: Ensemble("ab"), "Ensemble(priors): got 'a', expected a list of priors"),  # type: ignore[arg-type]
    ],
)
def test_caches_and_ensembles_refuse_what_is_none_in_one_line(
    make: Callable[[Any], object], message: str
) -> None:
    prior = nb.build_prior("rnn-bernoulli", {"units": 4})
    with pytest.raises(NotebeamError, match=f"^{re.escape(message)}"):
        make(prior)


def test_an_hmm_is_tuned_unless_told_otherwise() -> None:
    assert nb.Hmm() == preset("hmm")
    assert (nb.Hmm().off_after_off, nb.Hmm().off_after_on) == (0.6, 0.5)
