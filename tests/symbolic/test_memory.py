"""Memory of past steps: traces, lags and attention are their definitions, step by step."""

import torch
from torch import Tensor
from torch.testing import assert_close

from symbolic.recurrence.memory import DECAYS, WIDTH, Memory, traces


def random_steps(*shape: int) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_traces_decay() -> None:
    steps, before = random_steps(2, 5, 3), random_steps(2, 2, 3)
    every, last = traces(steps, before)
    trace = before.clone()
    for t in range(5):
        assert_close(every[:, t], trace)
        for index, decay in enumerate(DECAYS):
            trace[:, index] = decay * trace[:, index] + (1 - decay) * steps[:, t]
    assert_close(last, trace)


def small_memory(size: int) -> Memory:
    torch.manual_seed(0)
    memory = Memory(3, 4, 2, size).double()
    with torch.no_grad():
        for parameter in memory.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return memory


def test_lags_reach_back_over_chunks_and_before_the_beginning_is_silence() -> None:
    memory, steps, before = small_memory(4), random_steps(1, 9, 3), random_steps(1, 9, 4)
    state = memory.remember(memory.initial_state(1), steps[:, :5], before[:, :5])
    found = memory.lagged(state, steps[:, 5:], (1, 4))
    assert_close(found[0, :, 0], steps[0, 4:8])
    assert_close(found[0, :, 1], steps[0, 1:5])
    assert (memory.lagged(memory.initial_state(1), steps, (2,))[0, :2] == 0).all()


def test_attention_is_its_definition() -> None:
    memory, steps, before = small_memory(3), random_steps(1, 7, 3), random_steps(1, 7, 4)
    with torch.no_grad():
        state = memory.remember(memory.initial_state(1), steps[:, :2], before[:, :2])
        found = memory.attend(state, steps[:, 2:], before[:, 2:])
        query, key = memory.query(before[0]), memory.key(before[0])
        for t in range(2, 7):
            for head in range(2):
                part = slice(head * WIDTH, (head + 1) * WIDTH)
                visible = range(max(0, t - 3), t)  # three steps at most, never the one to come
                score = [
                    query[t, part] @ key[s, part] / WIDTH**0.5 + memory.liking[head, t - s - 1]
                    for s in visible
                ]
                weight = torch.stack([*score, memory.liking[head, 3]]).softmax(0)
                read = sum(w * steps[0, s] for w, s in zip(weight, visible, strict=False))
                assert_close(found[0, t - 2, head], read)
