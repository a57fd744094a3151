"""S2 · A perceptron in three steps (weighted sum, bias, activation), by hand and by autograd.

    python demos/s2_perceptron.py [--plot s2.png]

First the perceptron of 1958: a step function and Rosenblatt's rule, w ← w + (y − a) x, which needs
no derivative and finds the OR of two inputs in a few passes. Then the sigmoid in place of the step,
the mean squared error, and gradient descent until the gradient is almost zero. With the bias as the
weight of a constant input 1,

    ∂C/∂wⱼ = 2/n Σ (aᵢ − yᵢ) σ(zᵢ) (1 − σ(zᵢ)) xᵢⱼ.

Worth a look: the sign. One also reads (y − a) here, with the minus sign that belongs in front of
it lost; a step by that formula goes uphill. `backward` settles it.
"""

import math
from collections.abc import Sequence

from support.plotting import plot_asked_for

from micrograd_like import SGD, Value, mse_loss

OR = [([0.0, 0.0, 1.0], 0), ([0.0, 1.0, 1.0], 1), ([1.0, 0.0, 1.0], 1), ([1.0, 1.0, 1.0], 1)]
START = (0.5, -0.5, 0.0)  # the weights of both inputs, and of the constant 1, which is the bias


def rosenblatt(passes: int) -> tuple[list[float], list[int]]:
    """The weights of the step-function perceptron, and its mistakes in every pass."""
    w, mistakes = list(START), []
    for _ in range(passes):
        mistakes.append(0)
        for x, y in OR:
            a = 1 if sum(wj * xj for wj, xj in zip(w, x)) > 0 else 0
            mistakes[-1] += a != y
            w = [wj + (y - a) * xj for wj, xj in zip(w, x)]
    return w, mistakes


def cost(w: Sequence[Value]) -> Value:
    """The mean squared error of the sigmoid perceptron with these weights."""
    weighted = [w[0] * x[0] + w[1] * x[1] + w[2] * x[2] for x, _ in OR]
    C: Value = mse_loss([z.sigmoid() for z in weighted], [y for _, y in OR])
    return C


def closed_form(w: Sequence[float]) -> list[float]:
    """∂C/∂w by the formula above."""
    gradient = [0.0] * len(w)
    for x, y in OR:
        a = 1 / (1 + math.exp(-sum(wj * xj for wj, xj in zip(w, x))))
        for j, xj in enumerate(x):
            gradient[j] += 2 / len(OR) * (a - y) * a * (1 - a) * xj
    return gradient


def main(arguments: Sequence[str] | None = None) -> None:
    plot = plot_asked_for(__doc__, "the cost", arguments)

    final, mistakes = rosenblatt(6)
    print(f"step function: mistakes a pass {mistakes}, weights {final}\n")

    w = [Value(number) for number in START]
    cost(w).backward()
    print(f"weight   {'backward':>20}  {'(a − y) formula':>20}  {'with (y − a)':>20}")
    for j, (weight, formula) in enumerate(zip(w, closed_form(START))):
        print(f"w{j}       {weight.grad:20.17f}  {formula:20.17f}  {-formula:20.17f}")

    optimizer = SGD(w, lr=5.0)
    costs = []
    print(f"\nepoch  {'cost':>9}  {'|gradient|':>10}  outputs for 00 01 10 11")
    for epoch in range(100_000):
        optimizer.zero_grad()
        C = cost(w)
        C.backward()
        costs.append(C.data)
        size = math.hypot(*(weight.grad for weight in w))
        if size < 1e-3 or epoch in (0, 1, 2, 5, 10, 20, 50, 100, 200):
            sums = [sum(wj.data * xj for wj, xj in zip(w, x)) for x, _ in OR]
            outputs = "  ".join(f"{1 / (1 + math.exp(-z)):.3f}" for z in sums)
            print(f"{epoch:5}  {C.data:9.6f}  {size:10.6f}  {outputs}")
        if size < 1e-3:
            break
        optimizer.step()

    if plot:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5, 3.5), layout="constrained")
        axes = figure.add_subplot(xlabel="epoch", ylabel="cost", yscale="log")
        axes.plot(costs)
        figure.savefig(plot, dpi=150)


if __name__ == "__main__":
    main()
