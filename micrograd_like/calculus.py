"""Derivatives of Python functions: gradients of gradients of any order, and a check of them.

`backward` computes numbers. Here the same pass is made of Values: each local derivative is the
partial of its row, read on the node's operands, so the result can be differentiated once more.
No function here writes to the `grad` of a Value it was given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from micrograd_like import ops
from micrograd_like._internal.arguments import number
from micrograd_like._internal.cuts import cut, read_partial
from micrograd_like.engine import Value, exchange_operands, topological_order
from micrograd_like.operation import NUMBER, OPS, real


class GradcheckError(AssertionError):
    """A gradient differs from the slope that central differences measure."""


def grad(f: Callable[..., Any], argnum: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The derivative of `f` by its argument number `argnum`, as a function of the same arguments.

    `f` returns one Value. The argument is a number or a Value, and so is the derivative, or a list
    of them, and then the derivative is a list. With several numbers in `argnum`, the derivatives by
    each of these arguments come as a tuple. Keywords are passed on to `f`.

    If the argument is a Value, the derivative can be differentiated by it in turn. `f` gets it
    as a node of its own, so other uses of that Value inside `f` count as constants.

    >>> cube = lambda x: x**3
    >>> grad(cube)(2.0)
    Value(data=12.0, grad=0.0)
    >>> grad(grad(cube))(2.0)
    Value(data=12.0, grad=0.0)
    >>> grad(lambda x, y: x * y, argnum=(0, 1))(2.0, 5.0)
    (Value(data=5.0, grad=0.0), Value(data=2.0, grad=0.0))

    Raises TypeError for an `f` that is no function or returns something else, as a plain number,
    which `math.sin(x)` makes of a Value; ValueError for an `argnum` that the call does not have.
    """
    _check_function("grad", f)
    several = isinstance(argnum, Sequence) and not isinstance(argnum, str)
    places = list(argnum) if isinstance(argnum, Sequence) else [argnum]
    if not all(isinstance(place, int) for place in places):
        raise TypeError(
            f"argnum is an int or a tuple of them, got {type(argnum).__name__}: {argnum!r:.80}"
        )
    if len({*places}) != len(places):
        raise ValueError(f"argnum names an argument twice: {argnum!r}")

    def derivative(*xs: Any, **keywords: Any) -> Any:
        arguments = [*xs]
        opened = []
        for place in places:
            if not 0 <= place < len(xs):
                raise ValueError(
                    f"argnum={argnum}, but the function is called with {len(xs)} argument(s)"
                )
            opened.append(_opened(xs[place]))
            arguments[place] = opened[-1].argument()
        result = _checked(f, f(*arguments, **keywords))
        variables = [x for shape in opened for x in shape.all]
        found = _gradients(result, variables, set())
        _close(found, variables)
        each = iter(found)
        gradients = tuple([shape.shaped([*islice(each, len(shape.all))]) for shape in opened])
        return gradients if several else gradients[0]

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
        gradients = _gradients(value, variables, {value})
        _close([value, *gradients], variables)
        return value, gradients

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
        slopes, held = _gradients(value, variables, set()), set[Value]()
        rows = [_gradients(slope, variables[: i + 1], held) for i, slope in enumerate(slopes)]
        _close([x for row in rows for x in row], variables)
        indices = range(len(rows))
        return [[rows[max(i, j)][min(i, j)] for j in indices] for i in indices]

    return matrix if xs is None else matrix(xs)


def jacobian(f: Callable[[list[Value]], Any], xs: Iterable[Any] | None = None) -> Any:
    """The function that gives the derivatives of all outputs of `f(xs)`; with `xs`, those.

    `f` takes a list of n Values and returns a list of m. The derivatives are m lists of n Values:
    row i, column j is ∂fᵢ/∂xⱼ, by one backward pass a row.

    >>> rows = jacobian(lambda v: [v[0] * v[1], v[0] + v[1]], [2.0, 5.0])
    >>> [[slope.data for slope in row] for row in rows]
    [[5.0, 2.0], [1.0, 1.0]]
    """
    _check_function("jacobian", f)

    def matrix(xs: Iterable[Any]) -> list[list[Value]]:
        variables = _variables(xs)
        outputs, held = _outputs(f, f(list(variables))), set[Value]()
        rows = [_gradients(output, variables, held) for output in outputs.all]
        _close([x for row in rows for x in row], variables)
        return rows

    return matrix if xs is None else matrix(xs)


def jvp(f: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """The function of x and a tangent that gives `f(x)` and its derivative along the tangent.

    That is the Jacobian times the tangent, by forward mode: each node gets, as soon as it is there,
    the sum over its operands of local derivative · their tangents. One pass gives the derivatives
    of all outputs along one direction, where a backward pass gives those of one output by all
    inputs. x is a number or a Value, or a list of them, and the tangent likewise; the outputs of
    `f`, one Value or a list, come back as they are, and their derivatives in the same shape.

    >>> value, slope = jvp(lambda x: [x * x, x.exp()])(0.0, 2.0)
    >>> [v.data for v in value], [s.data for s in slope]
    ([0.0, 1.0], [0.0, 2.0])
    """
    _check_function("jvp", f)

    def along(x: Any, tangent: Any) -> tuple[Any, Any]:
        variables = _opened(x)
        directions = variables.like("tangent", tangent)
        outputs = _outputs(f, f(variables.argument()))
        slopes = _along(outputs.all, dict(zip(variables.all, directions, strict=True)))
        _close([*outputs.all, *slopes], variables.all)
        return outputs.shaped(outputs.all), outputs.shaped(slopes)

    return along


def vjp(f: Callable[..., Any]) -> Callable[[Any], Any]:
    """The function of x that gives `f(x)` and a function from weights of it to gradients by x.

    That second function is the transposed Jacobian times the weights, by one backward pass. x is a
    number or a Value, or a list of them, and the gradient has the same shape; so have the outputs
    of `f`, one Value or a list, and the weights.

    >>> value, pull = vjp(lambda v: [v[0] * v[1], v[0]])([2.0, 5.0])
    >>> [g.data for g in pull([1.0, 10.0])]
    [15.0, 2.0]
    """
    _check_function("vjp", f)

    def both(x: Any) -> tuple[Any, Callable[[Any], Any]]:
        variables = _opened(x)
        outputs = _outputs(f, f(variables.argument()))

        def pull(weight: Any) -> Any:
            total = Value(0.0)
            for output, w in zip(outputs.all, outputs.like("weight", weight), strict=True):
                total = total + output * w
            return variables.shaped(_gradients(total, variables.all, {*outputs.all}))

        return outputs.shaped(outputs.all), pull

    return both


def hvp(f: Callable[[list[Value]], Any], xs: Any = None, vector: Any = None) -> Any:
    """The function of xs and a vector that gives the Hessian of `f(xs)` times the vector, a list.

    With `xs` and `vector`, that product itself. It takes a backward pass for the gradient and a
    forward one along the vector, and never the matrix.

    >>> product = hvp(lambda v: v[0] ** 2 * v[1], [3.0, 5.0], [1.0, 0.0])
    >>> [x.data for x in product]
    [10.0, 6.0]
    """
    _check_function("hvp", f)

    def product(xs: Iterable[Any], vector: Iterable[Any]) -> list[Value]:
        opened = _Shape(_variables(xs), listed=True)
        directions = opened.like("vector", vector)
        value = _checked(f, f(opened.argument()), bool(opened.all))
        slopes = _gradients(value, opened.all, set())
        found = _along(slopes, dict(zip(opened.all, directions, strict=True)))
        _close(found, opened.all)
        return found

    return product if xs is None else product(xs, vector)


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
            f"expected a list of numbers or Values, got {type(xs).__name__}: {xs!r:.80}; the "
            "function takes that list, as in hessian(lambda v: v[0] ** 2 * v[1])([3.0, 5.0])"
        )
    return [_variable(x) for x in xs]


class _Shape(NamedTuple):
    """Values that are one argument or output of a function, or a list of them."""

    all: list[Value]
    listed: bool

    def argument(self) -> Any:
        return self.shaped([*self.all])

    def shaped(self, found: list[Value]) -> Any:
        """The numbers `found` for these as the caller gave these: in a list or bare."""
        return found if self.listed else found[0]

    def like(self, what: str, given: Any) -> list[Any]:
        """One number or Value of `given` for each of these, or an error that names it."""
        if self.listed and not isinstance(given, Iterable):
            raise TypeError(f"{what} is a list of {len(self.all)} numbers, got {given!r:.80}")
        numbers = list(given) if self.listed else [given]
        if len(numbers) != len(self.all):
            raise ValueError(
                f"{what} has {len(numbers)} number(s) for {len(self.all)}: {given!r:.80}"
            )
        return [x if isinstance(x, Value) else real(x) for x in numbers]


def _opened(x: Any) -> _Shape:
    listed = isinstance(x, Iterable) and not isinstance(x, str)
    return _Shape(_variables(x) if listed else [_variable(x)], listed)


def _outputs(f: object, result: Any) -> _Shape:
    if isinstance(result, (list, tuple)):
        return _Shape([_checked(f, x) for x in result], listed=True)
    return _Shape([_checked(f, result)], listed=False)


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


def _close(results: Sequence[Value], variables: Sequence[Value]) -> None:
    """Let the graph of `results` be made of what the variables were made of, not of themselves.

    While it was built they told the argument from other uses of the same Value.
    """
    parts = [(v, x) for v in variables for x in v.operands[:1] if v not in results]
    own = {v: x for v, x in parts if isinstance(x, Value)}
    if own:
        total = Value(0.0)
        for result in results:
            total = total + result
        exchange_operands(topological_order(total, stop=variables), own)


def _gradients(root: Value, variables: Sequence[Value], held: set[Value]) -> list[Value]:
    """∂root/∂variable for each one: `backward`, with Values in the place of its floats.

    They are nodes of their own, and none of those that are `held`; they are added to these.
    """
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
            for operand, slope in _slopes(node, depends):
                _add(upstream, operand, _product(node, slope, upstream[node]))
    given = {x for node in path for x in node.parents}.difference(path)
    return _alone([upstream.get(variable, 0.0) for variable in variables], held, given)


def _along(roots: Sequence[Value], tangents: Mapping[Value, Any]) -> list[Value]:
    """The derivative of each root along the tangents, of which variables have one: forward mode."""
    moved: dict[Value, Value | float] = {**tangents}
    seen = [*tangents]
    for root in roots:
        for node in topological_order(root, stop=seen):
            seen.append(node)
            for operand, slope in _slopes(node, moved):
                _add(moved, node, _product(node, slope, moved[operand]))
    given = {*tangents, *tangents.values(), *(node for node in seen if node not in moved)}
    return _alone([moved.get(root, 0.0) for root in roots], {*roots}, given)


def _add(sums: dict[Value, Value | float], node: Value, contribution: Value | float | None) -> None:
    if contribution is not None:
        sums[node] = sums[node] + contribution if node in sums else contribution


def _alone(
    results: Iterable[Value | float], held: set[Value], given: Container[Any]
) -> list[Value]:
    """The results as nodes that are neither `held` nor `given`; from then on they are held."""
    values = []
    for result in results:
        if not isinstance(result, Value):
            result = Value(result + 0.0)
        elif result in held or result in given or str(result.data) == "-0.0":
            result = result + 0.0  # which also turns −0.0 into 0.0, as in `backward`
        held.add(result)
        values.append(result)
    return values


def _slopes(node: Value, depends: Container[Value]) -> Iterator[tuple[Value, Value | float]]:
    """The operands of a node that depend on the variables, and its derivative by each."""
    operands = node.operands
    for index, operand in enumerate(operands):
        if isinstance(operand, Value) and operand in depends:
            yield operand, read_partial(OPS[node.op], index, *operands, node)


def _product(node: Value, slope: Any, factor: Value | float) -> Value | float | None:
    """Local derivative · what comes in, upstream gradient or tangent; None where nothing passes.

    A factor of 0 passes nothing on, and a branch not taken gets nothing. Either is decided when
    numbers are computed, for a graph may be compiled and run on others.
    """
    if isinstance(slope, (int, float)):
        if slope == 1.0:
            return factor
        if slope == 0.0 and OPS[node.op].selects:
            return None
    if isinstance(factor, float) and factor == 1.0:
        return slope  # type: ignore[no-any-return]
    if isinstance(slope, (int, float)) and math.isfinite(slope):
        return factor * slope
    return (ops.chain if OPS[node.op].selects else ops.gate)(slope, factor)  # type: ignore[no-any-return]
