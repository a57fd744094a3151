"""Drawings of `draw`: boxes, arrows, names, frames, folds, and pictures of them."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from micrograd_like import MLP, Module, Neuron, Value, draw
from micrograd_like.graph import nodes_of

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
    assert [shown.count(name) for name in "abc"] == [1, 1, 1]
    assert "data −6.0" in shown
    assert "grad −2.0" in shown
    assert "grad 2.0" in shown
    # a is used twice, b once, the product once; and each of two operations makes its value.
    assert len(edges(drawing.source)) == 4 + 2


def test_repeated_operands_are_two_arrows() -> None:
    a = Value(3.0)
    arrows = edges(draw(a * a).source)
    assert arrows.count(("v0", "o1")) == 2


@pytest.mark.parametrize(("constants", "count"), [(True, 2), (False, 1)])
def test_constants_are_drawn_or_not(constants: bool, count: int) -> None:
    source = draw(Value(3.0) * 7, constants=constants).source
    assert len([tail for tail, head in edges(source) if head == "o1"]) == count
    assert ("7.0" in source) is constants


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
        "#ff4d4d",
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
    assert draw(b * 2, highlight=b).source.count("#d62728") == 4  # operation, value, both arrows
    assert "#d62728" not in draw(b * 2).source


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
    titles = re.findall(r"label=\"layers\.([^|]*)\|", source)
    assert len(titles) == len(set(titles)) == boxes
    assert texts(draw(loss, model=model, max_nodes=max_nodes).svg)
    assert f"v{len(nodes_of(loss)) - 1} [" in source  # the root has a box of its own


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
    assert re.findall(r"layers\.0\|.*largest \|grad\| (\w+)", source.replace("\\", "")) == ["nan"]


def test_saves_every_format(tmp_path: Path) -> None:
    drawing = draw(Value(1.0) + Value(2.0))
    starts = {"svg": b"<?xml", "png": b"\x89PNG", "dot": b"digraph"}
    for form, start in starts.items():
        path = drawing.save(tmp_path / f"graph.{form}")
        assert path.read_bytes().startswith(start)


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
