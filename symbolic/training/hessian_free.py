"""Hessian-free optimisation: truncated Newton steps with Gauss-Newton products, no matrix ever formed.

Is: the optimiser: damped products, conjugate gradients, backtracking, the Levenberg-Marquardt rule.
Is not: what a prior's outputs are (training.curvature), or batches.

Each step solves (G + lam I + lam mu S) d = -g by conjugate gradients, from the last step's d. G = J' H J is
the Gauss-Newton matrix of the cost, J the derivative of the logits and H = diag(p (1 - p)); S = J_h' J_h that
of the hidden units' squared distance from where they are, else a recurrence leaps (structural damping).
Source: Martens 2010; Martens and Sutskever 2011; constants as in Boulanger-Lewandowski's theano-hf.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from symbolic.errors import NotebeamError

RHO_LOW, RHO_HIGH, LAMBDA_FACTOR = 0.25, 0.75, 1.5
PRECONDITION = 0.75  # power of the squared gradients
DECAY = 0.95  # of the last step's direction, from which the next search begins


@dataclass(frozen=True)
class Outputs:
    """A model's outputs for a batch: logits of independent 0/1 outputs, and the hidden units behind them."""

    logits: Tensor  # any shape
    hidden: Tensor | None  # any shape; None: no structural damping
    scale: float  # the cost is this times the sum of the outputs' cross-entropies


class HessianFree(torch.optim.Optimizer):
    """Truncated Newton; the only rate is the damping, which adapts.

    Args:
        parameters: of the model.
        damping: lam to begin with.
        structural: mu, the share of the damping that the hidden units get, weighed as their outputs are.
        iterations: most products a step.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        damping: float = 0.1,
        structural: float = 0.03,
        iterations: int = 250,
    ) -> None:
        if not damping > 0 or structural < 0 or iterations < 1:
            got = (damping, structural, iterations)
            raise NotebeamError("HessianFree", got, "damping > 0, structural >= 0, iterations >= 1")
        super().__init__(parameters, {"structural": structural, "iterations": iterations})
        self.values: list[Tensor] = [p for group in self.param_groups for p in group["params"]]
        for value in self.values:
            self.state[value]["direction"] = torch.zeros_like(value)
        # Beside the directions, so that it is kept with them.
        self.state[self.values[0]]["damping"] = torch.tensor(damping, dtype=self.values[0].dtype)

    @property
    def damping(self) -> float:
        """lam."""
        return float(self.state[self.values[0]]["damping"])

    def step(  # type: ignore[override]
        self, cost: Callable[[], Tensor], outputs: Callable[[], Outputs]
    ) -> float:
        """One step; the cost before it.

        Args:
            cost: of the gradient's batch, differentiable; the same at every call but for the parameters.
            outputs: of the curvature's batch, which may be a part of the gradient's.
        """
        before = cost()
        gradient = _flat(torch.autograd.grad(before, self.values, allow_unused=True), self.values)
        value = float(before.detach())
        start = DECAY * _flat([self.state[value]["direction"] for value in self.values], self.values)
        product = self._product(outputs())
        scale = (gradient**2 + self.damping) ** PRECONDITION
        most = self.param_groups[0]["iterations"]
        found = conjugate_gradients(product, -gradient, start, scale, most)
        origin = _flat(self.values, self.values)

        def cost_at(direction: Tensor) -> float:
            self._set(origin + direction)
            with torch.no_grad():
                return float(cost())

        # The last iterate fits the curvature's batch best, if not all: go back while that lowers the cost.
        (chosen, predicted), after = found[-1], cost_at(found[-1][0])
        for earlier, phi in reversed(found[:-1]):
            lower = cost_at(earlier)
            if not lower < after:
                break
            chosen, predicted, after = earlier, phi, lower
        self._adapt((after - value) / predicted if predicted < 0 else -1.0)
        self._keep(found[-1][0])
        self._set(origin + _backtracked(cost_at, chosen, value, after))
        return value

    def _product(self, outputs: Outputs) -> Callable[[Tensor], Tensor]:
        """v -> (G + lam I + lam mu S) v at the present parameters; flat tensors."""
        lam = self.damping
        heads = [outputs.logits]
        curvatures = [outputs.scale * _variance(outputs.logits.detach())]
        structural = self.param_groups[0]["structural"]
        if outputs.hidden is not None and structural:
            heads.append(outputs.hidden)
            curvatures.append(torch.full_like(outputs.hidden, lam * structural * outputs.scale).detach())
        # Both heads in one pass each way: most of the graph is the recurrence, which they share.
        forward = _jacobian_vector(heads, self.values)

        def product(vector: Tensor) -> Tensor:
            bent = [curvature * along for curvature, along in zip(curvatures, forward(vector), strict=True)]
            found = torch.autograd.grad(heads, self.values, bent, retain_graph=True, allow_unused=True)
            return lam * vector + _flat(found, self.values)

        return product

    def _adapt(self, ratio: float) -> None:
        """Levenberg-Marquardt: ratio of the cost's change to that predicted by the quadratic."""
        damping = self.state[self.values[0]]["damping"]
        if not ratio >= RHO_LOW:  # nan too
            damping.mul_(LAMBDA_FACTOR)
        elif ratio > RHO_HIGH:
            damping.div_(LAMBDA_FACTOR)

    def _keep(self, direction: Tensor) -> None:
        for value, part in zip(self.values, _parts(direction, self.values), strict=True):
            self.state[value]["direction"] = part.clone()

    @torch.no_grad()
    def _set(self, flat: Tensor) -> None:
        for value, part in zip(self.values, _parts(flat, self.values), strict=True):
            value.copy_(part)


def conjugate_gradients(
    product: Callable[[Tensor], Tensor], target: Tensor, start: Tensor, scale: Tensor, iterations: int
) -> list[tuple[Tensor, float]]:
    """Iterates x on the way to product(x) = target, and their phi, at the numbers ceil(1.3^j) and the last.

    product is symmetric and positive definite, scale (the preconditioner's diagonal) positive. It ends when
    the quadratic phi(x) = x . product(x) / 2 - x . target falls by less than 0.05 % an iteration, over the
    last max(10, i / 10) of them (Martens 2010, section 4.4).
    """
    x, kept, values = start.clone(), [], []
    residual = target - product(x)
    z = residual / scale
    direction, strength = z, residual @ z
    due = 1.0
    for i in range(1, iterations + 1):
        along = product(direction)
        curvature = direction @ along
        if not curvature > 0 or not strength > 0:  # there already, or rounding
            break
        x = x + strength / curvature * direction
        residual = residual - strength / curvature * along
        values.append(-0.5 * float((residual + target) @ x))
        z = residual / scale
        before, strength = strength, residual @ z
        direction = z + strength / before * direction
        window = max(10, i // 10)
        ended = (
            i > window and values[-1] < 0 and (values[-1] - values[-1 - window]) / values[-1] < 5e-4 * window
        )
        if i >= math.ceil(due) or ended or i == iterations:
            kept.append((x, values[-1]))
            due *= 1.3
        if ended:
            break
    return kept or [(x, 0.0)]


def _backtracked(cost_at: Callable[[Tensor], float], step: Tensor, before: float, after: float) -> Tensor:
    """The step, shortened until the cost does not rise; nothing if it rises however short."""
    for _ in range(10):
        if after <= before:
            return step
        step = step * 0.5
        after = cost_at(step)
    return torch.zeros_like(step)


def _variance(logits: Tensor) -> Tensor:
    prob = torch.sigmoid(logits)
    return prob * (1 - prob)


def _jacobian_vector(heads: list[Tensor], values: list[Tensor]) -> Callable[[Tensor], Sequence[Tensor]]:
    """v -> J v of each head: J' u is linear in u, and its derivative with respect to u is J."""
    dummies = [torch.zeros_like(head, requires_grad=True) for head in heads]
    pulled = torch.autograd.grad(heads, values, dummies, create_graph=True, allow_unused=True)
    used = [(index, part) for index, part in enumerate(pulled) if part is not None]

    def forward(vector: Tensor) -> Sequence[Tensor]:
        parts = _parts(vector, values)
        return torch.autograd.grad(
            [part for _, part in used], dummies, [parts[index] for index, _ in used], retain_graph=True
        )

    return forward


def _flat(parts: Iterable[Tensor | None], like: list[Tensor]) -> Tensor:
    """All numbers in a row; None counts as zeros."""
    pairs = zip(parts, like, strict=True)
    return torch.cat(
        [
            torch.zeros_like(value).flatten() if part is None else part.detach().flatten()
            for part, value in pairs
        ]
    )


def _parts(flat: Tensor, like: list[Tensor]) -> list[Tensor]:
    """The row cut into the shapes of `like`."""
    sizes = [value.numel() for value in like]
    return [part.view_as(value) for part, value in zip(torch.split(flat, sizes), like, strict=True)]
