"""The DOT text of a drawing, part by part."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import graphviz

from micrograd_like._internal.text import number, one_line
from micrograd_like.engine import Value
from micrograd_like.graph import Edge, Group, changes_of, edges_of
from micrograd_like.operation import OPS
from micrograd_like.render.text import plain, record
from micrograd_like.stepping.formulas import forward_formula

FONT = "Helvetica"  # the one name whose widths all renderers know, so that text fits its box
MOST_LABELS = 40
MOST_ARROWS = 4  # from a leaf; a web of more is neither read nor laid out in time
MOST_CURVED = 100  # boxes with curved arrows between them
STRAIGHT = {"splines": "line", "nslimit": "1", "nslimit1": "1", "mclimit": "0.1"}
HIGHLIGHT, WRONG = "#d62728", "#ff4d4d"
BARE = {"shape": "plaintext", "style": "", "class": "constant"}
INPUT = {"shape": "box", "style": "rounded", "class": "constant"}
OPERATION = {
    "class": "operation",
    "fillcolor": "white",
    "fontsize": "16",
    "width": "0.5",
    "height": "0.4",
    "margin": "0.04",
}


class Options(NamedTuple):
    """The arguments of `draw` of these names."""

    rankdir: str
    constants: bool
    local_grads: bool
    highlight: Value | None


class Picture:
    """A graph to draw: nodes are v0, v1, … in the order of `nodes`, their operations o0, o1, ….

    `parameters` maps those of a model to their paths, and `folded` nodes to the title of the box
    that they share.
    """

    def __init__(
        self,
        nodes: list[Value],
        names: Mapping[Value, str],
        groups: Mapping[Value, Group],
        folded: Mapping[Value, str],
        parameters: Mapping[Value, str],
        options: Options,
    ) -> None:
        self.nodes, self.names, self.groups, self.folded = nodes, names, groups, folded
        self.parameters, self.options = parameters, options
        self.changes, self.edges = changes_of(nodes), edges_of(nodes)
        self.index = {node: i for i, node in enumerate(nodes)}
        titles = sorted(set(folded.values()), key=_natural)
        self.boxes = {title: f"f{i}" for i, title in enumerate(titles)}
        finite = [abs(node.grad) for node in nodes if math.isfinite(node.grad)]
        self.largest = max(finite, default=0.0)

    def source(self) -> str:
        """The whole text."""
        dot = graphviz.Digraph(
            graph_attr={"rankdir": self.options.rankdir, "bgcolor": "white", "fontname": FONT},
            node_attr={"fontname": FONT, "fontsize": "12", "style": "filled"},
            edge_attr={"fontname": FONT, "fontsize": "10", "color": "#666666"},
        )
        if told := [*self.changes.lines(self.names), *self._legend()]:
            dot.attr(label=plain("\n".join(told)), labelloc="t", fontsize="12")
        if len(self.nodes) - len(self.folded) + len(self.boxes) > MOST_CURVED:
            dot.attr(**STRAIGHT)
        self._values(dot)
        self._folded(dot)
        self._arrows(dot)
        return str(dot.source)

    def _legend(self) -> list[str]:
        """The colours that occur, in words."""
        grads = [node.grad for node in self.nodes if math.isfinite(node.grad)]
        occurring = {
            "orange: grad above 0": any(grad > 0.0 for grad in grads),
            "blue: grad below 0": any(grad < 0.0 for grad in grads),
            "red: nan or inf": any(map(_wrong, self.nodes)),
        }
        told = ", ".join(text for text, occurs in occurring.items() if occurs)
        return [told] if told else []

    def _values(self, dot: graphviz.Digraph) -> None:
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
        i, mark = self.index[node], self._mark(node)
        data = f"data {self.changes.text(node)}"
        dot.node(
            f"v{i}",
            self._label([self._title(node), data, f"grad {number(node.grad)}"]),
            id=f"v{i}",
            shape="record",
            fillcolor=self._colour(node),
            **{"class": "value"},
            **mark,
        )
        if node.op:
            dot.node(f"o{i}", record(OPS[node.op].symbol), id=f"o{i}", **OPERATION, **mark)
            dot.edge(f"o{i}", f"v{i}", **mark)

    def _title(self, node: Value) -> str:
        """The name, and what the node was made of, operands in their order."""
        name = self._name(node, node)
        if not node.op:
            return name
        operands = [
            self._input(node) or x if isinstance(x, float) else one_line(self._name(x, node))
            for x in node.operands
        ]
        return forward_formula(OPS[node.op], operands, name)

    def _name(self, node: Value, beside: Value) -> str:
        """The name of a node in or beside the box of another; a frame around both says a part."""
        name = self.names[node]
        if one_line(node.label) == name:
            name = node.label  # with its line breaks
        group = self.groups.get(beside)
        if group and self.groups.get(node) == group:
            name = name.removeprefix(group.neuron + ".")
        return name

    def _input(self, node: Value) -> str:
        """A number that meets a weight of the model is an input: x[3] for the weight w.3."""
        if node.op == "mul":
            for weight in node.parents:
                index = self.parameters.get(weight, "").rpartition(".")[2]
                if index.isdigit():
                    return f"x[{index}]"
        return ""

    def _folded(self, dot: graphviz.Digraph) -> None:
        """The boxes that many nodes share, those of a layer one below the other in their order."""
        inside: dict[str, list[Value]] = {title: [] for title in self.boxes}
        for node in self.nodes:
            if node in self.folded:
                inside[self.folded[node]].append(node)
        layers: dict[str, list[str]] = {}
        for title, key in self.boxes.items():
            members = inside[title]
            leaves = sum(not node.op for node in members)
            counts = {"leaves": leaves, "operations": len(members) - leaves}
            steepest = max(members, key=lambda node: (node.grad != node.grad, abs(node.grad)))
            fields = [
                title,
                ", ".join(f"{n} {kind}" for kind, n in counts.items() if n),
                f"largest |grad| {number(abs(steepest.grad))}",
            ]
            wrong = next(filter(_wrong, members), steepest)
            dot.node(
                key,
                plain("\n".join(fields)),
                id=key,
                shape="box",  # a record can't stand in a column
                fillcolor=self._colour(wrong),
                penwidth="2",
            )
            group = self.groups.get(members[0])
            layer = group.layer if group and group.neuron == title else title
            layers.setdefault(layer, []).append(key)
        for keys in layers.values():
            with dot.subgraph() as column:
                column.attr(rank="same")
                for above, below in pairwise(keys):
                    column.edge(above, below, style="invis")

    def _arrows(self, dot: graphviz.Digraph) -> None:
        uses = Counter[Value]()
        inputs: dict[tuple[str, str, float], str] = {}
        bundles: Counter[tuple[str, str]] = Counter()
        for k, edge in enumerate(self.edges):
            operand, node = edge.operand, edge.node
            shared = node in self.folded or operand in self.folded
            head = self.boxes.get(self.folded.get(node, ""), f"o{self.index[node]}")
            if isinstance(operand, float):
                name = self._input(node)
                if not self.options.constants or (node in self.folded and not name):
                    continue
                layer = self.groups[node].layer if node in self.groups else ""
                tail = inputs.get((layer, name, operand)) if name else None
                if tail is None:
                    tail = f"c{k}"
                    if name:
                        dot.node(tail, plain(f"{name} = {number(operand)}"), **INPUT)
                    else:
                        dot.node(tail, record(number(operand)), **BARE)
                    inputs[layer, name, operand] = tail
            else:
                uses[operand] += 1
                tail = self.boxes.get(self.folded.get(operand, ""), f"v{self.index[operand]}")
                if uses[operand] > MOST_ARROWS and not operand.op and not shared:
                    tail = f"n{k}"
                    dot.node(tail, record(one_line(self._name(operand, node))), **BARE)
            if shared:
                bundles[tail, head] += tail != head
            else:
                dot.edge(tail, head, self._slope(edge), id=f"e{k}", **self._mark(node))
        for (tail, head), count in bundles.items():
            # The room that many labels take pulls the boxes of a dense layer far apart.
            label = f"×{count}" if count > 1 and len(bundles) <= MOST_LABELS else ""
            if count:
                dot.edge(tail, head, label=label)

    def _slope(self, edge: Edge) -> str:
        """The local derivative beside an arrow, where it is asked for."""
        if not self.options.local_grads or isinstance(edge.operand, float):
            return ""
        before = edge.node.operands[: edge.position]
        return number(edge.node.local_grads[sum(isinstance(x, Value) for x in before)])

    def _label(self, fields: list[str]) -> str:
        """A record of fields one below the other: braces turn what rankdir has turned."""
        stacked = "|".join(map(record, fields))
        return stacked if self.options.rankdir in ("LR", "RL") else "{" + stacked + "}"

    def _mark(self, node: Value) -> dict[str, str]:
        return {"color": HIGHLIGHT, "penwidth": "3"} if node is self.options.highlight else {}

    def _colour(self, node: Value) -> str:
        """White at 0, towards the largest gradient orange, or blue for a negative one."""
        if _wrong(node):
            return WRONG
        share = math.sqrt(abs(node.grad) / self.largest) if self.largest else 0.0
        strongest = (255, 170, 80) if node.grad > 0 else (110, 170, 255)
        return "#" + "".join(f"{round(255 + share * (c - 255)):02x}" for c in strongest)


def _wrong(node: Value) -> bool:
    return not (math.isfinite(node.data) and math.isfinite(node.grad))


def _natural(title: str) -> list[tuple[int, str]]:
    """A key that sorts neurons.2 before neurons.10."""
    return [
        (int(part or 0), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", title)
    ]
