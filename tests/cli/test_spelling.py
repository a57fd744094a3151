"""Names as rows, and what is drawn from a network against the probabilities it gives."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from micrograd_like._internal.numbers import Rows
from micrograd_like.cli.spelling import LETTERS, invented, spelled


def letters_of(row: list[float]) -> str:
    assert sorted(row) == [0.0] * 78 + [1.0] * 3
    return "".join(LETTERS[row[i : i + 27].index(1.0)] for i in (0, 27, 54))


def test_every_letter_is_asked_for_with_the_three_before() -> None:
    X, y = spelled(["mary", "al"])
    pairs = [(letters_of(row), LETTERS[k]) for row, k in zip(X, y, strict=True)]
    assert pairs == [
        ("...", "m"),
        ("..m", "a"),
        (".ma", "r"),
        ("mar", "y"),
        ("ary", "."),
        ("...", "a"),
        ("..a", "l"),
        (".al", "."),
    ]


def logits(**chances: float) -> list[float]:
    return [math.log(chances.get(letter, 1e-300)) for letter in LETTERS]


def test_letters_come_by_their_probabilities_sharpened() -> None:
    """A temperature of 0.7 takes 2 : 1 to 2^(1/0.7) : 1."""

    def predict(rows: Rows) -> list[list[float]]:
        first = letters_of(rows[0]) == "..."
        return [logits(b=2 / 3, c=1 / 3) if first else logits(**{".": 1.0})]

    rng = random.Random(1)
    drawn = Counter(name for _ in range(2000) for name in invented(predict, [], rng, 1))
    assert set(drawn) == {"b", "c"}
    share = 2 ** (1 / 0.7) / (2 ** (1 / 0.7) + 1)
    assert drawn["b"] / 2000 == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 2000))


def test_names_are_new_and_differ_and_end() -> None:
    def endless(rows: Rows) -> list[list[float]]:
        return [logits(a=0.5, b=0.5)]

    names = invented(endless, [], random.Random(1), 30)
    assert len(set(names)) == 30
    assert {len(name) for name in names} == {16}
    assert not set(names) & set(invented(endless, names, random.Random(1), 30))
    assert invented(endless, [], random.Random(1), 30) == names


@pytest.mark.parametrize("output", [math.nan, math.inf])
def test_nothing_is_made_up_from_what_is_no_number(output: float) -> None:
    assert invented(lambda _: [[output] * 27], [], random.Random(1), 3) == []


def test_nothing_is_made_up_by_a_network_that_ends_at_once() -> None:
    assert invented(lambda _: [logits(**{".": 1.0})], [], random.Random(1), 3) == []
