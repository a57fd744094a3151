"""The targets, beside what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.heavy.bench.race import Row

Rows = dict[str, Row]


@dataclass(frozen=True)
class Target:
    """A bound on one number that `measured` finds in the rows of a work."""

    work: str
    what: str
    measured: Callable[[Rows], float | None]
    bound: float
    at_least: bool

    def verdict(self, rows: Rows) -> str:
        number = self.measured(rows)
        if number is None:
            return "not measured"
        return (
            "met" if (number >= self.bound if self.at_least else number <= self.bound) else "MISSED"
        )


def time_ratio(slower: Sequence[str], quicker: str) -> Callable[[Rows], float | None]:
    """The time of the fastest of `slower`, in times that of `quicker`."""

    def measured(rows: Rows) -> float | None:
        above = [time for key in slower if (time := rows[key].median) is not None]
        below = rows[quicker].median
        return None if not above or below is None else min(above) / below

    return measured


def figure(key: str, name: str) -> Callable[[Rows], float | None]:
    def measured(rows: Rows) -> float | None:
        found = rows[key].figures.get(name)
        return statistics.median(found) if found else None

    return measured


def speed(
    work: str, what: str, slower: str | tuple[str, ...], quicker: str, bound: float
) -> Target:
    several = (slower,) if isinstance(slower, str) else slower
    return Target(work, f"{what}, times", time_ratio(several, quicker), bound, at_least=True)


def limit(work: str, what: str, key: str, name: str, bound: float) -> Target:
    return Target(work, f"{what}: {name}", figure(key, name), bound, at_least=False)


BYTES = "bytes a node"
LEAK = "growth over 200 steps MiB"
IMPORT = "over bare Python ms"
BACKWARD = "backward / forward"

TARGETS = [
    speed("moons", "pure against micrograd", "micrograd", "pure", 10),
    speed("moons", "native against micrograd", "micrograd", "native", 110),
    speed("moons", "fit against micrograd", "micrograd", "fit", 20_000),
    speed("moons", "fit against PyTorch eager", ("torch", "torch_1"), "fit", 10),
    speed("moons", "fit against ddx-ad, LLVM", "ddx_llvm", "fit", 2),
    speed("moons", "fit against JAX jit", "jax", "fit", 1),
    speed("moons", "fit against JAX jit, many steps a call", "jax_scan", "fit", 1),
    speed("adam", "fit against JAX jit, many steps a call", "jax_scan", "fit", 1),
    Target(
        "moons",
        "fit over its kernel, times",
        time_ratio(("fit",), "llvm_kernel"),
        2,
        at_least=False,
    ),
    Target(
        "moons",
        "LLVM kernel over the C kernel with -ffast-math, times",
        time_ratio(("llvm_kernel",), "c_fast_kernel"),
        2,
        at_least=False,
    ),
    speed("moons", "generated Python against pure", "pure", "python", 5),
    speed("gpt", "native against microgpt's design", "slots", "native", 15),
    speed("hidden64", "fit against JAX jit", "jax", "fit", 1),
    speed("hidden64", "fit against JAX jit, many steps a call", "jax_scan", "fit", 1),
    limit("chain", "native", "native", "backward s", 0.15),
    limit("memory", "pure", "pure", BYTES, 160),
    limit("memory", "native", "native", BYTES, 100),
    limit("memory", "pure", "pure", LEAK, 5),
    limit("memory", "native", "native", LEAK, 5),
    limit("memory", "fit", "fit", LEAK, 5),
    limit("import", "pure", "pure", IMPORT, 30),
    limit("import", "native", "native", IMPORT, 30),
    # Python's collector visits the nodes of a pure class again and again while a graph is
    # built, and no class written in Python can tell it that it holds no cycles.
    limit("growth", "pure", "pure", "exponent, collector off", 1.1),
    limit("growth", "native", "native", "exponent of the step", 1.1),
    limit("growth", "pure", "pure", BACKWARD, 1.0),
    limit("growth", "native", "native", BACKWARD, 1.0),
    limit("growth", "generated Python", "python", "exponent of compiling", 1.1),
    limit("growth", "generated Python", "python", "exponent of running", 1.1),
    limit("growth", "generated Python", "python", BACKWARD, 2.5),
    limit("growth", "LLVM", "llvm", "exponent of compiling", 1.1),
    limit("growth", "LLVM", "llvm", "exponent of running", 1.1),
    limit("growth", "LLVM", "llvm", BACKWARD, 2.5),
    limit("growth", "LLVM", "llvm", "compile moons s", 0.3),
    limit("growth", "LLVM", "llvm", "compile ms a node, 64 hidden", 0.25),
]
"""`at_least` for ratios where more is better; limits are met from below."""
