"""The prompt: its verbs, what it asks and how it is used at a terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from micrograd_like import Value
from micrograd_like.operation import detect_anomaly
from micrograd_like.stepping import prompt
from micrograd_like.stepping.prompt import debug
from micrograd_like.stepping.stepper import Stepper
from tests.support.prompts import (
    DONE,
    EXAMPLE,
    FIRST,
    FORWARD,
    GRADIENTS,
    ROOT,
    SECOND,
    STEP,
    THIRD,
    Terminal,
    talk,
)


def test_next_and_an_empty_line() -> None:
    assert talk("n", "", "next") == FIRST + SECOND + THIRD + GRADIENTS
    assert talk("n 2", "n 99", "n") == FIRST + SECOND + THIRD + GRADIENTS + DONE
    assert talk("", "", "w") == "0 of 3 steps done; next v3 = tanh(v2), with v3.grad = 1.0\n"


def test_back() -> None:
    assert talk("b") == "no step is done: n makes the first\n"
    assert talk("r", "b 2", "w") == (
        FIRST + SECOND + THIRD + GRADIENTS + f"taken back:\n{THIRD}taken back:\n{SECOND}"
        "1 of 3 steps done; next v2 = v1 + b, with v2.grad = 0.4200\n"
    )
    assert talk("n", "back 9", "w").endswith(f"taken back:\n{FIRST}" + talk("where"))


def test_run_and_reset() -> None:
    everything = FIRST + SECOND + THIRD + GRADIENTS
    assert talk("r") == talk("run") == talk("c") == talk("continue") == everything
    until = talk("r until b")
    assert until.startswith(FIRST + SECOND + "b   data -3.0   grad 0.419974")
    assert until.endswith("complete\n")
    assert talk("run b") == until
    assert talk("r", "reset") == everything + talk("w")


def test_list_marks_the_step_to_come() -> None:
    assert talk("n", "l") == FIRST + "   1  v3 = tanh(v2)\n-> 2  v2 = v1 + b\n   3  v1 = 2·a\n"


def test_graph() -> None:
    assert talk("graph") == (
        "-> v3 = tanh(v2)    data −0.7616   grad 1.0   next\n"
        "   └─ v2 = v1 + b   data −1.0      grad 0.0   waits for v3\n"
        "      ├─ v1 = 2·a   data  2.0      grad 0.0   waits for v2\n"
        "      │  └─ a       data  1.0      grad 0.0   waits for v1\n"
        "      └─ b          data −3.0      grad 0.0   waits for v2\n"
    )
    assert talk("g v1").startswith("   v1 = 2·a   data 2.0")


def test_print_has_all_digits() -> None:
    assert talk("p a v1") == (
        "a          data 1.0   grad 0.0   waits for v1\n"
        "v1 = 2·a   data 2.0   grad 0.0   waits for v2\n"
    )
    assert talk("a") == "a   data 1.0   grad 0.0   waits for v1\n"
    assert talk("p").startswith("print takes names")


def test_explain() -> None:
    assert talk("explain a") == "a.grad is not complete: v1 to come\na.grad = 0.0 so far\n"
    assert "(via v1) ∂v1/∂a · v1.grad" in talk("r", "e a")
    assert "v3 → v2 → v1 → a   0.4200 · 1.0 · 2.0 = 0.8399" in talk("r", "e a paths")


def test_forward_and_set() -> None:
    assert talk("f") == FORWARD
    expected = (
        "v1 = 2·a      = 2·1.5    = 3.0\n"
        "v2 = v1 + b   = 3 + (−3) = 0.0\n"
        "v3 = tanh(v2) = tanh(0)  = 0.0\n"
        "1 of 3 steps done; next v2 = v1 + b, with v2.grad = 1.0\n"
    )
    assert talk("n", "set a 1.5") == FIRST + expected
    assert talk("n", "s a = 1.5") == talk("n", "set a=1.5") == FIRST + expected


def test_nudge() -> None:
    said = talk("nudge a", "w")
    assert said.startswith("a 1.0 → 1.001 (+0.001)\nv3 −0.761594156 → ")
    assert "the gradient says  0.8399\n" in said
    assert said.endswith(talk("w"))
    assert talk("nudge b −0.5").startswith("b −3.0 → −3.5 (−0.5)\n")


def test_forward_mode_beside_the_pass() -> None:
    said = talk("n", "tangent a", "w")
    assert "a.tangent = 1.0\n" in said
    assert "v3.tangent +=" in said
    assert "∂v3/∂a = 0.8399, by a pass for a alone" in said
    assert said.endswith(talk("n", "w").splitlines(keepends=True)[-1])  # the pass stands still
    # After another number has been set, the tangent is that of the graph as it is now.
    assert "∂v3/∂a = 2.0, by a pass for a alone" in talk("set a 1.5", "tangent a")


def test_descend() -> None:
    said = talk("n", "descend", "p a b", "w")
    assert "leaf  gradient  before  change" in said
    assert "after = before − 0.1·gradient\n" in said
    assert "a   data 0.916" in said
    assert said.endswith("0 of 3 steps done; next v3 = tanh(v2), with v3.grad = 1.0\n")
    assert "before − 0.5·gradient" in talk("descend 0.5")


def test_an_earlier_pass_is_put_aside_and_restored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a = Value(3.0, "a")
    root = a * a
    root.backward()
    monkeypatch.setattr(sys, "stdin", io.StringIO("p a\nr\nrestore\np a\nr\n"))
    debug(root)
    said = capsys.readouterr().out
    assert "an earlier pass left a.grad = 6.0; this one starts from 0" in said
    assert "grad 0.0   waits for root" in said
    assert "grad 6.0   waits for root" in said
    assert a.grad == 6.0


def test_the_prompt_keeps_to_the_numbers_of_the_graph(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a = Value(3.0, "a")
    root = a * 2
    a.data = 10.0
    monkeypatch.setattr(sys, "stdin", io.StringIO("g\np a\n"))
    debug(root)
    said = capsys.readouterr().out
    assert "root = a·2 = 3·2 = 6.0" in said
    assert "the graph is older than its leaves: a was 3.0 and is 10.0 now" in said
    assert said.count("data 3.0, now 10.0") == 2


def test_help_has_every_verb() -> None:
    said = talk("h")
    assert said == talk("help") == talk("?")
    verbs = [name.removeprefix("do_") for name in dir(prompt.Prompt) if name.startswith("do_")]
    for verb in verbs:
        assert f"  {verb} " in said
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize("verb", ["q", "quit"])
def test_quit_stops_reading(verb: str) -> None:
    assert talk(verb, "n") == ""


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("frob", "'frob' is neither a verb nor a name; h lists the verbs"),
        ("p q", "no node is called 'q'; there are a, v1, b, v2, v3"),
        ("r until v9", "no node is called 'v9'; there are v3, v2, v1"),
        ("graph q", "no node is called 'q'"),
        ("explain", "no node is called ''"),
        ("set", "'' is not a number: write one, as in set a 3"),
        ("set a", "'a' is not a number"),
        ("set a x", "'x' is not a number"),
        ("set v1 2", "v1 = 2·a is computed: only a leaf can be set"),
        ("n 0", "COUNT is a whole number above 0, got '0'"),
        ("n -1", "COUNT is a whole number above 0, got '-1'"),
        ("n two", "COUNT is a whole number above 0, got 'two'"),
        ("predict maybe", "predict takes on or off, got 'maybe'"),
        ("nudge", "no node is called ''"),
        ("tangent", "no node is called ''"),
        ("tangent x", "no node is called 'x'"),
        ("nudge a x", "'x' is not a number: write one, as in nudge a 0.001"),
        ("nudge a 0", "by=0.0 does not move a = 1.0"),
        ("nudge v1 1", "v1 = 2·a is computed: only a leaf can be nudged"),
        ("descend fast", "'fast' is not a number: write one, as in descend 0.1"),
        ("descend -1", "the rate is above 0 and finite, got -1.0"),
        ("list 3", "list takes nothing after it, got '3'"),
        ("reset all", "reset takes nothing after it, got 'all'"),
        ("! ls", "'!' is neither a verb nor a name"),
        ("\x1b[A", r"'\x1b[A' is neither a verb nor a name"),
    ],
)
def test_what_is_not_understood_is_repeated_in_one_line(line: str, answer: str) -> None:
    said = talk(line, "w")
    assert said.startswith(answer)
    assert said.endswith(talk("w"))
    assert said.count("\n") == 2


def test_a_large_pass_prints_the_last_steps_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    x = Value(1.0, "x")
    root = x
    for _ in range(3000):
        root = root * 1.0
    monkeypatch.setattr(sys, "stdin", io.StringIO("r until v5\ngraph\nlist\nr\nlist\n"))
    debug(root)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3000 steps back, from root.grad = 1; h lists the verbs"
    assert lines[1] == "2995 steps, the last 20:"
    assert lines[21].startswith("v6 = v5·1:")
    assert lines[22].startswith("v5 = v4·1   data 1.0   grad 1.0   next")
    assert lines[23].startswith("-> v5 = v4·1")
    assert "-> 2996  v5 = v4·1" in lines
    last = [*(f"v{i + 1} = v{i}·1" for i in range(10, 0, -1)), "v1 = x·1"]
    assert lines[-11:] == [f"   {2990 + i}  {title}" for i, title in enumerate(last)]
    assert len(lines) < 71


def test_the_variables_of_the_caller_name_the_nodes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    speed = Value(2.0)
    energy = 0.5 * speed**2
    debug(energy)
    assert capsys.readouterr().out.splitlines()[:2] == [
        "v1 = speed²     = 2²    = 4.0",
        "energy = 0.5·v1 = 0.5·4 = 2.0",
    ]
    debug(energy, names={})
    assert "speed" not in capsys.readouterr().out


def test_an_anomaly_is_said_and_the_prompt_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    x = Value(0.0, "x")
    root = x.sqrt() * 2
    monkeypatch.setattr(sys, "stdin", io.StringIO("r\nw\n"))
    with detect_anomaly():
        debug(root, names={})
    said = capsys.readouterr().out.splitlines()
    assert said[-2].startswith("backward: sqrt of")
    assert said[-1] == "1 of 2 steps done; next v1 = √(x), with v1.grad = 2.0"


def test_completion_knows_verbs_and_names() -> None:
    w = [Value(1.0), Value(2.0)]
    shell = prompt.Prompt(Stepper(w[0] * w[1], names={"w": w, "product": None}))
    assert shell.completenames("pr", "pr", 0, 2) == ["print ", "predict "]
    assert shell.completenames("v", "v", 0, 1) == ["v1"]
    assert shell.completedefault("w", "p w", 2, 3) == ["w[0]", "w[1]"]
    assert shell.completedefault("1", "p w[1", 4, 5) == ["1]"]  # "[" ends a word for readline
    assert shell.completedefault("", "p x", 3, 3) == []


# Questions: guesses are judged, verbs are followed, and nothing is lost.

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
    assert terminal.process.wait(300) == 0
    terminal.close()


# The command line.


def step(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*STEP, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        timeout=300,
        check=False,
    )


def test_piped_the_command_prints_all_steps() -> None:
    result = step(*EXAMPLE)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{FORWARD}\n{FIRST}{SECOND}{THIRD}{GRADIENTS}"


@pytest.mark.parametrize(
    "arguments",
    [
        ("a.__class__", "a=1"),
        ("__import__('os').system('true')",),
        ("9**9**9",),
        ("(" * 10_000 + "a" + ")" * 10_000, "a=1"),
        ("[x for x in a]", "a=1"),
        ("lambda: 1",),
        ("a + b", "a=1"),
        ("a", "a=1", "b=2"),
        ("a", "a=one"),
        ("a\nb", "a=1"),
    ],
)
def test_a_bad_expression_is_one_line_and_exit_code_2(arguments: tuple[str, ...]) -> None:
    result = step(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("micrograd-like: ")
    assert result.stderr.count("\n") == 1


# A terminal.


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    result = Terminal(*EXAMPLE)
    yield result
    result.close()


def test_on_a_terminal_the_command_opens_the_prompt(terminal: Terminal) -> None:
    greeting = terminal.read("(step) ")
    assert greeting == FORWARD + "3 steps back, from v3.grad = 1; h lists the verbs\n(step) "
    assert terminal.type("n\r") == f"n\n{FIRST}(step) "
    assert terminal.type("\r") == f"\n{SECOND}(step) "
    assert terminal.type("b\r") == f"b\ntaken back:\n{SECOND}(step) "
    assert "∂v3/∂v2" not in terminal.type("w\r")
    assert terminal.type("q\r", until="never").startswith("q\n")
    assert terminal.process.wait(300) == 0


def test_ctrl_c_returns_to_the_prompt_and_ctrl_d_leaves(terminal: Terminal) -> None:
    terminal.read("(step) ")
    assert terminal.type("nex\x03").endswith(
        "\n0 of 3 steps done; next v3 = tanh(v2), with v3.grad = 1.0\n(step) "
    )
    terminal.type("predict on\r")
    terminal.type("n\r", until="∂v3/∂v2 · v3.grad = ")
    assert "0 of 3 steps done" in terminal.type("\x03")  # the question is left, no step is made
    assert terminal.type("\x04", until="never").endswith("\n")
    assert terminal.process.wait(300) == 0


def test_tab_completes(terminal: Terminal) -> None:
    pytest.importorskip("readline")
    terminal.read("(step) ")
    assert "waits for v3" in terminal.type("pri\tv2\r")
    assert "0 of 3 steps done" in terminal.type("whe\t\r")


def test_all_steps_are_printed_on_a_terminal_when_asked() -> None:
    terminal = Terminal(*EXAMPLE, "--all")
    assert terminal.read("never") == f"{FORWARD}\n{FIRST}{SECOND}{THIRD}{GRADIENTS}"
    assert terminal.process.wait(300) == 0
    terminal.close()
