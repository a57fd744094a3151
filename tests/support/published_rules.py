"""torch.optim.SGD, Adam, AdamW and RMSprop as they are documented, on a bowl, in any numbers."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

STEPS = 50
CURVATURES, CENTRES = [0.5, 3.0, 1.25, 0.01], [1.0, -2.0, 0.25, 40.0]
START = [3.0, 0.5, -1.5, 0.0]


def bowl(w: list[Any]) -> Any:
    """A quadratic with a coupling of neighbours, for Values and for numbers of 50 digits."""
    terms = [a * (x - c) * (x - c) for a, x, c in zip(CURVATURES, w, CENTRES, strict=True)]
    return sum(terms) + w[0] * w[1] * 0.5 - w[2] * w[3] * 0.0625


def slopes(w: list[Any]) -> list[Any]:
    g = [2 * a * (x - c) for a, x, c in zip(CURVATURES, w, CENTRES, strict=True)]
    pulls = [w[1] * 0.5, w[0] * 0.5, w[3] * -0.0625, w[2] * -0.0625]
    return [gi + pull for gi, pull in zip(g, pulls, strict=True)]


def schedule(step: int) -> float:
    return 0.05 / (1 + step)


def rate(lr: Any, step: int) -> Any:
    return mpf(lr(step) if callable(lr) else lr)


# In the documentation t counts from 1.


def published_sgd(
    theta: list[Any], lr: Any, momentum: float = 0.0, nesterov: bool = False, weight_decay: Any = 0
) -> list[Any]:
    b: list[Any] = []
    for t in range(1, STEPS + 1):
        g = [gi + mpf(weight_decay) * x for gi, x in zip(slopes(theta), theta, strict=True)]
        if momentum != 0:
            mu = mpf(momentum)
            b = [mu * bi + gi for bi, gi in zip(b, g, strict=True)] if t > 1 else g
            g = [gi + mu * bi for gi, bi in zip(g, b, strict=True)] if nesterov else b
        theta = [x - rate(lr, t - 1) * gi for x, gi in zip(theta, g, strict=True)]
    return theta


def published_adam(
    theta: list[Any],
    lr: Any = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> list[Any]:
    beta1, beta2, decay = mpf(betas[0]), mpf(betas[1]), mpf(weight_decay)
    m = v = [mpf(0)] * len(theta)
    for t in range(1, STEPS + 1):
        gamma, g = rate(lr, t - 1), slopes(theta)
        if decoupled:
            theta = [x - gamma * decay * x for x in theta]
        else:
            g = [gi + decay * x for gi, x in zip(g, theta, strict=True)]
        m = [beta1 * mi + (1 - beta1) * gi for mi, gi in zip(m, g, strict=True)]
        v = [beta2 * vi + (1 - beta2) * gi**2 for vi, gi in zip(v, g, strict=True)]
        unbiased = [(mi / (1 - beta1**t), vi / (1 - beta2**t)) for mi, vi in zip(m, v, strict=True)]
        theta = [
            x - gamma * mi / (mp.sqrt(vi) + mpf(eps))
            for x, (mi, vi) in zip(theta, unbiased, strict=True)
        ]
    return theta


def published_adamw(theta: list[Any], weight_decay: float = 0.01, **how: Any) -> list[Any]:
    return published_adam(theta, weight_decay=weight_decay, decoupled=True, **how)


def published_rmsprop(
    theta: list[Any], lr: Any = 0.01, alpha: float = 0.99, eps: float = 1e-8
) -> list[Any]:
    v = [mpf(0)] * len(theta)
    for t in range(STEPS):
        g = slopes(theta)
        v = [mpf(alpha) * vi + (1 - mpf(alpha)) * gi**2 for vi, gi in zip(v, g, strict=True)]
        theta = [
            x - rate(lr, t) * gi / (mp.sqrt(vi) + mpf(eps))
            for x, gi, vi in zip(theta, g, v, strict=True)
        ]
    return theta
