"""Programs as source, built and run by what runs it: the system's C compiler, and node."""

from __future__ import annotations

import ctypes
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

COMPILER = shutil.which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler, cc")
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="needs node")
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1")
SHARED = ("-shared", "-fPIC", "-Wno-unused-function")


def built(source: str, folder: Path, *flags: str) -> Path:
    file, product = folder / "program.c", folder / "program"
    file.write_text(source, encoding="utf-8")
    command = [str(COMPILER), *STRICT, *flags, str(file), "-o", str(product), "-lm"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return product


def array(numbers: Sequence[float]) -> Any:
    return (ctypes.c_double * max(1, len(numbers)))(*numbers)


def called(library: Any, function: str, parameters: Any, rows: Any, results: int) -> Any:
    """The number that the function returns, and the `results` numbers that it writes."""
    call, out = getattr(library, function), array([0.0] * results)
    call.restype = ctypes.c_double if function.startswith("value_and_grad") else None
    flat = array([x for row in rows for x in row])
    returned = call(array(parameters), ctypes.c_size_t(len(rows)), flat, out)
    return returned, list(out)[:results]


def library_of(sources: Sequence[str], folder: Path) -> Any:
    """Programs in C in one library, since a compiler takes its time to start.

    The functions of the first are values_0 and value_and_grad_0.
    """
    helpers: dict[str, None] = {}
    texts = []
    for number, source in enumerate(sources):
        pieces = re.split(r"\n\n(?=static |void |double )", source.rstrip())[1:]
        helpers |= dict.fromkeys(piece for piece in pieces if piece.startswith("static"))
        own = [piece for piece in pieces if not piece.startswith("static")]
        texts += [re.sub(r"(values|value_and_grad)\(", rf"\1_{number}(", piece) for piece in own]
    text = "\n\n".join(["#include <math.h>\n#include <stddef.h>", *helpers, *texts])
    return ctypes.CDLL(str(built(text, folder, *SHARED)))


def gradients_of(calls: Sequence[tuple[str, Any, Any]], folder: Path) -> list[list[float]]:
    """The gradients by programs in JavaScript, each of parameters and rows."""
    lines = []
    for source, parameters, rows in calls:
        arguments = f"{_literal(parameters)}, {_literal(rows)}"
        lines.append(f"(() => {{ {source}\nreturn value_and_grad({arguments})[1]; }})()")
    file = folder / "programs.js"
    text = f"console.log(JSON.stringify([{', '.join(lines)}].map((g) => g.map(String))));"
    file.write_text(text, encoding="utf-8")
    run = subprocess.run([str(NODE), str(file)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return [[float(x) for x in gradient] for gradient in json.loads(run.stdout)]


def _literal(numbers: Any) -> str:
    if isinstance(numbers, list | tuple):
        return f"[{', '.join(map(_literal, numbers))}]"
    return repr(numbers).replace("inf", "Infinity").replace("nan", "NaN")
