"""Peers with one object a scalar: micrograd, microgpt's design, XAD, micrograd-rust and ours."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tests.heavy.bench import gpt, slots_tuples, work
from tests.heavy.bench.peer import LeftOutError, Peer, load, load_ours

Model = Callable[[Sequence[Any]], Any]


class MoonsStep(Peer):
    """micrograd's demo as its notebook writes it: scores, hinge losses, their mean, a penalty."""

    def __init__(
        self,
        value: Callable[[float], Any],
        model: Model,
        parameters: Sequence[Any],
        points: int = work.POINTS,
        learning_rate: float = work.LEARNING_RATE[work.MOONS],
    ) -> None:
        self.value = value
        self.model = model
        self.parameters = parameters
        self.rows, self.labels = work.moons(points)
        self.learning_rate = learning_rate

    def forward(self) -> Any:
        scores = [self.model(list(map(self.value, row))) for row in self.rows]
        losses = [
            (1 + -label * score).relu() for label, score in zip(self.labels, scores, strict=True)
        ]
        penalty = work.ALPHA * sum(p * p for p in self.parameters)
        return sum(losses) * (1.0 / len(losses)) + penalty

    def step(self) -> float:
        loss = self.forward()
        for p in self.parameters:
            p.grad = 0.0
        loss.backward()
        for p in self.parameters:
            p.data -= self.learning_rate * p.grad
        return float(loss.data)

    def numbers(self) -> list[float]:
        return [p.data for p in self.parameters]


class GptStep(Peer):
    """Loss and gradient of one document."""

    def __init__(self, value: Callable[[float], Any]) -> None:
        self.parameters = [value(number) for number in gpt.start()]

    def step(self) -> float:
        loss = gpt.loss(self.parameters)
        for p in self.parameters:
            p.grad = 0.0
        loss.backward()
        return float(loss.data)

    def numbers(self) -> list[float]:
        return [p.grad for p in self.parameters]


def with_network_of_its_own(module: Any, sizes: work.Sizes, points: int) -> MoonsStep:
    model = module.MLP(sizes[0], list(sizes[1:]))
    parameters = model.parameters()
    for parameter, number in zip(parameters, work.start(sizes), strict=True):
        parameter.data = number
    return MoonsStep(module.Value, model, parameters, points)


def micrograd_moons(points: int = work.POINTS) -> MoonsStep:
    load("micrograd")
    module = load("micrograd.nn")
    return with_network_of_its_own(module, work.MOONS, points)


def micrograd_gpt() -> GptStep:
    """micrograd has neither exp nor log: they are added here the way it writes its own."""
    load("micrograd")
    value = load("micrograd.engine").Value

    def exp(self: Any) -> Any:
        out = value(math.exp(self.data), (self,), "exp")

        def _backward() -> None:
            self.grad += out.data * out.grad

        out._backward = _backward
        return out

    def log(self: Any) -> Any:
        out = value(math.log(self.data), (self,), "log")

        def _backward() -> None:
            self.grad += out.grad / self.data

        out._backward = _backward
        return out

    value.exp, value.log = exp, log
    sys.setrecursionlimit(100_000)
    peer = GptStep(value)
    peer.note = "exp and log added, recursion limit raised"
    return peer


def slots_tuples_moons(sizes: work.Sizes = work.MOONS, points: int = work.POINTS) -> MoonsStep:
    value = slots_tuples.Value
    parameters = [value(number) for number in work.start(sizes)]
    return MoonsStep(
        value,
        lambda x: work.network(parameters, x, sizes, value.relu),
        parameters,
        points,
        work.LEARNING_RATE[sizes],
    )


def slots_tuples_gpt() -> GptStep:
    return GptStep(slots_tuples.Value)


def engine_of(engine: str, *names: str) -> Any:
    """Our package, or LeftOutError where it runs the other form of the engine."""
    ours = load_ours("Value", "ENGINE", *names)
    if engine != ours.ENGINE:
        raise LeftOutError(f"not built (ENGINE is {ours.ENGINE!r} here)")
    return ours


def ours_moons(engine: str, points: int = work.POINTS) -> MoonsStep:
    return with_network_of_its_own(engine_of(engine, "MLP"), work.MOONS, points)


def ours_gpt(engine: str) -> GptStep:
    return GptStep(engine_of(engine).Value)


class XadMoons(Peer):
    """XAD records on a tape; points enter as numbers and relu is its max with 0."""

    def __init__(self) -> None:
        load("xad")
        adjoint, functions = load("xad.adj_1st"), load("xad.math")
        self.real = adjoint.Real
        self.relu: Callable[[Any], Any] = lambda z: functions.max(z, 0.0)
        self.tape = adjoint.Tape()
        self.tape.activate()
        self.parameters = work.start(work.MOONS)
        self.rows, self.labels = work.moons()

    def step(self) -> float:
        self.tape.clearAll()
        parameters = [self.real(p) for p in self.parameters]
        self.tape.registerInputs(parameters)
        self.tape.newRecording()
        losses = [
            self.relu(1 + -label * work.network(parameters, row, work.MOONS, self.relu))
            for row, label in zip(self.rows, self.labels, strict=True)
        ]
        penalty = work.ALPHA * sum(p * p for p in parameters)
        loss = sum(losses) * (1.0 / len(losses)) + penalty
        self.tape.registerOutput(loss)
        loss.derivative = 1.0
        self.tape.computeAdjoints()
        rate = work.LEARNING_RATE[work.MOONS]
        self.parameters = [p.value - rate * p.derivative for p in parameters]
        return float(loss.value)

    def numbers(self) -> list[float]:
        return self.parameters


class XadGpt(Peer):
    """The transformer on XAD's numbers, with its functions as methods."""

    def __init__(self) -> None:
        load("xad")
        adjoint, functions = load("xad.adj_1st"), load("xad.math")
        self.real = adjoint.Real
        self.real.exp = lambda z: functions.exp(z)
        self.real.log = lambda z: functions.log(z)
        self.real.relu = lambda z: functions.max(z, 0.0)
        self.tape = adjoint.Tape()
        self.tape.activate()
        self.start = gpt.start()
        self.parameters: list[Any] = []

    def step(self) -> float:
        self.tape.clearAll()
        self.parameters = [self.real(number) for number in self.start]
        self.tape.registerInputs(self.parameters)
        self.tape.newRecording()
        loss = gpt.loss(self.parameters)
        self.tape.registerOutput(loss)
        loss.derivative = 1.0
        self.tape.computeAdjoints()
        return float(loss.value)

    def numbers(self) -> list[float]:
        return [p.derivative for p in self.parameters]
