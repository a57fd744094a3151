"""Waiting for a page that allows no eval, which Playwright's own waiting takes."""

from __future__ import annotations

from typing import Any


def wait_until(page: Any, expression: str) -> None:
    """Ask the page again and again until `expression` is true there; half a minute is too long."""
    for _ in range(1500):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"{expression} did not become true")
