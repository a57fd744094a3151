"""Measurements of one library alone: a long chain, memory, import, growth with the graph."""

from __future__ import annotations

import gc
import importlib.util
import math
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.heavy.bench import scalar_peers as scalar
from tests.heavy.bench import slots_tuples, work
from tests.heavy.bench.our_programs import Fit, data_rows, machine_calls, ours_for, row_loss
from tests.heavy.bench.peer import load, seconds_of
from tests.heavy.bench.tanh_peers import RUST

Figures = dict[str, list[float]]
"""What was measured by its name; several numbers where it was measured several times."""

CHAIN = 1_000_000
TRAINING_STEPS = 200
MEASURED_STEPS = TRAINING_STEPS + 5
"""A few more to begin with, which are not counted."""
IMPORTS = 20
GRAPHS = 10
"""Graphs that are weighed together."""
GROWTH_POINTS = (2, 15, 154, 1540)
"""Points of the moons step that give about 10³, 10⁴, 10⁵ and 10⁶ nodes."""
GROWTH_ROUNDS = 5
GROWTH_SECONDS = 0.05
GROWTH_HIDDEN = (4, 8, 16, 32, 64, 78)
"""Hidden units of the moons network: about 10² to 2·10⁴ nodes a row, its parameters counted."""


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Slope of log(seconds) over log(size): 1 where time is linear."""
    return statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(second) for second in seconds]
    ).slope


# A chain of additions


def chain(value: Callable[[float], Any]) -> Figures:
    """Seconds to build, differentiate and free x + x + x + ...; the gradient is checked."""
    x = value(1.0)
    began = time.perf_counter()
    total = x
    for _ in range(CHAIN):
        total = total + x
    built = time.perf_counter()
    total.backward()
    passed = time.perf_counter()
    del total
    freed = time.perf_counter()
    if x.grad != CHAIN + 1:
        raise ArithmeticError(f"gradient {x.grad}, expected {CHAIN + 1}")
    return {"build s": [built - began], "backward s": [passed - built], "free s": [freed - passed]}


def micrograd_chain() -> Figures:
    load("micrograd")
    return chain(load("micrograd.engine").Value)


def rust_chain() -> Figures:
    return chain(load("micrograd_rust", RUST).Value)


def slots_chain() -> Figures:
    return chain(slots_tuples.Value)


def ours_chain(engine: str) -> Figures:
    return chain(scalar.engine_of(engine).Value)


def xad_chain() -> Figures:
    load("xad")
    adjoint = load("xad.adj_1st")
    tape = adjoint.Tape()
    tape.activate()
    x = adjoint.Real(1.0)
    tape.registerInput(x)
    tape.newRecording()
    began = time.perf_counter()
    total = x
    for _ in range(CHAIN):
        total = total + x
    tape.registerOutput(total)
    built = time.perf_counter()
    total.derivative = 1.0
    tape.computeAdjoints()
    passed = time.perf_counter()
    gradient = x.derivative
    tape.clearAll()
    freed = time.perf_counter()
    if gradient != CHAIN + 1:
        raise ArithmeticError(f"gradient {gradient}, expected {CHAIN + 1}")
    return {"build s": [built - began], "backward s": [passed - built], "free s": [freed - passed]}


# Memory


def bytes_a_node(peer: scalar.MoonsStep, parents: Callable[[Any], Any]) -> Figures:
    """Python memory that building the graph and its backward leave in use, over its nodes."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    root = peer.forward()
    root.backward()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    nodes = work.node_count(root, parents) - len(peer.parameters)
    return {"bytes a node": [(after - before) / nodes]}


def resident_mib() -> float:
    return float(load("psutil").Process().memory_info().rss) / 2**20


def resident_bytes_a_node(peer: scalar.MoonsStep) -> Figures:
    """The growth of the process by graphs: Python's allocator rounds the size of a node up.

    There are several graphs, since the system may give out memory in pieces of megabytes.
    """
    held = [peer.forward() for _ in range(3)]  # uses up the memory that Python keeps
    before = resident_mib()
    for _ in range(GRAPHS):
        held.append(peer.forward())
        held[-1].backward()
    grown = resident_mib() - before
    nodes = work.node_count(held[-1], lambda v: v.parents) - len(peer.parameters)
    return {"bytes a node": [grown * 2**20 / (GRAPHS * nodes)]}


def growth(train: Callable[[Callable[[], float]], list[float]]) -> Figures:
    """The growth of the process in training, the collector off, after the first steps.

    `train` makes the steps, looks before each, and returns what it saw. The first steps take the
    memory that one step needs; what comes on top is what steps leave behind. Objects left behind
    show as blocks of Python's allocator; memory that grows without them is scattered free space.
    """
    gc.disable()
    found = {}
    for unit, look in (("MiB", resident_mib), ("blocks", lambda: float(sys.getallocatedblocks()))):
        seen = train(look)
        found[f"growth over {TRAINING_STEPS} steps {unit}"] = [seen[-1] - seen[-1 - TRAINING_STEPS]]
    gc.enable()
    return found


def micrograd_bytes() -> Figures:
    return bytes_a_node(scalar.micrograd_moons(), lambda v: v._prev)


def slots_bytes() -> Figures:
    return bytes_a_node(scalar.slots_tuples_moons(), lambda v: v.parents)


def ours_memory(engine: str) -> Figures:
    peer = scalar.ours_moons(engine)

    # Nodes are weighed after the training: numbers up to 256 cost nothing in CPython, so that a
    # counter kept on the nodes would look free in the first passes of a process.
    def train(look: Callable[[], float]) -> list[float]:
        seen = []
        for _ in range(MEASURED_STEPS):
            seen.append(look())
            peer.step()
        return seen

    grown = growth(train)
    if engine == "native":
        return resident_bytes_a_node(peer) | grown
    return bytes_a_node(peer, lambda v: v.parents) | grown


def fit_memory() -> Figures:
    peer = Fit()

    def train(look: Callable[[], float]) -> list[float]:
        seen: list[float] = []
        peer.fit(MEASURED_STEPS, [lambda model, row: seen.append(look())])
        return seen

    return growth(train)


# Import


def import_time(module: str) -> Figures:
    """Milliseconds that importing `module` adds to a bare interpreter, round by round.

    Modules that are imported when first used do not show in the import itself, so the same is
    measured for all public names. Every side runs with -I -S, which leaves out the site folder
    and its start-up files: those may import part of the standard library beforehand, and the
    import would then look cheaper than it is. The path is handed over instead. A first round,
    not counted, writes the bytecode, as an installation does.
    """
    top = module.partition(".")[0]
    load(top)
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        raise ImportError(f"{top} is no package with an __init__.py")
    path = f"import sys; sys.path = {[str(Path(spec.origin).parent.parent), *sys.path]}"
    sides = {
        "bare": path,
        "import": f"{path}; import {module}",
        "every name": f"{path}; from {module} import *",
    }
    times: dict[str, list[float]] = {side: [] for side in sides}
    for run in range(IMPORTS + 1):
        for side, code in sides.items():
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True
            )
            if done.returncode:
                raise ImportError(done.stderr.strip().rpartition("\n")[2])
            if run:
                times[side].append(time.perf_counter() - began)

    def over_bare(side: str) -> list[float]:
        return [
            1e3 * (loaded - bare) for loaded, bare in zip(times[side], times["bare"], strict=True)
        ]

    return {
        "over bare Python ms": over_bare("import"),
        "the same with every public name ms": over_bare("every name"),
    }


def ours_import(engine: str) -> Figures:
    scalar.engine_of(engine)
    return import_time("micrograd_like")


# Growth


def interleaved(calls: Sequence[Callable[[], object]]) -> list[float]:
    """The median processor time of each call, over rounds that go around all of them."""
    for call in calls:
        call()
    rounds = [
        [seconds_of(call, GROWTH_SECONDS, time.process_time) for call in calls]
        for _ in range(GROWTH_ROUNDS)
    ]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def ours_growth(engine: str) -> Figures:
    """The growth of the time of a step with the graph, and the cost of backward over forward.

    The exponent holds the caches of the processor too, which a graph outgrows on the way, and the
    collector, which visits the nodes it tracks; a fit without the collector tells them apart.
    """
    peers = [scalar.ours_moons(engine, points) for points in GROWTH_POINTS]
    nodes = [float(work.node_count(peer.forward(), lambda v: v.parents)) for peer in peers]
    calls = [peer.step for peer in peers]
    seconds = interleaved(calls)
    gc.disable()
    quiet = interleaved(calls)
    gc.enable()
    peer = scalar.ours_moons(engine)
    forward, backward = [], []
    for _ in range(9):
        began = time.process_time()
        root = peer.forward()
        built = time.process_time()
        root.backward()
        backward.append(time.process_time() - built)
        forward.append(built - began)
        del root
    return {
        "exponent of the step": [exponent(nodes, seconds)],
        "exponent, collector off": [exponent(nodes, quiet)],
        f"ns a node, {nodes[0]:,.0f} nodes": [1e9 * seconds[0] / nodes[0]],
        f"ns a node, {nodes[-1]:,.0f} nodes": [1e9 * seconds[-1] / nodes[-1]],
        "backward / forward": [b / f for b, f in zip(backward, forward, strict=True)],
    }


def program_growth(backend: str) -> Figures:
    """The growth of compiling and running with the nodes of a row, and the cost of gradients.

    All in processor time. Compiling includes the first call, which some backends compile in.
    Machine code is timed without the Python around it where forward and backward are compared:
    what reads the rows and makes a list of the outputs takes longer than a forward pass.
    """
    ours = ours_for(backend, "compile")
    rows = data_rows(backend, 20 if backend == "python" else 1000)
    nodes, compiling, programs = [], [], []
    first = ours.Value(1.0)
    ours.compile(first * first, [], backend=backend).value_and_grad([[]])  # imports the backend
    for hidden in GROWTH_HIDDEN:
        model = ours.MLP(2, [hidden, hidden, 1])
        loss, inputs = row_loss(ours, model)
        nodes.append(float(work.node_count(loss, lambda v: v.parents)))
        began = time.process_time()
        program = ours.compile(loss, inputs, params=model.parameters(), backend=backend)
        program.value_and_grad(rows)
        compiling.append(time.process_time() - began)
        programs.append(program)
    running = interleaved([partial(program.value_and_grad, rows) for program in programs])
    moons = GROWTH_HIDDEN.index(work.MOONS[1])
    hidden64 = GROWTH_HIDDEN.index(work.HIDDEN64[1])
    program = programs[moons]
    if backend == "llvm":
        sides = [machine_calls(program, rows, gradient) for gradient in (False, True)]
        forward, both = interleaved([repeat for repeat, _ in sides])
    else:
        forward, both = interleaved([partial(program, rows), partial(program.value_and_grad, rows)])
    if both <= forward:
        raise ArithmeticError(f"a gradient in {both} s and its value alone in {forward} s")
    return {
        "exponent of compiling": [exponent(nodes, compiling)],
        "exponent of running": [exponent(nodes, running)],
        f"compile ms a node, {nodes[0]:,.0f} nodes": [1e3 * compiling[0] / nodes[0]],
        f"compile ms a node, {nodes[-1]:,.0f} nodes": [1e3 * compiling[-1] / nodes[-1]],
        "compile ms a node, 64 hidden": [1e3 * compiling[hidden64] / nodes[hidden64]],
        "compile moons s": [compiling[moons]],
        "backward / forward": [both / forward - 1.0],
    }
