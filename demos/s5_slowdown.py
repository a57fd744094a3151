"""S5 · The learning slow-down: a neuron that is completely wrong, and a cost that wakes it up.

    python demos/s5_slowdown.py [--plot s5.png]

One sigmoid neuron is to answer 0 for the input 1 and starts out answering 0.98. With the squared
error C = (y − a)² each derivative carries σ′(z) = a (1 − a), which is almost 0 at both ends; with
the cross-entropy C = −[y ln a + (1 − y) ln(1 − a)] that factor cancels:

    squared error    ∂C/∂w = 2 (a − y) a (1 − a) x      ∂C/∂b = 2 (a − y) a (1 − a)
    cross-entropy    ∂C/∂w = (a − y) x                  ∂C/∂b = a − y

Worth a look: the two curves. The squared error lies flat for a long time before it falls, the
cross-entropy falls at once and fastest where the neuron is most wrong.
"""

import math
from collections.abc import Sequence

from support.plotting import plot_asked_for

from micrograd_like import SGD, History, Value, binary_cross_entropy_with_logits, mse_loss

X, Y = 1.0, 0.0  # the one input and what it should give
START = (2.0, 2.0)  # weight and bias
RATE, EPOCHS = 0.15, 300
COSTS = ("squared error", "cross-entropy")


def cost(kind: str, w: Value, b: Value) -> Value:
    """One of the two costs of σ(w·x + b)."""
    z = w * X + b
    C: Value
    if kind == "squared error":
        C = mse_loss(z.sigmoid(), Y)
    else:
        C = binary_cross_entropy_with_logits(z, Y)
    return C


def closed_form(kind: str, w: float, b: float) -> tuple[float, float]:
    """∂C/∂w and ∂C/∂b by the formulas above."""
    a = 1 / (1 + math.exp(-(w * X + b)))
    slope = 2 * (a - Y) * a * (1 - a) if kind == "squared error" else a - Y
    return slope * X, slope


def train(kind: str) -> list[float]:
    """The cost before every epoch of plain gradient descent, and after the last."""
    w, b = map(Value, START)
    optimizer = SGD([w, b], lr=RATE)
    costs = []
    for _ in range(EPOCHS + 1):
        optimizer.zero_grad()
        C = cost(kind, w, b)
        C.backward()
        optimizer.step()
        costs.append(C.data)
    return costs


def half_life(costs: Sequence[float]) -> int:
    """The first epoch at which the cost is below half of its start."""
    return next(epoch for epoch, now in enumerate(costs) if now < costs[0] / 2)


def main(arguments: Sequence[str] | None = None) -> None:
    plot = plot_asked_for(__doc__, "both costs", arguments)

    print(f"cost           parameter  {'backward':>20}  {'closed form':>20}")
    for kind in COSTS:
        parameters = [Value(number) for number in START]
        cost(kind, *parameters).backward()
        for name, parameter, formula in zip("wb", parameters, closed_form(kind, *START)):
            print(f"{kind}  {name:9}  {parameter.grad:20.17f}  {formula:20.17f}")

    curves = {kind: train(kind) for kind in COSTS}
    print("\nepoch  " + "  ".join(COSTS))
    for epoch in (0, 5, 10, 25, 50, 100, 150, 200, 250, 300):
        print(f"{epoch:5}  " + "  ".join(f"{costs[epoch]:13.4f}" for costs in curves.values()))
    print()
    for kind, costs in curves.items():
        line = History([{"loss": C} for C in costs]).sparkline()
        print(f"{kind}  {line}\n{'':{len(kind)}}  half its start at epoch {half_life(costs)}")
    slow, fast = map(half_life, curves.values())
    print(f"cross-entropy is there {slow / fast:.1f} times sooner")

    if plot:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5, 3.5), layout="constrained")
        axes = figure.add_subplot(xlabel="epoch", ylabel="cost, as a share of its start")
        for kind, costs in curves.items():
            axes.plot([C / costs[0] for C in costs], label=kind)
        axes.axhline(0.5, color="grey", linewidth=0.5)
        axes.legend()
        figure.savefig(plot, dpi=150)


if __name__ == "__main__":
    main()
