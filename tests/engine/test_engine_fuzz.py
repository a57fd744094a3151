"""Every method and attribute of Value, attacked with arguments of the wrong kind."""

from __future__ import annotations

import gc
import random
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

from micrograd_like import Op, Value, ops

CALLS = 100_000
REFUSALS = (
    ArithmeticError,
    AttributeError,
    DeprecationWarning,
    LookupError,
    NotImplementedError,  # deleting an attribute of the native form
    RecursionError,
    TypeError,
    ValueError,
)


class Hostile:
    """Converts to numbers and strings in the worst possible way."""

    def __float__(self) -> float:
        return "no float"  # type: ignore[return-value]

    def __index__(self) -> int:
        raise ZeroDivisionError("no index")

    def __eq__(self, other: object) -> bool:
        raise ValueError("no comparison")

    def __hash__(self) -> int:
        return -1

    def __repr__(self) -> str:
        raise ValueError("no name")


class Text(str):
    """A str that is more than one."""

    __slots__ = ("more",)


def things(rng: random.Random) -> list[Any]:
    """Operands thrown at Value: numbers of many kinds, nodes, and things that are no numbers."""
    numbers = [0, -1, True, 10**400, 2**63, 0.0, -0.0, 1e308, rng.gauss(0, 1), Fraction(1, 3)]
    floats = [float("inf"), float("-inf"), float("nan"), Decimal("NaN"), Decimal(1), 1j]
    texts = ["", "x", "add", "relu", ":", "a:b", "\udc80", "\0", Text("mul"), b"x", bytearray(3)]
    nodes = [Value(1.0), Value(2.0, "b") * 3, (Value(0.0) / 0).log(), Value(1.0) + Value(2.0)]
    others: list[Any] = [
        None,
        NotImplemented,
        ...,
        [],
        [1.0],
        {},
        (1.0, 2.0),
        set(),
        range(3),
        iter([]),
    ]
    types = [int, object, type, print, Op, ops.add, ops.relu, Hostile(), Hostile, gc]
    return [*numbers, *floats, *texts, *nodes, *others, *types, object()]


def attack(rng: random.Random, names: list[str], pool: list[Any]) -> str:
    """One random thing done to a random Value; what it was."""
    target: Any = rng.choice([x for x in pool if type(x) is Value])
    name = rng.choice(names)
    positional = [rng.choice(pool) for _ in range(rng.choice([0, 1, 1, 1, 2, 3, 8]))]
    match rng.choice(["set", "delete", "call", "call on class", "call by keyword", "make", "make"]):
        case "set":
            setattr(target, name, rng.choice(pool))
            return "set"
        case "delete":
            delattr(target, name)
            return "delete"
        case "call":
            getattr(target, name)(*positional)
            return "call"
        case "call on class":
            getattr(Value, name)(*positional)
            return "call on class"
        case "call by keyword":
            getattr(target, name)(**{rng.choice(("seed", "other", "op")): rng.choice(pool)})
            return "call by keyword"
        case _:
            named = (
                {"label": rng.choice(pool)} if len(positional) == 1 and rng.random() < 0.5 else {}
            )
            pool[rng.randrange(len(pool))] = Value(*positional, **named)
            return "make"


def test_nothing_crashes_and_nothing_is_broken_afterwards() -> None:
    rng = random.Random(2024)
    # These are Python's own for classes; a node of another class could not be attacked.
    left_out = {"__class__", "__init_subclass__", "__subclasshook__"}
    names = [name for name in dir(Value) if name not in left_out]
    outcomes: Counter[str] = Counter()
    for number in range(CALLS):
        if number % 100 == 0:
            pool = things(rng)
        try:
            outcomes[attack(rng, names, pool)] += 1
        except REFUSALS as refusal:
            outcomes[type(refusal).__name__] += 1
    assert outcomes.total() == CALLS
    accepted = [outcomes[kind] for kind in ("set", "call", "call on class", "make")]
    assert min(accepted) > CALLS / 1000, "most attacks are refused, but not all"
    del pool

    a, b = Value(2.0), Value(-3.0)
    (a * b + a.relu()).backward()
    assert (a.grad, b.grad) == (-2.0, 2.0)
