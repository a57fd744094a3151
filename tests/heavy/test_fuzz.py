"""The fuzzing targets see what is wrong; `python -m tests.heavy.fuzz` looks for it."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from micrograd_like import Value, expressions, load, save
from micrograd_like.training import serialization
from tests.heavy.fuzz import expressions as expression_target
from tests.heavy.fuzz import files as file_target
from tests.heavy.fuzz.registry import TARGETS
from tests.support.commands import run
from tests.support.model_files import content, signed


def test_every_seed_is_good_and_gets_far(tmp_path: Path) -> None:
    for seed in expression_target.seeds():
        text, *settings = expression_target.arguments(seed)
        expressions.parse(text, expressions.parse_settings(settings))
        expression_target.check(seed)
    for seed in file_target.seeds():
        (tmp_path / "seed.json").write_bytes(seed)
        load(tmp_path / "seed.json")
        file_target.check(seed)


def lost(text: str, numbers: Any) -> Any:
    raise KeyError(text)


def wordy(text: str, numbers: Any) -> Any:
    raise expressions.ExpressionError(text * 1000)


def in_lines(text: str, numbers: Any) -> Any:
    raise expressions.ExpressionError("two\nlines")


def adding_from_the_right(text: str, numbers: Any) -> Any:
    return Value(1.0) - (Value(2.0) - 3), {}


def without_values(text: str, numbers: Any) -> Any:
    return Value(-4.0), {"a": 1.0}


@pytest.mark.parametrize(
    ("parse", "error", "says"),
    [
        (lost, KeyError, "1 - 2 - 3"),
        (wordy, AssertionError, "a message of 9000 characters"),
        (in_lines, AssertionError, "not one line"),
        (adding_from_the_right, AssertionError, r"2\.0, and -4\.0 in Python"),
        (without_values, AssertionError, "1.0 is no Value"),
    ],
)
def test_a_parser_that_fails_is_seen(
    parse: Any, error: type[Exception], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expression_target.check(b"1 - 2 - 3")
    monkeypatch.setattr(expression_target, "parse", parse)
    with pytest.raises(error, match=says):
        expression_target.check(b"1 - 2 - 3")


def test_a_parser_that_lets_attributes_through_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expression_target, "parse", lambda text, numbers: (Value(1.0), {}))
    with pytest.raises(AssertionError, match="Attribute was let through"):
        expression_target.check(b"().__class__")


def losing_a_bit(model: Any, path: Path, **more: Any) -> None:
    model.parameters()[0].data *= 1 + 2**-52
    save(model, path, **more)


def losing_the_history(model: Any, path: Path, **more: Any) -> None:
    save(model, path, **{**more, "history": None})


@pytest.mark.parametrize("broken", [losing_a_bit, losing_the_history])
def test_a_save_that_loses_something_is_seen(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = file_target.seeds()[4]
    monkeypatch.setattr(file_target, "save", broken)
    with pytest.raises(AssertionError):
        file_target.check(seed)


def test_a_load_that_does_not_look_at_the_checksum_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trusting(path: Path) -> Any:
        copy = tmp_path / "copy.json"
        copy.write_text(signed(content(path.read_bytes())))
        return serialization.load_checkpoint(copy)

    monkeypatch.setattr(file_target, "load_checkpoint", trusting)
    seed = file_target.seeds()[0]
    file_target.check(seed)
    with pytest.raises(AssertionError, match="checksum does not match"):
        file_target.check(seed.replace(b"relu", b"tanh"))


def littering(path: Path) -> Any:
    (path.parent / "litter").touch()
    return serialization.load_checkpoint(path)


def mending(path: Path) -> Any:
    path.write_text("{}")
    return serialization.load_checkpoint(path)


def blaming_another(path: Path) -> Any:
    raise serialization.ModelFileError("other.json", "it is not JSON")


@pytest.mark.parametrize(
    ("broken", "says"),
    [(littering, "left behind"), (mending, "was changed"), (blaming_another, "other.json")],
)
def test_a_load_that_leaves_something_behind_is_seen(
    broken: Callable[[Path], Any], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_target.check(b"[]")
    monkeypatch.setattr(file_target, "load_checkpoint", broken)
    monkeypatch.setattr(file_target, "FOLDER", tmp_path)
    with pytest.raises(AssertionError, match=says):
        file_target.check(b"[]")


def test_most_changes_of_a_file_get_past_its_checksum(tmp_path: Path) -> None:
    rng, values, path = random.Random(0), deepcopy(file_target.VALUES), tmp_path / "model.json"
    seeds, past, loaded = file_target.seeds(), 0, 0

    def flipped(data: bytes, longest: int) -> bytes:
        at = rng.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]

    for seed in range(300):
        changed = file_target.mutate(rng.choice(seeds), 1 << 16, seed, flipped)
        file_target.check(changed)
        path.write_bytes(changed)
        try:
            load(path)
        except serialization.ModelFileError as error:
            past += not any(word in error.reason for word in ("checksum", "not JSON", "ASCII"))
        else:
            loaded += 1
    assert past + loaded > 150
    assert loaded > 10
    assert repr(file_target.VALUES) == repr(values)


def test_a_right_checksum_is_not_the_reason_that_a_change_is_refused() -> None:
    for seed in file_target.seeds():
        assert signed(content(seed)).encode() == seed


def test_without_atheris_the_extra_is_named(tmp_path: Path) -> None:
    process = run([sys.executable, "-m", "tests.heavy.fuzz"], tmp_path, hidden=["atheris"])
    assert process.returncode == 1
    assert 'pip install "micrograd-like[fuzz]"' in process.stderr
    assert process.stderr.count("\n") == 1


def test_a_target_that_does_not_exist(tmp_path: Path) -> None:
    process = run([sys.executable, "-m", "tests.heavy.fuzz", "parser"], tmp_path)
    assert process.returncode == 2
    assert "unknown target 'parser': choose from expressions, files" in process.stderr


@pytest.mark.parametrize("name", TARGETS)
def test_an_input_is_shown_on_paper(name: str) -> None:
    assert TARGETS[name].shown(b"\xff\0\n").isascii()
