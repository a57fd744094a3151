"""`draw`: a graph of Values as a picture."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from micrograd_like._internal.arguments import whole
from micrograd_like.engine import Value
from micrograd_like.graph import Group, Model, distinct_names, given_names, groups_of, nodes_of
from micrograd_like.render.images import FORMATS, MOST_PIXELS, png_size, render
from micrograd_like.render.picture import Options, Picture
from micrograd_like.render.text import letters_that_fonts_may_lack

MOST_BUNDLES = 1000  # arrows between boxes that many nodes share; more are a web
LEAVES, OPERATIONS = "other leaves", "other operations"


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
            if form == "png" and max(png_size(picture)) >= MOST_PIXELS:
                warnings.warn(
                    f"{target.name} is smaller than drawn: it would have more than {MOST_PIXELS} "
                    "pixels in a row or a column; .svg and .pdf have no such bound",
                    stacklevel=2,
                )
            if form == "png" and (foreign := letters_that_fonts_may_lack(self.source)):
                warnings.warn(
                    f"where no font of this machine has {foreign}, {target.name} shows empty "
                    "boxes: a picture in .svg shows them with the fonts of its reader",
                    stacklevel=2,
                )
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
    local_grads: bool = False,
    highlight: Value | None = None,
) -> Drawing:
    """The graph of `root`: a box for every Value, an ellipse for every operation.

    A plain number stands in its operation, at its side: 1 − □. Of two operands whose order matters
    the arrow of the first says "1st".

    A box shows the name and what it was made of, the data and the grad. It is the darker the larger
    the grad is, orange for positive and blue for negative, and violet and dashed where a number is
    nan or inf, with a thick frame where that began. A leaf that is used many times has arrows to
    the first uses; at the others stands its name, and in a large graph at all uses that are far
    away. If a leaf was given other `data` since the graph was made, a heading says so, and the box
    has the number that the graph was made with and the present one.

    - `rankdir`: where the arrows go: "LR", "RL", "TB" or "BT".
    - `names`: names for Values, as `locals()` gives them; the caller's variables unless given.
      Labels go first.
    - `model`: puts the nodes of a neuron and of a layer into frames, and folds them into one box
      where the graph would have more than `max_nodes` boxes, with what they computed, and coloured
      by the largest grad of their parameters; layers too, where there would still be more boxes, or
      more than 1,000 arrows between them. The plain numbers that meet the weights are the inputs,
      x[0], x[1] and so on, each drawn once; of another example they are x[0]#2, x[1]#2.
    - `constants`: whether plain numbers in the expression are shown in its operations.
    - `local_grads`: if true, the local derivative stands at the arrow from each operand.
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
    options = Options(rankdir, constants, local_grads, highlight)
    return drawing_of(root, given_names(names), model, max_nodes, options)


def drawing_of(
    root: Value, names: Mapping[str, object], model: Model | None, max_nodes: int, options: Options
) -> Drawing:
    """The result of `draw`, whose arguments have been checked."""
    nodes = nodes_of(root)
    if len(nodes) > max_nodes and model is None:
        raise ValueError(
            f"the graph has {len(nodes)} nodes, more than max_nodes={max_nodes}: give model= to "
            f"fold neurons and layers into boxes, or raise max_nodes (drawing takes seconds from "
            f"500 nodes on and minutes from 5,000)"
        )
    groups = groups_of(nodes, model) if model else {}
    names_in_use = distinct_names(nodes, names, model)
    parameters = {x: path for path, x in model.named_parameters()} if model else {}
    folded = _fold(nodes, groups, max_nodes)
    return Drawing(Picture(nodes, names_in_use, groups, folded, parameters, options).source())


def _fold(
    nodes: Sequence[Value], groups: Mapping[Value, Group], max_nodes: int
) -> dict[Value, str]:
    """The title of the shared box for every node that gets none of its own.

    Nothing is folded up to `max_nodes` nodes. Beyond, the first of these that leaves no more
    boxes than that and no web of arrows, or else the last: one box a neuron; one a
    neuron and one each for the leaves and the operations outside of neurons; the same with one box
    a layer. The last of `nodes`, the root, keeps its own box unless a neuron made it.
    """
    if len(nodes) <= max_nodes:
        return {}
    neurons = {node: group.neuron for node, group in groups.items()}
    layers = {node: group.layer for node, group in groups.items()}
    rest = {node: OPERATIONS if node.op else LEAVES for node in nodes if node not in groups}
    folded: dict[Value, str] = {}
    for folded in (neurons, rest | neurons, rest | layers):
        if nodes[-1] not in groups:
            folded.pop(nodes[-1], None)
        boxes = {folded.get(node, node) for node in nodes}
        if len(boxes) > max_nodes:
            continue
        arrows = {
            (folded.get(x, x), folded.get(node, node)) for node in nodes for x in node.parents
        }
        if len(arrows) <= MOST_BUNDLES:
            break
    return folded
