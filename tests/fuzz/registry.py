"""The targets by their names."""

from __future__ import annotations

from tests.fuzz.expressions import EXPRESSIONS
from tests.fuzz.files import FILES
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {"expressions": EXPRESSIONS, "files": FILES}
