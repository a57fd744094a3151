"""DOT text to a picture, by whichever renderer is installed."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from micrograd_like._internal.extras import load

VARIABLE = "MICROGRAD_LIKE_DOT"
FORMATS = ("svg", "png", "pdf")


def find_renderer() -> str:
    """The path of a program that takes dot's options.

    In this order: the one that the environment variable MICROGRAD_LIKE_DOT names, `dot`, and
    `graphviz-pure`, which comes with this package where its wheels exist, on the PATH or among the
    scripts of this Python. If there is none, RuntimeError says what to install.
    """
    if chosen := os.environ.get(VARIABLE):
        if found := shutil.which(chosen):
            return found
        raise RuntimeError(f"{VARIABLE} is {chosen!r}, but there is no such program")
    folders = (None, sysconfig.get_path("scripts"), str(Path(sys.executable).parent))
    for program in ("dot", "graphviz-pure"):
        for folder in folders:
            if found := shutil.which(program, path=folder):
                return found
    raise RuntimeError(
        "no program that renders DOT was found: pip install graphviz-pure, or install Graphviz "
        f"(its program is called dot), or name one in the environment variable {VARIABLE}; the "
        "DOT text itself is in .source, and .save('graph.dot') writes it"
    )


def render(source: str, form: str) -> bytes:
    """The picture that the DOT text `source` describes, as the bytes of an svg, png or pdf file.

    graphviz-pure writes no pdf: there svglib, which the extra `pdf` installs, makes it of the svg.
    A renderer that fails raises RuntimeError with what it said.
    """
    program = find_renderer()
    if form == "pdf" and Path(program).stem == "graphviz-pure":
        return _pdf(render(source, "svg"))
    done = subprocess.run(
        [program, "-Kdot", f"-T{form}"], input=source.encode(), capture_output=True, check=False
    )
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip() or "it wrote nothing"
        raise RuntimeError(f"{program} could not make the {form}: {said}")
    return done.stdout


def _pdf(svg: bytes) -> bytes:
    svglib, pdf = load("svglib.svglib", "pdf"), load("reportlab.graphics.renderPDF", "pdf")
    written: bytes = pdf.drawToString(svglib.svg2rlg(io.BytesIO(svg)))
    return written
