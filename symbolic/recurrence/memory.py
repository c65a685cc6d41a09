"""Memory of past steps: the steps themselves, and attention to those where the music was like now.

Is: the last M steps with their keys, reading at fixed lags and by attention; decaying traces.
Is not: what makes the summaries (recurrence.stacked), or what reads the memory (priors.lstm_conv_nade).

Attention finds the moments s of the last M steps whose summary u_s is like the present one and reads what
followed there, v_{s+1}: music repeats itself, without the tune being in the weights.
"""

import torch
from torch import Tensor, nn

from symbolic.state import State

DECAYS = (0.8, 0.97)  # a step's share in a trace after one more step
WIDTH = 32  # of a head's queries and keys


def traces(steps: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Decaying averages of the steps: before each step, and after the last.

    Args:
        steps: (B, T, D).
        before: (B, R, D) the traces before the first step, one for each of DECAYS.

    Returns:
        (B, T, R, D) and (B, R, D).
    """
    length = steps.shape[1]
    decay = torch.tensor(DECAYS, dtype=steps.dtype, device=steps.device)[:, None, None]
    step = torch.arange(length + 1, device=steps.device)
    age = step[:, None] - 1 - step[None, :length]  # (T + 1, T) of each step, at each moment
    weight = torch.where(age >= 0, (1 - decay) * decay ** age.clamp(min=0), 0.0)  # (R, T + 1, T)
    every = torch.einsum("rts,bsd->btrd", weight, steps)
    every = every + (decay ** step[:, None])[:, :, 0].t()[None, :, :, None] * before[:, None]
    return every[:, :-1], every[:, -1]


class Memory(nn.Module):
    """The last `size` steps; `heads` ways of comparing the summaries (`units`) from before them.

    State: "frames" (N, size, visible), the newest last; "keys" (N, size, heads * 32), of the summaries before
    them; "filled" (N,) how many there are; "traces" (N, 2, visible).
    """

    def __init__(self, visible: int, units: int, heads: int, size: int) -> None:
        super().__init__()
        self.visible, self.heads, self.size = visible, heads, size
        self.query = nn.Linear(units, heads * WIDTH)
        self.key = nn.Linear(units, heads * WIDTH)
        # How much a head likes a lag, and nothing at all (the last), before it looks.
        self.liking = nn.Parameter(torch.zeros(heads, size + 1))

    def initial_state(self, n: int) -> State:
        """No steps yet."""
        like = self.liking
        return {
            "frames": like.new_zeros(n, self.size, self.visible),
            "keys": like.new_zeros(n, self.size, self.heads * WIDTH),
            "filled": torch.zeros(n, dtype=torch.long, device=like.device),
            "traces": like.new_zeros(n, len(DECAYS), self.visible),
        }

    def remember(self, state: State, steps: Tensor, before: Tensor) -> State:
        """State after steps (B, T, visible), each read when the summary (B, T, units) was `before`."""
        return {
            "frames": torch.cat([state["frames"], steps], 1)[:, -self.size :],
            "keys": torch.cat([state["keys"], self.key(before)], 1)[:, -self.size :],
            "filled": state["filled"] + steps.shape[1],
            "traces": traces(steps, state["traces"])[1],
        }

    def lagged(self, state: State, steps: Tensor, lags: tuple[int, ...]) -> Tensor:
        """(B, T, lags, visible) the step so many steps before each of steps (B, T, visible)."""
        every, length = torch.cat([state["frames"], steps], 1), steps.shape[1]
        parts = [every[:, self.size - lag : self.size - lag + length] for lag in lags]
        return torch.stack(parts, 2)

    def attend(self, state: State, steps: Tensor, before: Tensor) -> Tensor:
        """(B, T, heads, visible) what followed, on average, where the summary was like that before each step.

        steps (B, T, visible), before (B, T, units); a step sees only what came before it.
        """
        clips, length = steps.shape[:2]
        values = torch.cat([state["frames"], steps], 1)  # (B, size + T, visible)
        keys = torch.cat([state["keys"], self.key(before)], 1).view(clips, -1, self.heads, WIDTH)
        query = self.query(before).view(clips, length, self.heads, WIDTH)
        score = torch.einsum("bthw,bshw->bhts", query, keys) / WIDTH**0.5
        place = torch.arange(self.size + length, device=steps.device)
        lag = self.size + place[:length, None] - place  # (T, size + T)
        seen = (lag >= 1) & (lag <= self.size)
        score = score + self.liking[:, (lag - 1).clamp(0, self.size - 1)]
        filled = place >= self.size - state["filled"][:, None]  # (B, size + T)
        score = score.masked_fill(~(seen & filled[:, None])[:, None], -torch.inf)
        nothing = self.liking[:, -1].view(1, self.heads, 1, 1).expand(clips, -1, length, -1)
        weight = torch.cat([score, nothing], 3).softmax(3)[..., :-1]
        return torch.einsum("bhts,bsd->bthd", weight, values)
