from __future__ import annotations

import math
import random
import re
from typing import NamedTuple

import pytest

from micrograd_like._internal.text import (
    Text,
    aligned,
    encodable,
    factor,
    html_table,
    number,
    one_line,
)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (1.0, "1.0"),
        (-2.5, "−2.5"),
        (123456.0, "123456.0"),
        (0.1 + 0.2, "0.3000"),
        (3.36314, "3.3631"),
        (123456.789, "123456.7890"),
        (0.0013, "0.0013"),
        (-0.00268, "−0.00268"),
        (0.0026812, "0.002681"),
        (0.0706508, "0.07065"),
        (0.00099, "0.00099"),
        (0.000991234, "9.9123e−04"),
        (1e6, "1e+06"),
        (1234567.0, "1.2346e+06"),
        (5e-324, "4.941e−324"),
        (math.inf, "inf"),
        (-math.inf, "−inf"),
        (math.nan, "nan"),
    ],
)
def test_number(x: float, text: str) -> None:
    assert number(x) == text


def test_a_factor_is_in_parentheses_where_it_is_negative() -> None:
    assert (factor(-1.0), factor(1.0), factor(-math.inf)) == ("(−1.0)", "1.0", "(−inf)")


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


@pytest.mark.parametrize("exponent", range(-30, 30))
def test_four_significant_digits_are_shown_of_every_number(exponent: int) -> None:
    rng = random.Random(exponent)
    for _ in range(200):
        x = rng.choice((-1, 1)) * rng.uniform(1.0, 10.0) * 10.0**exponent
        for exact in (x, float(f"{x:.2g}"), float(f"{x:.4g}")):
            shown = float(number(exact).replace("−", "-"))
            assert abs(shown - exact) <= 0.5001e-3 * abs(exact)
            assert shown == exact or exact == x


def test_points_stand_below_each_other() -> None:
    rows = [["1.5", "a"], ["−12.25", "b"], ["7", "c"], ["1e−05", "d"]]
    assert aligned(rows, ". <") == ["    1.5  a", "  −12.25 b", "    7    c", "1e−05    d"]


def test_text_shows_as_lines_and_keeps_its_characters() -> None:
    text = Text("∂a\n→")
    assert (text, repr(text), f"{text}", text._repr_html_()) == (*["∂a\n→"] * 3, "<pre>∂a\n→</pre>")


class Stream(NamedTuple):
    encoding: str | None
    errors: str | None


@pytest.mark.parametrize(
    ("stream", "shown"),
    [
        (Stream("utf-8", "strict"), "∂a²·½ → √é😀"),
        (Stream("cp1252", "strict"), "da²·½ -> sqrté\\U0001f600"),
        (Stream("ascii", "strict"), "da^2*1/2 -> sqrt\\xe9\\U0001f600"),
        (Stream("cp1252", "replace"), "∂a²·½ → √é😀"),  # the stream has a way of its own
        (Stream(None, None), "∂a²·½ → √é😀"),
        (None, "∂a²·½ → √é😀"),
    ],
)
def test_what_a_stream_cannot_encode_is_spelt_in_ascii(stream: object, shown: str) -> None:
    assert encodable("∂a²·½ → √é😀", stream) == shown


def test_a_table_of_html_escapes_its_cells_and_leaves_empty_columns_out() -> None:
    table = html_table([["<a>", "", "1"]], ["name", "", "&"])
    assert re.findall(r">([^<>]+)</t[hd]>", table) == ["name", "&amp;", "&lt;a&gt;", "1"]
