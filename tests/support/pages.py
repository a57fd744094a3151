"""Pages: the data packed in one, waiting for one that allows no eval, and a walk by Tab."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


def network_data(page: str) -> dict[str, Any]:
    """The data of a network's page, from its text."""
    [text] = re.findall(r'id="packed">(.*?)</script>', page, re.DOTALL)
    found: dict[str, Any] = json.loads(gzip.decompress(b64decode(text)))["network"]
    return found


# What can be seen and used, and what of that the focus never came to.
OUT_OF_REACH = """Array.from(document.querySelectorAll(
  "button, input, select, textarea, summary, [tabindex='0']"
)).filter((part) => part.checkVisibility() && !part.disabled && !part.dataset.reached)
  .map((part) => part.id || part.outerHTML)"""


def tab_through(page: Any) -> None:
    """Press Tab until the focus has come to everything that it comes to."""
    for _ in range(500):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.reached"):
            return
        page.evaluate(
            "(({ activeElement: e, body }) => { if (e !== body) e.dataset.reached = 1; })(document)"
        )
    raise AssertionError("Tab never comes to an end")


def again_in(page: Any, html: str) -> None:
    """Another page in the same window."""
    path = Path(unquote(urlsplit(page.url).path))
    path.write_text(html, encoding="utf-8")
    page.goto(path.as_uri())


def wait_until(page: Any, expression: str) -> None:
    """Ask the page again and again until `expression` is true there; half a minute is too long."""
    for _ in range(1500):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"{expression} did not become true")
