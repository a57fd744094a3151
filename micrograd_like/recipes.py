"""The command `micrograd-like train`: small trainings that end in something to look at."""

from __future__ import annotations

import math
import random
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

from micrograd_like import datasets
from micrograd_like.boundary import Predict, boundary_text, draw_boundary
from micrograd_like.checks import whole
from micrograd_like.engines import ENGINES, make_engine
from micrograd_like.examples import Examples, Rows
from micrograd_like.extras import MissingExtraError, load
from micrograd_like.history import History
from micrograd_like.losses import binary_cross_entropy_with_logits, cross_entropy
from micrograd_like.metrics import accuracy
from micrograd_like.nn import MLP
from micrograd_like.optim import Adam
from micrograd_like.progress import Silent, Table
from micrograd_like.training import fit

Data = tuple[Rows, list[int]]


class Recipe(NamedTuple):
    """What to learn and how; of the examples that `data` makes, `held_out` are only tested on."""

    about: str
    data: Callable[[random.Random], Data]
    held_out: int = 100
    hidden: tuple[int, ...] = (16, 16)
    lr: float = 0.02
    epochs: int = 30
    batch_size: int = 10


def _shuffled_digits(rng: random.Random) -> Data:
    X, y = datasets.digits()
    order = rng.sample(range(len(X)), len(X))
    return [X[i] for i in order], [y[i] for i in order]


RECIPES = {
    "moons": Recipe("two half moons", lambda rng: datasets.moons(300, rng=rng)),
    "circles": Recipe("a circle in a circle", lambda rng: datasets.circles(300, rng=rng)),
    "spirals": Recipe("two spirals", lambda rng: datasets.spirals(400, rng=rng)),
    "xor": Recipe(
        "exclusive or", lambda rng: datasets.xor(), held_out=0, hidden=(16,), lr=0.1, batch_size=4
    ),
    "digits": Recipe(
        "handwritten digits of 8×8 pixels",
        _shuffled_digits,
        held_out=397,
        hidden=(16,),
        lr=0.01,
        epochs=5,
        batch_size=20,
    ),
}


def add_arguments(parser: ArgumentParser) -> None:
    """What `micrograd-like train` takes."""
    parser.add_argument("data", choices=RECIPES, help="what to learn: %(choices)s")
    option = parser.add_argument
    option("--seed", type=int, default=0, metavar="N", help="of all that is random (0)")
    option("--epochs", type=_whole, metavar="N", help="passes over the examples")
    option("--hidden", type=_sizes, metavar="N,N", help="sizes of the hidden layers, as in 16,16")
    option("--lr", type=_rate, metavar="RATE", help="learning rate of Adam")
    option("--batch-size", type=_whole, metavar="N", help="examples in a step")
    option("--engine", choices=ENGINES, default="auto", help="what computes (auto)")
    option(
        "--plot",
        type=_picture,
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
    X, y = recipe.data(rng)
    split = len(X) - recipe.held_out
    test = (X[split:], y[split:]) if recipe.held_out else (X, y)
    classes = len(set(y))
    loss = binary_cross_entropy_with_logits if classes == 2 else cross_entropy
    sizes = [len(X[0]), *recipe.hidden, 1 if classes == 2 else classes]
    model = MLP(sizes[0], sizes[1:], init="he", rng=rng)
    optimizer = Adam(model.parameters(), lr=recipe.lr)
    if not arguments.quiet:
        held = f", {recipe.held_out} more held out" if recipe.held_out else ""
        print(f"{arguments.data}: {recipe.about}, {split} examples{held}; seed {arguments.seed}")
        print(f"MLP {'-'.join(map(str, sizes))} with relu, {len(optimizer.params)} parameters")
        print(f"Adam with learning rate {recipe.lr:g}, batches of {recipe.batch_size}", flush=True)
    table = Silent() if arguments.quiet else Table()
    history = fit(
        model,
        X[:split],
        y[:split],
        loss=loss,
        optimizer=optimizer,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        validation=test if recipe.held_out else None,
        engine=arguments.engine,
        progress=False,
        rng=rng,
        callbacks=[lambda _, row: table.epoch(row)],
    )
    if history.stopped == "interrupt":
        done = f"{len(history.rows)} of {recipe.epochs} epochs"
        print(f"micrograd-like train: stopped by Ctrl-C after {done}", file=sys.stderr)
        return 130

    engine = make_engine(arguments.engine, model, loss, optimizer, Examples(*test))

    def predict(rows: Rows) -> list[Any]:
        examples = engine.read(Examples(rows, [0] * len(rows)))
        return engine.evaluate(examples, range(len(rows)))[1]

    outputs = predict(test[0])
    share = accuracy(loss, outputs[0], test[1])(outputs, test[1]) or 0.0
    verdict = f"accuracy {share:.3f}: {round(share * len(test[1]))} of {len(test[1])} right"
    verdict = f"held-out {verdict}" if recipe.held_out else verdict
    print(verdict)
    if not arguments.quiet:
        print(f"loss {history.sparkline()}")
        if sizes[0] == 2:
            print(boundary_text(predict, *test))
            print("o class 0, x class 1, ! wrong; shaded is what the network takes for class 1")
    if arguments.quiet and not arguments.plot:
        return 0
    path = arguments.plot or _free_path(arguments.data)
    fate = "picture, replaced" if path.exists() else "picture"
    try:
        if sizes[0] == 2:
            _draw(path, verdict, history, predict, test)
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
    names = chain([name], (f"{name}-{i}" for i in count(2)))
    return next(path for path in (Path(f"{n}.png") for n in names) if not path.exists())


def _whole(text: str) -> int:
    try:
        return whole("this", int(text), 1)
    except ValueError:
        raise ArgumentTypeError(f"expected a whole number above 0, got {text!r:.80}") from None


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(_whole(size) for size in text.split(","))
    except ArgumentTypeError:
        raise ArgumentTypeError(f"expected sizes such as 16,16, got {text!r:.80}") from None


def _rate(text: str) -> float:
    with suppress(ValueError):
        if 0.0 < float(text) < math.inf:
            return float(text)
    raise ArgumentTypeError(f"expected a number above 0, got {text!r:.80}")


def _picture(text: str) -> Path:
    path = Path(text)
    try:
        formats = load("matplotlib.figure", "demos").Figure().canvas.get_supported_filetypes()
    except MissingExtraError as error:
        raise ArgumentTypeError(str(error)) from None
    if path.suffix[1:].lower() not in formats:
        endings = ", ".join(f".{ending}" for ending in formats)
        raise ArgumentTypeError(f"{text!r:.80} does not end in one of {endings}")
    if not path.parent.is_dir():
        raise ArgumentTypeError(f"there is no folder {str(path.parent)!r:.80}")
    return path
