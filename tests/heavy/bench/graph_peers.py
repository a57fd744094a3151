"""Peers that take a graph of scalars once and run it over rows: CasADi and ddx-ad."""

from __future__ import annotations

import time
from typing import Any

from tests.heavy.bench import work
from tests.heavy.bench.peer import Peer, load

SIZES = work.MOONS
PARAMETERS = len(work.start(SIZES))


class RowGradients(Peer):
    """Value and gradient of each row's hinge loss from the peer; mean and update in numpy."""

    def __init__(self) -> None:
        numpy = load("numpy")
        rows, labels = work.moons()
        self.rows = numpy.column_stack([rows, labels]).T.copy()
        self.parameters = numpy.array(work.start(SIZES))

    def mean(self) -> tuple[float, Any]:
        """Mean over the rows of the hinge loss, and of its gradient."""
        raise NotImplementedError

    def step(self) -> float:
        loss, gradient = self.mean()
        loss += work.ALPHA * float(self.parameters @ self.parameters)
        gradient += 2.0 * work.ALPHA * self.parameters
        self.parameters -= work.LEARNING_RATE[SIZES] * gradient
        return loss

    def numbers(self) -> list[float]:
        return [float(number) for number in self.parameters]


class Casadi(RowGradients):
    """An SX function mapped over the rows in one thread; the map sums over them."""

    def __init__(self) -> None:
        super().__init__()
        casadi = load("casadi")
        p, row = casadi.SX.sym("p", PARAMETERS), casadi.SX.sym("row", 3)

        def relu(z: Any) -> Any:
            return casadi.fmax(z, 0.0)

        score = work.network([p[i] for i in range(PARAMETERS)], [row[0], row[1]], SIZES, relu)
        loss = relu(1.0 - row[2] * score)
        one = casadi.Function("one", [p, row], [loss, casadi.gradient(loss, p)])
        self.all = one.map("all", "serial", work.POINTS, [0], [0, 1], {})
        self.data = casadi.DM(self.rows)

    def mean(self) -> tuple[float, Any]:
        loss, gradient = self.all(self.parameters, self.data)
        return float(loss) / work.POINTS, gradient.full()[:, 0] / work.POINTS


class Ddx(RowGradients):
    """The Jacobian of one row's loss over a batch of rows, in buffers bound once."""

    def __init__(self, compiled: bool) -> None:
        super().__init__()
        numpy = load("numpy")
        ddx = load("ddx")

        def loss() -> Any:
            parameters = [ddx.var(f"p{i}") for i in range(PARAMETERS)]
            x = [ddx.param("x0"), ddx.param("x1")]
            score = work.network(parameters, x, SIZES, lambda z: ddx.max(z, 0.0))
            return ddx.max(1.0 - ddx.param("y") * score, 0.0)

        equation = ddx.equation(loss)
        if compiled:
            began = time.perf_counter()
            equation.compile(points=work.POINTS, cache_dir="")
            self.note = f"compiled in {time.perf_counter() - began:.2f} s"
        else:
            equation.options = ddx.Options(backend=ddx.Backend.INTERPRET)
        if equation.uses_kernel != compiled:
            raise RuntimeError(f"ddx: asked for compiled={compiled}, got the other")
        place = {name: i for i, name in enumerate(equation.inputs)}
        names = [f"p{i}" for i in range(PARAMETERS)] + ["x0", "x1", "y"]
        if [place[name] for name in names] != list(range(len(names))):
            raise RuntimeError(f"ddx: inputs in another order: {equation.inputs}")
        batch = numpy.empty((PARAMETERS + 3, work.POINTS))
        batch[PARAMETERS:] = self.rows
        self.call = equation.buffer(batch)
        self.call.x[PARAMETERS:] = self.rows

    def mean(self) -> tuple[float, Any]:
        self.call.x[:PARAMETERS] = self.parameters[:, None]
        self.call()
        return float(self.call.value.mean()), self.call.jacobian.mean(axis=1)
