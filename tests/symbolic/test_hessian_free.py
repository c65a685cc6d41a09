"""Hessian-free optimisation: products against the matrix itself, steps against known minima."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.testing import assert_close

from symbolic.errors import NotebeamError
from symbolic.training.hessian_free import HessianFree, Outputs, conjugate_gradients


def small_rnn(seed: int) -> tuple[nn.RNN, nn.Linear]:
    torch.manual_seed(seed)
    return nn.RNN(2, 5, batch_first=True).double(), nn.Linear(5, 1).double()


def test_conjugate_gradients_solve_the_system() -> None:
    g = torch.Generator().manual_seed(0)
    root = torch.randn(12, 12, dtype=torch.float64, generator=g)
    matrix, target = root @ root.t() + torch.eye(12), torch.randn(12, dtype=torch.float64, generator=g)
    found = conjugate_gradients(
        lambda v: matrix @ v, target, torch.zeros_like(target), matrix.diagonal(), iterations=60
    )
    assert_close(found[-1][0], torch.linalg.solve(matrix, target), rtol=1e-3, atol=1e-3)
    assert len(found) < 20  # not every iterate is kept


def test_products_are_those_of_the_gauss_newton_matrix() -> None:
    rnn, head = small_rnn(0)
    parameters = [*rnn.parameters(), *head.parameters()]
    x = torch.randn(3, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def outputs(flat: Tensor) -> tuple[Tensor, Tensor]:
        sizes = [p.numel() for p in parameters]
        parts = [part.view_as(p) for part, p in zip(flat.split(sizes), parameters, strict=True)]
        w_x, w_h, b_x, b_h, w, b = parts
        h, hidden = torch.zeros(3, 5, dtype=torch.float64), []
        for t in range(4):
            h = torch.tanh(x[:, t] @ w_x.t() + b_x + h @ w_h.t() + b_h)
            hidden.append(h)
        every = torch.stack(hidden, 1)
        return (every @ w.t() + b).flatten(), every.flatten()

    flat = torch.cat([p.detach().flatten() for p in parameters])
    of_logits, of_hidden = torch.autograd.functional.jacobian(outputs, flat)
    prob = torch.sigmoid(outputs(flat)[0])
    scale, damping, structural = 0.25, 0.3, 0.5
    matrix = scale * of_logits.t() @ torch.diag(prob * (1 - prob)) @ of_logits
    matrix += damping * torch.eye(len(flat)) + damping * structural * scale * of_hidden.t() @ of_hidden

    optimizer = HessianFree(parameters, damping=damping, structural=structural)
    hidden, _ = rnn(x)
    product = optimizer._product(Outputs(head(hidden), hidden, scale))
    vector = torch.randn(len(flat), dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert_close(product(vector), matrix @ vector)


def test_logistic_regression_is_solved_in_a_few_steps_where_gradient_descent_crawls() -> None:
    """Inputs of very different sizes: the curvature differs by 10,000 from one weight to the other."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(300, 2, dtype=torch.float64, generator=g) * torch.tensor([1.0, 0.01])
    y = torch.rand(300, dtype=torch.float64, generator=g) < torch.sigmoid(
        x @ torch.tensor([1.0, 150.0]).double()
    )

    def cost(weight: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(x @ weight, y.double())

    newton = torch.zeros(2, dtype=torch.float64)
    for _ in range(50):
        gradient = torch.autograd.functional.jacobian(cost, newton)
        newton = newton - torch.linalg.solve(torch.autograd.functional.hessian(cost, newton), gradient)
    ours = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = HessianFree([ours], damping=1e-6)
    for _ in range(15):
        optimizer.step(lambda: cost(ours), lambda: Outputs(x @ ours, None, 1 / 300))
    assert_close(ours.detach(), newton, rtol=1e-3, atol=1e-3)
    plain = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    descent = torch.optim.SGD([plain], lr=1.0)
    for _ in range(1000):
        descent.zero_grad()
        cost(plain).backward()  # type: ignore[no-untyped-call]
        descent.step()
    with torch.no_grad():
        left = [float(cost(weight) - cost(newton)) for weight in (plain, ours)]
    assert left[0] > 10 * left[1]


def test_a_bit_is_remembered_over_a_lag_that_gradient_descent_does_not_bridge() -> None:
    g = torch.Generator().manual_seed(3)
    x = torch.randn(32, 60, 2, dtype=torch.float64, generator=g) * 0.3
    y = (torch.rand(32, generator=g) < 0.5).double()
    x[:, 0, 0] = 2 * y - 1  # given at the first step, due at the last

    def train(kind: str) -> float:
        rnn, head = small_rnn(4)
        parameters = [*rnn.parameters(), *head.parameters()]

        def outputs() -> Outputs:
            hidden, _ = rnn(x)
            return Outputs(head(hidden[:, -1])[:, 0], hidden, 1 / 32)

        def cost() -> Tensor:
            return functional.binary_cross_entropy_with_logits(outputs().logits, y)

        if kind == "hessian-free":
            optimizer = HessianFree(parameters, structural=3.0, iterations=50)
            for _ in range(20):
                optimizer.step(cost, outputs)
        else:
            descent = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True)
            for _ in range(400):
                descent.zero_grad()
                cost().backward()  # type: ignore[no-untyped-call]
                descent.step()
        return float(cost().detach())

    assert train("hessian-free") < 0.3 < 0.5 < train("gradient descent")


def test_damping_and_directions_are_in_the_state() -> None:
    weight = torch.ones(2, dtype=torch.float64, requires_grad=True)
    optimizer = HessianFree([weight], damping=0.5)
    optimizer.step(lambda: (weight**2).sum(), lambda: Outputs(weight, None, 1.0))
    stored = optimizer.state_dict()
    other = HessianFree([torch.ones(2, dtype=torch.float64, requires_grad=True)], damping=9.0)
    other.load_state_dict(stored)
    assert other.damping == optimizer.damping != 9.0
    assert_close(stored["state"][0]["direction"], other.state_dict()["state"][0]["direction"])


def test_bad_options_are_refused() -> None:
    with pytest.raises(NotebeamError, match="HessianFree: got .* expected damping > 0"):
        HessianFree([torch.ones(1, requires_grad=True)], damping=0.0)
