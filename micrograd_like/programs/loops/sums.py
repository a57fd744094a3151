"""Sums over rows, the derivatives of parameters above all, found as products of two matrices.

Each sum has terms left·right, a list of both, one pair for each use of the parameter. Lefts (what
the units of a layer pass back) that meet the same set of rights (what the layer read) give a
matrix of sums, every left with every right; a bias has ones on its right.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy

from micrograd_like.programs.loops.parts import ONES, Array, Part

LEAST = 8
"""Smaller matrices are single terms."""


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


Factors = tuple[tuple[int, ...], tuple[int, ...]]
"""The lefts of a sum, and their rights."""


class Term(NamedTuple):
    """sums[place] += left·right."""

    place: int
    left: int
    right: int


def factors_of(part: Part) -> tuple[list[tuple[int, Factors]], list[int]]:
    """Places of sums and what to add there; and the products that nothing else needs.

    A sum of products and of other terms is there twice, since only the products may be like those
    of other sums: a weight's are, but for one that meets the same number in every row.
    """
    columns, varying, terms = part.columns, part.varying, part.terms
    if not terms.size:
        return [], []
    uses, held = part.uses
    left, right = columns.lefts[terms], columns.rights[terms]
    product = columns.products[terms] & (uses[terms] == 0) & (held[terms] == 1)
    product &= varying[left] & varying[right]
    lefts = numpy.where(product, left, terms).tolist()
    rights = numpy.where(product, right, ONES).tolist()
    is_product, found, start = product.tolist(), list[tuple[int, Factors]](), 0
    for place, size in enumerate(map(len, part.sums)):
        end = start + size
        if size == 1:
            found.append((place, ((lefts[start],), (rights[start],))))
        elif size:
            for kind in (True, False):
                some = [i for i in range(start, end) if is_product[i] is kind]
                if not some:
                    continue
                sides = tuple([lefts[i] for i in some]), tuple([rights[i] for i in some])
                found.append((place, sides))
        start = end
    return found, terms[product].tolist()


def group(found: Iterable[tuple[int, Factors]]) -> tuple[list[Sums], list[Term]]:
    """The sums as matrices, and those that fit in none, term by term."""
    left_numbers = dict[tuple[int, ...], int]()
    right_numbers = dict[tuple[int, ...], int]()
    cells: list[list[tuple[int, int]]] = []  # for each left its rights and places
    for place, (lefts, rights) in found:
        row = left_numbers.setdefault(lefts, len(left_numbers))
        if row == len(cells):
            cells.append([])
        cells[row].append((right_numbers.setdefault(rights, len(right_numbers)), place))
    left_sides, right_sides = list(left_numbers), list(right_numbers)
    alike: dict[tuple[int, ...], list[int]] = {}
    for row, some in enumerate(cells):
        some.sort()
        alike.setdefault(tuple([right for right, _ in some]), []).append(row)
    matrices, terms = [], []
    for columns, rows in alike.items():
        if len(columns) * len(rows) < LEAST:
            for row in rows:
                for column, place in cells[row]:
                    pairs = zip(left_sides[row], right_sides[column], strict=True)
                    terms += [Term(place, a, b) for a, b in pairs]
            continue
        places = numpy.array([[place for _, place in cells[row]] for row in rows])
        left_table = numpy.array([left_sides[row] for row in rows])
        right_table = numpy.array([right_sides[column] for column in columns])
        matrices.append(Sums(left_table, right_table, places))
    return matrices, terms
