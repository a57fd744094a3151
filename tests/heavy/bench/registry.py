"""The races and their peers, what each is compared with, and the measurements made alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.heavy.bench import measure, networks, work
from tests.heavy.bench import scalar_peers as scalar
from tests.heavy.bench.c_peer import TILED, HandWrittenC
from tests.heavy.bench.graph_peers import Casadi, Ddx
from tests.heavy.bench.our_programs import Fit, Kernel, Program
from tests.heavy.bench.peer import Peer
from tests.heavy.bench.tanh_peers import micrograd_tanh, rust_tanh
from tests.heavy.bench.tensor_peers import Jax, Torch


@dataclass(frozen=True)
class Entry:
    """One row: `make` sets the peer up in its own process, `pure` with our engine's pure form."""

    title: str
    make: Callable[[], Peer]
    distribution: str = ""
    pure: bool = False


@dataclass(frozen=True)
class Race:
    """A work: numbers must equal those of `reference`, ratios are to the time of `yardstick`.

    A reference that is not the yardstick is there for its numbers alone and is not timed.
    """

    title: str
    reference: str
    yardstick: str
    entries: dict[str, Entry]


@dataclass(frozen=True)
class Alone:
    """A measurement of one library that is no race; it answers named figures."""

    title: str
    measure: Callable[[], measure.Figures]
    pure: bool = False


NATIVE = "ours, eager, native"
PURE = "ours, eager, pure"
FAST_MATH = ("-ffast-math",)

RACES = {
    "moons": Race(
        "moons step (100 points, 337 parameters)",
        "micrograd",
        "micrograd",
        {
            "micrograd": Entry("micrograd", scalar.micrograd_moons, "micrograd"),
            "slots": Entry("microgpt's design", scalar.slots_tuples_moons),
            "xad": Entry("XAD", scalar.XadMoons, "xad"),
            "torch": Entry("PyTorch, eager", partial(Torch, work.MOONS), "torch"),
            "torch_1": Entry("PyTorch, eager, 1 thread", partial(Torch, work.MOONS, 1), "torch"),
            "jax": Entry("JAX, jit", partial(Jax, work.MOONS), "jax"),
            "jax_scan": Entry("JAX, jit, many steps a call", partial(Jax, work.MOONS, 100), "jax"),
            "casadi": Entry("CasADi, SX mapped", Casadi, "casadi"),
            "ddx": Entry("ddx-ad, interpreted", partial(Ddx, False), "ddx-ad"),
            "ddx_llvm": Entry("ddx-ad, LLVM", partial(Ddx, True), "ddx-ad"),
            "c": Entry("C -O3", partial(HandWrittenC, work.MOONS)),
            "c_kernel": Entry("C -O3, kernel", partial(HandWrittenC, work.MOONS, kernel=True)),
            "c_fast": Entry("C -O3 -ffast-math", partial(HandWrittenC, work.MOONS, FAST_MATH)),
            "c_fast_kernel": Entry(
                "C -O3 -ffast-math, kernel", partial(HandWrittenC, work.MOONS, FAST_MATH, True)
            ),
            "c_tiled": Entry(
                "C -O3 -ffast-math, tuned by hand",
                partial(HandWrittenC, work.MOONS, FAST_MATH, layouts=TILED),
            ),
            "pure": Entry(PURE, partial(scalar.ours_moons, "pure"), pure=True),
            "native": Entry(NATIVE, partial(scalar.ours_moons, "native")),
            "python": Entry("ours, generated Python", partial(Program, "python")),
            "llvm": Entry("ours, LLVM, update in Python", partial(Program, "llvm")),
            "llvm_kernel": Entry("ours, LLVM, kernel", Kernel),
            "ours_jax": Entry("ours, on JAX, update in Python", partial(Program, "jax")),
            "fit": Entry("ours, fit (LLVM)", Fit),
        },
    ),
    "adam": Race(
        "moons step with Adam",
        "jax_scan",
        "jax_scan",
        {
            "jax_scan": Entry(
                "JAX, jit, many steps a call", partial(Jax, work.MOONS, 100, adam=True), "jax"
            ),
            "fit": Entry("ours, fit (LLVM)", partial(Fit, work.MOONS, "Adam")),
        },
    ),
    "tanh": Race(
        "moons step with tanh and squared error",
        "micrograd",
        "micrograd",
        {
            "micrograd": Entry("micrograd, tanh added", micrograd_tanh, "micrograd"),
            "rust": Entry("micrograd-rust", rust_tanh, "micrograd-rust"),
        },
    ),
    "gpt": Race(
        "gpt step (8 positions, 4,192 parameters)",
        "micrograd",
        "micrograd",
        {
            "micrograd": Entry("micrograd, exp and log added", scalar.micrograd_gpt, "micrograd"),
            "slots": Entry("microgpt's design", scalar.slots_tuples_gpt),
            "xad": Entry("XAD", scalar.XadGpt, "xad"),
            "pure": Entry(PURE, partial(scalar.ours_gpt, "pure"), pure=True),
            "native": Entry(NATIVE, partial(scalar.ours_gpt, "native")),
        },
    ),
    "hidden64": Race(
        "moons step, 64 hidden units (4,481 parameters)",
        "slots",
        "jax",
        {
            "slots": Entry("microgpt's design", partial(scalar.slots_tuples_moons, work.HIDDEN64)),
            "torch": Entry("PyTorch, eager", partial(Torch, work.HIDDEN64), "torch"),
            "torch_1": Entry("PyTorch, eager, 1 thread", partial(Torch, work.HIDDEN64, 1), "torch"),
            "jax": Entry("JAX, jit", partial(Jax, work.HIDDEN64), "jax"),
            "jax_scan": Entry(
                "JAX, jit, many steps a call", partial(Jax, work.HIDDEN64, 100), "jax"
            ),
            "c": Entry("C -O3", partial(HandWrittenC, work.HIDDEN64)),
            "c_fast": Entry("C -O3 -ffast-math", partial(HandWrittenC, work.HIDDEN64, FAST_MATH)),
            "c_tiled": Entry(
                "C -O3 -ffast-math, tuned by hand",
                partial(HandWrittenC, work.HIDDEN64, FAST_MATH, layouts=TILED),
            ),
            "llvm_kernel": Entry("ours, LLVM, kernel", partial(Kernel, work.HIDDEN64)),
            "fit": Entry("ours, fit (LLVM)", partial(Fit, work.HIDDEN64)),
        },
    ),
}

ALONE = {
    "chain": {
        "micrograd": Alone("micrograd", measure.micrograd_chain),
        "rust": Alone("micrograd-rust", measure.rust_chain),
        "xad": Alone("XAD", measure.xad_chain),
        "slots": Alone("microgpt's design", measure.slots_chain),
        "pure": Alone(PURE, partial(measure.ours_chain, "pure"), True),
        "native": Alone(NATIVE, partial(measure.ours_chain, "native")),
    },
    "memory": {
        "micrograd": Alone("micrograd", measure.micrograd_bytes),
        "slots": Alone("microgpt's design", measure.slots_bytes),
        "pure": Alone(PURE, partial(measure.ours_memory, "pure"), True),
        "native": Alone(NATIVE, partial(measure.ours_memory, "native")),
        "fit": Alone("ours, fit (LLVM)", measure.fit_memory),
    },
    "import": {
        "micrograd": Alone("micrograd", partial(measure.import_time, "micrograd.engine")),
        "pure": Alone(PURE, partial(measure.import_time, "micrograd_like"), True),
        "native": Alone(NATIVE, partial(measure.ours_import, "native")),
    },
    "networks": {
        name: Alone(f"{name}, {rows} rows", partial(networks.race, name))
        for name, (_, rows) in networks.NETWORKS.items()
    },
    "growth": {
        "pure": Alone(PURE, partial(measure.ours_growth, "pure"), True),
        "native": Alone(NATIVE, partial(measure.ours_growth, "native")),
        "python": Alone("ours, generated Python", partial(measure.program_growth, "python")),
        "llvm": Alone("ours, LLVM", partial(measure.program_growth, "llvm")),
    },
}
