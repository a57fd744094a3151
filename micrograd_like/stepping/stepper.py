"""The backward pass, and the forward one, a node at a time; every step can be undone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from html import escape
from typing import Any, Generic, TypeVar

from micrograd_like._internal.text import (
    Text,
    aligned,
    folded,
    html_table,
    listed,
    number,
    on_screen,
    one_line,
    quoted,
)
from micrograd_like.engine import Value, computed, set_computed, topological_order
from micrograd_like.graph import (
    NO_CHANGES,
    Changes,
    Model,
    changes_of,
    check_root,
    distinct_names,
    given_names,
    holds,
    known_names,
    nodes_of,
)
from micrograd_like.operation import OPS, real
from micrograd_like.stepping.explanation import Explainer
from micrograd_like.stepping.formulas import held
from micrograd_like.stepping.steps import (
    Contribution,
    ForwardStep,
    Step,
    contributions_of,
    forward_step,
    operation_of,
    positions_of,
)

_MOST_UNNAMED = 20

S = TypeVar("S", Step, ForwardStep)


class _Walk(ABC, Generic[S]):
    """A pass that makes a step at each of `nodes`, of which `position` are done."""

    def __init__(
        self, root: Value, names: Mapping[str, object] | None, model: Model | None
    ) -> None:
        check_root(root)
        self.root = root
        self.variables, self.model = names, model  # what names nodes without a label
        self.nodes: list[Value] = []
        self._position = 0
        self._undo = array("d")  # what the steps done have overwritten
        self._changes = NO_CHANGES

    def __len__(self) -> int:
        """The number of steps in the whole pass."""
        return len(self.nodes)

    def __iter__(self) -> Iterator[S]:
        """Make and give the steps that are left."""
        while (step := self.next()) is not None:
            yield step

    def __repr__(self) -> str:
        return on_screen("\n".join([self._heading(), *aligned(self.steps_near(), "< >  <   <")]))

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._heading())}</p>{html_table(self.steps_near())}"

    def _heading(self) -> str:
        return f"{type(self).__name__}: {self._position} of {len(self)} steps done"

    def steps_near(self) -> list[list[str]]:
        """Up to eleven steps around this point in columns: an arrow at the next, place, title."""
        first = max(0, min(self._position - 5, len(self) - 11))
        return [
            ["->" if i == self._position else "  ", str(i + 1), self.title(node), self._note(node)]
            for i, node in enumerate(self.nodes[first : first + 11], first)
        ]

    def _note(self, node: Value) -> str:
        return ""

    @property
    def position(self) -> int:
        """The number of steps that are done."""
        return self._position

    @property
    def upcoming(self) -> Value | None:
        """The node whose step is next; None if all are done."""
        return self.nodes[self._position] if self._position < len(self) else None

    @cached_property
    def names(self) -> dict[Value, str]:
        """The name of every node of the graph; no two are alike."""
        return distinct_names(nodes_of(self.root), self.variables, self.model)

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

    @property
    def changes(self) -> Changes:
        """The leaves that were given other `data` since the graph was made."""
        return changes_of(list(self.names))

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
        """The step that `next` would do, without doing it."""
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
        """The table that `ready` looks up."""

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

    It is a pass of its own: at the start `grad` is 1 at the root and 0 everywhere else, and after
    the last step every gradient has the bits that `root.backward()` gives where none has run
    before. The gradients that were there are kept in `before`, by node, and `restore` puts them
    back.

    The local derivatives are those of the forward pass that ran. If a leaf was given other
    `data` since, steps say so, and `set` or a `ForwardStepper` brings them up to date.

    Nodes are called by their labels, or else by the caller's variables (unless `names` gives
    others), or their place in `model`.

    >>> e = Value(1.0, "e")
    >>> L = e.tanh()
    >>> stepper = Stepper(L)
    >>> stepper.next()
    L.grad = ∂L/∂L = 1 at the start
    L = tanh(e):  ∂L/∂e = 1 − L² = 0.4200   e.grad += 1.0 · 0.4200   0.0 → 0.4200
    >>> stepper.position, len(stepper), round(e.grad, 12)
    (1, 1, 0.419974341614)
    """

    def __init__(
        self, root: Value, *, names: Mapping[str, object] | None = None, model: Model | None = None
    ) -> None:
        super().__init__(root, given_names(names), model)
        order = topological_order(root)
        self.nodes = [node for node in reversed(order) if node.op]
        self.before = {node: node.grad for node in order}
        self._begin()

    def _begin(self) -> None:
        for node in self.before:
            node.grad = 0.0
        self.root.grad = 1.0
        self._begun = True

    def restore(self) -> None:
        """Undo all steps and give every node the `grad` it had before this pass.

        The next step begins the pass again.
        """
        self.reset()
        for node, grad in self.before.items():
            node.grad = grad
        self._begun = False

    def _heading(self) -> str:
        return "\n".join([super()._heading(), *self.notes()])

    def _note(self, node: Value) -> str:
        return f"{held(self.names[node])}.grad = {number(node.grad)}"

    def notes(self) -> list[str]:
        """The notes before the first step: old gradients put aside, leaves changed."""
        leaves = [node for node, grad in self.before.items() if grad and not node.op]
        shown = [f"{held(self.names[x])}.grad = {number(self.before[x])}" for x in leaves]
        earlier = folded(
            f"an earlier pass left {listed(shown)}; this one starts from 0, and restore "
            "puts these back"
        ).split("\n")
        return (earlier if leaves else []) + self.changes.lines(self.names)

    @cached_property
    def _ready(self) -> Mapping[Value, int]:
        ready = dict.fromkeys(self.names, 0)
        for i, node in enumerate(self.nodes):
            ready |= dict.fromkeys(node.parents, i + 1)
        return ready

    def state(self, node: Value | str) -> str:
        """The state of the gradient of `node`.

        "waits for" the nodes that have yet to pass something back to it, then "complete", "next"
        when its own step comes, and "passed on"; "detached" if no gradient can reach it.
        """
        node = self.find(node)
        if node is self.upcoming:
            return "next"
        if node not in self.before:
            return "detached"
        waiting = self.nodes[self._position : self._ready[node]]
        names = [self.names[x] for x in waiting if node in x.parents]
        if names:
            return f"waits for {listed(names)}"
        return "passed on" if node in self.nodes[: self._position] else "complete"

    def explain(self, value: Value | str, *, paths: bool = False) -> Text:
        """The gradient of `value` as it stands, as `micrograd_like.explain` writes it."""
        return Explainer(self.root, self.names, self._position).text(self.find(value), paths)

    def set(self, leaf: Value | str, data: Any) -> None:
        """Give a leaf another number: all values and gradients become what a graph built anew has.

        The position stays. Decisions of Python while the graph was built stay too: an `if` on a
        value is not decided again. ValueError for a node that is no leaf.
        """
        leaf, data = self.find(leaf), real(data)
        if leaf.op:
            raise ValueError(f"{self.title(leaf)} is computed: only a leaf can be set")
        position, before, forward = self._position, leaf.data, ForwardStepper(self.root, names={})
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
        if not self._begun:
            self._begin()
        node = self.nodes[self._position]
        amounts = contributions_of(node, node.grad)
        self._undo.extend([parent.grad for parent in node.parents])
        self._position += 1
        done = []
        try:
            for parent, amount in zip(node.parents, amounts, strict=True):
                before = parent.grad
                parent.grad = before + amount
                done.append((amount, before, parent.grad))
        except BaseException:  # Ctrl-C
            self._revert()
            raise
        return done

    def _revert(self) -> None:
        self._position -= 1
        for parent in reversed(self.nodes[self._position].parents):
            parent.grad = self._undo.pop()

    def _record(self, done: list[tuple[float, float, float]]) -> Step:
        node = self.nodes[self._position - 1]
        if not holds(node, self._changes.was):
            self._changes = self.changes
        changes = NO_CHANGES if holds(node, {}) else self._changes
        operation = operation_of(node, self.names, changes)
        parts = zip(positions_of(node), node.parents, node.local_grads, done, strict=True)
        contributions = [
            Contribution(parent, position, operation, local, *numbers)
            for position, parent, local, numbers in parts
        ]
        notes = self._opening() if self._position == 1 else []
        notes += changes.lines(self.names)
        return Step(node, operation, node.grad, tuple(contributions), tuple(notes))

    def _opening(self) -> list[str]:
        """The gradient that the pass starts with, and how the nodes without a name were made."""
        root = held(self.names[self.root])
        known = known_names(self.names, self.variables, self.model)
        nodes = [x for x in self.names if x not in known]
        unnamed = [self.title(x) if x.op else f"{self.names[x]} is a leaf" for x in nodes]
        start = f"{root}.grad = ∂{root}/∂{root} = 1 at the start"
        order = "then each node after all that use it"
        told = [start, order if len(self) > 1 else "", listed(unnamed, _MOST_UNNAMED)]
        return folded("; ".join(filter(None, told))).split("\n")


class ForwardStepper(_Walk[ForwardStep]):
    """The forward pass to `root`, one node at a time: each is computed from its operands again.

    If a leaf was given other `data` since the graph was built, the nodes take their new numbers
    (values and local derivatives, `grad` stays) one by one.

    >>> a = Value(2.0, "a")
    >>> c = a * a
    >>> a.data = 3.0
    >>> ForwardStepper(c).run(), c.data
    (c = a·a = 3·3 = 9.0, 9.0)
    """

    def __init__(
        self, root: Value, *, names: Mapping[str, object] | None = None, model: Model | None = None
    ) -> None:
        super().__init__(root, given_names(names), model)
        self.nodes = [node for node in nodes_of(root) if node.op]

    @cached_property
    def _ready(self) -> Mapping[Value, int]:
        return dict.fromkeys(self.names, 0) | {node: i + 1 for i, node in enumerate(self.nodes)}

    def _do(self) -> float:
        node = self.nodes[self._position]
        fresh = OPS[node.op](*node.operands)
        before = node.data
        self._undo.extend(computed(node))
        self._position += 1
        try:
            set_computed(node, *computed(fresh))
        except BaseException:  # Ctrl-C
            self._revert()
            raise
        return before

    def _revert(self) -> None:
        self._position -= 1
        db, da, data = [self._undo.pop() for _ in range(3)]
        set_computed(self.nodes[self._position], data, da, db)

    def _record(self, done: float) -> ForwardStep:
        return forward_step(self.nodes[self._position - 1], self.names, done)
