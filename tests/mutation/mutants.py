"""All the bugs. None is known to leave every result as it is: each must be caught."""

from __future__ import annotations

from tests.mutation.compiled_mutants import COMPILED
from tests.mutation.engine_mutants import ENGINE
from tests.mutation.tool_mutants import TOOLS
from tests.mutation.training_mutants import TRAINING

MUTANTS = [*ENGINE, *COMPILED, *TRAINING, *TOOLS]
