"""The text of a page: a template, filled with styles, scripts and data, that runs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from string import Template
from typing import Any


def read(name: str) -> str:
    """The text of a file of this room."""
    return (resources.files("micrograd_like.render") / name).read_text("utf-8")


def script_of(*parts: str) -> str:
    """Pieces of JavaScript as one script, without indentation and lines of nothing but comment."""
    lines = [line.strip() for line in "\n".join(['"use strict";', *parts]).splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def as_data(data: Any) -> str:
    """`data` as JSON that a page may hold: only "<" could end it too early."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def fill(
    template: str, *, style: str, script: str, inner: tuple[str, str] | None = None, **parts: str
) -> str:
    """The template's text with `parts`, which are HTML, and with this style and script alone.

    `inner` is the style and the script of a page that this one holds in a frame.
    """
    styles, scripts = [style], [script]
    if inner:
        styles.append(inner[0])
        scripts.append(inner[1])
    return Template(read(template)).substitute(
        style=style, script=script, styles=_digests(styles), scripts=_digests(scripts), **parts
    )


def _digests(texts: list[str]) -> str:
    """The hashes by which a policy names all that may run."""
    hashes = [hashlib.sha256(text.encode()).digest() for text in texts]
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
