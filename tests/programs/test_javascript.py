"""The text of programs as JavaScript; tests/browser runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from micrograd_like import Op, Value, compile, register
from micrograd_like.operation import OPS
from micrograd_like.operation import Op as Row
from micrograd_like.programs.javascript import NotWritten, Script


@pytest.fixture
def own() -> Iterator[Callable[..., Op]]:
    """Adds rows to the table until the test is over."""
    before = {*OPS}
    yield lambda name, forward, *partials: register(Row(name, name, forward, partials))
    for name in {*OPS} - before:
        del OPS[name]


def test_the_source_says_what_is_computed() -> None:
    w, x = Value(3.0, "w"), Value(2.0, "x")
    score = w * x
    score.label = "score"
    source = compile(score.tanh(), [x], backend="javascript").source
    assert "  for (const [x0] of rows) {\n    const v2 = p0 * x0; // score\n" in source
    assert "    const v3 = tanh(v2);\n" in source
    assert source.count("function value_and_grad(parameters, rows)") == 1
    several = compile([score, x], [x], backend="javascript").source
    assert "value_and_grad" not in several


def test_a_label_stays_a_comment() -> None:
    x = Value(2.0)
    y = x * 3
    y.label = "</script><!--\u2028alert(1)\n*/"
    source = compile(y, [x], backend="javascript").source
    assert "</script" not in source
    assert "<!--" not in source
    assert "\u2028" not in source
    [line] = [line for line in source.splitlines() if "alert" in line]
    assert line.startswith("    const v1 = x0 * 3.0; // ")


def test_python_can_not_call_it() -> None:
    w, x = Value(3.0), Value(2.0)
    program = compile(w * x, [x], backend="javascript")
    assert program.backend == "javascript"
    for call in (program, program.value_and_grad, program.backward):
        with pytest.raises(RuntimeError, match="runs in a browser or under node"):
            call([[1.0]])
    assert w.grad == 0.0


def test_rows_of_ones_own(own: Callable[..., Op]) -> None:
    """Written as expressions they are in the source under names of their own; Python is refused."""
    cube = own("cube", lambda a: a * a * a, lambda a, out: 3 * a * a)
    twice = own("delete", lambda a: OPS["exp"](a), lambda a, out: out)
    x = Value(2.0)
    source = compile(twice(cube(x)), [x], backend="javascript").source
    assert "cube" not in source  # spelled out
    script = Script()
    assert script.forward(twice) == "(a) => op_delete(a)"
    assert script.functions == ["const op_delete = (a) => exp(a);"]

    rounded = own("rounded", lambda a: float(round(a)), lambda a, out: 0.0)
    with pytest.raises(ValueError, match=r"'javascript' can't run rounded: .*Python that takes"):
        compile(rounded(x), [x], backend="javascript")
    bent = own("bent", lambda a: a * 2, lambda a, out: 2.0 if a > 0 else 3.0)
    with pytest.raises(ValueError, match=r"'javascript' can't run bent"):
        compile(bent(Value(1.0)) + x, [x], backend="javascript")
    for decides in (lambda a: 2.0 if a == 3.0 else a, lambda a: a if a != 3.0 else 2.0):
        with pytest.raises(NotWritten):
            Script().function(decides, 1)


def test_every_row_of_the_table_has_a_form() -> None:
    script = Script()
    for op in list(OPS.values()):
        texts = [script.forward(op)]
        texts += [script.function(partial, len(op.partials) + 1) for partial in op.partials]
        assert all(" => " in text for text in texts)


def test_numbers_are_written_exactly() -> None:
    x = Value(2.0)
    numbers: list[Any] = [float("inf"), float("-inf"), float("nan"), -0.0, 5e-324, 0.1]
    source = compile([x + number for number in numbers], [x], backend="javascript").source
    for text in ["Infinity", "(-Infinity)", "NaN", "(-0.0)", "5e-324", "0.1"]:
        assert f"x0 + {text};" in source
