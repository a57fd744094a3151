"""Questions of learners in one call: a nudge, a step of gradient descent, an exercise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from micrograd_like._internal.interrupts import raised_by_a_handler
from micrograd_like._internal.text import Text, aligned, folded, html_table, number, on_screen
from micrograd_like.engine import Value
from micrograd_like.graph import Model, changes_of, given_names, require_root, same
from micrograd_like.operation import real
from micrograd_like.stepping.explanation import Explainer
from micrograd_like.stepping.formulas import Symbol, held
from micrograd_like.stepping.stepper import ForwardStepper, Stepper
from micrograd_like.stepping.steps import forward_step, table


def nudge(
    leaf: Value,
    root: Value | None = None,
    by: float = 0.001,
    *,
    names: Mapping[str, object] | None = None,
    model: Model | None = None,
) -> Text:
    """The effect on `root` of moving `leaf`, beside what the gradient says, as text.

    The graph is computed twice, with `leaf` as it is and moved `by` that much, and nothing stays
    changed. ValueError for a node that is no leaf of the graph, and for a `by` that moves nothing.

    >>> a, b = Value(2.0, "a"), Value(-3.0, "b")
    >>> L = a * a * b
    >>> nudge(a, L)
    a 2.0 → 2.001 (+0.001)
    L −12.0 → −12.012003
    ΔL/Δa              −12.0030
    the gradient says  −12.0
    """
    root = require_root("nudge", root)
    return nudged(ForwardStepper(root, names=given_names(names), model=model), leaf, by)


def nudged(forward: ForwardStepper, leaf: Value | str, by: Any) -> Text:
    """The text of `nudge`, by a pass that is at its start and is there again afterwards."""
    root, leaf, by = forward.root, forward.find(leaf), real(by)
    here, there = forward.names[leaf], forward.names[root]
    if leaf.op:
        raise ValueError(f"{forward.title(leaf)} is computed: only a leaf can be nudged")
    start = leaf.data
    moved = start + by
    if not math.isfinite(moved - start) or moved == start:
        raise ValueError(f"by={by} does not move {here} = {start}: choose another number")
    changes = changes_of(list(forward.names))
    try:
        forward.goto(len(forward))
        before, slope = root.data, Explainer(root, forward.names).slope(leaf)
        leaf.data = moved
        forward.reset()
        forward.goto(len(forward))
        after = root.data
    finally:
        leaf.data = start
        forward.reset()
    measured = (after - before) / (moved - start)
    sign = "+" if by > 0.0 else ""
    rows = [[f"Δ{there}/Δ{here}", number(measured)], ["the gradient says", number(slope)]]
    lines = [
        f"{here} {_long(start)} → {_long(moved)} ({sign}{number(by)})",
        f"{there} {_long(before)} → {_long(after)}",
        *aligned(rows, "<  ."),
    ]
    if changes:
        told = (
            "leaves have changed since the graph was made; here all is computed with what they are"
        )
        lines.append(folded(told))
    return Text("\n".join(lines))


def _long(x: float) -> str:
    text = f"{x:.10g}"
    return (f"{text}.0" if text.lstrip("-").isdigit() else text).replace("-", "−")


def descend(
    root: Value,
    optimizer: Any = None,
    *,
    rate: float = 0.1,
    names: Mapping[str, object] | None = None,
    model: Model | None = None,
) -> Text:
    """Make one step of gradient descent and show it as a table.

    The backward pass starts from 0, `optimizer` takes its step (else each leaf, or each parameter
    of `model`, goes `rate` · gradient down), and the graph is computed again. The table has a row
    for each parameter: gradient, rate · gradient, or the change where that is something else, the
    number before and after, and what the optimiser keeps, such as Adam's two moments; below it
    stand the rule of such a change, and `root` before and after. Parameter groups go by their own
    rates.

    >>> w = Value(3.0, "w")
    >>> C = (w - 1) ** 2
    >>> descend(C, rate=0.25)
    parameter  gradient  0.25·gradient  before  after
    w          4.0       1.0            3.0     2.0
    C 4.0 → 1.0
    """
    return descended(Stepper(root, names=given_names(names), model=model), optimizer, rate)


def descended(stepper: Stepper, optimizer: Any, rate: float) -> Text:
    """The step and the text of `descend`; `stepper` stands at its start afterwards."""
    root, called = stepper.root, stepper.names
    forward = ForwardStepper(root, names={})
    forward.goto(len(forward))  # leaves may have changed
    value = root.data
    if optimizer is None:
        if not 0.0 < (rate := real(rate)) < math.inf:
            raise ValueError(f"the rate is above 0 and finite, got {rate}")
        params = [node for node in called if not node.op and node in stepper.before]
        if stepper.model is not None:
            kept = {parameter for _, parameter in stepper.model.named_parameters()}
            params = [node for node in params if node in kept]
        rates = [rate] * len(params)
    elif not hasattr(optimizer, "params") or isinstance(optimizer, type):
        raise TypeError(
            f"descend takes an optimiser made for the parameters, as Adam([a, b], lr=0.1), got "
            f"{optimizer!r:.80}"
        )
    else:
        params = list(optimizer.params)
        rates = [0.0] * len(params)
        for part, places in optimizer.parts():
            rates[places] = [part.learning_rate(optimizer.steps)] * len(params[places])
    if not any(x in stepper.before for x in params):
        raise ValueError(f"no gradient of {called[root]} reaches a parameter: nothing to step")
    for parameter in params:
        parameter.grad = 0.0
    stepper.goto(0)
    stepper.run()
    before = [(x.data, x.grad) for x in params]
    entries: list[tuple[float, ...]] = [()] * len(params)
    if optimizer is None:
        for parameter in params:
            parameter.data -= rate * parameter.grad
    else:
        optimizer.follow_params()
        entries = list(zip(*optimizer.buffers, strict=True)) or entries
        optimizer.step()
    ForwardStepper(root, names={}).goto(len(forward))
    stored = zip(optimizer.buffer_names, optimizer.buffers, strict=True) if optimizer else ()
    moving = any(grad for _, grad in before)  # and a buffer of zeros is one that is not used
    buffers = [(name, buffer) for name, buffer in stored if any(buffer) or not moving]
    one = number(rates[0]) if len(set(rates)) == 1 else "rate"
    down = [rate * grad for rate, (_, grad) in zip(rates, before, strict=True)]
    after = [x.data for x in params]
    plain = all(same(data - d, x) for d, (data, _), x in zip(down, before, after, strict=True))
    steps = down if plain else [x - data for (data, _), x in zip(before, after, strict=True)]
    heading = ["parameter", "gradient", f"{one}·gradient" if plain else "change", "before", "after"]
    heading += [name for name, _ in buffers]
    columns = [[grad for _, grad in before], steps, [data for data, _ in before], after]
    columns += [buffer for _, buffer in buffers]
    rows = [
        [called[x], *map(number, numbers)]
        for x, *numbers in zip(params, *columns, strict=True)
        if x in called
    ]
    given = [(*pair, *entry) for pair, entry in zip(before, entries, strict=True)]
    told = [] if plain else _rule(optimizer, given, after)
    told.append(f"{called[root]} {number(value)} → {number(root.data)}")
    lines = [*aligned([heading, *rows], "  ".join("<" * len(heading))), *map(folded, told)]
    stepper.reset()
    marked = "".join([f"<p>{escape(line)}</p>" for line in told])
    return Text("\n".join(lines), html_table(rows, heading) + marked)


def _rule(optimizer: Any, given: Sequence[tuple[float, ...]], after: Sequence[float]) -> list[str]:
    """The rule of the step just taken, read on names: new buffers, then the new parameter.

    Nothing where groups go by several rules, where the step was another than the rule makes `given`
    numbers and gradients, or where the rule can only be read on numbers.
    """
    [(part, _), *more] = optimizer.parts()
    if more:
        return []
    buffers = [Symbol(name) for name in part.buffer_names]
    try:
        numbers = part.numbers(optimizer.steps - 1)
        expected = [part.update(numbers, *row)[0] for row in given]
        if not all(map(same, expected, after)):
            return []
        names = dict(zip(part.number_names, numbers, strict=True))
        found = part.update(
            tuple(Symbol(name) for name in names), Symbol("before"), Symbol("gradient"), *buffers
        )
        result, *new = [x if isinstance(x, Symbol) else Symbol(x) for x in found]
    except Exception as error:  # the rule is somebody's own
        if raised_by_a_handler(error):
            raise
        return []
    kept = [(x, old) for x, old in zip(new, buffers, strict=True) if x is not old]
    lines = [f"{old} ← {x.replaced({})}" for x, old in kept]
    lines.append(f"after = {result.replaced(dict(kept))}")
    values = ", ".join(f"{name} = {number(x)}" for name, x in names.items())
    return [*lines, f"in this step, t = {optimizer.steps}: {values}"]


class Exercise:
    """A sheet of `questions` about a graph, and the `answers` apart; both are text.

    At the REPL and in a notebook it shows the questions.
    """

    def __init__(self, questions: Sequence[str], answers: Sequence[str]) -> None:
        self.questions = Text("\n".join(questions))
        self.answers = Text("\n".join(answers))

    def __repr__(self) -> str:
        return on_screen(f"{self.questions[:]}\n(the answers are in .answers)")

    def _repr_html_(self) -> str:
        return self.questions._repr_html_()


def exercise(
    root: Value, *, names: Mapping[str, object] | None = None, model: Model | None = None
) -> Exercise:
    """Questions about the forward and the backward pass of `root`, to be answered on paper.

    They ask for every number, for every local derivative and contribution, and for the gradients
    of the leaves. Nothing in the graph changes.

    >>> a, b = Value(2.0, "a"), Value(-3.0, "b")
    >>> L = a * b
    >>> exercise(L)
    Given a = 2.0, b = −3.0.
    1. Compute L = a·b.
    2. L.grad = 1. Through L = a·b, what comes back to a, and to b?
    3. Give a.grad, b.grad.
    (the answers are in .answers)
    """
    stepper = Stepper(root, names=given_names(names), model=model)
    called, changes = stepper.names, stepper.changes
    leaves = [node for node in called if not node.op]
    given = ", ".join(f"{called[x]} = {changes.text(x)}" for x in leaves)
    questions, answers = [folded(f"Given {given}.")], []
    made = [forward_step(node, called, node.data, changes) for node in called if node.op]
    for step in made:
        questions.append(f"{len(questions)}. Compute {step.operation}.")
        answers.append(f"{len(questions) - 1}. {step}")
    for back in stepper:
        to = [f"{c.operation.operands[c.position]}" for c in back.contributions]
        start = f"{held(back.name)}.grad = 1. " if back.node is root else ""
        asked = f"{start}Through {back.operation}, what comes back to {', and to '.join(to)}?"
        questions.append(folded(f"{len(questions)}. {asked}"))
        first, *rest = table([back])
        answers.append("\n   ".join([f"{len(questions) - 1}. {first}", *rest]))
    reached = [x for x in leaves if x in stepper.before]
    if reached:
        asked = ", ".join(f"{held(called[x])}.grad" for x in reached)
        questions.append(folded(f"{len(questions)}. Give {asked}."))
        told = ", ".join(f"{held(called[x])}.grad = {number(x.grad)}" for x in reached)
        answers.append(folded(f"{len(questions) - 1}. {told}"))
    stepper.restore()
    return Exercise(questions, answers)
