"""Functions made of operations beside PyTorch's, in float64, where they are smooth and at kinks."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from micrograd_like import Value, clip, elu, gelu, leaky_relu, log_softmax, silu, xlogy
from micrograd_like.operation import OPS

torch: Any = pytest.importorskip("torch")
F = torch.nn.functional

PAIRS: list[tuple[Callable[[Any], Any], Callable[[Any], Any]]] = [
    (lambda x: clip(x, -1.0, 1.5), lambda x: torch.clamp(x, -1.0, 1.5)),
    (leaky_relu, F.leaky_relu),
    (elu, F.elu),
    (gelu, F.gelu),
    (lambda x: gelu(x, approximate=True), lambda x: F.gelu(x, approximate="tanh")),
    (silu, F.silu),
    (lambda x: xlogy(x, x + 40.0), lambda x: torch.xlogy(x, x + 40.0)),
    (
        lambda x: log_softmax([x, 0.5])[0],
        lambda x: torch.log_softmax(torch.stack([x, x * 0 + 0.5]), 0)[0],
    ),
]
PAIRS += [
    (OPS[name].__call__, getattr(torch, name))
    for name in ("tan", "atan", "expm1", "sinh", "cosh", "erf")
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("number", [-30.0, -2.25, -0.5, 0.0, 1e-9, 0.75, 3.0, 30.0])
def test_values_and_slopes(ours: Any, theirs: Any, number: float) -> None:
    x, tensor = Value(number), torch.tensor(number, dtype=torch.float64, requires_grad=True)
    out, expected = ours(x), theirs(tensor)
    out.backward()
    expected.backward()
    assert out.data == pytest.approx(expected.item(), rel=1e-12, abs=1e-15)
    assert x.grad == pytest.approx(tensor.grad.item(), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("point", [(3.0, -4.0), (-1e-3, 2.0), (0.0, 1.0), (2.0, 0.0)])
@pytest.mark.parametrize("name", ["atan2", "hypot"])
def test_points_of_the_plane(name: str, point: tuple[float, float]) -> None:
    operands = [Value(x) for x in point]
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in point]
    out, expected = OPS[name](*operands), getattr(torch, name)(*tensors)
    out.backward()
    expected.backward()
    assert math.isclose(out.data, expected.item(), rel_tol=1e-15)
    for x, tensor in zip(operands, tensors, strict=True):
        assert x.grad == pytest.approx(tensor.grad.item(), rel=1e-13, abs=1e-15)
