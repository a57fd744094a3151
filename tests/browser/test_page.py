"""The page of `explore` in headless Chromium, from a file, with the network off."""

from __future__ import annotations

import operator
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from micrograd_like import Value, explore, logsumexp
from micrograd_like._internal.text import number

HOSTILE = '</script><script>document.title="owned"</script> { | } < > " \\ & ∂'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "the browser tests need Debian's package chromium"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield running
        running.close()


def graph() -> tuple[Value, dict[str, Value]]:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    c = a * b
    d = c + a
    L = (d * 0.3).tanh() + a * a
    return L, {"c": c, "d": d, "L": L}


class Opener(Protocol):
    def __call__(self, html: str, **context: Any) -> Page: ...


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Opens a page in a window without a network; whatever it complains of fails the test."""
    complaints: list[str] = []

    def open_page(html: str, **context: Any) -> Page:
        page = browser.new_context(offline=True, **context).new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        (tmp_path / "page.html").write_text(html, encoding="utf-8")
        page.goto((tmp_path / "page.html").as_uri())
        return page

    requests: list[str] = []
    yield open_page
    assert not complaints
    assert [url for url in requests if not url.startswith(("file:", "about:"))] == []


def position(page: Page) -> int:
    return int(page.inner_text("#position").split()[0])


def grads(page: Page) -> dict[str, str]:
    rows = page.locator("#values tr").all()
    return {
        row.locator("td").nth(0).inner_text(): row.locator("td").nth(3).inner_text() for row in rows
    }


def snapshot(page: Page) -> tuple[str, str, str]:
    graph = page.locator("#graph").inner_html().replace(' style=""', "")
    return page.inner_text("#step"), page.inner_text("#values"), graph


def test_every_control_moves_the_pass(opened: Opener) -> None:
    L, names = graph()
    page = opened(explore(L, names=names).html)
    last = int(page.get_attribute("#slider", "max") or 0)
    assert (position(page), last) == (0, 6)
    assert page.is_disabled("#first")
    assert page.is_disabled("#back")
    actions: list[tuple[Callable[[], object], int]] = [
        (lambda: page.click("#next"), 1),
        (lambda: page.keyboard.press("ArrowRight"), 2),
        (lambda: page.click("#back"), 1),
        (lambda: page.keyboard.press("ArrowLeft"), 0),
        (lambda: page.keyboard.press("ArrowLeft"), 0),
        (lambda: page.click("#last"), last),
        (lambda: page.keyboard.press("ArrowRight"), last),
        (lambda: page.click("#first"), 0),
        (lambda: page.keyboard.press("End"), last),
        (lambda: page.keyboard.press("Home"), 0),
        (lambda: page.fill("#slider", "3"), 3),
        (lambda: page.focus("#slider"), 3),
        (lambda: page.keyboard.press("ArrowRight"), 4),  # once, not by slider and page both
    ]
    for action, expected in actions:
        action()
        assert position(page) == expected
    assert page.get_attribute("#slider", "value") is not None
    page.click("#first")
    page.click("#play")
    expect(page.locator("#position")).to_have_text(f"2 of {last}")
    page.click("#play")
    assert page.inner_text("#play") == "Play"


def test_forward_and_back_show_the_same(opened: Opener) -> None:
    L, names = graph()
    page = opened(explore(L, names=names).html)
    seen = [snapshot(page)]
    for _ in range(6):
        page.click("#next")
        seen.append(snapshot(page))
    assert len(set(seen)) == 7
    for expected in reversed(seen[:-1]):
        page.click("#back")
        assert snapshot(page) == expected


def test_the_last_step_shows_the_gradients_of_backward(opened: Opener) -> None:
    L, names = graph()
    page = opened(explore(L, names=names).html)
    assert all(node.grad == 0.0 for node in names.values())  # looking changed nothing
    page.click("#last")
    L.backward()
    (a, _), b = names["c"].parents, names["c"].parents[1]
    shown = grads(page)
    for name, value in {**names, "a": a, "b": b}.items():
        assert shown[name] == number(value.grad)
        assert f"grad {number(value.grad)}" in page.inner_text("#graph").replace("\xa0", " ")


def test_a_step_names_its_formula_and_marks_its_edge(opened: Opener) -> None:
    e = Value(1.0, label="e")
    L = e.tanh()
    page = opened(explore(L, names={"L": L}).html)
    page.click("#next")
    text = page.inner_text("#step")
    assert "L = tanh(e)" in text
    assert "∂L/∂e = 1 − L² = 0.4200" in text
    assert page.locator("#graph .edge.playing").count() == 1
    assert page.locator("#graph .node.playing").count() == 2  # the value and its operation


def test_labels_stay_text(opened: Opener) -> None:
    L = Value(1.0, label=HOSTILE) * 2
    page = opened(explore(L, names={"L": L}).html)
    page.click("#last")
    assert page.title() == "Backprop through L"
    shown = page.locator("#v0 text").first.text_content() or ""
    assert shown.replace("\xa0", " ") == HOSTILE


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_themes(opened: Opener, scheme: str) -> None:
    """WCAG 2: at least 4.5 to 1 between text and what is behind it."""
    L, names = graph()
    page = opened(explore(L, names=names).html, color_scheme=scheme)
    page.click("#last")
    ratios = page.evaluate(
        """() => {
          const canvas = document.createElement("canvas");
          const paint = canvas.getContext("2d", {willReadFrequently: true});
          const light = (color) => {
            paint.fillStyle = color; paint.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3)
              .map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          const page = light(getComputedStyle(document.body).backgroundColor);
          const found = [ratio(light(getComputedStyle(document.body).color), page)];
          for (const box of document.querySelectorAll("#graph .value")) {
            const [text, back] = ["text", "polygon"].map((part) =>
              light(getComputedStyle(box.querySelector(part)).fill));
            found.push(ratio(text, back));
          }
          return found;
        }"""
    )
    assert min(ratios) >= 4.5


def test_a_phone_scrolls_the_graph_and_not_the_page(opened: Opener) -> None:
    L, names = graph()
    html = explore(L, names=names).html
    page = opened(html, viewport={"width": 360, "height": 640})
    page.click("#next")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360
    for button in page.locator("button").all():
        box = button.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 44


def test_a_notebook_shows_it_in_a_sandboxed_frame(opened: Opener) -> None:
    L, names = graph()
    frame = explore(L, names=names)._repr_html_()
    assert 'sandbox="allow-scripts"' in frame
    page = opened(f"<!doctype html>{frame}")
    inner = page.frame_locator("iframe")
    inner.locator("#next").click()
    assert inner.locator("#position").inner_text() == "1 of 6"


def test_fifty_nodes_stay_below_100_kb() -> None:
    total = Value(0.0, label="s")
    for i in range(16):
        x = Value(float(i), label=f"x{i}")
        total = (total + x * x).tanh()
    assert len(explore(total).html.encode()) < 100_000


@pytest.mark.parametrize("step", [operator.mul, operator.truediv, lambda a, b: logsumexp([a, b])])
def test_a_chain_of_fifty_nodes_too(step: Callable[[Value, Value], Value]) -> None:
    """Two arrows to a node: the most there can be."""
    total, b = Value(1.1), Value(0.9)
    for _ in range(48):
        total = step(total, b)
    assert len(explore(total).html.encode()) < 100_000
