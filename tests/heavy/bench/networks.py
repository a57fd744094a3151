"""Networks from 337 to 102,000 parameters: value and gradient, raced in one process.

All sides take turns, round by round, so that a busy machine is as busy for each of them. Each has
the parameters of micrograd's order in an array, or its own form of them, and all gradients must
agree before anything is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random
from typing import Any

from tests.heavy.bench import work
from tests.heavy.bench.our_programs import machine_calls, ours_for, started_model
from tests.heavy.bench.peer import load, seconds_of

NETWORKS: dict[str, tuple[work.Sizes, int]] = {
    "2-16-16-1": ((2, 16, 16, 1), 100),
    "2-64-64-1": ((2, 64, 64, 1), 100),
    "64-32-10": ((64, 32, 10), 32),
    "64-256-10": ((64, 256, 10), 32),
    "784-128-10": ((784, 128, 10), 64),
    "64-256-256-10": ((64, 256, 256, 10), 64),
}
"""Sizes, and rows a batch; one output is trained with squared error, ten with cross-entropy."""

ROUNDS = 20
SECONDS = 0.01

Layers = list[tuple[Any, Any]]
Side = Callable[[], tuple[float, Any]]


def split(parameters: Any, sizes: work.Sizes) -> Layers:
    """Weights of shape (outputs, inputs) and biases, as views of the array."""
    found, start = [], 0
    for inputs, outputs in pairwise(sizes):
        end = start + outputs * (inputs + 1)
        layer = parameters[start:end].reshape(outputs, inputs + 1)
        found.append((layer[:, :-1], layer[:, -1]))
        start = end
    return found


def rows_of(sizes: work.Sizes, count: int) -> Any:
    """Inputs and targets side by side: a number, or ten probabilities of which one is 1."""
    numpy = load("numpy")
    rng = numpy.random.default_rng(1)
    X = rng.normal(size=(count, sizes[0]))
    if sizes[-1] == 1:
        return numpy.hstack([X, rng.normal(size=(count, 1))])
    return numpy.hstack([X, numpy.eye(sizes[-1])[rng.integers(sizes[-1], size=count)]])


def by_numpy(parameters: Any, rows: Any, sizes: work.Sizes) -> Side:
    """Forward and back written out, its matrix products by BLAS."""
    numpy = load("numpy")
    layers = [(w.copy(), b.copy()) for w, b in split(parameters, sizes)]
    X, targets = rows[:, : sizes[0]].copy(), rows[:, sizes[0] :].copy()
    count = len(rows)

    def run() -> tuple[float, Any]:
        seen = [X]
        for w, b in layers[:-1]:
            seen.append(numpy.maximum(seen[-1] @ w.T + b, 0.0))
        w, b = layers[-1]
        z = seen[-1] @ w.T + b
        if sizes[-1] == 1:
            loss = ((z - targets) ** 2).mean()
            back = 2.0 / count * (z - targets)
        else:
            top = z.max(1, keepdims=True)
            e = numpy.exp(z - top)
            total = e.sum(1, keepdims=True)
            loss = (numpy.log(total) + top - (z * targets).sum(1, keepdims=True)).mean()
            back = (e / total - targets) / count
        gradient: list[Any] = []
        for (w, _), a in zip(reversed(layers), reversed(seen), strict=True):
            gradient[:0] = [back.T @ a, back.sum(0)]
            if len(gradient) < 2 * len(layers):
                back = (back @ w) * (a > 0.0)
        return float(loss), gradient

    return run


def by_torch(parameters: Any, rows: Any, sizes: work.Sizes) -> Side:
    """Eager, on one thread."""
    torch = load("torch")
    torch.set_num_threads(1)
    leaves = [
        torch.tensor(x, requires_grad=True) for layer in split(parameters, sizes) for x in layer
    ]
    X, targets = torch.tensor(rows[:, : sizes[0]]), torch.tensor(rows[:, sizes[0] :])
    functional = torch.nn.functional

    def run() -> tuple[float, Any]:
        a = X
        for i in range(0, len(leaves), 2):
            a = functional.linear(a if not i else torch.relu(a), leaves[i], leaves[i + 1])
        if sizes[-1] == 1:
            loss = functional.mse_loss(a, targets)
        else:
            loss = functional.cross_entropy(a, targets)
        return loss.item(), torch.autograd.grad(loss, leaves)

    return run


def by_jax(parameters: Any, rows: Any, sizes: work.Sizes) -> Side:
    """Compiled by XLA, in double precision, on as many threads as it takes."""
    jax = load("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = load("jax.numpy")
    layers = [(jnp.array(w), jnp.array(b)) for w, b in split(parameters, sizes)]
    X, targets = jnp.array(rows[:, : sizes[0]]), jnp.array(rows[:, sizes[0] :])

    def loss(layers: Layers) -> Any:
        a = X
        for i, (w, b) in enumerate(layers):
            a = (jax.nn.relu(a) if i else a) @ w.T + b
        if sizes[-1] == 1:
            return ((a - targets) ** 2).mean()
        return -(targets * jax.nn.log_softmax(a)).sum(1).mean()

    step = jax.jit(jax.value_and_grad(loss))

    def run() -> tuple[float, Any]:
        value, gradient = jax.block_until_ready(step(layers))
        return float(value), [x for layer in gradient for x in layer]

    return run


def flat(gradient: Sequence[Any]) -> Any:
    """Arrays of weights and biases in turn, in micrograd's order."""
    numpy = load("numpy")
    arrays = [numpy.asarray(x) for x in gradient]
    pairs = zip(arrays[::2], arrays[1::2], strict=True)
    return numpy.concatenate([numpy.column_stack(pair).ravel() for pair in pairs])


def race(name: str) -> dict[str, list[float]]:
    """Microseconds of value and gradient, side by side, and the seconds that compiling takes."""
    sizes, count = NETWORKS[name]
    ours = ours_for("llvm", "compile", "mse_loss", "cross_entropy")
    numpy = load("numpy")
    rows = rows_of(sizes, count)
    model = started_model(ours, sizes)
    for parameter in model.parameters():
        parameter.data /= sizes[-2] ** 0.5
    parameters = numpy.array([p.data for p in model.parameters()])
    inputs = [ours.Value(x) for x in rows[0].tolist()]
    x, target = inputs[: sizes[0]], inputs[sizes[0] :]
    output = model(x)
    loss = (
        ours.mse_loss(output, target[0])
        if sizes[-1] == 1
        else ours.cross_entropy([output], [target])
    )
    first = ours.Value(Random(1).random())
    ours.compile(first * first, [], backend="llvm").value_and_grad([[]])  # imports the backend
    began = time.process_time()
    program = ours.compile(loss, inputs, params=model.parameters(), backend="llvm")
    traced = time.process_time()
    value, gradient = program.value_and_grad(rows, parameters=parameters)
    ready = time.process_time()
    kernel, _held = machine_calls(program, rows, gradient=True)
    sides: dict[str, Callable[[], object]] = {
        "ours, machine code µs": kernel,
        "ours, array form µs": lambda: program.value_and_grad(rows, parameters=parameters),
    }
    peers = {"JAX, jit": by_jax, "PyTorch, 1 thread": by_torch, "numpy with BLAS": by_numpy}
    for title, make in peers.items():
        side = make(parameters, rows, sizes)
        found, slopes = side()
        numpy.testing.assert_allclose(found, value, rtol=1e-9, err_msg=title)
        numpy.testing.assert_allclose(
            flat(slopes), gradient, rtol=0, atol=1e-9 * abs(gradient).max(), err_msg=title
        )
        sides[f"{title} µs"] = side
    times: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(ROUNDS):
        for title, call in sides.items():
            times[title].append(1e6 * seconds_of(call, SECONDS))
    return {
        "lines of the tape": [float(len(program._tape.names))],
        "tape s": [traced - began],
        "compile s": [ready - traced],
        **times,
        **{f"{title[:-3]}, least µs": [min(taken)] for title, taken in times.items()},
    }
