"""The backward pass, and the forward one, a node at a time; every step can be undone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Generic, TypeVar

from micrograd_like._internal.text import one_line, quoted
from micrograd_like.engine import Value, topological_order
from micrograd_like.graph import Model, check_root, distinct_names, nodes_of
from micrograd_like.operation import real
from micrograd_like.operators import OPS
from micrograd_like.stepping.explanation import Explainer, explain
from micrograd_like.stepping.steps import (
    Contribution,
    ForwardStep,
    Step,
    contributions_of,
    forward_step,
    operation_of,
    positions_of,
)

__all__ = ["ForwardStepper", "Step", "Stepper", "explain"]

S = TypeVar("S", Step, ForwardStep)


class _Walk(ABC, Generic[S]):
    """A pass that makes a step at each of `nodes`, of which `position` are done."""

    def __init__(
        self, root: Value, names: Mapping[str, object] | None, model: Model | None
    ) -> None:
        check_root(root)
        self.root = root
        self._given = names, model
        self.nodes: list[Value] = []
        self._position = 0
        self._undo = array("d")  # what the steps done have overwritten

    def __len__(self) -> int:
        """The number of steps in the whole pass."""
        return len(self.nodes)

    def __iter__(self) -> Iterator[S]:
        """Make and give the steps that are left."""
        while (step := self.next()) is not None:
            yield step

    def __repr__(self) -> str:
        kind = type(self).__name__
        upcoming = f", next {self.title(self.upcoming)}" if self.upcoming else ""
        return f"<{kind}: {self._position} of {len(self)} steps done{upcoming}>"

    @property
    def position(self) -> int:
        """How many steps are done."""
        return self._position

    @property
    def upcoming(self) -> Value | None:
        """The node whose step is next; None if all are done."""
        return self.nodes[self._position] if self._position < len(self) else None

    @cached_property
    def names(self) -> dict[Value, str]:
        """The name of every node of the graph; no two are alike."""
        return distinct_names(nodes_of(self.root), *self._given)

    @cached_property
    def _named(self) -> dict[str, Value]:
        return {name: node for node, name in self.names.items()}

    def find(self, name: str | Value) -> Value:
        """The node with this name or label; a Value is returned as it is.

        ValueError if it is not in the graph.
        """
        if isinstance(name, Value):
            if name not in self.names:
                raise ValueError(f"{name} is not in the graph of {self.names[self.root]}")
            return name
        if not isinstance(name, str):
            raise TypeError(
                f"a node is a Value or its name, got {type(name).__name__}: {name!r:.80}"
            )
        node = self._named.get(one_line(name))
        if node is None:
            known = list(self._named)[:1000]  # comparing takes time
            close = get_close_matches(name, known, cutoff=0.5) or known[:10]
            raise ValueError(f"no node is called {quoted(name)}; there are {', '.join(close)}")
        return node

    def title(self, node: Value) -> str:
        """The node with what it was made from, c = a·b; of a leaf its name."""
        return str(operation_of(node, self.names)) if node.op else self.names[node]

    def next(self) -> S | None:
        """Make the next step; None if all are done."""
        if self._position == len(self):
            return None
        return self._record(self._do())

    def back(self) -> S | None:
        """Undo the last step, to the bit, and return it; None if there is none."""
        if self._position == 0:
            return None
        self._revert()
        return self.peek()

    def peek(self) -> S | None:
        """What `next` would do, without doing it."""
        step = self.next()
        if step is not None:
            self._revert()
        return step

    def goto(self, position: int) -> None:
        """Make or undo steps until `position` of them are done.

        ValueError for a position that the pass does not have.
        """
        if position not in range(len(self) + 1):
            raise ValueError(f"the positions are 0 to {len(self)}, got {position!r}")
        while self._position > position:
            self._revert()
        while self._position < position:
            self._do()

    def reset(self) -> None:
        """Undo all steps."""
        self.goto(0)

    def run(self, until: Value | str | None = None) -> S | None:
        """Make steps to the end, or `until` a node, given as a Value or by name, is ready.

        Returns the last step made, None if there was none to make. ValueError for a node that is
        not in the graph.
        """
        end = len(self) if until is None else self.ready(until)
        step = None
        while self._position < end:
            step = self.next()
        return step

    def ready(self, node: Value | str) -> int:
        """The number of steps after which the node has its number."""
        return self._ready[self.find(node)]

    @property
    @abstractmethod
    def _ready(self) -> Mapping[Value, int]:
        """What `ready` looks up."""

    @abstractmethod
    def _do(self) -> Any:
        """Make the next step: all of it, or where it raises, nothing."""

    @abstractmethod
    def _revert(self) -> None:
        """Undo the last step."""

    @abstractmethod
    def _record(self, done: Any) -> S:
        """The record of the last step, from what `_do` returned."""


class Stepper(_Walk[Step]):
    """The backward pass of `root`, one node at a time.

    At the start `grad` is 1 at the root and 0 at the other nodes in between. Each step passes the
    gradient of one node on to its operands. A leaf shows what it held before plus what has come in
    so far, so all through the pass it grows towards what `backward` leaves there; after the last
    step, every gradient has the bits that `root.backward()` gives.

    The local derivatives are those of the forward pass that ran. Where a leaf was given other
    `data` since, `set` or a `ForwardStepper` brings them up to date.

    `names` (such as `locals()`) and `model` give names to nodes without a label.

    >>> e = Value(1.0, "e")
    >>> L = e.tanh()
    >>> stepper = Stepper(L, names=locals())
    >>> stepper.next()
    L = tanh(e):  ∂L/∂e = 1 − L² = 0.4200   e.grad += 1.0000 · 0.4200   0.0000 → 0.4200
    >>> stepper.position, len(stepper), round(e.grad, 12)
    (1, 1, 0.419974341614)
    """

    def __init__(
        self, root: Value, *, names: Mapping[str, object] | None = None, model: Model | None = None
    ) -> None:
        super().__init__(root, names, model)
        order = topological_order(root)
        self.nodes = [node for node in reversed(order) if node.op]
        self._start = {node: node.grad for node in order if not node.op}
        self._sums = dict.fromkeys(self._start, 0.0)  # what this pass brings to each leaf
        for node in self.nodes:
            node.grad = 0.0
        root.grad = 1.0 if root.op else root.grad + 1.0

    @cached_property
    def _ready(self) -> Mapping[Value, int]:
        ready = dict.fromkeys(self.names, 0)
        for i, node in enumerate(self.nodes):
            ready |= dict.fromkeys(node.parents, i + 1)
        return ready

    @cached_property
    def _turn(self) -> Mapping[Value, int]:
        return {node: i for i, node in enumerate(self.nodes)}

    def state(self, node: Value | str) -> str:
        """How far the gradient of `node` is.

        "waits for" the nodes that have yet to pass something back to it, then "complete", "next"
        when its own step comes, and "passed on"; "detached" if no gradient can reach it.
        """
        node = self.find(node)
        if node is self.upcoming:
            return "next"
        if node not in self._turn and node not in self._sums:
            return "detached"
        waiting = self.nodes[self._position : self._ready[node]]
        names = [self.names[x] for x in waiting if node in x.parents]
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            return f"waits for {', '.join(names[:3])}{more}"
        return "passed on" if self._turn.get(node, self._position) < self._position else "complete"

    def explain(self, value: Value | str, *, paths: bool = False) -> str:
        """The gradient of `value` as it stands, as `micrograd_like.explain` writes it."""
        return Explainer(self.root, self.names, self._position).text(self.find(value), paths)

    def set(self, leaf: Value | str, data: Any) -> None:
        """Give a leaf another number: all values and gradients become what a graph built anew has.

        The position stays. What Python decided while the graph was built stays too: an `if` on a
        value is not decided again. ValueError for a node that is no leaf.
        """
        leaf, data = self.find(leaf), real(data)
        if leaf.op:
            raise ValueError(f"{self.title(leaf)} is computed: only a leaf can be set")
        position, before, forward = self._position, leaf.data, ForwardStepper(self.root)
        self.reset()
        try:
            leaf.data = data
            forward.goto(len(forward))
            self.goto(position)
        except BaseException:
            leaf.data = before
            forward.reset()
            self.reset()
            self.goto(position)
            raise

    def _do(self) -> list[tuple[float, float, float]]:
        node = self.nodes[self._position]
        amounts = contributions_of(node, node.grad)
        for parent in node.parents:
            self._undo.extend((parent.grad, self._sums.get(parent, 0.0)))
        self._position += 1
        done = []
        try:
            for parent, amount in zip(node.parents, amounts, strict=True):
                before = parent.grad
                if parent in self._sums:
                    self._sums[parent] += amount
                    parent.grad = self._sums[parent] + self._start[parent]
                else:
                    parent.grad = before + amount
                done.append((amount, before, parent.grad))
        except BaseException:  # Ctrl-C
            self._revert()
            raise
        return done

    def _revert(self) -> None:
        self._position -= 1
        for parent in reversed(self.nodes[self._position].parents):
            total, parent.grad = self._undo.pop(), self._undo.pop()
            if parent in self._sums:
                self._sums[parent] = total

    def _record(self, done: list[tuple[float, float, float]]) -> Step:
        node = self.nodes[self._position - 1]
        operation = operation_of(node, self.names)
        parts = zip(positions_of(node), node.parents, node.local_grads, done, strict=True)
        contributions = [
            Contribution(parent, position, operation, local, *numbers)
            for position, parent, local, numbers in parts
        ]
        return Step(node, operation, node.grad, tuple(contributions))


class ForwardStepper(_Walk[ForwardStep]):
    """The forward pass to `root`, one node at a time: each is computed from its operands again.

    Where a leaf was given other `data` since the graph was built, the nodes take their new numbers
    (values and local derivatives, `grad` stays) one by one.

    >>> a = Value(2.0, "a")
    >>> c = a * a
    >>> a.data = 3.0
    >>> ForwardStepper(c, names=locals()).run(), c.data
    (c = a·a = 3·3 = 9.0000, 9.0)
    """

    def __init__(
        self, root: Value, *, names: Mapping[str, object] | None = None, model: Model | None = None
    ) -> None:
        super().__init__(root, names, model)
        self.nodes = [node for node in nodes_of(root) if node.op]

    @cached_property
    def _ready(self) -> Mapping[Value, int]:
        return dict.fromkeys(self.names, 0) | {node: i + 1 for i, node in enumerate(self.nodes)}

    def _do(self) -> float:
        node = self.nodes[self._position]
        fresh = OPS[node.op](*node.operands)
        before = node.data
        self._undo.extend((before, node._dleft, node._dright))
        self._position += 1
        try:
            node._data, node._dleft, node._dright = fresh._data, fresh._dleft, fresh._dright
        except BaseException:  # Ctrl-C
            self._revert()
            raise
        return before

    def _revert(self) -> None:
        self._position -= 1
        node = self.nodes[self._position]
        node._dright, node._dleft, node._data = [self._undo.pop() for _ in range(3)]

    def _record(self, done: float) -> ForwardStep:
        return forward_step(self.nodes[self._position - 1], self.names, done)
