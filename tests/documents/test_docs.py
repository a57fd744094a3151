"""The documents: their code runs and prints what they show, their links lead somewhere."""

from __future__ import annotations

import ast
import gzip
import json
import os
import re
import runpy
import subprocess
import sys
import xml.etree.ElementTree as ET
from base64 import b64decode
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import micrograd_like as ml
from micrograd_like._internal.text import width_of
from micrograd_like.operation import OPS
from tests.support import docs_runner

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [*DOCS, ROOT / "README.md"]
PICTURES = ROOT / "docs" / "pictures"
by_name = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)

RUN = {"python", "pycon", "console"}
SHOWN = {
    "text",  # what the block before it prints
    "sh",  # installs things: those of the README are run where a wheel is built and installed
    "c",  # which tests/programs compiles and runs
    "torch",  # Python which tests/peers runs, with PyTorch
    "engine",  # quoted from the source
    "ops",
}


@pytest.fixture(autouse=True)
def _table() -> Iterator[None]:
    before = set(OPS)
    yield
    for name in set(OPS) - before:
        del OPS[name]  # of an example that registers an operation


@pytest.mark.parametrize(
    "document",
    [path for path in DOCUMENTS if path.name != "devices.md"],  # which tests/peers runs, with JAX
    ids=lambda path: path.name,
)
def test_code_prints_what_the_document_shows(document: Path) -> None:
    found = list(docs_runner.blocks(document.read_text(encoding="utf-8")))
    assert {block.language for block in found} <= RUN | SHOWN
    assert docs_runner.run(document) == sum(block.language in RUN for block in found)


@by_name
def test_sessions_fit_a_terminal_of_80_columns(document: Path) -> None:
    """All but the lines that are quoted from the source."""
    for block in docs_runner.blocks(document.read_text(encoding="utf-8")):
        if block.language not in ("engine", "ops"):
            wide = [line for line in block.text.splitlines() if width_of(line) > 80]
            assert wide == [], f"{document.name}, line {block.line}"


@by_name
def test_quoted_lines_are_in_the_source(document: Path) -> None:
    for block in docs_runner.blocks(document.read_text(encoding="utf-8")):
        if block.language in ("engine", "ops"):
            source = (ROOT / "micrograd_like" / f"{block.language}.py").read_text(encoding="utf-8")
            assert f"\n{block.text}" in source, f"{document}, line {block.line}"


def anchors(document: Path) -> set[str]:
    """The anchors of the headings, made as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@by_name
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        there = (document.parent / path).resolve() if path else document
        assert there.exists(), target
        assert ROOT in there.parents, target
        if anchor:
            assert anchor in anchors(there), target


def test_the_index_lists_every_document() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for document in DOCS:
        assert document.name == "index.md" or f"({document.name})" in index


def test_the_page_of_names_is_fresh_and_whole() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    maker: Any = runpy.run_path(str(ROOT / "docs" / "make_api.py"))
    assert page == maker["page"](), "a docstring changed: run docs/make_api.py"
    assert set(ml.__all__) <= set(re.findall(r"`(\w+)", page))


def test_every_demo_is_in_the_list() -> None:
    text = (ROOT / "docs" / "demos.md").read_text(encoding="utf-8")
    for demo in (ROOT / "demos").glob("*.py"):
        assert f"(../demos/{demo.name})" in text


def test_every_picture_is_shown() -> None:
    text = "".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    shown = {Path(p).name for p in re.findall(r"\]\((?:docs/)?(pictures/[^)]+)\)", text)}
    assert {path.name for path in PICTURES.iterdir() if path.suffix in (".svg", ".html")} == shown


def test_the_notebook_is_the_document() -> None:
    maker: Any = runpy.run_path(str(ROOT / "docs" / "make_notebook.py"))
    book = maker["NOTEBOOK"].read_text(encoding="utf-8")
    assert book == maker["notebook"]()


def test_the_notebook_runs() -> None:
    """Cell by cell, as a notebook does: the last expression of a cell is its output."""
    book = json.loads((ROOT / "docs" / "backprop_in_the_repl.ipynb").read_text(encoding="utf-8"))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert len(code) > 15
    for cell in code:
        printed, value = run_cell("".join(cell["source"]), namespace)
        streams = [o["text"] for o in cell["outputs"] if o["output_type"] == "stream"]
        results = [o["data"]["text/plain"] for o in cell["outputs"] if "data" in o]
        assert printed == "".join(line for stream in streams for line in stream)
        assert value == ("".join(results[0]) if results else None)


def run_cell(source: str, namespace: dict[str, Any]) -> tuple[str, str | None]:
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    output, value = StringIO(), None
    with redirect_stdout(output):
        exec(compile(tree, "<cell>", "exec"), namespace)
        if last is not None:
            assert isinstance(last, ast.Expr)
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)
    return output.getvalue(), None if value is None else repr(value)


def words(picture: Path) -> list[str]:
    """The text in an SVG, which does not depend on who laid it out."""
    root = ET.parse(picture).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = root.iter("{http://www.w3.org/2000/svg}text")
    return sorted("".join(text.itertext()).strip() for text in texts)


@pytest.mark.slow
def test_pictures_are_those_that_the_project_draws(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, PICTURES / "draw_all.py", tmp_path],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {p.name for p in PICTURES.iterdir() if p.suffix in (".svg", ".html")}
    for name in drawn:
        if name.endswith(".svg"):
            assert words(tmp_path / name) == words(PICTURES / name) != [], name
        else:
            assert unpacked(tmp_path / name) == unpacked(PICTURES / name)


def unpacked(page: Path) -> str:
    """The text of a page; gzip makes other bytes of the same text elsewhere."""
    text = page.read_text(encoding="utf-8")
    return re.sub(
        r'(id="packed">)([^<]*)',
        lambda found: found[1] + gzip.decompress(b64decode(found[2])).decode(),
        text,
    )


def test_the_questions_of_the_package_name_what_there_is() -> None:
    table = (ml.__doc__ or "").split("\n=====")[1]
    called = re.findall(r"(?:^|[ (])(\w+)\(", table)
    assert {*called} <= {*ml.__all__, "print", "grad"}
    assert len(called) >= 12
