"""Drawings of `draw`: boxes, arrows, names, frames, folds, and pictures of them."""

from __future__ import annotations

import operator
import random
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from micrograd_like import MLP, Module, Neuron, Value, draw, maximum, ops
from micrograd_like._internal.text import number
from micrograd_like.graph import nodes_of
from micrograd_like.render.images import png_size
from micrograd_like.render.page import picture_of

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    """Every line of text in the picture, as a reader sees it."""
    found = ElementTree.fromstring(svg).iter(f"{SVG}text")
    return [(text.text or "").replace("\xa0", " ") for text in found]


def edges(source: str) -> list[tuple[str, str]]:
    return re.findall(r"^\t+(\w+) -> (\w+)", source, re.MULTILINE)


def network(examples: int) -> tuple[MLP, Value]:
    rng = random.Random(0)
    model = MLP(2, [16, 16, 1], rng=rng)
    scores = [model([Value(rng.random()), Value(rng.random())]) for _ in range(examples)]
    return model, sum(scores) / examples


def test_every_value_has_its_box_and_every_use_its_arrow() -> None:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    c = a * b + a
    c.backward()
    drawing = draw(c, names=locals())
    shown = texts(drawing.svg)
    assert [shown.count(title) for title in ("a", "b", "c = v1 + a")] == [1, 1, 1]
    assert "data −6.0" in shown
    assert "grad −2.0" in shown
    assert "grad 2.0" in shown
    # a is used twice, b once, the product once; and each of two operations makes its value.
    assert len(edges(drawing.source)) == 4 + 2


def titles(source: str) -> list[str]:
    return [t.replace("\\", "") for t in re.findall(r"label=\"?\{?([^|\n]*)\|data", source)]


def test_titles_tell_which_operand_comes_first() -> None:
    a, b = Value(2.0, "a"), Value(3.0, "b")
    M, N, P = a - b, 1 - a, a - 1
    shown = titles(draw((M / N) ** P).source)
    assert shown[:5] == ["a", "b", "M = a − b", "N = 1 − a", "v1 = M/N"]
    assert shown[5:] == ["P = a − 1", "v2 = v1^P"]


def firsts(source: str) -> list[tuple[str, str]]:
    return re.findall(r"(v\d+) -> (o\d+) \[.*(?:head)?label=\"?1st\b", source)


@pytest.mark.parametrize("local_grads", [False, True])
def test_the_arrow_of_the_first_operand_is_marked_where_the_order_matters(
    local_grads: bool,
) -> None:
    a, b = Value(2.0), Value(3.0)
    for op in (operator.sub, operator.truediv, operator.pow, ops.atan2):
        assert firsts(draw(op(a, b), local_grads=local_grads).source) == [("v0", "o2")]
    for op in (operator.add, operator.mul, maximum, ops.hypot):
        assert firsts(draw(op(a, b), local_grads=local_grads).source) == []
    product = a * b  # drawn, and numbered, before the sum that it is taken from
    assert firsts(draw((b + a) - product).source) == [("v2", "o4")]
    assert "1st" in texts(draw(a - b, local_grads=False, rankdir="TB").svg)


def test_a_plain_number_stands_in_its_operation_at_its_side() -> None:
    y = Value(3.0)
    found = re.findall(r"o\d \[label=\"([^\"]*)\"", draw(1 - (y - 1) ** 2).source)
    assert [label.replace("\\", "") for label in found] == ["□ − 1", "□²", "1 − □"]


def test_values_of_one_label_are_told_apart() -> None:
    assert titles(draw(Value(1.0, "w") * Value(2.0, "w")).source) == ["w", "w#2", "v1 = w·w#2"]


def test_local_derivatives_stand_at_the_arrows() -> None:
    a, b = Value(2.0), Value(-3.0)
    source = draw(a * b - 4 * b, local_grads=True).source
    told = re.findall(r"(v\d) -> (o\d) \[label=(?:1st: )?(\S+) id", source.replace('"', ""))
    # ∂(a·b)/∂a = b and ∂(a·b)/∂b = a; ∂(4·b)/∂b = 4; 1 and −1 of the difference.
    assert sorted(told) == [
        ("v0", "o2", "−3.0"),
        ("v1", "o2", "2.0"),
        ("v1", "o3", "4.0"),
        ("v2", "o4", "1.0"),
        ("v3", "o4", "−1.0"),
    ]
    assert "label=−3.0" not in draw(a * b).source.replace('"', "")


def test_a_leaf_of_many_uses_is_drawn_once_and_then_named() -> None:
    w, h = Value(0.5, "w"), Value(0.25)
    for _ in range(60):
        h = (h * w + 0.125 * w).tanh()
    source = draw(h).source
    from_w = [head for tail, head in edges(source) if tail == "v1"]
    assert len(from_w) == 4
    named = re.findall(r"^\t(n\d+) \[label=w ", source, re.MULTILINE)
    assert len(named) == 120 - 4
    assert {tail for tail, _ in edges(source)} >= {*named}


def test_the_inputs_of_a_network_are_drawn_once_each_with_their_names() -> None:
    model = MLP(2, [3, 1], rng=random.Random(0))
    output = model([1.5, -2.0])
    for max_nodes in (500, 20):
        source = draw(output, model=model, max_nodes=max_nodes).source
        assert sorted(re.findall(r"x\[\d\] = −?[\d.]+", source)) == ["x[0] = 1.5", "x[1] = −2.0"]
    assert "v1 = w.0·x[0]" in titles(draw(output, model=model).source)
    assert "x[" not in draw(output).source


def test_the_inputs_of_two_examples_are_told_apart() -> None:
    model = MLP(2, [1], rng=random.Random(0))
    total = model([1.0, 2.0]) + model([3.0, 2.0])
    source = draw(total, model=model).source
    boxes = re.findall(r"x\[\d\]\S* = [\d.]+", source)
    assert boxes == ["x[0] = 1.0", "x[1] = 2.0", "x[0]#2 = 3.0"]
    products = [title.split(" = ")[1] for title in titles(source) if "·" in title]
    assert products == ["w.0·x[0]", "w.1·x[1]", "w.0·x[0]#2", "w.1·x[1]"]


def test_constants_are_as_short_in_titles_as_in_boxes() -> None:
    source = draw(Value(2.0, "a") * (1 / 3) + 1e-12).source
    assert titles(source) == ["a", "v1 = a·0.3333", "v2 = v1 + 1e−12"]


def test_the_sign_of_a_product_is_large() -> None:
    source = draw(Value(2.0) * 3 + 1, constants=False).source
    found = re.findall(r'o\d \[label="?(.)"?.* fontsize=(\d+)', source)
    assert sorted(found) == [("+", "16"), ("·", "32")]


@pytest.mark.parametrize("gradient", [False, True])
def test_the_place_where_a_nan_began_stands_out(gradient: bool) -> None:
    """Where the first number went wrong, of all that did: on the way forward, or back."""
    a = Value(0.0, "a")
    root = a.sqrt() * 2 if gradient else (a.log() * 0.5 + 1.0) * 2
    root.backward()
    source = draw(root).source
    thick = re.findall(r'v\d \[label="([^|"]*)\|.*penwidth=4', source)
    assert [x.replace("\\", "") for x in thick] == (["a"] if gradient else ["a", "v1 = ln(a)"])
    dashed = re.findall(r'style="filled,dashed"', source)
    assert len(dashed) == (1 if gradient else 5)


def test_folded_neurons_stand_in_their_order() -> None:
    model = MLP(1, [12, 1], rng=random.Random(0))
    drawing = draw(model([Value(1.0)]), model=model, max_nodes=20)
    lines = ElementTree.fromstring(drawing.svg).iter(f"{SVG}text")
    heights = {line.text or "": float(line.attrib["y"]) for line in lines}
    column = [heights[f"layers.0.neurons.{i}"] for i in range(12)]
    assert column == sorted(column)


def test_the_legend_names_the_colours_that_occur() -> None:
    a, b = Value(2.0, "a"), Value(3.0, "b")
    c = a - b
    assert "grad above" not in draw(c).source
    c.backward()
    assert (
        texts(draw(c).svg)[0] == "orange: grad above 0, blue: grad below 0, darker: larger |grad|"
    )
    assert (
        texts(draw(Value(float("inf")) + 1).svg)[0]
        == "violet, dashed: nan or inf, thick: where that began"
    )


def test_the_legend_says_what_stands_at_arrows() -> None:
    slope = "number at an arrow: local derivative of the result by this operand"
    assert texts(draw(Value(2.0) * 3, local_grads=True).svg)[0] == slope
    assert slope not in draw(Value(2.0) * 3).source
    model, loss = network(1)
    for max_nodes, told in ((10, True), (5000, False)):
        source = draw(loss, model=model, max_nodes=max_nodes).source
        assert ("×n at an arrow: n uses as an operand" in source) is told


def test_a_page_has_no_heading_in_its_picture() -> None:
    a = Value(2.0, "a")
    result = a.tanh()
    result.backward()
    a.data = 5.0
    shown = "\n".join(texts(draw(result).svg))
    assert "older than its leaves" in shown
    assert "orange" in shown
    svg = picture_of(result, {}).svg
    assert "older than its leaves" not in svg
    assert "orange" not in svg


def test_the_legend_leaves_out_colours_that_are_folded_away() -> None:
    model, loss = network(1)
    model.layers[0].neurons[0].w[0].grad = -5.0
    model.layers[0].neurons[0].w[1].grad = 0.5
    source = draw(loss, model=model, max_nodes=10).source
    assert "grad below" in source
    assert "grad above" not in source


@pytest.mark.parametrize("data", [float("nan"), float("inf")])
def test_data_that_is_no_number_is_violet_under_a_healthy_gradient(data: float) -> None:
    a = Value(data)
    a.backward()
    assert re.findall(r"fillcolor=\"(#\w+)\"", draw(a).source) == ["#e9c4ff"]


def test_no_tooltips_of_the_renderer() -> None:
    assert "<title>" not in draw(Value(1.0) + 1).svg


def test_a_png_says_where_letters_may_be_missing(tmp_path: Path) -> None:
    drawing = draw(Value(1.0, "漢字") + Value(2.0, "αβ∂²"))
    with pytest.warns(UserWarning, match="has 漢字, a.png shows empty boxes: a picture in .svg"):
        drawing.save(tmp_path / "a.png")
    drawing.save(tmp_path / "a.svg")


def test_a_layout_that_takes_too_long_is_an_error_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("MICROGRAD_LIKE_DOT", str(slow))
    monkeypatch.setattr("micrograd_like.render.images.MOST_SECONDS", 0.1)
    with pytest.raises(RuntimeError, match=r"still placing the boxes after 0.1 seconds.*model="):
        draw(Value(1.0)).save(tmp_path / "a.svg")


def test_repeated_operands_are_two_arrows() -> None:
    a = Value(3.0)
    arrows = edges(draw(a * a).source)
    assert arrows.count(("v0", "o1")) == 2


@pytest.mark.parametrize("constants", [True, False])
def test_constants_are_drawn_or_not(constants: bool) -> None:
    source = draw(Value(3.0) * 7, constants=constants).source
    assert len(edges(source)) == 2
    assert ("□·7" in source) is constants


@pytest.mark.parametrize(
    "label",
    [
        '{ | } < > " \\ & </script>',
        "<b>bold</b>",
        "&amp; &lt; &#65;",
        "\\N \\n \\l \\G",
        "∂é漢 😀",
        "  two  spaces ",
        "<",
        "]]>",
    ],
)
def test_labels_appear_as_written(label: str) -> None:
    drawing = draw(Value(1.0, label=label) + 1)
    assert texts(drawing.svg)[0] == label


def test_newlines_break_the_line() -> None:
    assert texts(draw(Value(1.0, label="one\ntwo") + 1).svg)[:2] == ["one", "two"]


@pytest.mark.parametrize("label", ["two\nlines", "a\u200db", "a\u00adb"])
def test_a_label_is_the_same_in_its_box_and_in_a_formula(label: str) -> None:
    shown = "\n".join(texts(draw(Value(1.0, label).tanh(), names={}).svg))
    assert shown.startswith(f"{label}\ndata 1.0")
    assert f"v1 = tanh({label})" in shown


def test_what_a_picture_cannot_hold_gets_a_visible_sign() -> None:
    assert texts(draw(Value(1.0, label="a\0b\x1b\ud800") + 1).svg)[0] == "a␀b␛?"


def test_noncharacters_do_not_break_the_xml() -> None:
    for character in "\ufffe\uffff\x85\ud800\x7f":
        assert texts(draw(Value(1.0, label=f"a{character}b") + 1).svg)[0][0] == "a"


@pytest.mark.parametrize(
    "name",
    [
        '<<table><tr><td href="javascript:alert(1)">x</td></tr></table>>',
        'a"b\\',
        "back\\slash\\",
        "{a|b}",
        "]]><script>",
        "\ufffe",
        "two\nlines",
        'end"]; evil [label="x',
    ],
)
@pytest.mark.parametrize("max_nodes", [500, 5])
def test_names_of_a_model_are_text(name: str, max_nodes: int) -> None:
    class Parts(Module):
        def __init__(self) -> None:
            setattr(self, name, Neuron(2))
            self.parts = {name: Neuron(2)}

        def __call__(self, x: list[float]) -> Any:
            return getattr(self, name)(x) + self.parts[name](x)

    model = Parts()
    drawing = draw(model([1.0, 2.0]) * 2, model=model, max_nodes=max_nodes)
    svg = drawing.svg
    shown = "".join(texts(svg)).replace(" ", "")
    wanted = name.replace(" ", "").replace("\ufffe", "\ufffd").replace("\n", "")
    assert shown.count(wanted) >= 2
    assert "<a " not in svg
    assert "evil" not in re.findall(r"^\t+(\w+) \[", drawing.source, re.MULTILINE)


def test_colour_grows_with_the_gradient() -> None:
    a, b, c = Value(1.0), Value(-2.0), Value(0.0)
    (a * 3 + b * -1 + c * 0).backward()
    colours = dict(
        re.findall(r"(v\d+) \[.*fillcolor=\"(#\w+)\"", draw(a * 3 + b * -1 + c * 0).source)
    )
    assert colours["v0"] == "#ffaa50"
    # Blue for −1, which is a third of the largest: √⅓ of the way from white to (110, 170, 255).
    assert colours["v2"] == "#abceff"
    assert "#ffffff" in colours.values()


@pytest.mark.parametrize("grad", [float("nan"), float("inf"), float("-inf")])
def test_a_gradient_that_is_no_number_is_red_and_leaves_the_others_their_colours(
    grad: float,
) -> None:
    a, b = Value(1.0), Value(2.0)
    a.grad, b.grad = grad, 4.0
    assert re.findall(r"v\d+ \[.*fillcolor=\"(#\w+)\"", draw(a + b).source) == [
        "#e9c4ff",
        "#ffaa50",
        "#ffffff",
    ]


@pytest.mark.parametrize("rankdir", ["LR", "RL", "TB", "BT"])
def test_the_lines_of_a_box_stand_below_each_other(rankdir: str) -> None:
    found = ElementTree.fromstring(draw(Value(1.0), rankdir=rankdir).svg).iter(f"{SVG}text")
    heights = [float(line.attrib["y"]) for line in found]
    assert len(heights) == 3
    assert heights[0] < heights[1] < heights[2]


def test_the_highlighted_value_stands_out() -> None:
    a = Value(1.0)
    b = a.tanh()
    assert draw(b * 2, highlight=b).source.count("#b0135a") == 4  # operation, value, both arrows
    assert "#b0135a" not in draw(b * 2).source


def test_a_model_puts_frames_around_neurons_and_layers() -> None:
    model = MLP(1, [2, 1], rng=random.Random(0))
    shown = texts(draw(model([Value(1.0)]), model=model).svg)
    for frame in ("layers.0", "layers.0.neurons.0", "layers.0.neurons.1", "layers.1"):
        assert shown.count(frame) == 1
    assert shown.count("w.0") == 3


def test_too_many_nodes_are_refused_with_the_way_out() -> None:
    total = Value(0.0)
    for _ in range(100_000):
        total = total + 1.0
    with pytest.raises(ValueError, match=r"100001 nodes.*max_nodes=500.*model="):
        draw(total)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_nodes": "a"}, TypeError, "max_nodes is a whole number, got str: 'a'"),
        ({"max_nodes": 0}, ValueError, "max_nodes is at least 1, got 0"),
        ({"model": 3}, TypeError, r"model is a network with named_parameters\(\), got int: 3"),
    ],
)
def test_arguments_that_do_not_fit_are_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        draw(Value(1.0), **arguments)


@pytest.mark.parametrize(
    ("max_nodes", "boxes"),
    [
        (500, 33),  # a box a neuron, the rest as it is
        (40, 33),  # the rest in two boxes more
        (10, 3),  # a box a layer
    ],
)
def test_large_graphs_fold(max_nodes: int, boxes: int) -> None:
    model, loss = network(5)
    assert len(nodes_of(loss)) > 3000
    source = draw(loss, model=model, max_nodes=max_nodes).source
    titles = re.findall(r"label=\"layers\.(.*)\n", source)
    assert len(titles) == len(set(titles)) == boxes
    assert texts(draw(loss, model=model, max_nodes=max_nodes).svg)
    assert f"v{len(nodes_of(loss)) - 1} [" in source  # the root has a box of its own


def test_a_folded_neuron_has_one_box_and_the_root_is_in_it() -> None:
    model = MLP(2, [4, 4, 1], rng=random.Random(0))
    o = model([1.0, -2.0])
    shown = texts(draw(o, model=model, max_nodes=30, names={"o": o}).svg)
    assert sum(line.startswith("layers.") for line in shown) == 4 + 4 + 1
    assert f"output o = {number(o.data)}" in shown


def test_a_folded_neuron_that_is_dead_looks_so() -> None:
    """Its output has a gradient and its parameters have none."""
    model = MLP(1, [2, 1], rng=random.Random(0))
    dead, alive = model.layers[0].neurons
    dead.b.data, alive.b.data = -9.0, 9.0
    loss = model([0.5]) + model([0.25])
    loss.backward()
    steepest = max(abs(x.grad) for x in alive.parameters())
    source = draw(loss, model=model, max_nodes=10).source
    said = re.findall(
        r"layers\.0\.neurons.*\n.*\n2 outputs, (.*)\nparameters' largest .grad. (.*?)\"", source
    )
    outputs = sorted(alive([x]).data for x in (0.5, 0.25))
    assert said == [
        ("all 0.0", "0.0"),
        (f"{number(outputs[0])} to {number(outputs[1])}", number(steepest)),
    ]


def test_a_web_of_arrows_folds_to_layers() -> None:
    for size, boxes in ((16, 33), (40, 3)):
        model = MLP(2, [size, size, 1], rng=random.Random(0))
        source = draw(model([1.0, 2.0]), model=model).source
        assert len(re.findall(r"label=\"layers\.[^\"]*\n", source)) == boxes


def spread(rng: random.Random) -> Value:
    """A graph of some 400 nodes whose operands come from anywhere before."""
    nodes = [Value(rng.uniform(-1.0, 1.0)) for _ in range(80)]
    while len(nodes) < 330:
        a, b = rng.choice(nodes[-5:]), rng.choice(nodes)
        nodes.append(a * b if rng.random() < 0.5 else a + b)
    used = {parent for node in nodes for parent in node.parents}
    return sum([node for node in nodes if node not in used], start=Value(0.0))


def test_arrows_of_large_graphs_go_around_the_boxes() -> None:
    """A far operand is a name at its use, and so the layout of any graph is quick."""
    drawing = draw(spread(random.Random(2)))
    assert "splines" not in drawing.source
    picture = ElementTree.fromstring(drawing.svg)
    boxes, paths = [], []
    for group in picture.iter(f"{SVG}g"):
        kind = group.attrib.get("class", "")
        if kind == "node value":
            numbers = re.findall(r"-?[\d.]+", next(group.iter(f"{SVG}polygon")).attrib["points"])
            across, down = list(map(float, numbers[::2])), list(map(float, numbers[1::2]))
            boxes.append((min(across) + 2, max(across) - 2, min(down) + 2, max(down) - 2))
        elif kind == "edge":
            numbers = re.findall(r"-?[\d.]+", next(group.iter(f"{SVG}path")).attrib["d"])
            xs, ys = map(float, numbers[::2]), map(float, numbers[1::2])
            paths.append(list(zip(xs, ys, strict=True)))
    crossed = 0
    for path in paths:
        for k in range(0, len(path) - 3, 3):
            for t in (0.0, 0.25, 0.5, 0.75, 1.0):
                x, y = bezier(path[k : k + 4], t)
                crossed += any(a < x < b and c < y < d for a, b, c, d in boxes)
    assert len(boxes) > 300
    assert crossed == 0


@pytest.mark.parametrize("activation", ["linear", "tanh"])
def test_long_sums_keep_their_arrows(activation: str) -> None:
    """A product stands beside the sum that takes it, however far that is from the first one."""
    neuron = Neuron(60, activation=activation)
    source = draw(neuron([Value(float(i)) for i in range(60)])).source
    assert re.findall(r"^\t+n\d+ ", source, re.MULTILINE) == []


def bezier(points: list[tuple[float, float]], t: float) -> tuple[float, float]:
    s = 1.0 - t
    weights = (s**3, 3 * s * s * t, 3 * s * t * t, t**3)
    x, y = [sum(w * p[i] for w, p in zip(weights, points, strict=True)) for i in (0, 1)]
    return x, y


def test_arrows_between_folded_layers_are_counted() -> None:
    model, loss = network(1)
    root = nodes_of(loss)[-2]  # the network's output, which belongs to its last layer
    source = draw(root, model=model, max_nodes=10).source
    # Three boxes, and one for the inputs. Each of 16 units is an operand of each of the next 16.
    assert sorted(map(int, re.findall(r"label=\"?×(\d+)", source))) == [16, 2 * 16, 16 * 16]
    assert f"v{len(nodes_of(root)) - 1} [" in source


def test_a_gradient_of_nan_is_not_lost_in_a_folded_box() -> None:
    model, loss = network(1)
    loss.backward()
    model.layers[0].neurons[5].w[1].grad = float("nan")
    source = draw(loss, model=model, max_nodes=10).source
    assert re.findall(r"layers\.0\n.*\n.*\nparameters' largest \|grad\| (\w+)", source) == ["nan"]
    assert "#e9c4ff" in source


def test_saves_every_format(tmp_path: Path) -> None:
    drawing = draw(Value(1.0) + Value(2.0))
    starts = {"svg": b"<?xml", "png": b"\x89PNG", "dot": b"digraph"}
    for form, start in starts.items():
        path = drawing.save(tmp_path / f"graph.{form}")
        assert path.read_bytes().startswith(start)


def test_a_png_that_is_made_smaller_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("micrograd_like.render.images.MOST_PIXELS", 96)
    monkeypatch.setattr("micrograd_like.render.drawing.MOST_PIXELS", 96)
    with pytest.warns(UserWarning, match="a.png is smaller than drawn: .* more than 96 pixels"):
        draw(Value(1.0) + 1).save(tmp_path / "a.png")
    assert max(png_size((tmp_path / "a.png").read_bytes())) == 96


@pytest.mark.parametrize("name", ["graph.jpeg", "graph", "graph.svg.zip"])
def test_unknown_endings_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(name) + ".*svg"):
        draw(Value(1.0)).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_notebooks_get_the_picture() -> None:
    bundle = draw(Value(1.0))._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="XY"):
        draw(Value(1.0), rankdir="XY")
    with pytest.raises(TypeError, match="float"):
        draw(1.0)  # type: ignore[arg-type]
