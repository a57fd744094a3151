"""S7 · Heuristics: step size, momentum, an adaptive optimiser, and a sweep of hyperparameters.

    python demos/s7_heuristics.py [--plot s7.png]

The valley f(x, y) = ½ (x² + κ y²) is κ times as steep across as along. Plain descent multiplies x
by 1 − η and y by 1 − ηκ at each step: it needs η < 2/κ to stay in the valley, and then crawls along
it. Momentum remembers, v ← μ v + ∇f, w ← w − η v: pushes across the valley cancel, those along it
add up. Adam divides each coordinate by the size of its recent gradients: the steepness drops out.

Worth a look: the number of steps each one needs, and the zigzag in the picture; in the second
table, that no choice is best by itself (relu is first and last), which is why people sweep.
"""

import random
from collections.abc import Callable, Sequence
from itertools import product

from support.plotting import plot_asked_for

from micrograd_like import MLP, SGD, Adam, Value, binary_cross_entropy_with_logits, fit, moons

STEEP = 100.0  # κ
START = (10.0, 1.0)
Maker = Callable[[list[Value]], SGD | Adam]
VALLEY: dict[str, Maker] = {
    "descent, η = 1/κ": lambda w: SGD(w, lr=1 / STEEP),
    "descent, η = 1.98/κ": lambda w: SGD(w, lr=1.98 / STEEP),
    "descent, η = 2.02/κ": lambda w: SGD(w, lr=2.02 / STEEP),
    "momentum 0.8": lambda w: SGD(w, lr=3.2 / STEEP, momentum=0.8),
    "Adam": lambda w: Adam(w, lr=0.5),
}


def valley(x: Value, y: Value) -> Value:
    return (x * x + STEEP * (y * y)) * 0.5


def descend(make: Maker, steps: int) -> list[tuple[float, float]]:
    """The way down from START: where it is before every step, and after the last."""
    w = [Value(number) for number in START]
    optimizer = make(w)
    path = [START]
    for _ in range(steps):
        optimizer.zero_grad()
        valley(*w).backward()
        optimizer.step()
        path.append((w[0].data, w[1].data))
    return path


def steps_needed(path: Sequence[tuple[float, float]], height: float = 1e-3) -> int | None:
    """The first step from which on the way stays below `height`; None if it never does."""
    above = [i for i, point in enumerate(path) if not valley(*map(Value, point)).data < height]
    needed = above[-1] + 1 if above else 0
    return needed if needed < len(path) else None


def sweep() -> list[tuple[str, str, int, str, float, float]]:
    """Layers, activation, batch size and optimiser, with what 15 epochs on the moons give."""
    X, y = moons(60, 0.15, random.Random(7))
    held_out = moons(200, 0.15, random.Random(8))
    makers: dict[str, Maker] = {
        "descent": lambda w: SGD(w, lr=0.3),
        "momentum": lambda w: SGD(w, lr=0.1, momentum=0.9),
        "Adam": lambda w: Adam(w, lr=0.03),
    }
    rows = []
    for sizes, activation, batch, (name, make) in product(
        ([8, 1], [8, 8, 1]), ("tanh", "relu"), (10, 60), makers.items()
    ):
        rng = random.Random(7)
        model = MLP(2, sizes, activation=activation, init="glorot", rng=rng)
        history = fit(
            model,
            X,
            y,
            loss=binary_cross_entropy_with_logits,
            optimizer=make(model.parameters()),
            epochs=15,
            batch_size=batch,
            compile=False,
            progress=False,
            rng=rng,
        )
        right = sum((model(row).data > 0) == k for row, k in zip(*held_out))
        layers = "-".join(map(str, [2, *sizes]))
        rows.append((layers, activation, batch, name, history.rows[-1]["loss"], right / 200))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    plot = plot_asked_for(__doc__, "the ways down", arguments)

    paths = {name: descend(make, 1000) for name, make in VALLEY.items()}
    print(f"the valley ½ (x² + {STEEP:.0f} y²) from {START}: steps until it stays below 0.001")
    for name, path in paths.items():
        needed = steps_needed(path)
        print(f"{name:20}  {'never: it climbs' if needed is None else needed}")

    print("\n15 epochs on the moons\nlayers   activation  batch  optimiser    loss  held out")
    for layers, activation, batch, name, loss, accuracy in sorted(sweep(), key=lambda row: row[4]):
        print(f"{layers:7}  {activation:10}  {batch:5}  {name:9}  {loss:6.3f}  {accuracy:8.3f}")

    if plot:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 3.5), layout="constrained")
        axes = figure.add_subplot(xlabel="x", ylabel="y", xlim=(-4, 11), ylim=(-2.5, 2.5))
        xs, ys = range(-4, 12), [k / 10 for k in range(-25, 26)]
        axes.contour(xs, ys, [[(x * x + STEEP * y * y) / 2 for x in xs] for y in ys], colors="0.9")
        for name, path in paths.items():
            if steps_needed(path) is not None:
                axes.plot(*zip(*path[:80]), ".-", linewidth=0.7, markersize=3, label=name)
        axes.legend()
        figure.savefig(plot, dpi=150)


if __name__ == "__main__":
    main()
