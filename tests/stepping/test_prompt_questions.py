"""Questions at the prompt: guesses are judged, verbs are followed, and nothing is lost."""

from __future__ import annotations

import io
import sys

import pytest

from micrograd_like import Value
from micrograd_like.stepping.prompt import debug
from tests.support.prompts import EXAMPLE, FIRST, GRADIENTS, SECOND, THIRD, Terminal, talk

ASKED = "∂v3/∂v2 · v3.grad = "
HEADER = "v3 = tanh(v2) = tanh(−1) = −0.7616, v3.grad = 1.0\n"


def test_predict() -> None:
    question = HEADER + ASKED
    assert talk("predict on", "n", "0.42", "w") == (
        question + f"right: 1 of 1 so far\n{FIRST}" + talk("n", "w").removeprefix(FIRST)
    )
    assert talk("predict on", "n", "1 - 0.7616**2") == question + f"right: 1 of 1 so far\n{FIRST}"
    assert talk("predict on", "n", "0.58") == question + f"no, 0.4200: 0 of 1 so far\n{FIRST}"
    assert talk("predict on", "n", "") == question + FIRST
    assert talk("predict on", "n", "much", "") == (
        question
        + "'much' is neither a number nor a verb; an empty line skips the question\n"
        + ASKED
        + FIRST
    )
    assert talk("predict on", "n") == question + "\n"  # the input ends: no step is made
    assert talk("predict on", "predict off", "n") == FIRST
    later = talk("predict on", "n", "0.42", "n", "0.42", "1")
    assert "right: 2 of 2 so far\n∂v2/∂b · v2.grad = no, 0.4200: 2 of 3 so far\n" in later


def test_predict_says_whether_it_is_on() -> None:
    assert talk("predict") == "predict is off; predict on turns it on\n"
    assert talk("predict on", "predict") == "predict is on; predict off turns it off\n"


@pytest.mark.parametrize("line", ["h", "?", "e a", "explain a paths", "p a", "a", "v2", "graph"])
def test_a_question_is_asked_again_after_a_verb_that_shows_something(line: str) -> None:
    said = talk("predict on", "n", line, "0.42")
    assert said == HEADER + ASKED + talk(line) + ASKED + f"right: 1 of 1 so far\n{FIRST}"


@pytest.mark.parametrize("line", ["b", "b no", "n 0", "explain q", "set a x", "w all", "predict x"])
def test_a_question_outlives_a_verb_that_fails(line: str) -> None:
    said = talk("predict on", "n", line, "0.42")
    assert said == HEADER + ASKED + talk(line) + ASKED + f"right: 1 of 1 so far\n{FIRST}"


def test_a_verb_that_moves_ends_the_question() -> None:
    second = "v2 = v1 + b = 2 + (−3) = −1.0, v2.grad = 0.4200\n∂v2/∂v1 · v2.grad = "
    start = ("predict on", "n", "", "n")
    before = HEADER + ASKED + FIRST + second
    assert talk(*start, "b", "w") == before + f"taken back:\n{FIRST}" + talk("w")
    assert talk(*start, "reset") == before + talk("w")
    assert talk(*start, "r") == before + SECOND + THIRD + GRADIENTS
    assert talk(*start, "run until b") == before + talk("r until b").removeprefix(FIRST)
    assert talk(*start, "n", "w") == before + SECOND + talk("n 2", "w").removeprefix(FIRST + SECOND)
    assert talk(*start, "n 2") == before + SECOND + THIRD + GRADIENTS
    assert (
        talk("predict on", "n 3", "n", "w") == HEADER + ASKED + FIRST + talk("n", "w")[len(FIRST) :]
    )


@pytest.mark.parametrize("verb", ["q", "quit"])
def test_a_question_can_be_answered_by_leaving(verb: str) -> None:
    assert talk("predict on", "n", verb, "w") == HEADER + ASKED


def test_predict_off_ends_the_question_and_makes_the_step() -> None:
    assert talk("predict on", "n 2", "predict off") == HEADER + ASKED + FIRST + SECOND


def test_a_question_is_about_the_numbers_as_they_are_now() -> None:
    """At a = 1.5 the slope of tanh is that at 0: 1."""
    said = talk("predict on", "n", "set a 1.5", "1")
    assert said.startswith(HEADER + ASKED + "v1 = 2·a      = 2·1.5    = 3.0\n")
    assert said.endswith(
        ASKED + "right: 1 of 1 so far\n"
        "v3 = tanh(v2):  ∂v3/∂v2 = 1 − v3² = 1.0   v2.grad += 1.0 · 1.0   0.0 → 1.0\n"
    )


def test_an_empty_line_repeats_what_asked() -> None:
    said = talk("predict on", "n", "w", "0.42", "", "0.42", "0.42")
    assert said.endswith("3 of 3 so far\n" + SECOND)


def test_an_expression_is_a_guess_even_if_it_is_a_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pi, inf = Value(2.0, "pi"), Value(1.0, "inf")
    monkeypatch.setattr(sys, "stdin", io.StringIO("predict on\nn\npi\ninf\n"))
    debug(pi * inf * 1.0, names={})
    assert "no, 1.0: 0 of 1 so far" in capsys.readouterr().out


def test_verbs_are_understood_at_a_question() -> None:
    terminal = Terminal(*EXAMPLE)
    terminal.read("(step) ")
    terminal.type("predict on\r")
    terminal.type("n\r", until=ASKED)
    assert "a.grad is not complete" in terminal.type("e a\r", until=ASKED)
    assert "0 of 3 steps done" in terminal.type("w\r", until=ASKED)
    assert terminal.type("n\r") == f"n\n{FIRST}(step) "
    terminal.type("\r", until="∂v2/∂v1 · v2.grad = ")
    assert terminal.type("b\r") == f"b\ntaken back:\n{FIRST}(step) "
    terminal.type("n\r", until=ASKED)
    assert terminal.type("q\r", until="never") == "q\n"
    assert terminal.process.wait(10) == 0
    terminal.close()
