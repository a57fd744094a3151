"""The command `micrograd-like train`: small trainings that end in something to look at."""

from __future__ import annotations

import math
import random
import sys
from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

from micrograd_like import datasets
from micrograd_like._internal.arguments import whole
from micrograd_like._internal.extras import MissingExtraError, load
from micrograd_like._internal.interrupts import uninterrupted
from micrograd_like._internal.numbers import Rows
from micrograd_like.cli import spelling
from micrograd_like.cli.boundary import Predict, boundary_text, draw_boundary
from micrograd_like.cli.plotting import plot_path
from micrograd_like.losses import binary_cross_entropy_with_logits, cross_entropy
from micrograd_like.nn import MLP
from micrograd_like.optim import Adam
from micrograd_like.training.history import History, Row
from micrograd_like.training.loop import fit
from micrograd_like.training.metrics import Loss, accuracy
from micrograd_like.training.prediction import predict
from micrograd_like.training.progress import Silent, Table

Data = tuple[Rows, list[int]]
Split = tuple[Data, Data]


def _held_out(count: int, X: Rows, y: list[int]) -> Split:
    """The examples to learn from, and the last `count`."""
    split = len(X) - count
    return (X[:split], y[:split]), (X[split:], y[split:])


def _digits(rng: random.Random) -> Split:
    X, y = datasets.digits()
    order = rng.sample(range(len(X)), len(X))
    return _held_out(397, [X[i] for i in order], [y[i] for i in order])


def _names(rng: random.Random) -> Split:
    names = datasets.first_names()[:600]  # with Values that takes a minute
    rng.shuffle(names)
    return spelling.spelled(names[:500]), spelling.spelled(names[500:])


def _boundary(predict: Predict, points: Data, _: random.Random) -> str:
    shown = boundary_text(predict, *points)
    return f"{shown}\no class 0, x class 1, ! wrong; shaded is what the network takes for class 1"


def _new_names(predict: spelling.Predict, _: Data, rng: random.Random) -> str:
    names = spelling.invented(predict, datasets.first_names(), rng, 10)
    return fill(f"made up: {', '.join(names) or 'nothing new'}", 79)


class Recipe(NamedTuple):
    """A task that `train` knows: the examples, the network and the loss.

    - `data`: makes the examples to learn from, and those that are only tested on.
    - `show`: says in a text what was learned, from a function from rows to outputs, the examples
      tested on, and a source of randomness.
    """

    about: str
    data: Callable[[random.Random], Split]
    show: Callable[[Any, Data, random.Random], str] | None = _boundary
    classes: int = 2
    hidden: tuple[int, ...] = (16, 16)
    lr: float = 0.02
    epochs: int = 30
    batch_size: int = 10

    @property
    def loss(self) -> Loss:
        """The loss that fits the number of classes."""
        return binary_cross_entropy_with_logits if self.classes == 2 else cross_entropy

    def model(self, inputs: int, rng: random.Random, activation: str = "relu") -> MLP:
        """A new network from so many inputs to a logit, or to one for each of several classes."""
        outputs = 1 if self.classes == 2 else self.classes
        return MLP(inputs, [*self.hidden, outputs], activation=activation, init="he", rng=rng)


RECIPES = {
    "moons": Recipe("two half moons", lambda rng: _held_out(100, *datasets.moons(300, rng=rng))),
    "circles": Recipe(
        "a circle in a circle", lambda rng: _held_out(100, *datasets.circles(300, rng=rng))
    ),
    "spirals": Recipe("two spirals", lambda rng: _held_out(100, *datasets.spirals(400, rng=rng))),
    "xor": Recipe(
        "exclusive or", lambda _: _held_out(0, *datasets.xor()), hidden=(16,), lr=0.1, batch_size=4
    ),
    "digits": Recipe(
        "handwritten digits of 8×8 pixels",
        _digits,
        show=None,
        classes=10,
        hidden=(16,),
        lr=0.01,
        epochs=5,
        batch_size=20,
    ),
    "names": Recipe(
        "first names, letter by letter",
        _names,
        show=_new_names,
        classes=len(spelling.LETTERS),
        hidden=(16,),
        lr=0.01,
        epochs=3,
    ),
}


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of `micrograd-like train`."""
    parser.add_argument("data", choices=RECIPES, help="what to learn: %(choices)s")
    option = parser.add_argument
    option("--seed", type=int, default=0, metavar="N", help="of all that is random (0)")
    option("--epochs", type=_whole, metavar="N", help="passes over the examples")
    option("--hidden", type=sizes, metavar="N,N", help="sizes of the hidden layers, as in 16,16")
    option("--lr", type=_rate, metavar="RATE", help="learning rate of Adam")
    option("--batch-size", type=_whole, metavar="N", help="examples in a step")
    option(
        "--compile",
        action=BooleanOptionalAction,
        default="auto",
        help="compile a program, or compute with Values; without this option, what is faster",
    )
    option(
        "--plot",
        type=plot_path,
        metavar="PATH",
        help="where the picture goes, as .png, .svg or .pdf; without this option it goes to a new "
        "file in the current folder, named after the data",
    )
    option("--quiet", action="store_true", help="print the accuracy alone; no picture but --plot's")


def run(arguments: Namespace) -> int:
    """The command `train`; returns the exit code, 130 after Ctrl-C."""
    recipe = RECIPES[arguments.data]
    chosen = {name: vars(arguments)[name] for name in ("hidden", "lr", "epochs", "batch_size")}
    recipe = recipe._replace(**{name: x for name, x in chosen.items() if x is not None})
    rng = random.Random(arguments.seed)
    (X, y), held_out = recipe.data(rng)
    test = held_out if held_out[0] else (X, y)
    loss, model = recipe.loss, recipe.model(len(X[0]), rng)
    widths = [len(X[0]), *(len(layer.neurons) for layer in model.layers)]
    optimizer = Adam(model.parameters(), lr=recipe.lr)
    if not arguments.quiet:
        held = f", {len(held_out[0])} more held out" if held_out[0] else ""
        print(f"{arguments.data}: {recipe.about}, {len(X)} examples{held}; seed {arguments.seed}")
        print(f"MLP {'-'.join(map(str, widths))} with relu, {len(optimizer.params)} parameters")
        print(f"Adam with learning rate {recipe.lr:g}, batches of {recipe.batch_size}", flush=True)
    table = Silent() if arguments.quiet else Table()
    shown: list[Row] = []

    def show(_: Any, row: Row) -> None:
        with uninterrupted():
            table.epoch(row)
            shown.append(row)

    history = fit(
        model,
        X,
        y,
        loss=loss,
        optimizer=optimizer,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        validation=held_out if held_out[0] else None,
        compile=arguments.compile,
        progress=False,
        rng=rng,
        callbacks=[show],
    )
    for row in history.rows[len(shown) :]:  # Ctrl-C may have come before it was its turn
        show(model, row)
    if history.stopped == "interrupt":
        done = f"{len(history.rows)} of {recipe.epochs} epochs"
        print(f"micrograd-like train: stopped by Ctrl-C after {done}", file=sys.stderr)
        return 130

    answers = partial(predict, model)
    outputs = answers(test[0])
    share = accuracy(loss, outputs[0], test[1])(outputs, test[1]) or 0.0
    verdict = f"accuracy {share:.3f}: {round(share * len(test[1]))} of {len(test[1])} right"
    verdict = f"held-out {verdict}" if held_out[0] else verdict
    print(verdict)
    if not arguments.quiet:
        print(f"loss {history.sparkline()}")
        if recipe.show:
            print(recipe.show(answers, test, rng))
    if arguments.quiet and not arguments.plot:
        return 0
    path = arguments.plot or _free_path(arguments.data)
    fate = "picture, replaced" if path.exists() else "picture"
    try:
        if widths[0] == 2:
            _draw(path, verdict, history, answers, test)
        else:
            history.plot(path)
    except (MissingExtraError, OSError) as error:
        print(f"no picture: {error}", file=sys.stderr)
        return 1 if arguments.plot else 0
    if not arguments.quiet:
        print(f"{fate}: {path}")
    return 0


def _draw(path: Path, title: str, history: History, predict: Predict, points: Data) -> None:
    figure = load("matplotlib.figure", "demos").Figure(figsize=(9.6, 4.2), layout="constrained")
    plane, curve = figure.subplots(1, 2, width_ratios=[3, 2])
    plane.set_title(title)
    draw_boundary(plane, predict, *points)
    history.draw(curve)
    figure.savefig(path, dpi=150)


def _free_path(name: str) -> Path:
    """A file that the current folder does not have yet: name.png, else name-2.png and so on."""
    path, number = Path(f"{name}.png"), 1
    while path.exists():
        number += 1
        path = Path(f"{name}-{number}.png")
    return path


def _whole(text: str) -> int:
    try:
        return whole("this", int(text), 1)
    except ValueError:
        raise ArgumentTypeError(f"expected a whole number above 0, got {text!r:.80}") from None


def sizes(text: str) -> tuple[int, ...]:
    """The sizes of layers, as in 16,16; ArgumentTypeError for anything else."""
    try:
        return tuple(_whole(size) for size in text.split(","))
    except ArgumentTypeError:
        raise ArgumentTypeError(f"expected sizes such as 16,16, got {text!r:.80}") from None


def _rate(text: str) -> float:
    with suppress(ValueError):
        if 0.0 < float(text) < math.inf:
            return float(text)
    raise ArgumentTypeError(f"expected a number above 0, got {text!r:.80}")
