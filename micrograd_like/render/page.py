"""The page that computes with a graph, forward and backward.

The page holds the graph as data, and for each operation in it the functions that its row of the
table gives, written as JavaScript. So numbers can be changed there, and no derivative is written
here.
"""

from __future__ import annotations

import html
import keyword
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from micrograd_like import ops
from micrograd_like._internal.text import one_line, rounded
from micrograd_like.engine import Value, topological_order
from micrograd_like.graph import (
    Model,
    changes_of,
    distinct_names,
    groups_of,
    known_names,
    nodes_of,
    numbered,
)
from micrograd_like.operation import OPS, Op, Operators
from micrograd_like.programs.javascript import NotWritten, Script, elementary
from micrograd_like.render.drawing import drawing_of
from micrograd_like.render.picture import Options
from micrograd_like.render.template import as_data, fill, read, script_of, style_of
from micrograd_like.stepping.formulas import MOST_OFF, Symbol, forms_of_derivative, formula_of
from micrograd_like.stepping.steps import expression_of

MOST_NODES = 500
_SCRIPTS = ("page_pass.js", "page_text.js", "page.js", "page_panels.js")
_PLACES = ("{0}", "{1}")
_LONGEST_TITLE = 60  # characters
_ROOM = "−0.00000"  # as wide as nearly all numbers in a box


def graph_page(root: Value, names: Mapping[str, object], model: Model | None) -> str:
    """The page about the graph of `root`, as the text of a file."""
    nodes = nodes_of(root)
    if len(nodes) > MOST_NODES:
        raise ValueError(
            f"the graph has {len(nodes)} nodes, and a page shows at most {MOST_NODES}: explore a "
            "smaller part, or step through it with debug(root)"
        )
    called = distinct_names(nodes, names, model)
    operations = {node.op: OPS[node.op] for node in nodes if node.op}
    try:
        rows, why = rows_script(list(operations.values())), ""
    except NotWritten as error:
        rows, why = "const ROWS = [];", str(error)
    picture = picture_of(root, names, model)
    data = graph_data(root, nodes, called, list(operations.values()), model, live=not why)
    note = (
        f"<p id='note'>The numbers of this page can't be changed: {html.escape(why)}. It plays the "
        "passes as they were when it was made.</p>"
    )
    return fill_page(
        html.escape(f"Backprop through {_subject(nodes, called, names, model)}"),
        picture.svg,
        as_data(data | {"width": picture.width}),
        graph_script(rows),
        note if why else "",
    )


def _subject(
    nodes: Sequence[Value],
    called: Mapping[Value, str],
    names: Mapping[str, object],
    model: Model | None,
) -> str:
    """The name of the last node if it was given one, or else the expression, if it is short."""
    root, given = nodes[-1], known_names(nodes, names, model)
    if root in given or not root.op:
        return called[root]
    text = str(expression_of(nodes, called, given))
    return text if len(text) <= _LONGEST_TITLE else "an expression"


def graph_script(rows: str) -> str:
    """The script of a page about a graph; `rows` is what `rows_script` gives."""
    return script_of(rows, *map(read, _SCRIPTS))


def fill_page(title: str, svg: str, data: str, script: str, note: str = "") -> str:
    """The text of a page about a graph; `data` is that of `graph_data` and the picture's width."""
    return fill(
        "page.html",
        styles={"style": style_of("page.css")},
        scripts={"script": script},
        title=title,
        description=f"{title}: the graph; the table below says the same in words",
        svg=svg,
        note=note,
        graph=data,
    )


def rows_script(operations: Sequence[Op]) -> str:
    """The operations as JavaScript: ROWS, each with its forward function and local derivatives."""
    script = Script()
    rows = []
    for op in operations:
        forward, slopes = script.forward(op), []
        for place, slope in enumerate(op.partials):
            try:
                slopes.append(script.function(slope, len(op.partials) + 1))
            except NotWritten as error:
                raise NotWritten(f"{op.name}: of partial {place}, {error}") from error
        rows.append(
            f"{{ forward: {forward}, slopes: [{', '.join(slopes)}], "
            f"textbook: [{', '.join(_textbook(op, script))}] }}"
        )
    return defined("ROWS", script, js_list(rows))


def js_list(texts: Iterable[str]) -> str:
    """A list of JavaScript of these expressions, one a line."""
    return "[\n" + ",\n".join(texts) + "\n]"


def defined(name: str, written: Script, value: str) -> str:
    """JavaScript that gives a name to a value, in which the functions of `written` are called."""
    parts = [elementary(), *written.functions, f"return {value};"]
    return f"const {name} = (() => {{\n" + "\n".join(parts) + "\n})();"


def _textbook(op: Op, script: Script) -> list[str]:
    """For each operand the textbook's local derivative, null where it can be computed with."""
    names = ["a", "b"][: len(op.partials)]
    found = []
    for place in range(len(names)):
        forms = _forms(op, place, names, "out")
        if forms and str(forms[0]) != str(forms[1]):
            found.append(script.function(partial(_read, forms[0], (*names, "out")), len(names) + 1))
        else:
            found.append("null")
    return found


def _read(formula: Symbol, names: Sequence[str], *operands: Any) -> Any:
    return formula.read(dict(zip(names, operands, strict=True)), lambda op, *given: op(*given))


def graph_data(
    root: Value,
    nodes: Sequence[Value],
    called: Mapping[Value, str],
    operations: Sequence[Op],
    model: Model | None,
    live: bool,
) -> dict[str, Any]:
    """The graph as page_pass.js reads it: nodes by number, formulas with places for operands."""
    index = {node: i for i, node in enumerate(nodes)}
    op_index = {op.name: i for i, op in enumerate(operations)}
    identifiers = _identifiers([called[node] for node in nodes])
    texts: dict[str, int] = {}
    changes = changes_of(nodes)

    def text(formula: object) -> int:
        return texts.setdefault(str(formula), len(texts))

    def described(node: Value, identifier: str) -> dict[str, Any]:
        found: dict[str, Any] = {"name": called[node], "id": identifier}
        if not live:
            made_with = changes.data(node)
            found["data"] = plain_number(node.data if made_with is None else made_with)
        if not node.op:
            return found
        op, operands = OPS[node.op], node.operands
        places = [
            _PLACES[i] if isinstance(x, Value) else rounded(x) for i, x in enumerate(operands)
        ]
        rules, careful = [], []
        for i, x in enumerate(operands):
            short = long = ""
            if isinstance(x, Value) and (forms := _forms(op, i, places, "{o}")):
                short, long = map(str, forms)
            rules.append(text(short) if isinstance(x, Value) else None)
            careful.append(text(long) if long != short else None)
        parents = [identifiers[index[x]] if isinstance(x, Value) else x for x in operands]
        found |= {
            "op": op_index[node.op],
            "from": [index[x] if isinstance(x, Value) else plain_number(x) for x in operands],
            "made": text(formula_of(op, places)),
            "rules": rules,
            "code": _code(op, parents),
        }
        if any(x is not None for x in careful):
            found["careful"] = careful
        if not live:
            slopes = iter(node.local_grads)
            found["slopes"] = [
                plain_number(next(slopes)) if isinstance(x, Value) else "NaN" for x in operands
            ]
        return found

    described_nodes = [described(*pair) for pair in zip(nodes, identifiers, strict=True)]
    return {
        "live": live,
        "ops": [{"name": op.name, "selects": op.selects} for op in operations],
        "nodes": described_nodes,
        "texts": list(texts),
        "most_off": MOST_OFF,
        "leaves": _leaves(nodes, index, model),
        "order": [index[node] for node in reversed(topological_order(root)) if node.op],
        "root": index[root],
        "imports": _imports(operations),
    }


def _forms(
    op: Op, position: int, operands: Sequence[str | float], out: str
) -> tuple[Symbol, Symbol] | None:
    """The formulas of a local derivative; None where it is Python that no formula shows."""
    try:
        return forms_of_derivative(op, position, operands, out)[1:]
    except TypeError:
        return None


def _leaves(
    nodes: Sequence[Value], index: Mapping[Value, int], model: Model | None
) -> list[dict[str, Any]]:
    groups = groups_of(nodes, model) if model else {}
    parameters = {parameter for _, parameter in model.named_parameters()} if model else set()
    return [
        {
            "node": index[node],
            "data": plain_number(node.data),
            "group": one_line(groups[node].neuron) if node in groups else "",
            "fixed": model is not None and node not in parameters,
        }
        for node in nodes
        if not node.op
    ]


def plain_number(x: float) -> str:
    """A number as JavaScript's `Number` reads it, with all its digits."""
    if math.isfinite(x):
        return repr(x)
    return "NaN" if x != x else "Infinity" if x > 0.0 else "-Infinity"


# The expression as Python.

_WRITTEN = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "pow": "{} ** {}",
    "neg": "-{}",
    "abs": "abs({})",
    "maximum": "maximum({}, {})",
    "minimum": "minimum({}, {})",
}


def _identifiers(names: Sequence[str]) -> list[str]:
    """A name that Python takes for each of the names, no two alike."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"\W+", "_", name).strip("_") or "v"
        if not plain.isidentifier() or keyword.iskeyword(plain):
            plain = f"v_{plain}"
        if not plain.isidentifier():  # characters that only letters may follow
            plain = "v"
        found.append(plain)
    return numbered(found, "_", {"Value", "maximum", "minimum", "ops", "print", "float"})


def _code(op: Op, operands: Sequence[str | float]) -> str:
    return _form(op).format(*[x if isinstance(x, str) else _python(x) for x in operands])


def _form(op: Op) -> str:
    """The call of an operation in Python, with {} for each operand."""
    if op.name in _WRITTEN:
        return _WRITTEN[op.name]
    if len(op.partials) == 1 and hasattr(Operators, op.name):
        return f"{{}}.{op.name}()"
    row = f"ops.{op.name}" if getattr(ops, op.name, None) is op else f"ops.OPS[{op.name!r}]"
    return f"{row}({', '.join(['{}'] * len(op.partials))})"


def _python(x: float) -> str:
    text = repr(x) if math.isfinite(x) else f'float("{x}")'
    return f"({text})" if text.startswith("-") else text


def _imports(operations: Sequence[Op]) -> list[str]:
    called = {re.split(r"\W", _form(op))[0] for op in operations}
    return ["Value", *sorted(called & {"maximum", "minimum", "ops"})]


# The picture and the page.


class Picture(NamedTuple):
    """A graph as SVG, and how wide it is in CSS pixels."""

    svg: str
    width: int


def picture_of(root: Value, names: Mapping[str, object], model: Model | None = None) -> Picture:
    """The drawing of a graph without what a page does not need, with room for other numbers."""
    svg = drawing_of(root, names, model, MOST_NODES, Options(room=_ROOM)).svg
    width = float(re.search(r'width="([\d.]+)pt"', svg)[1])  # type: ignore[index]
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (?:fill|font-family|stroke|xml:space|xmlns:xlink)="[^"]*"', "", svg)
    svg = re.sub(r' (?:text-anchor="middle"|font-size="1[26].00")', "", svg)  # as the style says
    svg = re.sub(r' id="(?:edge|graph|clust)\d+"', "", svg)  # which nothing asks for
    svg = svg.replace(f"data {_ROOM}", "").replace(f"grad {_ROOM}", "")  # the script writes there
    svg = re.sub(r' (?:points|d|[cr]?[xy])="[^"]*"', _rounded, svg)
    svg = re.sub(r'(<polygon points="([^ "]+) [^"]+) \2"', r'\1"', svg)  # which closes by itself
    return Picture(svg.replace(">\n<", "><"), round(width * 4 / 3))


def _rounded(attribute: re.Match[str]) -> str:
    """Coordinates to a point, those of corners to a tenth, for small arrowheads need that."""
    digits = 1 if attribute[0].startswith(" points=") else 0
    return re.sub(
        r"\d+\.\d+", lambda x: f"{float(x[0]):.{digits}f}".removesuffix(".0"), attribute[0]
    )
