"""Finding a renderer, and what is said where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from micrograd_like import Value, draw
from micrograd_like.render import images

PICTURE = "import micrograd_like as ml; print(ml.draw(ml.Value(1.0) + 1).svg[:4])"


def test_an_empty_path_is_enough() -> None:
    environment = {**os.environ, "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", PICTURE], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "<svg\n"


def test_no_renderer_is_one_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    drawing = draw(Value(1.0))
    assert drawing.source.startswith("digraph")
    with pytest.raises(RuntimeError, match="pip install graphviz-pure"):
        drawing.save(tmp_path / "graph.png")
    assert not list(tmp_path.iterdir())
    drawing.save(tmp_path / "graph.dot")


def test_the_variable_names_the_renderer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "renderer"
    program.write_text('#!/bin/sh\necho "<svg from $0 $*>"\n')
    program.chmod(0o755)
    monkeypatch.setenv(images.VARIABLE, str(program))
    assert draw(Value(1.0)).svg == f"<svg from {program} -Kdot -Tsvg>\n"
    monkeypatch.setenv(images.VARIABLE, "no-such-program")
    with pytest.raises(RuntimeError, match="no-such-program"):
        images.find_renderer()


def test_what_a_failing_renderer_said_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "renderer"
    program.write_text("#!/bin/sh\necho 'out of paper' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv(images.VARIABLE, str(program))
    with pytest.raises(RuntimeError, match="could not make the png: out of paper"):
        images.render("digraph {}", "png")
