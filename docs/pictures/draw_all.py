"""Draws every picture of the documents: python docs/pictures/draw_all.py [FOLDER]."""

import os
import random
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
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


def plan(folder: Path) -> None:
    """The plan of a network of 3, 32 and 1 units: lines of its tape, units, kernels."""
    from html import escape

    from micrograd_like import MLP, Value, compile, mse_loss

    x, target = [Value(0.0), Value(0.0), Value(0.0)], Value(0.0)
    loss = mse_loss(MLP(3, [32, 1])(x), target)
    units = str(compile(loss, [*x, target], backend="llvm").plan).splitlines()[1:]
    rows = [
        ("mul 0 161 · add 3 165 · mul 1 162 · …", "matrix: weights in place, biases as starts"),
        ("relu 170 · relu 179 · relu 188 · …", "code of its own, in a loop over the rows"),
        ("mul 128 171 · add 160 172 · …", "matrix: the output neuron"),
        ("sub · mul · mul", "code of its own: the loss and its slope"),
        ("mul upstream 171 · mul upstream 180 · …", "sums: by 32 units and a bias"),
        ("mul upstream 128 · step 170 · gate · …", "a map's loop: three tables, one result"),
        ("mul gate 161 · mul gate 162 · …", "sums: 32 lefts by x and 1"),
        ("the loss", "terms: one sum, of the first output"),
    ]
    heads = "lines of the tape", "units of the plan", "kernels and their tables"
    lines = [heads, *((a, unit.strip(), b) for (a, b), unit in zip(rows, units, strict=True))]
    step, starts, width = 40, (0, 320, 640), 290
    size = f'viewBox="0 0 940 {step * len(lines)}" font-family="sans-serif" font-size="12.5"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for i, line in enumerate(lines):
        y = step * i + 4
        for j, (left, text) in enumerate(zip(starts, line, strict=True)):
            if i:
                fill = ("#f2f2f2", "#dbe9f6", "#e5f0dc")[j]
                parts.append(
                    f'<rect x="{left + 5}" y="{y}" width="{width}" height="30" rx="4" '
                    f'fill="{fill}" stroke="#888"/>'
                )
                if j:
                    arrow = f"M{left - 24} {y + 15}h24m-6 -4l6 4l-6 4"
                    parts.append(f'<path d="{arrow}" stroke="#444" fill="none"/>')
            weight = "normal" if i else "bold"
            parts.append(
                f'<text x="{left + 14}" y="{y + 19}" font-weight="{weight}">{escape(text)}</text>'
            )
    (folder / "plan.svg").write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


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


STRETCH, LEFT, TOP = 80, -1.3, 1.4  # pixels for 1, and where the plane begins
WIDTH, HEIGHT, CELL = 290, 176, 4


def network(folder: Path) -> None:
    """The page in which a network learns two moons, and a film of the plane as it does."""
    from micrograd_like import MLP, Adam, Value, compile, explore, moons
    from micrograd_like import binary_cross_entropy_with_logits as loss

    rng = random.Random(1)
    X, y = moons(100, 0.1, rng)
    model = MLP(2, [16, 16, 1], init="he", rng=rng)
    optimizer = Adam(model.parameters(), lr=0.02)
    explore(model, X, y, loss=loss, optimizer=optimizer).save(folder / "network.html")

    inputs, target = [Value(0.0), Value(0.0)], Value(0.0)
    score = model(inputs)
    outputs = compile(score, inputs, params=model.parameters(), backend="python")
    cost = compile(loss(score, target), [*inputs, target], params=model.parameters())
    rows = [[*row, float(label)] for row, label in zip(X, y, strict=True)]
    corners = [(i, j) for j in range(0, HEIGHT, CELL) for i in range(0, WIDTH, CELL)]
    plane = [[LEFT + (i + 2) / STRETCH, TOP - (j + 2) / STRETCH] for i, j in corners]
    frames = []
    for step in range(121):
        optimizer.zero_grad()
        mean = cost.backward(rows)
        if step % 15 == 0:
            shaded = [corner for corner, z in zip(corners, outputs(plane), strict=True) if z > 0]
            right = sum((z > 0) == label for z, label in zip(outputs(X), y, strict=True))
            said = f"step {step}: loss {mean:.3f}, {right} of 100 right"
            frames.append(f'{"".join(strips(shaded))}<text x="6" y="194">{said}</text>')
        optimizer.step()
    (folder / "training.svg").write_text(film(frames, marks(X, y)), encoding="utf-8")


def strips(cells: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Cells that stand side by side as one rectangle."""
    for _, group in groupby(
        enumerate(cells), lambda item: (item[1][1], item[1][0] - CELL * item[0])
    ):
        found = [cell for _, cell in group]
        i, j = found[0]
        yield f'<path d="M{i} {j}h{CELL * len(found)}v{CELL}H{i}z"/>'


def marks(X: list[list[float]], y: list[int]) -> str:
    """A ring for each point of class 0, a square for each of class 1."""
    shapes = []
    for (a, b), label in zip(X, y, strict=True):
        i, j = round((a - LEFT) * STRETCH), round((TOP - b) * STRETCH)
        ring = f'<circle cx="{i}" cy="{j}" r="3"/>'
        shapes.append(f'<rect x="{i - 3}" y="{j - 3}" width="6" height="6"/>' if label else ring)
    return "".join(shapes)


def film(frames: list[str], points: str) -> str:
    """The frames, a second each, and the last one alone where motion is unwanted."""
    count = len(frames)
    groups = "".join(
        f'<g class="frame" style="animation-delay:{i}s">{frame}</g>'
        for i, frame in enumerate(frames)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 202" width="{2 * WIDTH}" '
        'role="img"><style>text{font:12px Helvetica,Arial,sans-serif;fill:#1b1f24}'
        ".frame{visibility:hidden;animation:show "
        f"{count}s steps(1) infinite}}.frame path{{fill:#ffb866}}"
        f"@keyframes show{{0%{{visibility:visible}}{100 / count}%{{visibility:hidden}}}}"
        "@media(prefers-reduced-motion:reduce){.frame{animation:none}"
        f".frame:nth-of-type({count}){{visibility:visible}}}}"
        ".points circle{fill:#fff;stroke:#1b1f24}.points rect{fill:#1b1f24}</style>"
        f'<rect width="{WIDTH}" height="202" fill="#fff"/>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#a9cbff"/>{groups}'
        f'<g class="points">{points}</g></svg>\n'
    )


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else HERE).resolve()
    walk(folder)
    readme(folder)
    plan(folder)
    boundary(folder)
    network(folder)
    for name in PLOTS:
        command = [sys.executable, f"{DEMOS / name}.py", "--plot", f"{folder / name}.svg"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
