"""S6 · Vanishing and exploding gradients: the size of the gradient, layer by layer.

    python demos/s6_vanishing.py [--plot s6.png]

On its way back through a layer the gradient is multiplied by the weights and by the slope of the
activation, δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ · f′(zˡ). The slope of the sigmoid is ¼ at most, so twenty layers
leave next to nothing; a start with large weights does the opposite where the activation lets it.
Glorot's start keeps sizes where the slope is about 1, He's where it is 0 half of the time.

Worth a look: the last table. A ratio of 1 means that the first layer learns as fast as the last;
with 1e-6 it does not learn at all. For relu look at ∂C/∂b, which is δ: in ∂C/∂W = δ a the change of
δ on the way back is hidden by the opposite change of the inputs a on the way there.
"""

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

from support.plotting import plot_asked_for

from micrograd_like import MLP, Value, mse_loss

WIDTH, EXAMPLES = 16, 10
DEPTHS = (5, 10, 20)
CASES = [(f, start) for f in ("sigmoid", "tanh", "relu") for start in ("uniform", "glorot", "he")]
"""Activation and start; uniform, the plain one, draws each weight from [−1, 1]."""


class Sizes(NamedTuple):
    """The lengths of ∂C/∂W and of ∂C/∂b, layer by layer."""

    weights: list[float]
    biases: list[float]


def length(parameters: list[Value]) -> float:
    """The length of the gradient by these parameters."""
    return math.hypot(*(parameter.grad for parameter in parameters))


def gradient_sizes(activation: str, start: str, depth: int, seed: int = 6) -> Sizes:
    """The gradients that the first step of a network with `depth` layers would go by."""
    rng = random.Random(seed)
    sizes = [WIDTH] * depth + [1]
    network = MLP(WIDTH, sizes, activation=activation, init=start, rng=rng)
    X = [[rng.gauss(0, 1) for _ in range(WIDTH)] for _ in range(EXAMPLES)]
    y = [rng.gauss(0, 1) for _ in range(EXAMPLES)]
    mse_loss([network(row) for row in X], y).backward()
    layers = [layer.neurons for layer in network.layers[:-1]]  # the last one only adds up
    return Sizes(
        [length([w for neuron in neurons for w in neuron.w]) for neurons in layers],
        [length([neuron.b for neuron in neurons]) for neurons in layers],
    )


def ratio(sizes: list[float]) -> float:
    """The first layer against the last."""
    return sizes[0] / sizes[-1]


def main(arguments: Sequence[str] | None = None) -> None:
    plot = plot_asked_for(__doc__, "the sizes", arguments)

    sizes = {(*case, depth): gradient_sizes(*case, depth) for case in CASES for depth in DEPTHS}
    deepest = DEPTHS[-1]
    print(f"length of ∂C/∂b in each of {deepest} layers")
    print("activation  " + "  ".join(f"{activation:>7}" for activation, _ in CASES))
    print("start       " + "  ".join(f"{start:>7}" for _, start in CASES))
    for layer in range(deepest):
        row = "  ".join(f"{sizes[*case, deepest].biases[layer]:7.0e}" for case in CASES)
        print(f"layer {layer + 1:4}  {row}")

    depths = "  ".join(f"{depth:7}" for depth in DEPTHS)
    print(f"\nratio, first layer to last  {'of ∂C/∂W':25}    of ∂C/∂b")
    print(f"activation  start    layers  {depths}    {depths}")
    for activation, start in CASES:
        found = [sizes[activation, start, depth] for depth in DEPTHS]
        weights = "  ".join(f"{ratio(size.weights):7.0e}" for size in found)
        biases = "  ".join(f"{ratio(size.biases):7.0e}" for size in found)
        print(f"{activation:10}  {start:15}  {weights}    {biases}")

    if plot:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 3.2), layout="constrained")
        panels = figure.subplots(1, 3, sharey=True)
        for axes, start in zip(panels, ("uniform", "glorot", "he")):
            axes.set(title=f"{start} start", xlabel="layer", yscale="log")
            for activation in ("sigmoid", "tanh", "relu"):
                biases_by_layer = sizes[activation, start, deepest].biases
                axes.plot(range(1, deepest + 1), biases_by_layer, label=activation)
        panels[0].set_ylabel("length of ∂C/∂b")
        panels[0].legend()
        figure.savefig(plot, dpi=150)


if __name__ == "__main__":
    main()
