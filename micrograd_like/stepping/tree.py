"""A graph as a tree of text, as far as a pass over it has come."""

from __future__ import annotations

from collections.abc import Mapping

from micrograd_like._internal.text import aligned, listed, number
from micrograd_like.engine import Value
from micrograd_like.graph import Group, groups_of, nodes_of
from micrograd_like.stepping.stepper import Stepper

_MOST_LINES = 40
_DEEPEST = 12


def tree(stepper: Stepper, top: Value) -> list[str]:
    r"""The tree of `top`, operands below results, an arrow at the node that is next.

    Every line has the node's data, its gradient so far and what is still to come. A node that is
    used twice is followed down once. Of a large graph only the upper part is shown. A neuron of the
    stepper's model is one line, its output as a function of its inputs, unless `top` is in it;
    what feeds several neurons stands below the first of them.

    >>> a = Value(1.0, "a")
    >>> c = a * 2; c.label = "c"
    >>> print(*tree(Stepper(c), c), sep="\n")
    -> c = a·2   data 2.0   grad 1.0   next
       └─ a      data 1.0   grad 0.0   waits for c
    """
    rows: list[list[str]] = []
    changes = stepper.changes
    groups = groups_of(nodes_of(stepper.root), stepper.model) if stepper.model else {}
    opened = groups.get(top)
    followed: set[Value] = set()
    shown: set[Value] = set()
    stack = [(top, "", "")]
    while stack and len(rows) < _MOST_LINES:
        node, branch, below = stack.pop()
        group = groups.get(node)
        if group and group != opened and node.op:
            inside, operands = _neuron(node, groups)
            of = listed([stepper.names[x] for x in operands])
            title = f"{stepper.names[node]} = {group.neuron}({of})"
            operands = [x for x in operands if x not in shown]  # which the title names
        else:
            inside, operands, title = {node}, list(node.parents), stepper.title(node)
        arrow = "->" if stepper.upcoming in inside else "  "
        again = " (see above)" if node in followed else ""
        numbers = ["data", changes.text(node), "grad", number(node.grad)]
        rows.append([arrow, f"{branch}{title}{again}", *numbers, stepper.state(node)])
        shown.add(node)
        if not operands or again:
            continue
        followed.add(node)
        if len(below) >= 3 * _DEEPEST:
            rows.append(["", f"{below}└─ …", "", "", "", "", ""])
            continue
        *others, last = dict.fromkeys(operands)
        stack.append((last, f"{below}└─ ", f"{below}   "))
        stack += [(x, f"{below}├─ ", f"{below}│  ") for x in reversed(others)]
    if stack:
        rows.append(["", "…", "", "", "", "", ""])
    return aligned(rows, "< <   < .   < .   <")


def _neuron(output: Value, groups: Mapping[Value, Group]) -> tuple[set[Value], list[Value]]:
    """The nodes of a neuron for one example, from its output back, and the Values that it takes."""
    group, inside, inputs = groups[output], {output}, dict[Value, None]()
    stack = [output]
    while stack:
        node = stack.pop()
        weighted = node.op == "mul" and any(not x.op and x in groups for x in node.parents)
        for x in node.parents[::-1]:
            if groups.get(x) != group or (weighted and x.op):  # another use of the neuron, too
                inputs[x] = None
            elif x not in inside:
                inside.add(x)
                stack.append(x)
    return inside, list(inputs)
