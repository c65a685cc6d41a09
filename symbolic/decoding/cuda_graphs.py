"""Steps of equal shapes captured as CUDA graphs and replayed: on a GPU one launch in place of a hundred.

A CPU starts an operation about as fast as it is called; a GPU finishes a small one before the next is
launched. A replay repeats the operations of one call on other numbers of the same shapes.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from symbolic.decoding.schedule import Choice
from symbolic.decoding.step import Hypotheses
from symbolic.estimators.prefixes import Prefixes, SharedRows

TensorStep = Callable[[list[Tensor]], list[Tensor]]
Capture = Callable[[TensorStep, list[Tensor]], TensorStep]
WARM_UP = 8  # calls per shape before capture; these also allocate workspaces
MAX_GRAPHS = 64


def capture_on(device: torch.device) -> Capture | None:
    """How steps are captured there; None: replaying would be no faster."""
    return GraphCapture(device) if device.type == "cuda" else None


class ReplayedStep:
    """A step that is captured for shapes it meets often; equal to the step if that reads no number back."""

    def __init__(self, step: TensorStep, capture: Capture) -> None:
        self.step, self.capture = step, capture
        self.calls: Counter[tuple[torch.Size, ...]] = Counter()
        self.graphs: dict[tuple[torch.Size, ...], TensorStep] = {}

    def __call__(self, tensors: list[Tensor]) -> list[Tensor]:
        shapes = tuple(values.shape for values in tensors)
        self.calls[shapes] += 1
        if shapes not in self.graphs:
            if self.calls[shapes] <= WARM_UP or len(self.graphs) == MAX_GRAPHS:
                return self.step(tensors)
            self.graphs[shapes] = self.capture(self.step, tensors)
        return self.graphs[shapes](tensors)


class GraphCapture:
    """Steps as CUDA graphs of one device, which share the memory of what they compute on the way."""

    def __init__(self, device: torch.device) -> None:
        with torch.cuda.device(device):
            self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self.pool = torch.cuda.graph_pool_handle()

    def __call__(self, step: TensorStep, tensors: list[Tensor]) -> TensorStep:
        given = [values.clone() for values in tensors]
        graph = torch.cuda.CUDAGraph()
        # Whatever other threads do on the device has nothing to do with this.
        mode = "thread_local"
        with (
            torch.cuda.device(self.stream.device),
            torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode=mode),
        ):
            results = step(given)
        return replay_on(given, results, graph.replay)


def replay_on(given: list[Tensor], results: list[Tensor], replay: Callable[[], None]) -> TensorStep:
    """The step that `replay` repeats, always from the numbers in `given` to those in `results`."""

    def replayed(tensors: list[Tensor]) -> list[Tensor]:
        for own, values in zip(given, tensors, strict=True):
            own.copy_(values)
        replay()
        # The next replay writes to the same places.
        return [values.clone() for values in results]

    return replayed


def pack(hypotheses: Hypotheses, choice: Choice) -> list[Tensor]:
    """Both as one list of tensors, as a graph takes them."""
    parts = [choice.cost, choice.newest, choice.prob, choice.number, choice.alive, choice.shared.rows]
    return [*pack_hypotheses(hypotheses), *parts, *choice.shared.prefixes.tensors]


def unpack(values: Sequence[Tensor], names: Sequence[str]) -> tuple[Hypotheses, Choice]:
    """What `pack` took, with a state of these names; the trees may hang on shapes alone."""
    rest = iter(values)
    hypotheses = unpack_hypotheses(rest, names)
    cost, newest, prob, number, alive, rows, sets, clip, parent, key, path, reach = rest
    trees = Prefixes(sets, clip, parent, key, path, reach)
    return hypotheses, Choice(SharedRows(rows, lambda: trees), cost, newest, prob, number, alive)


def pack_hypotheses(these: Hypotheses) -> list[Tensor]:
    """Its tensors, the state's in the order of their names."""
    state = [these.state[name] for name in sorted(these.state)]
    return [these.cost, these.prior_log_prob, these.recent, these.is_nan, *state]


def unpack_hypotheses(values: Iterator[Tensor], names: Sequence[str]) -> Hypotheses:
    """What `pack_hypotheses` took, with a state of these names."""
    cost, log_prob, recent, is_nan = (next(values) for _ in range(4))
    return Hypotheses(cost, log_prob, recent, is_nan, {name: next(values) for name in sorted(names)})
