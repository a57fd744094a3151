"""`draw`: a graph of Values as a picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import graphviz

from micrograd_like._internal.arguments import whole
from micrograd_like._internal.text import number
from micrograd_like.engine import Value
from micrograd_like.graph import (
    Changes,
    Group,
    Model,
    changes_of,
    edges_of,
    given_names,
    groups_of,
    names_of,
    nodes_of,
)
from micrograd_like.operation import OPS
from micrograd_like.render.images import FORMATS, render
from micrograd_like.render.text import plain, record

FONT = "Helvetica,Arial,sans-serif"
MOST_LABELS = 40
LEAVES, OPERATIONS = "other leaves", "other operations"
HIGHLIGHT = "#d62728"
OPERATION = {
    "class": "operation",
    "fillcolor": "white",
    "fontsize": "16",
    "width": "0.5",
    "height": "0.4",
    "margin": "0.04",
}


class Drawing:
    """A picture of a graph: `source` is its DOT text, `svg` the picture as text.

    Notebooks show it; `save` writes a file.
    """

    def __init__(self, source: str) -> None:
        self.source = source

    def __repr__(self) -> str:
        return f"<Drawing, {len(self.source)} characters of DOT: see .source, .svg, .save(path)>"

    @property
    def svg(self) -> str:
        """The picture as SVG text; RuntimeError if no renderer is installed."""
        text = render(self.source, "svg").decode()
        return text[text.index("<svg") :]

    def save(self, path: str | Path) -> Path:
        """Write the picture to `path`; its ending says how: .svg, .png, .pdf or .dot.

        Returns the path. Another ending raises ValueError, and RuntimeError says that no installed
        renderer can write the format; neither leaves a file behind.
        """
        target = Path(path)
        form = target.suffix.lower().removeprefix(".")
        if form in ("dot", "gv"):
            picture = self.source.encode()
        elif form in FORMATS:
            picture = render(self.source, form)
        else:
            raise ValueError(
                f"can't save a drawing as {str(path)!r}: end it in .svg, .png, .pdf or .dot"
            )
        target.write_bytes(picture)
        return target

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}


def draw(
    root: Value,
    *,
    rankdir: str = "LR",
    names: Mapping[str, object] | None = None,
    model: Model | None = None,
    max_nodes: int = 500,
    constants: bool = True,
    highlight: Value | None = None,
) -> Drawing:
    """The graph of `root`: a box for every Value, an ellipse for every operation.

    A box shows the name, the data and the grad, and is the darker the larger the grad is, orange
    for positive and blue for negative. If a leaf was given other `data` since the graph was
    made, a heading says so, and the box has the number that the graph was made with and the present
    one.

    - `rankdir`: where the arrows go: "LR", "RL", "TB" or "BT".
    - `names`: names for Values, as `locals()` gives them; the caller's variables unless given.
      Labels go first.
    - `model`: puts the nodes of a neuron and of a layer into frames, and folds them into one box
      where the graph would have more than `max_nodes` boxes.
    - `constants`: whether plain numbers in the expression are drawn.
    - `highlight`: a Value whose box and operation are marked, such as the node of a step.

    Raises ValueError for a graph of more than `max_nodes` nodes that `model` does not fold, and
    for an unknown `rankdir`.

    >>> a = Value(3.0, label="a")
    >>> draw(a * a).source.count("->")
    3
    """
    if rankdir not in ("LR", "RL", "TB", "BT"):
        raise ValueError(f"rankdir is one of LR, RL, TB, BT, got {rankdir!r}")
    max_nodes = whole("max_nodes", max_nodes, 1)
    nodes = nodes_of(root)
    if len(nodes) > max_nodes and model is None:
        raise ValueError(
            f"the graph has {len(nodes)} nodes, more than max_nodes={max_nodes}: give model= to "
            f"fold neurons and layers into boxes, or raise max_nodes (drawing takes seconds from "
            f"500 nodes on and minutes from 5,000)"
        )
    groups = groups_of(nodes, model) if model else {}
    called = names_of(nodes, given_names(names), model)
    changes = changes_of(nodes)
    folded = _fold(nodes, groups, max_nodes)
    picture = _Picture(nodes, called, groups, folded, rankdir, constants, highlight, changes)
    return Drawing(picture.source())


def _fold(
    nodes: Sequence[Value], groups: Mapping[Value, Group], max_nodes: int
) -> dict[Value, str]:
    """The title of the shared box for every node that gets none of its own.

    Nothing is folded up to `max_nodes` nodes. Beyond, the first of these that leaves no more
    boxes than that, or else the last: one box a neuron; one a neuron and one each for the leaves
    and the operations outside of neurons; the same with one box a layer. The last of `nodes`, the
    root, always keeps its own box.
    """
    if len(nodes) <= max_nodes:
        return {}
    neurons = {node: group.neuron for node, group in groups.items()}
    layers = {node: group.layer for node, group in groups.items()}
    rest = {node: OPERATIONS if node.op else LEAVES for node in nodes if node not in groups}
    folded: dict[Value, str] = {}
    for folded in (neurons, rest | neurons, rest | layers):
        folded.pop(nodes[-1], None)
        if len(nodes) - len(folded) + len(set(folded.values())) <= max_nodes:
            break
    return folded


class _Picture:
    """The DOT text of a graph, part by part; a node of it is called v0, v1, … in `nodes` order."""

    def __init__(
        self,
        nodes: list[Value],
        names: Mapping[Value, str],
        groups: Mapping[Value, Group],
        folded: Mapping[Value, str],
        rankdir: str,
        constants: bool,
        highlight: Value | None,
        changes: Changes,
    ) -> None:
        self.changes = changes
        self.nodes, self.names, self.groups, self.folded = nodes, names, groups, folded
        self.constants, self.highlight = constants, highlight
        self.rankdir = rankdir
        self.index = {node: i for i, node in enumerate(nodes)}
        self.boxes = {title: f"f{i}" for i, title in enumerate(dict.fromkeys(folded.values()))}
        finite = [abs(node.grad) for node in nodes if math.isfinite(node.grad)]
        self.largest = max(finite, default=0.0)

    def source(self) -> str:
        dot = graphviz.Digraph(
            graph_attr={"rankdir": self.rankdir, "bgcolor": "transparent", "fontname": FONT},
            node_attr={"fontname": FONT, "fontsize": "12", "style": "filled"},
            edge_attr={"fontname": FONT, "fontsize": "10", "color": "#666666"},
        )
        if told := self.changes.lines(self.names):
            dot.attr(label=plain("\n".join(told)), labelloc="t", fontsize="12")
        self._frames(dot)
        for title, key in self.boxes.items():
            members = [node for node in self.nodes if self.folded.get(node) == title]
            self._box(dot, key, title, members)
        bundles: Counter[tuple[str, str]] = Counter()
        for k, edge in enumerate(edges_of(self.nodes)):
            head = self.boxes.get(self.folded.get(edge.node, ""), f"o{self.index[edge.node]}")
            if isinstance(edge.operand, float):
                if self.constants and edge.node not in self.folded:
                    dot.node(
                        f"c{k}",
                        record(number(edge.operand)),
                        shape="plaintext",
                        style="",
                        **{"class": "constant"},
                    )
                    dot.edge(f"c{k}", head)
                continue
            tail = self.boxes.get(self.folded.get(edge.operand, ""), f"v{self.index[edge.operand]}")
            if edge.node in self.folded or edge.operand in self.folded:
                bundles[tail, head] += tail != head
            else:
                dot.edge(tail, head, id=f"e{k}", **self._mark(edge.node))
        for (tail, head), count in bundles.items():
            # The room that many labels take pulls the boxes of a dense layer far apart.
            label = f"×{count}" if count > 1 and len(bundles) <= MOST_LABELS else ""
            if count:
                dot.edge(tail, head, label=label)
        return str(dot.source)

    def _frames(self, dot: graphviz.Digraph) -> None:
        """The boxes of Values, those of a neuron in a frame inside the frame of its layer."""
        layers: dict[str, dict[str, list[Value]]] = {}
        for node in self.nodes:
            if node in self.folded:
                continue
            if group := self.groups.get(node):
                layers.setdefault(group.layer, {}).setdefault(group.neuron, []).append(node)
            else:
                self._value(dot, node)
        for k, (layer, neurons) in enumerate(layers.items()):
            frame = f"cluster{k}"
            with dot.subgraph(name=frame) as outer:
                outer.attr(label=plain(layer), color="#999999", style="rounded")
                for i, (neuron, members) in enumerate(neurons.items()):
                    with outer.subgraph(name=f"{frame}_{i}") as inner:
                        inner.attr(label=plain(neuron), color="#cccccc", style="rounded")
                        for node in members:
                            self._value(inner, node)

    def _value(self, dot: graphviz.Digraph, node: Value) -> None:
        i = self.index[node]
        name = self.names[node]
        if group := self.groups.get(node):
            name = name.removeprefix(group.neuron + ".")  # the frame says that part
        fields = [name, f"data {self.changes.text(node)}", f"grad {number(node.grad)}"]
        mark = self._mark(node)
        dot.node(
            f"v{i}",
            self._label(fields),
            id=f"v{i}",
            shape="record",
            fillcolor=self._colour(node.grad),
            **{"class": "value"},
            **mark,
        )
        if node.op:
            dot.node(f"o{i}", record(OPS[node.op].symbol), id=f"o{i}", **OPERATION, **mark)
            dot.edge(f"o{i}", f"v{i}", **mark)

    def _box(self, dot: graphviz.Digraph, key: str, title: str, members: list[Value]) -> None:
        leaves = sum(not node.op for node in members)
        counts = {"leaves": leaves, "operations": len(members) - leaves}
        fields = [title, ", ".join(f"{n} {what}" for what, n in counts.items() if n)]
        grads = [abs(node.grad) for node in members]
        fields.append(f"largest |grad| {number(max(grads, key=lambda g: (g != g, g)))}")
        dot.node(
            key, self._label(fields), id=key, shape="record", fillcolor="#eeeeee", penwidth="2"
        )

    def _label(self, fields: list[str]) -> str:
        """A record of fields one below the other: braces turn what rankdir has turned."""
        stacked = "|".join(map(record, fields))
        return stacked if self.rankdir in ("LR", "RL") else "{" + stacked + "}"

    def _mark(self, node: Value) -> dict[str, str]:
        return {"color": HIGHLIGHT, "penwidth": "3"} if node is self.highlight else {}

    def _colour(self, grad: float) -> str:
        """White at 0, towards the largest gradient orange, or blue for a negative one."""
        if not math.isfinite(grad):
            return "#ff4d4d"
        share = math.sqrt(abs(grad) / self.largest) if self.largest else 0.0
        strongest = (255, 170, 80) if grad > 0 else (110, 170, 255)
        return "#" + "".join(f"{round(255 + share * (c - 255)):02x}" for c in strongest)
