"""Why a gradient is what it is: one gradient as the sum over its uses, in words and numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from micrograd_like._internal.text import aligned, factor, number, one_line
from micrograd_like.engine import Value, topological_order
from micrograd_like.graph import Model, distinct_names, nodes_of
from micrograd_like.stepping.steps import (
    contributions_of,
    forward_step,
    operation_of,
    positions_of,
    slope_cells,
)

_MOST_TERMS = 4  # of a sum written in one line
_MOST_USES = 10
_MOST_PATHS = 20
_MOST_REASONS = 3
_LONGEST_PATH = 8
_COUNTED_PATHS = 10**9

T = TypeVar("T")

_USE_COLUMNS = "<   <   < < < < >   < >   < >"


def explain(
    value: Value,
    root: Value,
    *,
    names: Mapping[str, object] | None = None,
    model: Model | None = None,
    paths: bool = False,
) -> str:
    """The gradient of `root` by `value` as the sum over the uses of `value`, as text.

    The numbers are those of the last `root.backward()`; where none has run they are those it would
    give, and the text says so. It also says why a gradient is zero, and names the first node that
    became nan or inf. `paths=True` adds the sum over the paths that lead from the root to `value`,
    each with the product of its local derivatives: all of them, or the first twenty.

    `names` (such as `locals()`) and `model` give names to nodes without a label.

    >>> a, b = Value(2.0, "a"), Value(-3.0, "b")
    >>> c = a * b
    >>> d = a + c
    >>> d.backward()
    >>> print(explain(a, d, names={"c": c, "d": d}))
    a.grad = −2.0000 = (via d) ∂d/∂a · d.grad + (via c) ∂c/∂a · c.grad
                     = 1.0000 · 1.0000 + (−3.0000) · 1.0000
      via d   d = a + c   ∂d/∂a = 1             d.grad = 1.0000   contributes  1.0000
      via c   c = a·b     ∂c/∂a = b = −3.0000   c.grad = 1.0000   contributes −3.0000
    """
    return Explainer(root, distinct_names(nodes_of(root), names, model)).text(value, paths)


class _Use(NamedTuple):
    """A value as the parent number `which` of `node`, and what flows back there."""

    node: Value
    which: int
    upstream: float
    amount: float

    @property
    def parent(self) -> Value:
        return self.node.parents[self.which]

    @property
    def local(self) -> float:
        return self.node.local_grads[self.which]


class Explainer:
    """The backward pass of `root`, or its first `done` steps, on sums of its own.

    `grad` is only read, to tell whether it holds the same.
    """

    def __init__(self, root: Value, names: Mapping[Value, str], done: int | None = None) -> None:
        self.root = root
        self.names = names
        self.ran = root.grad != 0.0 or not root.op
        self.seed = root.grad if root.op and self.ran else 1.0
        steps = [node for node in reversed(topological_order(root)) if node.op]
        self.done, self.coming = steps[:done], steps[len(steps) if done is None else done :]
        self.sums = {root: self.seed}
        for node in self.done:
            amounts = contributions_of(node, self.sums[node])
            for parent, amount in zip(node.parents, amounts, strict=True):
                self.sums[parent] = self.sums.get(parent, 0.0) + amount

    def text(self, value: Value, paths: bool = False) -> str:
        """What `explain` returns."""
        if not isinstance(value, Value):
            raise TypeError(f"explain takes a Value, got {type(value).__name__}: {value!r:.80}")
        root = self.names[self.root]
        if value not in self.names:
            name = one_line(value.label) or repr(value)
            return f"{name} is not on the path: {root} is not made from it, so the gradient is 0"
        name, total = self.names[value], self.sums.get(value, 0.0)
        if value is self.root:
            return f"{name}.grad = {number(value.grad)}: {self._start()}"
        uses = [use for use in self._flow() if use.parent is value]
        coming = [self.names[node] for node in self.coming if value in node.parents]
        if not uses and not coming:
            return f"{name}.grad = 0: {self._detached(value)}"
        lines, shown = [], value.grad
        if coming:
            more = f" and {len(coming) - _MOST_TERMS} more" if len(coming) > _MOST_TERMS else ""
            lines = [
                f"{name}.grad is not complete: {', '.join(coming[:_MOST_TERMS])}{more} to come"
            ]
        elif not self.ran or (value.grad == 0.0 and total != 0.0):
            now = f"{name}.grad is {number(value.grad)}"
            lines = [f"{now}: backward has not run from {root}, or was cleared since; it gives"]
            shown = total
        lines += self._sum(name, uses, shown, total)
        if total == 0.0 and not coming:
            lines += [f"because {reason}" for reason in self._reasons(value)]
        if not math.isfinite(total) or not math.isfinite(self.root.data):
            lines.append(self._first_not_finite())
        return "\n".join(lines + self._paths(value) if paths else lines)

    def _flow(self) -> Iterator[_Use]:
        for node in self.done:
            upstream = self.sums[node]
            for index, amount in enumerate(contributions_of(node, upstream)):
                yield _Use(node, index, upstream, amount)

    @cached_property
    def _uses(self) -> dict[Value, list[_Use]]:
        uses: dict[Value, list[_Use]] = {}
        for use in self._flow():
            uses.setdefault(use.parent, []).append(use)
        return uses

    def _start(self) -> str:
        name = self.names[self.root]
        if not self.ran:
            return f"backward has not run from {name}, or was cleared since; it starts here with 1"
        if self.seed == 1.0:
            return f"the pass starts here, since ∂{name}/∂{name} = 1"
        return "the pass started here, with a seed"

    def _slope(self, use: _Use) -> str:
        operation = operation_of(use.node, self.names)
        return operation.slope(positions_of(use.node)[use.which])

    def _sum(self, name: str, uses: list[_Use], shown: float, total: float) -> list[str]:
        """The sum in symbols, in numbers, and a row for each use."""
        start = f"{name}.grad = {number(shown)}"
        rest = [] if _same(shown, total) else [factor(shown - total)]
        if 0 < len(uses) <= _MOST_TERMS:
            nodes = [self.names[use.node] for use in uses]
            terms = [
                f"(via {n}) {self._slope(u)} · {n}.grad" for n, u in zip(nodes, uses, strict=True)
            ]
            factors = [f"{factor(use.local)} · {factor(use.upstream)}" for use in uses]
            lines = [
                f"{start} = {' + '.join([*terms, '(elsewhere)'] if rest else terms)}",
                f"{' ' * len(start)} = {' + '.join(factors + rest)}",
            ]
        else:
            elsewhere = f" and {rest[0]} (elsewhere)" if rest else ""
            several = f", the sum over {len(uses)} uses" if uses else " so far"
            lines = [f"{start}{several}{elsewhere}"]
        if len(uses) > _MOST_USES:
            lines[-1] += f"; the {_MOST_USES} largest:"
            least = sorted([abs(use.amount) for use in uses])[-_MOST_USES]
            uses = [use for use in uses if not abs(use.amount) < least][:_MOST_USES]
        rows = []
        for use in uses:
            operation = operation_of(use.node, self.names)
            slope = slope_cells(operation, positions_of(use.node)[use.which], use.local)
            node = self.names[use.node]
            upstream = [f"{node}.grad =", number(use.upstream)]
            rows.append(
                [
                    f"via {node}",
                    str(operation),
                    *slope,
                    *upstream,
                    "contributes",
                    number(use.amount),
                ]
            )
        if rows:
            lines += [f"  {line}" for line in aligned(rows, _USE_COLUMNS)]
        if rest:
            root = self.names[self.root]
            lines.append(f"elsewhere: an earlier pass, or ways that do not lead through {root}")
        return lines

    # Why nothing, or no number, arrives.

    def _detached(self, value: Value) -> str:
        for node in self.done + self.coming:
            if node.op == "detach" and value in nodes_of(node):
                return f"{operation_of(node, self.names)} lets no gradient through"
        raise AssertionError(f"no detach between {value} and {self.root}")

    def _reasons(self, value: Value) -> list[str]:
        reasons: list[str] = []
        seen = {value: None}
        stack = [value]
        while stack and len(reasons) < _MOST_REASONS:
            node = stack.pop()
            uses = self._uses[node]
            if any(use.amount for use in uses):
                reasons.append(f"the contributions to {self.names[node]}.grad cancel")
                continue
            for use in uses:
                if use.local == 0.0:
                    reasons.append(self._flat(use))
                elif use.upstream != 0.0:
                    product = f"{number(use.local)} · {number(use.upstream)}"
                    reasons.append(
                        f"{self._slope(use)} · upstream = {product} is below every float"
                    )
                elif use.node not in seen:
                    seen[use.node] = None
                    stack.append(use.node)
        return list(dict.fromkeys(reasons))[:_MOST_REASONS]

    def _flat(self, use: _Use) -> str:
        operation, operand = operation_of(use.node, self.names), use.parent
        at = f"{self.names[operand]} = {number(operand.data)}"
        match use.node.op:
            case "detach":
                return f"{operation} lets no gradient through"
            case "relu":
                return f"{operation} is dead: {at} is not above 0, where its slope is 0"
            case "maximum" | "minimum":
                return f"{operation} takes the other operand"
            case "mul":
                return f"{operation} multiplies by 0"
        _, _, *formula = slope_cells(operation, positions_of(use.node)[use.which], use.local)
        return f"{operation} is flat at {at}: {self._slope(use)} = {' '.join(formula).rstrip()}"

    def _first_not_finite(self) -> str:
        for node, name in self.names.items():
            if not math.isfinite(node.data):
                leaf = f"{name} = {number(node.data)}, a leaf"
                made = forward_step(node, self.names, node.data) if node.op else leaf
                return f"the first {_kind(node.data)} of the forward pass: {made}"
        for use in self._flow():
            if not math.isfinite(use.amount):
                made = f"{self._slope(use)} · {self.names[use.node]}.grad"
                numbers = f"{factor(use.local)} · {factor(use.upstream)} = {number(use.amount)}"
                return f"the first {_kind(use.amount)} of the backward pass: {made} = {numbers}"
        return "the contributions are finite, their sum is not"

    # Paths.

    def _paths(self, value: Value) -> list[str]:
        counts = {self.root: 1}
        for node in self.done:
            for parent in node.parents:
                counts[parent] = min(counts.get(parent, 0) + counts[node], _COUNTED_PATHS)
        count = counts.get(value, 0)
        many = f"{count:,}" if count < _COUNTED_PATHS else f"more than {_COUNTED_PATHS:,}"
        first = f", the first {_MOST_PATHS}" if count > _MOST_PATHS else ""
        rows = [self._path(path) for path in islice(self._each_path(value), _MOST_PATHS)]
        title = f"paths from {self.names[self.root]} to {self.names[value]}: {many}{first}"
        return [title, *[f"  {line}" for line in aligned(rows, "<   < < >")]]

    def _each_path(self, value: Value) -> Iterator[list[_Use]]:
        stack: list[tuple[Value, Any]] = [(value, None)]  # paths as linked lists, the root first
        while stack:
            node, linked = stack.pop()
            if node is self.root:
                path = []
                while linked:
                    use, linked = linked
                    path.append(use)
                yield path
            else:
                uses = self._uses.get(node, [])  # none before the steps that lead to it
                stack += [(use.node, (use, linked)) for use in reversed(uses)]

    def _path(self, path: list[_Use]) -> list[str]:
        amount = self.seed
        for use in path:
            amount = contributions_of(use.node, amount)[use.which]
        nodes = [self.root, *[use.parent for use in path]]
        seed = [] if self.seed == 1.0 else [self.seed]
        return [
            " → ".join(_shortened(nodes, self.names.__getitem__)),
            " · ".join(_shortened([*seed, *[use.local for use in path]], factor)),
            "=",
            number(amount),
        ]


def _shortened(parts: list[T], write: Callable[[T], str]) -> list[str]:
    half = _LONGEST_PATH // 2
    if len(parts) <= _LONGEST_PATH:
        return [write(part) for part in parts]
    return [*map(write, parts[:half]), "…", *map(write, parts[-half:])]


def _same(x: float, y: float) -> bool:
    return x == y or (x != x and y != y)


def _kind(x: float) -> str:
    return "nan" if x != x else "inf"
