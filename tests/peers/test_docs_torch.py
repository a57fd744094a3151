"""The lines of the document on PyTorch that carry weights there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import docs_runner

torch: Any = pytest.importorskip("torch")
DOCUMENT = Path(__file__).parents[2] / "docs" / "coming_from.md"
X = [[0.5, -1.0], [2.0, 3.0], [0.0, 0.0]]


WITHOUT = {
    "activation=": "bias=False, activation=",
    ", 16)": ", 16, bias=False)",
    "(16, 1)": "(16, 1, bias=False)",
    '{"weight": row[:, :-1], "bias": row[:, -1]}': '{"weight": row}',
    "torch.cat([linear.weight, linear.bias[:, None]], dim=1).flatten()": "linear.weight.flatten()",
}


@pytest.mark.parametrize("biases", [True, False])
def test_weights_go_to_pytorch_and_come_back(biases: bool) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for old, new in () if biases else WITHOUT.items():
        assert old in text
        text = text.replace(old, new)
    start, there, back = [b.text for b in docs_runner.blocks(text) if b.language == "torch"]
    names: dict[str, Any] = {}
    exec(start + there, names)
    model, net = names["model"], names["net"]
    outputs = net(torch.tensor(X, dtype=torch.float64)).flatten().tolist()
    assert outputs == pytest.approx([model(x).data for x in X], rel=1e-13)
    before = [p.data for p in model.parameters()]
    with torch.no_grad():
        for tensor in net.parameters():
            tensor.mul_(2.0)
    exec(back, names)
    assert [p.data for p in model.parameters()] == [2.0 * x for x in before]
