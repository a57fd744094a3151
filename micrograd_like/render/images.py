"""DOT text to a picture, by whichever renderer is installed."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from micrograd_like._internal.extras import load

VARIABLE = "MICROGRAD_LIKE_DOT"
FORMATS = ("svg", "png", "pdf")
MOST_SECONDS = 60
_DOTS = 96  # an inch of a png has, unless the DOT text says otherwise
MOST_PIXELS = 200 * _DOTS  # in a row or a column of a png; more helps nobody


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
    A renderer that fails raises RuntimeError with what it said, and so does one that takes longer
    than a minute.
    """
    program = find_renderer()
    if form == "pdf" and Path(program).stem == "graphviz-pure":
        return _pdf(render(source, "svg"))
    command = [program, "-Kdot", f"-T{form}"]
    if form == "png":
        command.append(f"-Gsize={MOST_PIXELS / _DOTS},{MOST_PIXELS / _DOTS}")  # inches
    try:
        done = subprocess.run(
            command, input=source.encode(), capture_output=True, check=False, timeout=MOST_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(
            f"{program} was still placing the boxes after {MOST_SECONDS} seconds: draw a smaller "
            "part, or give model= and a smaller max_nodes= to fold neurons and layers into boxes"
        ) from None
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip() or "it wrote nothing"
        raise RuntimeError(f"{program} could not make the {form}: {said}")
    if form == "svg":  # titles, such as v1, would show as tooltips
        return re.sub(rb"<title>.*?</title>\n?", b"", done.stdout)
    return done.stdout


def png_size(picture: bytes) -> tuple[int, int]:
    """The width and the height of a png in pixels, as its header says."""
    return int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")


def _pdf(svg: bytes) -> bytes:
    svglib, pdf = load("svglib.svglib", "pdf"), load("reportlab.graphics.renderPDF", "pdf")
    written: bytes = pdf.drawToString(svglib.svg2rlg(io.BytesIO(svg)))
    return written
