"""The engines that compute the value of a graph and its gradient by each leaf."""

from __future__ import annotations

import hashlib
import json
import operator
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial, reduce
from importlib.util import find_spec
from typing import Any

import micrograd_like
from micrograd_like import Value, compile
from tests.support.random_graphs import Recipe, bits

Numbers = list[list[float]]
"""For each graph its value and then its gradient by each leaf."""

Engine = Callable[[Sequence[Recipe]], Numbers]


def eager(recipes: Sequence[Recipe]) -> tuple[Numbers, str]:
    """The results of the engine at hand, and a digest of every number in every node."""
    found, digest = [], hashlib.sha256()
    for recipe in recipes:
        nodes = recipe.build()
        nodes[-1].backward()
        found.append([nodes[-1].data, *[leaf.grad for leaf in nodes[: len(recipe.leaves)]]])
        for node in nodes:
            digest.update(bits([node.data, node.grad, *node.local_grads]))
    return found, digest.hexdigest()


class Pure:
    """The pure engine, in a process of its own."""

    def __init__(self) -> None:
        environment = os.environ | {
            "MICROGRAD_LIKE_PURE": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.heavy.differential.engines"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, recipes: Sequence[Recipe]) -> tuple[Numbers, str]:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(recipes), file=self._process.stdin, flush=True)
        engine, numbers, digest = json.loads(self._process.stdout.readline())
        assert engine == "pure", engine
        return numbers, digest

    def close(self) -> None:
        self._process.communicate()


def serve() -> None:
    """Answer each line of recipes on standard input with a line of what `eager` gives."""
    for line in sys.stdin:
        recipes = [
            Recipe(tuple(leaves), tuple([(name, tuple(picks)) for name, picks in steps]))
            for leaves, steps in json.loads(line)
        ]
        print(json.dumps([micrograd_like.ENGINE, *eager(recipes)]), flush=True)


def program(backend: str, recipes: Sequence[Recipe]) -> Numbers:
    """All graphs in one program; a gradient is that of their sum, since they share no leaf.

    Every second leaf is an input and a parameter of −0.0, of which the sum is the input. So there
    are gradients by all leaves, and operations run both once a call and once a row.
    """
    parameters, inputs, row, roots = [], [], [], []
    for recipe in recipes:
        leaves = []
        for place, number in enumerate(recipe.leaves):
            by_row = place % 2 == 1
            leaf = Value(-0.0 if by_row else number)
            parameters.append(leaf)
            if by_row:
                changing = Value(0.5)
                inputs.append(changing)
                row.append(number)
                leaf = changing + leaf
            leaves.append(leaf)
        roots.append(recipe.grow(leaves)[-1])
    [values] = compile(roots, inputs, params=parameters, backend=backend)([row])
    total = compile(reduce(operator.add, roots), inputs, params=parameters, backend=backend)
    _, gradient = total.value_and_grad([row])
    left = iter(gradient)
    return [
        [value, *[next(left) for _ in recipe.leaves]]
        for value, recipe in zip(values, recipes, strict=True)
    ]


def torch(recipes: Sequence[Recipe]) -> Numbers:
    from torch import float64, tensor

    functions = _torch_functions()
    found = []
    for recipe in recipes:
        leaves = [tensor(x, dtype=float64, requires_grad=True) for x in recipe.leaves]
        nodes: list[Any] = [*leaves]
        for name, picks in recipe.steps:
            operands = [nodes[x] if isinstance(x, int) else tensor(x, dtype=float64) for x in picks]
            nodes.append(functions[name](*operands))
        if nodes[-1].requires_grad:
            nodes[-1].backward()
        grads = [0.0 if leaf.grad is None else leaf.grad.item() for leaf in leaves]
        found.append([nodes[-1].item(), *grads])
    return found


def _torch_functions() -> dict[str, Callable[..., Any]]:
    import torch

    named = "add sub mul div neg pow exp log log1p sqrt sin cos tanh sigmoid logaddexp relu abs"
    named += " tan asin acos atan atan2 hypot expm1 sinh cosh erf"
    functions = {name: getattr(torch, name) for name in [*named.split(), "maximum", "minimum"]}
    functional = torch.nn.functional
    return functions | {
        "detach": torch.detach,
        "softplus": partial(functional.softplus, threshold=40.0),
        "bce": functional.binary_cross_entropy,
        "bce_with_logits": functional.binary_cross_entropy_with_logits,
    }


PACKAGES = {"python": (), "llvm": ("numpy", "llvmlite"), "jax": ("jax",), "torch": ("torch",)}
"""What the engines other than our own need."""

OTHERS: dict[str, Engine] = {
    **{name: partial(program, name) for name in ("python", "llvm", "jax")},
    "torch": torch,
}


def installed(name: str) -> bool:
    return all(map(find_spec, PACKAGES[name]))


if __name__ == "__main__":
    serve()
