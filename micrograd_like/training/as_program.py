"""The way to do the arithmetic of `fit` that runs one program for every batch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import fsum
from operator import is_
from time import perf_counter
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from micrograd_like._internal.extras import load
from micrograd_like._internal.interrupts import not_by_a_handler, undisturbed, uninterrupted
from micrograd_like.engine import Value
from micrograd_like.operation import anomaly_mode
from micrograd_like.optim import Optimizer, Rule
from micrograd_like.training.reading import Examples, Targets
from micrograd_like.training.ways import Computed, OnValues, Outputs, Trace, Work

PIECE = 0.03
"""Seconds that steps done at one go take at most, about: so long Ctrl-C has to wait."""

MOST_ROWS = 100_000
"""Rows of steps done at one go, whose outputs are kept."""


class AsProgram:
    """The way that compiles the graph of one example, and runs that program for every batch.

    A row of the program holds the numbers of an example and of its target. Until `sync` the
    parameters and the buffers of the optimiser are arrays here, and the model shows what they were.
    """

    def __init__(self, on_values: OnValues, trace: Trace) -> None:
        with undisturbed():  # half an import stays half
            self._numpy = load("numpy", "llvm")
            load("llvmlite", "llvm")
        self._on_values = on_values
        self._optimizer = optimizer = on_values.optimizer
        self.by_rule = _goes_by_rule(optimizer)
        self._params = list(getattr(optimizer, "params", ()))
        self._single, self._target = trace.single, trace.target
        self.digest, self.moved, self.nodes = trace.digest, trace.moved, len(trace.nodes)
        self.parameters: list[Value] = trace.parameters
        self.before: Sequence[float] = ()
        self._tape, self._runner = _program(on_values.model, trace)
        self._state: _State | None = None  # where the model has it all
        self._parts: list[tuple[Any, slice]] = []  # of the optimiser, by their settings
        self._updates: list[tuple[Any, list[float]]] | None = None  # of the parts; or not read yet
        self._by_update = self.by_rule and type(optimizer).rule is Optimizer.rule
        self._drawn: list[list[tuple[float, ...]]] = []  # the numbers of the next steps
        self._pace = PIECE  # seconds for a step
        self._by_epochs = True  # until there was a step that only `_step` can do
        self._nan_step = self._nan_evaluated = False

    def read(self, examples: Examples) -> Table:
        """The examples, and an array with a row for each."""
        rows = [
            [*row, *self._target(target)]
            for row, target in zip(examples.rows, examples.targets, strict=True)
        ]
        array = self._numpy.array(rows, dtype=float).reshape(len(rows), self._tape.inputs)
        return Table(examples, array)

    def is_of(self, trace: Trace) -> bool:
        """True if this is the program of that graph, with the same Values as its parameters."""
        pairs = zip(self.parameters, trace.parameters, strict=False)
        return self.digest == trace.digest and all(a is b for a, b in pairs)

    def compared(self, on_values: OnValues, work: Work) -> tuple[AsProgram, OnValues, Work]:
        """The program, what it is compared with, and on what."""
        return self, on_values, work

    def follows(self, optimizer: Any) -> bool:
        """True if the optimiser still moves what it moved when this was compiled."""
        params = list(getattr(optimizer, "params", ()))
        same = len(params) == len(self._params) and all(map(is_, params, self._params))
        return same and _goes_by_rule(optimizer) == self.by_rule

    def _now(self) -> _State:
        if self._state is None:
            array = self._numpy.array
            if self.by_rule:
                self._optimizer.follow_params()
                self._parts = self._optimizer.parts()
            buffers = self._optimizer.buffers if self.by_rule else []
            self._state = _State(
                self._in_model(),
                array([parameter.grad for parameter in self.moved]),
                [array(buffer) for buffer in buffers],
                self._optimizer.steps if self.by_rule else 0,
            )
            self._updates = None  # their constants may have changed as well
        return self._state

    def _in_model(self) -> Any:
        """The parameters as the model has them, with all that has been done."""
        self.sync()
        return self._numpy.array([parameter.data for parameter in self.parameters])

    def steps(self, data: Table, order: Sequence[int], size: int) -> tuple[list[float], Outputs]:
        """See `Way`; several steps if the optimiser's update can be machine code as well."""
        count = min(-(-len(order) // size), self._most(size))
        order = order[: count * size]
        descended = self._descend(data, order, [*range(0, len(order), size), len(order)])
        if descended is None:
            cost, outputs = self._step(data, order[:size])
            return [cost], outputs
        return self._adopt(descended)

    def epochs(
        self, data: Table, order: Sequence[int], size: int, most: int
    ) -> tuple[list[float], Outputs] | None:
        """Do the steps of several epochs in the same order, at most so many, as far as time allows.

        The losses, and the outputs with a first axis for the epochs; or None, and nothing is done.
        """
        count, steps = len(order), -(-len(order) // size)
        most = min(most, self._most(size) // steps)
        if not self._by_epochs or most < 1:
            return None
        end, numpy = most * count, self._numpy
        starts = numpy.arange(0, end, count)[:, None] + numpy.arange(0, count, size)
        begins = numpy.append(starts, end)
        descended = self._descend(data, numpy.tile(order, most), begins)
        if descended is None or len(descended.losses) < most * steps:
            self._by_epochs = False
            return None
        losses, outputs = self._adopt(descended)
        return losses, outputs.reshape(most, count, *outputs.shape[1:])

    def _most(self, size: int) -> int:
        """Steps to be done at one go, at most."""
        return max(1, min(int(PIECE / self._pace), MOST_ROWS // size))

    def _descend(self, data: Table, order: Sequence[int], begins: Sequence[int]) -> Any:
        """The steps on some batches in machine code, as they would be; None if that can't be."""
        now, began = self._now(), perf_counter()
        if anomaly_mode.on or not self._by_update:
            return None
        found = self._numbers(len(begins) - 1)
        if self._updates is None:
            self._updates = _read_updates(self._parts, found[0])
            if self._updates is None:
                self._by_update = False
                return None
            began = perf_counter()
        updates, constants = zip(*self._updates, strict=True)
        array, integers, steps = self._numpy.array, self._numpy.int64, len(found)
        columns = [
            x
            for numbers, same in zip(zip(*found, strict=True), constants, strict=True)
            for x in (array(numbers), self._numpy.tile(array(same, dtype=float), (steps, 1)))
        ]
        batches = (
            array(order[: begins[steps]], dtype=integers),
            array(begins[: steps + 1], dtype=integers),
            self._numpy.hstack(columns),
        )
        parts = array([0, *(places.stop for _, places in self._parts)], dtype=integers)
        descended = self._runner.descend(
            updates, parts, now.parameters, now.buffers, data.array, batches
        )
        self._pace = (perf_counter() - began) / steps
        return descended

    def _adopt(self, descended: Any) -> tuple[list[float], Outputs]:
        """Let steps that were taken in machine code be done."""
        losses, outputs, gradient, parameters, buffers = descended
        self.before = ()
        self._go_on(_State(parameters, gradient, buffers, self._now().steps + len(losses)))
        return losses, outputs[2] if self._single else outputs[2:].T

    def _go_on(self, state: _State) -> None:
        del self._drawn[: state.steps - self._now().steps]
        self._state = state

    def _numbers(self, count: int) -> list[list[tuple[float, ...]]]:
        """The numbers of the next steps, by parts: so many, or fewer where the optimiser raises.

        Each is asked for once, for a schedule may be any function.
        """
        drawn, steps = self._drawn, self._now().steps
        while len(drawn) < count:
            try:
                step = steps + len(drawn)
                drawn.append([part.numbers(step) for part, _ in self._parts])
            except not_by_a_handler(Exception):
                if not drawn:
                    raise
                break  # it raises again after the steps before
        return drawn[:count]

    def _rules(self, step: int) -> list[Rule]:
        """The update of each part in the next step, for arrays."""
        if type(self._optimizer).rule is not Optimizer.rule:
            return [part.rule(step) for part, _ in self._parts]
        [found] = self._numbers(1)
        return [partial(part.update, x) for (part, _), x in zip(self._parts, found, strict=True)]

    def _step(self, data: Table, batch: Sequence[int]) -> tuple[float, Outputs]:
        """One step; the update in numpy, or by an optimiser of the user's own on Values."""
        now = self._now()
        self.before = now.parameters
        self._watch(now, data, batch, gradient=True)
        cost, gradient, outputs = self._runner.batch(now.parameters, data.array, batch)
        if cost != cost and not self._nan_step:
            self._let_values_refuse(data, batch)
        self._nan_step = cost != cost
        if not self.by_rule:
            self.sync()
            self._optimizer.zero_grad()
        self.update(gradient[: len(self.moved)])
        return cost, outputs[:, 1] if self._single else outputs[:, 1:]

    def update(self, gradient: Any) -> None:
        """One step of the optimiser by the gradient of what it moves.

        An optimiser of the user's own gets it on top of what `zero_grad` has left.
        """
        if not self.by_rule:
            with uninterrupted():
                for parameter, x in zip(self.moved, gradient.tolist(), strict=True):
                    parameter.grad += x
                self._optimizer.step()
            return
        now, count = self._now(), len(self.moved)
        rules, old = self._rules(now.steps), (now.parameters[:count], gradient, *now.buffers)
        with self._numpy.errstate(all="ignore"):
            new = [
                rule(*[column[places] for column in old])
                for rule, (_, places) in zip(rules, self._parts, strict=True)
            ]
        moved, *buffers = map(self._numpy.concatenate, zip(*new, strict=True))
        parameters = self._numpy.concatenate((moved, now.parameters[count:]))
        self._go_on(_State(parameters, gradient, buffers, now.steps + 1))

    def evaluate(self, data: Table, batch: Sequence[int]) -> tuple[float, Outputs]:
        """See `Way`."""
        now = self._now()
        self._watch(now, data, batch, gradient=False)
        costs, outputs = self._outputs(data.array[list(batch)])
        cost = fsum(costs.tolist()) / len(batch)
        if cost != cost and not self._nan_evaluated:
            self._let_values_refuse(data, batch)
        self._nan_evaluated = cost != cost
        return cost, outputs

    def outputs(self, rows: Any) -> tuple[Any, Outputs]:
        """The parameters, and the outputs for some rows of a table."""
        return self._now().parameters, self._outputs(rows)[1]

    def sum_of_gradients(self, parameters: Any, rows: Any) -> Any:
        """The sum over some rows of the gradients by what the optimiser moves."""
        return self._runner.batch(parameters, rows)[1][: len(self.moved)] * len(rows)

    def _outputs(self, rows: Any) -> tuple[Any, Outputs]:
        costs, _, *outputs = self._runner.outputs(self._now().parameters, rows)
        return costs, outputs[0] if self._single else self._numpy.stack(outputs, axis=1)

    def _let_values_refuse(self, data: Table, batch: Sequence[int]) -> None:
        """Raise what Values raise for a batch of which a program only says that it is nan.

        binary_cross_entropy, for one, refuses what is no probability. Nothing is changed.
        """
        self.sync()
        self._on_values.evaluate(data.examples, batch)

    def each(self, examples: Examples) -> Computed:
        """The loss and the output of every example, by the parameters that the model has."""
        outputs = self._runner.batch(self._in_model(), self.read(examples).array)[2]
        return outputs[:, 0].tolist(), (outputs[:, 1] if self._single else outputs[:, 1:]).tolist()

    def gradient(self, examples: Examples, i: int) -> list[float]:
        """The gradient of the loss of one example by all parameters, as the model has them."""
        one = self.read(examples.some([i])).array
        found: list[float] = self._runner.batch(self._in_model(), one)[1].tolist()
        return found

    def _watch(self, now: _State, data: Table, batch: Sequence[int], *, gradient: bool) -> None:
        if anomaly_mode.on:
            rows = zip(batch, data.array[list(batch)].tolist(), strict=True)
            self._tape.find_anomaly(now.parameters.tolist(), rows, gradient)

    def sync(self) -> None:
        """Write what the arrays hold into model and optimiser, which may change it from here on."""
        if self._state is None:
            return
        now = self._state
        with uninterrupted():
            for parameter, x in zip(self.parameters, now.parameters.tolist(), strict=True):
                parameter.data = x
            for parameter, x in zip(self.moved, now.gradient.tolist(), strict=True):
                parameter.grad = x
            if self.by_rule:
                self._optimizer.buffers = [buffer.tolist() for buffer in now.buffers]
                self._optimizer.steps = now.steps
            self._state = None
            self._drawn.clear()


class Table(NamedTuple):
    """Examples, and the rows of a program that hold their numbers."""

    examples: Examples
    array: Any

    @property
    def targets(self) -> Targets:
        return self.examples.targets


class _State(NamedTuple):
    """The state of a training: replaced as a whole, so that Ctrl-C finds it before or after a step.

    - `parameters`: those that the optimiser moves, and then all others.
    - `gradient`: of those that it moves.
    - `buffers`, `steps`: the optimiser's.
    """

    parameters: Any
    gradient: Any
    buffers: list[Any]
    steps: int


# The last programs of each model, by the digests of their graphs: the next `fit` finds them here.
_kept: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()
_MOST_KEPT = 4


def _programs_of(model: Any) -> dict[str, Any]:
    try:
        return _kept.setdefault(model, {})
    except TypeError:  # a model that can't be a key
        return {}


def has_programs(model: Any) -> bool:
    """True if there are programs of this model, which may be of the graph that is wanted."""
    return bool(_programs_of(model))


def is_kept(model: Any, trace: Trace) -> bool:
    """True if there is a program of this graph already."""
    return trace.digest in _programs_of(model)


def _program(model: Any, trace: Trace) -> tuple[Any, Any]:
    """The tape of a graph, and what runs it: those that were kept, or new ones."""
    from micrograd_like.programs import make_runner
    from micrograd_like.programs.tape import Tape

    programs = _programs_of(model)
    made = programs.pop(trace.digest, None)
    if made is None:
        # The loss twice: with its mean comes the gradient, and as an output it is each example's.
        roots = [trace.roots[0], *trace.roots]
        tape = Tape(roots, trace.inputs, trace.parameters, differentiate=True)
        made = tape, make_runner(tape, "llvm")
    programs[trace.digest] = made
    while len(programs) > _MOST_KEPT:
        del programs[next(iter(programs))]
    return made  # type: ignore[no-any-return]


def _read_updates(
    parts: list[tuple[Any, slice]], numbers: Sequence[Sequence[Any]]
) -> list[tuple[Any, list[float]]] | None:
    """The update of each part as operations, and their constants; None if one is no such thing."""
    found = [_read_update(part, x) for (part, _), x in zip(parts, numbers, strict=True)]
    return None if None in found else found  # type: ignore[return-value]


def _read_update(optimizer: Any, numbers: Sequence[Any]) -> tuple[Any, list[float]] | None:
    from micrograd_like.programs.llvm.descent import read_update
    from micrograd_like.programs.tape import Tape

    width = len(numbers)
    inputs = [Value(1.0) for _ in range(width + 2 + len(optimizer.buffers))]
    try:
        outputs = list(optimizer.update(tuple(inputs[:width]), *inputs[width:]))
        if not all(isinstance(x, Value) for x in outputs) or not all(
            type(x) is float for x in numbers
        ):
            return None
    except not_by_a_handler(Exception):
        return None  # an update of the user's own, for floats and arrays only
    return read_update(Tape(outputs, inputs, [], differentiate=False), width)


def _goes_by_rule(optimizer: Any) -> bool:
    """True if a step is what `Optimizer` makes of the rule, and nothing of the user's own."""
    return all(
        getattr(getattr(optimizer, name, None), "__func__", None) is getattr(Optimizer, name)
        for name in ("step", "zero_grad")
    )
