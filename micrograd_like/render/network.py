"""The page in which a network trains: the tape of one example as data, and pages of its neurons.

The tape's lines are run there one after the other, each for many examples at once, by functions
that the table of operations gives; the rules of the optimisers are read from their classes. No
derivative and no rule is written here.
"""

from __future__ import annotations

import gzip
import html
from base64 import b64encode
from collections.abc import Mapping, Sequence
from copy import copy
from math import isclose, isfinite
from typing import Any, NamedTuple

from micrograd_like.engine import Value
from micrograd_like.graph import distinct_names, groups_of, nodes_of
from micrograd_like.operation import OPS, Op
from micrograd_like.optim import SGD, Adam, Optimizer
from micrograd_like.programs.javascript import Script, knows
from micrograd_like.programs.tape import Operand, Tape
from micrograd_like.render.page import (
    defined,
    fill_page,
    graph_data,
    graph_script,
    js_list,
    picture_of,
    plain_number,
    rows_script,
)
from micrograd_like.render.template import as_data, fill, read, script_of, style_of
from micrograd_like.training.metrics import Loss, are_classes, sides_of
from micrograd_like.training.prediction import output_of
from micrograd_like.training.reading import Examples, read_examples, without_brackets
from micrograd_like.training.ways import Trace, leaves, numbers

MOST_LINES = 50_000
MOST_NUMBERS = 200_000
MOST_UNIT_NODES = 300
_COMPARED = 8  # examples whose graphs are made, to see that they are one graph
_SCRIPTS = ("page_text.js", "network_tape.js", "network.js")
_RATE = 0.01


def network_page(model: Any, X: Any, y: Any, loss: Any, optimizer: Any) -> str:
    """The page in which `model` learns X, y, as the text of a file; see `explore`."""
    if isinstance(loss, str) or not callable(loss):
        raise TypeError(f"loss is a function such as mse_loss, got {loss!r:.80}")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer is one such as Adam(...), or None, got {optimizer!r:.80}")
    if optimizer is not None and optimizer.groups:
        raise ValueError(
            f"a page moves all parameters by one rule, and this {type(optimizer).__name__} has "
            f"{len(optimizer.groups)} group(s): give one without, such as Adam(model.parameters())"
        )
    examples, output = _read(model, X, y)
    chosen = optimizer or Adam(model.parameters(), lr=_RATE)
    trace = Trace(model, loss, chosen, examples)
    _require_same_graph(model, loss, chosen, examples, trace, output)

    layers = _layers(trace, model)
    tape = _Columns(trace, [unit.top for units in layers.values() for unit in units])
    script = Script()
    loops = [script.loop(op) for op in tape.operations]
    rules = _rules(script, chosen)
    functions = defined("[LOOPS, UPDATES]", script, f"[{js_list(loops)}, {js_list(rules)}]")

    operations = list({node.op: OPS[node.op] for node in trace.nodes if node.op}.values())
    inner = graph_script(rows_script(operations))
    shapes = _Shapes(operations)
    data = {
        "inputs": len(trace.inputs),
        "features": len(examples.rows[0]),
        "moved": len(trace.moved),
        "rows": _rows(examples, trace),
        "answer": _answer(loss, output, examples.targets),
        "rules": [
            {"name": name, "rate": rule.learning_rate(0), "buffers": len(rule.buffer_names)}
            for name, rule in rules.values()
        ],
        "loss": getattr(loss, "__name__", "loss"),
        "layers": [
            {
                "name": name,
                "does": _activation(units),
                "units": [_described(unit, tape, shapes) for unit in units],
            }
            for name, units in layers.items()
        ],
    }
    sizes = [len(examples.rows[0]), *map(len, layers.values())]
    packed = {
        "network": data | tape.described(),
        "frame": fill_page("@title@", "@svg@", "@graph@", inner),
        "shapes": shapes.found,
        "leaves": [
            [tape.value(x) for x in unit.leaves] for units in layers.values() for unit in units
        ],
    }
    return fill(
        "network.html",
        styles={"style": style_of("page.css", "network.css"), "inner_style": style_of("page.css")},
        scripts={
            "script": script_of(functions, *map(read, _SCRIPTS)),
            "start": script_of(read("network_start.js")),
            "inner_script": inner,
        },
        title=html.escape(f"A {'-'.join(map(str, sizes))} network that trains"),
        packed=b64encode(gzip.compress(as_data(packed).encode(), mtime=0)).decode(),
    )


def _read(model: Any, X: Any, y: Any) -> tuple[Examples, Any]:
    """X and y, checked, as the model wants them, and the numbers of its first output."""
    examples = read_examples(X, y)
    size = len(examples.rows) * len(examples.rows[0])
    if size > MOST_NUMBERS:
        raise ValueError(
            f"X has {size} numbers, and a page holds at most {MOST_NUMBERS}: give fewer rows, as "
            f"in X[:{MOST_NUMBERS // len(examples.rows[0])}]"
        )
    output = output_of(model, examples.rows[0])
    single = isinstance(output, Value)
    return without_brackets(examples) if single else examples, numbers(output)


def _require_same_graph(
    model: Any, loss: Loss, optimizer: Optimizer, examples: Examples, trace: Trace, output: Any
) -> None:
    """Raise ValueError unless every example has this graph, and a batch the mean of its losses.

    `output` is the first one, as numbers.
    """
    count = len(examples.rows)
    chosen = list(dict.fromkeys(k * (count - 1) // _COMPARED for k in range(_COMPARED + 1)))
    few, outputs = [], []
    for i in chosen:
        other = Trace(model, loss, optimizer, examples, i)
        if other.digest != trace.digest:
            raise ValueError(
                f"example {i} is computed in another way than example 0: model or loss decides "
                "something in Python, which a page can't"
            )
        cost, *found = [root.data for root in other.roots]
        few.append(cost)
        outputs.append(leaves(found[0] if other.single else found))
    given = leaves(output)
    for target in examples.targets:
        float(loss([given], [target]))  # or it says why not
    mean = float(loss(outputs, [examples.targets[i] for i in chosen]))
    if isfinite(mean) and not isclose(mean, sum(few) / len(few), rel_tol=1e-9, abs_tol=1e-12):
        raise ValueError(
            f"the loss of {len(few)} examples is {mean!r} and the mean of their losses "
            f"{sum(few) / len(few)!r}: a page computes means over examples only"
        )


def _rows(examples: Examples, trace: Trace) -> list[list[float | int]]:
    """The numbers of each example and of its target; whole ones short."""
    rows = []
    for row, target in zip(examples.rows, examples.targets, strict=True):
        found = map(float, [*row, *trace.target(target)])
        rows.append([int(x) if x.is_integer() and abs(x) < 1e6 else x for x in found])
    return rows


def _answer(loss: Loss, output: Any, targets: list[Any]) -> dict[str, Any] | None:
    """From outputs to one of the classes, where the targets are classes."""
    if isinstance(output, list):
        return {"threshold": None} if are_classes(targets, len(output)) else None
    sides = sides_of(loss, targets)
    return sides._asdict() if sides else None


# The rules of the optimisers.


def _rules(script: Script, optimizer: Optimizer) -> dict[str, tuple[str, Optimizer]]:
    """The optimisers to choose from, the first one first: by their texts, with a name for each."""
    rate, parameters = optimizer.learning_rate(0), optimizer.params
    named = {
        "Adam": Adam(parameters, rate),
        "SGD": SGD(parameters, rate),
        "SGD with momentum 0.9": SGD(parameters, rate, momentum=0.9),
    }
    rules = {_update(script, optimizer): (f"{type(optimizer).__name__} as given", optimizer)}
    return rules | {_update(script, other): (name, other) for name, other in named.items()}


def _update(script: Script, optimizer: Optimizer) -> str:
    def rule(lr: Any, step: Any) -> Any:
        symbolic = copy(optimizer)
        vars(symbolic)["learning_rate"] = lambda step: lr
        return symbolic.rule(step)

    try:
        return script.update(rule, len(optimizer.buffer_names))
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ValueError(
            f"the rule of {type(optimizer).__name__} can't be written as JavaScript ({error}): "
            "give another optimizer, such as Adam"
        ) from None


# The tape.


class _Columns:
    """The lines of a tape that the page needs, numbered anew, parameters and inputs first.

    An operand is a place: the number of a line, or −2 − k for constant k; −1 is none.
    """

    def __init__(self, trace: Trace, tops: Sequence[Value]) -> None:
        tape = Tape(trace.roots, trace.inputs, trace.parameters, follow=True)
        tape = tape.careful()  # as in every page: zeros are told at once
        if missing := tape.unsupported(knows):
            raise ValueError(
                f"a page can't compute {', '.join(missing)}: forward or a partial is Python that "
                "takes only floats; write it with operations"
            )
        self._tape, self._trace = tape, trace
        self._passages = dict(zip(trace.nodes, tape.passages, strict=True))
        shown = [
            x for top in tops for x in (self._passages[top].value, *self._passages[top].gradient)
        ]
        self._first = first = tape.parameters + tape.inputs
        lines = [k for k in tape.needed([*tape.results(gradient=True), *shown]) if k >= first]
        if len(lines) > MOST_LINES:
            raise ValueError(
                f"the network takes {len(lines)} operations an example, and a page runs at most "
                f"{MOST_LINES}: make it smaller"
            )
        self._numbers = {old: new for new, old in enumerate([*range(first), *lines])}
        self._lines = lines
        self._constants: dict[str, int] = {}
        used = dict.fromkeys(tape.names[k] for k in lines)
        self.operations = [tape.ops[name] for name in used]
        self._codes = {name: code for code, name in enumerate(used)}
        seen = [self.place(x) for x in tape.outputs]
        self._seen = [*seen, *[self.value(top) for top in tops]]

    def place(self, x: Operand | None) -> int:
        """The place where the page finds an operand."""
        if x is None:
            return -1
        if type(x) is int:
            return self._numbers[x]
        return -2 - self._constants.setdefault(plain_number(x), len(self._constants))

    def value(self, node: Value) -> int:
        """The place of a node's value."""
        return self.place(self._passages[node].value)

    def gradient(self, node: Value) -> list[int]:
        """The places of the terms whose sum is a node's gradient, for one example."""
        return [self.place(x) for x in self._passages[node].gradient]

    def described(self) -> dict[str, Any]:
        """The columns, and where in them the results are."""
        tape = self._tape
        operands = [[tape.operand(key) for key in tape.keys(k)] for k in self._lines]
        found = {
            "code": [self._codes[tape.names[k]] for k in self._lines],
            "left": [self.place(x[0]) for x in operands],
            "right": [self.place(x[1]) if len(x) > 1 else -1 for x in operands],
            "parameters": [_plain(p.data) for p in self._trace.parameters],
            "cost": self.place(tape.outputs[0]),
            "outputs": [self.place(x) for x in tape.outputs[1:]],
            "gradients": [
                [self.place(x) for x in terms] for terms in tape.gradients[: len(self._trace.moved)]
            ],
            # Lines that give the values; the rest is gradients.
            "ahead": max(self._seen) + 1 - self._first,
        }
        return found | {"constants": list(self._constants)}


def _plain(x: float) -> float | str:
    return x if isfinite(x) else plain_number(x)


# Neurons.


class _Unit(NamedTuple):
    """A neuron: its nodes, of which `top` is its output, and the graph of it alone.

    `leaves` are the Values that the leaves of `root`, in the order of `nodes_of`, stand for.
    """

    title: str
    label: str
    top: Value
    root: Value
    leaves: list[Value]
    wires: list[tuple[Value, int]]


def _layers(trace: Trace, model: Any) -> dict[str, list[_Unit]]:
    """The neurons by layer, in the order of the model; wires come from an input or a neuron."""
    nodes = nodes_of(*trace.roots[1:])
    groups = groups_of(nodes, model)
    for node in nodes:  # an activation with numbers of its own belongs to what it is applied to
        found = {groups.get(x) for x in node.parents}
        if node not in groups and len(found) == 1 and (group := found.pop()):
            groups[node] = group
    members: dict[Any, list[Value]] = {}
    paths = {parameter: path for path, parameter in model.named_parameters()}
    order = [groups[parameter] for parameter in paths if parameter in groups]
    for group in dict.fromkeys(order):
        members[group] = [node for node in nodes if groups.get(node) == group]
    names = list(dict.fromkeys(group.layer for group in members))
    sources = {x: i for i, x in enumerate(trace.inputs)}
    called = {x: f"x{i + 1}" for i, x in enumerate(trace.inputs)}
    layers: dict[str, list[_Unit]] = {}
    count = 0
    for group, inside in members.items():
        made = [node for node in inside if node.op]
        if not made:
            continue
        units = layers.setdefault(group.layer, [])
        label = f"{names.index(group.layer)}.{len(units)}"
        top = made[-1]
        local = {p: paths[p].removeprefix(f"{group.neuron}.") for p in inside if p in paths}
        root, outside = _alone(top, set(inside), called | local)
        wires = [
            (p, sources[x])
            for node in made
            if node.op == "mul" and len(node.parents) == 2
            for p, x in (node.parents, node.parents[::-1])
            if p in local and x in sources
        ]
        units.append(_Unit(group.neuron, label, top, root, outside, wires))
        count += 1
        sources[top] = -count
        called[top] = f"h{label}"
    return layers


def _alone(
    top: Value, inside: set[Value], called: Mapping[Value, str]
) -> tuple[Value, list[Value]]:
    """A copy of the part of a graph under `top` that lies inside, and the Values at its leaves."""
    new: dict[Value, Value] = {}
    for node in nodes_of(top):
        if not node.op or node not in inside:
            new[node] = Value(node.data, called.get(node, ""))
        else:
            operands = [new[x] if isinstance(x, Value) else x for x in node.operands]
            new[node] = OPS[node.op](*operands)
    root = new[top]
    root.label = "out"
    olds = {copied: node for node, copied in new.items()}
    return root, [olds[leaf] for leaf in nodes_of(root) if not leaf.op]


class _Shapes:
    """The graphs of neurons as the page of a graph takes them, each shape of them once."""

    def __init__(self, operations: Sequence[Op]) -> None:
        self._operations = operations
        self._known: dict[object, int] = {}
        self.found: list[dict[str, Any]] = []

    def number(self, root: Value) -> int | None:
        """The number of the shape of the graph of `root`; None if it is too large to be shown."""
        nodes = nodes_of(root)
        if len(nodes) > MOST_UNIT_NODES:
            return None
        index = {node: i for i, node in enumerate(nodes)}
        key = tuple(
            (
                x.op,
                x.label,
                *[index[y] if isinstance(y, Value) else plain_number(y) for y in x.operands],
            )
            for x in nodes
        )
        if key not in self._known:
            self._known[key] = len(self.found)
            picture = picture_of(root, {})
            called = distinct_names(nodes)
            data = graph_data(root, nodes, called, self._operations, None, live=True)
            self.found.append({"svg": picture.svg, "graph": data | {"width": picture.width}})
        return self._known[key]


def _described(unit: _Unit, tape: _Columns, shapes: _Shapes) -> dict[str, Any]:
    return {
        "title": unit.title,
        "label": unit.label,
        "value": tape.value(unit.top),
        "gradient": tape.gradient(unit.top),
        "shape": shapes.number(unit.root),
        "wires": [[tape.value(parameter), source] for parameter, source in unit.wires],
    }


def _activation(units: Sequence[_Unit]) -> str:
    """The operations of a layer's first neuron beside its weighted sum."""
    names = [node.op for node in nodes_of(units[0].root) if node.op not in ("", "add", "mul")]
    return ", ".join(dict.fromkeys(names)) or "linear"
