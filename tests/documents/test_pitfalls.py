from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import docs_runner

PITFALLS = Path(__file__).parents[2] / "docs" / "pitfalls.md"


def test_the_laboratory_prints_what_it_says() -> None:
    assert docs_runner.run(PITFALLS) == 6


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("```python\nprint(1)\n```\n\n```text\n2\n```\n", "line 2 prints\n1\n"),
        ("```python\nprint(1)\n```\n\n```python\n```\n", "line 2 prints\n1\n"),
        ("```pycon\n>>> 1\n2\n```\n", "Expected:\n    2\nGot:\n    1"),
        ("```python\nx = 1\n```\n```pycon\n>>> x\n2\n```\n", "Got:\n    1"),
    ],
)
def test_the_runner_sees_a_difference(tmp_path: Path, text: str, problem: str) -> None:
    document = tmp_path / "wrong.md"
    document.write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError, match=re.escape(problem)):
        docs_runner.run(document)


def test_the_runner_names_the_line_of_an_error(tmp_path: Path) -> None:
    document = tmp_path / "wrong.md"
    document.write_text("text\n\n```python\nx = 1\nx / 0\n```\n", encoding="utf-8")
    with pytest.raises(ZeroDivisionError) as raised:
        docs_runner.run(document)
    assert raised.traceback[-1].lineno == 4  # counted from 0
