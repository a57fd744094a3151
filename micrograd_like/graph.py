"""The graph as drawing, stepping and compiling see it: its nodes, edges, names, groups."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from math import inf, isclose, isfinite, nan
from typing import Any, NamedTuple, Protocol

from micrograd_like._internal.text import folded, number, one_line
from micrograd_like.engine import Value, columns_of
from micrograd_like.operation import OPS, Op, evaluate

_NAMED = (Value, list, tuple)


class Edge(NamedTuple):
    """`operand`, a Value or a plain number, is the operand number `position` of `node`."""

    operand: Value | float
    node: Value
    position: int


class Group(NamedTuple):
    """The neuron a node belongs to and that neuron's layer, as paths in the model."""

    layer: str
    neuron: str


class Model(Protocol):
    """A network whose nodes can be named and grouped."""

    def named_parameters(self) -> Iterable[tuple[str, Value]]: ...


def nodes_of(*roots: Value) -> list[Value]:
    """Every node that `roots` were made from, each once: parents before children, left to right.

    Unlike the order of `backward` this one goes through `detach`: what lies behind takes part in
    the value, though no gradient reaches it.

    >>> a, b = Value(2.0, "a"), Value(3.0, "b")
    >>> [node.label or node.op for node in nodes_of(a * b + a)]
    ['a', 'b', 'mul', 'add']
    """
    for root in roots:
        check_root(root)
    nodes: list[Value] = columns_of(roots)[0]
    return nodes


def check_root(root: object) -> None:
    """Raise TypeError unless `root` is a Value."""
    if not isinstance(root, Value):
        raise TypeError(f"a graph starts at a Value, got {type(root).__name__}: {root!r:.80}")


def edges_of(nodes: Iterable[Value]) -> list[Edge]:
    """Every use of an operand, in the order of `nodes`; a * a has two edges, 2 * a has two.

    >>> a = Value(3.0, "a")
    >>> [(edge.operand, edge.position) for edge in edges_of([a, 2 * a])]
    [(2.0, 0), (Value(data=3.0, grad=0.0, label='a'), 1)]
    """
    return [Edge(x, node, i) for node in nodes for i, x in enumerate(node.operands)]


def require_root(call: str, root: Value | None, more: str = "") -> Value:
    """The root, or TypeError that says to give it, and `more`: a value alone has no gradient."""
    if root is None:
        raise TypeError(
            f"{call} needs the root too, the result whose gradient is meant: write {call}(a, L), "
            f"with L.backward() somewhere before{more}"
        )
    return root


def given_names(names: Mapping[str, object] | None, depth: int = 2) -> Mapping[str, object]:
    """`names`, or where that is None the variables that whoever called the asking function sees."""
    if names is not None:
        return names
    frame = sys._getframe(depth)
    seen = frame.f_locals
    variables = {**seen, **{n: x for n, x in frame.f_globals.items() if n not in seen}}
    # No more is kept than can give names, and nothing that the interpreter put there.
    return {n: x for n, x in variables.items() if isinstance(x, _NAMED) and n.isidentifier()}


def names_of(
    nodes: Sequence[Value], names: Mapping[str, object] | None = None, model: Model | None = None
) -> dict[Value, str]:
    """A name for every node: its label, else the caller's variable, else its place in `model`.

    Other nodes are called v1, v2, … in the order of `nodes`. Lists and tuples in `names`
    give names such as w[0] or w[0][1]; variables that start with an underscore give none. Labels
    are the user's and may repeat.

    >>> a = Value(2.0, "a"); w = [Value(3.0)]; y = a * w[0] + 1
    >>> list(names_of(nodes_of(y), {"w": w, "y": y}).values())
    ['a', 'w[0]', 'v1', 'y']
    """
    known = known_names(nodes, names, model)
    taken, number = {*known.values()}, 0
    result = {}
    for node in nodes:
        if node not in known:
            number += 1
            while f"v{number}" in taken:
                number += 1
            known[node] = f"v{number}"
        result[node] = known[node]
    return result


def known_names(
    nodes: Iterable[Value], names: Mapping[str, object] | None = None, model: Model | None = None
) -> dict[Value, str]:
    """The names that were given: to nodes, and to any other Value in `names` or `model`."""
    known = dict(_variables(names or {}))
    for path, parameter in _named(model) if model else ():
        known.setdefault(parameter, path)
    return known | {node: node.label for node in nodes if node.label}


def distinct_names(
    nodes: Sequence[Value], names: Mapping[str, object] | None = None, model: Model | None = None
) -> dict[Value, str]:
    """Names as in `names_of`, each on one line and no two alike: a second w becomes w#2.

    >>> a, b = Value(2.0, "w"), Value(3.0, "w")
    >>> list(distinct_names([a, b]).values())
    ['w', 'w#2']
    """
    called = names_of(nodes, names, model)
    return dict(zip(called, numbered(map(one_line, called.values()), "#"), strict=True))


def numbered(names: Iterable[str], sign: str, taken: Iterable[str] = ()) -> list[str]:
    """The names, with a number behind `sign` where one is taken or stood there before.

    >>> numbered(["w", "b", "w", "w"], "#")
    ['w', 'b', 'w#2', 'w#3']
    """
    found: list[str] = []
    known = {*taken}
    repeats: Counter[str] = Counter()
    for name in names:
        distinct = name
        while distinct in known:
            repeats[name] += 1
            distinct = f"{name}{sign}{repeats[name] + 1}"
        known.add(distinct)
        found.append(distinct)
    return found


def _variables(names: Mapping[str, object]) -> dict[Value, str]:
    if not isinstance(names, Mapping):
        raise TypeError(
            "names maps names to Values, as locals() does; got "
            f"{type(names).__name__}: {names!r:.80}"
        )
    found: dict[Value, str] = {}
    stack = [(str(name), x) for name, x in names.items() if not str(name).startswith("_")][::-1]
    while stack:
        name, x = stack.pop()
        if isinstance(x, Value):
            found.setdefault(x, name)
        elif isinstance(x, (list, tuple)) and name.count("[") < 2:
            items = [(f"{name}[{i}]", x[i]) for i in range(len(x)) if isinstance(x[i], _NAMED)]
            stack.extend(reversed(items))
    return found


def _named(model: Any) -> Iterable[tuple[str, Value]]:
    if not hasattr(model, "named_parameters"):
        raise TypeError(
            f"model is a network with named_parameters(), got {type(model).__name__}: {model!r:.80}"
        )
    named: Iterable[tuple[str, Value]] = model.named_parameters()
    return named


class Changes(NamedTuple):
    """The numbers of a graph that are newer than it is, since `data` was assigned later.

    - `was`: the Values that have other `data` now, each with the number the graph was made with.
    - `unknown`: Values whose old number nothing in the graph tells. Of several in one tuple at
      least one has changed.
    """

    was: dict[Value, float]
    unknown: list[tuple[Value, ...]]

    def __bool__(self) -> bool:
        return bool(self.was or self.unknown)

    def data(self, node: Value) -> float | None:
        """The number of `node` that the graph was made with, None where that is not known."""
        if any(node in group for group in self.unknown):
            return None
        return self.was.get(node, node.data)

    def text(self, node: Value, write: Callable[[float], str] = number) -> str:
        """That number as it is shown, and the present one where it is another."""
        old = self.data(node)
        if old is None:
            return f"?, now {write(node.data)}"
        return write(old) + (f", now {write(node.data)}" if node in self.was else "")

    def lines(self, names: Mapping[Value, str]) -> list[str]:
        """A sentence that says so, of a graph with its root as the last of `names`, in lines.

        There are none where nothing changed.
        """
        if not self:
            return []
        parts = [
            f"{names[x]} was {number(y)} and is {number(x.data)} now" for x, y in self.was.items()
        ]
        parts += [f"{' or '.join(names[x] for x in group)} has changed" for group in self.unknown]
        more = f", and {len(parts) - 3} more" if len(parts) > 3 else ""
        changed = ", ".join(parts[:3])
        computed = any(x.op for group in (self.was, *self.unknown) for x in group)
        told = (
            f"the graph is older than {'the data in it' if computed else 'its leaves'}: "
            f"{changed}{more}; every number here is the one it was made with: run the lines that "
            f"compute {[*names.values()][-1]} again for new ones, from gradients of 0"
        )
        return folded(told).split("\n")


NO_CHANGES = Changes({}, [])

_MOST_CHANGED = 2000  # nodes whose operands are looked into


def changes_of(nodes: Sequence[Value]) -> Changes:
    """The Values among `nodes`, parents before children, that were given other `data` since.

    A node keeps the number and the local derivatives that its operands had when it was made, and so
    computing it again shows whether they are the same. The old number of an operand is the one that
    gives both back, to the bit.

    >>> a, b = Value(2.0, "a"), Value(3.0, "b")
    >>> c = a * b
    >>> changes_of(nodes_of(c)).was
    {}
    >>> a.data = 10.0
    >>> changes_of(nodes_of(c)).was
    {Value(data=10.0, grad=0.0, label='a'): 2.0}
    """
    off = dict.fromkeys([node for node in nodes if node.op and not holds(node, {})])
    if off and (assigned := _assigned(next(iter(off)), nodes, off)):
        return Changes(assigned, [])
    was, unknown = dict[Value, float](), dict[Value, tuple[Value, ...]]()
    # From the root: what a later node says of an earlier one comes first.
    for node in reversed(off):
        if holds(node, was):
            continue
        parents = dict.fromkeys(node.parents)
        suspects = [x for x in parents if not x.op] or [x for x in parents if x in off]
        fresh = [x for x in suspects if x not in was] or suspects
        found = _solutions(node, fresh, was) if len(off) <= _MOST_CHANGED else []
        if len(found) == 1:
            was.update(found[0])
        else:
            unknown[node] = tuple((fresh if found else suspects) or node.parents)
    left = {node: group for node, group in unknown.items() if not holds(node, was)}
    if contradicted := [node for node, group in left.items() if not was.keys().isdisjoint(group)]:
        every = [*was, *(x for group in left.values() for x in group), *contradicted]
        return Changes({}, [tuple(dict.fromkeys(every))])
    return Changes(was, list(dict.fromkeys(left.values())))


def _assigned(
    node: Value, nodes: Iterable[Value], off: Iterable[Value]
) -> dict[Value, float] | None:
    """The number that `node` had, if it alone was given other `data`, and no leaf explains all.

    It is the first of those that are `off`.
    """
    if OPS[node.op].selects and not all(node.local_grads):
        return None  # a leaf behind the branch not taken leaves no trace
    alone = {node: evaluate(OPS[node.op].forward, _operands(node, {}))}
    around = {*off, *(user for user in nodes if node in user.parents)}
    leaves = [x for x in dict.fromkeys(node.parents) if not x.op]
    changed = [found for x in leaves for found in _solutions(node, [x], {})]
    explained = any(all(holds(x, found) for x in around) for found in changed)
    return alone if not explained and all(holds(x, alone) for x in around) else None


def holds(node: Value, was: Mapping[Value, float]) -> bool:
    """True if `node`, computed again from operands that are as they were, is unchanged."""
    op, operands = OPS[node.op], _operands(node, was)
    out = evaluate(op.forward, operands)
    if not same(out, was.get(node, node.data)):
        return False
    partials = [p for p, x in zip(op.partials, node.operands, strict=True) if isinstance(x, Value)]
    slopes = [evaluate(partial, (*operands, out)) for partial in partials]
    return all(map(same, slopes, node.local_grads))


def _operands(node: Value, was: Mapping[Value, float]) -> list[float]:
    """The numbers of a node's operands, some of them as they were."""
    return [was.get(x, x.data) if isinstance(x, Value) else x for x in node.operands]


def same(x: float, y: float) -> bool:
    """True if the numbers are equal, or both nan."""
    return x == y or (x != x and y != y)


def _solutions(
    node: Value, suspects: list[Value], was: Mapping[Value, float]
) -> list[dict[Value, float]]:
    """Old numbers for one of the suspects, or else for both, with which `node` holds."""
    if OPS[node.op].selects and not all(node.local_grads):
        return []  # the branch not taken leaves no trace
    found = []
    for x in suspects:
        fitting = [old for old in _candidates(node, x, was) if holds(node, {**was, x: old})]
        shortest = min(fitting, key=lambda old: len(repr(old)), default=nan)
        if fitting and all(isclose(old, shortest, rel_tol=1e-9, abs_tol=1e-12) for old in fitting):
            found.append({x: shortest})
    if found or len(suspects) < 2:
        return found
    for pair in product(_signed(node.local_grads), repeat=2):
        both = dict(zip(suspects, pair, strict=True))
        if holds(node, {**was, **both}):
            return [both]
    return []


def _signed(numbers: Iterable[float]) -> list[float]:
    return [y for x in numbers for y in (x, -x)]


def _candidates(node: Value, x: Value, was: Mapping[Value, float]) -> Iterable[float]:
    """Numbers that `x` may have had.

    In a product the slope of the other operand is that number. Elsewhere Newton's method finds it.
    """
    if len({*node.parents}) > 1:
        yield from _signed(node.local_grads)
    op, target = OPS[node.op], was.get(node, node.data)
    places = [i for i, operand in enumerate(node.operands) if operand is x]
    if not any(slope for v, slope in zip(node.parents, node.local_grads, strict=True) if v is x):
        return
    for guess in (x.data, target, 0.5, -0.5):
        for _ in range(50):
            trial = {**was, x: guess}
            operands = _operands(node, trial)
            out = evaluate(op.forward, operands)
            slope = sum(evaluate(op.partials[i], (*operands, out)) for i in places)
            step = (out - target) / (slope or nan)
            if out == target or not isfinite(step):
                break
            guess -= step
        if isfinite(guess):
            yield from _signed(float(f"{guess:.{n}g}") for n in (3, 6, 9, 12, 15, 16, 17))


def groups_of(nodes: Iterable[Value], model: Model) -> dict[Value, Group]:
    """The neuron of `model` that each node belongs to; nodes outside of any are left out.

    A parameter belongs to the neuron that holds it, and so does a node with a parameter among its
    operands. Any other node belongs where all its operands do: the sum and the activation to their
    neuron, the loss, which has a target among its operands, to none. If the neuron says what its
    `activation` is, only that follows the sum, and not a loss that needs the output alone.

    Parameters come before what uses them, as in the result of `nodes_of`.
    """
    owners = {}
    for path, parameter in _named(model):
        if neuron := _holder(path):
            owners[parameter] = Group(_holder(neuron), neuron)
    most = {group: _operations_after_sum(model, group.neuron) for group in {*owners.values()}}
    groups: dict[Value, Group] = {}
    after: dict[Value, int] = {}  # the sum, so many operations
    for node in nodes:
        direct = {owners[x] for x in (node, *node.parents) if x in owners}
        inherited = {groups.get(x) if isinstance(x, Value) else None for x in node.operands}
        if len(found := direct or inherited) != 1 or not (group := next(iter(found))):
            continue
        before = 0 if direct else max(after[x] for x in node.parents)
        in_sum = bool(direct) or (node.op == "add" and before == 0)
        after[node] = before if in_sum else before + 1
        if after[node] <= most[group]:
            groups[node] = group
    return groups


def _operations_after_sum(model: Model, neuron: str) -> float:
    """The number of operations that the activation of a neuron takes, inf where that is unknown."""
    part: Any = model
    try:
        for name in neuron.split("."):
            if isinstance(part, list | tuple):
                part = part[int(name)]
            else:
                part = part[name] if isinstance(part, Mapping) else getattr(part, name)
    except (AttributeError, IndexError, KeyError, ValueError):
        return inf
    activation = getattr(part, "activation", None)
    if activation == "linear":
        return 0
    named = isinstance(activation, str) and activation in OPS
    return 1 if named or isinstance(activation, Op) else inf


def _holder(path: str) -> str:
    """The path of the owner of an attribute: layers.0.neurons.3 for layers.0.neurons.3.w.1."""
    parts = path.split(".")
    while parts and parts[-1].isdigit():
        parts.pop()
    return ".".join(parts[:-1])
