"""The page in which a network trains, in headless Chromium, against the engine."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import chain, pairwise
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Frame, Page, Position, expect

from micrograd_like import (
    MLP,
    SGD,
    Adam,
    AdamW,
    Module,
    Neuron,
    Value,
    binary_cross_entropy_with_logits,
    blobs,
    cross_entropy,
    explore,
    hinge_loss,
    moons,
    mse_loss,
)
from micrograd_like._internal.text import number
from tests.browser.conftest import Opener
from tests.support.pages import OUT_OF_REACH, tab_through, wait_until

HOSTILE = "</script><img src=x onerror=alert(1)>&@svg@@title@ $style"


def data(n: int = 24) -> tuple[list[list[float]], list[int]]:
    return moons(n, 0.1, random.Random(1))


def network(*hidden: int, **choices: Any) -> MLP:
    return MLP(2, [*(hidden or (4,)), 1], init="he", rng=random.Random(2), **choices)


def train(page: Page, steps: int) -> list[float]:
    found: list[float] = page.evaluate(
        f"(() => {{ for (let k = 0; k < {steps}; k++) advance(); show(); "
        "return Array.from(parameters); })()"
    )
    return found


def opened_frame(page: Page, unit: int) -> Frame:
    page.locator("button.unit").nth(unit).click()
    wait_until(page, "loaded")
    [frame] = [frame for frame in page.frames if frame.parent_frame is not None]
    return frame


# Numbers


def hinge(outputs: list[Any], targets: list[Any]) -> Any:
    return hinge_loss(outputs, [2 * t - 1 for t in targets])


@pytest.mark.parametrize(
    ("make", "activation", "loss"),
    [
        (lambda ps: SGD(ps, 0.1), "relu", binary_cross_entropy_with_logits),
        (lambda ps: Adam(ps, 0.0123), "relu", binary_cross_entropy_with_logits),
        (lambda ps: SGD(ps, 0.05, momentum=0.9, nesterov=True), "sigmoid", hinge),
        (lambda ps: AdamW(ps, 0.01, weight_decay=0.1), "tanh", mse_loss),
        (lambda ps: Adam(ps, 0.01, weight_decay=0.1), "sigmoid", mse_loss),
    ],
    ids=["SGD", "Adam", "Nesterov", "AdamW", "decay"],
)
def test_a_hundred_steps_are_those_of_the_engine(
    opened: Opener, make: Any, activation: str, loss: Any
) -> None:
    X, y = data()
    model = network(4, 3, activation=activation)
    page = opened(explore(model, X, y, loss=loss, optimizer=make(model.parameters())).html)
    found = train(page, 100)
    optimizer = make(model.parameters())
    for _ in range(100):
        optimizer.zero_grad()
        loss([model(x) for x in X], y).backward()
        optimizer.step()
    assert found == pytest.approx([p.data for p in model.parameters()], rel=1e-9, abs=1e-9)
    cost = loss([model(x) for x in X], y).data
    assert page.inner_text("#where").startswith(f"step 100: loss {number(cost)}")


def test_many_classes_in_batches_are_those_of_the_engine(opened: Opener) -> None:
    X, y = blobs(30, rng=random.Random(4))
    model = MLP(2, [5, 3], activation="tanh", rng=random.Random(3))
    page = opened(explore(model, X, y, loss=cross_entropy).html)
    page.select_option("#batch", "10")
    batches = page.evaluate(
        "(() => { const seen = []; for (let k = 0; k < 9; k++) { "
        "backward_over(seen[k] = next_batch()); UPDATES[rule](0.01, moves++, parameters, "
        "gradient, buffers, net.moved); } return seen; })()"
    )
    assert all(sorted(chain(*batches[k : k + 3])) == list(range(30)) for k in (0, 3, 6))
    assert batches[:3] != batches[3:6]
    optimizer = Adam(model.parameters(), 0.01)
    for batch in batches:
        optimizer.zero_grad()
        cross_entropy([model(X[i]) for i in batch], [y[i] for i in batch]).backward()
        optimizer.step()
    found = page.evaluate("Array.from(parameters)")
    assert found == pytest.approx([p.data for p in model.parameters()], rel=1e-9, abs=1e-12)
    page.evaluate("show()")
    right = sum(
        max(range(3), key=lambda k: model(x)[k].data) == t for x, t in zip(X, y, strict=True)
    )
    assert page.inner_text("#where").endswith(f"{right} of 30 right")


def test_zero_passes_nothing_back(opened: Opener) -> None:
    """As in the engine, not even to a local derivative of inf."""

    def loss(outputs: list[Any], targets: list[Any]) -> Any:
        return sum((z.relu().sqrt() - t) ** 2 for z, t in zip(outputs, targets, strict=True)) / len(
            targets
        )

    model = MLP(1, [1], rng=random.Random(1))
    for parameter in model.parameters():
        parameter.data = -1.0
    page = opened(explore(model, [[1.0], [2.0]], [0.5, 0.25], loss=loss).html)
    page.evaluate("backward_over(order)")
    loss([model([1.0]), model([2.0])], [0.5, 0.25]).backward()
    found = page.evaluate("Array.from(gradient)")
    assert found == [parameter.grad for parameter in model.parameters()]


def test_what_goes_through_the_network_stands_at_its_neurons(opened: Opener) -> None:
    X, y = data()
    model = network(3)
    page = opened(explore(model, X, y, loss=binary_cross_entropy_with_logits).html)
    page.fill("#example", "7")
    hidden = [neuron(X[7]).data for neuron in model.layers[0].neurons]
    output = model(X[7]).data
    shown = [float(text.replace("−", "-")) for text in page.locator(".unit span").all_inner_texts()]
    assert shown == pytest.approx([*X[7], *hidden, output], abs=0.0051)
    assert page.inner_text("#shown").startswith(
        f"x1 = {number(X[7][0])}, x2 = {number(X[7][1])}. Output {number(output)}: class "
    )
    spoken = page.get_attribute("#example", "aria-valuetext") or ""
    assert spoken.startswith("example 8 of 24: x1 = ")


def test_a_click_on_the_plane_takes_the_example_there(opened: Opener) -> None:
    X, y = data()
    page = opened(explore(network(), X, y, loss=binary_cross_entropy_with_logits).html)
    for i in (3, 11):
        x, y_ = page.evaluate(f"place_of(net.rows[{i}])")
        box = page.locator("#dots").bounding_box()
        assert box
        place = Position(x=x * box["width"] + 1, y=y_ * box["height"] - 1)
        page.click("#dots", position=place)
        assert page.inner_text("#which") == f"{i + 1} of 24"


def test_any_point_of_the_plane_goes_through_the_network(opened: Opener) -> None:
    """A click or the arrow keys choose it; what it has no target for is said to be missing."""
    X, y = data()
    model = network(3)
    page = opened(explore(model, X, y, loss=binary_cross_entropy_with_logits).html)

    def check(point: list[float]) -> None:
        hidden = [neuron(point).data for neuron in model.layers[0].neurons]
        texts = page.locator(".unit span").all_inner_texts()
        shown = [float(text.replace("−", "-")) for text in texts]
        assert shown == pytest.approx([*point, *hidden, model(point).data], abs=0.0051)

    box = page.locator("#dots").bounding_box()
    assert box
    page.click("#dots", position=Position(x=box["width"] / 4, y=box["height"] - 3))
    point = page.evaluate("point")
    ends = page.evaluate("extent")
    assert point == pytest.approx(
        [0.75 * ends[0][0] + 0.25 * ends[0][1], ends[1][0]], abs=0.02 * (ends[0][1] - ends[0][0])
    )
    check(point)
    assert page.inner_text("#which") == "none"
    assert "right" not in page.inner_text("#shown")
    assert page.inner_text("#shown").endswith("A point that is no example has no target.")
    page.focus("#plane")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    moved = page.evaluate("point")
    assert moved[0] == pytest.approx(point[0] + (ends[0][1] - ends[0][0]) / 48)
    assert moved[1] == pytest.approx(point[1] + (ends[1][1] - ends[1][0]) / 48)
    assert page.evaluate("steps") == 0
    check(moved)

    frame = opened_frame(page, 2)
    neuron = model.layers[0].neurons[2]
    model.zero_grad()
    neuron(moved).backward()
    frame.evaluate("go(last)")
    names = frame.evaluate("graph.leaves.map((leaf) => name(leaf.node))")
    grads = frame.evaluate("graph.leaves.map((leaf) => full[leaf.node])")
    found = dict(zip(names, grads, strict=True))
    assert [found[name] for name in ("w.0", "w.1", "b")] == pytest.approx(
        [x.grad for x in neuron.parameters()]
    )
    assert "∂out/∂out" in frame.evaluate("(go(middle), document.getElementById('step').innerText)")
    assert "the point has no target" in page.inner_text("#unit_hint")
    page.fill("#example", "7")
    assert page.inner_text("#which") == "8 of 24"
    assert page.inner_text("#unit_title").endswith("for example 8")


@pytest.mark.parametrize("nouts", [[3, 1], [1]])
def test_of_one_input_the_output_is_a_curve(opened: Opener, nouts: list[int]) -> None:
    """The ends of its lines are outputs of the engine, and examples are at their targets."""
    X, y = [[k / 4 - 3] for k in range(21)], [float(k % 5) for k in range(21)]
    model = MLP(1, nouts, activation="tanh", rng=random.Random(3))
    page = opened(explore(model, X, y, loss=mse_loss).html)
    assert page.evaluate("extent") == [pytest.approx(ends) for ends in ([-3.5, 2.5], [-2.0, 6.0])]
    assert page.evaluate("place_of(net.rows[4])") == pytest.approx([1.5 / 6, 1 - 6 / 8])
    ends = page.evaluate("[...borders.map(([from]) => from), borders.at(-1)[1]]")
    assert [x for x, _ in ends] == pytest.approx([(k + 0.5) / 192 for k in range(192)])
    for x, y_ in ends[::13]:
        assert 6 - 8 * y_ == pytest.approx(model([6 * x - 3.5]).data, rel=1e-9, abs=1e-9)
    assert "upwards: output and target, −2.00 to 6.00" in page.inner_text("#marks")
    ink = """(() => {
      const { width, height } = at("dots");
      const pixels = at("dots").getContext("2d").getImageData(0, 0, width, height).data;
      return pixels.filter((x, k) => k % 4 === 3 && x > 0).length; })()"""
    assert page.evaluate(ink) > 1000

    box = page.locator("#dots").bounding_box()
    assert box
    page.click("#dots", position=Position(x=box["width"] / 4, y=3))
    page.focus("#plane")
    page.keyboard.press("ArrowUp")
    [x, _] = page.evaluate("point")
    assert x == pytest.approx(-2.0, abs=0.05)
    expect(page.locator("#shown")).to_contain_text(f"Output {number(model([x]).data)}.")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("point")[0] == pytest.approx(x + 6 / 48)
    frame = opened_frame(page, 0)
    assert "for the point (−1." in page.inner_text("#unit_title")
    assert frame.evaluate("graph.leaves.length") == 3
    page.evaluate("close_unit()")
    before = page.evaluate("JSON.stringify(borders)")
    train(page, 5)
    assert page.evaluate("JSON.stringify(borders)") != before


def test_marks_show_the_class_and_what_is_wrong_at_once(opened: Opener) -> None:
    """Of two that are wrong, the mark in the middle still tells the classes apart."""
    X, y = data()
    page = opened(explore(network(), X, y, loss=binary_cross_entropy_with_logits).html)
    middles = page.evaluate(
        """[0, 1].map((label) => [false, true].map((wrong) => {
          const canvas = document.createElement("canvas");
          const context = canvas.getContext("2d", { willReadFrequently: true });
          mark(context, 20, 20, label, wrong);
          return [context.getImageData(16, 16, 9, 9), context.getImageData(10, 10, 20, 20)]
            .map(({ data }) => data.join());
        }))"""
    )
    for right, wrong in middles:
        assert right[1] != wrong[1]
    assert len({middles[label][1][0] for label in (0, 1)}) == 2
    told = page.inner_text("#marks")
    for text in ("class 0", "class 1", "answered wrongly", "output above 0: class 1"):
        assert text in told
    across, up = (sorted(row[j] for row in X) for j in (0, 1))
    for xs, axis in ((across, "left to right: input 1"), (up, "upwards: input 2")):
        room = (xs[-1] - xs[0]) / 10
        ends = [f"{end:.2f}".replace("-", "−") for end in (xs[0] - room, xs[-1] + room)]
        assert f"{axis}, {' to '.join(ends)}" in told


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_the_ends_of_the_curve_stand_beside_it(opened: Opener, width: int) -> None:
    X, y = data()
    page = opened(
        explore(network(), X, y, loss=mse_loss).html, viewport={"width": width, "height": 800}
    )
    train(page, 3)
    curve = page.locator("#curve").bounding_box()
    assert curve
    for end in ("#high", "#low"):
        box = page.locator(end).bounding_box()
        assert box
        assert box["x"] + box["width"] <= curve["x"]


def test_the_curve_and_the_rate_are_in_the_window_that_the_plane_fills(opened: Opener) -> None:
    X, y = moons(100, 0.1, random.Random(1))
    html = explore(network(16, 16), X, y, loss=mse_loss).html
    sides = []
    for width, height in ((1280, 720), (1366, 768), (1920, 1080)):
        page = opened(html, viewport={"width": width, "height": height})
        boxes = [page.locator(part).bounding_box() for part in ("#plane", "#chart", "#settings")]
        assert all(box and box["y"] + box["height"] < height for box in boxes)
        sides.append(boxes[0]["width"] if boxes[0] else 0)
    assert sides[-1] > 1.3 * sides[0]


def test_an_opened_neuron_has_the_keys_and_says_what_is_tried_out_in_it(opened: Opener) -> None:
    X, y = data()
    page = opened(explore(network(3, 2), X, y, loss=mse_loss).html)
    frame = opened_frame(page, 3)
    for key, step in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        wait_until(frame, f"position === {step}")
    assert page.evaluate("steps") == 0
    note = frame.locator("#leaf_panel p[role=status]")
    expect(note).to_have_text("")
    held = frame.evaluate("number(seed)")
    frame.fill("#number0", "2.5")
    expect(note).to_contain_text("the network does not follow")
    expect(note).to_contain_text(f"∂loss/∂out stays at {held}")
    page.click("#one")
    expect(note).to_have_text("")
    assert page.evaluate("steps") == 1


def test_a_long_curve_keeps_its_whole_history(opened: Opener) -> None:
    X, y = data(4)
    page = opened(explore(MLP(2, [1]), X, y, loss=mse_loss).html)
    seen = page.evaluate(
        "(() => { let [points, paints] = [[], []]; for (let s = 0; s < 5001; s++) { "
        "points = extended(points, s, s); if (s % 7 < 2) paints = extended(paints, s, s); } "
        "return [points, paints]; })()"
    )
    for points, gap in zip(seen, (8, 16), strict=True):
        steps = [step for step, _ in points]
        assert len(steps) <= 800
        assert steps[0] == 0
        assert steps[-1] > 4980
        assert max(b - a for a, b in pairwise(steps)) <= gap
    train(page, 3000)
    drawn = page.evaluate(
        "at('losses').getAttribute('points').split(' ').map((xy) => Number(xy.split(',')[0]))"
    )
    assert max(b - a for a, b in pairwise(drawn)) < 2  # of 298


def test_a_neuron_opens_to_its_scalars(opened: Opener) -> None:
    """With the values and the gradients that it has for the example, and follows the training."""
    X, y = data()
    model = network(3, 2)
    page = opened(explore(model, X, y, loss=binary_cross_entropy_with_logits).html)
    page.fill("#example", "5")
    frame = opened_frame(page, 3)  # the first of the second layer
    for steps in (0, 4):
        if steps:
            train(page, steps)
            wait_until(frame, f"leaves[0] === {page.evaluate('parameters[9 + 3]')!r}")
            for parameter, x in zip(
                model.parameters(), page.evaluate("Array.from(parameters)"), strict=True
            ):
                parameter.data = x
        model.zero_grad()
        hidden = [Value(neuron(X[5]).data) for neuron in model.layers[0].neurons]
        neuron = model.layers[1].neurons[0]
        out = neuron(hidden)
        other = model.layers[1].neurons[1](hidden)
        binary_cross_entropy_with_logits([model.layers[2]([out, other])], [y[5]]).backward()
        frame.evaluate("go(last)")
        names = frame.evaluate("graph.leaves.map((leaf) => name(leaf.node))")
        grads = dict(
            zip(names, frame.evaluate("graph.leaves.map((leaf) => full[leaf.node])"), strict=True)
        )
        values = dict(zip(names, frame.evaluate("leaves"), strict=True))
        want = {f"w.{i}": w for i, w in enumerate(neuron.w)} | {"b": neuron.b}
        want |= {f"h0.{i}": x for i, x in enumerate(hidden)}
        assert values == pytest.approx({name: x.data for name, x in want.items()})
        here = {f"h0.{i}": out.grad * (out.data > 0) * w.data for i, w in enumerate(neuron.w)}
        assert grads == pytest.approx(
            {name: x.grad for name, x in want.items() if name[0] != "h"} | here
        )
    assert frame.locator("h1").inner_text() == "layers.1.neurons.0"
    assert "∂loss/∂out" in frame.evaluate("(go(middle), document.getElementById('step').innerText)")
    for way in ("button", "the title", "the frame"):
        if way == "button":
            page.click("#close")
        else:
            frame = opened_frame(page, 3)
            if way == "the frame":
                frame.focus("#next")
            page.keyboard.press("Escape")
        expect(page.locator("#opened")).to_be_hidden()
        assert page.evaluate("document.activeElement === cells[3].cell")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_controls_do_not_cover_an_opened_neuron(opened: Opener, width: int) -> None:
    X, y = data()
    html = explore(network(8, 8), X, y, loss=mse_loss).html
    page = opened(html, viewport={"width": width, "height": 844})
    opened_frame(page, 9)
    title, controls = [page.locator(x).bounding_box() for x in ("#unit_title", "#controls")]
    assert title
    assert controls
    assert title["y"] >= controls["y"] + controls["height"]


# The page


@pytest.mark.parametrize("features", [2, 16])
def test_train_step_and_reset(opened: Opener, features: int) -> None:
    rng = random.Random(5)
    X = [[rng.uniform(0, 1) for _ in range(features)] for _ in range(20)]
    model = MLP(features, [3, 1], rng=rng)
    page = opened(explore(model, X, [int(x[0] > 0.5) for x in X], loss=mse_loss).html)
    start = page.evaluate("Array.from(parameters)")
    page.focus("#train")
    page.keyboard.press("Enter")
    wait_until(page, "steps > 3")
    page.keyboard.press("Enter")
    page.click("#one")
    steps = page.evaluate("steps")
    assert page.inner_text("#where").startswith(f"step {steps}: loss ")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("steps") == steps + 1
    assert page.evaluate("at('losses').points.length") > 2
    page.click("#again")
    assert page.evaluate("[steps, Array.from(parameters)]") == [0, start]
    assert page.inner_text("#where").startswith("step 0: loss ")


def test_all_can_be_reached_by_the_keyboard(opened: Opener) -> None:
    X, y = data()
    page = opened(explore(network(2), X, y, loss=mse_loss).html)
    seen = []
    for _ in range(13):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.ariaLabel"))
    assert seen[:9] == [
        "train",
        "one",
        "again",
        "plane",
        "example",
        "rate",
        "rule",
        "batch",
        "speed",
    ]
    assert [name.split(":")[0] for name in seen[9:12]] == [
        "layers.0.neurons.0",
        "layers.0.neurons.1",
        "layers.1.neurons.0",
    ]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    wait_until(page, "loaded")
    assert page.evaluate("document.activeElement.id") == "unit_title"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "close"


def test_nothing_of_a_page_of_images_is_out_of_reach(opened: Opener) -> None:
    page = opened(images_page())
    tab_through(page)
    assert page.evaluate(OUT_OF_REACH) == []


def images_page() -> str:
    rng = random.Random(6)
    X = [[rng.choice((0.0, 1.0)) for _ in range(64)] for _ in range(30)]
    model = MLP(64, [4, 10], rng=rng)
    return explore(model, X, [i % 10 for i in range(30)], loss=cross_entropy).html


def classes_page() -> str:
    X, y = blobs(30, rng=random.Random(4))
    model = MLP(2, [5, 3], activation="tanh", rng=random.Random(3))
    return explore(model, X, y, loss=cross_entropy).html


def curve_page() -> str:
    X = [[k / 5 - 3] for k in range(31)]
    model = MLP(1, [5, 1], activation="tanh", rng=random.Random(3))
    return explore(model, X, [x**2 for [x] in X], loss=mse_loss).html


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("make", [images_page, classes_page, curve_page])
def test_axe_finds_nothing_in_images_classes_and_curves(
    opened: Opener, make: Callable[[], str], width: int, scheme: str
) -> None:
    page = opened(make(), viewport={"width": width, "height": 800}, color_scheme=scheme)
    found = Axe().run(page).response["violations"]
    train(page, 20)
    found += Axe().run(page).response["violations"]
    assert [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_rate_that_is_too_large_stops_and_says_so(opened: Opener) -> None:
    X, y = data()
    model = network(4)
    page = opened(explore(model, X, y, loss=mse_loss, optimizer=SGD(model.parameters(), 10)).html)
    page.click("#train")
    wait_until(page, "timer === null && steps > 0")
    assert "Reset, and try a smaller rate" in page.inner_text("#said")
    assert page.locator(".unit.broken").count() > 0
    assert page.locator("#wires .broken").count() > 0
    finite = max(y for _, y in page.evaluate("losses.filter(([, y]) => Number.isFinite(y))"))
    assert page.inner_text("#high") == number(finite)
    assert "it ends where the loss is nan" in page.inner_text("#curves")
    heights = {
        xy.split(",")[1] for xy in page.evaluate("at('losses').getAttribute('points')").split()
    }
    assert len(heights) > 1
    assert page.inner_text("#legend .wrong") == "nan or inf, line dotted"


def test_one_painting_is_of_the_same_numbers(opened: Opener) -> None:
    """And it appears at once, though training went on between its parts."""
    X, y = data()
    page = opened(explore(network(4), X, y, loss=binary_cross_entropy_with_logits).html)
    looks = page.evaluate(
        """async () => {
          const look = () => [...document.querySelectorAll("canvas")].map((c) => c.toDataURL())
            .concat(at("net").innerText, at("wires").innerHTML, at("where").innerText)
            .concat(at("shown").innerText, at("losses").getAttribute("points")).join();
          const before = look();
          const going = painting();
          const during = [];
          while (!going.next().done) { advance(); during.push(look()); }
          const mixed = look();
          start_over();
          losses = [];
          show();
          const same = during.length > 3 && during.every((seen) => seen === before);
          return [same, mixed === before, look() === before];
        }"""
    )
    assert looks == [True, True, True]


def test_digits_show_what_each_neuron_sees(opened: Opener) -> None:
    rng = random.Random(6)
    X = [[rng.choice((0.0, 1.0)) for _ in range(64)] for _ in range(30)]
    model = MLP(64, [4, 10], rng=rng)
    page = opened(explore(model, X, [i % 10 for i in range(30)], loss=cross_entropy).html)
    assert page.locator("button.unit canvas").count() == 4
    w = [x.data for x in model.layers[0].neurons[1].w]
    seen = "Array.from(weights_of(units[1], {}))"
    assert page.evaluate(seen.replace("{}", "new Array(64).fill(1)")) == w
    assert page.evaluate(seen.replace("{}", "net.rows[0]")) == [
        a * b for a, b in zip(w, X[0], strict=True)
    ]
    before = page.evaluate("cells[1].canvas.toDataURL()")
    page.select_option("#sees", "product")
    assert page.evaluate("cells[1].canvas.toDataURL()") != before
    box = page.locator("#images").bounding_box()
    assert box
    page.click("#images", position={"x": box["width"] / 12 * 2.5, "y": 5})
    assert page.inner_text("#which") == "3 of 30"
    opened_frame(page, 1)
    assert page.inner_text("#unit_title").startswith("layers.0.neurons.1")


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(opened: Opener, width: int, scheme: str) -> None:
    X, y = data()
    page = opened(
        explore(network(4), X, y, loss=binary_cross_entropy_with_logits).html,
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
    )
    found = []

    def look(where: Any) -> None:
        found.extend(Axe().run(where, options={"iframes": False}).response["violations"])

    look(page)
    train(page, 20)
    frame = opened_frame(page, 1)
    for place in (0, 6, 10):
        frame.evaluate(f"go({place})")
        look(frame)
    look(page)
    assert [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert frame.evaluate("document.documentElement.scrollWidth") <= width


def test_a_notebook_shows_it_in_a_sandboxed_frame(opened: Opener) -> None:
    X, y = data()
    frame = explore(network(2), X, y, loss=mse_loss)._repr_html_()
    page = opened(f"<!doctype html>{frame}")
    inner = page.frame_locator("iframe")
    inner.locator("#one").click()
    expect(inner.locator("#where")).to_contain_text("step 1: loss")
    inner.locator("button.unit").first.click()
    neuron = inner.frame_locator("#unit")
    neuron.locator("#next").click()
    expect(neuron.locator("#position")).to_have_text("forward 1 of 5")


class Hostile(Module):
    """A network whose parts are called what no one should be called."""

    def __init__(self) -> None:
        rng = random.Random(7)
        self.__dict__[HOSTILE] = Neuron(2, rng=rng)
        self.__dict__["__proto__"] = Neuron(1, nonlin=False, rng=rng)

    def __call__(self, x: Any) -> Any:
        return self.__dict__["__proto__"]([self.__dict__[HOSTILE](x)])


@pytest.mark.parametrize("x", [0.5, 1e308, -1e308, 5e-324])
def test_hostile_names_and_numbers(opened: Opener, x: float) -> None:
    def mse(outputs: Any, targets: Any) -> Any:
        return mse_loss(outputs, targets)

    mse.__name__ = HOSTILE
    page = opened(explore(Hostile(), [[x, 1.0], [-x, 2.0]], [0.25, 1e308], loss=mse).html)
    page.click("#one")
    assert page.evaluate("[typeof steps, steps]") == ["number", 1]
    label = page.locator("button.unit").first.get_attribute("aria-label") or ""
    assert label.startswith(HOSTILE)
    frame = opened_frame(page, 0)
    assert frame.locator("h1").inner_text().strip() == HOSTILE
    frame.evaluate("go(last)")
    assert page.locator("img").count() == frame.locator("img").count() == 0
    assert frame.locator("script").count() == 2


def test_numbers_that_are_none(opened: Opener) -> None:
    model = network(2)
    model.parameters()[0].data = float("nan")
    model.parameters()[4].data = float("inf")
    X, y = data()
    page = opened(explore(model, X, y, loss=mse_loss).html)
    assert page.locator("#wires .broken").count() == 2
    opened_frame(page, 0)


def test_the_page_stays_small() -> None:
    X, y = moons(100, 0.1, random.Random(1))
    model = MLP(2, [16, 16, 1], init="he", rng=random.Random(1))
    page = explore(model, X, y, loss=binary_cross_entropy_with_logits)
    assert len(page.html.encode()) < 250_000


def test_the_page_of_images_stays_small() -> None:
    """As many of them, and as many neurons, as `play digits` has; random ones pack worse."""
    rng = random.Random(1)
    X = [[rng.randrange(17) / 16 for _ in range(64)] for _ in range(200)]
    model = MLP(64, [16, 10], init="he", rng=rng)
    page = explore(model, X, [i % 10 for i in range(200)], loss=cross_entropy)
    assert len(page.html.encode()) < 250_000
