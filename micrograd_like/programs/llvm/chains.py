"""Chains of additions in a tape, read as dot products.

    add(add(add(b, mul(w0, x0)), mul(w1, x1)), mul(w2, x2))  is  b + Σ w·x, left to right

The inner additions and the products must have no other user. A term that is no product counts as
one times itself. If one factor of every term is the same for all rows (a weight), dots that
share their right sides are the rows of a matrix; dots of two sides by row stand for themselves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy

from micrograd_like.programs.llvm.parts import ONES, Array, Part

LEAST_TERMS = 3
"""Shorter chains are plain additions."""

LONG = 300
"""A longer sum of what comes from all over a graph is no dot: all its terms would have to wait for
the last one, and take up memory meanwhile."""


class Dot(NamedTuple):
    """`result` = start + Σ left·right; the lefts are by row too, or all of them uniform."""

    result: int
    start: int
    lefts: Array
    rights: Array
    by_row: bool


class Dots(NamedTuple):
    """The chains that were found: for the last addition of each its dots, one after the other.

    `absorbed` has a truth for each number: lines that are now part of a dot. `varies` has one more
    entry for every dot but the last of a chain, whose result has a number of its own, and ends in
    that of `ONES`.
    """

    dots: dict[int, list[Dot]]
    absorbed: list[bool]
    varies: list[bool]


def find_dots(part: Part) -> Dots:
    """The chains of a part as dots, where they are long enough."""
    columns = part.columns
    uses, held = part.uses()
    varies = numpy.array(part.varies)
    once = ((uses == 1) & (held == 0) & varies).tolist()
    names = columns.names
    chains = _chains(part, once)
    product = numpy.zeros(len(varies), dtype=bool)
    product[[line for line in part.lines if names[line] == "mul" and once[line]]] = True
    left = numpy.array([*columns.left, *[0] * len(columns.constants)])
    right = numpy.array([*columns.right, *[0] * len(columns.constants)])
    found: dict[int, list[Dot]] = {}
    virtual = len(varies)
    for last, terms in chains.items():
        if len(terms) < LEAST_TERMS:
            continue
        numbers = numpy.array(terms)
        is_product = product[numbers]
        if is_product.sum() < 2 and len(terms) < 8:
            continue
        lefts = numpy.where(is_product, left[numbers], columns.one)
        rights = numpy.where(is_product, right[numbers], numbers)
        turned = varies[lefts] & ~varies[rights]
        lefts[turned], rights[turned] = rights[turned], lefts[turned]
        uniform = ~varies[lefts] & ~varies[rights]
        constant = uniform & is_product  # a product of two uniforms stays a line
        lefts[constant], rights[constant] = columns.one, numbers[constant]
        is_product &= ~constant
        alone = uniform & ~is_product & ~varies[numbers]
        lefts[alone], rights[alone] = numbers[alone], ONES
        first = 0 if is_product[0] else 1
        start = columns.zero if is_product[0] else terms[0]
        by_row = varies[lefts]
        cuts = (numpy.nonzero(numpy.diff(by_row[first:]))[0] + 1 + first).tolist()
        dots = []
        for begin, end in zip([first, *cuts], [*cuts, len(terms)], strict=True):
            result, virtual = (last, virtual) if end == len(terms) else (virtual, virtual + 1)
            dot = Dot(result, start, lefts[begin:end], rights[begin:end], bool(by_row[begin]))
            dots.append(dot)
            start = result
        found[last] = dots
    found = _without_long_sums(found)
    absorbed = [False] * len(varies)
    for last in found:
        for line in _inner(part, last, once):
            absorbed[line] = True
        for x in chains[last]:
            if product[x] and (part.varies[columns.left[x]] or part.varies[columns.right[x]]):
                absorbed[x] = True
    return Dots(found, absorbed, [*part.varies, *[True] * (virtual - len(varies) + 1)])


def _chains(part: Part, once: list[bool]) -> dict[int, list[int]]:
    """For the last line of each chain of additions its terms, in the order they are added."""
    names, left, right = part.columns.names, part.columns.left, part.columns.right
    chains: dict[int, list[int]] = {}
    for line in part.lines:
        if names[line] != "add":
            continue
        a, b = left[line], right[line]
        if once[a] and a in chains:
            chain = chains.pop(a)
            chain.append(b)
        elif once[b] and b in chains:
            chain = chains.pop(b)
            chain.append(a)
        else:
            chain = [a, b]
        chains[line] = chain
    return chains


def _inner(part: Part, last: int, once: list[bool]) -> list[int]:
    """The additions that lead to the last one of a chain."""
    names, left, right = part.columns.names, part.columns.left, part.columns.right
    found: list[int] = []
    line = last
    while True:
        a, b = left[line], right[line]
        if once[a] and a < len(names) and names[a] == "add":
            line = a
        elif once[b] and b < len(names) and names[b] == "add":
            line = b
        else:
            return found
        found.append(line)


def _without_long_sums(found: dict[int, list[Dot]]) -> dict[int, list[Dot]]:
    shared: dict[bytes, int] = {}
    for dots in found.values():
        for dot in dots:
            key = dot.rights.tobytes()
            shared[key] = shared.get(key, 0) + 1

    def scattered(dot: Dot) -> bool:
        count = len(dot.rights)
        if dot.by_row or count <= LONG or shared[dot.rights.tobytes()] > 1:
            return False
        spread = int(numpy.ptp(dot.rights))
        return spread > 20 * count**0.5 and spread > 2 * count

    return {last: dots for last, dots in found.items() if not any(map(scattered, dots))}
