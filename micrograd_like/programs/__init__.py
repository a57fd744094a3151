"""Compile a graph once, run it for many rows: as Python, machine code, JavaScript, C, or on JAX.

A graph built by ordinary code becomes a program of its inputs. Branches that Python took while the
graph was built are frozen into it; operations, and so the losses, do not branch.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Protocol

from micrograd_like._internal import native

native.import_part(__name__, __path__, "lowering")  # before anything imports its source

from micrograd_like._internal.extras import installed, load
from micrograd_like._internal.locks import ForkSafe
from micrograd_like.engine import Value, add_gradients, read_data
from micrograd_like.graph import nodes_of
from micrograd_like.operation import anomaly_mode
from micrograd_like.programs.tape import Tape

# The class in the module of each backend, the extra it needs, and what of the extra it imports.
BACKENDS = {
    "python": ("PythonRunner", "", ()),
    "llvm": ("LlvmRunner", "llvm", ("numpy", "llvmlite")),
    "jax": ("JaxRunner", "jax", ("numpy", "jax")),
    "javascript": ("JavascriptRunner", "", ()),
    "c": ("CRunner", "", ()),
}

_adding = ForkSafe()  # of programs in several threads that share parameters


class Runner(Protocol):
    """A tape made ready to run by one of the backends."""

    backend: str

    @property
    def source(self) -> str:
        """The program as text."""

    def table(self, rows: Any, inputs: Sequence[str]) -> Any:
        """`rows`, checked, in the form in which the other methods take them."""

    def parameters(self, given: Any, count: int) -> Any:
        """An array of so many numbers, checked, in that form."""

    def values(self, parameters: Sequence[float], table: Any) -> list[list[float]]:
        """The outputs for every row."""

    def value_and_grad(self, parameters: Sequence[float], table: Any) -> tuple[float, Any]:
        """Mean of the first output over the rows, and means of its derivatives."""


def make_runner(tape: Tape, backend: str = "auto", threads: int = 1) -> Runner:
    """The tape made ready to run by a backend."""
    if backend != "auto" and backend not in BACKENDS:
        names = ", ".join(map(repr, ["auto", *BACKENDS]))
        raise ValueError(f"backend is one of {names}, got {backend!r}")
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ValueError(f"threads is a whole number from 1 on, got {threads!r}")
    if threads > 1 and backend not in ("auto", "llvm"):
        raise ValueError(f"only the backend 'llvm' runs on threads={threads}, not {backend!r}")
    if backend == "auto":
        there = installed(*BACKENDS["llvm"][2])
        fits = there and not tape.unsupported(_module("llvm").knows)
        backend = "llvm" if fits else "python"
    module = _module(backend)
    if backend != "python" and (missing := tape.unsupported(module.knows)):
        raise ValueError(
            f"the backend {backend!r} can't run {', '.join(missing)}: forward or a partial is "
            "Python that takes only floats. Write it with operations, or use backend='python'"
        )
    runner: type[Runner] = getattr(module, BACKENDS[backend][0])
    return runner(tape, threads) if backend == "llvm" else runner(tape)  # type: ignore[call-arg]


def _module(backend: str) -> Any:
    _, extra, packages = BACKENDS[backend]
    for package in packages:
        load(package, extra)
    return import_module(f"{__name__}.{backend}")


class Program:
    """A compiled graph; `compile` makes it.

    - `params`: the parameters, in the order of the gradients.
    - `backend`: "python", "llvm", "jax", "javascript" or "c".
    - `source`: what runs, as text.
    - `plan`: the loops that the backend "llvm" found in the graph, in words.
    """

    def __init__(
        self,
        runner: Runner,
        tape: Tape,
        bare: bool,
        inputs: Sequence[str],
        params: Sequence[Value],
        threads: int,
    ) -> None:
        self.params = tuple(params)
        self._runner, self._tape, self._bare = runner, tape, bare
        self._inputs, self._threads = inputs, threads

    def __reduce__(self) -> tuple[Any, ...]:
        # Code that runs belongs to the process: it is made again from the tape.
        rest = self._bare, self._inputs, self.params, self._threads
        return _remade, (self.backend, self._tape, *rest)

    def __repr__(self) -> str:
        return (
            f"<Program of {len(self._inputs)} input(s), {len(self.params)} parameter(s) and "
            f"{len(self._tape.outputs)} output(s), backend {self.backend!r}>"
        )

    @property
    def backend(self) -> str:
        return self._runner.backend

    @property
    def source(self) -> str:
        return self._runner.source

    @property
    def plan(self) -> str:
        """The loops that a backend found in the graph, unit by unit, in words."""
        return getattr(self._runner, "plan", f"{len(self._tape.names)} lines, one after the other")

    def __call__(self, rows: Any, *, parameters: Any = None) -> list[Any]:
        """The output for every row: a float, or a list of them where `outputs` was a list.

        `rows` is a sequence of sequences, an array or a DataFrame, with a number for every input.
        A row of another length raises ValueError, and anything but numbers TypeError.

        `parameters`: an array with a number for each of `params`, to be used in place of theirs.
        """
        table, parameters = self._read(rows, parameters, gradient=False)
        results = self._runner.values(parameters, table) if len(table) else []
        return [output for [output] in results] if self._bare else results

    def value_and_grad(self, rows: Any, *, parameters: Any = None) -> tuple[float, Any]:
        """The mean of the output over the rows, and its derivative by each of `params` as a list.

        With `parameters`, an array with a number for each of `params` to be used in place of
        theirs, the derivatives are an array too, which takes no time for each parameter.

        No rows, or a program of several outputs, raise ValueError.
        """
        mean, gradient = self._means(rows, parameters)
        if isinstance(gradient, list):
            return mean, gradient if parameters is None else load("numpy", "llvm").array(gradient)
        return mean, gradient.tolist() if parameters is None else gradient

    def backward(self, rows: Any) -> float:
        """Add the gradient of `value_and_grad` to the `grad` of each of `params`; the mean."""
        mean, gradient = self._means(rows, None)
        slopes = array("d", gradient if isinstance(gradient, list) else gradient.tobytes())
        with _adding.lock:
            add_gradients(self.params, slopes)
        return mean

    def _means(self, rows: Any, parameters: Any) -> tuple[float, Any]:
        """The same as a list or an array, whichever the backend has."""
        if len(self._tape.outputs) != 1:
            raise ValueError(
                f"a gradient is of one output, and this program has {len(self._tape.outputs)}: "
                "compile the one to differentiate by itself"
            )
        table, parameters = self._read(rows, parameters, gradient=True)
        if not len(table):
            raise ValueError(f"a mean takes at least one row, got {rows!r:.80}")
        return self._runner.value_and_grad(parameters, table)

    def _read(self, rows: Any, given: Any, gradient: bool) -> tuple[Any, Any]:
        table = self._runner.table(rows, self._inputs)
        if given is None:
            parameters = array("d", bytes(8 * len(self.params)))
            read_data(self.params, parameters)
        else:
            parameters = self._runner.parameters(given, len(self.params))
        if anomaly_mode.on:
            # As plain floats: numpy's own warn where IEEE 754 has an answer.
            plain = table if isinstance(table, list) else table.tolist()
            self._tape.find_anomaly([*map(float, parameters)], enumerate(plain), gradient)
        return table, parameters


def _remade(
    backend: str,
    tape: Tape,
    bare: bool,
    inputs: Sequence[str],
    params: Sequence[Value],
    threads: int,
) -> Program:
    return Program(make_runner(tape, backend, threads), tape, bare, inputs, params, threads)


def compile(
    outputs: Value | Iterable[Value],
    inputs: Iterable[Value],
    *,
    params: Iterable[Value] | None = None,
    backend: str = "auto",
    threads: int = 1,
) -> Program:
    """A program that computes `outputs` for many rows, with a number for each of `inputs` in each.

    - `outputs`: a Value, or a list of them, built once by ordinary code.
    - `inputs`: the leaves that change from row to row.
    - `params`: the leaves to differentiate by. They are read from their `data` at every call, and
      all other leaves only now. None is every leaf but the inputs, in the order in which the
      outputs first use them.
    - `backend`: "python" (generated source, nothing else needed), "llvm" (machine code for rows
      in vectors, the extra "llvm"), "jax" (the extra "jax"), "javascript" (source for a browser or
      for node) and "c" (C99), of which only `Program.source` can be used here, or "auto": llvm
      where it is installed and knows all the operations, else python.
    - `threads`: how many threads the backend "llvm" may use for a large number of rows. The same
      number gives the same bits.

    Python gives the engine's results to the bit. The others add in another order and fuse
    multiplications with additions, but treat inf and nan as the engine does, unless a product in a
    sum is too large for a float: fused, it can be added to one of the other sign.

    An input or a parameter that is no leaf or is listed twice raises ValueError, one that is no
    Value TypeError. A backend that is not installed raises ModuleNotFoundError.

    >>> from micrograd_like import Value, compile
    >>> w, x = Value(3.0), Value(0.0)
    >>> program = compile((w * x).tanh(), [x], backend="python")
    >>> program([[0.0], [1.0]])
    [0.0, 0.9950547536867305]
    >>> program.value_and_grad([[0.0], [1.0]])
    (0.49752737684336523, [0.004933018582720095])
    """
    bare = isinstance(outputs, Value)
    roots = _values("outputs", [outputs] if bare else outputs)
    if not roots:
        raise ValueError("outputs is empty: give the Value to compute, or a list of them")
    rows = _leaves("inputs", inputs)
    known = set(rows)
    if params is None:
        parameters = [node for node in nodes_of(*roots) if not node.op and node not in known]
    else:
        parameters = _leaves("params", params)
        for place, parameter in enumerate(parameters):
            if parameter in known:
                raise ValueError(f"params[{place}] is an input as well: {parameter!r}")
    tape = Tape(roots, rows, parameters, differentiate=len(roots) == 1)
    labels = [value.label for value in rows]
    return Program(make_runner(tape, backend, threads), tape, bare, labels, parameters, threads)


def _values(what: str, values: Any) -> list[Value]:
    if not isinstance(values, Iterable) or isinstance(values, str):
        raise TypeError(f"{what}: expected Values, got {type(values).__name__}: {values!r:.80}")
    found = list(values)
    for place, value in enumerate(found):
        if not isinstance(value, Value):
            raise TypeError(
                f"{what}[{place}]: expected a Value, got {type(value).__name__}: {value!r:.80}"
            )
    return found


def _leaves(what: str, values: Any) -> list[Value]:
    found = _values(what, values)
    seen: set[Value] = set()
    for place, value in enumerate(found):
        if value.op:
            raise ValueError(f"{what}[{place}] is no leaf, it was made by {value.op}: {value!r}")
        if value in seen:
            raise ValueError(f"{what}[{place}] is listed twice: {value!r}")
        seen.add(value)
    return found
