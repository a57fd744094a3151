"""S1 · One neuron with many weights, a bias and a ReLU, trained by gradient descent.

    python demos/s1_one_neuron.py [--plot s1.png]

The cost is the mean squared error over n examples, C = 1/n Σ (yᵢ − max(0, w·xᵢ + b))². Its gradient
has a closed form: only the examples with w·xᵢ + b > 0 count, and there

    ∂C/∂w = 2/n Σ (w·xᵢ + b − yᵢ) xᵢ        ∂C/∂b = 2/n Σ (w·xᵢ + b − yᵢ).

Worth a look: the gradient that `backward` finds is this one, digit for digit, and the neuron
finds the weights that made the data, though about half of the examples are silent.
"""

import random
from collections.abc import Sequence

from support.plotting import plot_asked_for

from micrograd_like import SGD, Neuron, Value, mse_loss

TRUE_WEIGHTS, TRUE_BIAS = (1.5, -2.0, 0.5), 0.3


def examples(n: int, rng: random.Random) -> tuple[list[list[float]], list[float]]:
    """Points in space, and what the true neuron makes of them."""
    X = [[rng.uniform(-1, 1) for _ in TRUE_WEIGHTS] for _ in range(n)]
    y = [max(0.0, sum(w * x for w, x in zip(TRUE_WEIGHTS, row)) + TRUE_BIAS) for row in X]
    return X, y


def cost(neuron: Neuron, X: Sequence[Sequence[float]], y: Sequence[float]) -> Value:
    """The mean squared error of the neuron over the examples."""
    C: Value = mse_loss([neuron(row) for row in X], y)
    return C


def closed_form(neuron: Neuron, X: Sequence[Sequence[float]], y: Sequence[float]) -> list[float]:
    """∂C/∂w and, last, ∂C/∂b, by the formula above."""
    w, b = [weight.data for weight in neuron.w], neuron.b.data
    gradient = [0.0] * (len(w) + 1)
    for row, target in zip(X, y):
        z = sum(wj * xj for wj, xj in zip(w, row)) + b
        if z > 0:
            for j, x in enumerate([*row, 1.0]):
                gradient[j] += 2 / len(X) * (z - target) * x
    return gradient


def main(arguments: Sequence[str] | None = None) -> None:
    plot = plot_asked_for(__doc__, "the cost", arguments)

    rng = random.Random(1)
    X, y = examples(50, rng)
    neuron = Neuron(3, rng=rng)
    cost(neuron, X, y).backward()

    print(f"parameter  {'backward':>22}  {'closed form':>22}")
    for name, parameter, formula in zip(
        ("w0", "w1", "w2", "b"), neuron.parameters(), closed_form(neuron, X, y)
    ):
        print(f"{name:9}  {parameter.grad:22.17f}  {formula:22.17f}")

    print(f"\nepoch  {'cost':>11}  weights and bias")
    optimizer = SGD(neuron.parameters(), lr=0.5)
    costs = []
    for epoch in range(201):
        optimizer.zero_grad()
        C = cost(neuron, X, y)
        C.backward()
        costs.append(C.data)
        if epoch in (0, 1, 2, 5, 10, 20, 50, 100, 200):
            numbers = "  ".join(f"{p.data:8.5f}" for p in neuron.parameters())
            print(f"{epoch:5}  {C.data:11.3e}  {numbers}")
        optimizer.step()
    print(f"the data were made with  {'  '.join(f'{p:8.5f}' for p in (*TRUE_WEIGHTS, TRUE_BIAS))}")

    if plot:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5, 3.5), layout="constrained")
        axes = figure.add_subplot(xlabel="epoch", ylabel="cost", yscale="log")
        axes.plot(costs)
        figure.savefig(plot, dpi=150)


if __name__ == "__main__":
    main()
