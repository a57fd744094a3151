from __future__ import annotations

import math

import pytest

from micrograd_like._internal.text import aligned, factor, number, one_line


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0.0000"),
        (-0.0, "0.0000"),
        (1.0, "1.0000"),
        (-2.5, "−2.5000"),
        (0.001, "0.0010"),
        (0.00099, "9.9000e−04"),
        (123456.789, "123456.7890"),
        (1e6, "1.0000e+06"),
        (5e-324, "4.9407e−324"),
        (math.inf, "inf"),
        (-math.inf, "−inf"),
        (math.nan, "nan"),
    ],
)
def test_number(x: float, text: str) -> None:
    assert number(x) == text


def test_a_factor_is_in_parentheses_where_it_is_negative() -> None:
    assert (factor(-1.0), factor(1.0), factor(-math.inf)) == ("(−1.0000)", "1.0000", "(−inf)")


def test_one_line_writes_out_what_would_move_the_cursor() -> None:
    assert one_line("a\nb\tc\x1b[2J\u202e\ud800") == r"a\nb\tc\x1b[2J\u202e\ud800"
    assert one_line("größe ∂ 重み") == "größe ∂ 重み"


def test_a_wide_character_takes_two_columns_and_an_accent_none() -> None:
    assert aligned([["重み", "|"], ["e\u0301", "|"], ["abcd", "|"]], "< <") == [
        "重み |",
        "e\u0301    |",
        "abcd |",
    ]


def test_an_empty_column_leaves_the_wider_of_its_gaps() -> None:
    assert aligned([["a", "", "b"]], "< <   <") == ["a   b"]
    assert aligned([["a", "", "b"]], "<   < <") == ["a   b"]


def test_sides_and_gaps() -> None:
    assert aligned([["a", "1", "x"], ["bcd", "22", ""]], "<  > <") == ["a     1 x", "bcd  22"]
