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
from micrograd_like._internal.cuts import cut, read_partial
from micrograd_like.engine import Value, topological_order
from micrograd_like.operation import NUMBER, OPS, real


class GradcheckError(AssertionError):
    """A gradient differs from the slope that central differences measure."""


def grad(f: Callable[..., Any], argnum: int = 0) -> Callable[..., Value]:
    """The derivative of `f` by its argument number `argnum`, as a function of the same arguments.

    `f` returns one Value. The argument is a number or a
    Value; where it is a Value, the derivative can be differentiated by it in turn. `f` gets it as
    a node of its own, so other uses of that Value inside `f` count as constants.

    >>> cube = lambda x: x**3
    >>> grad(cube)(2.0)
    Value(data=12.0, grad=0.0)
    >>> grad(grad(cube))(2.0)
    Value(data=12.0, grad=0.0)
    >>> grad(lambda x, y: x * y, argnum=1)(2.0, 5.0)
    Value(data=2.0, grad=0.0)

    Raises TypeError for an `f` that is no function or returns something else, as a plain number,
    which `math.sin(x)` makes of a Value; ValueError for an `argnum` that the call does not have.
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
        return _gradients(_checked(f, result), [variable])[0]

    return derivative


def value_and_grad(f: Callable[[list[Value]], Any], xs: Iterable[Any] | None = None) -> Any:
    """The function that gives `f(xs)` and its derivative by each of the xs; with `xs`, both.

    `f` takes a list of Values and returns one Value. Everything comes back as Values, which can be
    differentiated again: the value, and a list of derivatives.

    >>> value, gradients = value_and_grad(lambda v: v[0] * v[1])([2.0, 5.0])
    >>> value.data, [g.data for g in gradients]
    (10.0, [5.0, 2.0])
    >>> value_and_grad(lambda v: v[0] * v[1], [2.0, 5.0])[0]
    Value(data=10.0, grad=0.0)
    """
    _check_function("value_and_grad", f)

    def both(xs: Iterable[Any]) -> tuple[Value, list[Value]]:
        variables = _variables(xs)
        value = _checked(f, f(list(variables)), bool(variables))
        return value, _gradients(value, variables)

    return both if xs is None else both(xs)


def hessian(f: Callable[[list[Value]], Any], xs: Iterable[Any] | None = None) -> Any:
    """The function that gives the second derivatives of `f(xs)`; with `xs`, those themselves.

    They are n lists of n Values: row i, column j is ∂²f/∂xᵢ∂xⱼ. One pass a row computes the
    triangle up to the diagonal, and the rest mirrors it, so the matrix is symmetric to the bit.

    >>> matrix = hessian(lambda v: v[0] ** 2 * v[1])([3.0, 5.0])
    >>> [[h.data for h in row] for row in matrix]
    [[10.0, 6.0], [6.0, 0.0]]
    """
    _check_function("hessian", f)

    def matrix(xs: Iterable[Any]) -> list[list[Value]]:
        variables = _variables(xs)
        value = _checked(f, f(list(variables)), bool(variables))
        slopes = _gradients(value, variables)
        rows = [_gradients(slope, variables[: i + 1]) for i, slope in enumerate(slopes)]
        indices = range(len(rows))
        return [[rows[max(i, j)][min(i, j)] for j in indices] for i in indices]

    return matrix if xs is None else matrix(xs)


def gradcheck(
    f: Callable[[list[Value]], Any],
    xs: Iterable[Any],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
) -> bool:
    """True if the gradient of `f(xs)` agrees with central differences, else GradcheckError.

    Each x moves by ± `eps` · max(1, |x|). Gradient g and slope s agree if |g − s| is at most
    atol + rtol · |g| + r, where r is what rounding alone can do to s: each node of f may be off by
    2 units in its last place, and passes that on. nan and inf never agree. `f` takes a list of
    Values; to check second derivatives, check a gradient:

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
        slope, rounding = _slope(f, points, i, eps)
        tolerance = atol + rtol * abs(g.data) + rounding
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
    """A variable to differentiate by: a node of its own with the number of `x`, connected to it."""
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


def _checked(f: object, result: Any, given: bool = True) -> Value:
    """The Value that `f` returned, or a plain number if it was `given` no Values."""
    if isinstance(result, Value):
        return result
    if isinstance(result, NUMBER):
        if given:
            raise cut("the function", f, result)
        return Value(result)
    raise TypeError(
        f"the function must return one Value, it returned {type(result).__name__}: {result!r:.80}"
    )


def _slope(
    f: Callable[[list[Value]], Any], points: list[float], i: int, eps: float
) -> tuple[float, float]:
    """The slope by central differences, and how far rounding can move it."""
    above, below = points.copy(), points.copy()
    move = eps * max(1.0, abs(points[i]))
    above[i] += move
    below[i] -= move
    step = above[i] - below[i]  # 2·move, as far as floats allow
    if not step > 0.0:
        raise ValueError(f"eps={eps} is lost next to xs[{i}] = {points[i]}: choose a larger eps")
    high, low = (_checked(f, f([Value(x) for x in side])) for side in (above, below))
    return (high.data - low.data) / step, (_rounding(high) + _rounding(low)) / step


def _rounding(root: Value) -> float:
    """The error of `root` if every node is off by 2 units in the last place; 0 if not finite."""
    order = topological_order(root)
    upstream = dict.fromkeys(order, 0.0)
    upstream[root] = 1.0
    off = 0.0
    for node in reversed(order):
        if node.op:
            off += upstream[node] * math.ulp(node.data) * 2.0 if math.isfinite(node.data) else 0.0
            for parent, slope in zip(node.parents, node.local_grads, strict=True):
                if parent in upstream:
                    upstream[parent] += upstream[node] * abs(slope)
    return off if math.isfinite(off) else 0.0


def _gradients(root: Value, variables: Sequence[Value]) -> list[Value]:
    """∂root/∂variable for each one: `backward`, with Values in the place of its floats."""
    depends = set(variables)
    path = []
    # The operands of the variables may be the history of a training run: they are left out.
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
            gradient = gradient + 0.0 if isinstance(gradient, Value) else Value(gradient + 0.0)
        held.add(gradient)
        gradients.append(gradient)
    return gradients


def _contributions(
    node: Value, upstream: Value | float, depends: set[Value]
) -> Iterator[tuple[Value, Value | float]]:
    op, operands = OPS[node.op], node.operands
    for index, operand in enumerate(operands):
        if not isinstance(operand, Value) or operand not in depends:
            continue
        slope = read_partial(op, index, *operands, node)
        if isinstance(slope, (int, float)):
            if slope == 1.0:
                yield operand, upstream
                continue
            if slope == 0.0 and op.selects:
                continue
        # An upstream gradient of 0 passes nothing back, and a branch not taken gets nothing. Either
        # is decided when numbers are computed, for a graph may be compiled and run on others.
        if isinstance(upstream, float) and upstream == 1.0:
            yield operand, slope
        elif isinstance(slope, (int, float)) and math.isfinite(slope):
            yield operand, upstream * slope
        else:
            yield operand, (ops.chain if op.selects else ops.gate)(slope, upstream)
