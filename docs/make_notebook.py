"""Makes the notebook of the walk through backprop: python docs/make_notebook.py."""

import ast
import doctest
import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "backprop_in_the_repl.md"
NOTEBOOK = HERE / "backprop_in_the_repl.ipynb"
BLOCK = re.compile(r"^```pycon\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def cells(document: str) -> list[dict[str, Any]]:
    """The text between blocks as Markdown, and a code cell up to each output that is shown."""
    made: list[dict[str, Any]] = []
    for i, part in enumerate(BLOCK.split(document)):
        if i % 2 == 0:
            made.append({"cell_type": "markdown", "metadata": {}, "source": lines(part.strip())})
            continue
        waiting = ""
        for example in doctest.DocTestParser().get_examples(part):
            waiting += example.source
            if example.source.startswith("def "):
                waiting += "\n\n"
            if example.want or example.source.startswith(("import ", "from ")):
                made.append(code(waiting, example.want))
                waiting = ""
        if waiting:
            made.append(code(waiting, ""))
    return [cell | {"id": f"cell-{i}"} for i, cell in enumerate(made)]


def code(source: str, shown: str) -> dict[str, Any]:
    """A code cell with its output: what it printed, or the value of its last expression."""
    last = ast.parse(source).body[-1]
    printed = isinstance(last, ast.Expr) and ast.unparse(last).startswith("print(")
    output: dict[str, Any]
    if printed:
        output = {"output_type": "stream", "name": "stdout", "text": lines(shown)}
    else:
        data = {"text/plain": lines(shown.rstrip("\n"))}
        output = {"output_type": "execute_result", "execution_count": None, "metadata": {}}
        output["data"] = data
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [output] if shown else [],
        "source": lines(source.rstrip("\n")),
    }


def lines(text: str) -> list[str]:
    """Text as notebooks keep it."""
    return text.splitlines(keepends=True)


def notebook() -> str:
    """The notebook as it stands in its file."""
    book = {
        "cells": cells(SOURCE.read_text(encoding="utf-8")),
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    NOTEBOOK.write_text(notebook(), encoding="utf-8")
