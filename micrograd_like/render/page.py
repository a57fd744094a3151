"""`explore`: a page without a network that plays the backward pass of a graph."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from micrograd_like._internal.text import number, one_line
from micrograd_like.engine import Value
from micrograd_like.graph import edges_of, given_names, nodes_of
from micrograd_like.render.drawing import draw
from micrograd_like.stepping.stepper import Stepper
from micrograd_like.stepping.steps import Contribution, Step

MOST_NODES = 500


class Player:
    """A page that plays backprop: `html` is its text, `save` writes it, notebooks show it.

    The page holds all it needs and asks nothing of a network.
    """

    def __init__(self, page: str) -> None:
        self.html = page

    def __repr__(self) -> str:
        return f"<Player, {len(self.html.encode()) / 1000:.0f} kB of HTML: see .save(path), .html>"

    def save(self, path: str | Path) -> Path:
        """Write the page to `path` and return the path; an ending but .html raises ValueError."""
        target = Path(path)
        if target.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"a page is saved as .html, got {str(path)!r}")
        target.write_text(self.html, encoding="utf-8")
        return target

    def _repr_html_(self) -> str:
        return (
            '<iframe sandbox="allow-scripts" width="100%" height="640" style="border:0" '
            f'title="Backprop, step by step" srcdoc="{html.escape(self.html)}"></iframe>'
        )


def explore(root: Value, *, names: Mapping[str, object] | None = None) -> Player:
    """A page that plays the backward pass of `root`, forward and back, with formulas and numbers.

    `names` gives names to Values, as `locals()` does; labels go first. The graph keeps its
    gradients. Raises ValueError for more than 500 nodes, and RuntimeError where no renderer of
    graphs is installed.

    >>> a = Value(2.0, label="a")
    >>> L = a.tanh()
    >>> "∂L/∂a = 1 − L² = 0.07065" in explore(L, names=locals()).html
    True
    """
    nodes, names = nodes_of(root), given_names(names)
    if len(nodes) > MOST_NODES:
        raise ValueError(
            f"the graph has {len(nodes)} nodes, and a page plays at most {MOST_NODES}: explore a "
            "smaller part, or step through it with debug(root)"
        )
    before = [node.grad for node in nodes]
    try:
        for node in nodes:
            node.grad = 0.0
        return Player(_played(root, nodes, names))
    finally:
        for node, grad in zip(nodes, before, strict=True):
            node.grad = grad


def _played(root: Value, nodes: list[Value], names: Mapping[str, object] | None) -> str:
    """The page; this plays the pass once and leaves its gradients on the nodes."""
    stepper = Stepper(root, names=names)
    name = {node: one_line(text) for node, text in stepper.names.items()}
    index = {node: i for i, node in enumerate(nodes)}
    arrows = {(e.node, e.position): f"e{i}" for i, e in enumerate(edges_of(nodes))}
    steps = [
        {
            "node": index[step.node],
            "rule": f"{step.operation},   {step.name}.grad = {number(step.upstream)}",
            "parts": [
                {
                    "to": index[c.operand],
                    "edge": arrows[step.node, c.position],
                    "text": _line(step, c),
                    "after": _shown(c.after),
                }
                for c in step.contributions
            ],
        }
        for step in stepper
    ]
    svg, width = _graph(draw(root, names=names, max_nodes=MOST_NODES).svg)
    finite = [abs(node.grad) for node in nodes if math.isfinite(node.grad)]
    data = {
        "values": [
            {"name": name[node], "made": node.op or "leaf", "data": number(node.data)}
            for node in nodes
        ],
        "steps": steps,
        "root": index[root],
        "zero": _shown(0.0),
        "one": _shown(1.0),
        "largest": max(finite, default=0.0),
        "start": f"Start: {name[root]}.grad = 1, for ∂{name[root]}/∂{name[root]} = 1.",
        "end": "The pass is complete: every gradient is what backward() gives.",
    }
    return _page(f"Backprop through {name[root]}", svg, width, data)


def _line(step: Step, c: Contribution) -> str:
    formula, local = str(c.formula), number(c.local)
    slope = local if re.fullmatch(r"[−\d.e]+", formula) else f"{formula} = {local}"
    return (
        f"∂{step.name}/∂{c.name} = {slope}   "
        f"{c.name}.grad += {number(step.upstream)} · {local}   "
        f"{number(c.before)} → {number(c.after)}"
    )


def _shown(grad: float) -> dict[str, Any]:
    finite = math.isfinite(grad)
    return {"text": number(grad), "number": grad if finite else None}


def _graph(svg: str) -> tuple[str, str]:
    """The picture without what a page does not need, and its width as CSS writes it."""
    width = float(re.search(r'width="([\d.]+)pt"', svg)[1])  # type: ignore[index]
    svg = re.sub(r"<!--.*?-->\s*|<title>.*?</title>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (?:font-family|xml:space|stroke)="[^"]*"', "", svg)
    svg = re.sub(r' (?:text-anchor="middle"|font-size="12.00")', "", svg)  # as the style says
    svg = svg.replace(">\n<", "><")
    return svg, f"{width * 4 / 3:.0f}px"


def _page(title: str, svg: str, width: str, data: dict[str, Any]) -> str:
    folder = resources.files("micrograd_like.render")
    parts = {name: (folder / f"page.{name}").read_text("utf-8") for name in ("html", "css", "js")}
    style = Template(parts["css"]).substitute(width=width)
    # In a script only "<" could end the data too early.
    pass_data = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return Template(parts["html"]).substitute(
        title=html.escape(title),
        description=html.escape(f"{title}: the graph; the table below says the same in words"),
        svg=svg,
        style=style,
        style_hash=_digest(style),
        script=parts["js"],
        script_hash=_digest(parts["js"]),
        **{"pass": pass_data},
        last=str(len(data["steps"])),
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
