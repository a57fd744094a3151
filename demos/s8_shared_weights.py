"""S8 · Shared weights: a convolution made by using the same Value in many places.

    python demos/s8_shared_weights.py [--plot s8.png]

A convolution slides a small window over an image and asks the same question everywhere: at the
place (i, j) the answer is relu(b + Σ w[u, v] x[i + u, j + v]), with the same nine weights w at all
places. That is one neuron, its kernel, used 36 times. No new operation is needed: each weight is a
Value with 36 uses, and since `backward` adds up what comes back from each use,

    ∂C/∂w = Σ over the uses of ∂C/∂(the weight in that use).

Worth a look: the sum over the uses, found with a copy of the neuron for each place, is the
gradient of the shared weight to the last bit; 410 parameters, a sixth of what the network of S9
has, read most of the digits; and, in the picture, what each kernel has learned to look for.
"""

import random
from collections.abc import Sequence
from copy import deepcopy
from functools import reduce
from math import isqrt
from operator import add

from support.plotting import plot_asked_for

from micrograd_like import Adam, Layer, Module, Neuron, Value, cross_entropy, digits, fit, mse_loss

SIDE, WINDOW, KERNELS, TRAIN, TEST = 8, 3, 4, 300, 200
PLACES = SIDE - WINDOW + 1  # in each direction
Row = Sequence[float]


def windows(image: Row) -> list[list[float]]:
    """The 36 windows of 3×3 pixels, by the place of their upper left corner."""
    corners = [SIDE * i + j for i in range(PLACES) for j in range(PLACES)]
    offsets = [SIDE * u + v for u in range(WINDOW) for v in range(WINDOW)]
    return [[image[corner + offset] for offset in offsets] for corner in corners]


def shared_and_summed(kernel: Neuron, image: Row, target: Row) -> list[tuple[float, float]]:
    """For each weight and the bias: its gradient, and the sum of those of a copy for each use."""
    kernel.zero_grad()
    copies = [deepcopy(kernel) for _ in target]
    mse_loss([kernel(window) for window in windows(image)], target).backward()
    mse_loss([copy(window) for copy, window in zip(copies, windows(image))], target).backward()
    uses = zip(*(copy.parameters() for copy in copies))
    sums = [reduce(add, (use.grad for use in each)) for each in uses]  # sum() may round otherwise
    return [(weight.grad, total) for weight, total in zip(kernel.parameters(), sums)]


class Reader(Module):
    """Four kernels, the means of their answers by 2×2, and a linear layer that names the digit."""

    def __init__(self, rng: random.Random) -> None:
        self.kernels = [Neuron(WINDOW**2, init="he", rng=rng) for _ in range(KERNELS)]
        self.out = Layer(KERNELS * 9, 10, activation="linear", init="glorot", rng=rng)

    def __call__(self, image: Row) -> list[Value]:
        features: list[Value] = []
        for kernel in self.kernels:
            a = [kernel(window) for window in windows(image)]
            features += [
                (a[k] + a[k + 1] + a[k + PLACES] + a[k + PLACES + 1]) / 4
                for k in (PLACES * i + j for i in (0, 2, 4) for j in (0, 2, 4))
            ]
        logits: list[Value] = self.out(features)
        return logits


def main(arguments: Sequence[str] | None = None) -> None:
    plot = plot_asked_for(__doc__, "the kernels", arguments)

    rng = random.Random(2)
    X, y = zip(*rng.sample(list(zip(*digits())), TRAIN + TEST))
    kernel = Neuron(WINDOW**2, init="he", rng=rng)
    target = [rng.random() for _ in range(PLACES**2)]
    print(f"weight  {'gradient, shared':>22}  {'sum over 36 uses':>22}  same bits")
    for k, (shared, summed) in enumerate(shared_and_summed(kernel, X[0], target)):
        name = f"w[{k // WINDOW},{k % WINDOW}]" if k < WINDOW**2 else "b"
        print(f"{name:6}  {shared:22.17f}  {summed:22.17f}  {shared == summed}")

    model = Reader(rng)
    print(f"\n{len(model.parameters())} parameters, 40 of them in kernels that are used 36 times")
    history = fit(
        model,
        X[:TRAIN],
        y[:TRAIN],
        loss=cross_entropy,
        optimizer=Adam(model.parameters(), lr=0.03),
        epochs=3,
        batch_size=10,
        validation=(X[TRAIN:], y[TRAIN:]),
        progress=False,
        rng=rng,
    )
    print(history)
    print(f"of {TEST} held-out digits it reads {TEST * history.rows[-1]['val_accuracy']:.0f}")

    if plot:
        from matplotlib.figure import Figure

        shown = [X[0]]
        for kernel in model.kernels:
            answers = [kernel(window).data for window in windows(X[0])]
            shown += [[w.data for w in kernel.w], answers]
        titles = [f"a {y[0]}"] + KERNELS * ["kernel", "sees"]
        figure = Figure(figsize=(12, 1.7), layout="constrained")
        for axes, title, numbers in zip(figure.subplots(1, len(shown)), titles, shown):
            side = isqrt(len(numbers))
            axes.imshow([numbers[i : i + side] for i in range(0, side**2, side)], "Greys")
            axes.set(title=title, xticks=[], yticks=[])
        figure.savefig(plot, dpi=150)


if __name__ == "__main__":
    main()
