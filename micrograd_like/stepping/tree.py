"""A graph as a tree of text, as far as a pass over it has come."""

from __future__ import annotations

from micrograd_like._internal.text import aligned, number
from micrograd_like.engine import Value
from micrograd_like.stepping.stepper import Stepper

_MOST_LINES = 40
_DEEPEST = 12


def tree(stepper: Stepper, top: Value) -> list[str]:
    r"""The tree of `top`, operands below results, an arrow at the node that is next.

    Every line has the node's data, its gradient so far and what is still to come. A node that is
    used twice is followed down once. Of a large graph only the upper part is shown.

    >>> a = Value(1.0, "a")
    >>> c = a * 2; c.label = "c"
    >>> print(*tree(Stepper(c), c), sep="\n")
    -> c = a·2   data 2.0   grad 1.0   next
       └─ a      data 1.0   grad 0.0   waits for c
    """
    rows: list[list[str]] = []
    changes = stepper.changes
    followed: set[Value] = set()
    stack = [(top, "", "")]
    while stack and len(rows) < _MOST_LINES:
        node, branch, below = stack.pop()
        arrow = "->" if node is stepper.upcoming else "  "
        again = " (see above)" if node in followed else ""
        numbers = ["data", changes.text(node), "grad", number(node.grad)]
        rows.append([arrow, f"{branch}{stepper.title(node)}{again}", *numbers, stepper.state(node)])
        if not node.op or again:
            continue
        followed.add(node)
        if len(below) >= 3 * _DEEPEST:
            rows.append(["", f"{below}└─ …", "", "", "", "", ""])
            continue
        *others, last = dict.fromkeys(node.parents)
        stack.append((last, f"{below}└─ ", f"{below}   "))
        stack += [(x, f"{below}├─ ", f"{below}│  ") for x in reversed(others)]
    if stack:
        rows.append(["", "…", "", "", "", "", ""])
    return aligned(rows, "< <   < .   < .   <")
