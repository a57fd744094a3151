"""Expressions of several operations, found as byte pairs are in text (Gage, 1994).

An operation and its only user become one expression where that pair of kinds occurs often; then
again with what has become of them. Its inner results need no memory, and a loop computes them all.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from micrograd_like.programs.loops.expressions import Expression, size_of

OFTEN = 16
"""How many times a pair must occur: its loop is code of its own."""

ROUNDS = 6
LARGEST = 10
"""Operations in an expression at most."""


class Map(NamedTuple):
    """`result` = expression of the operands."""

    result: int
    expression: Expression
    operands: tuple[int, ...]


def fuse(maps: list[Map], single: list[bool]) -> list[Map]:
    """The maps with frequent pairs fused; `single` says which results have only one user."""
    now = {x.result: x for x in maps}
    user = {operand: x.result for x in maps for operand in x.operands}
    joined: dict[tuple[Expression, Expression, int], Expression] = {}
    for _ in range(ROUNDS):
        pairs = []
        for result, inner in now.items():
            outer = now.get(user.get(result, -1)) if single[result] else None
            if outer is not None:
                place = outer.operands.index(result)
                kind = inner.expression, outer.expression, place
                pairs.append((result, outer.result, kind))
        counts = Counter(kind for _, _, kind in pairs)
        changed = set[int]()
        for result, target, kind in pairs:
            if counts[kind] < OFTEN or result in changed or target in changed:
                continue
            if kind not in joined:
                inner_expression, outer_expression, place = kind
                joined[kind] = _inserted(outer_expression, place, inner_expression)
            if size_of(joined[kind]) > LARGEST:
                continue
            inner, outer, place = now.pop(result), now[target], kind[2]
            operands = *outer.operands[:place], *inner.operands, *outer.operands[place + 1 :]
            now[target] = Map(target, joined[kind], operands)
            user.update((operand, target) for operand in inner.operands)
            changed |= {result, target}
        if not changed:
            break
    return list(now.values())


def _inserted(expression: Expression, place: int, inner: Expression) -> Expression:
    """The expression with `inner` for its operand number `place`."""
    places = iter(range(place + 1))

    def walk(outer: Expression) -> Expression:
        found: list[object] = [outer[0]]
        for x in outer[1:]:
            if x is not None:
                found.append(walk(x))
            else:
                found.append(inner if next(places, None) == place else None)
        return tuple(found)

    return walk(expression)
