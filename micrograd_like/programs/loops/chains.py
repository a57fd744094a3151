"""Dot products found in chains of additions.

    add(add(add(b, mul(w0, x0)), mul(w1, x1)), mul(w2, x2))  is  b + Σ w·x, left to right

The inner additions and the products must have no other user. A term that is no product counts as
one times itself, or, if it is the same for all rows, as itself times one. If one factor of every
term is the same for all rows (a weight), dots that share their right sides are the rows of a
matrix; dots of two sides by row stand for themselves.
A chain is several dots, each starting from the sum so far, if the two kinds of product take turns
in it, or if a few terms among many products are none, as in x + W·y + z: with x or z as terms of
their own, the rows of W would not share their right sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy

from micrograd_like.programs.loops.parts import ONES, Array, Part

LEAST_TERMS = 3
"""Shorter chains are plain additions."""

LEAST_RUN = 4
"""Terms of a chain to each that is no product, from which on those are additions of their own."""

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


class Chain(NamedTuple):
    """Terms in the order they are added, and the additions: the first adds the first two terms."""

    terms: Array
    additions: Array


Found = tuple[Array, list[Dot]]
"""The lines that the dots of a chain compute, as results or on the way; and the dots."""


def find_dots(part: Part) -> tuple[list[Dot], Array]:
    """The chains of a part as dots, where they are long enough; and which lines those compute.

    The second has a truth for each number: it is the result of a dot, or on the way to one.
    """
    columns = part.columns
    uses, held = part.uses
    varying, left, right = part.varying, columns.lefts, columns.rights
    once = (uses == 1) & (held == 0) & varying
    product = columns.products & once
    found: list[Found] = []
    for numbers, additions in _chains(part, once):
        count = len(numbers)
        is_product = product[numbers]
        if is_product.sum() < 2 and count < 8:  # a map, if anything
            continue
        is_product &= varying[left[numbers]] | varying[right[numbers]]  # others stay lines
        lefts = numpy.where(is_product, left[numbers], columns.one)
        rights = numpy.where(is_product, right[numbers], numbers)
        turned = varying[lefts] & ~varying[rights]
        lefts[turned], rights[turned] = rights[turned], lefts[turned]
        alone = ~varying[numbers]
        lefts[alone], rights[alone] = numbers[alone], ONES
        plain = ~is_product & ~alone
        apart = plain & (count >= LEAST_RUN * plain.sum())
        first = 0 if is_product[0] else 1
        before = columns.zero if is_product[0] else int(numbers[0])
        by_row = varying[lefts]
        kinds = numpy.where(apart, 2, by_row)[first:]
        cuts = (numpy.nonzero(numpy.diff(kinds))[0] + 1 + first).tolist()
        sums = [*numbers[:1].tolist(), *additions.tolist()]  # after each term
        inside = numpy.zeros(count, dtype=bool)
        dots = []
        for begin, end in zip([first, *cuts], [*cuts, count], strict=True):
            if not apart[begin]:
                inside[begin:end] = True
                sides = lefts[begin:end], rights[begin:end]
                dots.append(Dot(sums[end - 1], before, *sides, bool(by_row[begin])))
            before = sums[end - 1]
        computed = numpy.concatenate([numpy.array(sums)[inside], numbers[inside & is_product]])
        found.append((computed, dots))
    found = _without_long_sums(found)
    absorbed = numpy.zeros(len(varying), dtype=bool)
    for computed, _ in found:
        absorbed[computed] = True
    return [dot for _, dots in found for dot in dots], absorbed


def _chains(part: Part, once: Array) -> Iterable[Chain]:
    """The longest chains of additions, of which only the last has other users."""
    columns = part.columns
    lines = numpy.flatnonzero(columns.additions & part.varying)
    left, right = columns.lefts[lines], columns.rights[lines]
    inner = once & columns.additions  # an addition that is continued by its only user
    turned = inner[right] & ~inner[left]
    before, term = numpy.where(turned, right, left), numpy.where(turned, left, right)
    # The first line of each one's chain: that of its line before, again and again.
    first = numpy.arange(len(part.varying))
    first[lines[inner[before]]] = before[inner[before]]
    while ((further := first[first]) != first).any():
        first = further
    order = numpy.argsort(first[lines], kind="stable")
    starts = numpy.flatnonzero(numpy.diff(first[lines][order], prepend=-1))
    found = numpy.split(order, starts[1:]) if len(order) else []
    found = [x for x in found if len(x) + 1 >= LEAST_TERMS]
    for chain in sorted(found, key=lambda chain: chain[-1]):
        yield Chain(numpy.append(before[chain[0]], term[chain]), lines[chain])


def _without_long_sums(found: list[Found]) -> list[Found]:
    """The chains without those that have a long dot from all over a graph; these stay lines."""
    shared = Counter(dot.rights.tobytes() for _, dots in found for dot in dots)

    def scattered(dot: Dot) -> bool:
        count = len(dot.rights)
        if dot.by_row or count <= LONG or shared[dot.rights.tobytes()] > 1:
            return False
        spread = int(numpy.ptp(dot.rights))
        return spread > 20 * count**0.5 and spread > 2 * count

    return [(lines, dots) for lines, dots in found if not any(map(scattered, dots))]
