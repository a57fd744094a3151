"""The text of a page: a template, filled with styles, scripts and data, that runs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
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


def style_of(*names: str) -> str:
    """Files of style as one, without indentation and comments."""
    text = re.sub(r"/\*.*?\*/", "", "".join(map(read, names)), flags=re.DOTALL)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def as_data(data: Any) -> str:
    """`data` as JSON that a page may hold: only "<" could end it too early."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def fill(
    template: str, *, styles: Mapping[str, str], scripts: Mapping[str, str], **parts: str
) -> str:
    """The template's text with `parts`, which are HTML, and with these styles and scripts alone.

    Those that have no place in the template are allowed to the pages that it holds in frames.
    """
    return Template(read(template)).substitute(
        parts,
        **styles,
        **scripts,
        style_policy=_digests(styles.values()),
        script_policy=_digests(scripts.values()),
    )


def _digests(texts: Iterable[str]) -> str:
    """The hashes by which a policy names all that may run."""
    hashes = [hashlib.sha256(text.encode()).digest() for text in texts]
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
