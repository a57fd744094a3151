"""S8 · Shared weights: a convolution made by using the same Value in many places.

    python demos/s8_shared_weights.py [--plot s8.png]

A convolution slides a small window over an image and asks the same question everywhere: at the
place (i, j) the answer is relu(b + Σ w[u, v] x[i + u, j + v]), with the same nine weights w at all
places. No new operation is needed for that: each weight is one Value with many uses, and since
`backward` adds up what comes back from each use,

    ∂C/∂w = Σ over the uses of ∂C/∂(the weight in that use).

What to look at: the sum over the uses, found with a copy of the weight for each use, is the
gradient of the shared weight to the last bit; 410 parameters, a sixth of what the network of S9
has, read most of the digits; and each kernel, once trained, looks for strokes of its own.
"""

import argparse
import random
from collections.abc import Callable, Sequence

from micrograd_like import Adam, Layer, Module, Value, cross_entropy, digits, fit, mse_loss
from micrograd_like.engine import topological_order

SIDE, WINDOW, KERNELS, POOL = 8, 3, 4, 2
TRAIN = 300  # digits to learn from
PLACES = SIDE - WINDOW + 1  # in each direction
Row = Sequence[float]
Use = Callable[[Value], Value]


class Kernel(Module):
    """Nine weights and a bias, used at every place of an 8×8 image."""

    def __init__(self, rng: random.Random) -> None:
        self.w = [Value(rng.gauss(0, (2 / WINDOW**2) ** 0.5)) for _ in range(WINDOW**2)]
        self.b = Value(0.0)

    def __call__(self, image: Row, use: Use = lambda weight: weight) -> list[Value]:
        """The 6×6 answers; `use` gives what stands for a weight in one of its uses."""
        window = [SIDE * u + v for u in range(WINDOW) for v in range(WINDOW)]
        answers = []
        for corner in (SIDE * i + j for i in range(PLACES) for j in range(PLACES)):
            z = use(self.b)
            for weight, offset in zip(self.w, window):
                z = z + use(weight) * image[corner + offset]
            answers.append(z.relu())
        return answers


class Reader(Module):
    """Four kernels, the mean of every 2×2 answers, and a linear layer that names the digit."""

    def __init__(self, rng: random.Random) -> None:
        self.kernels = [Kernel(rng) for _ in range(KERNELS)]
        pooled = KERNELS * (PLACES // POOL) ** 2
        self.out = Layer(pooled, 10, activation="linear", init="glorot", rng=rng)

    def __call__(self, image: Row) -> list[Value]:
        features = []
        for answers in (kernel(image) for kernel in self.kernels):
            for i in range(0, PLACES, POOL):
                for j in range(0, PLACES, POOL):
                    a = PLACES * i + j
                    block = answers[a] + answers[a + 1] + answers[a + PLACES]
                    features.append((block + answers[a + PLACES + 1]) * (1 / POOL**2))
        logits: list[Value] = self.out(features)
        return logits


def shared_and_summed(kernel: Kernel, image: Row, target: Row) -> list[tuple[float, float]]:
    """For each weight and the bias: its gradient, and the sum of those of a copy for each use."""
    kernel.zero_grad()
    mse_loss(kernel(image), target).backward()

    original: dict[Value, Value] = {}

    def copy(weight: Value) -> Value:
        twin = Value(weight.data)
        original[twin] = weight
        return twin

    cost = mse_loss(kernel(image, use=copy), target)
    cost.backward()
    sums = dict.fromkeys(kernel.parameters(), 0.0)
    for node in reversed(topological_order(cost)):  # floats add up in the order of the pass
        if node in original:
            sums[original[node]] += node.grad
    return [(weight.grad, total) for weight, total in sums.items()]


def answer(model: Reader, image: Row) -> int:
    """The class with the greatest output."""
    scores = [logit.data for logit in model(image)]
    return scores.index(max(scores))


def picture(numbers: Sequence[float], width: int) -> list[str]:
    """Rows of shades, the darkest for the largest number."""
    low, high = min(numbers), max(numbers)
    shades = [" ░▒▓█"[round(4 * (x - low) / (high - low or 1.0))] * 2 for x in numbers]
    return ["".join(shades[i : i + width]) for i in range(0, len(shades), width)]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", metavar="FILE", help="also draw what the kernels see")
    options = parser.parse_args(arguments)

    rng = random.Random(8)
    X, y = digits()
    kernel = Kernel(rng)
    target = [rng.random() for _ in range(PLACES**2)]
    print(f"weight  {'gradient, shared':>22}  {'sum over 36 uses':>22}  same bits")
    names = [f"w{u}{v}" for u in range(WINDOW) for v in range(WINDOW)] + ["b"]
    for name, (shared, summed) in zip(names, shared_and_summed(kernel, X[0], target)):
        print(f"{name:6}  {shared:22.17f}  {summed:22.17f}  {shared == summed}")

    order = rng.sample(range(len(X)), len(X))
    model = Reader(rng)
    print(f"\n{len(model.parameters())} parameters, 40 of them in kernels that are used 36 times")
    held_out = order[TRAIN : TRAIN + 200]
    history = fit(
        model,
        [X[i] for i in order[:TRAIN]],
        [y[i] for i in order[:TRAIN]],
        loss=cross_entropy,
        optimizer=Adam(model.parameters(), lr=0.03),
        epochs=3,
        batch_size=10,
        progress=False,
        rng=rng,
    )
    print(history)
    right = sum(answer(model, X[i]) == y[i] for i in held_out)
    print(f"of {len(held_out)} held-out digits it reads {right}\n")

    print(f"a {y[0]}" + " " * 16 + "the kernels, and below them what each one sees in it")
    for i, line in enumerate(picture(X[0], SIDE)):
        kernels = [picture([w.data for w in k.w], WINDOW) for k in model.kernels]
        print(line + "  " + "  ".join(f"{k[i] if i < WINDOW else '':12}" for k in kernels))
    maps = [[a.data for a in kernel(X[0])] for kernel in model.kernels]
    for lines in zip(*(picture(seen, PLACES) for seen in maps)):
        print(" " * 18 + "  ".join(lines))

    if options.plot:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4), layout="constrained")
        panels = figure.subplots(2, 1 + KERNELS)
        for axes in panels.flat:
            axes.axis("off")
        for axes, title, numbers, width in [
            (panels[0][0], "image", X[0], SIDE),
            *(
                (panels[0][1 + k], f"kernel {k + 1}", [w.data for w in kernel.w], WINDOW)
                for k, kernel in enumerate(model.kernels)
            ),
            *((panels[1][1 + k], "what it sees", seen, PLACES) for k, seen in enumerate(maps)),
        ]:
            axes.set_title(title)
            axes.imshow([numbers[i : i + width] for i in range(0, len(numbers), width)], "Greys")
        figure.savefig(options.plot, dpi=150)


if __name__ == "__main__":
    main()
