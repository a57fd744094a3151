"""Model files as somebody else would write them, with the checksum that is right for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any


def signed(content: dict[str, Any]) -> str:
    """A file with this content and a checksum that is right for it."""
    frame = {"format": "micrograd_like", "version": 1, "checksum": "", **content}
    frame["checksum"] = sha256((json.dumps(frame, indent=1) + "\n").encode()).hexdigest()
    return json.dumps(frame, indent=1) + "\n"


def content(file: str | bytes) -> dict[str, Any]:
    """The signed part, without the signature."""
    frame = json.loads(file)
    return {"model": frame["model"], "training": frame["training"]}


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], str]:
    """A file that was changed and given the right checksum: what an attacker would write."""

    def write(path: Path) -> str:
        data = content(path.read_bytes())
        change(data)
        return signed(data)

    return write


def training(**parts: Any) -> Callable[[Path], str]:
    """A file with this state of a training."""
    state = {"optimizer": None, "history": None, "rng": None, **parts}
    return changed(lambda data: data.update(training=state))


def history(*rows: Any, best: Any = None, since: Any = 0) -> Callable[[Path], str]:
    return training(history={"rows": rows, "stopped": "", "best": best, "since": since})


def adam(**entries: Any) -> Callable[[Path], str]:
    state = {"optimizer": "Adam", "steps": 1, "exp_avg": [0.5] * 13, "exp_avg_sq": [0.5] * 13}
    return training(optimizer=state | entries)
