"""Packages that an extra installs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from micrograd_like._internal.extras import MissingExtraError, installed, load


def test_what_is_installed_is_loaded() -> None:
    import json.decoder

    assert load("json.decoder", "demos") is json.decoder


def test_what_is_missing_is_named_with_its_extra() -> None:
    with pytest.raises(MissingExtraError) as caught:
        load("no_such_package.part", "llvm")
    assert str(caught.value) == (
        "no_such_package is not installed; what needs it comes with "
        'pip install "micrograd-like[llvm]"'
    )
    assert caught.value.name == "no_such_package"
    assert isinstance(caught.value, ModuleNotFoundError)


class Refusal:
    """A finder that says itself that a module is missing."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "hidden_package":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_what_is_not_there_however_it_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [Refusal(), *sys.meta_path])
    monkeypatch.setitem(sys.modules, "unset_package", None)
    assert installed("json", "math")
    for name in ("no_such_package", "hidden_package", "unset_package"):
        assert not installed("json", name)


def test_a_package_that_misses_another_one_names_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_there.py").write_text("import the_other_half")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingExtraError, match="the_other_half is not installed"):
        load("half_there", "demos")
    assert "half_there" not in sys.modules
