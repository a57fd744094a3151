"""The choice between Values and a program for a training: what each costs, if they agree."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import ceil, isclose, isfinite, sin
from types import FunctionType
from typing import Any

from micrograd_like._internal.extras import installed
from micrograd_like._internal.interrupts import not_by_a_handler, uninterrupted
from micrograd_like.engine import Value, topological_order
from micrograd_like.operation import AnomalyError
from micrograd_like.optim import Optimizer
from micrograd_like.training.as_program import AsProgram, has_programs, is_kept
from micrograd_like.training.metrics import Loss
from micrograd_like.training.model_only import ModelAsProgram, Weighted
from micrograd_like.training.reading import Examples
from micrograd_like.training.trouble import warn_caller
from micrograd_like.training.ways import Computed, OnValues, Way, Work, items

# Seconds, on a core of 2024, in the two forms of the engine. All that matters is their ratio.
_NATIVE = not isinstance(Value.backward, FunctionType)
NODE = 0.13e-6 if _NATIVE else 1.3e-6
"""A node of a graph, built and differentiated; half of it is the building."""
PARAMETER = 1.2e-6
"""A parameter in a step of an optimiser that works on Values."""
STEP = 10e-6
"""A step of a program, beside its arithmetic."""
COMPILED_NODE = 5e-11
"""A node for one example in machine code, with its derivatives."""
IMPORT, PROGRAM, LINE = 0.25, 0.1, 3e-6
"""To import the compiler, to compile any program, and what each of its nodes adds to that."""
TRACED = 1.2e-6 if _NATIVE else 6e-6
"""A node of a graph that is compared with another, where their numbers differ too much."""

CHECKED_NODES = 2_000_000
"""A program is compared with Values on every example, until their graphs have so many nodes."""
GRADIENTS = 16
"""Examples of which the gradients too are compared if the program is kept; else a quarter of all
that are compared."""
CHECKED_BATCHES = 4096
"""Examples in the batches for which the loss is compared with the mean of its examples."""


def on_values_seconds(work: Work, nodes: int, parameters: int) -> float:
    """An estimate of the time that `work` takes with Values."""
    each = len(work.examples.rows) + len(work.held_out.rows) / 2
    return work.epochs * each * nodes * NODE + work.steps * parameters * PARAMETER


def as_program_seconds(work: Work, nodes: int, kept: bool) -> float:
    """An estimate of the time that `work` takes as a program, compiled first unless it is kept."""
    each = len(work.examples.rows) + len(work.held_out.rows)
    checked = min(each * nodes, CHECKED_NODES) * NODE / 2 + len(MOVES) * nodes * TRACED
    checked += min(each, GRADIENTS if kept else CHECKED_NODES / 4 / nodes) * nodes * NODE
    run = work.epochs * each * nodes * COMPILED_NODE + work.steps * STEP
    return (0.0 if kept else compiling_seconds(nodes)) + checked + run


def epochs_between_checks(run: AsProgram | ModelAsProgram, work: Work) -> int:
    """Epochs from one comparison to the next, so that these take a tenth of the time.

    Comparing writes all parameters once and builds two losses, of one example and of a few; each
    may find all parameters again, for a penalty on them. Of a model alone a batch is built, too.
    """
    rows, parameters = len(work.examples.rows), len(run.parameters)
    step, compared = STEP, run.nodes
    if isinstance(run, ModelAsProgram):
        step += parameters * PARAMETER
        compared += run.nodes * min(work.size, rows)
    epoch = rows * run.nodes * COMPILED_NODE + work.steps / work.epochs * step
    return ceil(10.0 * (compared * NODE + 3 * parameters * PARAMETER + 2 * STEP) / epoch)


def compiling_seconds(nodes: int) -> float:
    """An estimate of the time it takes to make a program of a graph of so many nodes."""
    return (0.0 if "llvmlite" in sys.modules else IMPORT) + PROGRAM + nodes * LINE


def choose(
    compile: bool | str,
    model: Any,
    loss: Loss,
    optimizer: Any,
    work: Work,
    tell: Callable[[int, float], None] = lambda nodes, seconds: None,
) -> Way:
    """A program if `compile` is True, or if it is "auto" and that saves time; else Values.

    If a program would compute something else, True raises ValueError, and for "auto" a
    RuntimeWarning at whoever called `fit` says why. `tell` is called before compiling, with the
    nodes of the graph and a guess at the seconds.
    """
    on_values = OnValues(model, loss, optimizer)
    if not compile or (compile == "auto" and not installed("numpy", "llvmlite")):
        return on_values
    drawn = random.getstate()  # by a model as well, which is not to be seen to have been tried
    try:
        return _tried(compile == "auto", on_values, work, tell)
    finally:
        random.setstate(drawn)


def _tried(auto: bool, on_values: OnValues, work: Work, tell: Callable[[int, float], None]) -> Way:
    try:
        try:
            return _program(auto, on_values, work, tell)
        except not_by_a_handler(Exception):
            # It may be the loss alone that a program can't be of.
            weighted = Weighted(on_values)
            program = _program(auto, weighted, weighted.work(work), tell)
            if not isinstance(program, AsProgram):
                raise  # it does not pay any more
            way = ModelAsProgram(program, on_values)
            _require_same_batches(way, on_values, work)
            return way
    except not_by_a_handler(Exception) as error:
        if not auto:
            raise
        why = f'compile="auto" is False here, which is slower: {type(error).__name__}: {error}'
        warn_caller(why)
        return on_values  # with Values it works: that has been tried before


def _program(
    auto: bool, on_values: OnValues, work: Work, tell: Callable[[int, float], None]
) -> Way:
    """The program of one example; or, with `auto`, `on_values` if that takes less time."""
    cost, _ = on_values.graph(work.examples, [0])
    nodes = len(topological_order(cost))
    most = on_values_seconds(work, nodes, len(on_values.parameters))
    if auto and as_program_seconds(work, nodes, has_programs(on_values.model)) > most:
        return on_values
    trace = on_values.trace(work.examples)
    kept = is_kept(on_values.model, trace)
    if auto and as_program_seconds(work, nodes, kept) > most:
        return on_values
    if not kept:
        _require_mean(on_values, work)
        tell(nodes, compiling_seconds(nodes))
    program = AsProgram(on_values, trace)
    require_same(program, on_values, work, kept)
    return program


def require_same(program: AsProgram, on_values: OnValues, work: Work, kept: bool = False) -> None:
    """Raise ValueError unless `program` computes what Values do, here and with other parameters.

    Gradients are compared on as many examples as losses, up to a number of nodes, or on few if the
    program is kept from a call before, in which they were.
    """
    require_same_here(program, on_values, work, 1e-10)
    most = GRADIENTS if kept else max(GRADIENTS, CHECKED_NODES // 4 // program.nodes)
    for examples in (work.examples, work.held_out):
        for i in _spread(range(len(examples.rows)), most):
            if not _same_gradient(program, on_values, examples, i):
                raise ValueError(_decided(i))
    _require_same_elsewhere(program, on_values, work.examples)


def require_same_here(
    program: AsProgram, on_values: OnValues, work: Work, rounding: float = 1e-12
) -> None:
    """Raise ValueError unless `program` computes what Values do, for examples and for batches.

    A program is the graph of one example, and the loss of a batch the mean over its examples. So
    every example is computed in both ways, or where that would take long as many as `CHECKED_NODES`
    allow, spread over the data; and the loss of batches of every size that occurs is compared with
    the mean over their examples.
    """
    most = max(16, CHECKED_NODES // program.nodes)
    for examples in (work.examples, work.held_out):
        if not examples.rows:
            continue
        computed = program.each(examples)
        seen: set[int] = set()
        for batch in _batches(examples, work.size):
            wrong = _no_mean(on_values, examples, batch, computed, len(batch) not in seen)
            if wrong:
                raise ValueError(wrong)
            seen.add(len(batch))
        for i in _spread(range(len(examples.rows)), most):
            if not _same_example(program, on_values, examples, i, computed, rounding):
                raise ValueError(_decided(i))


def _require_mean(on_values: OnValues, work: Work) -> None:
    """Raise ValueError, before anything is compiled, unless a batch's loss is the mean in it.

    The batch is of the size of the others, and of a few examples.
    """
    part = work.examples.some(_spread(range(len(work.examples.rows)), _FEW))
    count = len(part.rows)
    try:
        pairs = [on_values.evaluate(part, [i]) for i in range(count)]
    except not_by_a_handler(ArithmeticError, ValueError):
        return  # it comes up again when its turn comes
    computed = [cost for cost, _ in pairs], [output for _, [output] in pairs]
    size = min(work.size, len(work.examples.rows))
    wrong = _no_mean(on_values, part, [i % count for i in range(size)], computed, gradient=True)
    if wrong:
        raise ValueError(wrong)


_FEW = 8


def same_for_a_few(
    run: AsProgram | ModelAsProgram, on_values: OnValues, work: Work, i: int
) -> bool:
    """True if example `i` is computed in both ways alike, and a few from there have a mean loss.

    Of a model alone it is a batch from there that is computed in both ways.
    """
    program, values, (examples, _, size, _) = run.compared(on_values, work)
    count = len(examples.rows)
    few = list(dict.fromkeys((i + k) % count for k in range(min(3, size))))
    part = examples.some(few)
    try:
        computed = program.each(part)
    except not_by_a_handler(ValueError):  # rows of another length, say
        return False
    if not _same_example(program, values, part, 0, computed):
        return False
    if isinstance(run, ModelAsProgram):
        batch = list(dict.fromkeys((i + k) % count for k in range(size)))
        return _same_batch(run, on_values, run.read(work.examples), batch)
    return not _no_mean(values, part, range(len(few)), computed, gradient=False)


def _require_same_batches(run: ModelAsProgram, on_values: OnValues, work: Work) -> None:
    """Raise ValueError unless batches of each size are computed in both ways alike."""
    for examples in filter(lambda data: data.rows, (work.examples, work.held_out)):
        data, count = run.read(examples), len(examples.rows)
        for length in _lengths(count, work.size):
            if not _same_batch(run, on_values, data, range(count - length, count)):
                raise ValueError(
                    "the loss is another one of outputs that the model has not just returned, so "
                    "it takes something else from there: use compile=False"
                )


def _same_batch(run: ModelAsProgram, on_values: OnValues, data: Any, batch: Sequence[int]) -> bool:
    """True if loss and gradient of a batch are the same in both ways, or both refuse it."""
    drawn, found = random.getstate(), None
    try:
        with _kept_gradients(on_values.parameters):
            cost, _, gradient = run.differentiated(data, batch, partial(_zero, run.moved))
            found = cost, (gradient + [parameter.grad for parameter in run.moved]).tolist()
    except not_by_a_handler(Exception):
        pass
    random.setstate(drawn)  # both are to draw the same
    try:
        expected = on_values.graph(data.examples, batch)[0]
        slopes = _gradient(expected, run.moved)
    except not_by_a_handler(Exception):
        return found is None  # it comes up again when its turn comes
    finally:
        random.setstate(drawn)
    if found is None:
        return False
    least = 1e-13  # a loss may be a difference of what is equal
    close = _close(expected.data, found[0], max(1e-10 * abs(expected.data), least))
    return close and _alike(slopes, found[1], least)


MOVES: tuple[tuple[float, Callable[[float], float]], ...] = (
    (1e-3, sin),
    *[(by, each) for by in (1.0, 10.0) for each in (lambda k: 1.0, lambda k: -1.0, sin)],
)
"""Moves of parameters to where else a program is compared: a size, times 1 + |x|, and a sign."""


def _require_same_elsewhere(program: AsProgram, on_values: OnValues, examples: Examples) -> None:
    """Raise ValueError where model or loss decides something by numbers that training changes.

    A number that was read, and a branch that was taken, would be frozen into the program. So an
    example is computed in both ways where the parameters are a little off, and where they are far
    off: all to one side, or each to its own; and the optimiser's steps are ahead. Afterwards all
    is what it was.
    """
    optimizer = on_values.optimizer
    steps = optimizer.steps if isinstance(optimizer, Optimizer) else 0
    kept = [parameter.data for parameter in program.parameters]
    chosen = _spread(range(len(examples.rows)), len(MOVES))
    same = True
    with uninterrupted():  # all of it: Ctrl-C may come between any two lines, the last ones too
        try:
            for place, (by, sign) in enumerate(MOVES):
                if isinstance(optimizer, Optimizer):
                    optimizer.steps = steps + 10**place
                i = chosen[place % len(chosen)]
                for k, (parameter, x) in enumerate(zip(program.parameters, kept, strict=True)):
                    parameter.data = x + by * (1.0 + abs(x)) * sign(k + 1.0)
                one = examples.some([i])
                same = same and _same_example(
                    program, on_values, one, 0, program.each(one), rounding=1e-9
                )
        finally:
            for parameter, x in zip(program.parameters, kept, strict=True):
                parameter.data = x
            if isinstance(optimizer, Optimizer):
                optimizer.steps = steps
    if not same:
        raise ValueError(
            "with other parameters the graph is another one, so model or loss decides "
            "something by their numbers, or by the optimizer's: use compile=False"
        )


def _same_example(
    program: AsProgram,
    on_values: OnValues,
    examples: Examples,
    i: int,
    computed: Computed,
    rounding: float = 1e-12,
) -> bool:
    """True if loss and output of example `i`, which `program` computed, are those of Values.

    If the numbers differ by more than `rounding`, relatively, the example's graph decides, which
    takes longer. All that Values refuse, as binary_cross_entropy what is no probability, has to be
    nan, for then they are asked in the training too, and refuse.
    """
    found: list[float] = [computed[0][i], *items(computed[1][i])]
    try:
        cost, [output] = on_values.evaluate(examples, [i])
        expected = [cost, *items(output)]
        if all(_close(a, b, rounding * abs(a)) for a, b in zip(expected, found, strict=True)):
            return True
        other = on_values.trace(examples, i)
    except AnomalyError:
        return True  # it comes up again when its turn comes, and says which row it is
    except not_by_a_handler(ArithmeticError, ValueError):
        return found[0] != found[0]
    # The graph is made of Values, where the model is given numbers: x == 1.0 tells them apart.
    traced = [root.data for root in other.roots]
    most = 1e-12 * max(map(abs, traced))
    return program.is_of(other) and all(
        _close(a, b, max(1e-9 * abs(a), most)) for a, b in zip(expected, traced, strict=True)
    )


def _same_gradient(program: AsProgram, on_values: OnValues, examples: Examples, i: int) -> bool:
    """True if the gradient of example `i` by the parameters is the same in both ways.

    It is not where Python cuts the graph, as by Value(x.data), for some examples only. If the
    numbers differ by what may be rounding, the gradient of the example's own graph decides.
    """
    parameters = program.parameters
    try:
        expected = _gradient(on_values.graph(examples, [i])[0], parameters)
        if _alike(expected, program.gradient(examples, i)):
            return True
        other = on_values.trace(examples, i)
        return program.is_of(other) and _alike(expected, _gradient(other.roots[0], parameters))
    except not_by_a_handler(ArithmeticError, ValueError):
        return True  # it comes up again when its turn comes


def _gradient(cost: Value, parameters: Sequence[Value]) -> list[float]:
    with _kept_gradients(parameters):
        _zero(parameters)
        cost.backward()
        return [parameter.grad for parameter in parameters]


def _zero(leaves: Iterable[Value]) -> None:
    for leaf in leaves:
        leaf.grad = 0.0


@contextmanager
def _kept_gradients(parameters: Sequence[Value]) -> Iterator[None]:
    """Let the parameters have the gradients afterwards that they have now."""
    kept = [parameter.grad for parameter in parameters]
    try:
        yield
    finally:
        for parameter, grad in zip(parameters, kept, strict=True):
            parameter.grad = grad


def _alike(expected: Sequence[float], found: Sequence[float], least: float = 0.0) -> bool:
    finite = [x for x in expected if isfinite(x)]
    most = max(1e-9 * max(map(abs, finite), default=0.0), least)
    return all(_close(a, b, most) for a, b in zip(expected, found, strict=True) if isfinite(a))


def _no_mean(
    on_values: OnValues,
    examples: Examples,
    batch: Sequence[int],
    computed: Computed,
    gradient: bool,
) -> str:
    """The reason why a batch's loss, or its gradient, is not the mean over its examples, or ""."""
    costs, outputs = computed
    targets = [examples.targets[i] for i in batch]
    parts = [costs[i] / len(batch) for i in batch]
    mean = sum(parts)
    slopes: list[float] = []
    expected: list[float] = []
    try:
        found = [on_values.leaves(outputs[i]) for i in batch]
        cost = on_values.loss(found, targets).data
        if gradient:
            with _kept_gradients(on_values.parameters):
                slopes = _slopes(on_values, found, targets)
                for output, target in zip(found, targets, strict=True):
                    expected += [x / len(batch) for x in _slopes(on_values, [output], [target])]
    except not_by_a_handler(ArithmeticError, ValueError) as error:
        if isinstance(error, AnomalyError) or mean != mean:
            return ""  # it comes up again when its turn comes
        return f"the loss refuses {len(batch)} examples and takes each of them alone: {error}"
    but = ""
    if _close(cost, mean, 1e-10 * sum(map(abs, parts))):
        most = 1e-10 * max(map(abs, expected), default=0.0)
        if all(_close(a, b, most) for a, b in zip(slopes, expected, strict=True)):
            return ""
        but = ", but their gradients differ"
    else:
        alone = [on_values.loss([x], [t]).data for x, t in zip(found, targets, strict=True)]
        parts = [x / len(batch) for x in alone]
        mean = sum(parts)
        if _close(cost, mean, 1e-10 * sum(map(abs, parts))):  # a mean, of other losses
            apart = [abs(costs[i] - x) for i, x in zip(batch, alone, strict=True)]
            return _decided(batch[apart.index(max(apart))])
    return (
        f"the loss of {len(batch)} examples is {cost!r} and the mean of their losses {mean!r}"
        f"{but}: a program computes means over examples only"
    )


def _decided(i: int) -> str:
    other = "than example 0" if i else "from its numbers than from Values"
    return (
        f"example {i} is computed in another way {other}, so model or loss decides something in "
        "Python: use compile=False"
    )


def _close(a: float, b: float, most: float) -> bool:
    return a == b or (a != a and b != b) or isclose(a, b, rel_tol=0.0, abs_tol=most)


def _slopes(on_values: OnValues, outputs: list[Any], targets: list[Any]) -> list[float]:
    """The gradient of the loss by all outputs, which must be leaves; parameters get theirs too."""
    listed = [value for output in outputs for value in items(output)]
    _zero(listed)
    on_values.loss(outputs, targets).backward()
    return [value.grad for value in listed]


def _batches(examples: Examples, size: int) -> Iterator[Sequence[int]]:
    """Batches of both sizes that occur, of examples from all over the data."""
    count = len(examples.rows)
    order = _spread(range(count), min(count, CHECKED_BATCHES))
    stride = max(1, round(len(order) ** 0.5))
    mixed = [i for start in range(stride) for i in order[start::stride]]  # not neighbours
    for length in _lengths(count, size):
        whole = mixed if len(mixed) >= length else list(range(count))
        for start in range(0, len(whole) - length + 1, length):
            yield whole[start : start + length]


def _lengths(count: int, size: int) -> set[int]:
    """The sizes of batches that occur: all are of `size` but the last."""
    return {min(size, count), count % size or min(size, count)}


def _spread(numbers: Sequence[int], most: int) -> list[int]:
    """At most so many of them, evenly from the first to the last."""
    count = min(most, len(numbers))
    if count < 2:
        return list(numbers[:count])
    return [numbers[i * (len(numbers) - 1) // (count - 1)] for i in range(count)]
