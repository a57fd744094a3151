"""Our compiled programs: value and gradient with a plain update, and whole steps through `fit`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.heavy.bench import work
from tests.heavy.bench.peer import Peer, load, load_ours, seconds_of

COMPILED = 'pip install "micrograd-like[llvm]"'
EXTRAS = {"python": (), "llvm": ("numpy", "llvmlite"), "jax": ("numpy", "jax")}


def ours_for(backend: str, *names: str) -> Any:
    """Our package, once it is sure that the packages behind `backend` are there."""
    ours = load_ours("Value", "MLP", *names)
    for package in EXTRAS[backend]:
        load(package, COMPILED)
    return ours


def started_model(ours: Any, sizes: work.Sizes) -> Any:
    model = ours.MLP(sizes[0], list(sizes[1:]))
    for parameter, number in zip(model.parameters(), work.start(sizes), strict=True):
        parameter.data = number
    return model


def row_loss(ours: Any, model: Any) -> tuple[Any, list[Any]]:
    """The loss of one example as a graph, and its inputs: two coordinates and the label."""
    inputs = [ours.Value(0.5), ours.Value(-0.5), ours.Value(1.0)]
    *x, label = inputs
    return (1 - label * model(x)).relu(), inputs


def penalty(model: Any) -> Any:
    """The loss beside the examples; in a program it runs once a call, not once a row."""
    return work.ALPHA * sum(p * p for p in model.parameters())


def data_rows(backend: str, count: int = work.POINTS) -> Any:
    """Lists for the form without dependencies, an array for the others."""
    rows, labels = work.moons(count)
    joined = [[*row, label] for row, label in zip(rows, labels, strict=True)]
    return joined if backend == "python" else load("numpy").array(joined)


class Program(Peer):
    """`compile` once; each step is `value_and_grad` and an update written in plain Python."""

    def __init__(self, backend: str, sizes: work.Sizes = work.MOONS) -> None:
        ours = ours_for(backend, "compile")
        model = started_model(ours, sizes)
        self.parameters = model.parameters()
        self.rate = work.LEARNING_RATE[sizes]
        self.rows = data_rows(backend)
        loss, inputs = row_loss(ours, model)
        began = time.perf_counter()
        self.program = ours.compile(
            loss + penalty(model), inputs, params=self.parameters, backend=backend
        )
        self.program.value_and_grad(self.rows)
        self.note = f"imported and compiled in {time.perf_counter() - began:.2f} s"
        if self.program.backend != backend:
            raise RuntimeError(f"asked for backend={backend!r}, got {self.program.backend!r}")

    def step(self) -> float:
        loss, gradient = self.program.value_and_grad(self.rows)
        for parameter, slope in zip(self.parameters, gradient, strict=True):
            parameter.data -= self.rate * slope
        return float(loss)

    def numbers(self) -> list[float]:
        return [parameter.data for parameter in self.parameters]


def machine_calls(program: Any, rows: Any, gradient: bool) -> tuple[Callable[[], None], Any]:
    """A function that repeats the calls into machine code of one run of an LLVM program.

    Nothing public does that, so this reaches into the runner of the program. The second result
    holds the memory that the calls write to.
    """
    code = program._runner._ready(gradient)
    table, parameters = program._read(rows, None, gradient=gradient)
    code.run(parameters, table)
    return code.again, (code, table)


class Kernel(Program):
    """The machine code of a gradient alone, checked through the program it belongs to."""

    def __init__(self, sizes: work.Sizes = work.MOONS) -> None:
        super().__init__("llvm", sizes)
        self.repeat: Callable[[], None] | None = None

    def seconds(self, at_least: float) -> float:
        if self.repeat is None:
            self.repeat, self.memory = machine_calls(self.program, self.rows, gradient=True)
        return seconds_of(self.repeat, at_least)


class Fit(Peer):
    """`fit` on the whole batch; the seconds of a step are those that the history says.

    They add up to what the call took, so all that `fit` does around a step is in them. The first
    epochs, with what it takes to compile, are left out; so many follow that it does not count how
    often the program is compared with Values.
    """

    warm_up, least = 32, 2000

    def __init__(self, sizes: work.Sizes = work.MOONS, optimizer: str = "SGD") -> None:
        self.ours = ours_for("llvm", "compile", "fit", optimizer, "hinge_loss")
        self.sizes, self.optimizer = sizes, optimizer
        self.rows, self.labels = work.moons()
        self.estimate = 1e-4
        self.parameters: list[Any] = []

    def fit(self, epochs: int, callbacks: Sequence[Callable[[Any, Any], object]] = ()) -> Any:
        """The history of a training from the start."""
        ours = self.ours
        model = started_model(ours, self.sizes)
        self.parameters = model.parameters()

        def loss(score: Any, label: Any) -> Any:
            return ours.hinge_loss(score, label) + penalty(model)

        return ours.fit(
            model,
            self.rows,
            self.labels,
            loss=loss,
            optimizer=getattr(ours, self.optimizer)(
                self.parameters, work.LEARNING_RATE[self.sizes], **work.OPTIONS[self.optimizer]
            ),
            epochs=epochs,
            shuffle=False,
            metrics=(),
            compile=True,
            progress=False,
            callbacks=callbacks,
        )

    def check(self, steps: int) -> tuple[list[float], list[float]]:
        history = self.fit(steps)
        return history["loss"], [parameter.data for parameter in self.parameters]

    def seconds(self, at_least: float) -> float:
        epochs = self.warm_up + max(self.least, round(at_least / self.estimate))
        seconds = self.fit(epochs)["seconds"][self.warm_up :]
        self.estimate = sum(seconds) / len(seconds)
        return self.estimate
