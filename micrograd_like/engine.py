"""The engine: a `Value` remembers how it was made; `backward` applies the chain rule to that.

>>> a = Value(2.0)
>>> b = a * a
>>> b.parents, b.local_grads
((Value(data=2.0, grad=0.0), Value(data=2.0, grad=0.0)), (2.0, 2.0))
>>> b.backward(); a.grad
4.0

The file runs as it stands. Its native form is made from it too, with the types in engine.pxd.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from micrograd_like import ops
from micrograd_like.operation import AnomalyError, Op, Operators, anomaly_mode, evaluate, real

_ADD, _MUL = ops.add, ops.mul


class Value(Operators):
    """A float that remembers the operation and the one or two operands it was made from.

    An operand is a Value or a plain number. The derivative of the result by each operand that is
    a Value, the local derivative, is computed with the result and kept beside the operand.

    A class of one's own holds Values; it can't be derived from this one.

    >>> a = Value(2.0, label="a")
    >>> (a * a + 1).backward(); a
    Value(data=2.0, grad=4.0, label='a')
    """

    __slots__ = ("_data", "_grad", "_label", "_made_by", "_a", "_da", "_b", "_db", "_mark")

    def __init__(self, data: Any, label: Any = "") -> None:
        self.data, self.grad, self.label = data, 0.0, label
        self._made_by: Any = None  # an Op, a row of the table in ops.py; None for a leaf
        self._a: Any = None  # the operands, None where there is none,
        self._b: Any = None
        self._da = self._db = 0.0  # and the local derivatives: ∂self/∂a, ∂self/∂b
        self._mark = 0  # used by topological_order and columns_of alone

    # `data`, `grad` and `label` may be assigned; anything but a number, or a text, is refused.

    @property
    def data(self) -> float:
        """The number. Assigning it leaves the nodes that were made from it as they are."""
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self._data = real(data)

    @property
    def grad(self) -> float:
        """The derivative of a root by this value, as `backward` of that root left it.

        A leaf's adds up over passes: `v.grad = 0` sets it back, as zero_grad does for a model.
        """
        return self._grad

    @grad.setter
    def grad(self, grad: Any) -> None:
        self._grad = real(grad)

    @property
    def label(self) -> str:
        """A name to show; any text."""
        return self._label

    @label.setter
    def label(self, label: Any) -> None:
        if not isinstance(label, str):
            raise TypeError(f"a label is a str, got {type(label).__name__}: {label!r:.80}")
        self._label = label

    # Sums and products, which most nodes are, are written out here to be faster. `_node`, further
    # below, takes the result, the operation, and the operands, each with the derivative of the
    # result by it.

    def __add__(self, other: Any) -> Value:
        if isinstance(other, Value):
            b: Value = other
            return _node(self._data + b._data, _ADD, self, 1.0, b, 1.0)
        if isinstance(other, (float, int)):
            x = float(other)
            return _node(self._data + x, _ADD, self, 1.0, x, 1.0)
        return super().__add__(other)

    def __radd__(self, other: Any) -> Value:  # with a number before the +, such as the 0 of sum()
        if isinstance(other, (float, int)):
            x = float(other)
            return _node(x + self._data, _ADD, x, 1.0, self, 1.0)
        return super().__radd__(other)

    def __mul__(self, other: Any) -> Value:
        if isinstance(other, Value):
            b: Value = other
            return _node(self._data * b._data, _MUL, self, b._data, b, self._data)
        if isinstance(other, (float, int)):
            x = float(other)
            return _node(self._data * x, _MUL, self, x, x, self._data)
        return super().__mul__(other)

    # All other operations, a - b, a.tanh() and so on, are methods of Operators, which call this.

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Value:
        a = operands[0] if isinstance(operands[0], Value) else real(operands[0])
        x = float(a)
        if len(operands) == 1:
            out = evaluate(op.forward, (x,))
            return _node(out, op, a, evaluate(op.partials[0], (x, out)))
        b = operands[1] if isinstance(operands[1], Value) else real(operands[1])
        y = float(b)
        out = evaluate(op.forward, (x, y))
        da = evaluate(op.partials[0], (x, y, out)) if isinstance(a, Value) else 0.0
        db = evaluate(op.partials[1], (x, y, out)) if isinstance(b, Value) else 0.0
        return _node(out, op, a, da, b, db)

    def __float__(self) -> float:
        return self._data

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else repr(self)

    def __round__(self, digits: Any = None) -> Any:
        return round(self._data, digits)

    def __repr__(self) -> str:
        label = f", label={self._label!r}" if self._label else ""
        return f"Value(data={self._data}, grad={self._grad}{label})"

    @property
    def op(self) -> str:
        """The name of the operation, "" for a leaf."""
        return self._made_by.name if self._made_by else ""

    @property
    def operands(self) -> tuple[Value | float, ...]:
        """The Values and plain numbers that the operation was applied to, in order."""
        return tuple([x for x in (self._a, self._b) if x is not None])

    @property
    def parents(self) -> tuple[Value, ...]:
        """The operands that are Values, in order; a * a has the parents (a, a)."""
        return tuple([x for x in (self._a, self._b) if isinstance(x, Value)])

    @property
    def local_grads(self) -> tuple[float, ...]:
        """The derivative of this value by each parent, as it was when this value was made."""
        both = ((self._a, self._da), (self._b, self._db))
        return tuple([slope for x, slope in both if isinstance(x, Value)])

    @property
    def _prev(self) -> tuple[Value, ...]:
        return self.parents  # micrograd's name for it, as is _op

    @property
    def _op(self) -> str:
        return self.op

    def backward(self, seed: Any = 1.0) -> None:
        """Compute seed · ∂self/∂v for this value and every v that it was made from.

        A leaf adds the result to its `grad`, so that several passes add up; all other values have
        it as their `grad`. A pass that raises an error leaves the leaves as they were.
        """
        start = real(seed)
        order = topological_order(self)
        earlier: dict[Value, float] = {}  # the leaves' gradients of passes before, added at the end
        try:
            _start_at_zero(order, earlier)
            _chain_rule(order, start)
        except BaseException:
            for leaf, grad in earlier.items():
                leaf.grad = grad
            raise
        for leaf, grad in earlier.items():
            leaf.grad += grad

    # Copying and freeing; no part of the idea.

    def __reduce__(self) -> tuple[Any, ...]:
        if self.op:
            raise TypeError(f"only leaves are copied and pickled: {self} was made by {self.op}")
        return _copied, (self.data, self.label, self.grad)

    def __dealloc__(self) -> None:
        # Only the native form calls this, when a node is freed; Python frees its own objects.
        # Letting go of an operand may free it, and so call this again from inside, a million deep
        # for a chain of a million. From 200 deep on, operands wait in a list for the first call.
        global _depth, _freed
        _freed += 1
        if _freed == 8192 * len(_kept) and len(_kept) < 33:
            _kept.append(Value.__new__(Value))
        _depth += 1
        if _depth < 200:
            self._a = self._b = None
        else:
            _waiting.append(self._a)
            _waiting.append(self._b)
        if _depth == 1:
            while _waiting:
                _waiting.pop()
            _freed = 0
        _depth -= 1


# Of __dealloc__: how many calls are running, and the operands left for the first one.
_depth = 0
_waiting: list[Any] = []

# And how many nodes the first one has freed. Memory that is all free goes back to the system, which
# takes a fifth of a training step to give it again. So for every 8192 nodes of the largest graph
# freed, up to 32 times, a new one is made among those just freed, and kept: it holds a megabyte.
_freed = 0
_kept: list[Any] = [None]

_marks = count(1)  # for topological_order and columns_of


def topological_order(root: Value, stop: Iterable[Value] = ()) -> list[Value]:
    """The Values that the gradient of `root` reaches: operands first, `root` last.

    Nodes in `stop` are left out, and so is what is reached through them alone.
    """
    # Marks that no walk before has used, so that none need be taken off the nodes first.
    entered, done = next(_marks), next(_marks)
    for node in stop:
        node._mark = done
    order: list[Value] = []
    todo: list[Value] = [root]
    while todo:
        node = todo.pop()
        if node._mark == done:
            continue
        if node._mark == entered:  # its operands are in the order by now
            node._mark = done
            order.append(node)
            continue
        node._mark = entered
        todo.append(node)  # whose turn comes again after that of its operands
        # No gradient passes a.detach(), a constant: its local derivative is 0, and adds nothing.
        if isinstance(node._a, Value) and not (node._da == 0.0 and node._made_by.constant):
            todo.append(node._a)
        if isinstance(node._b, Value):
            todo.append(node._b)
    return order


def _start_at_zero(order: list[Value], earlier: dict[Value, float]) -> None:
    # Leaves too: what they have from passes before is added when this one has ended well.
    for node in order:
        if node._made_by is None:
            earlier[node] = node._grad
        node._grad = 0.0


def _chain_rule(order: list[Value], seed: float) -> None:
    """Add to every node in `order` seed · the derivative of the last one by it; all start at 0.

    Going backward, all that was made from a node has its turn before the node, so by then the
    node's gradient is the whole sum of the contributions to it.
    """
    order[-1].grad = seed
    for node in reversed(order):
        if isinstance(node._a, Value):
            operand = node._a
            operand._grad += contribution(node, node._grad, node._da)
        if isinstance(node._b, Value):
            operand = node._b
            operand._grad += contribution(node, node._grad, node._db)


def contribution(node: Value, upstream: float, slope: float) -> float:
    """The amount added to the gradient of an operand: upstream gradient · local derivative."""
    product = upstream * slope
    return product if math.isfinite(product) else _not_finite(node, upstream, slope)


def _not_finite(node: Value, upstream: float, slope: float) -> float:
    if upstream == 0.0:
        return 0.0  # nothing comes in, so nothing goes on, even where the slope is infinite
    if slope == 0.0 and node._made_by.selects:
        return 0.0  # the branch that max, say, did not take, gets nothing of an infinite gradient
    if anomaly_mode.on:
        raise AnomalyError(
            f"backward: {node.op} of {node.operands} with an upstream gradient of {upstream} "
            f"contributes {slope} · {upstream} = {upstream * slope}"
        )
    return upstream * slope


def _node(data: float, op: Op, a: Any, da: float, b: Any = None, db: float = 0.0) -> Value:
    """The Value that `op` made of the operands a and b, with its derivative by each.

    Values are made here by the thousand, so nothing is checked, and `__init__` is not called.
    """
    node: Value = Value.__new__(Value)
    node._data, node._grad, node._label, node._mark = data, 0.0, "", 0
    node._made_by, node._a, node._da, node._b, node._db = op, a, da, b, db
    if anomaly_mode.on and not math.isfinite(data):
        raise AnomalyError(f"forward: {node.op} of {node.operands} gives {data}")
    return node


def _copied(data: float, label: str, grad: float) -> Value:
    leaf = Value(data, label)
    leaf.grad = grad
    return leaf


# For programs, which read whole graphs and many numbers at once, faster here than from outside.


def read_data(values: Sequence[Value], into: Any) -> None:
    """Put the `data` of each Value at its place in an array of doubles."""
    for place, value in enumerate(values):
        into[place] = value._data


def add_gradients(values: Sequence[Value], slopes: Any) -> None:
    """Add to the `grad` of each Value the number at its place in an array of doubles."""
    for place, value in enumerate(values):
        value._grad += slopes[place]


def columns_of(roots: Iterable[Value]) -> Any:
    """The graph of `roots` as columns, operands before what is made of them, left to right.

    For each node itself, the name of its operation, and its first and its second operand: the
    number of a node, a float, or None. Then the number of each node, and the labels by number.
    """
    numbers: dict[Any, Any] = {}
    nodes: list[Any] = []
    names: list[Any] = []
    first: list[Any] = []
    second: list[Any] = []
    labels: dict[Any, Any] = {}
    entered, done = next(_marks), next(_marks)
    todo: list[Any] = [*roots][::-1]
    while todo:
        node = todo.pop()
        if node._mark == done:
            continue
        if node._mark != entered:
            node._mark = entered
            todo.append(node)  # whose turn comes again after that of its operands
            if isinstance(node._b, Value):
                todo.append(node._b)
            if isinstance(node._a, Value):
                todo.append(node._a)
            continue
        node._mark = done
        number = len(nodes)
        if numbers.setdefault(node, number) != number:
            continue  # another thread's walk has left its mark here
        if node._label:
            labels[number] = node._label
        nodes.append(node)
        names.append(node._made_by.name if node._made_by is not None else "")
        first.append(numbers[node._a] if isinstance(node._a, Value) else node._a)
        second.append(numbers[node._b] if isinstance(node._b, Value) else node._b)
    return nodes, names, first, second, numbers, labels


# Derivatives of functions take the places of the function's own variables out of a finished graph.


def exchange_operands(nodes: Iterable[Value], exchanged: dict[Value, Value]) -> None:
    """Let nodes have other operands in the place of some, which are of the same numbers."""
    for node in nodes:
        if isinstance(node._a, Value):
            node._a = exchanged.get(node._a, node._a)
        if isinstance(node._b, Value):
            node._b = exchanged.get(node._b, node._b)


# The stepper repeats the forward pass node by node, and takes it back, with these two.


def computed(node: Value) -> tuple[float, float, float]:
    """The numbers computed when `node` was made: its value and the local derivatives."""
    return node._data, node._da, node._db


def set_computed(node: Value, data: float, da: float, db: float) -> None:
    """Replace what `computed` gives."""
    node._data, node._da, node._db = data, da, db
