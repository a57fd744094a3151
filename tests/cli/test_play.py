"""The command `micrograd-like play`: pages of networks, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from micrograd_like._internal.extras import installed
from micrograd_like.cli import main
from tests.support.pages import network_data


@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        ("moons", "2-16-16-1"),
        ("circles", "2-16-16-1"),
        ("spirals", "2-16-16-1"),
        ("xor", "2-16-1"),
        pytest.param(
            "digits",
            "64-16-10",
            marks=pytest.mark.skipif(not installed("sklearn"), reason="needs scikit-learn"),
        ),
    ],
)
def test_a_page_of_each_data_set(
    data: str, sizes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "page.html"
    assert main(["play", data, "-o", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    page = path.read_text("utf-8")
    assert f"<title>A {sizes} network that trains</title>" in page
    assert len(page.encode()) < 300_000


def test_choices_are_in_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["play", "xor", "--hidden", "3,2", "--activation", "tanh", "--seed", "3"]) == 0
    first = (tmp_path / "xor.html").read_text("utf-8")
    assert "A 2-3-2-1 network" in first
    assert "tanh" in json.dumps(network_data(first))
    main(["play", "xor", "--hidden", "3,2", "--activation", "tanh", "--seed", "3"])
    assert (tmp_path / "xor.html").read_text("utf-8") == first
    main(["play", "xor", "--hidden", "3,2", "--activation", "tanh", "--seed", "4"])
    assert (tmp_path / "xor.html").read_text("utf-8") != first


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["names"], "invalid choice: 'names'"),
        (["xor", "--hidden", "0"], "expected sizes such as 16,16"),
        (["xor", "--hidden", "100,100,100"], "make it smaller"),
        (["xor", "-o", "page.txt"], "a page is saved as .html"),
    ],
)
def test_what_is_refused_is_one_line(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["play", *arguments])
    except SystemExit as error:
        code = int(error.code or 0)
    assert code == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
