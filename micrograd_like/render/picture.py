"""The DOT text of a drawing, part by part."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import graphviz

from micrograd_like._internal.text import cut, number, one_line, rounded
from micrograd_like.engine import Value
from micrograd_like.graph import Edge, Group, changes_of, edges_of
from micrograd_like.operation import OPS
from micrograd_like.render.text import plain, record
from micrograd_like.stepping.formulas import formula_of, forward_formula

FONT = "Helvetica"  # the one name whose widths all renderers know, so that text fits its box
MOST_LABELS = 40
MOST_ARROWS = 4  # from a leaf; a web of more is neither read nor laid out in time
MANY = 100  # boxes, and the layout has to be quick
FAR = 12  # columns that an arrow crosses, and where there are many boxes a name stands for it
QUICK = {"nslimit": "1", "nslimit1": "1", "mclimit": "0.1"}
ROOMY = {"bgcolor": "transparent", "ranksep": "0.62"}  # numbers will stand at the arrows
DENSE = {"splines": "line", "ranksep": "2"}  # bundles of arrows from layer to layer
SIDES = {
    "LR": ("e", "w"),
    "RL": ("w", "e"),
    "TB": ("s", "n"),
    "BT": ("n", "s"),
}  # where arrows leave a box and come in
HIGHLIGHT, WRONG = "#b0135a", "#e9c4ff"
ABOVE, BELOW = "orange: grad above 0", "blue: grad below 0"
DARKER = "darker: larger |grad|"
BROKEN, BEGUN = "violet, dashed: nan or inf", "thick: where that began"
SLOPE = "number at an arrow: local derivative of the result by this operand"
BUNDLE = "×n at an arrow: n uses as an operand"
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
FORMULA = {"fontsize": "14"}  # 12 and 16 are what the page's style says of boxes and symbols
SAME_EITHER_WAY = {"+", "·", "max", "min", "hypot", "logaddexp"}
FIRST = "1st"  # at the arrow of the first operand of any other operation
DOT = {"fontsize": "32", "height": "0.5", "fixedsize": "true"}  # hardly seen else


class Options(NamedTuple):
    """The arguments of `draw` of these names; and for a page `room`.

    That is a text which stands in the boxes where the page will write its numbers. A heading that
    tells of those would be wrong there.
    """

    rankdir: str = "LR"
    constants: bool = True
    local_grads: bool = False
    highlight: Value | None = None
    room: str = ""


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
        self.shown: set[str] = set()  # the colours and marks that occur
        self.begun = self._begun()
        self.inputs = self._inputs()
        self.index = {node: i for i, node in enumerate(nodes)}
        titles = sorted(set(folded.values()), key=_natural)
        self.leaving = {nodes[-1]} | {
            x for node in nodes for x in node.parents if folded.get(x) != folded.get(node)
        }
        self.boxes = {title: f"f{i}" for i, title in enumerate(titles)}
        self.many = len(nodes) - len(folded) + len(titles) > MANY
        self.columns = self._columns()
        finite = [abs(node.grad) for node in nodes if math.isfinite(node.grad)]
        self.largest = max(finite, default=0.0)

    def source(self) -> str:
        """The whole text."""
        dot = graphviz.Digraph(
            graph_attr={"rankdir": self.options.rankdir, "bgcolor": "white", "fontname": FONT}
            | (ROOMY if self.options.room else {}),
            node_attr={"fontname": FONT, "fontsize": "12", "style": "filled"},
            edge_attr={"fontname": FONT, "fontsize": "10", "color": "#666666"}
            | {"labelfontsize": "9", "labeldistance": "2.2", "labelangle": "-30"},
        )
        if self.many:
            dot.attr(**QUICK)
        self._values(dot)
        self._folded(dot)
        self._arrows(dot)
        colours = [text for text in (ABOVE, BELOW, DARKER, BROKEN, BEGUN) if text in self.shown]
        arrows = [text for text in (SLOPE, BUNDLE) if text in self.shown]
        legend = [", ".join(colours)] if colours else []
        told = [*self.changes.lines(self.names), *legend, *arrows]
        if told and not self.options.room:
            dot.attr(label=plain("\n".join(told)), labelloc="t", fontsize="12")
        return str(dot.source)

    def _columns(self) -> dict[Value, int]:
        """About the columns that the layout will choose: as late as that shortens the arrows."""
        columns: dict[Value, int] = {}
        users: dict[Value, list[Value]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            columns[node] = max([columns[x] + 1 for x in node.parents], default=0)
            for x in {*node.parents}:
                users[x].append(node)
        for node in reversed(self.nodes):
            stay = sum(bool(x.op) and len(users[x]) > 1 for x in {*node.parents})
            if users[node] and stay <= len(users[node]):
                columns[node] = min(columns[user] for user in users[node]) - 1
        return columns

    def _begun(self) -> set[Value]:
        """The nodes where a nan or an inf came up: nothing that they were computed from has one."""
        begun = {
            node
            for node in self.nodes
            if not math.isfinite(node.data) and all(math.isfinite(x.data) for x in node.parents)
        }
        passed = {x for node in self.nodes if not math.isfinite(node.grad) for x in node.parents}
        return begun | {
            node
            for node in self.nodes
            if not math.isfinite(node.grad) and math.isfinite(node.data) and node not in passed
        }

    def _inputs(self) -> dict[tuple[Value, int], tuple[str, str]]:
        """The plain numbers that meet a weight, by node and position: each the layer and a name.

        The name is x[3] for the number that w.3 is multiplied by, x[3]#2 for the next such number.
        """
        inputs: dict[tuple[Value, int], tuple[str, str]] = {}
        names: dict[tuple[str, str], dict[float, str]] = {}  # of the numbers seen at a place
        for operand, node, position in self.edges:
            indices = [self.parameters.get(x, "").rpartition(".")[2] for x in node.parents]
            index = next(filter(str.isdigit, indices), "")
            if isinstance(operand, float) and node.op == "mul" and index:
                layer = self.groups[node].layer if node in self.groups else ""
                known = names.setdefault((layer, index), {})
                again = f"#{len(known) + 1}" if known else ""
                name = known.setdefault(operand, f"x[{index}]{again}")
                inputs[node, position] = layer, name
        return inputs

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
        data = self.options.room or self.changes.text(node)
        grad = self.options.room or number(node.grad)
        dot.node(
            f"v{i}",
            self._label([self._title(node), f"data {data}", f"grad {grad}"]),
            id=f"v{i}",
            shape="record",
            **self._look(node) | mark,
            **{"class": "value"},
        )
        if node.op:
            text = self._operation(node)
            more = FORMULA if text != OPS[node.op].symbol else DOT if node.op == "mul" else {}
            dot.node(f"o{i}", record(text), id=f"o{i}", **OPERATION | more | mark)
            dot.edge(f"o{i}", f"v{i}", **mark)

    def _operation(self, node: Value) -> str:
        """The symbol, or with a plain number the formula, □ for the operand that has an arrow."""
        op, operands = OPS[node.op], node.operands
        plain_numbers = [
            x
            for i, x in enumerate(operands)
            if isinstance(x, float) and (node, i) not in self.inputs
        ]
        if not (plain_numbers and self.options.constants):
            return op.symbol
        shown = ["□" if isinstance(x, Value) else rounded(x) for x in operands]
        return formula_of(op, shown)

    def _title(self, node: Value) -> str:
        """The name, and what the node was made of, operands in their order."""
        name = self._name(node, node)
        if not node.op:
            return name
        operands: list[str | float] = []
        for i, x in enumerate(node.operands):
            if isinstance(x, Value):
                operands.append(cut(self._name(x, node)))
            else:
                found = self.inputs.get((node, i))
                operands.append(found[1] if found else rounded(x))
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

    def _folded(self, dot: graphviz.Digraph) -> None:
        """The boxes that many nodes share, those of a layer one below the other in their order."""
        inside: dict[str, list[Value]] = {title: [] for title in self.boxes}
        for node in self.nodes:
            if node in self.folded:
                inside[self.folded[node]].append(node)
        layers: dict[str, list[str]] = {}
        for title, key in self.boxes.items():
            members = inside[title]
            parameters = [node for node in members if node in self.parameters]
            made = sum(bool(node.op) for node in members)
            counts = [_counted(len(members) - made, "leaf", "leaves")]
            counts.append(_counted(made, "operation", "operations"))
            # A dead neuron's output has a gradient, its parameters have none.
            steepest = max(
                parameters or members, key=lambda node: (node.grad != node.grad, abs(node.grad))
            )
            owner = "parameters' " if parameters else ""
            fields = [
                title,
                ", ".join(filter(None, counts)),
                *self._outputs(members),
                f"{owner}largest |grad| {number(abs(steepest.grad))}",
            ]
            wrong = next(filter(_wrong, members), steepest)
            begun = next(filter(self.begun.__contains__, members), wrong)
            dot.node(
                key,
                plain("\n".join(fields)),
                id=key,
                shape="box",  # a record can't stand in a column
                **{"penwidth": "2"} | self._look(begun),
            )
            group = self.groups.get(members[0])
            layer = group.layer if group and group.neuron == title else title
            layers.setdefault(layer, []).append(key)
        for keys in layers.values():
            with dot.subgraph() as column:
                column.attr(rank="same")
                for above, below in pairwise(keys):
                    column.edge(above, below, style="invis")

    def _outputs(self, members: list[Value]) -> list[str]:
        """For the box of a neuron or a layer what it computed, from the least to the largest."""
        outputs = [x for x in members if x.op and x in self.groups and x in self.leaving]
        data = sorted((x.data for x in outputs), key=lambda x: (x != x, x))
        if len(data) < 2:
            return [f"output {self.names[x]} = {number(x.data)}" for x in outputs]
        least, largest = number(data[0]), number(data[-1])
        spread = f"all {least}" if least == largest else f"{least} to {largest}"
        return [f"{len(data)} outputs, {spread}"]

    def _arrows(self, dot: graphviz.Digraph) -> None:
        uses = Counter[Value]()
        boxes: dict[tuple[str, str], str] = {}  # of inputs
        bundles: Counter[tuple[str, str]] = Counter()
        for k, edge in enumerate(self.edges):
            operand, node = edge.operand, edge.node
            shared = node in self.folded or operand in self.folded
            head = self.boxes.get(self.folded.get(node, ""), f"o{self.index[node]}")
            if isinstance(operand, float):
                key = self.inputs.get((node, edge.position))
                if key is None or not self.options.constants:
                    continue  # it stands in the operation
                if key not in boxes:
                    boxes[key] = f"c{k}"
                    dot.node(boxes[key], plain(f"{key[1]} = {number(operand)}"), **INPUT)
                tail = boxes[key]
            else:
                uses[operand] += 1
                tail = self.boxes.get(self.folded.get(operand, ""), f"v{self.index[operand]}")
                often = uses[operand] > MOST_ARROWS and not operand.op
                far = self.many and self.columns[node] - self.columns[operand] > FAR
                if (often or far) and not shared:
                    tail = f"n{k}"
                    dot.node(tail, record(cut(self._name(operand, node))), **BARE)
            if shared:
                bundles[tail, head] += tail != head
            else:
                dot.edge(tail, head, id=f"e{k}", **self._told(edge) | self._mark(node))
        if len(bundles) > MANY:
            dot.attr(**DENSE)
            tail, head = SIDES[self.options.rankdir]
            dot.attr("edge", penwidth="0.5", arrowsize="0.5", tailport=tail, headport=head)
        for (start, end), count in bundles.items():
            # The room that many labels take pulls the boxes of a dense layer far apart.
            label = f"×{count}" if count > 1 and len(bundles) <= MOST_LABELS else ""
            self.shown |= {BUNDLE} if label else set()
            if count:
                dot.edge(start, end, label=label)

    def _told(self, edge: Edge) -> dict[str, str]:
        """The text at an arrow: which operand comes first, and the local derivative if asked."""
        node = edge.node
        ordered = len(node.parents) == 2 and OPS[node.op].symbol not in SAME_EITHER_WAY
        first = ordered and edge.position == 0
        if not self.options.local_grads or isinstance(edge.operand, float):
            return {"headlabel": FIRST} if first else {}
        before = node.operands[: edge.position]
        self.shown.add(SLOPE)
        slope = number(node.local_grads[sum(isinstance(x, Value) for x in before)])
        return {"label": f"{FIRST}: {slope}" if first else slope}

    def _label(self, fields: list[str]) -> str:
        """A record of fields one below the other: braces turn what rankdir has turned."""
        stacked = "|".join(map(record, fields))
        return stacked if self.options.rankdir in ("LR", "RL") else "{" + stacked + "}"

    def _mark(self, node: Value) -> dict[str, str]:
        return {"color": HIGHLIGHT, "penwidth": "3"} if node is self.options.highlight else {}

    def _look(self, node: Value) -> dict[str, str]:
        """The ground of a box: white at 0, towards the largest gradient orange, or blue below 0."""
        if _wrong(node):
            self.shown |= {BROKEN, BEGUN} if node in self.begun else {BROKEN}
            thick = {"penwidth": "4"} if node in self.begun else {}
            return {"fillcolor": WRONG, "style": "filled,dashed"} | thick
        if node.grad:
            self.shown |= {ABOVE if node.grad > 0.0 else BELOW, DARKER}
        share = math.sqrt(abs(node.grad) / self.largest) if self.largest else 0.0
        strongest = (255, 170, 80) if node.grad > 0 else (110, 170, 255)
        tint = "".join(f"{round(255 + share * (c - 255)):02x}" for c in strongest)
        return {"fillcolor": f"#{tint}"}


def _wrong(node: Value) -> bool:
    return not (math.isfinite(node.data) and math.isfinite(node.grad))


def _counted(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}" if n else ""


def _natural(title: str) -> list[tuple[int, str]]:
    """A key that sorts neurons.2 before neurons.10."""
    return [
        (int(part or 0), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", title)
    ]
