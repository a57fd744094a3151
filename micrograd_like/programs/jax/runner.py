"""A tape run by JAX, on whatever devices JAX sees: the backend "jax"."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import numpy
from jax import numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from micrograd_like.programs.arrays import read_array, read_parameters
from micrograd_like.programs.jax.functions import Array
from micrograd_like.programs.jax.loops import function
from micrograd_like.programs.tape import Tape

BLOCK = 1024
"""Rows that one device runs at a time; every line keeps that many numbers."""


class JaxRunner:
    """A tape run by JAX, in double precision, its rows spread over the devices that JAX sees."""

    backend = "jax"
    table, parameters = staticmethod(read_array), staticmethod(read_parameters)

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._jitted: dict[tuple[bool, bool], Callable[..., tuple[Array, Array]]] = {}
        mesh = Mesh(numpy.array(jax.devices()), ("rows",))
        self._by_row = NamedSharding(mesh, PartitionSpec(None, "rows"))  # type: ignore[no-untyped-call]
        self._everywhere = NamedSharding(mesh, PartitionSpec())  # type: ignore[no-untyped-call]

    @property
    def source(self) -> str:
        """The program as JAX writes it: of the outputs, or for one output of its gradient."""
        tape = self._tape
        with jax.enable_x64(True):
            arrays = (
                jnp.zeros(tape.parameters),
                jnp.zeros((1, 1, tape.inputs)),
                jnp.ones((1, 1), dtype=bool),
            )
            return str(jax.make_jaxpr(function(tape, bool(tape.gradients)))(*arrays))

    def values(self, parameters: Sequence[float], table: Array) -> list[list[float]]:
        """The outputs for every row."""
        outputs, _ = self._run(False, parameters, table)
        result: list[list[float]] = outputs.tolist()
        return result

    def value_and_grad(self, parameters: Sequence[float], table: Array) -> tuple[float, Array]:
        """Mean of the first output over the rows, and means of its derivatives."""
        _, means = self._run(True, parameters, table)
        if not numpy.isfinite(means[1:]).all():
            _, means = self._run(True, parameters, table, careful=True)
        return float(means[0]), means[1:]

    def _run(
        self, gradient: bool, parameters: Sequence[float], rows: Array, careful: bool = False
    ) -> tuple[Array, Array]:
        count, devices = len(rows), self._by_row.num_devices
        width = min(BLOCK, -(-count // devices)) * devices
        blocks = -(-count // width)
        # Copies of the last row fill up the last block; they don't count.
        places = numpy.minimum(numpy.arange(blocks * width), count - 1)
        live = (numpy.arange(blocks * width) < count).reshape(blocks, width)
        with jax.enable_x64(True):
            if (gradient, careful) not in self._jitted:
                tape = self._tape.careful() if careful else self._tape
                self._jitted[gradient, careful] = jax.jit(function(tape, gradient))
            outputs, means = self._jitted[gradient, careful](
                jax.device_put(numpy.array(parameters, dtype=float), self._everywhere),
                jax.device_put(rows[places].reshape(blocks, width, -1), self._by_row),
                jax.device_put(live, self._by_row),
            )
        outputs = numpy.asarray(outputs).transpose(0, 2, 1).reshape(blocks * width, -1)
        return outputs[:count], numpy.asarray(means)
