"""Some graphs of `python -m tests.heavy.differential`, and that its bounds catch what is wrong."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from mpmath import mpf

from tests.heavy.differential.budgets import ENGINE, MACHINE_CODE
from tests.heavy.differential.engines import eager, program
from tests.heavy.differential.graphs import PUBLIC, TAME, WILD, Kind, Node, random_graph, unfit
from tests.heavy.differential.tally import Case, Tally

COUNT = 30


@pytest.fixture(scope="module", params=[TAME, WILD], ids=lambda kind: kind.name)
def cases(request: pytest.FixtureRequest) -> list[Case]:
    return [Case(random_graph(seed, request.param, Counter())) for seed in range(COUNT)]


def kind_of(cases: list[Case]) -> Kind:
    return cases[0].graph.kind


def test_the_engine_and_its_programs_are_within_the_bounds(cases: list[Case]) -> None:
    recipes = [case.graph.recipe for case in cases]
    ours, _ = eager(recipes)
    assert program("python", recipes) == ours
    for name, budget, found in (
        ("engine", ENGINE, ours),
        ("llvm", MACHINE_CODE, program("llvm", recipes)),
    ):
        tally = Tally(name, kind_of(cases), budget)
        for case, numbers, own in zip(cases, found, ours, strict=True):
            tally.add(case, numbers, own)
        assert not tally.broken
        assert tally.numbers == sum(len(numbers) for numbers in ours)


def test_what_is_farther_off_than_the_bounds_is_noticed(cases: list[Case]) -> None:
    recipes = [case.graph.recipe for case in cases]
    ours, _ = eager(recipes)
    rng = random.Random(1)
    for case, numbers in zip(cases, ours, strict=True):
        allowed = case.allowed(ENGINE)
        place = rng.randrange(len(numbers))
        bound = [allowed.value, *allowed.gradient][place]
        exact = float(case.exact[place])
        for wrong in (exact + 2.1 * bound + math.ulp(exact), exact - 2.1 * bound, math.nan):
            if wrong == exact:
                continue  # nothing may be off, and nothing is
            changed = [*numbers[:place], wrong, *numbers[place + 1 :]]
            tally = Tally("engine", kind_of(cases), ENGINE)
            tally.add(case, changed, numbers)
            assert ("gradient" if place else "value") in dict(tally.broken)
            assert tally.same == 0


def test_every_public_operation_is_in_the_graphs(cases: list[Case]) -> None:
    used = {name for case in cases for name, _ in case.graph.recipe.steps}
    assert used == set(PUBLIC)


def test_a_graph_is_the_same_by_its_number() -> None:
    for kind in (TAME, WILD):
        one, other = (random_graph(7, kind, Counter()).recipe for _ in range(2))
        assert one == other


@pytest.mark.parametrize("name", ["asin", "acos"])
def test_an_operand_that_rounding_may_move_to_the_end_of_the_domain_is_no_test(name: str) -> None:
    """1 − 1e-18 is 1 as a float, where the slope is infinite."""
    near, far = (Node(1 - mpf(10) ** -digits, 1e-16) for digits in (18, 3))
    assert unfit(name, [near]) == "a point that can't be told from the end of the domain"
    assert unfit(name, [far]) == ""
