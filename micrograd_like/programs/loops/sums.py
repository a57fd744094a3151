"""Sums over rows, the derivatives of parameters above all, found as products of two matrices.

Each sum has terms left·right, a list of both, one pair for each use of the parameter. Lefts (what
the units of a layer pass back) that meet the same set of rights (what the layer read) give a
matrix of sums, every left with every right; a bias has ones on its right.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy

from micrograd_like.programs.loops.parts import ONES, Array, Part

LEAST = 8
"""Matrices of fewer sums, however many uses each has, are single terms."""


class Sums(NamedTuple):
    """sums[places[i, j]] += Σ over uses of lefts[i]·rights[j], for every i and j."""

    lefts: Array
    rights: Array
    places: Array

    def __str__(self) -> str:
        (lefts, uses), rights = self.lefts.shape, len(self.rights)
        shared = f", each of {uses} uses" if uses > 1 else ""
        if self.rights.size == 1 and self.rights[0, 0] == ONES:
            return f"sums over rows, members: {lefts}"
        return f"sums over rows of products, {lefts} × {rights}{shared}"


class Term(NamedTuple):
    """sums[place] += left·right."""

    place: int
    left: int
    right: int


class Factors(NamedTuple):
    """Of some sums the lefts and rights, each side by a number.

    - `places`: the sums; one that has products and other terms is there twice, since only the
      products may be like those of other sums: a weight's are, but for one that meets the same
      number in every row.
    - `lefts`, `rights`: for each its side: the number that is there, if it has one term; else
      ONES − 1 − k stands for the numbers `several[k]`.
    """

    places: Array
    lefts: Array
    rights: Array
    several: list[tuple[int, ...]]

    def side(self, number: int) -> tuple[int, ...]:
        """The numbers on a side."""
        return (number,) if number >= ONES else self.several[ONES - 1 - number]


def factors_of(part: Part) -> tuple[Factors, Array]:
    """The sums of a part; and the products that nothing else needs."""
    columns, varying, terms = part.columns, part.varying, part.terms
    uses, held = part.uses
    lefts, rights = columns.lefts[terms], columns.rights[terms]
    product = columns.products[terms] & (uses[terms] == 0) & (held[terms] == 1)
    product &= varying[lefts] & varying[rights]
    lefts, rights = numpy.where(product, lefts, terms), numpy.where(product, rights, ONES)
    # By sum, of each the products first.
    order = numpy.lexsort((~product, part.places))
    places, kinds, lefts, rights = [x[order] for x in (part.places, product, lefts, rights)]
    starts = numpy.flatnonzero((numpy.diff(places, prepend=-1) != 0) | numpy.diff(kinds, prepend=0))
    ends = numpy.append(starts[1:], len(places))
    numbers = dict[tuple[int, ...], int]()

    def sides(terms: Array) -> Array:
        found = terms[starts]
        for i in numpy.flatnonzero(ends - starts > 1).tolist():
            several = tuple(terms[starts[i] : ends[i]].tolist())
            found[i] = numbers.setdefault(several, ONES - 1 - len(numbers))
        return found

    return Factors(places[starts], sides(lefts), sides(rights), list(numbers)), terms[product]


def group(factors: Factors) -> tuple[list[Sums], list[Term]]:
    """The sums as matrices, and those that fit in none, term by term."""
    lefts, rights = _by_appearance(factors.lefts), _by_appearance(factors.rights)
    order = numpy.lexsort((rights, lefts))
    starts = numpy.flatnonzero(numpy.diff(lefts[order], prepend=-1))
    rows = numpy.split(order, starts[1:]) if len(order) else []
    alike: dict[bytes, list[Array]] = {}
    for row in rows:
        alike.setdefault(rights[row].tobytes(), []).append(row)
    matrices, terms = list[Sums](), list[Term]()
    for some in alike.values():
        table = numpy.stack(some)
        if table.size < LEAST:
            for i in table.ravel().tolist():
                place, left, right = [x.item(i) for x in factors[:3]]
                pairs = zip(factors.side(left), factors.side(right), strict=True)
                terms += [Term(place, a, b) for a, b in pairs]
            continue
        left_table = [factors.side(x) for x in factors.lefts[table[:, 0]].tolist()]
        right_table = [factors.side(x) for x in factors.rights[table[0]].tolist()]
        matrices.append(
            Sums(numpy.array(left_table), numpy.array(right_table), factors.places[table])
        )
    return matrices, terms


def _by_appearance(numbers: Array) -> Array:
    """The numbers, each as its place among them in the order in which they appear first."""
    _, firsts, which = numpy.unique(numbers, return_index=True, return_inverse=True)
    return numpy.argsort(numpy.argsort(firsts))[which]
