"""A graph as a tree of text, as far as a pass over it has come."""

from __future__ import annotations

from collections.abc import Mapping

from micrograd_like._internal.text import COLUMNS, aligned, listed, number, width_of
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
    what feeds several neurons stands below the first of them. A line that is wider than 80 columns
    breaks between its parts.

    >>> a = Value(1.0, "a")
    >>> c = a * 2; c.label = "c"
    >>> print(*tree(Stepper(c), c), sep="\n")
    -> c = a·2   data 2.0   grad 1.0   next
       └─ a      data 1.0   grad 0.0   waits for c
    """
    rows: list[list[str]] = []
    margins: list[str] = []  # what stands on the left where a row takes a second line
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
        margins.append(f"   {below}")
        shown.add(node)
        if not operands or again:
            continue
        followed.add(node)
        if len(below) >= 3 * _DEEPEST:
            rows.append(["", f"{below}└─ …", "", "", "", "", ""])
            margins.append("")
            continue
        *others, last = dict.fromkeys(operands)
        stack.append((last, f"{below}└─ ", f"{below}   "))
        stack += [(x, f"{below}├─ ", f"{below}│  ") for x in reversed(others)]
    if stack:
        rows.append(["", "…", "", "", "", "", ""])
        margins.append("")
    lines = aligned(rows, "< <   < .   < .   <")
    if max(map(width_of, lines)) <= COLUMNS:
        return lines
    return [
        line for row, margin in zip(rows, margins, strict=True) for line in _broken(row, margin)
    ]


def _broken(row: list[str], margin: str) -> list[str]:
    """A row on lines that end within 80 columns wherever a cell does, `margin` before the next."""
    arrow, title, _, data, _, grad, state = row
    lines = [f"{arrow or '  '} {title}"]
    for cell in (f"data {data}", f"grad {grad}", state) if data else ():
        if width_of(lines[-1]) + 3 + width_of(cell) <= COLUMNS:
            lines[-1] += f"   {cell}"
        else:
            lines.append(f"{margin}   {cell}")
    return lines


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
