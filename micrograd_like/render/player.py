"""`explore`: a page without a network that computes: a graph, or a network that trains."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from micrograd_like.engine import Value
from micrograd_like.graph import Model, given_names
from micrograd_like.render.network import network_page
from micrograd_like.render.page import graph_page
from micrograd_like.training.metrics import Loss


class Player:
    """A page that computes: `html` is its text, `save` writes it, notebooks show it.

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
            '<iframe sandbox="allow-scripts allow-downloads" width="100%" height="860" '
            'style="border:0" title="A page that computes" '
            f'srcdoc="{html.escape(self.html)}"></iframe>'
        )


def explore(
    root: Any,
    X: Any = None,
    y: Any = None,
    *,
    names: Mapping[str, object] | None = None,
    model: Model | None = None,
    loss: Loss | None = None,
    optimizer: Any = None,
) -> Player:
    """A page that computes: the graph of a Value, or a network that trains.

    `explore(root)` computes `root` and its gradients, step by step, and again for other numbers. It
    starts from the `data` that the leaves have now. They can be changed there; then everything is
    computed again, by the page itself. It shows each forward and each backward step with its
    formula, goes downhill, and asks what comes next.

    - `names`: names for Values, as `locals()` gives them; the caller's variables unless given.
      Labels go first.
    - `model`: puts the nodes of a neuron into a frame and its parameters into a list of their own;
      leaves that are no parameters of it start out as held fixed.

    An operation of one's own that is Python for floats alone can't run there: the page then plays
    the pass with the numbers that the graph has, and says so.

    `explore(model, X, y, loss=...)` trains a network on X, y, from the parameters that it has now.
    The page draws neurons and weights, what they make of each example, for two inputs the plane,
    and for a single input and output the curve; each neuron opens to its scalars.

    - `X`, `y`, `loss`: as for `fit`. `optimizer`: the first of those that the page offers.

    Nothing that is given changes. Raises ValueError for a graph of more than 500 nodes, a network
    or data too large for a page, and operations that can't run there; RuntimeError where no
    renderer of graphs is installed.

    >>> a = Value(2.0, label="a")
    >>> L = a.tanh()
    >>> "1 − {o}²" in explore(L, names=locals()).html  # the local derivative of tanh
    True
    """
    if isinstance(root, Value):
        if X is not None or y is not None or loss is not None:
            raise TypeError("X, y and loss go with a network, and explore was given a Value first")
        return Player(graph_page(root, given_names(names), model))
    if not hasattr(root, "named_parameters"):
        raise TypeError(
            f"explore takes a Value, or a network with X, y and loss, got {type(root).__name__}: "
            f"{root!r:.80}"
        )
    missing = [n for n, x in (("X", X), ("y", y), ("loss", loss)) if x is None]
    if missing:
        raise TypeError(
            f"explore of a network needs {', '.join(missing)}: write explore(model, X, y, "
            "loss=mse_loss), or for one output explore(model(x), model=model)"
        )
    return Player(network_page(root, X, y, loss, optimizer))
