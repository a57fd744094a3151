"""Optimisers beside PyTorch's own, in float64, and the same rule on numbers and on arrays."""

from typing import Any

import pytest

from micrograd_like.engine import Value
from micrograd_like.optim import SGD, Adam, AdamW, RMSprop, clip_grad_norm
from tests.support.published_rules import START, STEPS, bowl, schedule

torch: Any = pytest.importorskip("torch")

HOW: list[tuple[Any, dict[str, Any]]] = [
    (SGD, {"lr": 0.05}),
    (SGD, {"lr": 0.05, "weight_decay": 0.1}),
    (SGD, {"lr": 0.02, "momentum": 0.9}),
    (SGD, {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.3}),
    (SGD, {"lr": schedule, "momentum": 0.5, "nesterov": True}),
    (Adam, {}),
    (Adam, {"lr": 0.1, "betas": (0.5, 0.75), "eps": 1e-3}),
    (Adam, {"lr": schedule, "weight_decay": 0.2}),
    (AdamW, {}),
    (AdamW, {"lr": 0.1, "weight_decay": 0.25, "eps": 0.0}),
    (AdamW, {"lr": schedule, "weight_decay": 0.0}),
    (RMSprop, {"lr": 0.01}),
    (RMSprop, {"lr": schedule, "alpha": 0.75, "eps": 1e-3}),
]
TOGETHER = pytest.mark.parametrize(("make", "how"), HOW)


@TOGETHER
def test_fifty_steps(make: Any, how: dict[str, Any]) -> None:
    ours = make([Value(x) for x in START], **how)
    tensor = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    rate = how.get("lr", 1e-3)
    fixed = how | {"lr": rate(0) if callable(rate) else rate}
    theirs = getattr(torch.optim, make.__name__)([tensor], **fixed)
    for step in range(STEPS):
        ours.zero_grad()
        bowl(ours.params).backward()
        ours.step()
        theirs.zero_grad()
        bowl(list(tensor)).backward()
        theirs.param_groups[0]["lr"] = rate(step) if callable(rate) else rate
        theirs.step()
        for p, x in zip(ours.params, tensor.detach().tolist(), strict=True):
            assert abs(p.data - x) <= 1e-12


GROUPS: list[tuple[Any, dict[str, Any], list[dict[str, Any]]]] = [
    (SGD, {"lr": 0.02, "momentum": 0.9}, [{"weight_decay": 0.1}, {"lr": 0.005}]),
    (SGD, {"lr": 0.02, "momentum": 0.9}, [{"nesterov": True, "lr": 0.01}, {"momentum": 0.0}]),
    (Adam, {"lr": 0.1}, [{"weight_decay": 0.2, "eps": 1e-3}, {"betas": (0.5, 0.75)}]),
    (AdamW, {}, [{"lr": 0.1, "weight_decay": 0.25}, {"weight_decay": 0.0}]),
    (RMSprop, {}, [{"lr": 0.05}, {"alpha": 0.75, "eps": 1e-3}]),
]


@pytest.mark.parametrize(("make", "how", "settings"), GROUPS)
def test_fifty_steps_in_groups(make: Any, how: Any, settings: list[dict[str, Any]]) -> None:
    w = [Value(x) for x in START]
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in START]
    ours, theirs = (
        optimizer(
            [
                {"params": [p[0], p[2]], **settings[0]},
                {"params": iter([p[3], p[1]]), **settings[1]},
            ],
            **how,
        )
        for optimizer, p in ((make, w), (getattr(torch.optim, make.__name__), tensors))
    )
    for _ in range(STEPS):
        for optimizer, p in ((ours, w), (theirs, tensors)):
            optimizer.zero_grad()
            bowl(p).backward()
            optimizer.step()
        for value, tensor in zip(w, tensors, strict=True):
            assert abs(value.data - tensor.item()) <= 1e-12


def test_clipping_before_each_of_fifty_steps() -> None:
    ours = SGD([Value(x) for x in START], 0.05)
    tensor = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    theirs = torch.optim.SGD([tensor], 0.05)
    for _ in range(STEPS):
        for optimizer, w in ((ours, ours.params), (theirs, list(tensor))):
            optimizer.zero_grad()
            bowl(w).backward()
        norm = clip_grad_norm(ours.params, 1.5)
        assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_([tensor], 1.5).item())
        ours.step()
        theirs.step()
        for p, x in zip(ours.params, tensor.detach().tolist(), strict=True):
            # PyTorch divides by the norm + 1e-6.
            assert abs(p.data - x) <= 1e-5


@TOGETHER
def test_the_rule_takes_arrays(make: Any, how: dict[str, Any]) -> None:
    numpy = pytest.importorskip("numpy")
    optimizer = make([Value(x) for x in START], **how)
    numbers = numpy.array(START)
    state = [numpy.array(buffer) for buffer in optimizer.buffers]
    for step in range(STEPS):
        optimizer.zero_grad()
        bowl(optimizer.params).backward()
        gradient = numpy.array([p.grad for p in optimizer.params])
        optimizer.step()
        numbers, *state = optimizer.rule(step)(numbers, gradient, *state)
        assert numbers == pytest.approx([p.data for p in optimizer.params], rel=1e-15)
    for ours, theirs in zip(optimizer.buffers, state, strict=True):
        assert theirs == pytest.approx(ours, rel=1e-15)


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (SGD, {"lr": -0.5}),
        (SGD, {"momentum": -0.5}),
        (SGD, {"weight_decay": -0.5}),
        (SGD, {"nesterov": True}),
        (Adam, {"eps": -0.5}),
        (Adam, {"betas": (1.0, 0.9)}),
        (Adam, {"betas": (0.9, -0.5)}),
        (AdamW, {"weight_decay": -0.5}),
    ],
)
def test_what_pytorch_refuses_we_refuse(make: Any, wrong: dict[str, Any]) -> None:
    how = {"lr": 0.1} | wrong
    theirs = getattr(torch.optim, make.__name__)
    with pytest.raises(ValueError, match=r"-0\.5|1\.0|momentum"):
        theirs([torch.zeros(1, requires_grad=True)], **how)
    with pytest.raises(ValueError, match=r"-0\.5|1\.0|momentum"):
        make([Value(0.0)], **how)
