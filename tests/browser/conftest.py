"""Headless Chromium, and pages in it that can reach no network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.pages import wait_until

OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "the browser tests need Debian's package chromium"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=OPTIONS.split())
        yield running
        running.close()


class Opener(Protocol):
    def __call__(self, html: str, **context: Any) -> Page: ...


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Opens a page in a window without a network; whatever it complains of fails the test."""
    complaints: list[str] = []
    requests: list[str] = []
    contexts = []

    def open_page(html: str, **context: Any) -> Page:
        contexts.append(browser.new_context(offline=True, **context))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        (tmp_path / "page.html").write_text(html, encoding="utf-8")
        page.goto((tmp_path / "page.html").as_uri())
        wait_until(page, "!document.getElementById('main') || typeof show === 'function'")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints
    outside = [url for url in requests if not url.startswith(("file:", "about:", "data:", "blob:"))]
    assert outside == []
