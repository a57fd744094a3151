"""Draws every picture of the documents: python docs/pictures/draw_all.py [FOLDER]."""

import os
import random
import subprocess
import sys
from pathlib import Path

os.environ["SOURCE_DATE_EPOCH"] = "0"  # for matplotlib, which writes the date otherwise
HERE = Path(__file__).resolve().parent
os.environ["MATPLOTLIBRC"] = str(HERE / "matplotlibrc")
DEMOS = HERE.parents[1] / "demos"
PLOTS = (
    "s4_minibatches",
    "s5_slowdown",
    "s6_vanishing",
    "s7_heuristics",
    "s8_shared_weights",
    "s9_digits",
    "physics_fit",
)


def walk(folder: Path) -> None:
    """The expression of the walk through backprop: its graph, and the page that plays it."""
    from micrograd_like import Value, draw, explore

    a, b = Value(0.5, label="a"), Value(-3.0, label="b")
    c = a * b
    d = a + c
    L = d.tanh()
    names = {"c": c, "d": d, "L": L}
    explore(L, names=names).save(folder / "backprop.html")
    L.backward()
    draw(L, names=names).save(folder / "walk.svg")


def readme(folder: Path) -> None:
    """The graph of the README's loss."""
    from micrograd_like import Value, draw

    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    loss = (a * b + 5).tanh()
    loss.backward()
    draw(loss, names={"loss": loss}).save(folder / "loss.svg")


def boundary(folder: Path) -> None:
    """Two moons, and where a network draws the line between them."""
    from matplotlib.figure import Figure

    from micrograd_like import MLP, Adam, binary_cross_entropy_with_logits, fit, moons
    from micrograd_like.cli.boundary import draw_boundary

    rng = random.Random(1)
    X, y = moons(100, 0.1, rng)
    model = MLP(2, [16, 16, 1], init="he", rng=rng)
    fit(
        model,
        X,
        y,
        loss=binary_cross_entropy_with_logits,
        optimizer=Adam(model.parameters(), lr=0.01),
        epochs=40,
        batch_size=10,
        progress=False,
        rng=rng,
    )
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    draw_boundary(figure.add_subplot(), lambda rows: [model(row).data for row in rows], X, y)
    figure.savefig(folder / "moons.svg")


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else HERE).resolve()
    walk(folder)
    readme(folder)
    boundary(folder)
    for name in PLOTS:
        command = [sys.executable, f"{DEMOS / name}.py", "--plot", f"{folder / name}.svg"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
