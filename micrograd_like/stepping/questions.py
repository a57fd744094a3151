"""Questions of learners in one call: a nudge, a step of descent, an exercise, the operations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from micrograd_like._internal.interrupts import not_by_a_handler
from micrograd_like._internal.text import (
    COLUMNS,
    Text,
    aligned,
    folded,
    html_table,
    listed,
    number,
    on_screen,
    rounded,
)
from micrograd_like.engine import Value
from micrograd_like.graph import Model, changes_of, given_names, require_root, same
from micrograd_like.operation import OPS, Op, real
from micrograd_like.stepping.explanation import Explainer
from micrograd_like.stepping.formulas import Symbol, formula_of, held, jump, local_derivative
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
    changed. A line says why the two numbers differ: curvature, a kink, a constant to the gradient,
    rounding; another, where `leaf.grad` is not that gradient. ValueError for a node that is no
    leaf of the graph, and for a `by` that moves nothing.

    >>> a, b = Value(2.0, "a"), Value(-3.0, "b")
    >>> L = a * a * b
    >>> nudge(a, L)
    a 2.0 → 2.001 (+0.001)
    L −12.0 → −12.012003
    ΔL/Δa              −12.0030
    the gradient says  −12.0
    curvature: at the new a it says −12.0060; a smaller `by` brings both together
    """
    root = require_root("nudge", root)
    forward = ForwardStepper(root, names=given_names(names), model=model)
    text = nudged(forward, leaf, by)
    slope = Explainer(root, forward.names).slope(leaf)
    if leaf.grad == 0.0 or rounded(leaf.grad) == rounded(slope):
        return text
    told = (
        f"{held(forward.names[leaf])}.grad is {number(leaf.grad)}: passes add up if it is not set "
        "back to 0 in between, or it is from another root or seed"
    )
    return Text(f"{text[:]}\n{folded(told)}")


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
        passes = [_passed(forward)]
        leaf.data = moved
        forward.reset()
        passes.append(_passed(forward))
    finally:
        leaf.data = start
        forward.reset()
    (old, before), (new, after) = [(found, found.data[root]) for found in passes]
    slope = old.grads.get(leaf, 0.0)
    measured = (after - before) / (moved - start)
    sign = "+" if by > 0.0 else ""
    rows = [[f"Δ{there}/Δ{here}", number(measured)], ["the gradient says", number(slope)]]
    lines = [
        f"{here} {_long(start)} → {_long(moved)} ({sign}{number(by)})",
        f"{there} {_long(before)} → {_long(after)}",
        *aligned(rows, "<  ."),
    ]
    if rounded(measured) != rounded(slope) or not math.isfinite(measured):
        lines.append(folded(_gap(forward, leaf, measured, moved - start, old, new)))
    if changes:
        told = (
            "leaves have changed since the graph was made; here all is computed with what they are"
        )
        lines.append(folded(told))
    return Text("\n".join(lines))


class _Passed(NamedTuple):
    """The numbers of both passes: of every node its data, its slopes and the root's derivative."""

    data: dict[Value, float]
    slopes: dict[Value, tuple[float, ...]]
    grads: dict[Value, float]


def _passed(forward: ForwardStepper) -> _Passed:
    forward.goto(len(forward))
    nodes = forward.names
    grads = Explainer(forward.root, nodes, seed=1.0).sums
    return _Passed({x: x.data for x in nodes}, {x: x.local_grads for x in nodes}, grads)


def _gap(
    forward: ForwardStepper, leaf: Value, measured: float, by: float, old: _Passed, new: _Passed
) -> str:
    """The reason why a difference quotient is not the gradient."""
    root, here, there = forward.root, forward.names[leaf], forward.names[forward.root]
    slope, other = [found.grads.get(leaf, 0.0) for found in (old, new)]
    if not math.isfinite(measured) or not math.isfinite(slope):
        now = math.isfinite(old.data[root]) and math.isfinite(slope)
        when = f", in a graph built with {here} = {_long(leaf.data + by)}" if now else ""
        return f"no number: explain({there}, {there}) says where a nan or inf comes from{when}"
    for node in forward.names:
        if not node.op or same(old.data[node], new.data[node]):
            continue
        if not any(old.slopes[node] + new.slopes[node]):
            moves = f"{number(old.data[node])} → {number(new.data[node])}"
            return f"not in the gradient: {forward.title(node)} goes {moves}, with a slope of 0"
    for node in forward.names:
        if not old.grads.get(node) and not all(map(math.isfinite, old.slopes[node])):
            infinite = next(number(x) for x in old.slopes[node] if not math.isfinite(x))
            return (
                f"lost: {forward.title(node)} has the slope {infinite} here, and a gradient of 0 "
                "passes nothing on to it"
            )
    for node in forward.names:
        if node.op and (sides := _kink_between(node, old, new)):
            below, above = map(number, sides)
            return (
                f"kink: the slope of {forward.title(node)} is {below} below and {above} above it, "
                f"and the gradient knows only the slope at {here} = {_long(leaf.data)}"
            )
    sizes = [abs(old.data[x] * grad) for x, grad in old.grads.items() if x.op]
    noise = 2.0**-51 * math.fsum(sizes) / abs(by)  # an ulp of each result, in both passes
    if abs(measured - slope) <= noise:
        return f"rounding: {there} moves by few of the digits of a float; try a larger `by`"
    if min(slope, other) - noise <= measured <= max(slope, other) + noise:
        return (
            f"curvature: at the new {here} it says {number(other)}; a smaller `by` brings both "
            "together"
        )
    return (
        f"at the new {here} it says {number(other)}: in between the slope turns or {there} jumps; "
        "or, if a smaller `by` does not bring both together, a derivative is wrong"
    )


def _kink_between(node: Value, old: _Passed, new: _Passed) -> tuple[float, float] | None:
    """The slopes beside the kink at which an operation started, or which it passed, if any."""
    was, now = [
        [found.data[x] if isinstance(x, Value) else x for x in node.operands]
        for found in (old, new)
    ]
    moved = [i for i, (x, y) in enumerate(zip(was, now, strict=True)) if not same(x, y)]
    if not moved:
        return None
    places = [was]
    sides = [x[0] - sum(x[1:]) for x in (was, now)]
    if min(sides) < 0.0 < max(sides):  # then the kink, if there is one, is where it is 0
        places.append([0.0] if len(was) == 1 else [1.0, 1.0])
    return next(filter(None, [jump(OPS[node.op], moved[0], place) for place in places]), None)


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
    """Make one step of gradient descent, or of any optimiser, and show it as a table.

    The backward pass starts from 0, `optimizer` takes its step, and the graph is computed again.
    Without an optimiser each leaf goes `rate` · gradient down, data and targets too; only the
    parameters move with `model=model`, or with an optimiser of them, as in
    `descend(L, SGD([w, b], lr=0.1))`.

    The table has a row for each parameter: its gradient, before + change = after, and what the
    optimiser keeps, such as Adam's two moments, as it is after the step. Below it stand the rule,
    for each parameter group its own, and `root` before and after.

    >>> w = Value(3.0, "w")
    >>> C = (w - 1) ** 2
    >>> descend(C, rate=0.25)
    leaf  gradient  before  change  after
    w     4.0       3.0     −1.0    2.0
    after = before − 0.25·gradient
    C 4.0 → 1.0
    """
    return descended(Stepper(root, names=given_names(names), model=model), optimizer, rate)


def descended(stepper: Stepper, optimizer: Any, rate: float) -> Text:
    """The step and the text of `descend`; `stepper` stands at its start afterwards."""
    root, called = stepper.root, stepper.names
    forward = ForwardStepper(root, names={})
    forward.goto(len(forward))  # leaves may have changed
    value = root.data
    if optimizer is None and not 0.0 < (rate := real(rate)) < math.inf:
        raise ValueError(f"the rate is above 0 and finite, got {rate}")
    params = _parameters_to_step(stepper, optimizer)
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
    all_leaves = optimizer is None and stepper.model is None
    heading = ["leaf" if all_leaves else "parameter", "gradient", "before", "change", "after"]
    heading += [name for name, _ in buffers]
    rows = []
    for x, (data, grad), *kept_now in zip(params, before, *[b for _, b in buffers], strict=True):
        if x in called:
            change = float(f"{x.data - data:.12g}")  # 2.6 − 3.0 as −0.4, without its last digits
            numbers = [grad, data, change, x.data, *kept_now]
            rows.append([called[x], *map(number, numbers)])
    if optimizer is None:
        told = [f"after = before − {number(rate)}·gradient"]
    else:
        given = [(*pair, *entry) for pair, entry in zip(before, entries, strict=True)]
        told = _rules(optimizer, [called.get(x, "") for x in params], given)
    if all_leaves and len(params) > 1:
        told.append("every leaf moved, data and targets too: an optimiser moves what it is given")
    climb = math.fsum(
        [grad * (x.data - data) for x, (data, grad) in zip(params, before, strict=True)]
    )
    told.append(f"{called[root]} {number(value)} → {number(root.data)}")
    if root.data > value:
        kept = "what the optimiser keeps of gradients before led upwards"
        told[-1] += f"; it rose: {kept if climb > 0.0 else 'try a smaller rate'}"
    lines = [*aligned([heading, *rows], "  ".join("<" * len(heading))), *map(folded, told)]
    stepper.reset()
    marked = "".join([f"<p>{escape(line)}</p>" for line in told])
    return Text("\n".join(lines), html_table(rows, heading) + marked)


def _parameters_to_step(stepper: Stepper, optimizer: Any) -> list[Value]:
    """Those of the optimiser, or without one those of the model, or without that all leaves."""
    reached = stepper.before  # by a gradient
    if optimizer is None:
        params = [node for node in stepper.names if not node.op and node in reached]
        if stepper.model is not None:
            of_model = {parameter for _, parameter in stepper.model.named_parameters()}
            params = [node for node in params if node in of_model]
    elif not hasattr(optimizer, "params") or isinstance(optimizer, type):
        raise TypeError(
            f"descend takes an optimiser made for the parameters, as Adam([a, b], lr=0.1), got "
            f"{optimizer!r:.80}"
        )
    else:
        params = list(optimizer.params)
    if not any(x in reached for x in params):
        root = stepper.names[stepper.root]
        raise ValueError(f"no gradient of {root} reaches a parameter: nothing to step")
    return params


def _rules(optimizer: Any, names: Sequence[str], given: Sequence[tuple[float, ...]]) -> list[str]:
    """The rule of the step just taken, for each part of the parameters that is in the graph."""
    lines = []
    for part, places in (parts := optimizer.parts()):
        if shown := [name for name in names[places] if name]:
            after = [x.data for x in optimizer.params[places]]
            rule = _rule(part, optimizer.steps, given[places], after)
            lines += [f"for {listed(shown)}:", *rule] if rule and len(parts) > 1 else rule
    return lines


def _rule(
    part: Any, steps: int, given: Sequence[tuple[float, ...]], after: Sequence[float]
) -> list[str]:
    """The rule of a step, read on names: new buffers, then the new parameter, and its numbers.

    Nothing where the step was another than the rule makes of the `given` numbers and gradients, or
    where the rule can only be read on numbers.
    """
    buffers = [Symbol(name) for name in part.buffer_names]
    try:
        numbers = part.numbers(steps - 1)
        expected = [part.update(numbers, *row)[0] for row in given]
        if not all(map(same, expected, after)):
            return []
        names = dict(zip(part.number_names, numbers, strict=True))
        found = part.update(
            tuple(Symbol(name) for name in names), Symbol("before"), Symbol("gradient"), *buffers
        )
        result, *new = [x if isinstance(x, Symbol) else Symbol(x) for x in found]
    except not_by_a_handler(Exception):  # the rule is somebody's own
        return []
    kept = [(x, old) for x, old in zip(new, buffers, strict=True) if x is not old]
    lines = [f"{old} ← {x.replaced({})}" for x, old in kept]
    lines.append(f"after = {result.replaced(dict(kept))}")
    values = ", ".join(f"{name} = {number(x)}" for name, x in names.items())
    lines.append(f"in this step, t = {steps}: {values}")
    return [*lines, part.legend()] if kept and part.legend() else lines


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
    for n, step in enumerate(made, 1):
        questions.append(f"{n}. Compute {step.operation}.")
        answers.append(f"{n}. {step}")
    for n, back in enumerate(stepper, len(made) + 1):
        to = [f"{c.operation.operands[c.position]}" for c in back.contributions]
        start = f"{held(back.name)}.grad = 1. " if back.node is root else ""
        asked = f"{start}Through {back.operation}, what comes back to {', and to '.join(to)}?"
        questions.append(folded(f"{n}. {asked}"))
        first, *rest = table([back])
        answers.append("\n   ".join([f"{n}. {first}", *rest]))
    reached = [x for x in leaves if x in stepper.before]
    if reached:
        n = len(answers) + 1
        asked = ", ".join(f"{held(called[x])}.grad" for x in reached)
        questions.append(folded(f"{n}. Give {asked}."))
        told = ", ".join(f"{held(called[x])}.grad = {number(x.grad)}" for x in reached)
        answers.append(folded(f"{n}. {told}"))
    stepper.restore()
    return Exercise(questions, answers)


def operations(rows: Mapping[str, Op]) -> Text:
    """The operations as a table: name, what it computes, and the derivative by each operand."""
    cells = [["operation", "out", "∂out/∂a; ∂out/∂b"]]
    for name, op in rows.items():
        operands = ["a", "b"][: len(op.partials)]
        slopes = [_slope_of(op, i, operands) for i in range(len(operands))]
        short = len("; ".join(slopes)) <= COLUMNS // 2
        first, *more = ["; ".join(slopes)] if short else slopes
        cells += [[name, formula_of(op, operands), first], *[["", "", slope] for slope in more]]
    return Text("\n".join(aligned(cells, "<  <  <")), html_table(cells[1:], cells[0]))


def _slope_of(op: Op, position: int, operands: Sequence[str]) -> str:
    try:
        return str(local_derivative(op, position, operands, "out"))
    except not_by_a_handler(Exception):  # somebody's own row may ask for floats
        return "no formula"
