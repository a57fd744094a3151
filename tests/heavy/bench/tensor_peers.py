"""Peers on whole tensors, float64: PyTorch eager and JAX jit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tests.heavy.bench import work
from tests.heavy.bench.peer import Peer, load, seconds_of


def layers(sizes: work.Sizes) -> list[Any]:
    """Starting parameters as one (out, in + 1) array a layer; the last column is the bias."""
    numpy = load("numpy")
    flat = numpy.array(work.start(sizes))
    cut, position = [], 0
    for inputs, outputs in pairwise(sizes):
        size = outputs * (inputs + 1)
        cut.append(flat[position : position + size].reshape(outputs, inputs + 1))
        position += size
    return cut


def flat(weights: Sequence[Any], biases: Sequence[Any]) -> list[float]:
    """Weights (in, out) and biases (out) back in micrograd's order."""
    numpy = load("numpy")
    both = zip(weights, biases, strict=True)
    return [
        float(number)
        for w, b in both
        for number in numpy.column_stack([numpy.asarray(w).T, numpy.asarray(b)]).ravel()
    ]


class Torch(Peer):
    """Eager tensors with autograd, with a number of threads or PyTorch's own choice of it."""

    def __init__(self, sizes: work.Sizes, threads: int | None = None) -> None:
        self.torch = load("torch")
        if threads is not None:
            self.torch.set_num_threads(threads)
        self.note = f"threads: {self.torch.get_num_threads()}"
        rows, labels = work.moons()
        tensor = self.torch.tensor
        self.x = tensor(rows, dtype=self.torch.float64)
        self.y = tensor(labels, dtype=self.torch.float64)
        self.sizes = sizes
        start = layers(sizes)
        self.w = [tensor(layer[:, :-1].T.copy(), requires_grad=True) for layer in start]
        self.b = [tensor(layer[:, -1].copy(), requires_grad=True) for layer in start]

    def step(self) -> float:
        a = self.x
        for w, b in zip(self.w[:-1], self.b[:-1], strict=True):
            a = self.torch.relu(self.torch.addmm(b, a, w))
        scores = self.torch.addmm(self.b[-1], a, self.w[-1])[:, 0]
        parameters = self.w + self.b
        penalty = work.ALPHA * sum((p * p).sum() for p in parameters)
        loss = self.torch.relu(1.0 - self.y * scores).mean() + penalty
        loss.backward()
        rate = work.LEARNING_RATE[self.sizes]
        with self.torch.no_grad():
            for p in parameters:
                p -= rate * p.grad
                p.grad = None
        return float(loss.item())

    def numbers(self) -> list[float]:
        return flat([w.detach() for w in self.w], [b.detach() for b in self.b])


class Jax(Peer):
    """The whole step, update included, in one jitted function that reuses its parameters' memory.

    The parameters cross over as one vector: six arrays cost a fifth more time in the call.
    `together` steps run in one call (`lax.scan`): 1 for the user who looks at every loss, more
    for the least that JAX can take when nobody looks in between. With `adam` the steps of a call
    are Adam's, from its start.
    """

    def __init__(self, sizes: work.Sizes, together: int = 1, adam: bool = False) -> None:
        jax = load("jax")
        jax.config.update("jax_enable_x64", True)
        jnp, trees = load("jax.numpy"), load("jax.flatten_util")
        rows, labels = work.moons()
        x, y = jnp.array(rows), jnp.array(labels)
        rate = work.LEARNING_RATE[sizes]

        self.parameters, self.by_layer = trees.ravel_pytree(
            [(jnp.array(layer[:, :-1].T), jnp.array(layer[:, -1])) for layer in layers(sizes)]
        )

        def loss(parameters: Any) -> Any:
            *hidden, (last, bias) = self.by_layer(parameters)
            a = x
            for w, b in hidden:
                a = jax.nn.relu(a @ w + b)
            scores = (a @ last + bias)[:, 0]
            penalty = work.ALPHA * (parameters @ parameters)
            return jax.nn.relu(1.0 - y * scores).mean() + penalty

        def update(parameters: Any, _: Any = None) -> tuple[Any, Any]:
            value, gradient = jax.value_and_grad(loss)(parameters)
            return parameters - rate * gradient, value

        def update_by_adam(state: Any, _: Any = None) -> tuple[Any, Any]:
            parameters, m, v, t = state
            value, gradient = jax.value_and_grad(loss)(parameters)
            m, v, t = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2, t + 1.0
            scale = jnp.sqrt(v / (1.0 - 0.999**t)) + work.OPTIONS["Adam"]["eps"]
            return (parameters - rate * (m / (1.0 - 0.9**t)) / scale, m, v, t), value

        def scan(parameters: Any, steps: int) -> Any:
            if not adam:
                return jax.lax.scan(update, parameters, length=steps)
            zeros = jnp.zeros_like(parameters)
            state, losses = jax.lax.scan(
                update_by_adam, (parameters, zeros, zeros, 0.0), length=steps
            )
            return state[0], losses

        self.one = jax.jit(update, donate_argnums=0)
        self.many = jax.jit(scan, static_argnums=1, donate_argnums=0)
        self.together = together
        self.block = jax.block_until_ready
        if together > 1:
            self.note = f"lax.scan over {together} steps, losses seen after the last"

    def step(self) -> float:
        self.parameters, loss = self.block(self.one(self.parameters))
        return float(loss)

    def check(self, steps: int) -> tuple[list[float], list[float]]:
        if self.together == 1:
            return super().check(steps)
        self.parameters, losses = self.block(self.many(self.parameters, steps))
        return [float(loss) for loss in losses], self.numbers()

    def seconds(self, at_least: float) -> float:
        if self.together == 1:
            return super().seconds(at_least)
        return seconds_of(self.steps, at_least) / self.together

    def steps(self) -> None:
        self.parameters, _ = self.block(self.many(self.parameters, self.together))

    def numbers(self) -> list[float]:
        both = self.by_layer(self.parameters)
        return flat([w for w, _ in both], [b for _, b in both])
