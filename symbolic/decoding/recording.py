"""Steps of the same shapes recorded once and replayed: on a GPU one launch in place of a hundred.

Is: which shapes are recorded, and the recording as a CUDA graph.
Is not: the step (decoding.step), which knows nothing of it, or its shapes (decoding.plan, rounds).

A processor starts an operation about as fast as it is asked to; a GPU finishes a small one before the next is
launched. A recording repeats the operations of one call on other numbers of the same shapes, without asking.
"""

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[list[Tensor]], list[Tensor]]
Record = Callable[[Step, list[Tensor]], Step]
FIRST = 8  # calls of a shape that are not recorded; they also bring what is made once, as workspaces, about
MOST = 64  # recordings


def recorder_on(device: torch.device) -> Record | None:
    """How steps are recorded there; None: replaying would be no faster."""
    return Capture(device) if device.type == "cuda" else None


class Recorded:
    """A step that is recorded for shapes it meets often; equal to the step if that reads no number back."""

    def __init__(self, step: Step, record: Record) -> None:
        self.step, self.record = step, record
        self.seen: Counter[tuple[torch.Size, ...]] = Counter()
        self.recordings: dict[tuple[torch.Size, ...], Step] = {}

    def __call__(self, tensors: list[Tensor]) -> list[Tensor]:
        shapes = tuple(values.shape for values in tensors)
        self.seen[shapes] += 1
        if shapes not in self.recordings:
            if self.seen[shapes] <= FIRST or len(self.recordings) == MOST:
                return self.step(tensors)
            self.recordings[shapes] = self.record(self.step, tensors)
        return self.recordings[shapes](tensors)


class Capture:
    """Steps as CUDA graphs of one device, which share the memory of what they compute on the way."""

    def __init__(self, device: torch.device) -> None:
        with torch.cuda.device(device):
            self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self.pool = torch.cuda.graph_pool_handle()

    def __call__(self, step: Step, tensors: list[Tensor]) -> Step:
        given = [values.clone() for values in tensors]
        graph = torch.cuda.CUDAGraph()
        # Whatever other threads do on the device has nothing to do with this.
        mode = "thread_local"
        with (
            torch.cuda.device(self.stream.device),
            torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode=mode),
        ):
            found = step(given)
        return again_on(given, found, graph.replay)


def again_on(given: list[Tensor], found: list[Tensor], again: Callable[[], None]) -> Step:
    """The step that `again` repeats, always from the numbers in `given` to those in `found`."""

    def replay(tensors: list[Tensor]) -> list[Tensor]:
        for own, values in zip(given, tensors, strict=True):
            own.copy_(values)
        again()
        # The next replay writes to the same places.
        return [values.clone() for values in found]

    return replay
