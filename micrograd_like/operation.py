"""The class of operations, and one expression of them read in several ways.

An `Op` holds a forward function on floats and one partial derivative per operand. A partial is a
straight-line expression in the operands and the output, written with overloaded operators and with
other operations. `Op.__call__` computes when all operands are numbers; any other operand is asked,
through its `_apply` method, to record the operation in its own way. So one expression gives

- on floats the local derivative that a node stores when it is made,
- on Values the graph of the derivative, hence gradients of gradients,
- on symbols the formula that the stepper prints and the instructions that a program runs,
- over its domain, against an oracle, a test.
"""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock, get_ident
from typing import Any, Final, Self

Interval = tuple[float, float]
LINE: Interval = (-math.inf, math.inf)

OPS: dict[str, Op] = {}
"""The table: every operation by its name. `register` adds to it."""


class Writing:
    """The functions that write rows out; the package puts in those of the rooms above this one."""

    def __init__(self) -> None:
        self.table: Callable[[dict[str, Op]], Any] = ", ".join
        self.text: Callable[[Any], Any] = lambda op: f"Op({op.name!r})"
        self.latex: Callable[[Any], Any] = lambda op: rf"\operatorname{{{op.name}}}"


writing: Final = Writing()


class Op:
    """One operation of one or two operands; calling it applies it.

    - `name`: what `Value.op` says; a Python identifier.
    - `symbol`: what drawings and formulas show.
    - `forward`: floats to float, by the rules of IEEE 754: never an exception.
    - `partials`: one function a operand, called with the operands and then the output.
    - `domain`: one interval per operand where the tests sample it; the whole line unless given.
    - `source`: where the derivative is from.
    - `notation`: how a formula writes it, as a format of the operands; "symbol(a, b)" unless given.
    - `textbook`: for a row that exists because the expression everybody knows loses digits: that
      expression. Formulas show it, nothing computes with it.
    - `tails`: beside a textbook form, one that keeps its digits where that one is a difference of
      nearly equal numbers. Formulas show it there.
    - `selects`: the operation picks a branch: where a local derivative is zero, nothing flows
      back, not even an upstream gradient of inf or nan.
    - `branchless`: `forward` where nothing can branch, as for vectors of rows: called with a
      backend's mathematics (see `floats`) and the operands. A row whose forward function branches
      runs on such a backend only with it.
    - `cheaper`: called with operands of which some are plain numbers, an expression that gives the
      same bits with less work, or None.
    - `constant`: the result counts as a constant, so a backward pass ends there. The operation has
      one operand, a local derivative of 0, and `selects`.

    >>> cube = Op("cube", "cube", lambda a: a * a * a, (lambda a, out: 3 * a * a,))
    >>> cube(2.0)
    8.0
    """

    __slots__ = (
        "name", "symbol", "forward", "partials", "domain", "source", "notation", "textbook",
        "selects", "tails", "branchless", "cheaper", "constant",
    )  # fmt: skip

    # Nothing is checked here: `register` says what is wrong with an operation. The native form
    # would check what is called a str, and in other words.
    def __init__(
        self,
        name: Any,
        symbol: Any,
        forward: Callable[..., Any],
        partials: Sequence[Callable[..., Any]],
        domain: Sequence[Interval] = (),
        source: Any = "",
        notation: Any = "",
        textbook: Callable[..., Any] | None = None,
        selects: bool = False,
        tails: Callable[..., Any] | None = None,
        branchless: Callable[..., Any] | None = None,
        cheaper: Callable[..., Any] | None = None,
        constant: bool = False,
    ) -> None:
        self.name: str = name
        self.symbol: str = symbol
        self.source: str = source
        self.notation: str = notation
        self.forward, self.partials, self.domain = forward, partials, domain
        self.textbook, self.tails = textbook, tails
        self.branchless, self.cheaper = branchless, cheaper
        self.selects, self.constant = selects, constant

    def __call__(self, *operands: Any) -> Any:
        """The operation applied: a float for numbers, a Value if an operand is one."""
        for operand in operands:
            if type(operand) is not float:
                return self._dispatch(operands)
        try:
            return self.forward(*operands)
        except ArithmeticError:
            return evaluate(self.forward, operands)

    def _dispatch(self, operands: tuple[Any, ...]) -> Any:
        if len(operands) != len(self.partials):
            raise TypeError(f"{self.name} takes {len(self.partials)} operand(s), got {operands!r}")
        for operand in operands:
            if isinstance(operand, Operators):
                if OPS.get(self.name) is not self:
                    raise ValueError(f"Op({self.name!r}) is not in the table: call register first")
                return operand._apply(self, operands)
        return evaluate(self.forward, [*map(real, operands)])

    def __repr__(self) -> str:
        return str(writing.text(self))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"

    @property
    def latex(self) -> str:
        """The row as formulas of LaTeX: the value, and the derivative by each operand."""
        return str(writing.latex(self))

    def __reduce__(self) -> tuple[Any, ...]:
        if OPS.get(self.name) is not self:
            raise TypeError(f"Op({self.name!r}) is not in the table: register it to copy it")
        return row, (self.name,)


def row(name: str) -> Op:
    """The operation of this name in the table, where `copy` and `pickle` look for it."""
    if name not in OPS:
        raise ValueError(f"there is no operation {name!r} here: call register with it first")
    return OPS[name]


def register(op: Any) -> Op:
    """Add a row to the table and return it; a name already taken raises ValueError.

    The new operation is called like a function, on Values or on plain numbers.

    >>> from micrograd_like import Op, Value, register
    >>> cube = register(Op("cube", "cube", lambda a: a * a * a, (lambda a, out: 3 * a * a,)))
    >>> x = Value(2.0)
    >>> cube(x).backward()
    >>> x.grad
    12.0
    >>> del OPS["cube"]  # so that this example can run twice
    """
    if not isinstance(op, Op):
        raise TypeError(f"register takes an Op, got {type(op).__name__}: {op!r:.80}")
    row: Any = op  # whose fields may be of any type yet
    if not isinstance(row.name, str) or not row.name.isidentifier():
        raise ValueError(f"an operation's name is an identifier, got {row.name!r}")
    if row.name in OPS:
        raise ValueError(f"there is an operation {row.name!r} already: choose another name")
    arity = len(row.partials)
    if arity not in (1, 2):
        raise ValueError(
            f"operation {row.name!r} has {arity} partials: give one per operand, for one or two "
            "operands, and compose what takes more"
        )
    _check_signature(row.name, "forward", row.forward, arity, "the operands")
    for i, partial in enumerate(row.partials):
        _check_signature(
            row.name, f"partial {i}", partial, arity + 1, "the operands and the output"
        )
    if row.domain and len(row.domain) != arity:
        raise ValueError(
            f"operation {row.name!r} takes one (low, high) per operand as its domain, got "
            f"{row.domain!r} for {arity} operand(s)"
        )
    if row.constant and not (arity == 1 and row.selects):
        raise ValueError(
            f"operation {row.name!r} is constant, so it takes one operand and selects; it has "
            f"{arity} operand(s) and selects={row.selects!r}"
        )
    OPS[row.name] = op
    return op


def _check_signature(
    name: str, what: str, function: Callable[..., Any], count: int, arguments: str
) -> None:
    import inspect  # which takes a third of the time that importing the package may take

    try:
        signature = inspect.signature(function)
    except ValueError:  # of some functions written in C, as math.hypot, Python can't tell
        return
    try:
        signature.bind(*range(count))
    except TypeError:
        raise ValueError(
            f"operation {name!r}: its {what} is called with {count} argument(s), {arguments}, but "
            f"takes {signature}"
        ) from None


NUMBER: Final = (float, int, numbers.Real)  # float first: asking an abstract class takes longer


class Operators:
    """Operands that can be computed with: Values, and classes that read an expression otherwise."""

    __slots__ = ()
    __array_ufunc__ = None  # numpy leaves its operators to ours

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Self:
        """The result of `op` on `operands`, of which `self` is one; the others may be numbers."""
        raise NotImplementedError

    def _binary(self, name: str, a: Any, b: Any) -> Self:
        other = b if a is self else a
        if not isinstance(other, Operators) and not isinstance(other, NUMBER):
            if is_truth(other):
                return self._binary(name, *[float(x) if x is other else x for x in (a, b)])
            if hasattr(other, "__array__"):
                raise TypeError(
                    f"{name} of a {type(self).__name__} and a {type(other).__name__}: one number "
                    "at a time, as in [value + x for x in array]"
                )
            return NotImplemented  # type: ignore[no-any-return]
        return self._apply(OPS[name], (a, b))

    def __add__(self, other: Any) -> Self:
        return self._binary("add", self, other)

    def __radd__(self, other: Any) -> Self:
        return self._binary("add", other, self)

    def __sub__(self, other: Any) -> Self:
        return self._binary("sub", self, other)

    def __rsub__(self, other: Any) -> Self:
        return self._binary("sub", other, self)

    def __mul__(self, other: Any) -> Self:
        return self._binary("mul", self, other)

    def __rmul__(self, other: Any) -> Self:
        return self._binary("mul", other, self)

    def __truediv__(self, other: Any) -> Self:
        return self._binary("div", self, other)

    def __rtruediv__(self, other: Any) -> Self:
        return self._binary("div", other, self)

    def __pow__(self, other: Any) -> Self:
        return self._binary("pow", self, other)

    def __rpow__(self, other: Any) -> Self:
        return self._binary("pow", other, self)

    def __pos__(self) -> Self:
        return self

    def __neg__(self) -> Self:
        return self._apply(OPS["neg"], (self,))

    def __abs__(self) -> Self:
        return self._apply(OPS["abs"], (self,))

    # An order would invite a branch in Python, which no gradient sees and a program freezes.

    def __lt__(self, other: Any) -> Any:
        raise _unordered(self, "<", other)

    def __le__(self, other: Any) -> Any:
        raise _unordered(self, "<=", other)

    def __gt__(self, other: Any) -> Any:
        raise _unordered(self, ">", other)

    def __ge__(self, other: Any) -> Any:
        raise _unordered(self, ">=", other)

    def __hash__(self) -> int:  # by identity; the native form has none beside an order
        return id(self) >> 4

    def relu(self) -> Self:
        """max(0, a); the slope at 0 is 0."""
        return self._apply(OPS["relu"], (self,))

    def sigmoid(self) -> Self:
        """1 / (1 + exp(−a)), exact in both tails."""
        return self._apply(OPS["sigmoid"], (self,))

    def tanh(self) -> Self:
        """The hyperbolic tangent."""
        return self._apply(OPS["tanh"], (self,))

    def exp(self) -> Self:
        """e to the power a."""
        return self._apply(OPS["exp"], (self,))

    def log(self) -> Self:
        """The natural logarithm: −inf at 0, nan below."""
        return self._apply(OPS["log"], (self,))

    def log1p(self) -> Self:
        """ln(1 + a), exact where a is small."""
        return self._apply(OPS["log1p"], (self,))

    def sqrt(self) -> Self:
        """The square root: nan below 0."""
        return self._apply(OPS["sqrt"], (self,))

    def sin(self) -> Self:
        """The sine of an angle in radians."""
        return self._apply(OPS["sin"], (self,))

    def cos(self) -> Self:
        """The cosine of an angle in radians."""
        return self._apply(OPS["cos"], (self,))

    def tan(self) -> Self:
        """The tangent of an angle in radians."""
        return self._apply(OPS["tan"], (self,))

    def asin(self) -> Self:
        """The angle in radians, from −π/2 to π/2, whose sine this is: nan beyond ±1."""
        return self._apply(OPS["asin"], (self,))

    def acos(self) -> Self:
        """The angle in radians, from 0 to π, whose cosine this is: nan beyond ±1."""
        return self._apply(OPS["acos"], (self,))

    def atan(self) -> Self:
        """The angle in radians, from −π/2 to π/2, whose tangent this is."""
        return self._apply(OPS["atan"], (self,))

    def sinh(self) -> Self:
        """The hyperbolic sine."""
        return self._apply(OPS["sinh"], (self,))

    def cosh(self) -> Self:
        """The hyperbolic cosine."""
        return self._apply(OPS["cosh"], (self,))

    def expm1(self) -> Self:
        """exp(a) − 1, exact where a is small."""
        return self._apply(OPS["expm1"], (self,))

    def erf(self) -> Self:
        """The error function."""
        return self._apply(OPS["erf"], (self,))

    def softplus(self) -> Self:
        """ln(1 + exp a), a smooth relu, exact in both tails."""
        return self._apply(OPS["softplus"], (self,))

    def detach(self) -> Self:
        """The same number, a constant to every derivative."""
        return self._apply(OPS["detach"], (self,))


def _unordered(a: Any, sign: str, b: Any) -> TypeError:
    kinds = f"{type(a).__name__} {sign} {type(b).__name__}"
    return TypeError(
        f"{kinds}: there is no order; to decide by the numbers write a.data {sign} b.data, and for "
        "the greater or the lesser one maximum(a, b) or minimum(a, b)"
    )


class IeeeFloat(Operators):
    """A number whose operators follow IEEE 754 where those of `float` raise or turn complex."""

    __slots__ = ("number",)

    def __init__(self, number: float) -> None:
        self.number = number

    def __float__(self) -> float:
        return self.number

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> IeeeFloat:
        return IeeeFloat(evaluate(op.forward, [*map(float, operands)]))


def evaluate(expression: Callable[..., Any], operands: Sequence[float]) -> float:
    """`expression` of floats, by IEEE rules.

    Plain floats are tried first, because they are fast; they raise where IEEE has an answer (and
    a negative base to a broken power turns complex), and then the expression is read once more on
    numbers that follow the rules.

    >>> evaluate(lambda a: 1 / a, (0.0,))
    inf
    """
    try:
        try:
            return float(expression(*operands))
        except (ArithmeticError, TypeError):
            return float(expression(*map(IeeeFloat, operands)))
    except Exception as error:  # of somebody's own row
        for op in OPS.values():
            if expression is op.forward or expression in op.partials:
                error.add_note(f"in operation {op.name!r} of {', '.join(map(str, operands))}")
        raise


def real(x: object) -> float:
    """`x` as a float; anything that is no real number raises TypeError and is named.

    >>> from fractions import Fraction
    >>> real(3), real(True), real(Fraction(1, 4))
    (3.0, 1.0, 0.25)
    >>> real("3")
    Traceback (most recent call last):
    TypeError: expected a real number, got str: '3'
    """
    if type(x) is float:
        return x
    # int first: asking an abstract class takes longer
    if not isinstance(x, (int, numbers.Real)) and not is_truth(x):
        raise TypeError(f"expected a real number, got {type(x).__name__}: {x!r:.80}")
    return float(x)  # type: ignore[arg-type]


def is_truth(x: object) -> bool:
    """True if `x` is numpy's True or False, which is no number to Python."""
    kind = type(x)
    return kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_")


class AnomalyError(ArithmeticError):
    """An operation made a nan or an inf while `detect_anomaly` was on."""


class AnomalyMode:
    """The switch that `detect_anomaly` turns, one for all threads."""

    def __init__(self) -> None:
        self.on = False
        self._inside: list[int] = []  # a thread's number for each block that is being run
        self._changing = RLock()

    def enter(self, thread: int) -> None:
        """Count a block that this thread enters."""
        with self._changing:
            self._inside.append(thread)
            self.on = True

    def leave(self, thread: int) -> None:
        """Count it no more; threads may leave in another order than they entered."""
        with self._changing:
            self._inside.remove(thread)
            self.on = bool(self._inside)

    def after_fork(self) -> None:
        """Forget the blocks of other threads, which the child of a process does not have."""
        self._changing = RLock()
        self._inside = [thread for thread in self._inside if thread == get_ident()]
        self.on = bool(self._inside)


anomaly_mode: Final = AnomalyMode()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=anomaly_mode.after_fork)


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Inside the `with`, the first operation that makes a nan or an inf raises AnomalyError.

    The error names the operation, its operands and, in a backward pass, the upstream gradient; from
    a compiled program, the operation and the row. It holds for all threads until the last that is
    inside such a `with` leaves it.

    >>> from micrograd_like import Value
    >>> with detect_anomaly():
    ...     Value(0.0).log()
    Traceback (most recent call last):
    micrograd_like.operation.AnomalyError: forward: log of (Value(data=0.0, grad=0.0),) gives -inf
    """
    thread = get_ident()
    anomaly_mode.enter(thread)
    try:
        yield
    finally:
        anomaly_mode.leave(thread)
