"""The engine: a `Value` remembers how it was made; `backward` applies the chain rule to that."""

from __future__ import annotations

from itertools import count
from typing import Any, Final, final

from micrograd_like.compiler_hints import OrNotImplemented, mypyc_attr
from micrograd_like.operation import Op, anomaly_mode, evaluate, leaf, not_finite, real, tag
from micrograd_like.operators import OPS, Operators

_NO_LABEL: Final = ""  # known by its identity, which is told faster
_marks: Final = count(1, 2)  # two marks a pass: entered, and the next number, done


@final
@mypyc_attr(acyclic=True)  # a node only points to older nodes, so the collector need not look
class Value(Operators):
    """A float that remembers the operation and the one or two operands it was made from.

    Beside each operand stands its local derivative, computed with the value. A plain number gets
    no node: its parent is None, and the number stands where the derivative would.

    >>> a = Value(2.0, label="a")
    >>> (a * a + 1).backward(); a
    Value(data=2.0, grad=4.0, label='a')
    """

    # Eight slots: a ninth takes a node past 150 bytes, so op and label share one, as "op:label".
    __slots__ = ("_data", "_grad", "_tag", "_left", "_dleft", "_right", "_dright", "_mark")

    def __init__(
        self,
        data: Any,
        label: Any = _NO_LABEL,
        op: str = "",
        left: Value | None = None,
        dleft: float = 0.0,
        right: Value | None = None,
        dright: float = 0.0,
    ) -> None:
        self._data: float = data if type(data) is float else real(data)
        self._left, self._dleft = left, dleft
        self._right, self._dright = right, dright
        self._tag = op if label is _NO_LABEL else tag(op, label)
        self._grad, self._mark = 0.0, 0
        if anomaly_mode.on:
            anomaly_mode.check(self)

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self._data}, grad={self._grad}{label})"

    def __float__(self) -> float:
        return self._data

    def __reduce__(self) -> tuple[Any, ...]:
        if self.op:
            raise TypeError(f"only leaves are copied and pickled: {self} was made by {self.op}")
        return leaf, (Value, self._data, self.label, self._grad)

    @property
    def data(self) -> float:
        """The number. Assigning it leaves the nodes that were made from it as they are."""
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self._data = real(data)

    @property
    def grad(self) -> float:
        """What `backward` left here: the derivative of the root by this value."""
        return self._grad

    @grad.setter
    def grad(self, grad: Any) -> None:
        self._grad = real(grad)

    @property
    def op(self) -> str:
        """The name of the operation, "" for a leaf."""
        return self._tag.partition(":")[0]

    @property
    def label(self) -> str:
        """A name to show; anything."""
        return self._tag.partition(":")[2]

    @label.setter
    def label(self, label: Any) -> None:
        self._tag = tag(self.op, label)

    @property
    def operands(self) -> tuple[Value | float, ...]:
        """What the operation was applied to, in order: Values and plain numbers."""
        both = (self._left or self._dleft, self._right or self._dright)
        return both[: len(OPS[self.op].partials) if self.op else 0]

    @property
    def parents(self) -> tuple[Value, ...]:
        """The operands that are Values, in order; a * a has the parents (a, a)."""
        return tuple([x for x in (self._left, self._right) if x is not None])

    @property
    def local_grads(self) -> tuple[float, ...]:
        """The derivative of this value by each parent, as it was when this value was made."""
        sides = ((self._left, self._dleft), (self._right, self._dright))
        return tuple([slope for parent, slope in sides if parent is not None])

    @property
    def _prev(self) -> tuple[Value, ...]:
        return self.parents  # micrograd's name for it, as is _op

    @property
    def _op(self) -> str:
        return self.op

    # Two rows of the table, written out for speed; the rest comes from Operators, through _apply.

    def __add__(self, other: Any) -> OrNotImplemented[Value]:
        if isinstance(other, Value):
            return Value(self._data + other._data, "", "add", self, 1.0, other, 1.0)
        if isinstance(other, (int, float)):
            return Value(self._data + (x := float(other)), "", "add", self, 1.0, None, x)
        return self._binary("add", self, other)

    def __radd__(self, other: Any) -> OrNotImplemented[Value]:
        if isinstance(other, (int, float)):  # sum() starts at 0
            return Value((x := float(other)) + self._data, "", "add", None, x, self, 1.0)
        return self._binary("add", other, self)

    def __mul__(self, other: Any) -> OrNotImplemented[Value]:
        if isinstance(other, Value):
            return Value(self._data * other._data, "", "mul", self, other._data, other, self._data)
        if isinstance(other, (int, float)):
            return Value(self._data * (x := float(other)), "", "mul", self, x, None, x)
        return self._binary("mul", self, other)

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Value:
        a, b = operands[0], operands[-1]
        left = a if isinstance(a, Value) else None
        x = real(a) if left is None else left._data
        if len(operands) == 1:
            out = evaluate(op.forward, x)
            return Value(out, "", op.name, left, evaluate(op.partials[0], x, out))
        right = b if isinstance(b, Value) else None
        y = real(b) if right is None else right._data
        out = evaluate(op.forward, x, y)
        dleft = x if left is None else evaluate(op.partials[0], x, y, out)
        dright = y if right is None else evaluate(op.partials[1], x, y, out)
        return Value(out, "", op.name, left, dleft, right, dright)

    def backward(self, seed: Any = 1.0) -> None:
        """Add seed · ∂self/∂leaf to the `grad` of every leaf, and set it on the nodes between."""
        start, order = real(seed), topological_order(self)
        leaves = [node for node in order if node._left is None is node._right]
        before = [leaf._grad for leaf in leaves]
        for node in order:
            node._grad = 0.0
        self._grad = start
        try:
            for node in reversed(order):
                upstream, left, right = node._grad, node._left, node._right
                if left is not None:
                    c = upstream * node._dleft
                    left._grad += c if c - c == 0.0 else not_finite(node, node._dleft, c)
                if right is not None:
                    c = upstream * node._dright
                    right._grad += c if c - c == 0.0 else not_finite(node, node._dright, c)
        except BaseException:
            for leaf, grad in zip(leaves, before):
                leaf._grad = grad  # a pass cut short adds nothing
            raise
        for leaf, grad in zip(leaves, before):
            leaf._grad += grad


def topological_order(root: Value) -> list[Value]:
    """What the gradient of `root` flows through: parents before children, `root` last."""
    entered: int = next(_marks)
    done = entered + 1  # one int for all nodes, since a number of its own takes each 32 bytes
    order, stack = [], [root]
    while stack:
        node = stack[-1]
        if node._mark < entered:
            node._mark = entered
            left, right = node._left, node._right
            if left is not None and left._mark < entered and (node._dleft or node.op != "detach"):
                stack.append(left)
            if right is not None and right._mark < entered:
                stack.append(right)
        elif stack.pop()._mark == entered:  # its second visit, after the parents
            node._mark = done
            order.append(node)
    return order
