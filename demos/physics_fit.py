"""Outside networks: a damped oscillator fitted by Newton's method, with exact second derivatives.

    python demos/physics_fit.py [--plot fit.png]

A mass on a spring with friction moves as x(t) = A exp(−γ t) cos(ω t + φ). From forty noisy readings
of x we want A, γ, ω and φ. With σ the noise of a reading, the cost

    C = ½ Σ ((x(tᵢ) − xᵢ) / σ)²

is smallest at the likeliest parameters p. Newton's method solves H Δp = −∇C, with H the matrix of
second derivatives, and steps there; where C is not yet a bowl, λ on the diagonal shortens the step
(Levenberg). H has a second use: at the minimum, the variances of the parameters are the diagonal of
its inverse.

Worth a look: the length of the gradient in the last rows. Close to the minimum each step doubles
the number of right digits, which plain descent never does.
"""

import math
import random
from collections.abc import Sequence
from typing import Any

from support.plotting import plot_asked_for

from micrograd_like import Value, hessian, ops, value_and_grad

NAMES = ("A", "γ", "ω", "φ")
TRUE = (2.0, 0.25, 3.0, 0.5)
GUESS = (1.5, 0.1, 2.8, 0.3)
NOISE = 0.05
Readings = Sequence[tuple[float, float]]


def position(p: Sequence[Any], t: float) -> Any:
    """The place of the mass at time `t`, for Values and for plain numbers."""
    amplitude, damping, frequency, phase = p
    return amplitude * ops.exp(-damping * t) * ops.cos(frequency * t + phase)


def readings(rng: random.Random) -> list[tuple[float, float]]:
    """Forty times over eight seconds, and what the noisy instrument says at each."""
    times = [0.2 * i for i in range(40)]
    return [(t, position(TRUE, t) + rng.gauss(0, NOISE)) for t in times]


def cost(p: Sequence[Value], data: Readings) -> Value:
    """Half the sum of squared residuals, in units of the noise."""
    total = Value(0.0)
    for t, x in data:
        residual = (position(p, t) - x) / NOISE
        total = total + residual * residual
    return total * 0.5


def solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float] | None:
    """x with matrix · x = right, by Cholesky's method; None if the matrix is no bowl."""
    n = len(right)
    L = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i][j] - sum(L[i][k] * L[j][k] for k in range(j))
            if i == j and rest <= 0.0:
                return None
            L[i][j] = math.sqrt(rest) if i == j else rest / L[j][j]
    y: list[float] = []
    for i in range(n):
        y.append((right[i] - sum(L[i][k] * y[k] for k in range(i))) / L[i][i])
    x = [0.0] * n
    for i in reversed(range(n)):
        x[i] = (y[i] - sum(L[k][i] * x[k] for k in range(i + 1, n))) / L[i][i]
    return x


def derivatives(p: Sequence[float], data: Readings) -> tuple[float, list[float], list[list[float]]]:
    """The cost at `p`, its gradient and its matrix of second derivatives."""
    C, gradient = value_and_grad(lambda v: cost(v, data))(p)
    H = hessian(lambda v: cost(v, data))(p)
    return C.data, [g.data for g in gradient], [[h.data for h in row] for row in H]


def newton(data: Readings, steps: int = 30) -> list[tuple[list[float], float, float, float]]:
    """At every step the parameters, the cost, the length of the gradient, and the λ it took."""
    p, damp = list(GUESS), 0.0
    C, gradient, H = derivatives(p, data)
    rows = [(p, C, math.hypot(*gradient), damp)]
    for _ in range(steps):
        damped = [[h + damp * (i == j) for j, h in enumerate(row)] for i, row in enumerate(H)]
        move = solve(damped, [-g for g in gradient])
        there = [x + dx for x, dx in zip(p, move)] if move else p
        if not move or cost(list(map(Value, there)), data).data > C * (1 + 1e-12):
            damp = max(10.0 * damp, 1.0)
            continue
        p = there
        C, gradient, H = derivatives(p, data)
        rows.append((p, C, math.hypot(*gradient), damp))
        damp = 0.0 if damp < 1.0 else damp / 100.0
        if rows[-1][2] < 1e-9 * rows[0][2]:
            break
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    plot = plot_asked_for(__doc__, "the fit", arguments)

    data = readings(random.Random(10))
    rows = newton(data)
    print(
        "step  " + "  ".join(f"{name:>8}" for name in NAMES) + f"  {'cost':>10}  |gradient|       λ"
    )
    for step, (p, C, length, damp) in enumerate(rows):
        numbers = "  ".join(f"{x:8.5f}" for x in p)
        print(f"{step:4}  {numbers}  {C:10.4f}  {length:10.2e}  {damp:6g}")

    p, C = rows[-1][:2]
    H = derivatives(p, data)[2]
    print(f"\n{'':4}{'fitted':>9}    {'±':7} {'true':>7}")
    for i, name in enumerate(NAMES):
        column = solve(H, [float(i == j) for j in range(len(NAMES))])
        assert column is not None
        print(f"{name:4}{p[i]:9.5f}  ± {math.sqrt(column[i]):.5f}  {TRUE[i]:7.5f}")
    print(f"cost {C:.1f}; noise alone gives {(len(data) - len(NAMES)) / 2:.0f} on average")

    if plot:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 3.5), layout="constrained")
        axes = figure.add_subplot(xlabel="t, seconds", ylabel="x")
        fine = [0.02 * i for i in range(400)]
        axes.plot(fine, [position(GUESS, t) for t in fine], "--", label="first guess")
        axes.plot(fine, [position(p, t) for t in fine], label="fitted")
        axes.plot(*zip(*data), "k.", label="readings")
        axes.legend()
        figure.savefig(plot, dpi=150)


if __name__ == "__main__":
    main()
