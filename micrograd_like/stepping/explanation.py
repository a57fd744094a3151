"""The reasons for a gradient: the sum over the uses of its Value, in words and numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from micrograd_like._internal.text import (
    COLUMNS,
    Text,
    aligned,
    factor,
    folded,
    html_table,
    listed,
    number,
    one_line,
    width_of,
)
from micrograd_like.engine import Value, topological_order
from micrograd_like.graph import (
    Model,
    changes_of,
    distinct_names,
    given_names,
    known_names,
    nodes_of,
    require_root,
    same,
)
from micrograd_like.operation import OPS, Op
from micrograd_like.stepping.formulas import (
    Symbol,
    as_typed,
    formula_of,
    held,
    jump,
    latex_fraction,
)
from micrograd_like.stepping.steps import (
    Operation,
    broken_lines,
    contributions_of,
    expression_of,
    forward_step,
    operation_of,
    positions_of,
    slope_cells,
)

_MOST_TERMS = 4  # of a sum written in one line
_MOST_USES = 10
_MOST_IN_FULL = 100  # nodes of an expression that one line may hold
_MOST_PATHS = 20
_MOST_REASONS = 3
_LONGEST_PATH = 8
_COUNTED_PATHS = 10**9

T = TypeVar("T")

_FLAT = 1e-6  # a local derivative below it in size is worth a word


def explain(
    value: Value,
    root: Value | None = None,
    *,
    names: Mapping[str, object] | None = None,
    model: Model | None = None,
    paths: bool = False,
) -> Text:
    """The gradient of `root` by `value` as the sum over the uses of `value`, as text.

    The numbers are those of the last `root.backward()`; where none has run they are those it would
    give, and the text says so. It also says why a gradient is zero or tiny, which way a `detach`
    has cut, and names the first node that became nan or inf. If a leaf was given other `data`
    since the graph was made, it says which, and keeps to the numbers that the graph was made with.
    A root that is made of nodes without a name, or has none itself, is written out first. If it is
    the first derivative, `grad(f)(x)`, the gradient by x is the second.
    `paths=True` adds the sum over the paths that lead from the root to `value`, each with the
    product of its local derivatives: all of them, or the first twenty.

    Nodes are called by their labels, or else by the caller's variables (unless `names` gives
    others), or their place in `model`. At the REPL it needs no `print`; a notebook shows a table.

    >>> a, b = Value(2.0, "a"), Value(-3.0, "b")
    >>> c = a * b
    >>> d = a + c
    >>> d.backward()
    >>> explain(a, d)
    a.grad = −2.0 = (via d) ∂d/∂a · d.grad + (via c) ∂c/∂a · c.grad
                  = 1.0 · 1.0 + (−3.0) · 1.0
      via d   d = a + c   ∂d/∂a = 1          d.grad = 1.0   contributes  1.0
      via c   c = a·b     ∂c/∂a = b = −3.0   c.grad = 1.0   contributes −3.0
    """
    root = require_root("explain", root, "; explain(L, L) tells where a nan or an inf is from")
    nodes, given = nodes_of(root), given_names(names)
    explainer = Explainer(root, distinct_names(nodes, given, model))
    known = known_names(nodes, given, model)
    if isinstance(value, Value) and value not in explainer.names:
        return explainer.not_on_the_path(value, known.get(value, value.label))
    return explainer.text(value, paths, explainer.in_full(known))


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
    def position(self) -> int:
        """The place of the value among the operands, where plain numbers count too."""
        return positions_of(self.node)[self.which]

    @property
    def local(self) -> float:
        return self.node.local_grads[self.which]


class Explainer:
    """The backward pass of `root`, or its first `done` steps, on sums of its own.

    `grad` is only read, to tell whether it holds the same.
    """

    def __init__(
        self, root: Value, names: Mapping[Value, str], done: int | None = None, seed: float = 0.0
    ) -> None:
        self.root = root
        self.names = names
        self.changes = changes_of(list(names))
        self.ran = root.grad != 0.0 or not root.op
        self.seed = seed or (root.grad if root.op and self.ran else 1.0)
        steps = [node for node in reversed(topological_order(root)) if node.op]
        self.done = steps[:done]
        self.coming = steps[len(self.done) :]
        self.sums = {root: self.seed}
        for node in self.done:
            amounts = contributions_of(node, self.sums[node])
            for parent, amount in zip(node.parents, amounts, strict=True):
                self.sums[parent] = self.sums.get(parent, 0.0) + amount

    def slope(self, value: Value) -> float:
        """∂root/∂value, whatever the seed of the last pass was."""
        return Explainer(self.root, self.names, seed=1.0).sums.get(value, 0.0)

    def in_full(self, known: Mapping[Value, str]) -> list[str]:
        """The root as an expression of leaves and `known` nodes, where a line holds it."""
        if not self.root.op or len(self.names) > _MOST_IN_FULL:
            return []
        given = {*known} - {self.root}
        inside = [x for x in self.names if x.op and x not in given]
        if self.root in known and inside == [self.root] and not OPS[self.root.op].textbook:
            return []
        line = f"{self.names[self.root]} = {as_typed(expression_of(self.names, self.names, given))}"
        if width_of(line) > COLUMNS or "…" in line:
            return []
        data = self.changes.data(self.root)
        whole = line if data is None else f"{line} = {number(data)}"
        return [whole if width_of(whole) <= COLUMNS else line]

    def text(self, value: Value, paths: bool = False, before: Sequence[str] = ()) -> Text:
        """The text that `explain` returns, with the lines `before` it."""
        if not isinstance(value, Value):
            raise TypeError(f"explain takes a Value, got {type(value).__name__}: {value!r:.80}")
        lines, rows = self._lines(value, paths)
        warned = [*self.changes.lines(self.names), *before]
        marked = Text("\n".join(warned + lines))._repr_html_() + (html_table(rows) if rows else "")
        shown = [*warned, lines[0], *(self._use_lines(rows) if rows else ()), *lines[1:]]
        return Text("\n".join(shown), marked, self._latex(value))

    def not_on_the_path(self, value: Value, name: str) -> Text:
        """The text for a value that the root is not made from."""
        called, root = one_line(name) or repr(value), self.names[self.root]
        told = folded(
            f"{called} is not on the path: {root} is not made from it, so the gradient is 0"
        )
        if self.root in nodes_of(value):
            told += f"\nit is made from {root}: what is explained goes first, explain({root}, …)"
        return Text("\n".join([*self.changes.lines(self.names), told]))

    def _latex(self, value: Value) -> str:
        """The chain rule at `value`: a sum over the nodes that use it."""
        uses = self._uses.get(value, [])[: _MOST_TERMS + 1]
        if not uses:
            return ""
        root = self.names[self.root]
        terms = []
        for use in uses[:_MOST_TERMS]:
            slope = self._operation(use.node).slope_latex(use.position)
            terms.append(f"{slope} {latex_fraction(root, self.names[use.node])}")
        terms += [r"\dots"] if len(uses) > _MOST_TERMS else []
        return f"{latex_fraction(root, self.names[value])} = {' + '.join(terms)}"

    def _lines(self, value: Value, paths: bool) -> tuple[list[str], list[list[str]]]:
        """All but the uses, of which the first text goes before them; and the uses, in columns."""
        root = self.names[self.root]
        name, total = self.names[value], self.sums.get(value, 0.0)
        grad = self._grad(value)
        if value is self.root:
            lines = [folded(f"{grad} = {number(value.grad)}: {self._start()}")]
            lines += map(folded, self._first_not_finite())
            if len(lines) == 1 and not self.coming:
                endless = [use for use in self._flow() if not math.isfinite(use.local)]
                but = (
                    f"; {self._slope(endless[0])} is {number(endless[0].local)}" if endless else ""
                )
                lines.append(f"there is no nan and no inf, neither forwards nor backwards{but}")
            return lines, []
        uses = [use for use in self._flow() if use.parent is value]
        coming = [self.names[node] for node in self.coming if value in node.parents]
        if not uses and not coming:
            return [f"{grad} = 0: {reason}" for reason in self._cuts(value)], []
        first, sum_of, shown = "", grad, value.grad
        if coming:
            first = f"{grad} is not complete: {listed(coming, _MOST_TERMS)} to come\n"
        elif not self.ran or (value.grad == 0.0 and total != 0.0):
            now = f"{grad} is {number(value.grad)}"
            not_run = f"backward has not run from {root}, or was cleared since"
            first = folded(f"{now}: {not_run}; it would {'add' if value.grad else 'give'}") + "\n"
            sum_of, shown = f"∂{held(root)}/∂{held(name)}" if value.grad else sum_of, total
        head, rows = self._sum(sum_of, uses, shown, total)
        lines = [first + head]
        if not same(shown, total):
            lines.append(
                folded(
                    f"elsewhere: {number(shown - total)} was in {grad} from passes "
                    f"before, not set back in between by {grad} = 0, or is from another "
                    "root"
                )
            )
        lines += map(folded, dict.fromkeys(filter(None, map(self._derived, uses[:_MOST_TERMS]))))
        if not coming:
            reasons = self._reasons(value) if total == 0.0 else self._nearly_flat(value)
            lines += [folded(f"because {reason}") for reason in reasons]
            lines += [folded(f"not counted: {cut}") for cut in self._cuts(value) if total != 0.0]
            lines += map(folded, self._minus(value))
        lines += map(folded, dict.fromkeys(filter(None, map(self._zero_and_inf, uses))))
        if not math.isfinite(total) or not math.isfinite(self.root.data):
            lines += map(folded, self._first_not_finite())
        return (lines + self._paths(value) if paths else lines), rows

    def _use_lines(self, rows: list[list[str]]) -> list[str]:
        heads = aligned([row[:2] for row in rows], "<   <")
        ends = aligned([row[7:] for row in rows], "< .   < .")
        parts = broken_lines(heads, "   ", [row[2:7] for row in rows], ends, COLUMNS - 2)
        return [f"  {line}" for part in parts for line in part]

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
            return f"the pass starts here, since ∂{held(name)}/∂{held(name)} = 1"
        return f"a pass came here with that, from a seed or from what is made of {name}"

    def _grad(self, node: Value) -> str:
        return f"{held(self.names[node])}.grad"

    def _slope(self, use: _Use) -> str:
        return self._operation(use.node).slope(use.position)

    def _slope_cells(self, use: _Use) -> list[str]:
        return slope_cells(self._operation(use.node), use.position, use.local)

    def _sum(
        self, sum_of: str, uses: list[_Use], shown: float, total: float
    ) -> tuple[str, list[list[str]]]:
        """The sum in symbols and in numbers, as text, and a row for each use."""
        start = f"{sum_of} = {number(shown)}"
        rest = [] if same(shown, total) else [factor(shown - total)]
        if 0 < len(uses) <= _MOST_TERMS:
            terms = [
                f"(via {self.names[use.node]}) {self._slope(use)} · {self._grad(use.node)}"
                for use in uses
            ]
            factors = [f"{factor(use.local)} · {factor(use.upstream)}" for use in uses]
            text = _wrapped(start, [*terms, "(elsewhere)"] if rest else terms)
            text += "\n" + _wrapped(" " * width_of(start), factors + rest)
        else:
            elsewhere = f" and {rest[0]} (elsewhere)" if rest else ""
            several = f", the sum over {len(uses)} uses" if uses else " so far"
            text = f"{start}{several}{elsewhere}"
        if len(uses) > _MOST_TERMS and (product := self._repeated(uses)):
            text = (
                f"{start} = {' + '.join([product, *rest])}, over {len(uses)} equal uses; the first:"
            )
            uses = uses[:1]
        if len(uses) > _MOST_USES:
            text += f"; the {_MOST_USES} largest:"
            least = sorted([abs(use.amount) for use in uses])[-_MOST_USES]
            uses = [use for use in uses if not abs(use.amount) < least][:_MOST_USES]
        rows = []
        for use in uses:
            upstream = [f"{self._grad(use.node)} =", number(use.upstream)]
            amount = ["contributes", number(use.amount)]
            made = [f"via {self.names[use.node]}", str(self._operation(use.node))]
            rows.append([*made, *self._slope_cells(use), *upstream, *amount])
        return text, rows

    def _repeated(self, uses: list[_Use]) -> str:
        """The sum as a product, as 6 · x · 1.0, where all of `uses` contribute in the same way."""
        if len({(use.local, use.upstream) for use in uses}) > 1:
            return ""
        formulas = {self._formula(use) for use in uses}
        if len(formulas) > 1:
            return ""
        formula, upstream = formulas.pop(), factor(uses[0].upstream)
        return f"{len(uses)} · {held(formula) if formula else factor(uses[0].local)} · {upstream}"

    def _formula(self, use: _Use) -> str:
        """The local derivative as a formula; "" where it has no name in it."""
        _, _, formula, equals, _ = self._slope_cells(use)
        return formula if equals else ""

    def _derived(self, use: _Use) -> str:
        """A slope of what is a slope itself, such as 1 − tanh², written out."""
        operation = self._operation(use.node)
        if not operation.op.textbook:
            return ""
        made = formula_of(operation.op, operation.operands)
        written = str(replace(operation, out=made).derivative(use.position))
        slope = str(operation.derivative(use.position))
        return f"from {operation} comes {self._slope(use)} = {written}" if written != slope else ""

    def _operation(self, node: Value) -> Operation:
        return operation_of(node, self.names, self.changes)

    # The reasons why nothing, or no number, arrives.

    def _cuts(self, value: Value) -> list[str]:
        """The operations after `value` whose result counts as a constant."""
        reached = {value}
        ends: list[str] = []
        walked = {self.root, *self.done, *self.coming}
        for node in self.names:  # parents before children
            if not reached.isdisjoint(node.parents):
                if node in walked and self._always_flat(node):
                    ends.append(f"{self._operation(node)} lets no gradient through")
                else:
                    reached.add(node)
        return ends[:_MOST_REASONS]

    def _always_flat(self, node: Value) -> bool:
        """True if the row of `node` has the number 0 for a slope, whatever the operands are."""
        if any(node.local_grads):
            return False
        op = OPS[node.op]
        names = [Symbol(f"x{i}") for i in range(len(op.partials) + 1)]
        slopes = [partial(*names) for partial in op.partials]
        return not any(x.head if isinstance(x, Symbol) else x for x in slopes)

    def _zero_and_inf(self, use: _Use) -> str:
        """A sentence on a 0 that met an inf or nan, and what came of it."""
        upstream, name = number(use.upstream), self._grad(use.node)
        if not use.upstream and not math.isfinite(use.local):
            return f"{name} is 0, which passes 0 on, not 0 · {number(use.local)} = nan"
        if use.local or math.isfinite(use.upstream):
            return ""
        if not use.amount:
            return (
                f"{self._operation(use.node)} passes 0 on to a branch not taken, not 0 · {upstream}"
            )
        return (
            f"0 · {upstream} is nan here, where the local derivative is 0: a {name} of 0 would "
            "pass 0 on"
        )

    def _minus(self, value: Value) -> list[str]:
        """The factors that make the gradient negative, or cancel, on the way of each use."""
        uses = self._uses.get(value, [])
        if len(uses) == 1:
            return self._minuses(value, own=uses[0].local < 0.0)
        nodes = dict.fromkeys(use.node for use in uses if use.upstream < 0.0)
        ways = ((node, self._minuses(node, own=False)) for node in nodes)
        told = [f"{self._grad(node)} < 0: {line}" for node, way in ways for line in way]
        return told[:_MOST_REASONS]

    def _minuses(self, value: Value, own: bool) -> list[str]:
        """Those from `value` up to where there are several ways, but not one alone of its `own`."""
        node, total, minuses = value, self.sums.get(value, 0.0), list[str]()
        if not (total < 0.0 or total > 0.0):
            return []
        while len(uses := self._uses.get(node, [])) == 1:
            [use] = uses
            if use.local < 0.0:
                slope = f"{self._slope(use)} = {number(use.local)}"
                minuses.append(f"{slope} (in {self._operation(use.node)})")
            node = use.node
        if self.sums[node] < 0.0 and node is not value:
            minuses.append(f"{self._grad(node)} = {number(self.sums[node])}")
        of = listed(minuses, _MOST_REASONS)
        if len(minuses) > 1:
            what = "minuses cancel" if total > 0.0 else "minuses, of which one is left"
            return [f"{len(minuses)} {what}: {of}"]
        return [f"the minus is that of {of}"] if minuses and not own else []

    def _nearly_flat(self, value: Value) -> list[str]:
        """The place where the gradient got tiny on its way to `value`: one operand's saturation."""
        reasons: dict[str, None] = {}
        seen, stack = {value}, [value]
        while stack and len(reasons) < _MOST_REASONS:
            for use in self._uses.get(stack.pop(), []):
                if len(use.node.operands) == 1 and 0.0 < abs(use.local) < _FLAT:
                    reasons[self._flat(use)] = None
                if use.node not in seen:
                    seen.add(use.node)
                    stack.append(use.node)
        return list(reasons)[:_MOST_REASONS]

    def _reasons(self, value: Value) -> list[str]:
        reasons: list[str] = []
        seen, stack = {value}, [value]
        while stack and len(reasons) < _MOST_REASONS:
            node = stack.pop()
            uses = self._uses[node]
            if any(use.amount for use in uses):
                reasons.append(f"the contributions to {self._grad(node)} cancel")
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
                    seen.add(use.node)
                    stack.append(use.node)
        return list(dict.fromkeys(reasons))[:_MOST_REASONS]

    def _flat(self, use: _Use) -> str:
        node, operation = use.node, self._operation(use.node)
        if self._always_flat(node):
            return f"{operation} lets no gradient through"
        data = self.changes.data(use.parent)
        name = self.names[use.parent]
        at = name if data is None else f"{name} = {number(data)}"
        derivative = operation.derivative(use.position)
        _, _, *formula = self._slope_cells(use)
        slope = f"{self._slope(use)} = {' '.join(formula).rstrip()}"
        if jump := self._kink(use):
            left, right = map(number, jump)
            sides = f"its slope is {left} below and {right} above, and there"
            return f"{operation} has a kink at {at}: {sides} {number(use.local)} is taken"
        if OPS[node.op].selects:
            if len(node.operands) == 2:
                return f"{operation} takes the other operand"
            return f"{operation} is dead: {slope} at {at}"
        if not isinstance(derivative.head, Op) and derivative.head != operation.out:
            return f"{operation} multiplies by {number(use.local)}"
        return f"{operation} is {'' if use.local == 0.0 else 'nearly '}flat at {at}: {slope}"

    def _kink(self, use: _Use) -> tuple[float, float] | None:
        operands = [self.changes.data(x) if isinstance(x, Value) else x for x in use.node.operands]
        known = [x for x in operands if x is not None]
        return jump(OPS[use.node.op], use.position, known) if len(known) == len(operands) else None

    def _first_not_finite(self) -> list[str]:
        """A line on the first inf, and one on the first nan, of either pass."""
        lines: dict[str, str] = {}
        for node in self.names:
            if not math.isfinite(node.data) and "nan" not in lines:
                leaf = f"{self.names[node]} = {number(node.data)}, a leaf"
                made = forward_step(node, self.names, node.data, self.changes) if node.op else leaf
                lines.setdefault(_kind(node.data), f"of the forward pass: {made}")
        if "nan" not in lines:
            for kind, told in self._not_finite_backward():
                lines.setdefault(kind, f"of the backward pass: {told}")
        return [f"the first {kind} {told}" for kind, told in lines.items()]

    def _not_finite_backward(self) -> Iterator[tuple[str, str]]:
        """Each inf and nan of the backward pass that is a product, or first came up in a sum."""
        sums = dict.fromkeys(self.sums, 0.0)
        for use in self._flow():
            grad, before = self._grad(use.parent), sums[use.parent]
            sums[use.parent] = after = before + use.amount
            if not math.isfinite(use.amount):
                slope = self._slope(use)
                made = f"{slope} · {self._grad(use.node)}"
                numbers = f"{factor(use.local)} · {factor(use.upstream)} = {number(use.amount)}"
                where = f"in {self._operation(use.node)}"
                if not math.isfinite(use.local):
                    where += f", with {slope} = {self._formula(use)}"
                yield _kind(use.amount), f"{made} = {numbers}, {where}"
            if not math.isfinite(after) and not math.isnan(before) and not same(after, use.amount):
                numbers = f"{number(before)} + {factor(use.amount)} = {number(after)}"
                yield _kind(after), f"{grad} = {numbers}"

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
        name, several = self.names[value], ", all moved by it at once, so they add up"
        title = f"paths from {self.names[self.root]} to {name}: {many}{first}"
        title += several if count > 1 else ""
        return [title, *[f"  {line}" for line in aligned(rows, "<   < < .")]]

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
        operands = [self._operation(use.node).by(use.position) for use in path]
        nodes = [held(self.names[self.root]), *operands]
        seed = [] if self.seed == 1.0 else [self.seed]
        return [
            " → ".join(_shortened(nodes, str)),
            " · ".join(_shortened([*seed, *[use.local for use in path]], factor)),
            "=",
            number(amount),
        ]


def _shortened(parts: list[T], write: Callable[[T], str]) -> list[str]:
    half = _LONGEST_PATH // 2
    if len(parts) <= _LONGEST_PATH:
        return [write(part) for part in parts]
    return [*map(write, parts[:half]), "…", *map(write, parts[-half:])]


def _wrapped(start: str, terms: list[str]) -> str:
    """`start` = the sum of `terms`, on as few lines as 80 columns allow."""
    lines, margin = [f"{start} = {terms[0]}"], " " * (width_of(start) + 1)
    for term in terms[1:]:
        if width_of(lines[-1]) + width_of(term) + 3 <= COLUMNS:
            lines[-1] += f" + {term}"
        else:
            lines.append(f"{margin}+ {term}")
    return "\n".join(lines)


def _kind(x: float) -> str:
    return "nan" if x != x else "inf"
