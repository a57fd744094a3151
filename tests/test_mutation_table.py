"""The table of planted bugs still fits the sources, and only a test that fails counts as a kill."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutation.mutant import PACKAGE, Mutant
from tests.mutation.mutants import MUTANTS
from tests.mutation.run import run_on_copy

ROOT = Path(__file__).parents[1]
mutants = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)


@mutants
def test_a_mutant_is_another_program(mutant: Mutant) -> None:
    before = (ROOT / PACKAGE / mutant.file).read_text(encoding="utf-8")
    after = mutant.mutated(ROOT)
    assert ast.dump(ast.parse(after)) != ast.dump(ast.parse(before))


@mutants
def test_the_tests_of_a_mutant_are_there(mutant: Mutant) -> None:
    assert mutant.tests
    for test in mutant.tests:
        file, _, function = test.partition("::")
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert not function or f"\ndef {function}(" in text


def test_names_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_a_text_that_is_there_twice_or_not_at_all_is_refused() -> None:
    for old in ("return", "no such text"):
        mutant = Mutant("m", "kind", "text.py", old, "", ())
        with pytest.raises(ValueError, match=rf"m: text\.py has \d+ times '{old}'"):
            mutant.mutated(ROOT)


@pytest.mark.parametrize(
    ("new", "killed_by"),
    [
        ("if value <= least:", "tests/test_checks.py::test_whole_numbers_of_any_type_become_ints"),
        ("if least > value:", ""),  # no bug
        ("if value <<< least:", ""),  # nothing can be imported, and so no test runs
    ],
)
def test_only_a_test_that_fails_is_a_kill(new: str, killed_by: str) -> None:
    mutant = Mutant("m", "kind", "checks.py", "if value < least:", new, ("test_checks.py",))
    run = run_on_copy(ROOT, mutant.tests, mutant)
    assert run.killed_by == killed_by, run.output


def test_a_bug_that_never_ends_is_ended() -> None:
    endless = "while True:\n    pass\n\n\ndef whole("
    mutant = Mutant("m", "kind", "checks.py", "def whole(", endless, ("test_checks.py",))
    run = run_on_copy(ROOT, mutant.tests, mutant, limit=0.5)
    assert "no end in" in run.killed_by, run.output
