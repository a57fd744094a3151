"""Pages: the data packed in one, and waiting for one that allows no eval, as Playwright's does."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode
from typing import Any


def network_data(page: str) -> dict[str, Any]:
    """The data of a network's page, from its text."""
    [text] = re.findall(r'id="packed">(.*?)</script>', page, re.DOTALL)
    found: dict[str, Any] = json.loads(gzip.decompress(b64decode(text)))["network"]
    return found


def wait_until(page: Any, expression: str) -> None:
    """Ask the page again and again until `expression` is true there; half a minute is too long."""
    for _ in range(1500):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"{expression} did not become true")
