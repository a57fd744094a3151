"""What drawing, stepping and compiling need to know of a graph: its nodes, edges, names, groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from micrograd_like._internal.text import one_line
from micrograd_like.engine import Value

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
    """What a network has to offer to have its nodes named and grouped."""

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
    entered: set[Value] = set()
    order: dict[Value, None] = {}
    stack = list(reversed(roots))
    while stack:
        node = stack[-1]
        if node in entered:  # its parents are done
            order.setdefault(stack.pop())
        else:
            entered.add(node)
            stack.extend(parent for parent in reversed(node.parents) if parent not in entered)
    return list(order)


def check_root(root: object) -> None:
    """Raise TypeError for what is no Value."""
    if not isinstance(root, Value):
        raise TypeError(f"a graph starts at a Value, got {type(root).__name__}: {root!r:.80}")


def edges_of(nodes: Iterable[Value]) -> list[Edge]:
    """Every use of an operand, in the order of `nodes`; a * a has two edges, 2 * a has two.

    >>> a = Value(3.0, "a")
    >>> [(edge.operand, edge.position) for edge in edges_of([a, 2 * a])]
    [(2.0, 0), (Value(data=3.0, grad=0.0, label='a'), 1)]
    """
    return [Edge(x, node, i) for node in nodes for i, x in enumerate(node.operands)]


def names_of(
    nodes: Sequence[Value], names: Mapping[str, object] | None = None, model: Model | None = None
) -> dict[Value, str]:
    """A name for every node: its label, else the caller's variable, else its place in `model`.

    What has none of these is called v1, v2, … in the order of `nodes`. Lists and tuples in `names`
    give names such as w[0] or w[0][1]; variables that start with an underscore give none. Labels
    are the user's and may repeat.

    >>> a = Value(2.0, "a"); w = [Value(3.0)]; y = a * w[0] + 1
    >>> list(names_of(nodes_of(y), {"w": w, "y": y}).values())
    ['a', 'w[0]', 'v1', 'y']
    """
    known = dict(_variables(names or {}))
    for path, parameter in _named(model) if model else ():
        known.setdefault(parameter, path)
    known |= {node: node.label for node in nodes if node.label}
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


def distinct_names(
    nodes: Sequence[Value], names: Mapping[str, object] | None = None, model: Model | None = None
) -> dict[Value, str]:
    """Names as in `names_of`, each on one line and no two alike: a second w becomes w#2.

    >>> a, b = Value(2.0, "w"), Value(3.0, "w")
    >>> list(distinct_names([a, b]).values())
    ['w', 'w#2']
    """
    result: dict[Value, str] = {}
    taken: set[str] = set()
    repeats: Counter[str] = Counter()
    for node, label in names_of(nodes, names, model).items():
        name = distinct = one_line(label)
        while distinct in taken:
            repeats[name] += 1
            distinct = f"{name}#{repeats[name] + 1}"
        taken.add(distinct)
        result[node] = distinct
    return result


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


def groups_of(nodes: Iterable[Value], model: Model) -> dict[Value, Group]:
    """The neuron of `model` that each node belongs to; nodes outside of any are left out.

    A parameter belongs to the neuron that holds it, and so does a node with a parameter among its
    operands. Any other node belongs where all its operands do: the sum and the activation to their
    neuron, the loss, which has a target among its operands, to none.

    Parameters come before what uses them, as in the result of `nodes_of`.
    """
    owners = {}
    for path, parameter in _named(model):
        if neuron := _holder(path):
            owners[parameter] = Group(_holder(neuron), neuron)
    groups: dict[Value, Group] = {}
    for node in nodes:
        direct = {owners[x] for x in (node, *node.parents) if x in owners}
        inherited = {groups.get(x) if isinstance(x, Value) else None for x in node.operands}
        if len(found := direct or inherited) == 1 and (group := found.pop()):
            groups[node] = group
    return groups


def _holder(path: str) -> str:
    """What holds the attribute `path` ends in: layers.0.neurons.3 for layers.0.neurons.3.w.1."""
    parts = path.split(".")
    while parts and parts[-1].isdigit():
        parts.pop()
    return ".".join(parts[:-1])
