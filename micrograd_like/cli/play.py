"""The command `micrograd-like play`: a page in which a small network trains."""

from __future__ import annotations

import random
from argparse import ArgumentParser, Namespace

from micrograd_like.cli.arguments import save_or_print
from micrograd_like.cli.train import RECIPES, sizes
from micrograd_like.optim import Adam
from micrograd_like.render import explore

DATA = [name for name in RECIPES if name != "names"]  # whose letters make no picture
_MOST_EXAMPLES = 200


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of `micrograd-like play`."""
    option = parser.add_argument
    parser.add_argument("data", choices=DATA, help="what to learn: %(choices)s")
    option("-o", "--output", metavar="FILE", help="default: named after the data, as moons.html")
    option("--seed", type=int, default=0, metavar="N", help="of all that is random (0)")
    option("--hidden", type=sizes, metavar="N,N", help="sizes of the hidden layers, as in 16,16")
    option("--activation", choices=("relu", "tanh", "sigmoid"), default="relu", help="(relu)")


def run(arguments: Namespace) -> int:
    """Write the page; returns the exit code."""
    recipe = RECIPES[arguments.data]
    recipe = recipe._replace(hidden=arguments.hidden or recipe.hidden)
    rng = random.Random(arguments.seed)
    (X, y), _ = recipe.data(rng)
    model = recipe.model(len(X[0]), rng, arguments.activation)
    optimizer = Adam(model.parameters(), lr=recipe.lr)
    X, y = X[:_MOST_EXAMPLES], y[:_MOST_EXAMPLES]
    return save_or_print(
        lambda: explore(model, X, y, loss=recipe.loss, optimizer=optimizer),
        arguments.output or f"{arguments.data}.html",
    )
