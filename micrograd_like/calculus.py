"""Derivatives of Python functions: gradients of gradients of any order, and a check of them.

`backward` computes numbers. Here the same pass is made of Values: each local derivative is the
partial of its row, read on the node's operands, so the result can be differentiated once more.
No function here writes to the `grad` of a Value it was given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from micrograd_like import ops
from micrograd_like._internal.arguments import number
from micrograd_like.engine import Value, topological_order
from micrograd_like.operation import OPS, real
from micrograd_like.operation import detect_anomaly as detect_anomaly


class GradcheckError(AssertionError):
    """A gradient differs from the slope that central differences measure."""


def grad(f: Callable[..., Any], argnum: int = 0) -> Callable[..., Value]:
    """The derivative of `f` by its argument number `argnum`, as a function of the same arguments.

    `f` returns one Value, or a number that depends on nothing. The argument is a number or a
    Value; where it is a Value, the derivative can be differentiated by it in turn. `f` gets it as
    a node of its own, so other uses of that Value inside `f` count as constants.

    >>> cube = lambda x: x**3
    >>> grad(cube)(2.0)
    Value(data=12.0, grad=0.0)
    >>> grad(grad(cube))(2.0)
    Value(data=12.0, grad=0.0)
    >>> grad(lambda x, y: x * y, argnum=1)(2.0, 5.0)
    Value(data=2.0, grad=0.0)

    Raises TypeError for an `f` that is no function or returns something else, and ValueError
    for an `argnum` that the call does not have.
    """
    _check_function("grad", f)
    if not isinstance(argnum, int):
        raise TypeError(f"argnum is an int, got {type(argnum).__name__}: {argnum!r:.80}")

    def derivative(*xs: Any) -> Value:
        if not 0 <= argnum < len(xs):
            raise ValueError(
                f"argnum={argnum}, but the function is called with {len(xs)} argument(s)"
            )
        variable = _variable(xs[argnum])
        result = f(*xs[:argnum], variable, *xs[argnum + 1 :])
        return _gradients(_checked(result), [variable])[0]

    return derivative


def value_and_grad(
    f: Callable[[list[Value]], Any],
) -> Callable[[Iterable[Any]], tuple[Value, list[Value]]]:
    """The function that gives `f(xs)` and its derivative by each of the xs.

    `f` takes a list of Values and returns one Value or a number. Everything comes back as
    Values, which can be differentiated again.

    >>> value, gradients = value_and_grad(lambda v: v[0] * v[1])([2.0, 5.0])
    >>> value.data, [g.data for g in gradients]
    (10.0, [5.0, 2.0])
    """
    _check_function("value_and_grad", f)

    def both(xs: Iterable[Any]) -> tuple[Value, list[Value]]:
        variables = _variables(xs)
        value = _checked(f(list(variables)))
        return value, _gradients(value, variables)

    return both


def hessian(f: Callable[[list[Value]], Any]) -> Callable[[Iterable[Any]], list[list[Value]]]:
    """The function that gives the second derivatives of `f(xs)`: n lists of n Values.

    Row i, column j is ∂²f/∂xᵢ∂xⱼ. One pass a row computes the triangle up to the diagonal, and
    the rest mirrors it, so the matrix is symmetric to the bit.

    >>> matrix = hessian(lambda v: v[0] ** 2 * v[1])([3.0, 5.0])
    >>> [[h.data for h in row] for row in matrix]
    [[10.0, 6.0], [6.0, 0.0]]
    """
    _check_function("hessian", f)

    def matrix(xs: Iterable[Any]) -> list[list[Value]]:
        variables = _variables(xs)
        slopes = _gradients(_checked(f(list(variables))), variables)
        rows = [_gradients(slope, variables[: i + 1]) for i, slope in enumerate(slopes)]
        indices = range(len(rows))
        return [[rows[max(i, j)][min(i, j)] for j in indices] for i in indices]

    return matrix


def gradcheck(
    f: Callable[[list[Value]], Any],
    xs: Iterable[Any],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
) -> bool:
    """True if the gradient of `f(xs)` agrees with central differences, else GradcheckError.

    Each x moves by ± `eps`; gradient g and slope s agree if |g − s| ≤ atol + rtol · |g|. nan and
    inf never agree. `f` takes a list of Values; to check second derivatives, check a gradient:

    >>> gradcheck(lambda v: v[0].tanh() * v[1], [0.5, 2.0])
    True
    >>> gradcheck(lambda v: grad(lambda x: x.tanh())(v[0]), [0.5])
    True
    >>> gradcheck(lambda v: v[0].detach() * v[0], [3.0])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    micrograd_like.calculus.GradcheckError: xs[0] = 3.0: the gradient is 3.0, the slope 6.0...
    """
    points = [x.data if isinstance(x, Value) else real(x) for x in xs]
    eps, atol, rtol = number("eps", eps), number("atol", atol), number("rtol", rtol)
    if not eps > 0.0 or not atol >= 0.0 or not rtol >= 0.0:
        raise ValueError(f"gradcheck needs eps > 0, atol ≥ 0, rtol ≥ 0, got {eps}, {atol}, {rtol}")
    _, gradients = value_and_grad(f)(points)
    worst, report = 1.0, ""
    for i, (x, g) in enumerate(zip(points, gradients, strict=True)):
        slope = _slope(f, points, i, eps)
        tolerance = atol + rtol * abs(g.data)
        excess = abs(g.data - slope) / tolerance if tolerance else math.inf
        if math.isnan(excess):
            excess = math.inf
        if excess > worst:
            worst = excess
            report = f"xs[{i}] = {x}: the gradient is {g.data}, the slope {slope}"
    if report:
        raise GradcheckError(f"{report} (eps={eps}, atol={atol}, rtol={rtol})")
    return True


def _check_function(name: str, f: object) -> None:
    if not callable(f):
        raise TypeError(f"{name} takes a function, got {type(f).__name__}: {f!r:.80}")


def _variable(x: Any) -> Value:
    """What is differentiated by: a node of its own with the number of `x`, connected to it."""
    if not isinstance(x, Value):
        return Value(x)
    variable = x * 1.0
    variable.label = x.label
    return variable


def _variables(xs: Iterable[Any]) -> list[Value]:
    if not isinstance(xs, Iterable):
        raise TypeError(
            f"expected a list of numbers or Values, got {type(xs).__name__}: {xs!r:.80}"
        )
    return [_variable(x) for x in xs]


def _checked(result: Any) -> Value:
    if isinstance(result, Value):
        return result
    try:
        return Value(result)
    except TypeError:
        raise TypeError(
            "the function must return one Value or number, it returned "
            f"{type(result).__name__}: {result!r:.80}"
        ) from None


def _slope(f: Callable[[list[Value]], Any], points: list[float], i: int, eps: float) -> float:
    above, below = points.copy(), points.copy()
    above[i] += eps
    below[i] -= eps
    step = above[i] - below[i]  # 2·eps, as far as floats allow
    if not step > 0.0:
        raise ValueError(f"eps={eps} is lost next to xs[{i}] = {points[i]}: choose a larger eps")
    high, low = (_checked(f([Value(x) for x in side])).data for side in (above, below))
    return (high - low) / step


def _gradients(root: Value, variables: Sequence[Value]) -> list[Value]:
    """∂root/∂variable for each one: `backward`, with Values in the place of its floats."""
    depends = set(variables)
    path = []
    # What the variables were made from may be the history of a training run: it is left out.
    for node in topological_order(root, stop=variables):
        if not depends.isdisjoint(node.parents):
            depends.add(node)
            path.append(node)
    upstream: dict[Value, Value | float] = {root: 1.0}
    for node in reversed(path):
        if node in upstream:
            for operand, contribution in _contributions(node, upstream[node], depends):
                before = upstream.get(operand)
                upstream[operand] = contribution if before is None else before + contribution
    held = {x for node in path for x in (node, *node.parents)}
    gradients = []
    for variable in variables:
        gradient = upstream.get(variable, 0.0)
        if not isinstance(gradient, Value) or gradient in held or gradient.data == 0.0:
            # A node that no one else holds; and -0.0 turns into 0.0, as in `backward`.
            gradient = _checked(gradient + 0.0)
        held.add(gradient)
        gradients.append(gradient)
    return gradients


def _contributions(
    node: Value, upstream: Value | float, depends: set[Value]
) -> Iterator[tuple[Value, Value | float]]:
    op, operands = OPS[node.op], node.operands
    for operand, partial in zip(operands, op.partials, strict=True):
        if not isinstance(operand, Value) or operand not in depends:
            continue
        slope = partial(*operands, node)
        if float(upstream) == 0.0 and not math.isfinite(float(slope)):
            continue  # nothing comes in, so nothing goes on
        if isinstance(slope, float):
            if slope == 1.0:
                yield operand, upstream
                continue
            if slope == 0.0 and op.selects:
                continue
        if isinstance(upstream, float) and upstream == 1.0:
            yield operand, slope
        else:
            yield operand, ops.gate(upstream, slope) if op.selects else upstream * slope
