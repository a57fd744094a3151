"""The targets by their names."""

from __future__ import annotations

from tests.heavy.fuzz.expressions import EXPRESSIONS
from tests.heavy.fuzz.files import FILES
from tests.heavy.fuzz.target import Target

TARGETS: dict[str, Target] = {"expressions": EXPRESSIONS, "files": FILES}
