"""The page of `explore` in headless Chromium, from a file, with the network off: what it shows."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Position, expect

from micrograd_like import MLP, Op, Value, explore, logsumexp, register
from micrograd_like._internal.text import number
from micrograd_like.operation import OPS
from tests.browser.conftest import Opener
from tests.support.pages import OUT_OF_REACH, tab_through, wait_until

HOSTILE = '</script><script>document.title="owned"</script> { | } < > " \\ & ∂ ${x} {0} {o} $pass'
NAMES = ("w1", "x1", "w2", "x2", "b")
STEPS = 6  # of the graph below, in each direction


def graph() -> tuple[Value, dict[str, Value]]:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    c = a * b
    d = c + a
    L = (d * 0.3).tanh() + a * a
    return L, {"c": c, "d": d, "L": L}


def network() -> tuple[Value, MLP]:
    model = MLP(2, [4, 1])
    x1, x2 = Value(0.5, label="x1"), Value(-0.3, label="x2")
    return (model([x1, x2]) - 1.0) ** 2, model


def position(page: Page) -> int:
    return int(page.input_value("#slider"))


def column(page: Page, number: int) -> dict[str, str]:
    """The cells of a column of the table, by the name of the value."""
    rows = page.locator("#values tr").all()
    return {
        row.locator("th").inner_text(): row.locator("td").nth(number).inner_text() for row in rows
    }


def snapshot(page: Page) -> tuple[str, str, str]:
    return (
        page.inner_text("#step"),
        page.inner_text("#values"),
        page.locator("#graph").inner_html().replace(' style=""', ""),
    )


def test_every_control_moves_along_one_timeline(opened: Opener) -> None:
    L, names = graph()
    page = opened(explore(L, names=names).html)
    last = 2 * STEPS
    assert page.get_attribute("#slider", "max") == str(last)
    assert position(page) == 0
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
        (lambda: page.focus("#number0"), 4),
        (lambda: page.keyboard.press("ArrowRight"), 4),  # which is the field's own
    ]
    for action, expected in actions:
        action()
        assert position(page) == expected
    page.click("#first")
    page.click("#play")
    expect(page.locator("#position")).to_have_text(f"forward 2 of {STEPS}")
    page.click("#play")
    assert page.inner_text("#play") == "Play"


def test_the_ends_keep_the_focus(opened: Opener) -> None:
    L, names = graph()
    page = opened(explore(L, names=names).html)
    for button, off in (("last", "next"), ("first", "back")):
        page.focus(f"#{button}")
        page.keyboard.press("Enter")
        for name in (button, off):
            assert page.get_attribute(f"#{name}", "aria-disabled") == "true"
        assert page.evaluate("document.activeElement.id") == button


def test_forward_and_back_show_the_same(opened: Opener) -> None:
    L, names = graph()
    page = opened(explore(L, names=names).html)
    seen = [snapshot(page)]
    for _ in range(2 * STEPS):
        page.click("#next")
        seen.append(snapshot(page))
    assert len(set(seen)) == 2 * STEPS + 1
    for expected in reversed(seen[:-1]):
        page.click("#back")
        assert snapshot(page) == expected


def test_values_come_first_and_gradients_then(opened: Opener) -> None:
    L, names = graph()
    page = opened(explore(L, names=names).html)
    assert all(node.grad == 0.0 for node in names.values())  # looking changed nothing
    assert column(page, 1) == {"a": "2.0", "b": "−3.0"} | dict.fromkeys(
        ["c", "d", "v1", "v2", "v3", "L"], "?"
    )
    assert set(column(page, 3).values()) == {"pending"}
    assert page.inner_text("#descended") == "L = ?"
    page.fill("#slider", str(STEPS))
    assert "?" not in column(page, 1).values()
    assert column(page, 3)["L"] == "complete"
    assert page.inner_text("#descended") == f"L = {number(names['L'].data)}"
    assert column(page, 2)["L"] == "1.0"
    page.click("#last")
    L.backward()
    (a, b) = names["c"].parents
    data, grads = column(page, 1), column(page, 2)
    picture = page.inner_text("#graph").replace("\xa0", " ")
    for name, value in {**names, "a": a, "b": b}.items():
        assert (data[name], grads[name]) == (number(value.data), number(value.grad))
        assert f"grad {number(value.grad)}" in picture


def test_a_step_has_its_formula_its_numbers_and_its_arrow(opened: Opener) -> None:
    e = Value(1.0, label="e")
    L = e.tanh()
    page = opened(explore(L, names={"L": L}).html)
    page.click("#next")
    assert "L = tanh(e) = tanh(1.0) = 0.7616" in page.inner_text("#step")
    page.click("#next")
    text = page.inner_text("#step")
    assert "∂L/∂e = 1 − L² = 1 − 0.7616² = 0.4200" in text
    assert "e.grad += 1.0 · 0.4200 = 0.4200   0.0 → 0.4200" in text
    assert page.locator("#graph .edge.playing").count() == 1
    assert page.locator("#graph .value.playing, #graph .operation.playing").count() == 2
    assert page.text_content("#graph .edge.playing .slope") == "×0.4200"
    spoken = page.get_attribute("#slider", "aria-valuetext")
    assert spoken == "backward 1 of 1: L = tanh(e),   L.grad = 1.0"
    page.fill("#number0", "-2")
    assert "∂L/∂e = 1 − L² = 1 − (−0.9640)² = 0.07065" in page.inner_text("#step")


def test_the_title_is_the_name_or_the_expression(opened: Opener) -> None:
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    c = a * b
    L = (c + 1.0).tanh()
    long = a
    for _ in range(30):
        long = long * b
    for root, names, title in [
        (L, {"L": L}, "L"),
        (L, {"c": c}, "tanh(c + 1)"),
        (L, {}, "tanh(a·b + 1)"),
        (long, {}, "an expression"),
        (a, {}, "a"),
    ]:
        page = opened(explore(root, names=names).html)
        assert page.title() == page.inner_text("h1") == f"Backprop through {title}"


def test_the_start_says_what_will_happen(opened: Opener) -> None:
    L, names = graph()
    page = opened(explore(L, names=names).html)
    assert page.inner_text("#position") == "start"
    told = page.inner_text("#step")
    assert told.startswith("The leaves have their numbers.")
    assert "to the value of L, then backwards" in told


def test_a_formula_that_does_not_compute_gives_way_to_one_that_does(opened: Opener) -> None:
    """1 − 1.0² would be 0; the local derivative is not. As in the stepper."""
    for op, number_, careful in (
        (Value.tanh, "20", "4·exp(−2·|e|)/(1 + exp(−2·|e|))²"),
        (Value.sigmoid, "40", "exp(−|e|)/(1 + exp(−|e|))²"),
    ):
        L = op(Value(1.0, label="e"))
        page = opened(explore(L, names={"L": L}).html)
        page.click("#last")
        assert careful not in page.inner_text("#step")
        page.fill("#number0", number_)
        assert f"= {careful} = " in page.inner_text("#step")
        assert f"|{number_}.0|" in page.inner_text("#step")
        page.fill("#number0", "inf")
        assert "grad" in page.inner_text("#step")


def test_names_that_read_like_formulas_stand_in_parentheses(opened: Opener) -> None:
    a, b, two = Value(2.0, label="a + b"), Value(3.0, label="x²"), Value(0.5, label="2")
    L = (a * b).tanh() ** 2.0 / two
    page = opened(explore(L, names={"L": L, "my L": L}).html)
    shown = page.inner_text("#values").replace("\xa0", " ")
    assert "a + b" in shown
    page.click("#next")
    assert page.inner_text("#step").startswith("v1 = (a + b)·(x²) = 2.0·3.0 = 6.0")
    page.click("#last")
    assert "∂v1/∂(a + b) = x² = 3.0   (a + b).grad += " in page.inner_text("#step")
    page.fill("#slider", "5")
    assert "L = v3/(2)" in page.inner_text("#step")
    page = opened(explore(a.tanh(), names={}).html)
    page.click("#next")
    assert page.inner_text("#step").startswith("v1 = tanh(a + b) = ")


@pytest.mark.parametrize("zoom", ["fit", "whole"])
def test_local_derivatives_do_not_cover_each_other(opened: Opener, zoom: str) -> None:
    w1, x1, w2, x2, b = [Value(x, n) for x, n in zip((1, -3, 2, 2, 0.5), NAMES, strict=True)]
    L = (w1 * x1 + w2 * x2 + b).relu() ** 2 + (w1 * w1 - x1 / w2).tanh()
    page = opened(explore(L, names={}).html)
    page.click("#last")
    page.click(f"#{zoom}")
    boxes = [box.bounding_box() for box in page.locator("#graph .slope").all()]
    found = [box for box in boxes if box]
    assert len(found) > 12
    for one, other in itertools.combinations(found, 2):
        across = min(one["x"] + one["width"], other["x"] + other["width"])
        down = min(one["y"] + one["height"], other["y"] + other["height"])
        wide = across - max(one["x"], other["x"])
        high = down - max(one["y"], other["y"])
        assert wide <= 1 or high <= 0.35 * one["height"], (one, other)  # digits are lower


def test_a_picture_that_is_larger_than_its_frame_says_so(opened: Opener) -> None:
    page = opened(explore(chain(30)).html)
    assert page.is_visible("#goes_on")
    page.click("#fit")
    assert page.is_hidden("#goes_on")


def test_an_operand_used_twice_is_told_apart(opened: Opener) -> None:
    a = Value(3.0, label="a")
    page = opened(explore(a - a).html)
    page.click("#last")
    assert "∂v1/∂(1st a) = 1 " in page.inner_text("#step")
    assert "∂v1/∂(2nd a) = −1 " in page.inner_text("#step")


def test_arrows_side_by_side_have_their_texts_apart(opened: Opener) -> None:
    a = Value(3.0, label="a")
    page = opened(explore(a * a).html)
    page.click("#last")
    [first, second] = [text.bounding_box() for text in page.locator("#graph .slope").all()]
    assert first
    assert second
    upper, lower = sorted([first, second], key=lambda box: box["y"])
    assert upper["y"] + upper["height"] <= lower["y"] + 1


def test_a_graph_starts_in_a_size_to_be_read(opened: Opener) -> None:
    page = opened(explore(chain(30)).html, viewport={"width": 1280, "height": 800})
    assert page.inner_text("#zoom") == "80 %"
    page = opened(explore(Value(1.0, label="a").tanh()).html)
    assert page.inner_text("#zoom") == "100 %"


def test_arrows_are_as_wide_as_what_they_carry(opened: Opener) -> None:
    a, b = Value(4.0, label="a"), Value(-1.0, label="b")
    page = opened(explore(a * b).html)
    page.click("#last")
    widths = page.evaluate(
        "[0, 1].map((i) => parseFloat(at(`e${i}`).querySelector('path').style.strokeWidth))"
    )
    assert widths == pytest.approx([1 + 5 * 0.5, 1 + 5])  # |∂/∂a| is a quarter of |∂/∂b|
    colours = page.evaluate("[0, 1].map((i) => at(`e${i}`).querySelector('path').style.stroke)")
    assert colours == ["var(--less)", "var(--more)"]


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_what_is_not_finite_has_a_look_of_its_own(opened: Opener, text: str) -> None:
    """Data that is nan too, where the gradient is healthy, and not by colour alone."""
    a = Value(1.0, label="a")
    page = opened(explore(a + 1).html)
    page.click("#last")
    assert page.locator("#graph .broken").count() == 0
    page.fill("#number0", text)
    assert page.locator("#graph .broken").count() == 2
    assert column(page, 1)["a"] == text.replace("-", "−")
    assert column(page, 2)["a"] == "1.0"
    assert page.evaluate("boxes[0].shapes[0].style.fill") == "var(--broken)"


def test_a_leaf_alone(opened: Opener) -> None:
    page = opened(explore(Value(3.0, label="a")).html)
    assert page.inner_text("#step") == "The root is a leaf."
    assert column(page, 2) == {"a": "1.0"}


def test_hostile_names_stay_text(opened: Opener) -> None:
    a, b = Value(2.0, label=HOSTILE), Value(3.0, label=HOSTILE)
    root = a * b
    page = opened(explore(Value(2.0, label="</h1></title><b>").tanh(), names={}).html)
    assert page.title() == page.inner_text("h1") == "Backprop through tanh(</h1></title><b>)"
    page = opened(explore(root, names={HOSTILE + "r": root}).html)
    page.click("#last")
    page.click("#copy")
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    page.fill("#slider", "1")
    page.click("#start_quiz")
    page.emulate_media(media="print")
    wait_until(page, "at('steps').rows.length === 2")
    assert page.title().startswith("Backprop through </script>")
    assert page.locator("script").count() == 2
    shown = page.locator("#v0 text").first.text_content() or ""
    assert shown.replace("\xa0", " ") == HOSTILE
    for place in ("#step", "#leaves", "#question", "#steps", "#values", "#nudged"):
        assert page.evaluate("nodes[0].name") in (page.text_content(place) or "")
    code = page.input_value("#code")
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    leaf = [
        x
        for x in namespace.values()
        if isinstance(x, Value) and x.label == page.evaluate("nodes[0].name")
    ]
    assert [x.grad for x in leaf] == [3.0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_themes(opened: Opener, scheme: str) -> None:
    """WCAG 2: at least 4.5 to 1 between text and what is behind it, nan and inf too."""
    L, names = graph()
    page = opened(explore(L, names=names).html, color_scheme=scheme)
    page.click("#last")
    for text in ("2", "nan", "inf"):
        page.fill("#number0", text)
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
              for (const text of document.querySelectorAll("#graph .slope")) {
                found.push(ratio(light(getComputedStyle(text).fill), page));
              }
              return found;
            }"""
        )
        assert len(ratios) > 10
        assert min(ratios) >= 4.5


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(opened: Opener, width: int, scheme: str) -> None:
    L, names = graph()
    page = opened(
        explore(L, names=names).html, viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    found = []
    for place in (0, STEPS + 1, 2 * STEPS):
        page.fill("#slider", str(place))
        if place:
            page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        found += Axe().run(page).response["violations"]
    assert [(rule["id"], rule["nodes"]) for rule in found] == []


def chain(count: int) -> Value:
    """A graph of that many nodes, with arms."""
    total = Value(0.5, label="s")
    nodes = 1
    while nodes + 3 <= count:
        total = (total + Value(0.1) * 2.0) if nodes % 2 else (total * Value(1.1) + 1.0)
        nodes += 3
    for _ in range(count - nodes):
        total = total.tanh()
    return total


def bush(count: int) -> Value:
    """A graph of that many nodes, as wide as it can be."""
    row = [Value(0.1 * i, f"x{i}") for i in range((count + 1) // 2)]
    while len(row) > 1:
        row = [a + b for a, b in itertools.pairwise(row)][::2] + row[len(row) // 2 * 2 :]
    return row[0] if count % 2 else row[0].tanh()


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("count", [30, 137, 500])
@pytest.mark.parametrize("build", [chain, bush])
def test_every_step_is_inside_the_frame_and_the_window(
    opened: Opener, build: Callable[[int], Value], count: int, width: int
) -> None:
    height = 844 if width == 390 else 800
    page = opened(explore(build(count)).html, viewport={"width": width, "height": height})
    hidden = page.evaluate(
        """async () => {
          const hidden = [];
          for (let step = 1; step <= last; step++) {
            go(step);
            const box = at(`v${current()}`).getBoundingClientRect();
            const view = frame.getBoundingClientRect();
            const top = Math.max(view.top, 0), bottom = Math.min(view.bottom, innerHeight);
            const inside = box.left >= view.left && box.right <= view.right
              && box.top >= top && box.bottom <= bottom;
            if (!inside) hidden.push([step, box.toJSON(), view.toJSON()]);
          }
          return [nodes.length, scrollY, hidden];
        }"""
    )
    assert hidden == [count, 0, []]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("quiz", [True, False])
def test_all_can_be_reached_by_the_keyboard(opened: Opener, quiz: bool) -> None:
    L, names = graph()
    page = opened(explore(L, names=names).html)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    if quiz:
        page.click("#start_quiz")  # which asks in a field of its own
    assert page.evaluate(OUT_OF_REACH)
    tab_through(page)
    assert page.evaluate(OUT_OF_REACH) == []


def test_zoom_and_fit(opened: Opener) -> None:
    page = opened(explore(chain(137)).html)

    def width() -> float:
        return float(page.evaluate("picture.getBoundingClientRect().width"))

    start = width()
    page.click("#larger")
    assert width() == pytest.approx(start * 1.25)
    page.click("#smaller")
    assert width() == pytest.approx(start)
    page.click("#whole")
    assert width() == pytest.approx(page.evaluate("graph.width"))
    assert page.inner_text("#zoom") == "100 %"
    page.click("#fit")
    assert width() <= page.evaluate("frame.clientWidth")
    assert page.evaluate("picture.getBoundingClientRect().height <= frame.clientHeight")


def test_the_pointer_drags_the_picture(opened: Opener) -> None:
    page = opened(explore(chain(137)).html)
    page.fill("#slider", "40")
    before = page.evaluate("frame.scrollLeft")
    place = page.locator("#graph").bounding_box()
    assert place
    page.mouse.move(place["x"] + 200, place["y"] + 50)
    page.mouse.down()
    page.mouse.move(place["x"] + 100, place["y"] + 50)
    page.mouse.up()
    assert page.evaluate("frame.scrollLeft") == pytest.approx(before + 100, abs=2)


def test_arrow_keys_step_from_the_graph_too_and_scroll_it_with_shift(opened: Opener) -> None:
    page = opened(explore(chain(137)).html)
    page.fill("#slider", "40")
    page.locator("#graph").click(position=Position(x=200, y=5))
    assert page.evaluate("document.activeElement.id") == "graph"
    page.keyboard.press("ArrowRight")
    assert position(page) == 41
    page.keyboard.press("ArrowLeft")
    assert position(page) == 40
    page.click("#larger")
    place = "[frame.scrollLeft, frame.scrollTop]"
    for focus in ("#graph", "#next"):
        page.focus(focus)
        [left, top] = page.evaluate(place)
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+ArrowUp")
        assert page.evaluate(place) == pytest.approx([left + 80, top - 80], abs=1)
    assert position(page) == 40


def test_numbers_are_made_narrower_to_fit_and_never_wider(opened: Opener) -> None:
    """As wide as the text is by itself, or as its box if that is less."""
    x, s = Value(1.0, label="x"), Value(1.0, label="a" * 40)
    page = opened(explore(x * s).html)
    page.click("#last")
    for text in ("-0.04035", "-8.4967e-17", "-1.2345e+300", "1", "-0.0001234567", "nan"):
        page.fill("#number0", text)
        page.fill("#number1", text)
        widths = page.evaluate(
            """() => [...boxes.flatMap(({ data, grad, room }) => [[data, room], [grad, room]]),
                ...arrows.flat().filter(Boolean).map(({ text }) => [text, WIDE])]
              .map(([text, room]) => {
                const seen = text.getBBox().width;
                const copy = text.parentNode.appendChild(text.cloneNode(true));
                copy.removeAttribute("textLength");
                const own = copy.getBBox().width;
                copy.remove();
                return [seen, own, room];
              })"""
        )
        assert len(widths) == 8
        for seen, own, room in widths:
            assert seen == pytest.approx(min(own, room), rel=0.02)


def test_a_phone_shows_a_step_with_its_operands(opened: Opener) -> None:
    page = opened(explore(chain(30)).html, viewport={"width": 390, "height": 844})
    hidden = page.evaluate(
        """() => {
          const hidden = [];
          const parts = (i) => [i, ...nodes[i].from.filter((x) => typeof x === "number")]
            .map((k) => at(`v${k}`).getBoundingClientRect());
          for (let step = 1; step <= last; step++) {
            go(step);
            const view = frame.getBoundingClientRect();
            const boxes = parts(current());
            const seen = boxes.every((b) => b.left >= view.left - 1 && b.right <= view.right + 1
              && b.top >= view.top - 1 && b.bottom <= view.bottom + 1);
            if (!seen) hidden.push([step, boxes, view]);
          }
          return hidden;
        }"""
    )
    assert hidden == []


def test_a_phone_scrolls_the_graph_and_not_the_page(opened: Opener) -> None:
    loss, model = network()
    page = opened(explore(loss, model=model).html, viewport={"width": 360, "height": 640})
    page.click("#next")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for button in page.locator("button:visible").all():
        box = button.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 44


def test_paper_has_the_whole_graph_and_every_step(opened: Opener) -> None:
    L, names = graph()
    page = opened(explore(L, names=names).html)
    page.fill("#number0", "1.5")
    page.emulate_media(media="print")
    wait_until(page, f"at('steps').rows.length === {2 * STEPS}")
    assert "c = a·b = 1.5·(−3.0) = −4.5" in page.inner_text("#printed")
    box = page.locator("#graph svg").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= page.evaluate("innerWidth")
    assert page.is_hidden("#controls")
    assert page.is_hidden("#panels")


def test_a_notebook_shows_it_in_a_sandboxed_frame(opened: Opener) -> None:
    L, names = graph()
    frame = explore(L, names=names)._repr_html_()
    assert 'sandbox="allow-scripts allow-downloads"' in frame
    page = opened(f"<!doctype html>{frame}")
    inner = page.frame_locator("iframe")
    inner.locator("#number0").fill("3")
    inner.locator("#next").click()
    assert inner.locator("#position").inner_text() == "forward 1 of 6"
    assert "c = a·b = 3.0·(−3.0) = −9.0" in inner.locator("#step").inner_text()


@pytest.fixture(params=["forward", "partial"])
def own(request: pytest.FixtureRequest) -> Iterator[Op]:
    """An operation of one's own, one function of which is Python for floats alone."""
    forward, slope = {
        "forward": (lambda a: 2.0 if float(a) > 0.0 else 0.0, lambda a, out: a),
        "partial": (lambda a: a - a + 2.0, lambda a, out: math.fabs(a)),
    }[request.param]
    yield register(Op("own", "own", forward, (slope,)))
    del OPS["own"]


def test_what_javascript_can_not_compute_is_played(opened: Opener, own: Op) -> None:
    a = Value(2.6, label="a")
    L = own(a) * 2
    page = opened(explore(L, names={"L": L}).html)
    assert "own" in page.inner_text("#note")
    assert "Python that takes only floats" in page.inner_text("#note")
    assert page.locator("#leaf_panel, #descent_panel, #nudge_panel").count() == 0
    page.click("#last")
    assert "= 2.6" in page.inner_text("#step")
    assert column(page, 1) == {"a": "2.6", "v1": "2.0", "L": "4.0"}
    assert column(page, 2) == {"a": "5.2", "v1": "2.0", "L": "1.0"}
    page.click("#copy")
    assert "v1 = ops.OPS['own'](a)" in page.input_value("#code")


def row_of_squares() -> Value:
    total = Value(0.0, label="s")
    for i in range(16):
        x = Value(float(i), label=f"x{i}")
        total = (total + x * x).tanh()
    return total


def chain_of(step: Callable[[Value, Value], Value]) -> Value:
    """Two arrows to a node: the most there can be."""
    total, b = Value(1.1), Value(0.9)
    for _ in range(48):
        total = step(total, b)
    return total


@pytest.mark.parametrize(
    "build",
    [
        row_of_squares,
        *[
            lambda step=step: chain_of(step)
            for step in (operator.mul, operator.truediv, lambda a, b: logsumexp([a, b]))
        ],
    ],
)
def test_fifty_nodes_stay_below_100_kb(build: Callable[[], Value]) -> None:
    assert len(explore(build()).html.encode()) < 100_000
